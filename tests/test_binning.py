from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import lognorm, norm

from kl_drift.api import compare, fit
from kl_drift.counts.binning import (
    Categories,
    Edges,
    LevelSample,
    NumberSample,
    Quantiles,
    Uniform,
    fit_levels,
    fit_numbers,
)
from kl_drift.counts.bins import WEEKDAYS, NumericBins, level_hash, same_from, same_until
from kl_drift.counts.counting import EdgeSearch, finite_range
from kl_drift.errors import BinsError
from kl_drift.statistics.divergence import kl_divergence

MAX = 1.7976931348623157e308
TINY = 5e-324


def sample(values, domain="float", scale=0, dtype=None):
    values = np.asarray(values, dtype)
    low, high = finite_range(values) or (None, None)
    return NumberSample(
        domain=domain, values=values, present=len(values), minimum=low, maximum=high, scale=scale
    )


def edges(values, binning=None, **fields):
    return fit_numbers(sample(values, **fields), binning or Quantiles()).edges


def around(value):
    return same_from(value), same_until(value)


def shares(bins, values):
    counts, _ = EdgeSearch(bins.edges).count(values)
    return counts / len(values)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], ()),
        ([math.nan] * 9, ()),
        ([math.inf, -math.inf], ()),
        ([3.0] * 9, around(3.0)),
        ([0.0] * 9, (0.0, TINY)),
        ([-0.0] * 9, (0.0, TINY)),
        ([-1.0, -0.0] * 5, (*around(-1.0), 0.0, TINY)),
        ([MAX] * 9, (same_from(MAX),)),
        ([-MAX] * 9, around(-MAX)),
        ([1.0, 2.0] * 5, (*around(1.0), *around(2.0))),
        ([math.nan, 3.0, math.inf], around(3.0)),
        ([0.3, 0.1 + 0.2] * 5, (same_from(0.3), same_until(0.1 + 0.2))),
        ([1e7 + 1, 1e7 + 2] * 5, (*around(1e7 + 1), *around(1e7 + 2))),
    ],
)
@pytest.mark.parametrize("binning", [Quantiles(), Quantiles(count=3)])
def test_few_distinct_floats(values, expected, binning) -> None:
    found = edges(values, binning, dtype=float)
    assert found == expected
    assert not any(math.copysign(1, edge) < 0 for edge in found if edge == 0)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([7] * 9, (7, 8)),
        ([7, 9], (7, 8, 9, 10)),
        ([1, 2, 3, 4, 5], (1, 2, 3, 4, 5, 6)),
        ([10, 20, 30, 40, 50], (10, 11, 20, 21, 30, 31, 40, 41, 50, 51)),
    ],
)
def test_few_distinct_integers_have_a_cell_each(values, expected) -> None:
    assert edges(values, domain="integer") == expected


@pytest.mark.parametrize("dtype", ["i1", "u1", "i8", "u8", "f2", "f4"])
def test_the_largest_value_of_a_type_has_a_successor(dtype) -> None:
    domain, number, limits = (
        ("float", float, np.finfo(dtype)) if dtype[0] == "f" else ("integer", int, np.iinfo(dtype))
    )
    low, high = number(limits.min), number(limits.max)
    found = edges([low, high], domain=domain, dtype=dtype)
    assert found == (*around(low), *around(high))
    assert {type(edge) for edge in found} == {number}


def test_decimals_of_any_size() -> None:
    found = edges([10**40, 10**40 + 1, 10**41], domain="decimal", scale=2, dtype=object)
    assert found == (10**40, 10**40 + 1, 10**40 + 2, 10**41, 10**41 + 1)


@pytest.mark.parametrize("rows", [100_000, 20_001])
def test_quantile_bins_hold_equal_shares(rows) -> None:
    values = np.random.default_rng(1).lognormal(0, 2, rows)
    plain = fit_numbers(sample(values), Quantiles(tails=()))
    found = shares(plain, values)
    assert found[0] == found[-1] == 0
    np.testing.assert_allclose(found[1:-1], 1 / 20, atol=1.5 / rows)


def test_tails_are_cut_far_out() -> None:
    values = np.random.default_rng(1).normal(size=100_000)
    found = shares(fit_numbers(sample(values), Quantiles()), values)
    expected = [0, 0.001, 0.009, 0.04, *[0.05] * 18, 0.04, 0.009, 0.001, 0]
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_beyond_the_reference_lie_cells_that_it_never_reached() -> None:
    values = np.random.default_rng(1).normal(size=10_000)
    bins = fit_numbers(sample(values), Quantiles())
    assert bins.edges[0] == same_from(float(values.min()))
    assert bins.edges[-1] == same_until(float(values.max()))
    beyond = shares(bins, np.array([values.min() - 1, values.max() + 1]))
    assert beyond[0] == beyond[-1] == 0.5


def test_the_extremes_are_those_of_the_whole_reference_not_of_the_sample() -> None:
    part = NumberSample(
        domain="float", values=np.arange(10.0), present=10**6, minimum=-5.0, maximum=99.0
    )
    for binning in (Quantiles(), Uniform()):
        found = fit_numbers(part, binning).edges
        assert (found[0], found[-1]) == (same_from(-5.0), same_until(99.0))


def test_a_small_reference_has_ten_bins() -> None:
    values = np.random.default_rng(1).normal(size=5_000)
    small, large = sample(values[:4_999]), sample(values)
    assert len(fit_numbers(small, Quantiles(tails=())).edges) == 10 + 1
    assert len(fit_numbers(large, Quantiles(tails=())).edges) == 20 + 1
    assert len(fit_numbers(replace(small, present=10**6), Quantiles(tails=())).edges) == 20 + 1
    assert len(fit_numbers(small, Quantiles(count=40, tails=())).edges) == 40 + 1


@pytest.mark.parametrize("binning", [Quantiles(), Quantiles(count=1), Uniform(), Uniform(count=1)])
@pytest.mark.parametrize(
    "values", [[1.0, 2, 3, 4, 5], [math.nan, 1, 1, 2, math.inf], [0.0, -0.0, 0, 0, 0]]
)
def test_five_rows_of_anything_make_bins(values, binning) -> None:
    bins = fit_numbers(sample(values), binning)
    counts, nans = EdgeSearch(bins.edges).count(np.array(values))
    assert counts.sum() + nans == 5
    assert counts[0] == 0
    assert counts[-1] == (math.inf in values)


def test_an_atom_has_a_cell_of_its_own() -> None:
    rng = np.random.default_rng(1)
    values = np.where(rng.random(20_000) < 0.3, 0.0, rng.normal(size=20_000))
    bins = fit_numbers(sample(values), Quantiles())
    atom = bins.edges.index(0.0) + 1
    assert bins.edges[atom] == TINY
    assert shares(bins, values)[atom] == (values == 0).mean()


@pytest.mark.parametrize(("rows", "atom"), [(50, True), (49, False)])
def test_an_atom_holds_at_least_the_share_of_a_bin(rows, atom) -> None:
    values = np.concatenate([np.full(rows, 0.5), np.random.default_rng(1).random(1000 - rows)])
    found = edges(values, Quantiles(count=20))
    assert ({*around(0.5)} <= set(found)) is atom


def test_half_of_the_zeros_becoming_a_thousandth_is_seen() -> None:
    rng = np.random.default_rng(1)

    def rows(moved):
        values = np.where(rng.random(100_000) < 0.5, 0.0, rng.lognormal(size=100_000))
        values[(values == 0) & (rng.random(100_000) < moved)] = 0.001
        return pa.table({"x": values})

    reference, current = rows(0), rows(0.5)
    plain = np.unique(np.quantile(reference["x"].to_numpy(), np.arange(0.05, 1, 0.05)))
    seen = compare(current, fit(reference))["x"]
    hidden = compare(current, fit(reference, bins=Edges(edges=tuple(plain.tolist()))))["x"]
    assert hidden.kl < 0.001
    assert 0.3 < seen.kl < 0.6
    assert seen.status == "drift"
    assert seen.top_cells[0].label.startswith("above 0 to ")
    zeros = next(cell for cell in seen.cells if cell.label == "exactly 0")
    assert zeros.reference == pytest.approx(0.5, abs=0.01)
    assert zeros.current == pytest.approx(0.25, abs=0.01)


def kept(reference, current, divergence, rows=200_000):
    """Return the share of the true divergence that 20 quantile bins keep."""
    drawn = reference.rvs(rows, random_state=np.random.default_rng(1))
    bins = np.array(fit_numbers(sample(drawn), Quantiles()).edges)
    now, then = (
        np.diff(np.concatenate([[0], each.cdf(bins), [1]])) for each in (current, reference)
    )
    return kl_divergence(now, then) / divergence


def test_the_share_of_the_true_divergence_that_is_kept() -> None:
    wider = -math.log(1.25) + (1.25**2 - 1) / 2
    assert 0.90 <= kept(norm(), norm(scale=1.25), wider) <= 1
    shifted = 0.3**2 / 2
    assert 0.97 <= kept(lognorm(1), lognorm(1, scale=math.exp(0.3)), shifted) <= 1


def test_equal_widths() -> None:
    cuts = (same_from(float(each)) for each in (0, 2, 4, 6, 8))
    assert edges([0.0, 10.0], Uniform(count=5)) == (*cuts, same_until(10.0))
    assert edges([0, 9], Uniform(count=5), domain="integer") == (0, 2, 4, 6, 8, 10)
    assert edges([0, 10], Uniform(count=3), domain="integer") == (0, 4, 8, 11)
    assert edges([0, 2], Uniform(count=9), domain="integer") == (0, 1, 2, 3)


@pytest.mark.parametrize("count", [1, 2, 20])
@pytest.mark.parametrize(
    "values", [[-MAX, MAX], [0.0, TINY], [1.0, 1.0 + 2**-52], [-TINY, TINY], [5.0, 5.0]]
)
def test_equal_widths_of_the_widest_and_the_narrowest_span(values, count) -> None:
    found = edges(values, Uniform(count=count))
    assert found[0] == same_from(values[0])
    assert all(math.isfinite(edge) for edge in found)


@pytest.mark.parametrize(
    ("domain", "scale", "stated", "expected"),
    [
        ("float", 0, (0, "0.5", 1.5, "1e3"), (0.0, 0.5, 1.5, 1000.0)),
        ("integer", 0, (0, 10, "100"), (0, 10, 100)),
        ("integer", 0, (-0.5, 1.0, "1.000000000000000000000000000000000001"), (0, 1, 2)),
        ("integer", 0, (0.2, "9007199254740992.5"), (1, 2**53 + 1)),
        ("integer", 0, ("1" + "0" * 30 + ".5",), (10**30 + 1,)),
        ("decimal", 2, ("12.50", 12.505, "100"), (1250, 1251, 10_000)),
        ("decimal", 2, ("-0.001", "0.001"), (0, 1)),
        ("decimal", -3, ("4999.99", "5001"), (5, 6)),
        ("decimal", 1, ("1" * 40 + ".05",), (int("1" * 40 + "1"),)),
        ("decimal", 10, ("1" * 28 + ".00000000001",), (int("1" * 28 + "0" * 9 + "1"),)),
        ("date", 0, ("1969-12-31", "2013-02-08"), (-1, 15_744)),
        ("time", 0, ("00:00", "08:30:00.000001"), (0, 30_600_000_001)),
        ("timestamp", 0, ("1970-01-02", "1970-01-02T00:00:00.5"), (86_400 * 10**6, 86_400_500_000)),
        ("instant", 0, ("1970-01-01T01:00:00+01:00", "1970-01-01T00:00:01Z"), (0, 10**6)),
        ("instant", 0, ("1970-01-01T00:00:01",), (10**6,)),
        ("duration", 0, (-1, 0.0000001, "90"), (-(10**6), 1, 90 * 10**6)),
    ],
)
def test_stated_edges_are_exact_and_round_up(domain, scale, stated, expected) -> None:
    assert edges([], Edges(edges=stated), domain=domain, scale=scale) == expected


def test_stated_edges_between_the_same_two_integers_are_one_too_many() -> None:
    with pytest.raises(BinsError, match="edges must increase: 1 is followed by 1"):
        edges([], Edges(edges=(0.2, 0.7)), domain="integer")


@pytest.mark.parametrize(
    ("domain", "edge", "hint"),
    [
        ("float", "ten", "write a number, e.g. 0.5"),
        ("float", "2013-01-01", "write a number, e.g. 0.5"),
        ("integer", "ten", "write a number, e.g. 10"),
        ("integer", "nan", "write a number, e.g. 10"),
        ("integer", math.inf, "write a number, e.g. 10"),
        ("decimal", "12,50", 'write a number or text, e.g. "12.50"'),
        ("date", "2013-02-30", 'write text, e.g. "2013-02-08"'),
        ("date", 20130208, 'write text, e.g. "2013-02-08"'),
        ("date", "2013-02-08T12:00", 'write text, e.g. "2013-02-08"'),
        ("time", "25:00", 'write text, e.g. "08:30:00"'),
        ("time", "08:30+01:00", 'write text, e.g. "08:30:00"'),
        ("timestamp", "2013-02-08T12:00:00+00:00", "the column has no time zone"),
        ("timestamp", 0, 'write text, e.g. "2013-02-08T12:00:00"'),
        ("instant", "yesterday", 'write text, e.g. "2013-02-08T12:00:00+00:00"'),
        ("duration", "1:30", "write seconds, e.g. 90"),
    ],
)
def test_an_edge_that_is_none_is_answered_with_an_example(domain, edge, hint) -> None:
    with pytest.raises(BinsError) as caught:
        edges([], Edges(edges=(edge,)), domain=domain)
    assert str(caught.value).startswith(f"edge {edge!r} is not a {domain} (")
    assert hint in str(caught.value)


def test_a_stated_edge_must_be_finite() -> None:
    for edge in (math.nan, math.inf, "nan", "-inf"):
        with pytest.raises(BinsError, match="is not a finite float"):
            edges([], Edges(edges=(edge,)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Quantiles(count=0), "count must be from 1 to 10,000, got 0"),
        (lambda: Uniform(count=-1), "count must be from 1 to 10,000, got -1"),
        (lambda: Quantiles(tails=(0.0,)), "tails are shares between 0 and 1"),
        (lambda: Quantiles(tails=(1,)), "tails are shares between 0 and 1"),
        (Edges, "edges are empty: state at least one"),
        (lambda: Categories(top=0), "top must be from 1 to 10,000, got 0"),
    ],
)
def test_refuses_a_way_of_binning_that_makes_no_bins(make, message) -> None:
    with pytest.raises(BinsError, match=message):
        make()


def levels(rows, domain="string"):
    return LevelSample(domain=domain, rows=rows)


def test_the_commonest_levels_are_kept_and_ties_stand_in_the_order_of_their_text() -> None:
    rows = {"z": 50, "b": 20, "a": 20, "twice": 2, "once": 1, "again": 1}
    bins = fit_levels(levels(rows), Categories(top=3))
    assert bins.levels == ("z", "a", "b")
    assert bins.known == b"".join(sorted(map(level_hash, ("once", "again", "twice"))))
    assert (bins.singletons, bins.doubletons) == (2, 1)


def test_a_level_is_kept_from_ten_rows_on() -> None:
    assert fit_levels(levels({"a": 10, "b": 9}), Categories()).levels == ("a",)
    truth = fit_levels(levels({"true": 9_000, "false": 1}, "boolean"), Categories())
    assert truth.levels == ("true", "false")


def test_the_order_in_which_levels_were_seen_does_not_matter() -> None:
    rows = {f"level {i}": 10 + i % 7 for i in range(200)}
    backwards = dict(reversed(rows.items()))
    assert fit_levels(levels(rows), Categories()) == fit_levels(levels(backwards), Categories())


def test_fifty_levels_are_kept_by_default() -> None:
    bins = fit_levels(levels({f"level {i}": 30 for i in range(60)}), Categories())
    assert len(bins.levels) == 50
    assert len(bins.known) == 8 * 10
    assert bins.singletons == 0


def test_stated_levels_are_kept_whether_the_reference_has_them_or_not() -> None:
    bins = fit_levels(levels({"a": 1, "b": 9}), Categories(levels=("x", "a")))
    assert bins.levels == ("x", "a")
    assert bins.known == level_hash("b")
    with pytest.raises(BinsError, match="'x' is listed twice"):
        fit_levels(levels({}), Categories(levels=("x", "x")))


def test_a_column_without_levels() -> None:
    bins = fit_levels(levels({}), Categories())
    assert (bins.levels, bins.known, bins.singletons, bins.doubletons) == ((), b"", 0, 0)


def test_hours_and_weekdays_stand_in_the_order_of_time() -> None:
    rows = {"17": 9, "06": 1, "08": 5, "07": 7}
    assert fit_levels(levels(rows, "hour"), Categories()).levels == ("06", "07", "08", "17")
    assert fit_levels(levels(rows, "hour"), Categories(top=2)).levels == ("07", "17")
    days = dict.fromkeys(reversed(WEEKDAYS), 1)
    assert fit_levels(levels(days, "weekday"), Categories()).levels == WEEKDAYS


def test_a_run_of_hours_is_named_by_its_ends() -> None:
    def flights(hours):
        return pa.table({"t": pa.array([h * 3600 for h in hours], pa.timestamp("s"))})

    reference = fit(flights([5, 6, 7, 17, 18, 19, 20, 20, 20] * 1000), judge={"t": "hour"})
    current = flights([5, 6, 7, 17, 18, 19, 6, 7, 7] * 1000)
    report = compare(current, reference)["hour(t)"]
    assert {cell.label for cell in report.top_cells} == {"'20'", "'06' to '07'"}


def zipf(rng, rows, new=0.0):
    levels, exponent = 100_000, 1.1
    weights = 1 / np.arange(1, levels + 1) ** exponent
    drawn = rng.choice(levels, rows, p=weights / weights.sum())
    drawn[rng.random(rows) < new] += levels
    return pa.table({"x": drawn.astype(str)})


@pytest.mark.parametrize("rows", [50_000, 100_000])
def test_a_hundred_thousand_levels_without_drift_show_none(rows) -> None:
    rng = np.random.default_rng(1)
    report = compare(zipf(rng, rows), fit(zipf(rng, rows)))["x"]
    assert report.kl < 0.005
    assert report.status == "ok"
    assert {cell.label: cell.current for cell in report.cells}[
        "values never seen in the reference"
    ] > 0.1


def test_new_levels_are_seen() -> None:
    rng = np.random.default_rng(1)

    def rows(new):
        values = rng.integers(0, 100, 50_000)
        values[rng.random(50_000) < new] += 1000
        return pa.table({"x": values.astype(str)})

    reference = fit(rows(0.0))
    assert compare(rows(0.0), reference)["x"].kl < 0.005
    seen = compare(rows(0.02), reference)["x"]
    assert seen.kl > 0.1
    assert seen.status == "drift"
    assert seen.top_cells[0].label == "values never seen in the reference"
    assert len(seen.new_levels) == 50


def test_new_levels_are_told_from_rare_ones() -> None:
    rng = np.random.default_rng(1)
    reference = fit(zipf(rng, 100_000))
    none, some = (compare(zipf(rng, 100_000, new), reference)["x"] for new in (0.0, 0.1))
    assert some.kl > 20 * none.kl
    assert some.top_cells[0].label == "values never seen in the reference"


def test_a_constant_column_that_starts_to_move() -> None:
    reference = fit(pa.table({"x": [3.0] * 5000}))
    assert compare(pa.table({"x": [3.0] * 5000}), reference)["x"].status == "ok"
    moved = compare(pa.table({"x": [3.0] * 4000 + [2.0] * 500 + [4.0] * 500}), reference)["x"]
    assert moved.status == "drift"
    assert {cell.label for cell in moved.top_cells} == {"below 3", "above 3"}


def test_bins_of_a_column_of_nulls_take_what_comes() -> None:
    reference = fit(pa.table({"x": pa.nulls(2000)}))
    assert reference["x"].histogram.bins == NumericBins(domain="float", edges=())
    assert compare(pa.table({"x": pa.nulls(2000)}), reference)["x"].status == "ok"
