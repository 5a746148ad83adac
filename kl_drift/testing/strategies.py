"""Hypothesis strategies: what to test code with that uses kl-drift.

Knows how to draw bins, histograms, profiles and Arrow tables that kl-drift could meet, the unlikely
ones too. Has never heard of limits or reports.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import accumulate, pairwise
from typing import Any, cast, get_args

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from kl_drift.counts.arrays import family_of
from kl_drift.counts.bins import (
    HOURS,
    WEEKDAYS,
    Bins,
    CategoryBins,
    Domain,
    LevelDomain,
    Number,
    NumericBins,
    PairBins,
    level_hash,
)
from kl_drift.counts.histogram import Histogram
from kl_drift.counts.kinds import Kind, Uncounted
from kl_drift.counts.profile import ColumnProfile, Profile, ValueRange

_UNITS = ("s", "ms", "us", "ns")
_ZONE = "America/New_York"
_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
_WIDEST = 10**76

_PLAIN_TYPES: tuple[pa.DataType, ...] = (
    *(pa.int8(), pa.int16(), pa.int32(), pa.int64()),
    *(pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
    *(pa.float16(), pa.float32(), pa.float64()),
    *(pa.decimal128(5, 2), pa.decimal128(38, 10), pa.decimal128(7, -3), pa.decimal256(76, 38)),
    *(pa.bool_(), pa.null()),
    *(pa.string(), pa.large_string(), pa.string_view()),
    *(pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(4)),
    *(pa.date32(), pa.date64()),
    *(pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")),
    *(pa.timestamp(unit) for unit in _UNITS),
    *(pa.timestamp(unit, _ZONE) for unit in _UNITS),
    *(pa.duration(unit) for unit in _UNITS),
)

_RECENT_TYPES: tuple[pa.DataType, ...] = tuple(
    make(*arguments)
    for name, arguments in (
        ("decimal32", (9, 2)),
        ("decimal64", (18, 4)),
        ("uuid", ()),
        ("bool8", ()),
    )
    if (make := getattr(pa, name, None)) is not None  # younger than the oldest pyarrow supported
)

ARROW_TYPES: tuple[pa.DataType, ...] = (
    *_PLAIN_TYPES,
    *_RECENT_TYPES,
    *(pa.dictionary(pa.int8(), kind) for kind in (pa.string(), pa.int64(), pa.float64())),
    *(pa.dictionary(pa.uint32(), kind) for kind in (pa.date32(), pa.binary())),
    *(pa.run_end_encoded(pa.int32(), kind) for kind in (pa.string(), pa.int16(), pa.bool_())),
    pa.run_end_encoded(pa.int64(), pa.dictionary(pa.int8(), pa.string())),
)
"""Types of the columns that are counted; of parametrised ones, some."""

NESTED_TYPES: tuple[pa.DataType, ...] = (
    pa.list_(pa.int64()),
    pa.large_list(pa.string()),
    pa.list_(pa.float32(), 3),
    pa.struct([("x", pa.int64())]),
    pa.map_(pa.string(), pa.int64()),
)
"""Types of columns that are not counted, and reported with the reason."""

_LIMITS: dict[Domain, tuple[int, int]] = {
    "integer": (-(2**63), 2**64 - 1),
    "decimal": (1 - _WIDEST, _WIDEST - 1),
    "date": (-(2**31), 2**31 - 1),
    "time": (0, _DAY["us"] - 1),
    "timestamp": (-(2**63), 2**63 - 1),
    "instant": (-(2**63), 2**63 - 1),
    "duration": (-(2**63), 2**63 - 1),
}

_TYPE_OF: dict[Domain | LevelDomain, str] = {
    "integer": "int64",
    "float": "double",
    "decimal": "decimal128(38, 2)",
    "date": "date32[day]",
    "time": "time64[us]",
    "timestamp": "timestamp[us]",
    "instant": "timestamp[us, tz=UTC]",
    "duration": "duration[us]",
    "string": "string",
    "binary": "binary",
    "boolean": "bool",
    "hour": "timestamp[us]",
    "weekday": "timestamp[us]",
}


def _numbers(domain: Domain) -> SearchStrategy[Number]:
    """Draw finite values of a domain, often near each other and at its limits."""
    if domain == "float":
        return cast(
            "SearchStrategy[Number]",
            st.one_of(
                st.floats(allow_nan=False, allow_infinity=False),
                st.integers(-50, 50).map(float),
                st.sampled_from([0.0, 5e-324, -5e-324, 1.7976931348623157e308, 1.0, 1.0 + 2**-52]),
            ),
        )
    low, high = _LIMITS[domain]
    close = st.integers(max(low, -50), 50)
    return cast("SearchStrategy[Number]", st.one_of(close, st.integers(low, high)))


@st.composite
def numeric_bins(
    draw: DrawFn, *, domains: Sequence[Domain] = get_args(Domain), max_edges: int = 12
) -> NumericBins:
    """Draw bins between edges, from none to ``max_edges`` of them.

    Parameters
    ----------
    domains : sequence of Domain
        From which the domain is drawn.
    max_edges : int
        The most edges.
    """
    domain = draw(st.sampled_from(list(domains)))
    edges = draw(st.lists(_numbers(domain), max_size=max_edges, unique=True))
    scale = draw(st.integers(-3, 12)) if domain == "decimal" else 0
    return NumericBins(domain=domain, edges=tuple(sorted(edges)), scale=scale)


def _levels(domain: LevelDomain) -> SearchStrategy[str]:
    few: dict[LevelDomain, tuple[str, ...]] = {
        "boolean": ("false", "true"),
        "hour": HOURS,
        "weekday": WEEKDAYS,
    }
    return st.sampled_from(few[domain]) if domain in few else st.text(max_size=12)


@st.composite
def category_bins(
    draw: DrawFn, *, domains: Sequence[LevelDomain] = get_args(LevelDomain), max_levels: int = 8
) -> CategoryBins:
    """Draw bins of levels, with levels that are known and not kept.

    Parameters
    ----------
    domains : sequence of LevelDomain
        From which the domain is drawn.
    max_levels : int
        The most levels kept.
    """
    domain = draw(st.sampled_from(list(domains)))
    levels = draw(st.lists(_levels(domain), max_size=max_levels, unique=True))
    known = draw(st.lists(st.text(max_size=12), max_size=6, unique=True))
    hashes = sorted(level_hash(level) for level in known if level not in levels)
    return CategoryBins(
        domain=domain,
        levels=tuple(levels),
        known=b"".join(hashes),
        singletons=draw(st.integers(0, 2 * len(levels))),
        doubletons=draw(st.none() | st.integers(0, len(levels))),
    )


def bins() -> SearchStrategy[Bins]:
    """Draw bins of either kind."""
    return st.one_of(numeric_bins(), category_bins())


@st.composite
def pair_bins(draw: DrawFn, *, columns: tuple[str, str] = ("x", "y")) -> PairBins:
    """Draw bins of two columns together.

    Parameters
    ----------
    columns : (str, str)
        Their names.
    """
    few = numeric_bins(max_edges=4) | category_bins(max_levels=4)
    return PairBins(columns=columns, sides=(draw(few), draw(few)))


@st.composite
def histograms(
    draw: DrawFn, *, over: Bins | PairBins | None = None, rows: int | None = None
) -> Histogram:
    """Draw counts over bins.

    Parameters
    ----------
    over : NumericBins, CategoryBins or PairBins, optional
        The bins; drawn too by default.
    rows : int, optional
        What the counts sum to; drawn too by default.
    """
    cells = over if over is not None else draw(bins())
    total = rows if rows is not None else draw(st.integers(0, 10**6))
    cuts = draw(st.lists(st.integers(0, total), min_size=cells.cells - 1, max_size=cells.cells - 1))
    ends = [0, *sorted(cuts), total]
    return Histogram(bins=cells, counts=tuple(high - low for low, high in pairwise(ends)))


@st.composite
def _ranges(draw: DrawFn, over: NumericBins) -> ValueRange:
    low, high = sorted(draw(st.tuples(_numbers(over.domain), _numbers(over.domain))))
    return ValueRange(domain=over.domain, minimum=low, maximum=high, scale=over.scale)


@st.composite
def _unseen(draw: DrawFn, histogram: Histogram) -> dict[str, int]:
    """Name the levels behind the rows that fell in the cell ``unseen``."""
    over = histogram.bins
    if not isinstance(over, CategoryBins) or not histogram.counts[over.unseen_cell]:
        return {}
    names = draw(st.lists(st.text(max_size=12), min_size=1, max_size=5, unique=True))
    strangers = [
        name
        for name in names
        if name not in over.levels and level_hash(name) not in _hashes(over.known)
    ]
    rows = histogram.counts[over.unseen_cell]
    shares = {name: rows // len(strangers) for name in strangers}
    return {name: share for name, share in shares.items() if share}


def _hashes(known: bytes) -> frozenset[bytes]:
    return frozenset(known[i : i + 8] for i in range(0, len(known), 8))


@st.composite
def _counted(draw: DrawFn, over: Bins | PairBins, rows: int, derived_from: str) -> ColumnProfile:
    histogram = draw(histograms(over=over, rows=rows))
    return ColumnProfile(
        type=_type_of(over),
        histogram=histogram,
        nulls=histogram.nulls,
        range=draw(_ranges(over)) if isinstance(over, NumericBins) and rows else None,
        derived_from=derived_from,
        unseen=draw(_unseen(histogram)),
    )


def _type_of(over: Bins | PairBins) -> str:
    if isinstance(over, PairBins):
        return " × ".join(map(_type_of, over.sides))
    return _TYPE_OF[over.domain]


@st.composite
def _uncounted(draw: DrawFn, rows: int) -> ColumnProfile:
    over = draw(numeric_bins(domains=("date", "timestamp", "instant"), max_edges=0))
    return ColumnProfile(
        type=_TYPE_OF[over.domain],
        why=Uncounted(kind=draw(st.sampled_from([Kind.MOVES, Kind.NOT_SELECTED]))),
        nulls=draw(st.integers(0, rows)),
        nulls_counted=True,
        range=draw(st.none() | _ranges(over)),
    )


@st.composite
def profiles(draw: DrawFn, *, like: Profile | None = None, max_columns: int = 4) -> Profile:
    """Draw profiles: counted columns of every domain, and columns that were not counted.

    Parameters
    ----------
    like : Profile, optional
        Draw other counts over the same bins, as a scan like this reference would; the profiles
        merge and compare.
    max_columns : int
        The most columns, where ``like`` does not state them.
    """
    rows = draw(st.integers(0, 10**6))
    if like is None:
        columns = draw(_fresh_columns(rows, max_columns))
    else:
        columns = {name: draw(_column_like(column, rows)) for name, column in like.columns.items()}
    moments = st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(UTC))
    return Profile(
        columns=columns,
        rows=rows,
        sources=tuple(sorted(draw(st.sets(st.text(max_size=12), max_size=2)))),
        as_of=draw(st.sampled_from(["", "2013-02-28", "2013-03-01T12:00:00+00:00"])),
        created=draw(moments).isoformat(timespec="seconds"),
        created_by=draw(st.sampled_from(["0.1.0", "0.2.0"])),
    )


@st.composite
def _fresh_columns(draw: DrawFn, rows: int, most: int) -> dict[str, ColumnProfile]:
    columns: dict[str, ColumnProfile] = {}
    for name in draw(st.lists(st.text(min_size=1, max_size=12), max_size=most, unique=True)):
        if draw(st.integers(0, 4)):
            over = draw(bins())
            origin = name[:1] if over.domain in ("hour", "weekday") else ""
            columns[name] = draw(_counted(over, rows, origin))
        else:
            columns[name] = draw(_uncounted(rows))
    counted = [name for name, column in columns.items() if column.histogram is not None]
    if len(counted) > 1 and draw(st.booleans()):
        pair = draw(pair_bins(columns=(counted[0], counted[1])))
        columns[pair.name] = draw(_counted(pair, rows, ""))
    return columns


@st.composite
def _column_like(draw: DrawFn, column: ColumnProfile, rows: int) -> ColumnProfile:
    if column.histogram is not None:
        return draw(_counted(column.histogram.bins, rows, column.derived_from))
    return ColumnProfile(
        type=column.type,
        why=column.why,
        nulls=draw(st.integers(0, rows)),
        nulls_counted=column.nulls_counted,
        range=column.range,
    )


@st.composite
def same_bins(draw: DrawFn, *, count: int = 2) -> tuple[Profile, ...]:
    """Draw ``count`` profiles over the same bins, which merge and compare."""
    first = draw(profiles())
    return (first, *(draw(profiles(like=first)) for _ in range(count - 1)))


def arrow_arrays(
    kind: pa.DataType, *, min_size: int = 0, max_size: int = 20
) -> SearchStrategy[pa.Array]:
    """Draw arrays of an Arrow type, with nulls, extremes, offsets, and values that repeat.

    Parameters
    ----------
    kind : pyarrow.DataType
        One of :data:`ARROW_TYPES`, of :data:`NESTED_TYPES`, or like them.
    min_size, max_size : int
        The fewest and the most rows.
    """
    if family_of(kind) is None:
        return _sliced(lambda rows: st.just(pa.nulls(rows, kind)), min_size, max_size)
    return _sliced(lambda rows: _whole_arrays(kind, rows), min_size, max_size)


@st.composite
def _sliced(
    draw: DrawFn, make: Callable[[int], SearchStrategy[pa.Array]], fewest: int, most: int
) -> pa.Array:
    rows, before, after = draw(
        st.tuples(st.integers(fewest, most), st.integers(0, 3), st.integers(0, 3))
    )
    return draw(make(before + rows + after)).slice(before, rows)


def _whole_arrays(kind: pa.DataType, rows: int) -> SearchStrategy[pa.Array]:
    if isinstance(kind, pa.BaseExtensionType):
        stored = _whole_arrays(kind.storage_type, rows)
        return stored.map(lambda array: pa.ExtensionArray.from_storage(kind, array))
    if pa.types.is_dictionary(kind):
        return _dictionary_arrays(kind, rows)
    if pa.types.is_run_end_encoded(kind):
        return _run_end_encoded_arrays(kind, rows)
    if pa.types.is_null(kind):
        return st.just(pa.nulls(rows))
    physical, values = _values(kind)
    several = st.lists(st.none() | values, min_size=rows, max_size=rows)
    return several.map(lambda drawn: pa.array(drawn, physical).view(kind))


@st.composite
def _dictionary_arrays(draw: DrawFn, kind: pa.DictionaryType, rows: int) -> pa.Array:
    """Draw indices into values that repeat, are null, or are used by no row."""
    values = draw(_whole_arrays(kind.value_type, draw(st.integers(1, 6))))
    places = st.none() | st.integers(0, len(values) - 1)
    indices = draw(st.lists(places, min_size=rows, max_size=rows))
    return pa.DictionaryArray.from_arrays(pa.array(indices, kind.index_type), values)


@st.composite
def _run_end_encoded_arrays(draw: DrawFn, kind: pa.DataType, rows: int) -> pa.Array:
    lengths: list[int] = []
    while sum(lengths) < rows:
        lengths.append(draw(st.integers(1, rows - sum(lengths))))
    values = draw(_whole_arrays(kind.value_type, len(lengths)))
    ends = pa.array(list(accumulate(lengths)), kind.run_end_type)
    return pa.RunEndEncodedArray.from_arrays(ends, values)


def _values(kind: pa.DataType) -> tuple[pa.DataType, SearchStrategy[Any]]:
    """Return the type in which values are written down, and what to draw."""
    if pa.types.is_floating(kind):
        width = cast("Any", kind.bit_width)
        some = st.floats(width=width) | st.integers(-9, 9).map(float)
        return kind, some.map(np.float16) if width == 16 else some
    if pa.types.is_decimal(kind):
        most = 10**kind.precision - 1
        some = st.integers(-99, 99) | st.integers(-most, most)
        return kind, some.map(lambda value: Decimal(f"{value}e{-kind.scale}"))
    if pa.types.is_boolean(kind):
        return kind, st.booleans()
    if family_of(kind) == "string":
        return kind, st.text(max_size=8) | st.sampled_from(["a", "b", ""])
    if family_of(kind) == "binary":
        size = kind.byte_width if pa.types.is_fixed_size_binary(kind) else None
        return kind, st.binary(min_size=size or 0, max_size=size or 8)
    return _integers(kind)


def _integers(kind: pa.DataType) -> tuple[pa.DataType, SearchStrategy[int]]:
    """Draw the integers behind whole numbers and times, up to the limits of their type."""
    if pa.types.is_integer(kind):
        physical = kind
    else:
        physical = pa.int32() if kind.bit_width == 32 else pa.int64()
    if pa.types.is_time(kind):
        low, high = 0, _DAY[kind.unit] - 1
    else:
        limits = np.iinfo(physical.to_pandas_dtype())
        low, high = int(limits.min), int(limits.max)
    step = _DAY["ms"] if pa.types.is_date64(kind) else 1  # milliseconds, of whole days only
    low, high = -(-low // step), high // step
    some = st.integers(max(low, -9), 9) | st.integers(low, high) | st.sampled_from([low, high])
    return physical, some.map(lambda value: value * step)


@st.composite
def arrow_tables(
    draw: DrawFn,
    *,
    types: Sequence[pa.DataType] = ARROW_TYPES,
    max_columns: int = 4,
    max_rows: int = 20,
) -> pa.Table:
    """Draw tables of columns of the given types, each in one or two chunks.

    Parameters
    ----------
    types : sequence of pyarrow.DataType
        From which the types of the columns are drawn.
    max_columns, max_rows : int
        The most columns and rows; both may be none.
    """
    kinds = draw(st.lists(st.sampled_from(list(types)), max_size=max_columns))
    parts = draw(st.lists(st.integers(0, max_rows // 2), min_size=1, max_size=2))
    columns = {
        f"c{place}": pa.chunked_array(
            [draw(arrow_arrays(kind, min_size=rows, max_size=rows)) for rows in parts], type=kind
        )
        for place, kind in enumerate(kinds)
    }
    return pa.table(columns)
