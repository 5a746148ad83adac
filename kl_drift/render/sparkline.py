"""The last runs of a check in one small picture: a bar for each, in the colour of its status.

Knows SVG and statuses. Has never heard of pages or of where runs come from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

_HEIGHTS = {"ok": 5, "warn": 10, "undecided": 10, "drift": 16, "error": 16}
_STEP, _HEIGHT = 5, 18


def sparkline(statuses: Sequence[str]) -> str:
    """Return an SVG with a bar for each status, the oldest first; its colours are CSS classes.

    Parameters
    ----------
    statuses : sequence of {"ok", "warn", "undecided", "drift", "error"}
        Of the runs.
    """
    counts = ", ".join(f"{n} {status}" for status, n in Counter(statuses).items()) or "no runs"
    bars = "".join(_bar(place, status) for place, status in enumerate(statuses))
    width = max(len(statuses), 1) * _STEP
    return (
        f'<svg class="sparkline" role="img" aria-label="last runs: {counts}" width="{width}" '
        f'height="{_HEIGHT}" viewBox="0 0 {width} {_HEIGHT}">{bars}</svg>'
    )


def _bar(place: int, status: str) -> str:
    height = _HEIGHTS[status]
    return (
        f'<rect class="{status}" x="{place * _STEP}" y="{_HEIGHT - height}" '
        f'width="{_STEP - 1}" height="{height}"/>'
    )
