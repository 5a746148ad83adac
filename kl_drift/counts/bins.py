"""Bins: in which cell does a value fall. Fitted edges and levels live here and nowhere else.

Knows the order of cells and how to name them to a person. Has never heard of arrays, counts, files
or divergences; a value meets an edge only in :mod:`kl_drift.counts.counting`.

Two kinds for a column. Numeric bins have open ends, so no number is ever out of range::

    below e₀ | [e₀, e₁) | … | [eᵣ₋₁, ∞) | NaN (floats only) | null

−∞ falls in the first cell and +∞ in the last of the open ends. An *atom*, one value with a cell of
its own, is the cell from the first to the last that is taken for it; it needs no special case. In
most domains that is the value alone; a float is also what another width or a rounding sum makes of
it, see :func:`same_from`. Category bins are::

    level₀ | … | levelₖ | other (of the reference, not kept) | unseen (not in it) | null

Two columns together have the cells of *pair bins*: each cell of the one with each of the other.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal, TypeAlias, TypeVar, get_args

from kl_drift import canonical
from kl_drift.errors import BinsError

Domain: TypeAlias = Literal[
    "integer", "float", "decimal", "date", "time", "timestamp", "instant", "duration"
]
"""The ordered sets in which edges live; ``instant`` is a timestamp with a zone."""

Number: TypeAlias = int | float
"""A value of a domain: a float, or an integer in the domain's unit.

The unit is 1 for integers, 10⁻ˢᶜᵃˡᵉ for decimals, days for dates, microseconds for the rest.
"""

_T = TypeVar("_T")
_EPOCH = datetime(1970, 1, 1)
_LEVEL_WIDTH = 60
_SINGLE_BITS = 24  # of a float of 32 bits, the leading one included
_LESS_THAN_HALF = 0.25
_LARGEST_EXACT = 2.0**53  # beyond it a float of 64 bits does not tell whole numbers apart either
_PLAINLY = 3  # so many digits fewer make a number the one that a person would say


def successor(value: Number) -> Number:
    """Return the next value of the domain after ``value``."""
    return math.nextafter(value, math.inf) if isinstance(value, float) else value + 1


def _before(value: Number) -> Number:
    return math.nextafter(value, -math.inf) if isinstance(value, float) else value - 1


def same_from(value: Number) -> Number:
    """Return the smallest value of the domain that is taken for ``value``.

    A float is the same in another width, and after a sum that rounds: within one step of 32 bits
    (2⁻²³ of its power of two) on either side. A whole number below 2⁵³ is never taken for its
    neighbour, nor zero for anything else. Other domains are exact.
    """
    first = value - _tolerance(value) if isinstance(value, float) else value
    return first if math.isfinite(first) else value


def same_until(value: Number) -> Number:
    """Return the smallest value above ``value`` that is not taken for it."""
    return successor(value + _tolerance(value) if isinstance(value, float) else value)


def _tolerance(value: float) -> float:
    if not value or not math.isfinite(value):
        return 0.0
    step = math.ldexp(1.0, math.frexp(value)[1] - _SINGLE_BITS)
    exact = value.is_integer() and abs(value) < _LARGEST_EXACT
    return min(step, _LESS_THAN_HALF) if exact else step


def first_of(edge: Number) -> Number:
    """Return the value that a person would say a cell begins with at an edge."""
    if not isinstance(edge, float):
        return edge
    return _shortest([edge, *(each for each in _near(edge) if same_from(each) == edge)])


def _last_of(edge: float) -> float:
    """Return the value that a person would say a cell ends with before an edge."""
    before = float(_before(edge))
    return _shortest([before, *(each for each in _near(before) if same_until(each) == edge)])


def _near(value: float) -> Iterator[float]:
    """Yield what may be taken for ``value``: a step changes at powers of two."""
    if not math.isfinite(value):
        return
    step = math.ldexp(1.0, math.frexp(value)[1] - _SINGLE_BITS)
    yield from (value + factor * step for factor in (-2, -1, -0.5, 0.5, 1, 2))
    yield float(round(value))


def _shortest(values: Sequence[float]) -> float:
    return min(values, key=lambda each: len(repr(each)))


def _is_one_value(low: Number, high: Number) -> bool:
    """Say whether a cell holds what is taken for one value, or for two that share it."""
    if high == successor(low):
        return True
    if not isinstance(low, float):
        return False
    first = [each for each in _near(low) if same_from(each) == low]
    last = [each for each in _near(float(_before(high))) if same_until(each) == high]
    return any(0 <= two - one <= 2 * _tolerance(one) for one in first for two in last)


def level_hash(level: str) -> bytes:
    """Return the 8 bytes that stand for a level which is known but not kept."""
    return hashlib.blake2b(level.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def number_text(value: Number, domain: Domain, scale: int = 0, digits: int = 6) -> str:
    """Write a value of a domain for a person: ``135``, ``2013-02-08``, ``12.50``.

    Long floats are cut to ``digits`` significant digits.
    """
    if domain == "float":
        return _float_text(float(value), digits)
    try:
        return _integer_text(int(value), domain, scale)
    except OverflowError:  # a date beyond the years that datetime can write
        return f"{value} days" if domain == "date" else f"{value} µs"


def _integer_text(value: int, domain: Domain, scale: int) -> str:
    if domain == "decimal":
        return f"{Decimal(f'{value}e{-scale}'):f}"  # exact, unlike scaleb, and never 5E+3
    if domain == "integer":
        return str(value)
    if domain == "date":
        return (_EPOCH + timedelta(days=value)).date().isoformat()
    since = timedelta(microseconds=value)
    moments = {
        "time": lambda: (_EPOCH + since).time().isoformat(),
        "timestamp": lambda: (_EPOCH + since).isoformat(sep=" "),
        "instant": lambda: (_EPOCH + since).isoformat(sep=" ") + "Z",
        "duration": lambda: str(since),
    }
    return moments[domain]()


def _float_text(value: float, digits: int) -> str:
    """Write whole numbers whole and cut long fractions."""
    if value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    shortest = repr(value)
    return shortest if len(shortest) <= 9 else f"{value:.{digits}g}"


@dataclass(frozen=True, kw_only=True)
class NumericBins:
    """Cells between fitted edges of an ordered column.

    Parameters
    ----------
    domain : Domain
        What the edges are measured in.
    edges : tuple of int or float
        Strictly increasing; the cell of ``x`` is the number of edges ≤ ``x``. Floats for the domain
        ``float``, integers in the domain's unit otherwise. May be empty: then every value shares
        one cell.
    scale : int
        Digits after the point, for the domain ``decimal``.

    Raises
    ------
    BinsError
        If the edges are not strictly increasing, not finite, or not of the domain, or if a domain
        other than ``decimal`` has a scale.
    """

    domain: Domain
    edges: tuple[Number, ...]
    scale: int = 0

    def __post_init__(self) -> None:
        wanted = float if self.domain == "float" else int
        for edge in self.edges:
            if type(edge) is not wanted or (wanted is float and not math.isfinite(edge)):
                raise BinsError(
                    f"edge {edge!r} is not a finite {wanted.__name__}, "
                    f"as bins over the domain {self.domain!r} need"
                )
        for low, high in zip(self.edges, self.edges[1:], strict=False):
            if not low < high:
                raise BinsError(f"edges must increase: {low!r} is followed by {high!r}")
        if self.scale and self.domain != "decimal":
            raise BinsError(f"bins over the domain {self.domain!r} have no scale")

    @property
    def ordered(self) -> bool:
        """Whether neighbouring value cells are neighbours in meaning."""
        return True

    @property
    def value_cells(self) -> int:
        """How many cells hold ordinary values; they come first."""
        return len(self.edges) + 1

    @property
    def nan_cell(self) -> int | None:
        """The index of the cell for NaN; ``None`` where the domain has no NaN."""
        return self.value_cells if self.domain == "float" else None

    @property
    def null_cell(self) -> int:
        """The index of the cell for nulls: the last."""
        return self.cells - 1

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return self.value_cells + (self.domain == "float") + 1

    def label(self, first: int, last: int | None = None) -> str:
        """Name a cell, or the run of value cells from ``first`` to ``last``, in words."""
        last = first if last is None else last
        if first == self.null_cell:
            return "null"
        if first == self.nan_cell:
            return "NaN"
        low = self.edges[first - 1] if first else None
        high = self.edges[last] if last < len(self.edges) else None
        if low is None:
            return "any value" if high is None else self._label_below(high)
        if high is None:
            before = self._last_within(low)
            return f"{self._said(low)} or more" if before is None else f"above {self.text(before)}"
        if _is_one_value(low, high):
            return f"exactly {self._said(low)}"
        before = self._last_within(low) if isinstance(low, float) else None
        start = self._said(low) if before is None else f"above {self.text(before)}"
        final = self._last_within(high)
        return f"{start} to {self._said(high) if final is None else self.text(final)}"

    def _label_below(self, edge: Number) -> str:
        final = self._last_within(edge) if isinstance(edge, float) else None
        return f"below {self._said(edge)}" if final is None else f"{self.text(final)} or less"

    def text(self, value: Number) -> str:
        """Write a value of this domain for a person, so that no two edges read alike."""
        return number_text(value, self.domain, self.scale, self._digits)

    def _said(self, edge: Number) -> str:
        """Write the value that a cell begins with."""
        return self.text(first_of(edge))

    @cached_property
    def _digits(self) -> int:
        """The significant digits that tell the edges apart, but for both ends of one value."""
        floats = [edge for edge in self.edges if isinstance(edge, float)]
        ends = {high for low, high in pairwise(floats) if _is_one_value(low, high)}
        said = [first_of(edge) for edge in floats if edge not in ends]
        return next(
            digits
            for digits in range(6, 18)  # 17 tell any two floats apart
            if len({_float_text(edge, digits) for edge in said}) == len(set(said))
        )

    def _last_within(self, edge: Number) -> Number | None:
        """Return the last value before ``edge`` where that is the number a person would say."""
        if not isinstance(edge, float):
            return _before(edge)
        place = self.edges.index(edge)
        if place and _is_one_value(self.edges[place - 1], edge):
            return first_of(self.edges[place - 1])
        if place + 1 < len(self.edges) and _is_one_value(edge, self.edges[place + 1]):
            return None
        last = _last_of(edge)
        return last if len(repr(last)) + _PLAINLY <= len(repr(first_of(edge))) else None

    def to_dict(self) -> dict[str, object]:
        """Return the bins as plain JSON types."""
        plain: dict[str, object] = {
            "kind": "numeric",
            "domain": self.domain,
            "edges": [edge + 0 for edge in self.edges],  # −0 equals 0 and is written like it
        }
        if self.domain == "decimal":
            plain["scale"] = self.scale
        return plain

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the bins: equal for equal bins, on every machine."""
        return canonical.digest(self.to_dict())


LevelDomain: TypeAlias = Literal[
    "string", "binary", "boolean", "integer", "float", "decimal", "date", "hour", "weekday"
]
"""What the levels of category bins are the text of."""

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
HOURS = tuple(f"{hour:02d}" for hour in range(24))

_HASH_BYTES = 8


@dataclass(frozen=True, kw_only=True)
class CategoryBins:
    """Cells for the levels of a categorical column.

    Parameters
    ----------
    domain : LevelDomain
        What the levels are the text of.
    levels : tuple of str
        The levels kept, each a cell, commonest in the reference first; hours and weekdays in the
        order of time.
    known : bytes
        The levels seen in the reference and not kept: their 8-byte hashes, sorted, end to end.
        They tell ``other`` from ``unseen`` without carrying every name.
    singletons : int
        How many levels the reference held exactly once; by Good and Turing the share of rows that
        new levels should be expected to take.
    doubletons : int or None
        How many it held exactly twice, which say how sure that is; ``None`` where it was not
        counted: in files of version 1.

    Raises
    ------
    BinsError
        If a level occurs twice or ``known`` is not a sorted run of hashes.
    """

    domain: LevelDomain
    levels: tuple[str, ...]
    known: bytes = b""
    singletons: int = 0
    doubletons: int | None = None

    def __post_init__(self) -> None:
        if len(set(self.levels)) != len(self.levels):
            twice = next(level for level in self.levels if self.levels.count(level) > 1)
            raise BinsError(f"level {twice!r} is listed twice; each level has one cell")
        hashes = [self.known[i : i + _HASH_BYTES] for i in range(0, len(self.known), _HASH_BYTES)]
        if len(self.known) % _HASH_BYTES or hashes != sorted(hashes):
            raise BinsError("the known levels are not a sorted run of 8-byte hashes")

    @property
    def ordered(self) -> bool:
        """Whether neighbouring value cells are neighbours in meaning."""
        return self.domain in ("hour", "weekday")

    @property
    def value_cells(self) -> int:
        """How many cells hold the levels kept; they come first."""
        return len(self.levels)

    @property
    def nan_cell(self) -> int | None:
        """``None``: a NaN among categories is a level like any other."""
        return None

    @property
    def other_cell(self) -> int:
        """The index of the cell for levels of the reference that were not kept."""
        return len(self.levels)

    @property
    def unseen_cell(self) -> int:
        """The index of the cell for levels that the reference never held."""
        return len(self.levels) + 1

    @property
    def null_cell(self) -> int:
        """The index of the cell for nulls: the last."""
        return len(self.levels) + 2

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return len(self.levels) + 3

    def label(self, first: int, last: int | None = None) -> str:
        """Name a cell, or the run of cells from ``first`` to ``last``, in words."""
        if last is not None and last != first:
            return f"{self.label(first)} to {self.label(last)}"
        special = {
            self.other_cell: "other levels",
            self.unseen_cell: "values never seen in the reference",
            self.null_cell: "null",
        }
        return special.get(first) or level_text(self.levels[first])

    def to_dict(self) -> dict[str, object]:
        """Return the bins as plain JSON types; what was not counted is left out."""
        plain: dict[str, object] = {
            "kind": "categories",
            "domain": self.domain,
            "levels": list(self.levels),
            "known": base64.b64encode(self.known).decode(),
            "singletons": self.singletons,
        }
        return plain if self.doubletons is None else {**plain, "doubletons": self.doubletons}

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the bins: equal for equal bins, on every machine."""
        return canonical.digest(self.to_dict())


Bins: TypeAlias = NumericBins | CategoryBins
"""The bins of one column."""


@dataclass(frozen=True, kw_only=True)
class PairBins:
    """Cells for two columns together: each cell of the first with each of the second.

    On a side of a pair, numeric bins have the cells they always have; of categories, all levels
    that are not kept share one, be they of the reference or not. The cells of the second column run
    fastest; in the last, both columns are null.

    Parameters
    ----------
    columns : (str, str)
        The names of the two columns.
    sides : (NumericBins or CategoryBins, NumericBins or CategoryBins)
        In which cell of its side a value of either falls.

    Raises
    ------
    BinsError
        If a column is paired with itself.
    """

    columns: tuple[str, str]
    sides: tuple[Bins, Bins]

    def __post_init__(self) -> None:
        if self.columns[0] == self.columns[1]:
            raise BinsError(f"column {self.columns[0]!r} is paired with itself; a pair is of two")

    @property
    def name(self) -> str:
        """What profiles and reports call the pair: ``dep_delay × distance``."""
        return pair_name(*self.columns)

    @property
    def shape(self) -> tuple[int, int]:
        """How many cells either side has."""
        return side_cells(self.sides[0]), side_cells(self.sides[1])

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return self.shape[0] * self.shape[1]

    @property
    def ordered(self) -> bool:
        """Whether neighbouring cells are neighbours in meaning: not along two columns at once."""
        return False

    @property
    def value_cells(self) -> int:
        """How many of the first cells hold ordinary values alone: those of one row of the table."""
        return self.sides[1].value_cells

    @property
    def null_cell(self) -> int:
        """The index of the cell where both columns are null: the last."""
        return self.cells - 1

    def label(self, first: int, last: int | None = None) -> str:
        """Name a cell, or the run of cells from ``first`` to ``last``, in words."""
        if last is not None and last != first:
            return f"{self.label(first)} to {self.label(last)}"
        places = divmod(first, self.shape[1])
        return " & ".join(
            f"{name} {_side_label(side, place)}"
            for name, side, place in zip(self.columns, self.sides, places, strict=True)
        )

    def to_dict(self) -> dict[str, object]:
        """Return the bins as plain JSON types."""
        return {
            "kind": "pair",
            "columns": list(self.columns),
            "sides": [side.to_dict() for side in self.sides],
        }

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the bins: equal for equal bins, on every machine."""
        return canonical.digest(self.to_dict())


def pair_name(first: str, second: str) -> str:
    """Return what two columns together are called."""
    return f"{first} × {second}"


def side_cells(bins: Bins) -> int:
    """Return how many cells a column has on its side of a pair."""
    return bins.value_cells + 2 if isinstance(bins, CategoryBins) else bins.cells


def _side_label(bins: Bins, cell: int) -> str:
    return bins.label(bins.null_cell if cell == side_cells(bins) - 1 else cell)


def level_text(level: str) -> str:
    """Write a level for a person: quoted, on one line, cut where it is long."""
    quoted = repr(level)
    return quoted if len(quoted) <= _LEVEL_WIDTH else f"{quoted[: _LEVEL_WIDTH - 1]}…"


def bins_from_dict(plain: Mapping[str, object]) -> Bins | PairBins:
    """Rebuild bins from what their ``to_dict`` returned.

    Raises
    ------
    BinsError
        If the mapping does not describe bins.
    """
    try:
        if plain["kind"] == "numeric":
            return NumericBins(
                domain=_member(plain["domain"], Domain),
                edges=tuple(_typed(plain["edges"], list)),
                scale=_typed(plain.get("scale", 0), int),
            )
        if plain["kind"] == "categories":
            return CategoryBins(
                domain=_member(plain["domain"], LevelDomain),
                levels=tuple(_typed(level, str) for level in _typed(plain["levels"], list)),
                known=base64.b64decode(_typed(plain["known"], str), validate=True),
                singletons=_typed(plain["singletons"], int),
                doubletons=_typed(plain["doubletons"], int) if "doubletons" in plain else None,
            )
        if plain["kind"] == "pair":
            return PairBins(columns=_two(plain["columns"], str), sides=_sides(plain["sides"]))
    except (KeyError, TypeError, ValueError) as error:
        raise BinsError(f"this does not describe bins: {error}") from error
    raise BinsError(
        f"unknown kind of bins {plain['kind']!r}; known: 'numeric', 'categories', 'pair'"
    )


def _typed(value: object, wanted: type[_T]) -> _T:
    if type(value) is not wanted:
        raise TypeError(f"expected {wanted.__name__}, got {value!r}")
    return value


def _two(value: object, wanted: type[_T]) -> tuple[_T, _T]:
    first, second = _typed(value, list)
    return _typed(first, wanted), _typed(second, wanted)


def _sides(value: object) -> tuple[Bins, Bins]:
    first, second = (bins_from_dict(side) for side in _two(value, dict))
    if isinstance(first, PairBins) or isinstance(second, PairBins):
        raise TypeError("a side of a pair is a single column")
    return first, second


def _member(value: object, literal: object) -> Any:
    if value not in get_args(literal):
        raise TypeError(f"unknown domain {value!r}; known: {', '.join(get_args(literal))}")
    return value
