"""Tiny clips for tests, made with PyAV: length, rate, uneven intervals, rotation, sound, scenes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import pytest
from albums import scene
from PIL import Image

av = pytest.importorskip("av", reason="the extra [video] is not installed")
SIZE = (96, 72)


def still(seed: int, frames: int) -> list[Image.Image]:
    """Frames of one made scene, in which nothing moves."""
    return [scene(seed, SIZE)] * frames


def make_clip(
    path: Path,
    frames: int | Iterable[Image.Image] = 90,
    rate: int = 25,
    *,
    steps: Sequence[int] = (1,),
    rotation: int = 0,
    audio: bool = False,
) -> Path:
    """Write an MPEG-4 clip.

    Args:
        path: Its ending chooses the container.
        frames: Pictures of ``SIZE``, or how many plain frames.
        steps: For how many frames' time the frames stand, in turn: (1,) is even.
        rotation: Degrees that the container asks players to turn by.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = still(len(path.stem), frames) if isinstance(frames, int) else frames
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=rate)
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        if rotation:
            video.set_display_rotation(rotation)
        sound = container.add_stream("aac", rate=44100) if audio else None
        at = 0
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_image(picture)
            frame.pts, frame.time_base = at, Fraction(1, rate)
            at += steps[number % len(steps)]
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if sound is not None:
            silence = av.AudioFrame("fltp", "stereo", 1024)
            for plane in silence.planes:
                plane.update(bytes(plane.buffer_size))
            silence.sample_rate, silence.pts = 44100, 0
            container.mux(sound.encode(silence))
            container.mux(sound.encode(None))
    return path
