"""Facts of clips: what their containers say. They are not cached: a clip's header takes milliseconds."""

from __future__ import annotations

from albumkit.album import MediaFile
from albumkit.clips import ClipHeader
from albumkit.facts import album as _album  # noqa: F401 - registered first
from albumkit.facts.measure import Measured
from albumkit.facts.registry import NotApplicable, fact


@fact("clip", cost="header", extra="video")
def clip(media: MediaFile, measured: Measured) -> ClipHeader:
    """Everything that the container says; the other clip facts are parts of it."""
    return measured.clip(media)


@fact("clip", cost="header")
def clip_error(clip: ClipHeader) -> str:
    """Why the file is no clip; empty when it is one."""
    return clip.error


@fact("clip", cost="header")
def good_clip(clip: ClipHeader) -> ClipHeader:
    """A clip that can be read; everything else is another fault."""
    if clip.error:
        raise NotApplicable("unreadable")
    return clip


@fact("clip", cost="header")
def clip_size(good_clip: ClipHeader) -> tuple[int, int]:
    """Width and height in pixels as coded, before rotation."""
    return good_clip.width, good_clip.height


@fact("clip", cost="header")
def frame_rate(good_clip: ClipHeader) -> float:
    """Average frames per second."""
    return good_clip.frame_rate


@fact("clip", cost="header")
def frame_count(good_clip: ClipHeader) -> int:
    """Frames as the container counts them, else duration times rate."""
    return good_clip.frames or round(good_clip.seconds * good_clip.frame_rate)


@fact("clip", cost="header")
def clip_seconds(good_clip: ClipHeader) -> float:
    """Duration in seconds."""
    return good_clip.seconds


@fact("clip", cost="header")
def has_audio(good_clip: ClipHeader) -> bool:
    """Whether there is a sound track."""
    return good_clip.has_audio


@fact("clip", cost="header")
def clip_rotation(good_clip: ClipHeader) -> int:
    """Degrees by which players turn the frames, counter-clockwise."""
    return good_clip.rotation
