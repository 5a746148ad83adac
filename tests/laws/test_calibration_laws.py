from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kl_drift import canonical
from kl_drift.counts.bins import CategoryBins, NumericBins
from kl_drift.counts.histogram import Histogram
from kl_drift.counts.profile import ColumnProfile, Profile, merge
from kl_drift.history.calibration import learn, replay
from kl_drift.history.past import choose_past
from kl_drift.judging.limits import Budget, LearnedLimits
from kl_drift.statistics.ordinary import fit_ordinary, fit_without_each, studentised
from kl_drift.statistics.scatter import tail_level, thin

some = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
KINDS = (
    NumericBins(domain="integer", edges=(1, 5, 9)),
    NumericBins(domain="float", edges=(0.5,)),
    NumericBins(domain="date", edges=()),
    CategoryBins(domain="string", levels=("a", "b"), singletons=3),
)
budgets = st.floats(1e-6, 0.1).map(lambda alpha: Budget(false_alarms=alpha, checks=1))


@st.composite
def histories(draw):
    """A history of 14 to 18 snapshots, their counts wild, and a reference merged of some."""
    count = draw(st.integers(14, 18))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=3))
    spread = draw(st.sampled_from([0.1, 1.0, 30.0]))
    profiles = [_profile(generator, index, kinds, spread) for index in range(count)]
    inside = draw(st.sampled_from([1, 2, 7, count]))
    return profiles, merge(profiles[:inside], repeated=True)


def _profile(generator, index, kinds, spread):
    rows = int(10 ** generator.uniform(0, 6))
    columns = {}
    for column, bins in enumerate(kinds):
        shares = generator.dirichlet(np.full(bins.cells, 1 / spread))
        counts = tuple(map(int, generator.multinomial(rows, shares)))
        columns[f"{column}"] = ColumnProfile(type="", histogram=Histogram(bins=bins, counts=counts))
    return Profile(columns=columns, rows=rows, sources=(f"day {index}",))


def every_limit(limits):
    return {
        (kind, name, point.rows): point.limit
        for kind, columns in (("kl", limits.columns), ("null", limits.nulls))
        for name, column in columns.items()
        for point in column.points
    }


@some
@given(histories(), budgets)
def test_limits_are_finite_and_not_negative(history, budget) -> None:
    limits = every_limit(learn(*history, budget=budget))
    assert limits.keys() == every_limit(learn(*history)).keys()
    assert all(0 <= limit < math.inf for limit in limits.values())


@some
@given(histories(), st.randoms())
def test_the_order_of_history_does_not_matter(history, random) -> None:
    profiles, reference = history
    shuffled = random.sample(profiles, len(profiles))
    assert learn(shuffled, reference) == learn(profiles, reference)
    assert replay(shuffled, reference) == replay(profiles, reference)


@some
@given(histories(), budgets, budgets)
def test_a_larger_budget_never_raises_a_limit(history, one, other) -> None:
    strict, lax = sorted((one, other), key=lambda budget: budget.alpha)
    lower = every_limit(learn(*history, budget=lax))
    for key, limit in every_limit(learn(*history, budget=strict)).items():
        assert lower[key] <= limit * (1 + 1e-9)


@some
@given(histories())
def test_a_column_does_not_depend_on_the_others(history) -> None:
    profiles, reference = history

    def only(profile):
        columns = {"0": profile["0"]}
        return Profile(columns=columns, rows=profile.rows, sources=profile.sources)

    alone = learn([only(profile) for profile in profiles], only(reference))
    together = learn(profiles, reference)
    assert alone.columns.get("0") == together.columns.get("0")
    assert alone.nulls.get("0") == together.nulls.get("0")


@some
@given(histories(), st.integers(0, 13))
def test_leaving_out_is_not_having(history, index) -> None:
    profiles, reference = history
    name = profiles[index].sources[0]
    rest = [profile for profile in profiles if profile.sources != (name,)]
    without = learn(profiles, reference, leave_out=[name])
    assert without.columns == learn(rest, reference).columns
    assert name in without.left_out
    assert name not in without.snapshots


@some
@given(histories())
def test_json_keeps_every_bit(history) -> None:
    limits = learn(*history)
    text = canonical.dumps(limits.to_dict())
    read = LearnedLimits.from_dict(json.loads(text))
    assert read == limits
    assert canonical.dumps(read.to_dict()) == text


@some
@given(histories(), st.floats(0, 1e7))
def test_a_limit_lies_between_those_of_its_neighbours(history, rows) -> None:
    for column in learn(*history).columns.values():
        limit, points = column.limit(rows), column.points
        if rows < points[0].rows:
            assert limit is None
            continue
        below = [point for point in points if point.rows <= rows][-1]
        above = next((point for point in points if point.rows > rows), below)
        # Moments and quantiles are interpolated, each between its two ends.
        highest = max(
            (point.mean + q.quantile * other.spread) ** 3
            for point in (below, above)
            for q in (below, above)
            for other in (below, above)
        )
        assert 0 <= limit <= highest * 1.05


@some
@given(histories())
def test_replay_covers_what_was_learned_from(history) -> None:
    limits, found = learn(*history), replay(*history)
    assert len(found) == len(limits.columns) * len(limits.snapshots)
    assert {each.snapshot for each in found} == (set(limits.snapshots) if limits.columns else set())
    assert all(each.kl >= 0 for each in found)


@some
@given(histories())
def test_what_is_inside_can_be_taken_off(history) -> None:
    profiles, reference = history
    past = choose_past(profiles, reference)
    parts = [each for each, inside in zip(past.profiles, past.inside, strict=True) if inside]
    merged = {name for each in parts for name in each.sources}
    taken = {name for name in past.left_out if name in reference.sources}
    assert merged | taken == set(reference.sources)


@given(
    st.lists(st.integers(0, 10**8), min_size=1, max_size=9).filter(any),
    st.integers(0, 10**9),
    st.integers(0, 99),
)
def test_thinning_keeps_the_rows_asked_for_and_no_cell_gains(counts, rows, seed) -> None:
    thinned = thin(counts, rows, np.random.default_rng(seed))
    assert thinned.sum() == min(rows, sum(counts))
    assert (thinned <= counts).all()
    assert (thinned >= 0).all()


def residuals(x):
    classes = np.zeros(len(x), np.int64)
    return studentised(x, fit_without_each(x, fit_ordinary(x, classes), classes))


@given(
    st.lists(st.integers(-1_000, 1_000), min_size=4, max_size=20),
    st.integers(-50, 50),
    st.sampled_from([0.125, 2.0, 64.0]),
)
def test_residuals_know_neither_origin_nor_unit(values, origin, unit) -> None:
    x = np.array(values, float)
    moved = residuals(unit * x + origin)
    assert moved == pytest.approx(residuals(x), rel=1e-6, abs=1e-9, nan_ok=True)
    assert residuals(-x) == pytest.approx(-residuals(x), rel=1e-9, nan_ok=True)


@given(
    st.integers(0, 600),
    st.floats(0.1, 6),
    st.floats(1e-9, 0.5),
    st.floats(1e-9, 0.5),
    st.integers(0, 99),
)
def test_levels_stay_below_alpha_and_grow_with_it(size, power, one, other, seed) -> None:
    p_values = np.random.default_rng(seed).random(size) ** power
    low, high = sorted((one, other))
    assert 0 < tail_level(p_values, low) <= low
    assert tail_level(p_values, low) <= tail_level(p_values, high) * (1 + 1e-9)
