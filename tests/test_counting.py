from __future__ import annotations

import math
from bisect import bisect_right

import numpy as np
import pyarrow as pa
import pytest

from kl_drift.counts import counting
from kl_drift.counts.bins import CategoryBins, NumericBins, level_hash, successor
from kl_drift.counts.counting import EdgeSearch, Tally, counter, finite_range, used_levels
from kl_drift.counts.profile import ValueRange
from kl_drift.errors import BinsMismatchError

MAX = 1.7976931348623157e308
TINY = 5e-324
RNG = np.random.default_rng(20130101)  # of the edges; each test draws values of its own


def ulps(start, steps):
    """Return ``start`` and the floats that follow it."""
    values = [start]
    for _ in range(steps):
        values.append(math.nextafter(values[-1], math.inf))
    return values


FLOAT_EDGES = {
    "none": [],
    "zero": [0.0],
    "one": [0.3],
    "largest": [MAX],
    "smallest": [-MAX],
    "an atom at zero": [0.0, TINY],
    "atoms": sorted({edge for x in (-2.0, 0.0, 1.0, 2.0, 7.0) for edge in (x, successor(x))}),
    "neighbours": ulps(1.0, 1),
    "four in a row": ulps(1.0, 3),
    "nine in a row": ulps(-1.0, 8),
    "one row among many": [*ulps(0.1, 6), 1.0, 2.0, 50.0],
    "subnormal": [TINY, 2 * TINY, 3 * TINY],
    "around zero": ulps(-3 * TINY, 6),
    "tiny span": [0.0, 1e-320],
    "span overflows": [-MAX, MAX],
    "span overflows within": [-MAX, -1.0, 0.0, 1.0, MAX],
    "every magnitude": [-(10.0**k) for k in range(300, -301, -25)]
    + [10.0**k for k in range(-300, 301, 25)],
    "uniform": np.linspace(-3, 3, 21).tolist(),
    "heavy tail": sorted(RNG.pareto(0.5, 300).tolist()),
    "hundreds": sorted(RNG.normal(size=700).tolist()),
    "offset": sorted((1e9 + RNG.normal(size=40)).tolist()),
    "integers beyond 2⁵³": [2.0**53, 2.0**53 + 2, 2.0**60],
    "crowded by an outlier": [*np.linspace(0, 1, 30).tolist(), 1e300],
}


def adversaries(edges, dtype=np.float64):
    """Return the edges, their neighbours, what lies between them, and every special float."""
    rng = np.random.default_rng(len(edges))
    near = [math.nextafter(edge, side) for edge in edges for side in (-math.inf, math.inf)]
    special = [0.0, -0.0, TINY, -TINY, MAX, -MAX, math.inf, -math.inf, math.nan, 2.2e-308, 1.0]
    low, high = (min(edges), max(edges)) if edges else (-1.0, 1.0)
    steps = np.linspace(0, 1, 200)
    between = low * (1 - steps) + high * steps
    wide = rng.normal(size=200) * 10.0 ** rng.integers(-300, 300, 200)
    with np.errstate(over="ignore"):
        values = np.concatenate([edges, near, special, between, wide]).astype(dtype)
    return rng.permutation(values)


def searched(edges, values):
    """Return what the counts must be: numpy's search, NaN apart."""
    present = values[~np.isnan(values)] if values.dtype.kind == "f" else values
    places = np.searchsorted(np.asarray(edges), present, side="right")
    return np.bincount(places, minlength=len(edges) + 1).tolist(), len(values) - len(present)


def bisected(edges, values):
    """Return what the counts must be, by way of Python integers."""
    counts = [0] * (len(edges) + 1)
    for value in values.tolist():
        counts[bisect_right(edges, value)] += 1
    return counts


def assert_counts(edges, values) -> None:
    counts, nans = EdgeSearch(tuple(edges)).count(values)
    assert (counts.tolist(), nans) == searched(np.asarray(edges, np.float64), values)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize("name", FLOAT_EDGES)
def test_floats_fall_where_a_search_finds_them(name, dtype) -> None:
    edges = FLOAT_EDGES[name]
    assert_counts(edges, adversaries(edges, dtype))


@pytest.mark.parametrize("grid", [counting._UniformMap, counting._BitMap])
@pytest.mark.parametrize("name", [name for name, edges in FLOAT_EDGES.items() if edges])
def test_either_grid_counts_exactly(name, grid, monkeypatch) -> None:
    monkeypatch.setattr(counting, "_ambiguity", lambda each, _: not isinstance(each, grid))
    edges = FLOAT_EDGES[name]
    assert_counts(edges, adversaries(edges))


@pytest.mark.parametrize(
    ("name", "grid"),
    [
        ("uniform", counting._UniformMap),
        ("offset", counting._UniformMap),
        ("heavy tail", counting._BitMap),
        ("every magnitude", counting._BitMap),
        ("crowded by an outlier", counting._BitMap),
        ("span overflows", counting._BitMap),
        ("tiny span", counting._BitMap),
        ("zero", counting._BitMap),
    ],
)
def test_the_grid_suits_the_edges(name, grid) -> None:
    assert type(counting._Grid(np.array(FLOAT_EDGES[name]))._map) is grid


WITHOUT_UNIFORM_GRID = {
    *("zero", "one", "largest", "smallest"),  # no span
    *("an atom at zero", "subnormal", "around zero", "tiny span"),  # too narrow to divide
    *("span overflows", "span overflows within"),
}


@pytest.mark.parametrize("make", [counting._UniformMap, counting._BitMap])
@pytest.mark.parametrize("name", [name for name, edges in FLOAT_EDGES.items() if edges])
def test_a_grid_is_monotone_and_has_room_at_both_ends(name, make) -> None:
    edges = np.array(FLOAT_EDGES[name])
    grid = make.over(edges)
    if make is counting._UniformMap and name in WITHOUT_UNIFORM_GRID:
        assert grid is None
        return
    values = adversaries(FLOAT_EDGES[name])
    cells = grid(np.sort(values[~np.isnan(values)]))
    assert cells.min() >= 0
    assert cells.max() < counting._GRID
    assert (np.diff(cells) >= 0).all()
    assert 0 < grid(edges).min() <= grid(edges).max() < counting._GRID - 1


@pytest.mark.parametrize("rows", [0, 1, 2, 32_767, 32_768, 32_769, 65_535, 65_536, 65_537])
@pytest.mark.parametrize("name", ["uniform", "heavy tail", "atoms", "nine in a row"])
def test_no_row_is_lost_where_chunks_meet(rows, name) -> None:
    edges = FLOAT_EDGES[name]
    values = np.random.default_rng(rows).choice(adversaries(edges), rows)
    assert_counts(edges, values)
    counts, nans = EdgeSearch(tuple(edges)).count(values)
    assert counts.sum() + nans == rows


@pytest.mark.parametrize("step", [2, -1])
def test_values_need_not_lie_side_by_side(step) -> None:
    edges = FLOAT_EDGES["uniform"]
    assert_counts(edges, adversaries(edges)[::step])


INTEGER_EDGES = {
    "none": [],
    "zero": [0],
    "an atom": [7, 8],
    "few": [-100, -1, 0, 1, 2, 30, 127, 128, 255, 256],
    "all that int8 holds": list(range(-128, 128)),
    "beyond every type": [-(10**30), 10**30],
    "limits": sorted({2**k + d for k in (7, 8, 15, 16, 31, 32, 63, 64) for d in (-1, 0, 1)}),
    "negative limits": sorted({-(2**k) + d for k in (7, 15, 31, 63) for d in (-1, 0, 1)}),
    "beyond 2⁵³": [2**53 - 1, 2**53, 2**53 + 1, 2**53 + 2, 2**60 + 1],
    "the last": [2**64 - 2, 2**64 - 1],
    "many": sorted({int(x) for x in RNG.integers(-(2**62), 2**62, 300)}),
    "close and far": [*range(1, 40), 2**62],
}


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"])
@pytest.mark.parametrize("name", INTEGER_EDGES)
def test_integers_are_never_compared_by_way_of_floats(name, dtype) -> None:
    edges = INTEGER_EDGES[name]
    limits = np.iinfo(dtype)
    rng = np.random.default_rng(len(edges))
    near = {edge + step for edge in edges for step in (-1, 0, 1)}
    near |= {limits.min, limits.min + 1, limits.max - 1, limits.max, 0, 1}
    near |= set(rng.integers(limits.min, limits.max, 200, dtype=dtype, endpoint=True).tolist())
    values = np.array([x for x in sorted(near) if limits.min <= x <= limits.max], dtype)
    counts, nans = EdgeSearch(tuple(edges)).count(values)
    assert nans == 0
    assert counts.tolist() == bisected(edges, values)


def test_python_integers_are_compared_exactly() -> None:
    edges = [-(10**40), 2**53 + 1, 10**40, 10**40 + 1]
    values = np.array([edge + step for edge in edges for step in (-1, 0, 1)] * 3, object)
    counts, nans = EdgeSearch(tuple(edges)).count(values)
    assert (counts.tolist(), nans) == (bisected(edges, values), 0)


def test_one_search_counts_every_width() -> None:
    search = EdgeSearch((-1, 0, 300))
    for dtype in ("i1", "u1", "i2", "u8", object, "i1"):
        values = np.array([0, 1, 100], dtype)
        assert search.count(values)[0].tolist() == [0, 0, 3, 0]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([], np.float64), None),
        (np.array([math.nan, math.inf, -math.inf]), None),
        (np.array([math.nan, 2.0, math.inf, -3.0]), (-3.0, 2.0)),
        (np.array([-0.0]), (0.0, 0.0)),
        (np.array([MAX, -MAX]), (-MAX, MAX)),
        (np.array([1.5, math.nan], np.float16), (1.5, 1.5)),
        (np.array([2**64 - 1, 0], np.uint64), (0, 2**64 - 1)),
        (np.array([10**40, -(10**40)], object), (-(10**40), 10**40)),
    ],
)
def test_the_range_is_that_of_the_finite_values(values, expected) -> None:
    found = finite_range(values)
    assert found == expected
    assert str(found) == str(expected)  # neither −0.0 nor a numpy number


def test_every_kind_of_float_has_its_cell() -> None:
    bins = NumericBins(domain="float", edges=(0.0, 1.0))
    array = pa.array([-math.inf, -1.0, -0.0, 0.5, 1.0, math.inf, math.nan, math.nan, None])
    tally = counter(bins).count(array)
    assert tally.counts.tolist() == [2, 2, 2, 2, 1]
    assert tally.range == ValueRange(domain="float", minimum=-1.0, maximum=1.0)


def test_integers_have_no_cell_for_nan() -> None:
    bins = NumericBins(domain="integer", edges=(0, 1))
    assert counter(bins).count(pa.array([-5, 0, 1, None])).counts.tolist() == [1, 1, 1, 1]


def test_times_are_counted_in_microseconds() -> None:
    bins = NumericBins(domain="instant", edges=(1_000_000, 2_000_000))
    seconds = pa.array([0, 1, 2, None], pa.timestamp("s", "UTC"))
    nanoseconds = pa.array([999_999_999, 1_000_000_000, 1_999_999_999], pa.timestamp("ns", "UTC"))
    assert counter(bins).count(seconds).counts.tolist() == [1, 1, 1, 1]
    assert counter(bins).count(nanoseconds).counts.tolist() == [1, 2, 0, 0]


def test_a_change_of_a_decimal_s_scale_changes_no_cell() -> None:
    bins = NumericBins(domain="decimal", edges=(150, 151), scale=2)
    for kind in (
        pa.decimal128(5, 2),
        pa.decimal128(9, 4),
        pa.decimal256(60, 30),
        pa.decimal128(38, 6),
    ):
        array = pa.array(["1.49", "1.50", "1.51", None], pa.string()).cast(kind)
        assert counter(bins).count(array).counts.tolist() == [1, 1, 1, 1]


def test_nothing_is_counted_as_nothing() -> None:
    for bins in (
        NumericBins(domain="float", edges=(0.0,)),
        CategoryBins(domain="string", levels=("a",)),
    ):
        empty = counter(bins).empty()
        assert empty.counts.tolist() == [0] * bins.cells
        assert (empty.range, empty.unseen) == (None, {})


def test_a_column_of_nothing_but_nulls() -> None:
    for bins in (
        NumericBins(domain="float", edges=(0.0,)),
        NumericBins(domain="integer", edges=(2**60, 2**60 + 1)),
        NumericBins(domain="decimal", edges=(0,), scale=2),
        NumericBins(domain="instant", edges=(0,)),
        CategoryBins(domain="string", levels=("a",)),
        CategoryBins(domain="hour", levels=("07",)),
    ):
        tally = counter(bins).count(pa.nulls(3))
        assert tally.counts.tolist() == [0] * (bins.cells - 1) + [3]
        assert tally.range is None


CATEGORIES = CategoryBins(
    domain="string",
    levels=("a", "b"),
    known=b"".join(sorted([level_hash("rare"), level_hash("rarer")])),
)


@pytest.mark.parametrize(
    "array",
    [
        pa.array(["b", "a", "rare", None, "new", "a", "newer", "new", "rarer"]),
        pa.array(["b", "a", "rare", None, "new", "a", "newer", "new", "rarer"], pa.large_string()),
        pa.array(["b", "a", "rare", None, "new", "a", "newer", "new", "rarer"], pa.string_view()),
        pa.DictionaryArray.from_arrays(
            pa.array([1, 0, 4, 5, 6, 2, 7, 6, 8], pa.uint64()),
            pa.array(["a", "b", "a", "unused", "rare", None, "new", "newer", "rarer"]),
        ),
    ],
    ids=["string", "large", "view", "dictionary"],
)
def test_levels_fall_into_their_cell_other_or_unseen(array) -> None:
    tally = counter(CATEGORIES).count(array)
    assert tally.counts.tolist() == [2, 1, 2, 3, 1]
    assert tally.unseen == {"new": 2, "newer": 1}


def test_the_empty_text_is_a_level() -> None:
    bins = CategoryBins(domain="string", levels=("",))
    assert counter(bins).count(pa.array(["", None, " "])).counts.tolist() == [1, 0, 1, 1]


def test_fifty_unseen_levels_are_named() -> None:
    tally = counter(CATEGORIES).count(pa.array([f"level {i}" for i in range(80)]))
    assert tally.counts.tolist() == [0, 0, 0, 80, 0]
    assert len(tally.unseen) == 50


def test_used_levels_are_those_that_rows_hold() -> None:
    array = pa.DictionaryArray.from_arrays(
        pa.array([0, 3, 3, None, 4, 2]), pa.array(["a", "unused", "b", "a", None])
    )
    levels, rows = used_levels(array)
    assert dict(zip(levels.to_pylist(), rows.tolist(), strict=True)) == {"a": 3, "b": 1}


def test_tallies_add() -> None:
    one = Tally(counts=np.array([1, 2]), unseen={"x": 1})
    two = Tally(
        counts=np.array([0, 5]),
        range=ValueRange(domain="integer", minimum=1, maximum=2),
        unseen={"x": 2, "y": 1},
    )
    both = one + two
    assert both.counts.tolist() == [1, 7]
    assert both.range == two.range
    assert both.unseen == {"x": 3, "y": 1}


def test_tallies_of_other_units_do_not_add() -> None:
    days = Tally(counts=np.array([1]), range=ValueRange(domain="date", minimum=0, maximum=1))
    ticks = Tally(counts=np.array([1]), range=ValueRange(domain="time", minimum=0, maximum=1))
    with pytest.raises(BinsMismatchError, match="a range of date cannot join one of time"):
        days + ticks
