"""What pack did, for a person and for other programs."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from albumkit.lint import AlbumResult
from albumkit.pack import Pack
from albumkit.report.text import counted, file_size, many, wrapped


def pack_lines(result: AlbumResult, pack: Pack, width: int = 80) -> list[Text]:
    """One screen: what is in the archive, what was changed, what it will cost, what to do next."""
    width = max(40, min(width, 100))
    lines = [
        Text.assemble((result.album, "bold"), f"   packed for {pack.trainer}"),
        Text(),
        Text.assemble("  ", (pack.archive.as_posix(), "bold cyan"), f"   {file_size(pack.size)}"),
    ]
    lines += wrapped(_inside(pack), width, "      ")
    for path, what in ((pack.manifest_path, "what is inside and why"), (pack.request_path, "what to send")):
        lines.append(Text.assemble("  ", (path.as_posix(), "cyan"), "   ", (what, "dim")))
    lines.append(Text())
    if pack.changes:
        lines.append(Text("changed on the way, your files are as they were", "bold"))
        lines += wrapped(", ".join(f"{n} {what}" for what, n in pack.changes.items()), width, "  ")
    lines += wrapped(_training(pack), width, "")
    for note in pack.notes:
        lines += wrapped(note, width, "")
    for severity in ("error", "warning"):
        if number := result.count(severity):
            words = f"of albumkit lint {result.album}" if severity == "warning" else "overridden with --force"
            lines += counted(severity if number == 1 else f"{severity}s", number, words, width)
    lines += [
        Text(),
        Text.assemble(("next", "green"), f"   upload {pack.archive.name}, then send the input of"),
    ]
    lines.append(Text(f"       {pack.request_path.name} to {pack.trainer}"))
    return lines


def pack_document(pack: Pack) -> dict[str, Any]:
    """albumkit-packed/1: where the three files are and what a program wants to know at once."""
    return {
        "schema": "albumkit-packed/1",
        "archive": pack.archive.as_posix(),
        "manifest": pack.manifest_path.as_posix(),
        "request": pack.request_path.as_posix(),
        "trainer": pack.trainer,
        "size": pack.size,
        "sha256": pack.sha256,
        "album_hash": pack.album_hash,
        "examples": pack.examples,
        "captions": pack.captions,
        "masks": pack.masks,
        "changes": dict(pack.changes),
        "untouched": pack.untouched,
        "steps": pack.steps,
        "passes_per_image": pack.passes_per_image,
        "price_usd": pack.price,
        "price_note": pack.price_note,
        "notes": list(pack.notes),
    }


def _inside(pack: Pack) -> str:
    counts = [
        (pack.pictures, "pictures"),
        (pack.clips, "clips"),
        (pack.captions, "captions"),
        (pack.masks, "masks"),
    ]
    parts = [many(count, noun) for count, noun in counts if count]
    if pack.untouched:
        media = "pictures" if pack.pictures else "clips"
        parts.append(f"{many(pack.untouched, media)} copied byte for byte")
    return ", ".join(parts)


def _training(pack: Pack) -> str:
    parts = []
    if pack.steps:
        parts.append(f"{many(pack.steps, 'steps')}: each example is seen {pack.passes_per_image:g} times")
    price = f"about USD {pack.price:.2f}" if pack.price is not None else "price not known"
    return ", ".join([*parts, price])
