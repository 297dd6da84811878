"""Hard cuts inside a clip, found in frames of 48 x 36.

Two frames are compared block by block: each block looks for the place near its own where the other frame fits
best, brightness and contrast set aside (normalised cross-correlation). So neither motion nor a change of
exposure makes frames unlike. A cut makes them unlike at once (a whip pan does for many frames in a row) and
for good (after a flash the old scene is back).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from albumkit.clips import small_frames

Frame = NDArray[np.float32]
_WIDTH, _HEIGHT, _BLOCK = 48, 36, 12
#: Pixels that a block may have moved from one frame to the next, each way: a twelfth of the width.
_REACH = 4
#: Grey levels below which structure is noise.
_FLAT = 4.0
#: Grey levels of structure below which a frame tells less and less: an edge that enters a plain sky.
_PLAIN = 8.0
#: Frames this alike are not compared any closer.
_ALIKE = 0.1
#: Weaker changes are not kept; most clips have none.
_WEAKEST = 0.1
#: Frames before and after that tell a cut from a flash, and from fast motion.
_FLASH, _MOTION = 6, 4
#: Frames that are looked at: a minute and a half at 30 a second.
MOST_FRAMES = 2700
_MOVES = sorted(
    ((y, x) for y in range(-_REACH, _REACH + 1) for x in range(-_REACH, _REACH + 1)),
    key=lambda move: (abs(move[0]) + abs(move[1]), move),
)


def find_cuts(stream: BinaryIO) -> dict[str, Any]:
    """Look at every frame of a clip.

    Returns:
        ``frames``: how many were looked at, at most ``MOST_FRAMES``; ``cuts``: [frame, seconds, strength] of
        each sudden and lasting change, in order; strength is 0 to 1.

    Raises:
        MissingExtra: PyAV is not installed.
        OSError: the drive or network failed.
    """
    times: list[float] = []
    frames: list[Frame] = []
    for seconds, data in small_frames(stream, (_WIDTH, _HEIGHT), MOST_FRAMES):
        times.append(seconds)
        frames.append(np.frombuffer(data, dtype=np.uint8).reshape(_HEIGHT, _WIDTH).astype(np.float32))
    cuts = [[at, round(times[at] - times[0], 2), round(strength, 2)] for at, strength in changes(frames)]
    return {"frames": len(frames), "cuts": cuts}


def changes(frames: Sequence[Frame]) -> list[tuple[int, float]]:
    """(number, strength) of every frame that begins a sudden and lasting change."""
    jumps = [0.0, *(unlikeness(a, b) for a, b in itertools.pairwise(frames))]
    strengths = (_strength(frames, jumps, at) if jump > _WEAKEST else 0.0 for at, jump in enumerate(jumps))
    return [(at, strength) for at, strength in enumerate(strengths) if strength > _WEAKEST]


def _strength(frames: Sequence[Frame], jumps: list[float], at: int) -> float:
    """How much unlike the frames before and from ``at`` stay, above what changes there anyway."""
    near = sorted(jumps[max(1, at - _MOTION) : at] + jumps[at + 1 : at + _MOTION + 1])
    usual = near[-2] if len(near) > 1 else 0.0  # a single frame between two scenes has two cuts
    lasting = jumps[at]
    for later in range(at + 1, min(len(frames), at + _FLASH + 1)):
        if lasting - usual <= _WEAKEST:
            break
        lasting = min(lasting, unlikeness(frames[at - 1], frames[later]))
    for earlier in range(at - 2, max(0, at - 1 - _FLASH) - 1, -1):
        if lasting - usual <= _WEAKEST:
            break
        lasting = min(lasting, unlikeness(frames[earlier], frames[at]))
    return lasting - usual


def unlikeness(first: Frame, second: Frame) -> float:
    """0 (the same scene, moved a little) to 1 (nothing in common) for two frames, values 0 to 255."""
    blocks = _blocks(first)
    power = (blocks**2).mean(axis=1)
    padded = np.pad(second, _REACH, mode="edge")
    fits = np.zeros(len(blocks), dtype=np.float32)
    weights, telling = fits, 1.0
    for number, (y, x) in enumerate(_MOVES):
        top, left = _REACH + y, _REACH + x
        others = _blocks(padded[top : top + _HEIGHT, left : left + _WIDTH])
        other_power = (others**2).mean(axis=1)
        likeness = (blocks * others).mean(axis=1) / (np.sqrt(power * other_power) + _FLAT**2)
        fits = np.maximum(fits, likeness)
        if number == 0:  # not moved at all
            stronger = np.maximum(power, other_power)
            telling = min(1.0, float(np.sqrt(stronger.mean())) / _PLAIN)
            weights = np.sqrt(stronger)
            weights = weights * (weights > _FLAT / 2)
            if not weights.any():
                return 0.0
            unlike = 1 - float(np.average(fits, weights=weights))
            if unlike < _ALIKE:
                return unlike * telling
    return (1 - float(np.average(fits, weights=weights))) * telling


def _blocks(frame: Frame) -> Frame:
    """Shape (blocks, pixels of a block), each without its mean."""
    rows = frame.reshape(_HEIGHT // _BLOCK, _BLOCK, _WIDTH // _BLOCK, _BLOCK).swapaxes(1, 2)
    blocks = rows.reshape(-1, _BLOCK * _BLOCK)
    return np.asarray(blocks - blocks.mean(axis=1, keepdims=True), dtype=np.float32)
