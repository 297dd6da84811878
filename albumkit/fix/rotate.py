"""``rotate``: JPEGs that lie on their side stood upright without loss."""

from __future__ import annotations

from collections.abc import Sequence

from albumkit.fix.draft import Draft
from albumkit.fix.turn import make_upright

NAME = "rotate"


def plan(draft: Draft, paths: Sequence[str]) -> None:
    """Pictures by path. Masks are drawn on the upright picture, so they stay as they are."""
    draft.rewrite(NAME, paths, make_upright, "turned upright without loss; its EXIF thumbnail taken out")
