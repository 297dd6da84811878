"""Pack: from an album to the archive that a trainer receives.

``write_pack`` decides everything first (names, formats, what has to change), then writes the archive under
a hidden name, reads it back, and only then lets it and its two documents appear.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from albumkit.album import Album
from albumkit.errors import PackRefused
from albumkit.pack.archive import ArchiveWriter, verify
from albumkit.pack.checks import check_album, check_output, parse_background
from albumkit.pack.model import Change, Pack, PackedFile, Progress, Unpackable, count_changes, refuse_files
from albumkit.pack.papers import Bill, bill_of, hash_album, manifest, request, to_bytes
from albumkit.pack.pixels import make_mask, make_picture
from albumkit.pack.plan import Item, Plan, make_plan
from albumkit.pack.publish import Publication, beside
from albumkit.pack.sources import check_unchanged, read_chunks, read_entry, sha256
from albumkit.parallel import MOST_PIXELS, Budget, in_order
from albumkit.settings import Settings

__all__ = ["Change", "Pack", "PackedFile", "Progress", "write_pack"]

Colour = tuple[int, int, int]


def write_pack(
    album: Album,
    settings: Settings,
    out: Path,
    *,
    background: str = "#ffffff",
    forced: Sequence[Mapping[str, Any]] = (),
    progress: Progress | None = None,
    jobs: int | None = None,
) -> Pack:
    """Write ``NAME.zip`` with ``NAME.manifest.json`` and ``NAME.request.json`` beside it.

    The same album, settings and Pillow build give the same bytes, whatever the number of jobs. Whatever
    happens, the old files stay or the new ones are there in full.

    Args:
        album: As ``read_album`` returned it; its files are compared with that moment.
        out: The archive, ending in ``.zip``, outside of the album.
        background: Any CSS colour; shines through transparent pixels.
        forced: Findings that were overridden, for the manifest.
        progress: Called with (written, of how many) after each picture or clip.
        jobs: Threads that decode and encode; one for each core by default.

    Raises:
        PackRefused: the album, the trainer or the place does not allow it; the message names the files.
        UsageError: ``background`` is no colour.
    """
    colour_name, colour = parse_background(background)
    check_output(album, out)
    check_album(album, settings)
    plan = make_plan(album, settings, colour_name)
    bill = bill_of(album, settings)
    try:
        with Publication(out) as publication:
            with ArchiveWriter(publication.archive.stream) as writer:
                files = tuple(_write(album, plan, writer, colour, progress, jobs or os.cpu_count() or 1))
            publication.archive.sync()
            texts = {item.name: plan.captions[item.root] for item in plan.items if item.role == "caption"}
            size, digest = verify(publication.archive.path, files, texts)
            check_unchanged(album, {i.source.path: i.source for i in plan.items if i.source}.values())
            name = {"name": out.name, "size": size, "sha256": digest}
            documents = (
                manifest(album, settings, plan, files, name, colour_name, forced),
                request(album, settings, files, name, bill),
            )
            publication.publish([to_bytes(document, settings) for document in documents])
    except OSError as error:
        raise PackRefused(
            f"{out.as_posix()} could not be written: {error.strerror or error}.",
            "Make room or choose another place with --out.",
        ) from error
    return _result(album, settings, out, plan, files, (size, digest), bill)


def _write(
    album: Album, plan: Plan, writer: ArchiveWriter, colour: Colour, progress: Progress | None, jobs: int
) -> Iterator[PackedFile]:
    """Members in order of their names; pictures are made ahead of their turn in several threads."""
    budget = Budget(MOST_PIXELS)
    of_media = sum(item.role != "caption" for item in plan.items)
    done = 0

    def make(item: Item) -> tuple[PackedFile, bytes] | None:
        with budget.take(item.pixels):
            return _make(album, item, colour)

    with contextlib.closing(in_order(plan.items, make, jobs)) as results:
        for item, made in results:
            if made is None:
                yield _copy_clip(album, item, writer)
            else:
                file, data = made
                writer.add(item.name, [data], len(data))
                yield file
            if item.role != "caption":
                done += 1
                if progress:
                    progress(done, of_media)


def _make(album: Album, item: Item, colour: Colour) -> tuple[PackedFile, bytes] | None:
    """A member's bytes and its entry in the manifest; None for a clip, which is copied in pieces."""
    changes = item.changes
    width = height = None
    try:
        source = read_entry(album, item.source) if item.source and not _is_clip(item) else b""
        if item.text is not None:
            data, how = item.text, "written"
        elif item.mask_size is not None:
            data, how, more = make_mask(source, item.mask_size, item.name.rpartition(".")[2])
            changes = (*changes, *more)
            width, height = item.mask_size
        elif item.recipe is not None:
            data, how = make_picture(source, item.recipe, colour), item.recipe.how
            width, height = item.recipe.width, item.recipe.height
        else:
            return None
    except Unpackable as error:
        path = item.source.path if item.source else item.name
        kind = "A mask" if item.mask_size else "A picture"
        raise refuse_files(f"{kind} cannot be packed", [(path, str(error))]) from error
    return _packed(
        album, item, how, (len(data), sha256(data)), sha256(source), (width, height), changes
    ), data


def _is_clip(item: Item) -> bool:
    return item.text is None and item.mask_size is None and item.recipe is None


def _copy_clip(album: Album, item: Item, writer: ArchiveWriter) -> PackedFile:
    assert item.source is not None  # every clip is a file
    try:
        digest = writer.add(item.name, read_chunks(album, item.source), item.source.size)
    except Unpackable as error:
        raise refuse_files("A clip cannot be packed", [(item.source.path, str(error))]) from error
    sizes = (item.source.size, digest)
    return _packed(album, item, "copied", sizes, digest, (None, None), item.changes)


def _packed(
    album: Album,
    item: Item,
    how: str,
    written: tuple[int, str],
    source_sha256: str,
    pixels: tuple[int | None, int | None],
    changes: tuple[Change, ...],
) -> PackedFile:
    return PackedFile(
        name=item.name,
        root=item.root,
        role=item.role,
        how=how,
        size=written[0],
        sha256=written[1],
        source=album.source.display(item.source.path) if item.source else None,
        source_sha256=source_sha256 if item.source else None,
        width=pixels[0],
        height=pixels[1],
        line=item.line,
        changes=changes,
    )


def _result(
    album: Album,
    settings: Settings,
    out: Path,
    plan: Plan,
    files: tuple[PackedFile, ...],
    archive: tuple[int, str],
    bill: Bill,
) -> Pack:
    media = [f for f in files if f.role not in ("caption", "mask")]
    masks = sum(f.role == "mask" for f in files)
    pictures = sum(f.width is not None for f in media)
    manifest_path, request_path = beside(out)
    return Pack(
        archive=out,
        manifest_path=manifest_path,
        request_path=request_path,
        trainer=settings.trainer.id,
        files=files,
        size=archive[0],
        sha256=archive[1],
        album_hash=hash_album(files)[0],
        examples=len(album.examples),
        pictures=pictures,
        clips=len(media) - pictures,
        captions=len(plan.captions),
        masks=masks,
        changes=count_changes(files),
        steps=bill.steps,
        passes_per_image=bill.passes,
        price=bill.price,
        price_note=bill.price_note,
        notes=tuple(_notes(album, settings, masks)),
    )


def _notes(album: Album, settings: Settings, masks: int) -> Iterator[str]:
    """What a person may not expect."""
    own = sum(example.mask is not None for example in album.examples)
    if own and not settings.trainer.archive.masks:
        yield f"{'1 mask was' if own == 1 else f'{own} masks were'} left out: this trainer takes none."
    elif 0 < masks < len(album.examples):
        yield f"{masks} of {len(album.examples)} examples have a mask; the others are learned whole."
    if len({example.repeats for example in album.examples}) > 1:
        yield "The repeats in the folder names were left out: the trainer sees every picture equally often."
