"""Progress of long work, in words."""

from __future__ import annotations

import pytest

from albumkit.cli.pace import rate_words


@pytest.mark.parametrize(
    ("rate", "words"),
    [(0.834, "0.83"), (4.26, "4.3"), (42.4, "42"), (99.4, "99"), (99.6, "100"), (12345.6, "12346")],
)
def test_a_rate_is_two_figures_and_never_an_exponent(rate, words):
    assert rate_words(rate) == words
