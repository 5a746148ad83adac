"""KL of one column over time, with its limit: a line with gaps, and a point for each run.

Knows SVG. Has never heard of pages or of how a number was computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 900, 220, 60, 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One run of one column.

    Parameters
    ----------
    day, status : str
        When, and the verdict.
    kl, limit : float or None
        In nats; ``None`` where there is none.
    """

    day: str
    status: str
    kl: float | None
    limit: float | None


def line(points: Sequence[Point]) -> str:
    """Return an SVG of the points, oldest first; its colours are CSS classes."""
    values = [value for each in points for value in (each.kl, each.limit) if value is not None]
    highest = max(values, default=0.0) * 1.1 or 1.0
    places = [_LEFT + (_WIDTH - _LEFT - 8) * (i + 0.5) / len(points) for i in range(len(points))]
    heights = [None if each.kl is None else _y(each.kl, highest) for each in points]
    limits = [None if each.limit is None else _y(each.limit, highest) for each in points]
    dots = "".join(
        f'<circle class="{each.status}" cx="{x:.1f}" cy="{y:.1f}" r="3">'
        f"<title>{escape(_said(each))}</title></circle>"
        for x, y, each in zip(places, heights, points, strict=True)
        if y is not None
    )
    return (
        f'<svg class="line" role="img" aria-label="KL over {len(points)} runs" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}">{_axis(highest, points)}'
        f'<path class="limit" d="{_path(places, limits)}"/>'
        f'<path class="kl" d="{_path(places, heights)}"/>{dots}</svg>'
    )


def _y(value: float, highest: float) -> float:
    return (_HEIGHT - _BOTTOM) * (1 - value / highest) + 2


def _path(places: Sequence[float], heights: Sequence[float | None]) -> str:
    """Return a path that breaks off where a value is missing."""
    drawn, broken = [], True
    for x, y in zip(places, heights, strict=True):
        if y is not None:
            drawn.append(f"{'M' if broken else 'L'}{x:.1f} {y:.1f}")
        broken = y is None
    return "".join(drawn)


def _axis(highest: float, points: Sequence[Point]) -> str:
    """Return the two ends of each axis: nats, and the first and the last day."""
    top, bottom = 12, _HEIGHT - _BOTTOM
    texts = [f'<text x="{_LEFT - 6}" y="{top}" text-anchor="end">{highest:.3g}</text>']
    texts.append(f'<text x="{_LEFT - 6}" y="{bottom}" text-anchor="end">0 nats</text>')
    if points:
        first, last = escape(points[0].day[:10]), escape(points[-1].day[:10])
        texts.append(f'<text x="{_LEFT}" y="{_HEIGHT - 6}">{first}</text>')
        texts.append(f'<text x="{_WIDTH - 8}" y="{_HEIGHT - 6}" text-anchor="end">{last}</text>')
    return f'<path class="axis" d="M{_LEFT} {bottom + 2}H{_WIDTH - 8}"/>{"".join(texts)}'


def _said(point: Point) -> str:
    limit = "" if point.limit is None else f", limit {point.limit:.3g}"
    return f"{point.day[:10]}: {point.status}, KL {point.kl:.3g} nats{limit}"
