"""Header facts of clips, by PyAV (extra ``video``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from albumkit.errors import MissingExtra


@dataclass(frozen=True, slots=True)
class ClipHeader:
    """What a clip's container says, without decoding a frame.

    Sizes are in pixels as coded, before ``rotation`` (degrees, counter-clockwise, as the container's display
    matrix asks for). ``frames`` is 0 where the container does not count them; ``seconds`` likewise.
    ``error`` is empty or says why the file is no clip.
    """

    codec: str = ""
    width: int = 0
    height: int = 0
    frame_rate: float = 0.0
    frames: int = 0
    seconds: float = 0.0
    rotation: int = 0
    has_audio: bool = False
    error: str = ""


def read_clip_header(stream: BinaryIO) -> ClipHeader:
    """Read a clip's header. Never raises for a bad file.

    Raises:
        MissingExtra: PyAV is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise MissingExtra("av", "video", "Reading clips") from error
    try:
        with av.open(stream, mode="r") as container:
            if not container.streams.video:
                return ClipHeader(error="holds no video")
            video = container.streams.video[0]
            if video.codec_context is None:  # PyAV has no decoder for it
                return ClipHeader(error="its video codec is not known here")
            seconds = float(container.duration or 0) / av.time_base
            return ClipHeader(
                codec=video.codec_context.name,
                width=video.codec_context.width,
                height=video.codec_context.height,
                frame_rate=round(float(video.average_rate or 0), 3),
                frames=video.frames,
                seconds=round(seconds, 3),
                rotation=_rotation(video),
                has_audio=bool(container.streams.audio),
            )
    except (av.FFmpegError, ValueError, OSError) as error:
        return ClipHeader(error=_reason(error))


def _rotation(video: object) -> int:
    """Degrees of the display matrix. PyAV gives them with a frame only; the first one is decoded for it."""
    for frame in video.container.decode(video):  # type: ignore[attr-defined]
        return int(frame.rotation)
    return 0


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", "") or str(error)
    return {"Invalid data found when processing input": "not a clip that can be read"}.get(text, text)
