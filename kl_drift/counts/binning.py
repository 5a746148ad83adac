"""Binning strategies: a sample of the reference becomes bins.

Knows quantiles, equal widths, given edges and categories. Has never heard of files, of the current
snapshot (bins never see it) or of limits. Edges may be approximate, since counts over them are
exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from itertools import pairwise
from numbers import Integral
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from kl_drift.counts.bins import (
    HOURS,
    WEEKDAYS,
    Bins,
    CategoryBins,
    Domain,
    LevelDomain,
    Number,
    NumericBins,
    level_hash,
    same_from,
    same_until,
)
from kl_drift.errors import BinsError

PAIR_CELLS = 5
"""Into so many cells a column is binned where two are counted together."""

KEPT_FROM = 10
"""A level with fewer rows in the reference has no cell of its own.

Of many rare levels those that look commonest are the ones that chance favoured, and a fresh sample
then seems to have lost them.
"""

MAX_CELLS = 10_000
"""No column is cut into more: so many say nothing, and cost seconds and megabytes."""

SMALL_REFERENCE = 5_000
"""Below this many values, quantile bins are 10 instead of 20."""

_EPOCH = datetime(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiles:
    """Bins that hold equal shares of the reference, with cuts far out in both tails.

    Parameters
    ----------
    count : int, optional
        How many; by default 20, and 10 where the reference has fewer than 5,000 values.
    tails : tuple of float
        Further cuts, as shares below them. They make a moved tail visible that plain quantiles
        hide in their outermost bins.

    Notes
    -----
    A value that holds at least 1/``count`` of the reference gets a cell of its own (an atom), and
    beyond the reference's smallest and largest value lies a cell that the reference never reached.
    A float counts with what another width or a rounding sum makes of it, see
    :func:`kl_drift.counts.bins.same_from`.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid", "strict": True}
    kind: Literal["quantiles"] = "quantiles"
    count: int | None = None
    tails: tuple[float, ...] = (0.001, 0.01, 0.99, 0.999)

    def __post_init__(self) -> None:
        _check_count(self.count)
        if not all(0 < tail < 1 for tail in self.tails):
            raise BinsError(f"tails are shares between 0 and 1, got {list(self.tails)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Uniform:
    """Bins of equal width from the reference's smallest to its largest value.

    Parameters
    ----------
    count : int
        How many.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid", "strict": True}
    kind: Literal["uniform"] = "uniform"
    count: int = 20

    def __post_init__(self) -> None:
        _check_count(self.count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """Bins between edges that the user states; open at both ends.

    Parameters
    ----------
    edges : tuple of number or str
        Strictly increasing; text for decimals (``"12.50"``) and times (``"2013-02-08"``).
    """

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid", "strict": True}
    kind: Literal["edges"] = "edges"
    edges: tuple[int | float | str, ...] = ()

    def __post_init__(self) -> None:
        if not self.edges:
            raise BinsError("edges are empty: state at least one, e.g. edges: [0, 10, 100]")
        if len(self.edges) > MAX_CELLS:
            raise BinsError(f"{len(self.edges):,} edges are too many; at most {MAX_CELLS:,}")
        for low, high in pairwise(self.edges):
            if not isinstance(low, str) and not isinstance(high, str) and not low < high:
                raise BinsError(f"edges must increase: {low!r} is followed by {high!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Categories:
    """One cell for each of the commonest levels, one for the others, one for those never seen.

    Parameters
    ----------
    top : int
        How many levels are kept at most, by rows in the reference; each has at least 10 there.
    levels : tuple of str, optional
        Exactly these are kept instead.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid", "strict": True}
    kind: Literal["categories"] = "categories"
    top: int = 50
    levels: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if not 1 <= _whole("top", self.top) <= MAX_CELLS:
            raise BinsError(f"top must be from 1 to {MAX_CELLS:,}, got {self.top:,}")
        for level in self.levels or ():
            if not level.isascii() and level.encode(errors="replace").decode() != level:
                raise BinsError(f"level {level!r} cannot be written as UTF-8")


Binning: TypeAlias = Quantiles | Uniform | Edges | Categories


def _check_count(count: int | None) -> None:
    if count is not None and not 1 <= _whole("count", count) <= MAX_CELLS:
        raise BinsError(f"count must be from 1 to {MAX_CELLS:,}, got {count:,}")


def _whole(name: str, number: object) -> int:
    if isinstance(number, bool) or not isinstance(number, Integral):
        raise BinsError(f"{name} must be a whole number, got {number!r}")
    return int(number)


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberSample:
    """What is known of an ordered column before its bins are fitted.

    Parameters
    ----------
    values : ndarray
        A sample of the values that are not null, spread over the whole reference.
    present : int
        How many values the whole reference holds that are not null.
    minimum, maximum : int or float or None
        The exact extremes of the finite values; ``None`` where there is none.
    """

    domain: Domain
    values: npt.NDArray[Any]
    present: int
    minimum: Number | None
    maximum: Number | None
    scale: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelSample:
    """The levels of a categorical column, all of them, with their rows."""

    domain: LevelDomain
    rows: Mapping[str, int] = field(default_factory=dict)


def fit_numbers(sample: NumberSample, binning: Quantiles | Uniform | Edges) -> NumericBins:
    """Fit bins to an ordered column.

    A column without finite values gets one cell for any value; a constant one gets a cell for its
    value and open ends.

    Raises
    ------
    BinsError
        If stated edges do not increase or are not of the column's domain.
    """
    edges: Sequence[Number]
    if isinstance(binning, Edges):
        edges = [_parse_edge(edge, sample.domain, sample.scale) for edge in binning.edges]
    elif sample.minimum is None or sample.maximum is None:
        edges = ()
    else:
        ends = [_Same.of(sample.minimum), _Same.of(sample.maximum)]
        if isinstance(binning, Quantiles):
            cuts, atoms = _quantile_cuts(sample, binning)
        else:
            cuts, atoms = _uniform_cuts(sample.minimum, sample.maximum, binning.count), []
        edges = _tidy({ends[0].start, ends[1].stop, *_edges(cuts, atoms, ends)})
    return NumericBins(domain=sample.domain, edges=tuple(edges), scale=sample.scale)


class _Same(NamedTuple):
    """What is taken for one value, or for neighbours too close to tell apart: [start, stop)."""

    start: Number
    stop: Number

    @classmethod
    def of(cls, value: Number) -> _Same:
        return cls(same_from(value), same_until(value))


def _edges(cuts: set[Number], atoms: list[Number], ends: Sequence[_Same] = ()) -> set[Number]:
    """Return both edges of every atom, and where the cuts begin, unless inside an atom or an end.

    Atoms whose cells would overlap share one.
    """
    cells: list[_Same] = []
    for atom in map(_Same.of, sorted(atoms)):
        if cells and atom.start < cells[-1].stop:
            cells[-1] = _Same(cells[-1].start, atom.stop)
        else:
            cells.append(atom)
    starts = {same_from(cut) for cut in cuts}
    closed = [*cells, *ends]
    free = {each for each in starts if not any(cell.start < each < cell.stop for cell in closed)}
    return free | {edge for cell in cells for edge in cell}


def _tidy(edges: set[Number]) -> list[Number]:
    """Sort edges, write −0 as 0 and drop the infinite successor of the largest float."""
    return sorted({edge + 0 for edge in edges if math.isfinite(edge)})


def _quantile_cuts(sample: NumberSample, binning: Quantiles) -> tuple[set[Number], list[Number]]:
    """Return the values at the quantiles, and the atoms."""
    values = np.sort(_finite(sample.values))
    if not len(values):
        return set(), []
    count = binning.count or (10 if sample.present < SMALL_REFERENCE else 20)
    levels = [step / count for step in range(1, count)] + list(binning.tails)
    places = [min(int(level * len(values)), len(values) - 1) for level in levels]
    return set(values[places].tolist()), _atoms(values, count)


def _atoms(values: npt.NDArray[Any], count: int) -> list[Number]:
    """Return every value that holds, with what is taken for it, 1/count of the sorted values.

    Such a value fills a run so long that it covers one of every ``stride`` places.
    """
    stride = -(-len(values) // count)
    candidates = sorted(set(values[::stride].tolist()))
    first = np.searchsorted(values, _array([same_from(c) for c in candidates], values), "left")
    last = np.searchsorted(values, _array([same_until(c) for c in candidates], values), "left")
    common = ((last - first) * count >= len(values)).tolist()
    return [value for value, is_atom in zip(candidates, common, strict=True) if is_atom]


def _array(numbers: Sequence[Number], like: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return numbers as an array that compares exactly with another."""
    return np.array(numbers, np.float64 if like.dtype.kind == "f" else object)


def _uniform_cuts(low: Number, high: Number, count: int) -> set[Number]:
    if isinstance(low, float):
        width = high / count - low / count
        return {low + width * step for step in range(count)}
    span = int(high) + 1 - low
    return {low - (-span * step // count) for step in range(count)}


def _finite(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if values.dtype.kind != "f":
        return values
    finite: npt.NDArray[np.float64] = values[np.isfinite(values)].astype(np.float64)
    return finite


def _parse_edge(edge: float | str, domain: Domain, scale: int) -> Number:
    """Turn a stated edge into the domain's unit, rounding up: x ≥ 0.5 is x ≥ 1 for integers."""
    try:
        return _PARSERS[domain](edge, scale)
    except (ValueError, TypeError, InvalidOperation, OverflowError) as error:
        raise BinsError(
            f"edge {edge!r} is not a {domain} ({error}); {_EDGE_EXAMPLES[domain]}"
        ) from error


def _parse_moment(edge: float | str, zoned: bool) -> int:
    moment = datetime.fromisoformat(_text(edge))
    if zoned and moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if not zoned and moment.tzinfo is not None:
        raise ValueError("the column has no time zone")
    epoch = _EPOCH.replace(tzinfo=UTC) if zoned else _EPOCH
    return (moment - epoch) // _MICROSECOND


def _parse_time(edge: float | str) -> int:
    moment = datetime.combine(_EPOCH, time.fromisoformat(_text(edge)))
    return (moment - _EPOCH) // _MICROSECOND


def _exact(edge: float | str) -> Fraction:
    """Return the number as it is written, where a float or a decimal would round it."""
    return Fraction(Decimal(str(edge)))


def _text(edge: float | str) -> str:
    if not isinstance(edge, str):
        raise TypeError(f"expected text, got {edge!r}")
    return edge


_PARSERS: Mapping[Domain, Callable[[float | str, int], Number]] = {
    "float": lambda edge, _: float(edge),
    "integer": lambda edge, _: math.ceil(_exact(edge)),
    "decimal": lambda edge, scale: math.ceil(_exact(edge) * Fraction(10) ** scale),
    "date": lambda edge, _: (date.fromisoformat(_text(edge)) - _EPOCH.date()).days,
    "time": lambda edge, _: _parse_time(edge),
    "timestamp": lambda edge, _: _parse_moment(edge, zoned=False),
    "instant": lambda edge, _: _parse_moment(edge, zoned=True),
    "duration": lambda edge, _: math.ceil(_exact(edge) * 1_000_000),
}

_EDGE_EXAMPLES: Mapping[Domain, str] = {
    "float": "write a number, e.g. 0.5",
    "integer": "write a number, e.g. 10",
    "decimal": 'write a number or text, e.g. "12.50"',
    "date": 'write text, e.g. "2013-02-08"',
    "time": 'write text, e.g. "08:30:00"',
    "timestamp": 'write text, e.g. "2013-02-08T12:00:00"',
    "instant": 'write text, e.g. "2013-02-08T12:00:00+00:00"',
    "duration": "write seconds, e.g. 90",
}


_IN_TIME: Mapping[LevelDomain, tuple[str, ...]] = {"hour": HOURS, "weekday": WEEKDAYS}
_CLOSED: frozenset[LevelDomain] = frozenset({"boolean", "hour", "weekday"})
"""Domains whose levels are known beforehand: none is kept for being common."""


def fit_levels(sample: LevelSample, binning: Categories) -> CategoryBins:
    """Fit bins to a categorical column: the commonest levels, ties in the order of their text.

    A level is kept from 10 rows on; truth values, hours and weekdays are kept from one row on.
    Hours and weekdays stand in the order of time.
    """
    if binning.levels is not None:
        kept = binning.levels
    else:
        fewest = 1 if sample.domain in _CLOSED else KEPT_FROM
        enough = [level for level, rows in sample.rows.items() if rows >= fewest]
        commonest = sorted(enough, key=lambda level: (-sample.rows[level], level))
        kept = tuple(commonest[: binning.top])
        if sample.domain in _IN_TIME:
            kept = tuple(sorted(kept, key=_IN_TIME[sample.domain].index))
    others = sample.rows.keys() - set(kept)
    return CategoryBins(
        domain=sample.domain,
        levels=kept,
        known=b"".join(sorted(level_hash(level) for level in others)),
        singletons=sum(rows == 1 for rows in sample.rows.values()),
        doubletons=sum(rows == 2 for rows in sample.rows.values()),
    )


def fit_side(sample: NumberSample | LevelSample, count: int = PAIR_CELLS) -> Bins:
    """Fit the coarse bins of a column that is counted together with another one.

    An ordered column gets quantiles, and cells for values that hold 1/``count`` of the reference or
    more; none lies beyond its range. Of categories the commonest are kept and the rest is one.
    """
    if isinstance(sample, LevelSample):
        kept = fit_levels(sample, Categories(top=count - 1)).levels
        return CategoryBins(domain=sample.domain, levels=kept)
    low, high, edges = sample.minimum, sample.maximum, set[Number]()
    if low is not None and high is not None:
        fitted = _edges(*_quantile_cuts(sample, Quantiles(count=count, tails=())))
        edges = {edge for edge in fitted if low < edge <= high}
    return NumericBins(domain=sample.domain, edges=tuple(_tidy(edges)), scale=sample.scale)
