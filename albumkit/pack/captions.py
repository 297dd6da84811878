"""Captions as the trainer shall read them: UTF-8, LF, one line end at the end, the trigger filled in."""

from __future__ import annotations

import re
from dataclasses import dataclass

from albumkit.album import Album, Caption
from albumkit.errors import PackRefused
from albumkit.pack.model import Change, Unpackable, refuse_files
from albumkit.pack.sources import lfs_refusal, read_entry
from albumkit.settings import Settings

#: What a caption may say instead of the trigger phrase.
PLACEHOLDER = re.compile(r"\[trigger\]", re.IGNORECASE)
_SIDECARS = ("txt", "caption")


@dataclass(frozen=True, slots=True)
class CaptionText:
    """``text`` as it is trained on, without a line end; ``path`` is its file, None for a default."""

    text: str
    path: str | None
    line: int | None
    changes: tuple[Change, ...]

    @property
    def data(self) -> bytes:
        """The caption file's bytes."""
        return f"{self.text}\n".encode()


def caption_texts(album: Album, settings: Settings) -> dict[str, CaptionText]:
    """The captions to write, by the path of their example.

    An example without caption gets none, because trainers have their own rule for it (a default caption, the
    trigger, one written by a model). Our own engine reads nothing but the archive: there the default caption
    is written out. A blank caption stays blank: someone wrote it.

    Raises:
        PackRefused: a caption that is no text, or ``[trigger]`` where no trigger phrase is known.
    """
    texts: dict[str, CaptionText] = {}
    broken, pointers, unfilled = [], [], []
    default = _default_caption(settings)
    for example in album.examples:
        caption = album.caption(example)
        if caption is None:
            if default is not None:
                why = "it has no caption of its own, and this engine reads only the archive"
                texts[example.path] = CaptionText(default, None, None, (Change("default caption", why),))
        elif caption.problem.startswith("a Git LFS pointer"):
            pointers.append(caption.source.path)
        elif caption.problem:
            broken.append((caption.source.path, caption.problem))
        else:
            filled = fill_trigger(caption.text, settings)
            if filled is None:
                unfilled.append(caption.source.path)
            else:
                texts[example.path] = _of_file(album, caption, filled)
    if pointers:
        raise lfs_refusal(album, pointers)
    if broken:
        raise refuse_files("Some captions cannot be read", broken, "Save them as UTF-8 text.")
    if unfilled:
        raise _no_trigger(unfilled)
    return texts


def fill_trigger(text: str, settings: Settings) -> str | None:
    """``[trigger]`` replaced by the trigger phrase, unless the trainer does that itself; None without one."""
    if settings.trainer.trigger.policy == "placeholder" or not PLACEHOLDER.search(text):
        return text
    if not settings.trigger_phrase:
        return None
    return PLACEHOLDER.sub(lambda _: settings.trigger_phrase or "", text)


def _default_caption(settings: Settings) -> str | None:
    text = settings.value("default_caption") if settings.trainer.service == "local" else None
    if not isinstance(text, str) or not text.strip():
        return None
    filled = fill_trigger(text.strip(), settings)
    if filled is None:
        raise _no_trigger(["default_caption"])
    return filled


def _no_trigger(places: list[str]) -> PackRefused:
    return refuse_files(
        "[trigger] cannot be filled in: no trigger phrase is set",
        [(place, "") for place in places],
        'Set trigger_phrase = "..." under [album] in album.toml, or take [trigger] out.',
    )


def _of_file(album: Album, caption: Caption, text: str) -> CaptionText:
    source = caption.source
    changes = []
    if source.kind not in _SIDECARS:
        changes.append(Change("caption from metadata", f"trainers read ROOT.txt, not {source.path}"))
    elif source.kind != "txt":
        changes.append(Change("caption renamed", f"trainers read ROOT.txt, not .{source.kind}"))
    if caption.encoding != "utf-8":
        changes.append(Change("caption to UTF-8", f"it is {caption.encoding}"))
    elif source.kind in _SIDECARS and not _is_plain(album, source.path, caption.text):
        changes.append(Change("caption tidied", "line ends, blanks around it or a byte order mark"))
    if text != caption.text:
        changes.append(Change("[trigger] filled in", "this trainer does not do it"))
    return CaptionText(text, source.path, source.line, tuple(changes))


def _is_plain(album: Album, path: str, text: str) -> bool:
    """Whether the file holds these bytes already, with or without one line end."""
    plain = text.encode()
    try:
        return read_entry(album, album.entries[path]) in (plain, plain + b"\n")
    except Unpackable as error:  # it was read a moment ago
        raise refuse_files("Some captions cannot be read", [(path, str(error))]) from error
