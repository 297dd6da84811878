"""Asking a masker about the pictures of an album, judging its answers, and writing those that are good."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from PIL import Image

from albumkit.album import expand
from albumkit.errors import AlbumkitError, UsageError
from albumkit.facts import FactCache, Measured
from albumkit.house import rules_for
from albumkit.images import load_picture, read_header, reason_of
from albumkit.kept import Kept
from albumkit.ledger import Ledger
from albumkit.lint import AlbumResult, Finding, lint
from albumkit.mask.protocol import Masker
from albumkit.mask.shaping import AS_FOUND, Shaping, encode_mask, shape_mask
from albumkit.masking.plan import Job, Plan, Which, plan_masks
from albumkit.masking.writing import write_masks
from albumkit.opening import OpenAlbum, check_writable, open_album
from albumkit.parallel import MOST_PIXELS, Budget, in_order
from albumkit.paths import cache_dir, quoted
from albumkit.selection import EVERYTHING
from albumkit.settings import Settings, resolve
from albumkit.trainer import LOCAL
from albumkit.workflows import Progress, image_libraries

#: Raise when pictures are shown to a masker in another way.
_VERSION = 1
#: A JPEG is decoded with at least so many pixels for each that the network looks at: with 4 the libjpeg's
#: coarser reduction gives another mask where it is not clear what the subject is (mean overlap 0.95 with that
#: of the whole picture, 0.99 with 16).
_SPARE = 16


@dataclass(frozen=True, slots=True)
class Made:
    """A mask that was made. ``picture`` is the sha256 of its picture, ``data`` the PNG's bytes."""

    job: Job
    picture: str
    data: bytes
    findings: tuple[Finding, ...] = ()

    @property
    def refused(self) -> bool:
        """Whether a rule says that this mask is worse than none: it is not written."""
        return any(f.severity == "error" and f.ignored is None for f in self.findings)


@dataclass(frozen=True, slots=True)
class Failed:
    """A picture that no mask could be made of."""

    job: Job
    reason: str
    remedy: str = ""


@dataclass
class MaskReport:
    """One call of mask. ``made`` are the masks of this call, refused ones among them; ``judged`` is what the
    mask rules say of all masks of the album. ``record``: the change's name in the journal, "" where nothing
    was written. ``stopped``: by Ctrl-C, before all pictures were masked.
    """

    album: str
    opened: OpenAlbum
    plan: Plan
    dry: bool
    model: str = ""
    shaping: Shaping = AS_FOUND
    made: list[Made] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    judged: AlbumResult | None = None
    record: str = ""
    stopped: bool = False

    @property
    def good(self) -> list[Made]:
        """Those that are, or would be, written."""
        return [made for made in self.made if not made.refused]

    @property
    def refused(self) -> list[Made]:
        return [made for made in self.made if made.refused]

    @property
    def proposed(self) -> dict[str, bytes | None]:
        """The album's files as this call would leave them; None: taken away."""
        return proposed_files(self.good)

    @property
    def exit_code(self) -> int:
        if self.stopped:
            return 130
        return int(bool(self.failed or self.refused or any(left.is_fault for left in self.plan.left)))


def make_masks(
    path: Path,
    open_masker: Callable[[], Masker],
    *,
    shaping: Shaping = AS_FOUND,
    which: Which = "missing",
    only: Sequence[str] = (),
    dry: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
) -> MaskReport:
    """Make, judge and write the masks of one album.

    What a masker finds is kept as it comes, by content: a call that is stopped or killed is gone on with by
    the same call, and another ``shaping`` asks nobody anew. Masks are written all together, or none.

    Args:
        open_masker: Called once, and only when there is something to mask.
        only: Globs of the pictures to be masked.
        dry: Make and judge them, and write nothing into the album.
        resume: Only go on with a call that was stopped: refuse where it would begin anew.

    Raises:
        UsageError: the path holds several albums, album.toml cannot be used, nothing matches ``only``, no
            call to resume.
        AlbumkitError: a zip, a style, a masker that cannot be opened, an album that cannot be written.
    """
    opened = _opened(path)
    settings = _settings(opened)
    with ExitStack() as open_things:
        cache = FactCache(libraries=image_libraries())
        open_things.callback(cache.close)
        measured = Measured(opened.album, cache, decode=False)
        open_things.callback(measured.save)
        ledger = open_things.enter_context(Ledger())
        plan = plan_masks(opened, measured, ledger, which, only)
        if only and not (plan.jobs or plan.ours or plan.yours or plan.left):
            raise UsageError(f"--files {' '.join(only)} matches no picture of {opened.display}.")
        report = MaskReport(opened.display, opened, plan, dry, shaping=shaping)
        report.notes += _notes(opened, settings)
        if resume and not plan.jobs:
            raise _nothing_to_resume(opened, "no picture waits for a mask")
        if plan.jobs:
            masker = open_masker()
            report.model = masker.name
            report.notes += masker.notes
            _ask(report, masker, progress, resume and not plan.ours)
        judge(report, settings, cache)
        if report.good and not dry:
            note = {"model": report.model, "shaping": shaping.words}
            report.record = write_masks(path, report.good, ledger, note)
    return report


def _opened(path: Path) -> OpenAlbum:
    found = expand([path])
    if len(found) != 1:
        raise UsageError(f"{path.as_posix()} holds {len(found)} albums; mask takes one at a time.")
    check_writable(found[0], "mask")
    return open_album(found[0])


def _settings(opened: OpenAlbum) -> Settings:
    """Settings that the masks are judged for: the album's, or the own engine's where its trainer takes none.

    Raises:
        AlbumkitError: it is a style.
    """
    settings = resolve(opened.config, guessed_kind=opened.guessed_kind)
    if settings.kind == "style":
        raise AlbumkitError(
            f"{opened.display} teaches a style, and a style is in the whole picture: with masks nothing of "
            "it would be learned from the backgrounds.",
            f'kind = "subject" in [album] of {opened.display}/album.toml, if it is about a thing or a person',
        )
    if settings.trainer.archive.masks is None:
        return resolve(opened.config, guessed_kind=opened.guessed_kind, trainer=LOCAL)
    return settings


def _notes(opened: OpenAlbum, settings: Settings) -> list[str]:
    own = resolve(opened.config, guessed_kind=opened.guessed_kind).trainer
    if own.id == settings.trainer.id:
        return []
    return [f"{own.id} takes no masks: pack leaves them out. albumkit train --trainer {LOCAL} uses them."]


def _nothing_to_resume(opened: OpenAlbum, why: str) -> UsageError:
    return UsageError(
        f"--resume: there is no call to go on with in {opened.display}: {why}.",
        f"albumkit mask {quoted(opened.display)}   begins, and goes on by itself with what was found",
    )


def _ask(report: MaskReport, masker: Masker, progress: Progress | None, resume: bool) -> None:
    """``resume``: only where the masker was asked about some of the pictures by an earlier call."""
    kept = Kept(cache_dir() / "masks.sqlite")
    one_mask = _Maker(report.opened, masker, report.shaping, kept)
    jobs = report.plan.jobs
    if resume and not any(one_mask.knows(job) for job in jobs):
        kept.close()
        raise _nothing_to_resume(report.opened, f"nothing that {masker.name} found in its pictures was kept")
    # One picture is with the network, which has all cores; the others are decoded, scaled and encoded.
    results = in_order(jobs, one_mask, 1 + (os.cpu_count() or 1))
    try:
        for done, (_, result) in enumerate(results, 1):
            if isinstance(result, Made):
                report.made.append(result)
            else:
                report.failed.append(result)
            if progress:
                progress("masks", done, len(jobs))
    except KeyboardInterrupt:
        report.stopped = True
    finally:
        results.close()
        if kept.problem:
            report.notes.append(kept.problem)
        kept.close()


class _Maker:
    """From a picture's file to its mask's bytes; called in several threads."""

    def __init__(self, opened: OpenAlbum, masker: Masker, shaping: Shaping, kept: Kept) -> None:
        self._source, self._masker, self._shaping, self._kept = opened.album.source, masker, shaping, kept
        self._budget = Budget(MOST_PIXELS)

    def __call__(self, job: Job) -> Made | Failed:
        try:
            with self._source.open(job.media.entry) as stream:
                data = stream.read()
            header = read_header(io.BytesIO(data))
            if header.error or not header.width:
                return Failed(job, header.error or "more pixels than are opened")
            picture = hashlib.sha256(data).hexdigest()
            with self._budget.take(header.pixels):
                found = self._found(data, picture)
                mask = encode_mask(shape_mask(found, header.upright_size, self._shaping))
        except AlbumkitError as error:
            return Failed(job, error.message, error.remedy)
        except MemoryError:
            return Failed(job, "there was not enough memory for it")
        except Exception as error:  # plugins raise nearly anything for a broken file
            return Failed(job, reason_of(error))
        return Made(job, picture, mask)

    def knows(self, job: Job) -> bool:
        """Whether the masker was asked about this picture by an earlier command."""
        try:
            with self._source.open(job.media.entry) as stream:
                picture = hashlib.file_digest(cast(Any, stream), "sha256").hexdigest()
        except OSError:  # told when its turn comes
            return False
        return self._kept.find(self._key(picture)) is not None

    def _key(self, picture: str) -> str:
        return hashlib.sha256(f"{picture}\n{self._masker.identity}\n{_VERSION}".encode()).hexdigest()

    def _found(self, data: bytes, picture: str) -> Image.Image:
        """What the masker finds in it, now or earlier."""
        key = self._key(picture)
        if (known := self._kept.find(key)) is not None:
            with Image.open(io.BytesIO(known), formats=("PNG",)) as image:
                image.load()
                return image
        found = self._masker.find(load_picture(io.BytesIO(data), _SPARE * self._masker.side**2))
        self._kept.keep([(key, encode_mask(found))])
        return found


def proposed_files(made: Sequence[Made]) -> dict[str, bytes | None]:
    """What these masks would change in the album's folder; None: taken away."""
    files: dict[str, bytes | None] = {one.job.target: one.data for one in made}
    for one in made:
        if one.job.old is not None and one.job.old.path != one.job.target:
            files[one.job.old.path] = None
    return files


def judge(report: MaskReport, settings: Settings, cache: FactCache) -> None:
    """Hold the mask rules against the album as it would be; each new mask gets its findings."""
    opened = open_album(report.opened.path, proposed=proposed_files(report.made))
    measured = Measured(opened.album, cache)
    chosen = EVERYTHING.choose(rules_for(opened.config), opened)
    rules = [rule for rule in chosen if rule.scope == "mask"]
    try:
        report.judged = lint(opened, settings, measured, rules=rules)
    finally:
        measured.save()
    by_path: dict[str, list[Finding]] = {}
    for finding in report.judged.findings:
        by_path.setdefault(finding.path, []).append(finding)
    report.made = [replace(one, findings=tuple(by_path.get(one.job.target, ()))) for one in report.made]
