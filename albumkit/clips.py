"""Header facts and reduced frames of clips, by PyAV (extra ``video``)."""

from __future__ import annotations

import contextlib
import itertools
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO

from PIL import Image

from albumkit.errors import MissingExtra

#: Packets read for their time stamps where the container keeps no table of them: half a minute at 60.
_MOST_PACKETS = 1800
#: Containers whose table names every frame; Matroska's names some of them.
_TABLES = ("mov", "avi")
#: Containers that can ask players to turn the frames.
_TURNING = ("mov", "matroska")
#: What counts as another interval than the usual one: a fifth of it, and more than a rounding to milliseconds
#: makes (33 and 34 ms at 30 frames a second, 4 and 5 at 240).
_UNEVEN_SHARE, _UNEVEN_SECONDS = 0.2, 0.00101


@dataclass(frozen=True, slots=True)
class ClipHeader:
    """What a clip's container says, without decoding it.

    Sizes are in pixels as coded, before ``rotation`` (degrees, counter-clockwise, as the container's display
    matrix asks for). ``frames`` is 0 where nobody counted them; ``seconds`` likewise. ``uneven`` is the share
    of frames, 0 to 1, that follow after another interval than the usual one; None where it cannot be told.
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
    uneven: float | None = None
    error: str = ""

    def to_json(self) -> dict[str, Any]:
        """As a dict of plain JSON values."""
        return asdict(self)


def read_clip_header(stream: BinaryIO) -> ClipHeader:
    """Read a clip's header. A bad file is a ClipHeader with ``error``.

    Raises:
        MissingExtra: PyAV is not installed.
        OSError: the drive or network failed, which says nothing about the file.
    """
    av = _av()
    try:
        with av.open(stream, mode="r") as container:
            if not container.streams.video:
                return ClipHeader(error="holds no video")
            video = container.streams.video[0]
            if video.codec_context is None:  # PyAV has no decoder for it
                return ClipHeader(error="its video codec is not known here")
            names = container.format.name.split(",")
            # Before anything is read: the frame that tells the rotation moves on.
            times, whole = _times(container, video, whole_table=not {*_TABLES}.isdisjoint(names))
            seconds = [time * float(video.time_base or 0) for time in times]
            return ClipHeader(
                codec=video.codec_context.name,
                width=video.codec_context.width,
                height=video.codec_context.height,
                frame_rate=_rate(float(video.average_rate or 0), seconds if whole else ()),
                frames=len(times) if whole else video.frames,
                seconds=round(float(container.duration or 0) / av.time_base, 3),
                rotation=_rotation(container, video) if not {*_TURNING}.isdisjoint(names) else 0,
                has_audio=bool(container.streams.audio),
                uneven=_uneven(seconds),
            )
    except (av.FFmpegError, ValueError) as error:  # what else is an OSError comes from the stream
        return ClipHeader(error=_reason(error))


def small_frames(stream: BinaryIO, size: tuple[int, int], most: int) -> Iterator[tuple[float, bytes]]:
    """Decode a clip: (seconds since its beginning, width x height bytes of luma) for at most ``most`` frames.

    What is broken ends the clip: its beginning counts.

    Raises:
        MissingExtra: PyAV is not installed.
        OSError: the drive or network failed.
    """
    av = _av()
    width, height = size
    try:
        with av.open(stream, mode="r") as container:
            if not container.streams.video or container.streams.video[0].codec_context is None:
                return
            video = container.streams.video[0]
            video.codec_context.thread_count = 1  # clips are decoded side by side
            for number, frame in enumerate(itertools.islice(container.decode(video), most)):
                grey = frame.reformat(width=width, height=height, format="gray", interpolation="AREA")
                plane = grey.planes[0]
                rows = memoryview(plane)
                stride = plane.line_size
                data = b"".join(rows[y * stride : y * stride + width] for y in range(height))
                seconds = frame.time if frame.time is not None else number / float(video.average_rate or 25)
                yield float(seconds), data
    except (av.FFmpegError, ValueError):
        return


def frames_of(stream: BinaryIO, count: int) -> list[Image.Image]:
    """``count`` frames of a clip, evenly over its length, upright, RGB; fewer where it has fewer.

    Raises:
        MissingExtra: PyAV is not installed.
        ValueError: no frame of it can be decoded.
        OSError: the drive or network failed.
    """
    av = _av()
    found: list[Image.Image] = []
    try:
        with av.open(stream, mode="r") as container:
            if not container.streams.video or container.streams.video[0].codec_context is None:
                raise ValueError("holds no video that is known here")
            video = container.streams.video[0]
            video.codec_context.thread_count = 1  # clips are decoded side by side
            seconds = float(container.duration or 0) / av.time_base
            times = [(number + 0.5) * seconds / count for number in range(count if seconds else 1)]
            for frame in container.decode(video):
                at = frame.time if frame.time is not None else 0.0
                if at + 1e-3 < times[len(found)]:
                    continue
                found.append(rgb_of(frame))
                if len(found) == len(times):
                    break
    except av.FFmpegError as error:
        if not found:
            raise ValueError(_reason(error)) from error
    if not found:
        raise ValueError("no frame of it can be shown")
    return found


def rgb_of(frame: Any) -> Image.Image:
    """A decoded frame as it is seen."""
    # By its array: to_image() has no types, and goes through the same RGB.
    return Image.fromarray(frame.to_ndarray(format="rgb24")).rotate(frame.rotation, expand=True)


def _av() -> Any:
    try:
        import av
    except ImportError as error:
        raise MissingExtra("av", "video", "Reading clips") from error
    return av


def _times(container: Any, video: Any, *, whole_table: bool) -> tuple[list[int], bool]:
    """Time stamps of the frames in rising order, and whether these are all.

    From the container's table, which costs nothing; else from the packets, which are read but not decoded.
    """
    table = getattr(video, "index_entries", None)  # PyAV 14 to 16 do not show it
    if whole_table and table is not None and len(table) > 1:
        return sorted(entry.timestamp for entry in table), True
    packets = itertools.islice(container.demux(video), _MOST_PACKETS + 1)
    times = sorted(p.pts for p in packets if p.pts is not None and p.size)
    with contextlib.suppress(_av().FFmpegError):
        container.seek(0)
    return times, 1 < len(times) <= _MOST_PACKETS


def _rate(stated: float, seconds: Sequence[float]) -> float:
    """Frames a second: the container's word, unless its frames tell another (an AVI may state the grid that
    frames lie on, of which most places are empty).
    """
    span = seconds[-1] - seconds[0] if len(seconds) > 1 else 0.0
    seen = (len(seconds) - 1) / span if span > 0 else stated
    return round(stated if abs(seen - stated) <= 0.05 * stated else seen, 3)


def _uneven(seconds: Sequence[float]) -> float | None:
    steps = [later - earlier for earlier, later in itertools.pairwise(seconds)]
    if len(steps) < 2:
        return None
    usual = statistics.median(steps)
    odd = sum(abs(step - usual) > _UNEVEN_SHARE * usual + _UNEVEN_SECONDS for step in steps)
    return round(odd / len(steps), 4)


def _rotation(container: Any, video: Any) -> int:
    """Degrees of the display matrix. PyAV gives them with a frame only; the first one is decoded for it."""
    video.codec_context.thread_count = 1  # starting threads would cost more than the frame
    for frame in container.decode(video):
        return int(frame.rotation)
    return 0


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", "") or str(error)
    return {"Invalid data found when processing input": "not a clip that can be read"}.get(text, text)
