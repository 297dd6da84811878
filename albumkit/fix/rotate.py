"""``rotate``: JPEGs that lie on their side stood upright without loss."""

from __future__ import annotations

from collections.abc import Sequence

from albumkit.fix.draft import Draft
from albumkit.fix.turn import make_upright

NAME = "rotate"


def plan(draft: Draft, paths: Sequence[str]) -> None:
    """Pictures by path. Masks are drawn on the upright picture, so they stay as they are."""
    wanted = set(paths)
    for media in draft.album.media:
        if media.path not in wanted:
            continue
        with draft.refusing(NAME, media.path):
            data = draft.read(media.path)
            new = make_upright(data)
            if new != data:
                draft.write(media.path, new)
                draft.note(NAME, media.path, "turned upright without loss; its EXIF thumbnail taken out")
