"""What a captioner is shown of an example: pictures as people see them, no larger than a model looks at."""

from __future__ import annotations

from PIL import Image

from albumkit.album import Album, Example, MediaFile
from albumkit.album.names import known_reason
from albumkit.clips import frames_of
from albumkit.errors import AlbumkitError, CaptionerError
from albumkit.images import fitting, load_picture, reason_of

#: Pixels of one picture. What finer ones hold, no sentence of forty words says; Qwen3-VL makes some 1,500
#: tokens of so many.
MOST_PIXELS = 1_500_000


def pictures_of(album: Album, example: Example, frames: int = 1) -> tuple[Image.Image, ...]:
    """Upright RGB in sRGB: the start, the references and the end of a pair, ``frames`` frames of a clip.

    Raises:
        CaptionerError: one of them cannot be shown; names it.
    """
    media = [m for m in (example.start, *example.references, example.target) if m is not None]
    if example.is_pair and (example.start is None or example.target is None):
        raise CaptionerError(f"{example.path}: the other half of the pair is missing.")
    return tuple(picture for one in media for picture in _shown(album, one, frames))


def _shown(album: Album, media: MediaFile, frames: int) -> list[Image.Image]:
    entry = media.entry
    if entry.lfs:
        raise CaptionerError(f"{entry.path}: Git LFS has not fetched it.", "git lfs pull")
    reason = (
        entry.problem or known_reason(entry.path) or ("" if entry.size else "the file is empty (0 bytes)")
    )
    if reason:
        raise CaptionerError(f"{entry.path}: {reason}.")
    try:
        with album.source.open(entry) as stream:
            if media.media == "clip":
                return [fitting(frame, MOST_PIXELS) for frame in frames_of(stream, frames)]
            return [fitting(load_picture(stream, MOST_PIXELS), MOST_PIXELS)]
    except AlbumkitError as error:
        raise CaptionerError(f"{entry.path}: {error.message}", error.remedy) from error
    except Exception as error:  # plugins raise nearly anything for a broken file
        raise CaptionerError(f"{entry.path}: {reason_of(error)}.") from error
