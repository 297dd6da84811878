"""Facts of clips: what their containers say, what the trainer makes of that, and cuts in their frames."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import Any

from albumkit.album import Album, MediaFile
from albumkit.clips import ClipHeader
from albumkit.errors import MissingExtra
from albumkit.facts import album as _album  # noqa: F401 - registered first
from albumkit.facts.measure import Measured
from albumkit.facts.registry import NotApplicable, Unmeasured, fact
from albumkit.settings import Settings
from albumkit.trainer import Trainer


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
def clip_size_words(clip_size: tuple[int, int]) -> str:
    """Width and height in pixels as coded, in words."""
    return "{} x {}".format(*clip_size)


@fact("clip", cost="header")
def frame_rate(good_clip: ClipHeader) -> float:
    """Average frames per second."""
    if not good_clip.frame_rate:
        raise Unmeasured("its container does not say how many frames a second it has")
    return good_clip.frame_rate


@fact("clip", cost="header")
def frame_rate_words(frame_rate: float) -> str:
    """Frames per second as people write them: 25, 29.97."""
    return f"{frame_rate:.2f}".rstrip("0").rstrip(".")


@fact("clip", cost="header")
def frame_count(good_clip: ClipHeader) -> int:
    """Frames as counted, else duration times rate."""
    if count := good_clip.frames or round(good_clip.seconds * good_clip.frame_rate):
        return count
    raise Unmeasured("its container does not say how many frames it has")


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


@fact("clip", cost="header")
def uneven_percent(good_clip: ClipHeader) -> float:
    """Percent of the frames that follow after an interval a fifth longer or shorter than the usual one."""
    if good_clip.uneven is None:
        raise NotApplicable("too few frames")
    return round(good_clip.uneven * 100, 1)


@fact("clip")
def takes_clips(trainer: Trainer) -> bool:
    """Always true: not applicable to a trainer that takes no clips, which is another fault."""
    if trainer.media.clips is None:
        raise NotApplicable("this trainer takes no clips")
    return True


@fact("clip")
def taken_as_is(settings: Settings, takes_clips: bool) -> bool:
    """Always true: not applicable where the trainer fits clips to its own length and rate."""
    if settings.value("auto_scale_input") is True:
        raise NotApplicable("auto_scale_input fits every clip")
    return True


@fact("clip")
def frames_wanted(settings: Settings, trainer: Trainer, takes_clips: bool) -> int:
    """How many frames of a clip the trainer trains on."""
    value = settings.value("number_of_frames")
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    if trainer.training_clip is None:
        raise Unmeasured("how many frames of a clip this trainer takes is not known")
    return trainer.training_clip.frames


@fact("clip", cost="header")
def frames_short(frame_count: int, frames_wanted: int, taken_as_is: bool) -> int:
    """Frames missing to those that the trainer trains on. Frames are counted as they are, whatever their
    rate, as Lightricks' LTX trainer and diffusion-pipe do.
    """
    return max(0, frames_wanted - frame_count)


@fact("album", cost="header")
def album_clips(album: Album, measured: Measured) -> tuple[ClipHeader, ...]:
    """The headers of all clips that can be read."""
    found = []
    for media in album.media:
        if media.media != "clip":
            continue
        try:
            header = measured.clip(media)
        except Unmeasured:
            continue  # the facts of that clip say so
        if not header.error:
            found.append(header)
    return tuple(found)


@fact("album", cost="header")
def album_frame_rate(album_clips: tuple[ClipHeader, ...]) -> float:
    """The frame rate that most clips of the album have, the higher one of two as common; 0 without clips."""
    rates = Counter(header.frame_rate for header in album_clips if header.frame_rate)
    return max(rates, key=lambda rate: (rates[rate], rate), default=0.0)


@fact("clip", cost="header")
def rate_wanted(settings: Settings, trainer: Trainer, album_frame_rate: float, takes_clips: bool) -> float:
    """Frames a second that the trainer trains at; where that is not known, the rate of most clips."""
    value = settings.value("frame_rate")
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0:
        return float(value)
    return trainer.training_clip.frame_rate if trainer.training_clip else album_frame_rate


@fact("clip", cost="header")
def rate_wanted_words(settings: Settings, trainer: Trainer, rate_wanted: float) -> str:
    """Who has which rate, in words."""
    known = settings.value("frame_rate") is not None or trainer.training_clip is not None
    return f"{'the trainer takes' if known else 'most clips here have'} {rate_wanted:g}"


@fact("clip", cost="header")
def rate_gap_percent(frame_rate: float, rate_wanted: float, taken_as_is: bool) -> float:
    """By how many percent the higher of the two rates exceeds the lower."""
    if not rate_wanted:
        raise NotApplicable("no rate to compare with")
    return round((max(frame_rate, rate_wanted) / min(frame_rate, rate_wanted) - 1) * 100, 1)


@fact("clip", cost="header")
def speed_words(frame_rate: float, rate_wanted: float) -> str:
    """What becomes of movements when frames of one rate are taken for another: "1.2 times slower"."""
    by = max(frame_rate, rate_wanted) / max(min(frame_rate, rate_wanted), 0.001)
    return f"{by:.1f} times {'slower' if frame_rate > rate_wanted else 'faster'}"


@fact("clip", cost="header")
def sound_missing(settings: Settings, has_audio: bool, album_clips: tuple[ClipHeader, ...]) -> bool:
    """Whether the clip is silent in a training with sound: ``with_audio`` asks for it, or is left to the
    trainer, which looks whether clips have any.
    """
    if "with_audio" not in settings.trainer.knobs:
        raise NotApplicable("this trainer learns no sound")
    asked = settings.value("with_audio")
    if asked is False:
        raise NotApplicable("trained without sound")
    return not has_audio and (asked is True or any(header.has_audio for header in album_clips))


@fact("clip", cost="header")
def sound_words(settings: Settings, album_clips: tuple[ClipHeader, ...]) -> str:
    """Why sound is expected."""
    with_sound = sum(header.has_audio for header in album_clips)
    if settings.value("with_audio") is True:
        return "with_audio is true"
    return f"{with_sound} of {len(album_clips)} clips have one"


@fact("album")
def longest_unsplit(settings: Settings) -> float:
    """Seconds up to which the trainer leaves a clip whole; 0 where it cuts none into scenes."""
    longest = settings.value("split_input_duration_threshold")
    if settings.value("split_input_into_scenes") is not True or not isinstance(longest, (int, float)):
        return 0.0
    return float(longest)


@fact("clip", cost="header")
def split_by_trainer(longest_unsplit: float, clip_seconds: float) -> bool:
    """Whether the trainer cuts this clip into its scenes."""
    return 0 < longest_unsplit < clip_seconds


@fact("album", cost="pixels")
def clips_looked_at(album: Album, measured: Measured, trainer: Trainer, longest_unsplit: float) -> int:
    """How many clips are searched for cuts; doing so at once is quicker than one by one."""
    jobs = []
    for media in album.media if trainer.media.clips else ():
        if media.media != "clip":
            continue
        with contextlib.suppress(Unmeasured):  # the facts of that clip say so
            header = measured.clip(media)
            if not header.error and not 0 < longest_unsplit < header.seconds:
                jobs.append([media.entry])
    if jobs:
        measured.derive_all("cuts", jobs, _find_cuts)
    return len(jobs)


@fact("clip", cost="pixels")
def cuts(
    media: MediaFile,
    measured: Measured,
    good_clip: ClipHeader,
    split_by_trainer: bool,
    takes_clips: bool,
    clips_looked_at: int,
) -> dict[str, Any]:
    """Sudden and lasting changes; see :func:`albumkit.pixels.scenes.find_cuts`."""
    if split_by_trainer:
        raise NotApplicable("the trainer splits it into scenes")
    found = measured.derive("cuts", [media.entry], _find_cuts)
    if not found["frames"]:
        raise NotApplicable("cannot be decoded")
    return found


@fact("clip", cost="pixels")
def cut_strength(cuts: dict[str, Any], good_clip: ClipHeader) -> float:
    """How unlike the scenes before and after the hardest cut are, above what changes there anyway: 0 (no cut)
    to 1 (nothing in common).
    """
    if not cuts["cuts"] and good_clip.frames > cuts["frames"] * 1.1 + 2:
        raise Unmeasured(f"only its first {cuts['frames']} frames were looked at")
    return max((float(strength) for _, _, strength in cuts["cuts"]), default=0.0)


@fact("clip", cost="pixels")
def cut_place(cuts: dict[str, Any], cut_strength: float) -> str:
    """Where the hardest cut is: "3.04 s (frame 76)"; "" without one."""
    hardest = max(cuts["cuts"], key=lambda cut: cut[2], default=None)
    return f"{hardest[1]:.2f} s (frame {hardest[0]})" if hardest else ""


def _find_cuts(*streams: Any) -> dict[str, Any]:
    from albumkit.pixels.scenes import find_cuts  # numpy: only where pixels are measured

    try:
        return find_cuts(*streams)
    except MissingExtra as error:  # the header came out of the cache
        raise Unmeasured(f"{error.message} Install it: {error.remedy}") from error
