"""Captions into an album, all or none: through the journal, with the ledger told first."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from albumkit.album import Album
from albumkit.captioning.judging import file_bytes
from albumkit.captioning.standing import Sidecars, Standing, media_of, standings
from albumkit.errors import AlbumkitError, UsageError
from albumkit.facts import FactCache, Measured
from albumkit.fix import Edit, Refusal, undo
from albumkit.fix.captions import edit_captions, set_captions
from albumkit.fix.draft import Draft
from albumkit.journal import locked, perform
from albumkit.ledger import Ledger, Written
from albumkit.opening import OpenAlbum, open_album, recover_album
from albumkit.phrases import replace_phrase
from albumkit.settings import Settings, resolve

KIND = "caption"


@dataclass(frozen=True, slots=True)
class Wrote:
    """What was, or would be, written. ``record``: its name in the journal, "" where nothing was."""

    record: str = ""
    edits: tuple[Edit, ...] = ()
    refusals: tuple[Refusal, ...] = ()


def write_captions(
    path: Path,
    settings: Settings,
    cache: FactCache,
    was: Sequence[Standing],
    texts: Mapping[str, str],
    note: Mapping[str, Any],
    *,
    ours: bool = True,
    dry: bool = False,
) -> Wrote:
    """Write captions of some examples.

    An example whose caption or picture is no longer as it was is left alone, and told.

    Args:
        was: The captions as they were when it was decided that these may be written over.
        texts: Example path -> its new caption.
        note: What made them, for journal and ledger; plain JSON.
        ours: Whether the machine made them; what a person edited is hers.
        dry: Find out what would be written.

    Raises:
        AlbumkitError: the ledger or the album cannot be written; nothing was.
    """
    opened = open_album(path)
    draft = Draft(opened, settings)
    measured = Measured(opened.album, cache, decode=False)
    now = {one.example.path: one for one in standings(opened.album, measured)}
    for one in was:
        if one.example.path in texts and (changed := _changed(one, now.get(one.example.path))):
            draft.refusals.append(Refusal(KIND, one.example.path, changed))
    gone = {refusal.path for refusal in draft.refusals}
    wanted = {p: text for p, text in texts.items() if p not in gone and now[p].text != text}
    there = {p: text for p, text in wanted.items() if now[p].owner != "nobody"}
    set_captions(draft, KIND, "another caption", there)
    sidecars = Sidecars(opened.album)
    for one in now.values():
        if one.example.path in wanted and one.owner == "nobody":
            _create(draft, sidecars.of(one.example), wanted[one.example.path])
    changes = draft.changes()
    if dry or not changes:
        return Wrote("", tuple(draft.edits), tuple(draft.refusals))
    if ours:
        with Ledger() as ledger:
            ledger.record(_entries(opened, measured, now, wanted, note))
    with locked(path) as workplace:
        record = perform(Path(os.path.realpath(path)), workplace, KIND, note, changes)
    return Wrote(record.name, tuple(draft.edits), tuple(draft.refusals))


def caption_files(album: Album, texts: Mapping[str, str]) -> dict[str, bytes]:
    """New captions as the files that they would be; ``texts`` by example path."""
    sidecars = Sidecars(album)
    return {sidecars.of(e): file_bytes(texts[e.path]) for e in album.examples if e.path in texts}


def _changed(was: Standing, now: Standing | None) -> str:
    """Why a caption that was decided on may not be written any more, or ""."""
    if now is None:
        return "it is no longer in the album"
    if [m.entry for m in was.example.media] != [m.entry for m in now.example.media]:
        return "its picture was changed meanwhile"
    if was.digest != now.digest:
        return "its caption was written meanwhile, by somebody else"
    return ""


def _create(draft: Draft, path: str, text: str) -> None:
    with draft.refusing(KIND, path):
        if not draft.is_free(path):
            draft.refusals.append(Refusal(KIND, path, "a file of this name is there, or exclude matches it"))
            return
        draft.create(path, file_bytes(text))
        draft.note(KIND, path, "a new caption", (), (text,))


def _entries(
    opened: OpenAlbum,
    measured: Measured,
    now: Mapping[str, Standing],
    texts: Mapping[str, str],
    note: Mapping[str, Any],
) -> list[Written]:
    """What the ledger shall know: the bytes that will stand beside each picture."""
    entries = []
    for path, text in texts.items():
        example = now[path].example
        in_a_row = example.caption is not None and example.caption.text is not None
        data = text.encode() if in_a_row else file_bytes(text)
        digest = hashlib.sha256(data).hexdigest()
        entries.append(Written("caption", media_of(example, measured), digest, note))
    return entries


def replace_in_captions(path: Path, old: str, new: str, *, apply: bool = False) -> Wrote:
    """Another phrase wherever ``old`` stands in a caption, as whole words in any case; "" takes it out.

    What comes of it counts as the person's who asked for it.

    Raises:
        UsageError: ``old`` is blank.
        AlbumkitError: the album cannot be read or written; nothing was.
    """
    old, new = " ".join(old.split()), " ".join(new.split())
    if not old:
        raise UsageError("There is nothing to look for: --replace OLD NEW")
    check_folder(path)
    opened = open_album(path)
    draft = Draft(opened, resolve(opened.config, guessed_kind=opened.guessed_kind))

    def edit(text: str) -> str:
        changed = replace_phrase(old, text, new)
        return changed if new or changed == text else _closed_up(changed)

    words = f'"{old}" to "{new}"' if new else f'"{old}" taken out'
    edit_captions(draft, KIND, words, opened.album.examples, edit)
    changes = draft.changes()
    record = ""
    if apply and changes:
        with locked(path) as workplace:
            note = {"what": "replace", "old": old, "new": new}
            record = perform(Path(os.path.realpath(path)), workplace, KIND, note, changes).name
    return Wrote(record, tuple(draft.edits), tuple(draft.refusals))


def _closed_up(text: str) -> str:
    """Without the blanks and commas that a phrase leaves behind when it is taken out."""
    lines = []
    for line in text.split("\n"):
        parts = [" ".join(part.split()) for part in line.split(",")]
        lines.append(", ".join(part for part in parts if part))
    return "\n".join(lines)


def accept(example_hash: str, digest: str, note: Mapping[str, Any]) -> None:
    """Note that a person said yes to a caption of the machine: it is hers from now on."""
    with Ledger() as ledger:
        ledger.record([Written("caption", example_hash, digest, {**note, "accepted": True})])


def undo_captions(path: Path) -> Wrote:
    """Take back what the last call wrote.

    Raises:
        AlbumkitError: there is nothing to undo, or the disk refuses; then nothing is changed.
    """
    check_folder(path)
    recover_album(path)
    with locked(path) as workplace:
        done = undo(Path(os.path.realpath(path)), workplace, path.as_posix(), KIND)
    return Wrote(done.record.name if done.edits else "", done.edits, done.refusals)


def check_folder(path: Path) -> None:
    """Raises AlbumkitError for a zip, which is read but never written."""
    if not path.is_dir():
        what = "is a zip" if path.exists() else "is not there"
        raise AlbumkitError(
            f"{path.as_posix()} {what}: captions are written into folders only.",
            "Unpack it, caption the folder, and pack that.",
        )
