"""``caption --review``: one caption after the other before a person's eyes; what she says is done at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from albumkit.caption.pictures import pictures_of
from albumkit.captioning.check import check_only, concerns
from albumkit.captioning.job import Job, open_job
from albumkit.captioning.judging import Reason
from albumkit.captioning.standing import Standing, media_of, standings
from albumkit.captioning.writing import Wrote, accept, write_captions
from albumkit.facts.caption_length import qwen3_tokens
from albumkit.ledger import Ledger
from albumkit.words import words_of


@dataclass
class Item:
    """One example to be looked at."""

    standing: Standing
    reasons: list[Reason] = field(default_factory=list)

    @property
    def path(self) -> str:
        return self.standing.example.path

    @property
    def text(self) -> str:
        return self.standing.text

    @property
    def can_be_accepted(self) -> bool:
        """A person's own caption needs nobody's yes."""
        return self.standing.owner == "machine"


class Review:
    """The captions of one album that are worth a look, and what can be done with each."""

    def __init__(self, job: Job, files: Sequence[str], only: Sequence[str], everything: bool) -> None:
        self._job = job
        self._judge = job.judge()
        self.display = job.opened.display
        found = job.standings(files)
        #: Captions in all, before the filter.
        self.captions = sum(one.owner != "nobody" for one in found)
        texts = {one.example.path: one.text for one in found if one.owner != "nobody"}
        reasons = self._judge.judge(texts)
        self.items: list[Item] = []
        for one in found:
            why = [r for r in reasons.get(one.example.path, []) if concerns(r, only)]
            unseen = one.owner in ("machine", "nobody") and not only
            if why or unseen or (everything and not only):
                self.items.append(Item(one, why))

    def pictures(self, item: Item) -> tuple[Image.Image, ...]:
        """What a captioner is shown of it; of a clip one frame.

        Raises:
            CaptionerError: it cannot be shown; says why.
        """
        return pictures_of(self._job.opened.album, item.standing.example, 1)

    def length(self, item: Item) -> str:
        """``18 words, 24 of 468 tokens``: as far as it can be told."""
        words = f"{len(words_of(item.text))} words"
        count, limit = qwen3_tokens(), self._job.settings.trainer.text_limit
        if count is None:
            return words
        of = f" of {limit.tokens - limit.before}" if limit is not None else ""
        return f"{words}, {count(item.text)}{of} tokens"

    def accept(self, item: Item) -> None:
        """It is the person's from now on: ``--redo`` leaves it.

        Raises:
            AlbumkitError: the ledger cannot be written.
        """
        media = media_of(item.standing.example, self._job.measured)
        accept(media, item.standing.digest, {"what": "review"})

    def write(self, item: Item, text: str) -> Wrote:
        """Put a person's text where the caption stands, or beside the picture; the item is then as it is now.

        Raises:
            AlbumkitError: the album cannot be written; nothing was.
        """
        job, path = self._job, item.path
        note = {"what": "review"}
        wrote = write_captions(
            job.path, job.settings, job.cache, [item.standing], {path: text}, note, ours=False
        )
        if wrote.record:
            item.standing = self._again(path)
            item.reasons = self._judge.judge({path: item.text}).get(path, [])
        return wrote

    def _again(self, path: str) -> Standing:
        """How a caption stands now."""
        opened = self._judge.opened({})
        with Ledger() as ledger:
            found = standings(opened.album, self._job.measured, ledger)
        return next(one for one in found if one.example.path == path)


@contextmanager
def open_review(
    path: Path,
    *,
    files: Sequence[str] = (),
    only: Sequence[str] = (),
    everything: bool = False,
    trainer: str | None = None,
) -> Iterator[Review]:
    """What there is to look at.

    By default: the machine's captions that nobody accepted yet, pictures without one, and captions with
    findings.

    Args:
        files: Globs of pictures.
        only: Only captions with findings of these rules.
        everything: All captions.

    Raises:
        UsageError: album.toml cannot be used, or there is no such rule.
        AlbumkitError: the album cannot be read.
    """
    check_only(only)
    with open_job(path, trainer=trainer) as job:
        yield Review(job, files, only, everything)
