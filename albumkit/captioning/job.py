"""What one call of caption works with: the album, its policy, its settings, and what its captions keep to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from albumkit.album import expand
from albumkit.caption.compose import Subject
from albumkit.caption.policy import Policy, policy_for
from albumkit.captioning.judging import Judge
from albumkit.captioning.standing import Standing, standings
from albumkit.captioning.writing import check_folder
from albumkit.errors import UsageError
from albumkit.facts import FactCache, Measured
from albumkit.house import rules_folder
from albumkit.ledger import Ledger
from albumkit.opening import OpenAlbum, open_album
from albumkit.paths import rules_root
from albumkit.settings import Settings, resolve
from albumkit.workflows import image_libraries

#: What a key of [album] looks like, for the remedy.
_EXAMPLES = {"trigger_phrase": '"TOK"', "class_phrase": '"ceramic cat figurine"'}


@dataclass(frozen=True)
class Job:
    """One album, opened."""

    opened: OpenAlbum
    settings: Settings
    policy: Policy
    subject: Subject
    never_say: tuple[str, ...]
    cache: FactCache
    measured: Measured

    @property
    def path(self) -> Path:
        return self.opened.path

    @property
    def policy_name(self) -> str:
        """The policy's file: one of ours by its place in rules/, one of the house as the album sees it."""
        ours = rules_root()
        file = self.policy.file
        return (
            f"rules/{file.relative_to(ours).as_posix()}"
            if ours in file.parents
            else self.opened.relative(file)
        )

    def judge(self) -> Judge:
        return Judge(self.path, self.settings, self.policy, self.subject, self.never_say, self.cache)

    def standings(self, only: Sequence[str] = (), *, owners: bool = True) -> list[Standing]:
        """The captions as they are; whose they are is looked up with ``owners``."""
        if not owners:
            return standings(self.opened.album, self.measured, only=only)
        with Ledger() as ledger:
            return standings(self.opened.album, self.measured, ledger, only=only)

    def check_needs(self) -> None:
        """Raises UsageError where album.toml lacks what the policy needs."""
        given = {"trigger_phrase": self.settings.trigger_phrase, "class_phrase": self.settings.class_phrase}
        lacking = [key for key in self.policy.needs if given[key] is None]
        if lacking:
            shown = self.opened.display
            lines = " and ".join(f"{key} = {_EXAMPLES[key]}" for key in lacking)
            raise UsageError(
                f"{shown}: captions of a {self.policy.kind} album need {' and '.join(lacking)}.",
                f"Write {lines} into [album] of {shown}/album.toml (albumkit init {shown} begins one).",
            )


@contextmanager
def open_job(path: Path, *, trainer: str | None = None) -> Iterator[Job]:
    """Open one album for captioning; what was measured is kept at the end.

    Raises:
        UsageError: the path holds several albums, album.toml or the policy cannot be used.
        AlbumkitError: it is a zip, or cannot be read.
    """
    found = expand([path])
    if len(found) != 1:
        raise UsageError(f"{path.as_posix()} holds {len(found)} albums; caption takes one at a time.")
    check_folder(found[0])
    opened = open_album(found[0])
    settings = resolve(opened.config, guessed_kind=opened.guessed_kind, trainer=trainer)
    cache = FactCache(libraries=image_libraries())
    measured = Measured(opened.album, cache, decode=False)
    prepended = settings.trainer.trigger.policy == "prepended"
    trigger = "" if prepended else " ".join((settings.trigger_phrase or "").split())
    try:
        yield Job(
            opened=opened,
            settings=settings,
            policy=policy_for(settings.kind, rules_folder(opened.config)),
            subject=Subject(trigger, " ".join((settings.class_phrase or "").split())),
            never_say=opened.config.caption.never_say,
            cache=cache,
            measured=measured,
        )
    finally:
        measured.save()
        cache.close()
