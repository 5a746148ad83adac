from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.special import kl_div, rel_entr
from scipy.stats import entropy as scipy_entropy

from kl_drift.statistics.closest import closest
from kl_drift.statistics.divergence import (
    contributions,
    cross_entropy,
    entropy,
    jeffreys,
    jensen_shannon,
    kl_divergence,
    psi,
    signed_contributions,
)
from kl_drift.statistics.smoothing import smooth, smooth_reference, with_unseen_mass

PER_DISTRIBUTION = (kl_divergence, cross_entropy, jeffreys, psi, jensen_shannon)
PER_CELL = (contributions, signed_contributions)
METHODS = ["jeffreys", "laplace", {"floor": 1e-4}]

cells = st.integers(1, 12)
rows = st.integers(0, 10**12)
weights = st.floats(1e-12, 1.0)


def shared(values):
    return np.array(values, dtype=float) / math.fsum(values)


def rounding(divergence):
    """Return how far it moves when shares are rounded: it grows with the square of differences."""
    return 2e-15 * math.sqrt(divergence) + 1e-28


@st.composite
def pairs(draw, of=weights):
    k = draw(cells)
    return tuple(shared(draw(st.lists(of, min_size=k, max_size=k))) for _ in range(2))


@st.composite
def pairs_with_zeros(draw):
    current, reference = draw(pairs())
    kept = np.array(draw(st.lists(st.booleans(), min_size=current.size, max_size=current.size)))
    assume(kept.any())
    return shared(np.where(kept, current, 0.0)), reference


@st.composite
def counts(draw):
    k = draw(cells)
    return tuple(draw(st.lists(rows, min_size=k, max_size=k)) for _ in range(2))


@st.composite
def batches(draw):
    shape = draw(st.tuples(st.integers(1, 3), st.integers(1, 3), cells))
    values = st.lists(weights, min_size=math.prod(shape), max_size=math.prod(shape))
    arrays = (np.array(draw(values)).reshape(shape) for _ in range(2))
    return tuple(array / array.sum(axis=-1, keepdims=True) for array in arrays)


@given(pairs_with_zeros())
def test_never_negative(pair) -> None:
    assert kl_divergence(*pair) >= 0
    assert jensen_shannon(*pair) >= 0
    assert (contributions(*pair) >= 0).all()
    assert entropy(pair[0]) >= 0


@given(pairs())
def test_zero_only_between_equals(pair) -> None:
    current, reference = pair
    for function in (kl_divergence, jeffreys, psi, jensen_shannon):
        assert function(current, current) == 0
        assert (function(current, reference) == 0) == np.array_equal(current, reference)


@given(pairs(), st.integers(0, 11), st.floats(1e-15, 1e-3))
def test_the_smallest_shift_counts(pair, where, size) -> None:
    reference, _ = pair
    assume(reference.size > 1)
    current = reference.copy()
    moved = current[where % current.size] * size
    current[where % current.size] -= moved
    current[(where + 1) % current.size] += moved
    assume(not np.array_equal(current, reference))
    assert kl_divergence(current, reference) > 0
    assert jensen_shannon(current, reference) > 0


@given(pairs_with_zeros(), st.data())
def test_merging_cells_never_raises_it(pair, data) -> None:
    current, reference = pair
    k = current.size
    groups = np.array(data.draw(st.lists(st.integers(0, k - 1), min_size=k, max_size=k)))
    merged = [np.bincount(groups, weights=side, minlength=k) for side in pair]
    for function in (kl_divergence, jensen_shannon):
        before = function(current, reference)
        assert function(*merged) <= before * (1 + 1e-12) + rounding(before)


@given(pairs_with_zeros())
def test_contributions_sum_to_the_divergence(pair) -> None:
    divergence = kl_divergence(*pair)
    assert contributions(*pair).sum() == pytest.approx(divergence, rel=1e-13)
    assert signed_contributions(*pair).sum() == pytest.approx(divergence, rel=1e-12, abs=1e-14)


@given(pairs_with_zeros())
def test_divergence_is_cross_entropy_minus_entropy(pair) -> None:
    excess = cross_entropy(*pair) - entropy(pair[0])
    assert kl_divergence(*pair) == pytest.approx(excess, rel=1e-12, abs=1e-13)


@given(pairs())
def test_jeffreys_is_both_directions(pair) -> None:
    current, reference = pair
    both = kl_divergence(current, reference) + kl_divergence(reference, current)
    assert jeffreys(current, reference) == pytest.approx(both, rel=1e-11)
    assert jeffreys(reference, current) == pytest.approx(both, rel=1e-11)
    assert psi(current, reference) == jeffreys(current, reference)


@given(pairs_with_zeros())
def test_jensen_shannon_is_symmetric_and_bounded(pair) -> None:
    current, reference = pair
    found = jensen_shannon(current, reference)
    assert found == jensen_shannon(reference, current)
    assert found <= math.log(2) * (1 + 1e-14)
    assert found <= jensen_shannon([1.0, 0.0], [0.0, 1.0]) * (1 + 1e-14)


@given(pairs_with_zeros())
def test_jensen_shannon_is_the_mean_divergence_from_the_middle(pair) -> None:
    current, reference = pair
    middle = (current + reference) / 2
    mean = (kl_divergence(current, middle) + kl_divergence(reference, middle)) / 2
    assert jensen_shannon(current, reference) == pytest.approx(mean, rel=1e-9, abs=1e-18)


@given(pairs(), pairs())
def test_independent_columns_add(one, other) -> None:
    joint = [np.outer(a, b).ravel() for a, b in zip(one, other, strict=True)]
    singly = kl_divergence(*one) + kl_divergence(*other)
    assert kl_divergence(*joint) == pytest.approx(singly, rel=1e-12, abs=rounding(singly))


@pytest.mark.parametrize("axis", [-3, -2, -1, 0, 1, 2])
@given(batch=batches())
def test_a_batch_along_any_axis_equals_row_by_row(axis, batch) -> None:
    turned = [np.moveaxis(side, -1, axis) for side in batch]
    for function in PER_DISTRIBUTION:
        together = function(*turned, axis=axis)
        assert together.shape == batch[0].shape[:-1]
        for where in np.ndindex(together.shape):
            alone = function(batch[0][where], batch[1][where])
            assert together[where] == pytest.approx(alone, rel=1e-13)
    for function in PER_CELL:
        together = np.moveaxis(function(*turned, axis=axis), axis, -1)
        for where in np.ndindex(together.shape[:-1]):
            alone = function(batch[0][where], batch[1][where])
            np.testing.assert_array_equal(together[where], alone)
    assert entropy(turned[0], axis=axis).shape == batch[0].shape[:-1]


@given(pairs_with_zeros())
def test_scipy_agrees(pair) -> None:
    current, reference = pair
    close = {"rel": 1e-12, "abs": 1e-13}
    assert entropy(current) == pytest.approx(scipy_entropy(current), **close)
    assert kl_divergence(*pair) == pytest.approx(scipy_entropy(current, reference), **close)
    middle = (current + reference) / 2
    mean = (rel_entr(current, middle) + rel_entr(reference, middle)).sum() / 2
    assert jensen_shannon(*pair) == pytest.approx(mean, **close)
    np.testing.assert_allclose(contributions(*pair), kl_div(*pair), rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(signed_contributions(*pair), rel_entr(*pair), rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("method", METHODS, ids=str)
@given(table=counts())
def test_smoothing_is_positive_and_sums_to_one(method, table) -> None:
    for side in smooth(*table, method):
        assert (side > 0).all()
        assert side.sum() == pytest.approx(1, abs=1e-15 * side.size)
    assert math.isfinite(jeffreys(*smooth(*table, method)))


@given(table=counts())
def test_smoothing_keeps_the_order_of_the_counts(table) -> None:
    _, reference = table
    order = np.argsort(reference, kind="stable")
    for method in METHODS:
        assert (np.diff(smooth_reference(reference, method)[order]) >= 0).all()


@pytest.mark.parametrize("method", ["jeffreys", {"floor": 1e-4}, "none"], ids=str)
@given(table=st.lists(st.integers(0, 10**9), min_size=1, max_size=12), times=st.integers(1, 10**4))
def test_identical_shares_do_not_diverge_to_the_last_bit(method, table, times) -> None:
    assume(any(table))
    pair = smooth([rows * times for rows in table], table, method)
    for one, other in (pair, reversed(pair)):
        assert kl_divergence(one, other) == 0
    assert psi(*pair) == jensen_shannon(*pair) == 0


@given(table=counts())
def test_equal_counts_do_not_diverge_by_any_smoothing(table) -> None:
    _, reference = table
    for method in METHODS:
        pair = smooth(reference, reference, method)
        assert kl_divergence(*pair) == psi(*pair) == jensen_shannon(*pair) == 0


@given(table=counts())
def test_smoothing_never_adds_divergence(table) -> None:
    current, reference = map(sum, table)
    assume(current and reference and all(m or not n for n, m in zip(*table, strict=True)))
    smoothed, raw = kl_divergence(*smooth(*table)), kl_divergence(*smooth(*table, "none"))
    kept = current / (current + 1) * reference / (reference + len(table[0]) / 2)
    assert smoothed <= kept * raw * (1 + 1e-12) + rounding(raw)


@given(table=counts(), where=st.integers(0, 11))
def test_a_current_row_more_moves_it_by_no_more_than_a_bound(table, where) -> None:
    """Shares move by at most 1/(n + 1) in total, and no ratio p/q leaves [1/(n + 2), 2m + k]."""
    current, reference = table
    n, m, k = sum(current), sum(reference), len(current)
    more = [rows + (cell == where % k) for cell, rows in enumerate(current)]
    moved = kl_divergence(*smooth(more, reference)) - kl_divergence(*smooth(current, reference))
    assert abs(moved) <= math.log((2 * m + k) * (n + 2)) / (n + 1) + 1e-12


@given(table=counts(), where=st.integers(0, 11))
def test_a_reference_row_more_moves_it_by_no_more_than_a_bound(table, where) -> None:
    """No q falls to less than a third of what it becomes, and all else moves by 2/(m + 1)."""
    current, reference = table
    n, m, k = sum(current), sum(reference), len(current)
    more = [rows + (cell == where % k) for cell, rows in enumerate(reference)]
    moved = kl_divergence(*smooth(current, more)) - kl_divergence(*smooth(current, reference))
    rest = 2 / (m + 1) * math.log(3 * (n + 1) * (2 * m + k + 2))
    assert abs(moved) <= math.log(3) + rest + 1e-12


@given(counts(), st.floats(0, 1e6))
def test_moving_rows_to_unseen_moves_no_row_away(table, singletons) -> None:
    current, before = (np.array(side, dtype=float) for side in table)
    assume(before.size > 1)
    cells = {"other": 0, "unseen": before.size - 1, "singletons": singletons}
    after = with_unseen_mass(current, before, **cells)
    assert after.sum() == pytest.approx(before.sum(), rel=1e-15, abs=1e-12)
    assert (after >= 0).all()
    np.testing.assert_array_equal(after[1:-1], before[1:-1])
    assert before[-1] <= after[-1] <= before[-1] + singletons


@given(st.data())
def test_the_best_is_in_no_tie_and_every_other_is_judged(data) -> None:
    k, r = data.draw(cells), data.draw(st.integers(1, 4))
    table = st.lists(st.integers(1, 10**6), min_size=k, max_size=k)
    names = [f"month {i}" for i in range(r)]
    result = closest(data.draw(table), {name: data.draw(table) for name in names})
    assert result.best not in result.ties
    assert set(result.divergences) == set(result.intervals) == set(names)
    for name, (low, high) in result.intervals.items():
        assert low <= high
        assert high >= 0
        assert (low <= 0) == (name == result.best or name in result.ties)
