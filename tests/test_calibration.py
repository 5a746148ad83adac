from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from kl_drift import canonical
from kl_drift.artefact import profile_to_dict
from kl_drift.counts.bins import CategoryBins, NumericBins, level_hash
from kl_drift.counts.histogram import Histogram
from kl_drift.counts.profile import ColumnProfile, Profile, merge
from kl_drift.errors import BinsMismatchError, DomainError, UsageError
from kl_drift.history.calibration import learn, replay
from kl_drift.history.trend import ewma_trend
from kl_drift.judging.comparison import compare_profiles
from kl_drift.judging.limits import Budget, ColumnLimits, LearnedLimits, LimitPoint
from kl_drift.judging.policy import Policy
from kl_drift.judging.unlearned import Unlearned, WhyNot
from kl_drift.statistics.ordinary import fit_ordinary, fit_without_each, studentised
from kl_drift.statistics.scatter import jointly_off, tail_level, thin
from kl_drift.statistics.smoothing import Smoothing, parse_smoothing

ROOT = Path(__file__).parents[1]
NUMBERS = NumericBins(domain="integer", edges=tuple(range(18)))
LEVELS = CategoryBins(
    domain="string",
    levels=("a", "b", "c"),
    known=b"".join(sorted(map(level_hash, ("rare", "rarer", "rarest")))),
    singletons=12,
)
OFTEN = Budget(false_alarms=1, checks=100)


def profile(name, counts, *, as_of=""):
    """A profile of columns given by bins and counts."""
    columns = {
        column: ColumnProfile(
            type="int64" if bins.ordered else "string",
            histogram=Histogram(bins=bins, counts=tuple(map(int, rows))),
        )
        for column, (bins, rows) in counts.items()
    }
    rows = sum(next(iter(columns.values())).histogram.counts)
    return Profile(columns=columns, rows=rows, sources=(name,), as_of=as_of)


def day(generator, index, rows, *, spread=0.1, shift=0.0):
    """A day of two columns whose shares vary from day to day, more so by ``spread``."""
    place = np.linspace(-1, 1, NUMBERS.cells - 1)
    tilt = np.exp(place * (shift + spread * generator.standard_normal()))
    numbers = np.append(tilt / tilt.sum() * 0.97, 0.03)
    levels = np.array([0.5, 0.3, 0.1, 0.05, 0.0, 0.05]) * np.exp(
        spread * generator.standard_normal(LEVELS.cells)
    )
    return profile(
        f"day {index}",
        {
            "number": (NUMBERS, generator.multinomial(rows, numbers)),
            "level": (LEVELS, generator.multinomial(rows, levels / levels.sum())),
        },
        as_of=f"2013-01-{index + 1:02d}",
    )


def days(count, rows=4_000, seed=7, **options):
    generator = np.random.default_rng(seed)
    sizes = [rows] * count if isinstance(rows, int) else rows
    return [day(generator, index, size, **options) for index, size in enumerate(sizes)]


def without(whole, part):
    """The profile of the rest."""
    columns = {
        name: replace(
            column,
            histogram=Histogram(
                bins=column.histogram.bins,
                counts=tuple(
                    a - b
                    for a, b in zip(
                        column.histogram.counts, part[name].histogram.counts, strict=True
                    )
                ),
            ),
        )
        for name, column in whole.columns.items()
    }
    return replace(whole, columns=columns, rows=whole.rows - part.rows)


def reported(current, reference, column, smoothing="jeffreys", field="kl"):
    method = parse_smoothing(smoothing)
    return getattr(compare_profiles(current, reference, Policy(), method)[column], field)


def by_hand(divergences, alpha):
    x = np.cbrt(divergences)
    quantile = stats.t.isf(alpha, len(x) - 1)
    return (x.mean() + quantile * x.std(ddof=1) * math.sqrt(1 + 1 / len(x))) ** 3


# --- the rule


@pytest.mark.parametrize("column", ["number", "level"])
def test_the_limit_is_the_rule_by_hand(column) -> None:
    history = days(20)
    reference = merge(history)
    limits = learn(history, reference, budget=OFTEN)
    divergences = [reported(h, without(reference, h), column) for h in history]
    assert limits.limit(column, 4_000) == pytest.approx(by_hand(divergences, 0.01), rel=1e-9)


@pytest.mark.parametrize("smoothing", ["laplace", {"floor": 1e-3}])
def test_divergences_are_smoothed_as_those_that_are_judged(smoothing) -> None:
    history = days(20)
    reference = merge(history)
    limits = learn(history, reference, budget=OFTEN, smoothing=smoothing)
    divergences = [reported(h, without(reference, h), "level", smoothing) for h in history]
    assert limits.limit("level", 4_000) == pytest.approx(by_hand(divergences, 0.01), rel=1e-9)
    assert limits.smoothing == str(parse_smoothing(smoothing))


def test_null_flags_have_limits_of_their_own() -> None:
    history = days(20)
    reference = merge(history)
    limits = learn(history, reference, budget=OFTEN)
    flags = [reported(h, without(reference, h), "number", field="kl_null") for h in history]
    assert limits.null_limit("number", 4_000) == pytest.approx(by_hand(flags, 0.01), rel=1e-9)


def test_a_column_without_nulls_has_no_limit_for_them() -> None:
    generator = np.random.default_rng(0)
    history = [
        profile(f"{i}", {"x": (NUMBERS, [*generator.multinomial(900, [1 / 19] * 19), 0])})
        for i in range(14)
    ]
    limits = learn(history, merge(history))
    assert set(limits.columns) == {"x"}
    assert limits.nulls == {}
    assert limits.null_limit("x", 900) is None


def test_no_smoothing_is_refused() -> None:
    with pytest.raises(UsageError, match=r"may be infinite; choose 'jeffreys'"):
        learn(days(14), merge(days(14)), smoothing="none")


# --- the reference without h


def test_a_reference_that_stands_apart_is_used_as_it_is() -> None:
    history, apart = days(20), days(1, seed=8)[0]
    reference = replace(apart, sources=("elsewhere",))
    limits = learn(history, reference, budget=OFTEN)
    divergences = [reported(h, reference, "number") for h in history]
    assert limits.limit("number", 4_000) == pytest.approx(by_hand(divergences, 0.01), rel=1e-9)


def test_only_snapshots_inside_the_reference_are_taken_off_it() -> None:
    history = days(20)
    reference = merge(history[:10])
    limits = learn(history, reference, budget=OFTEN)
    divergences = [
        reported(h, without(reference, h) if i < 10 else reference, "number")
        for i, h in enumerate(history)
    ]
    assert limits.limit("number", 4_000) == pytest.approx(by_hand(divergences, 0.01), rel=1e-9)


def test_a_source_that_is_named_alike_is_not_inside() -> None:
    history = [replace(h, sources=("a table in memory",)) for h in days(20)]
    reference = replace(days(1, seed=8)[0], sources=("a table in memory",))
    limits = learn(history, reference, budget=OFTEN)
    divergences = [reported(h, reference, "number") for h in history]
    assert limits.limit("number", 4_000) == pytest.approx(by_hand(divergences, 0.01), rel=1e-9)


def test_a_snapshot_that_is_the_reference_says_nothing() -> None:
    history = days(20)
    limits = learn(history, history[3], budget=OFTEN)
    assert limits.left_out == {"2013-01-04": Unlearned(kind=WhyNot.REFERENCE)}
    divergences = [reported(h, history[3], "level") for h in history if h is not history[3]]
    assert limits.limit("level", 4_000) == pytest.approx(by_hand(divergences, 0.01), rel=1e-9)


# --- matched on rows


def test_large_days_say_what_small_days_do() -> None:
    """Thinned to 500 rows, days of 50,000 set the limit that days of 500 do."""
    reference = replace(merge(days(30, 50_000, seed=9)), sources=("elsewhere",))
    from_large, from_small = (learn(days(60, rows), reference) for rows in (50_000, 500))
    for column in ("number", "level"):
        limit, truth = from_large.limit(column, 500), from_small.limit(column, 500)
        assert limit == pytest.approx(truth, rel=0.3)
        assert limit > 2 * from_large.limit(column, 50_000)


def test_of_large_snapshots_those_that_are_half_as_large_speak() -> None:
    history = days(30, [1_000] * 15 + [9_000] * 15)
    points = learn(history, merge(history)).columns["number"].points
    assert {point.rows: point.snapshots for point in points} == {
        250: 30, 500: 30, 1_000: 30, 2_000: 30, 4_000: 15, 8_000: 15, 9_000: 15,
    }  # fmt: skip


def test_where_few_are_large_enough_the_eight_largest_speak() -> None:
    history = days(20, [1_000] * 10 + [1_500] * 7 + [50_000] * 3)
    points = learn(history, merge(history)).columns["number"].points
    assert points[-1].rows == 50_000
    assert points[-1].snapshots == 3 + 7  # the eighth largest is tied with six others
    sizes = list(range(1_000, 20_000, 1_000))
    points = learn(days(19, sizes), merge(days(19, sizes))).columns["number"].points
    assert points[-1].rows == 19_000
    assert points[-1].snapshots == 10  # 10,000 rows and more
    sizes = [*range(100, 1_400, 100), 9_000]
    points = learn(days(14, sizes), merge(days(14, sizes))).columns["number"].points
    assert points[-1].snapshots == 8


def test_beyond_the_largest_the_limit_stays_and_below_the_smallest_there_is_none() -> None:
    limits = learn(days(14), merge(days(14)))
    assert limits.limit("number", 10**9) == limits.limit("number", 4_000)
    assert limits.limit("number", 249) is None
    assert limits.limit("number", 250) > limits.limit("number", 4_000)


def test_small_snapshots_set_limits_for_their_own_size() -> None:
    limits = learn(days(14, 100), merge(days(14, 100)))
    assert [point.rows for point in limits.columns["number"].points] == [100]
    assert limits.limit("number", 99) is None


def test_snapshots_of_billions_of_rows() -> None:
    generator = np.random.default_rng(1)
    shares = np.full(NUMBERS.cells, 1 / NUMBERS.cells)
    history = [
        profile(f"{i}", {"x": (NUMBERS, generator.multinomial(4 * 10**9, shares))})
        for i in range(14)
    ]
    points = learn(history, merge(history)).columns["x"].points
    assert points[-1].rows == 250 * 2**18
    noise = (NUMBERS.cells - 1) / 2 / points[-1].rows
    assert points[-1].mean ** 3 == pytest.approx(noise, rel=0.3)


# --- what is learned from


def test_fewer_than_fourteen_snapshots_set_no_limit() -> None:
    limits = learn(days(13), merge(days(13)))
    assert limits.columns == {}
    assert limits.limit("number", 4_000) is None
    reason = Unlearned(kind=WhyNot.TOO_FEW, snapshots=13, needed=14)
    assert limits.unlearned == {"level": reason, "number": reason}


def test_no_history_sets_no_limit() -> None:
    limits = learn([], days(1)[0])
    assert (limits.columns, limits.snapshots) == ({}, ())
    assert replay([], days(1)[0]) == ()


def test_a_column_that_some_snapshots_lack_is_learned_from_the_others() -> None:
    history = days(20)
    reference = merge(history)
    for i in (0, 5):
        columns = {"level": history[i]["level"], "number": ColumnProfile(type="string")}
        history[i] = replace(history[i], columns=columns if i else {"level": history[i]["level"]})
    limits = learn(history, reference, budget=OFTEN)
    present = [h for i, h in enumerate(history) if i not in (0, 5)]
    divergences = [reported(h, without(reference, h), "number") for h in present]
    assert limits.limit("number", 4_000) == pytest.approx(by_hand(divergences, 0.01), rel=1e-9)
    assert limits.columns["level"].points[-1].snapshots == 20
    assert len(replay(history, reference)) == 38


def test_other_bins_are_refused_with_both_digests() -> None:
    history = days(14)
    other = NumericBins(domain="integer", edges=tuple(range(1, 19)))
    stranger = profile("stranger", {"number": (other, [1] * 20)})
    reference = merge(history)
    with pytest.raises(BinsMismatchError) as refused:
        learn([*history, stranger], reference)
    digests = stranger.bins_digest[:12], reference.bins_digest[:12]
    for part in ("stranger", "columns that differ: number)", *digests, "scan it like"):
        assert part in str(refused.value)


@pytest.mark.parametrize("by", ["as_of", "source", "digest"])
def test_incidents_leave_the_history(by) -> None:
    history = days(20)
    incident = day(np.random.default_rng(3), 19, 4_000, shift=3)
    names = {
        "as_of": incident.as_of,
        "source": incident.sources[0],
        "digest": profile_to_dict(incident)["digest"][:8],
    }
    history[19] = incident
    reference = days(1, seed=8)[0]
    every = learn(history, reference)
    normal = learn(history, reference, leave_out=[names[by]])
    assert normal.left_out["2013-01-20"] == Unlearned(kind=WhyNot.ON_REQUEST)
    assert normal.columns == learn(history[:19], reference).columns
    assert every.odd["2013-01-20"].keys() == {"number"}
    assert normal.limit("number", 4_000) == pytest.approx(every.limit("number", 4_000), rel=0.05)


def test_a_name_that_is_not_there_is_answered_with_the_nearest() -> None:
    history = days(14)
    with pytest.raises(UsageError, match=r"'2013-01-1x'.*Did you mean '2013-01-1"):
        learn(history, merge(history), leave_out=["2013-01-1x"])


def test_snapshots_of_one_name_are_told_apart_by_digest() -> None:
    history = [replace(h, as_of="", sources=("table",)) for h in days(14)]
    limits = learn(history, days(1, seed=8)[0])
    assert len(set(limits.snapshots)) == 14
    digests = {f"table {profile_to_dict(h)['digest'][:12]}" for h in history}
    assert set(limits.snapshots) == digests


def test_a_snapshot_given_twice_counts_once() -> None:
    history = days(14)
    assert learn([*history, history[0]], merge(history)) == learn(history, merge(history))


def test_a_snapshot_without_rows_says_nothing() -> None:
    empty = profile("empty", {"number": (NUMBERS, [0] * 20), "level": (LEVELS, [0] * 6)})
    history = days(14)
    limits = learn([*history, empty], merge(history))
    assert limits.left_out == {"empty": Unlearned(kind=WhyNot.NO_ROWS)}
    assert limits.columns == learn(history, merge(history)).columns


def test_a_column_that_never_changes_has_a_limit_near_nothing() -> None:
    history = [profile(f"{i}", {"x": (NUMBERS, [100] * 20)}, as_of=f"{i}") for i in range(14)]
    limit = learn(history, merge(history)).limit("x", 2_000)
    assert limit == pytest.approx(0, abs=1e-6)


# --- heavy tails


def many_days(columns, count, scale, seed=5, rows=(20_000,)):
    """Days whose columns are tilted by t variables with 2.5 degrees of freedom: heavy-tailed."""
    generator = np.random.default_rng(seed)
    place = np.linspace(-1, 1, 12)
    bins = NumericBins(domain="integer", edges=tuple(range(10)))
    history = []
    for index in range(count):
        counts = {}
        for column in range(columns):
            tilt = np.exp(scale * generator.standard_t(2.5) * place)
            size = rows[index % len(rows)]
            counts[f"{column}"] = (bins, generator.multinomial(size, tilt / tilt.sum()))
        history.append(profile(f"day {index}", counts))
    return history


def test_heavy_tailed_days_are_noticed_from_all_columns_together() -> None:
    heavy, light = many_days(20, 20, scale=0.1), many_days(20, 20, scale=0.0)
    alpha = Budget().alpha
    point = learn(heavy, merge(heavy)).columns["0"].at(20_000)
    assert point.level < alpha / 10
    assert point.quantile == pytest.approx(stats.t.isf(point.level, point.snapshots - 1), rel=1e-6)
    assert learn(light, merge(light)).columns["0"].at(20_000).level > alpha / 3


def test_few_columns_take_the_tail_of_t() -> None:
    history = many_days(5, 20, scale=0.1)
    point = learn(history, merge(history)).columns["0"].at(20_000)
    assert point.level == Budget().alpha
    assert point.quantile == pytest.approx(stats.t.isf(Budget().alpha, 19), rel=1e-6)


def with_an_incident(history, index=4):
    """The same history, but on one day every column moved."""
    counts = tuple(range(100, 1_150, 100)), (20_000 - sum(range(100, 1_150, 100)),)
    moved = {
        name: replace(column, histogram=replace(column.histogram, counts=sum(counts, ())))
        for name, column in history[index].columns.items()
    }
    return [*history[:index], replace(history[index], columns=moved), *history[index + 1 :]]


def test_an_incident_is_suspected_and_no_part_of_the_tails() -> None:
    ordinary = many_days(20, 20, scale=0.0)
    history = with_an_incident(ordinary)
    limits = learn(history, merge(history))
    assert limits.suspects == ("day 4",)
    assert "day 4" in limits.snapshots
    assert limits.columns["0"].at(20_000).level > Budget().alpha / 3
    assert learn(ordinary, merge(ordinary)).suspects == ()
    assert learn(history, merge(history), leave_out=["day 4"]).suspects == ()


def test_days_of_few_rows_are_noisier_and_no_suspects() -> None:
    history = many_days(30, 20, scale=0.0, rows=(400, 900, 800, 1_000))
    assert learn(history, merge(history)).suspects == ()


def test_replay_finds_an_incident_of_many_columns() -> None:
    history = with_an_incident(many_days(20, 20, scale=0.1))
    found = replay(history, merge(history))
    named = [each.column for each in found if each.exceeds and each.snapshot == "day 4"]
    assert len(named) > 15


# --- replay


def test_replay_learns_from_all_the_others() -> None:
    history = days(20)
    reference = replace(days(1, seed=8)[0], sources=("elsewhere",))
    found = replay(history, reference, budget=OFTEN)
    assert len(found) == 40
    for each in found:
        others = [h for h in history if h.as_of != each.snapshot]
        (this,) = (h for h in history if h.as_of == each.snapshot)
        assert each.kl == pytest.approx(reported(this, reference, each.column), rel=1e-9)
        limit = learn(others, reference, budget=OFTEN).limit(each.column, this.rows)
        assert each.limit == pytest.approx(limit, rel=1e-9)


def test_replay_finds_the_incident() -> None:
    history = days(30)
    history[17] = day(np.random.default_rng(3), 17, 4_000, shift=2)
    reference = merge(history[:10])
    found = [(each.snapshot, each.column) for each in replay(history, reference) if each.exceeds]
    assert found == [("2013-01-18", "number")]


def test_replay_says_nothing_of_snapshots_too_small() -> None:
    history = days(15, [4_000] * 14 + [100])
    (small,) = (
        each
        for each in replay(history, merge(history))
        if each.rows == 100 and each.column == "number"
    )
    assert (small.limit, small.exceeds) == (None, False)


# --- values


def test_a_budget_is_a_share_of_the_checks() -> None:
    assert Budget().alpha == 1 / 3_000
    assert Budget.monthly(2, columns=50, checks_per_month=8).alpha == 2 / 400


@pytest.mark.parametrize(
    "wrong", [{"false_alarms": 0}, {"checks": -1}, {"checks": math.inf}, {"false_alarms": math.nan}]
)
def test_a_budget_must_be_above_nothing(wrong) -> None:
    with pytest.raises(UsageError, match="above 0"):
        Budget(**wrong)


def test_a_budget_of_more_than_one_in_ten_is_a_mistake() -> None:
    with pytest.raises(UsageError, match="more than one in ten"):
        Budget.monthly(10, columns=2)


def point(rows, **changes):
    fields = {"snapshots": 20, "mean": 0.1, "sd": 0.02, "level": 0.01, "quantile": 2.5}
    return LimitPoint(rows=rows, **(fields | changes))


@pytest.mark.parametrize("rows", [(), (500, 250), (250, 250)])
def test_points_must_increase(rows) -> None:
    with pytest.raises(UsageError, match="increasing rows"):
        ColumnLimits(points=tuple(map(point, rows)))


def test_between_points_moments_are_linear_in_log_rows() -> None:
    column = ColumnLimits(points=(point(250), point(1_000, mean=0.05, snapshots=16)))
    assert column.at(500) == point(500, mean=pytest.approx(0.075), snapshots=16)
    assert column.limit(250) == pytest.approx((0.1 + 2.5 * 0.02 * math.sqrt(1.05)) ** 3)
    assert column.at(1_000).mean == column.at(5_000).mean == 0.05


def test_z_scores() -> None:
    assert point(250).z_score(0.12**3) == pytest.approx(1 / math.sqrt(1.05))
    assert point(250, sd=0.0).z_score(0.3) == math.inf
    assert point(250, sd=0.0).z_score(0.0) == -math.inf
    assert point(250, sd=0.0, mean=0.0).z_score(0.0) == 0


def test_limits_survive_json() -> None:
    limits = learn(days(14), merge(days(14)), leave_out=())
    plain = json.loads(canonical.dumps(limits.to_dict()))
    assert LearnedLimits.from_dict(plain) == limits
    written = {"at": limits.created, "by": limits.created_by}
    read = LearnedLimits.from_dict(
        {"kl_drift": "limits", "version": 1, "written": written, **plain}
    )
    assert (read.created, read.created_by) == (limits.created, limits.created_by)
    assert plain["columns"]["number"]["points"][-1]["limit"] == limits.limit("number", 4_000)


def test_a_document_without_budget_is_no_limits() -> None:
    plain = learn(days(14), merge(days(14))).to_dict()
    del plain["budget"]
    with pytest.raises(KeyError, match="budget"):
        LearnedLimits.from_dict(plain)


# --- scatter


def one_class(values):
    return np.zeros(np.shape(values)[-1:], np.int64)


def residuals_of(values):
    x = np.asarray(values, np.float64)
    return studentised(x, fit_without_each(x, fit_ordinary(x, one_class(x)), one_class(x)))


def test_moments_and_those_without_each_by_hand() -> None:
    x = np.array([[3.0, 1.0, np.nan, 4.0, 1.5], [2.0, 2.5, 9.0, 0.1, 7.0]])
    every = fit_ordinary(x, one_class(x))
    others = fit_without_each(x, every, one_class(x))
    for row in range(2):
        there = x[row][~np.isnan(x[row])]
        assert every.size[row, 0] == len(there)
        assert every.center[row, 0] == pytest.approx(there.mean())
        assert every.sd[row, 0] == pytest.approx(there.std(ddof=1))
        for i in range(5):
            rest = np.delete(x[row], i)
            rest = rest[~np.isnan(rest)]
            assert others.size[row, i] == len(rest)
            assert others.center[row, i] == pytest.approx(rest.mean())
            assert others.sd[row, i] == pytest.approx(rest.std(ddof=1))


def test_residuals_of_normal_values_are_t() -> None:
    x = np.random.default_rng(4).standard_normal((4_000, 14))
    assert stats.kstest(residuals_of(x)[:, 0], stats.t(12).cdf).pvalue > 0.01


@pytest.mark.parametrize("values", [[1.0], [1.0, 2.0], [np.nan, 1.0, 2.0], [5.0, 5.0, 5.0]])
def test_there_are_no_residuals_without_scatter(values) -> None:
    assert np.isnan(residuals_of(values)).all()


def test_what_alone_differs_has_no_residual() -> None:
    residuals = residuals_of([0.3, 0.3, 0.3, 0.3, 1e9])
    assert np.isnan(residuals[-1])
    assert not np.isnan(residuals[:-1]).any()


@pytest.mark.parametrize("alpha", [0.01, 1e-3, 1e-5])
@pytest.mark.parametrize("index", [0.3, 0.6])
def test_the_level_of_a_heavier_tail(alpha, index) -> None:
    """If P(p-value < u) is u^β, a share alpha of them lies below alpha^(1/β)."""
    uniform = np.random.default_rng(6).random(40_000)
    level = tail_level(uniform ** (1 / index), alpha)
    assert math.log(level) == pytest.approx(math.log(alpha) / index, rel=0.06)


def test_the_level_of_uniform_p_values_is_about_alpha() -> None:
    levels = [tail_level(np.random.default_rng(i).random(3_000), 1 / 3_000) for i in range(40)]
    assert np.median(levels) > 0.5 / 3_000


def test_a_lighter_tail_is_not_trusted() -> None:
    assert tail_level(np.random.default_rng(0).random(3_000) ** 0.5, 1e-3) == 1e-3


def test_a_few_residuals_say_nothing_of_the_tail() -> None:
    values = np.random.default_rng(0).random(279) ** 4
    assert tail_level(values, 1e-3) == 1e-3
    assert tail_level([*values, 1e-9], 1e-3) < 1e-6
    assert tail_level([*values, np.nan], 1e-3) == 1e-3


def test_thinned_counts_have_the_hypergeometric_law() -> None:
    counts, rows = np.array([50, 30, 15, 5]), 40
    generator = np.random.default_rng(2)
    drawn = np.array([thin(counts, rows, generator) for _ in range(4_000)])
    law = stats.multivariate_hypergeom(counts, rows)
    assert drawn.mean(axis=0) == pytest.approx(law.mean(), abs=0.2)
    assert np.cov(drawn.T) == pytest.approx(law.cov(), abs=0.6)


def test_jointly_off_is_a_binomial_test() -> None:
    p_values = np.full((20, 4), 0.5)
    p_values[:13, 1] = 0.01
    p_values[:7, 2] = 0.01
    p_values[3, 3] = np.nan
    elsewhere = [13 / 59, 7 / 59]
    chances = [stats.binom.sf(6, 20, elsewhere[0]), stats.binom.sf(12, 20, elsewhere[1])]
    assert chances[0] > 1e-6 > chances[1]
    assert jointly_off(p_values).tolist() == [False, True, False, False]


def test_few_columns_off_are_no_incident() -> None:
    p_values = np.full((4, 20), 0.5)
    p_values[:, 3] = 1e-12
    assert not jointly_off(p_values).any()
    p_values = np.full((5, 20), 0.5)
    p_values[:, 3] = 1e-12
    assert jointly_off(p_values).tolist() == [day == 3 for day in range(20)]


# --- trends


def learned_from(x):
    """Limits of a column whose cube roots of KL were ``x``."""
    learned = point(
        250, snapshots=len(x), mean=float(np.mean(x)), sd=float(np.std(x, ddof=1)), level=1e-3
    )
    return LearnedLimits(columns={"x": ColumnLimits(points=(learned,))})


def test_the_trend_by_hand() -> None:
    limits = LearnedLimits(columns={"x": ColumnLimits(points=(point(250),))})
    kl = np.array([0.11, 0.14, 0.08]) ** 3
    trend = ewma_trend(limits, "x", kl.tolist(), [250, 300, 900], alpha=0.01)
    z = [0.5, 2.0, -1.0]
    assert trend.statistic == pytest.approx(0.2 * (z[2] + 0.8 * z[1] + 0.64 * z[0]))
    variance = 0.04 * (1 + 0.8**2 + 0.8**4) + (0.2 * (1 + 0.8 + 0.64)) ** 2 / 20
    assert trend.limit == pytest.approx(stats.t.isf(0.01, 19) * math.sqrt(variance))
    assert trend.snapshots == 3
    assert not trend.exceeds


@pytest.mark.parametrize("length", [1, 5, 30])
def test_trends_are_found_as_often_as_stated_where_there_are_none(length) -> None:
    generator = np.random.default_rng(length)
    found = 0
    for _ in range(3_000):
        limits = learned_from(generator.normal(1, 0.1, 20))
        kl = generator.normal(1, 0.1, length) ** 3
        found += ewma_trend(limits, "x", kl.tolist(), [250] * length, alpha=0.05).exceeds
    assert stats.binomtest(found, 3_000, 0.05).pvalue > 0.001


def test_a_slow_ramp_is_found_that_no_single_day_shows() -> None:
    generator = np.random.default_rng(0)
    slow = single = 0
    for _ in range(300):
        limits = learned_from(generator.normal(1, 0.1, 30))
        kl = (1 + np.linspace(0, 0.25, 30) + generator.normal(0, 0.1, 30)) ** 3
        slow += ewma_trend(limits, "x", kl.tolist(), [250] * 30, alpha=1e-3).exceeds
        single += kl[-1] > limits.columns["x"].at(250).mean ** 3 and (
            limits.columns["x"].at(250).z_score(kl[-1]) > stats.t.isf(1e-3, 29)
        )
    assert slow > 0.9 * 300
    assert single < 0.3 * 300


def test_one_odd_day_is_no_trend() -> None:
    limits = learned_from(np.random.default_rng(0).normal(1, 0.1, 30))
    trend = ewma_trend(limits, "x", [1.0] * 29 + [50.0], [250] * 30)
    assert not trend.exceeds


def test_days_too_small_and_columns_unknown_have_no_trend() -> None:
    limits = LearnedLimits(columns={"x": ColumnLimits(points=(point(250),))})
    assert ewma_trend(limits, "x", [0.1], [249]) is None
    assert ewma_trend(limits, "y", [0.1], [250]) is None
    assert ewma_trend(limits, "x", [], []) is None
    assert ewma_trend(limits, "x", [0.1, 0.1], [249, 250]).snapshots == 1
    flat = LearnedLimits(columns={"x": ColumnLimits(points=(point(250, sd=0.0),))})
    assert ewma_trend(flat, "x", [0.1], [250]) is None


@pytest.mark.parametrize(
    ("kl", "options", "error"),
    [
        ([0.1, 0.2], {}, UsageError),
        ([0.1], {"weight": 0}, UsageError),
        ([0.1], {"weight": 1.1}, UsageError),
        ([0.1], {"alpha": 1.0}, UsageError),
        ([-0.1], {}, DomainError),
        ([math.nan], {}, DomainError),
    ],
)
def test_what_is_no_series_is_refused(kl, options, error) -> None:
    limits = LearnedLimits(columns={})
    with pytest.raises(error):
        ewma_trend(limits, "x", kl, [250], **options)


# --- the room


def test_importing_calibration_does_not_import_scipy() -> None:
    code = (
        "import kl_drift.history.calibration, kl_drift.history.trend, sys;"
        "sys.exit('scipy' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_smoothing_objects_are_taken_too() -> None:
    history = days(14)
    assert learn(history, merge(history), smoothing=Smoothing(method="laplace")) == learn(
        history, merge(history), smoothing="laplace"
    )
