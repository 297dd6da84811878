"""Where the rules' pages stand on the web: what the package says of itself, so that a fork links to its own.

Without ``Homepage`` and ``Documentation`` in [project.urls] there are no links; nothing is guessed.
"""

from __future__ import annotations

import functools
from importlib.metadata import PackageNotFoundError, metadata


@functools.cache
def _urls() -> dict[str, str]:
    try:
        lines = metadata("albumkit").get_all("Project-URL") or []
    except PackageNotFoundError:  # a source tree on the path
        return {}
    pairs = (line.partition(",") for line in lines)
    return {label.strip().lower(): url.strip() for label, _, url in pairs}


def home_url() -> str:
    """The project's page, or ""."""
    return _urls().get("homepage", "")


def page_url(rule: str) -> str:
    """The page of a rule below the documentation, or ""."""
    base = _urls().get("documentation", "")
    return f"{base.rstrip('/')}/rules/{rule}.md" if base else ""
