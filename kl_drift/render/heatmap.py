"""Columns × runs as one picture: a cell for each, in the colour of its status.

Knows SVG. Neighbouring cells of one status are one rectangle, and all rectangles of a status are
one path, so that a year of a hundred columns is some kilobytes. Has never heard of pages.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

CELL = 14
"""The height of a row, in pixels of the page."""


def heatmap(rows: Sequence[Sequence[str]]) -> str:
    """Return an SVG of a grid of statuses; its colours are CSS classes, as wide as its place.

    Parameters
    ----------
    rows : sequence of sequence of str
        For each column the statuses of its runs, oldest first; empty where there is none.
    """
    width = max(map(len, rows), default=0)
    paths: dict[str, list[str]] = {}
    for y, row in enumerate(rows):
        for x, length, status in _stretches(row):
            paths.setdefault(status, []).append(f"M{x} {y}h{length}v1h-{length}z")
    drawn = "".join(
        f'<path class="{status}" d="{"".join(pieces)}"/>' for status, pieces in paths.items()
    )
    return (
        f'<svg class="heatmap" role="img" aria-label="{len(rows)} columns, {width} runs" '
        f'viewBox="0 0 {width} {len(rows)}" preserveAspectRatio="none" '
        f'height="{len(rows) * CELL}" shape-rendering="crispEdges">{drawn}</svg>'
    )


def _stretches(row: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Return where each stretch of one status begins, how long it is, and its status."""
    x = 0
    for status, cells in groupby(row):
        length = sum(1 for _ in cells)
        if status:
            yield x, length, status
        x += length
