from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from kl_drift.statistics.exact import p_value_beyond, p_value_vanished
from kl_drift.statistics.inference import (
    benjamini_hochberg,
    debiased_kl,
    kl_interval,
    p_value_above,
    p_value_equal,
)
from kl_drift.statistics.noise import noise_floor, noise_mean, rows_needed
from kl_drift.statistics.samples import merge_cells

rows = st.one_of(st.integers(0, 30), st.integers(0, 10**6), st.integers(0, 10**12))
confidences = st.floats(0.5, 0.9999)
thresholds = st.floats(0, 25)
sizes = st.floats(1, 1e12)


@st.composite
def pairs(draw, max_cells=8, batch=None):
    """Counts of a current and a reference sample, some rows in each."""
    cells = draw(st.integers(1, max_cells))
    shape = (cells,) if batch is None else (batch, cells)
    current, reference = (
        np.array(draw(st.lists(rows, min_size=math.prod(shape), max_size=math.prod(shape))))
        .reshape(shape)
        .astype(float)
        for _ in range(2)
    )
    assume(current.any(axis=-1).all() and reference.any(axis=-1).all())
    return current, reference


def options():
    return st.fixed_dictionaries({"design_effect": st.sampled_from([1.0, 1.0, 3.5])})


@given(pairs(), confidences, options())
def test_the_limits_are_ordered_and_finite(pair, confidence, option) -> None:
    lower, upper = kl_interval(*pair, confidence=confidence, **option)
    assert 0 <= lower <= upper < math.inf


@given(pairs(), confidences, confidences)
def test_more_confidence_gives_a_wider_interval(pair, one, other) -> None:
    low, high = sorted((one, other))
    narrow, wide = (kl_interval(*pair, confidence=level) for level in (low, high))
    assert wide[0] <= narrow[0] * (1 + 1e-9)
    assert narrow[1] <= wide[1] * (1 + 1e-9)


@given(pairs(), confidences, thresholds, options())
def test_the_lower_limit_and_the_p_value_agree(pair, confidence, threshold, option) -> None:
    lower, _ = kl_interval(*pair, confidence=confidence, **option)
    p_value = p_value_above(*pair, threshold, **option)
    assert 0 <= p_value <= 1
    if lower > threshold * (1 + 1e-6) + 1e-12:
        assert p_value <= (1 - confidence) * (1 + 1e-6)
    elif lower < threshold * (1 - 1e-6) - 1e-12:
        assert p_value >= (1 - confidence) * (1 - 1e-6)


@given(pairs(), thresholds, thresholds)
def test_a_higher_threshold_is_harder_to_exceed(pair, one, other) -> None:
    low, high = sorted((one, other))
    assert p_value_above(*pair, low) <= p_value_above(*pair, high) * (1 + 1e-9)


@given(pairs(), st.randoms(use_true_random=False))
def test_the_order_of_the_cells_tells_nothing(pair, random) -> None:
    order = list(range(pair[0].size))
    random.shuffle(order)
    shuffled = [counts[order] for counts in pair]
    noise = noise_mean(pair[0].sum(), pair[1].sum(), pair[0].size)
    slack = 1e-9 * noise + 1e-14
    assert debiased_kl(*shuffled) == pytest.approx(debiased_kl(*pair), rel=1e-9, abs=slack)
    unmerged = p_value_equal(*pair, minimum=0)
    assert p_value_equal(*shuffled, minimum=0) == pytest.approx(unmerged, rel=1e-6)


@given(pairs(batch=3), st.sampled_from([0, 1, -1]), st.floats(0, 20))
def test_a_batch_is_its_distributions_one_by_one(pair, axis, minimum) -> None:
    laid = [counts.T if axis == 0 else counts for counts in pair]
    alone = list(zip(*pair, strict=True))
    for estimate in (debiased_kl, kl_interval, p_value_equal):
        each = np.stack([estimate(*one) for one in alone], axis=-1)
        np.testing.assert_allclose(estimate(*laid, axis=axis), each, rtol=1e-9, atol=1e-14)
    each = [p_value_above(*one, 0.02) for one in alone]
    np.testing.assert_allclose(p_value_above(*laid, 0.02, axis=axis), each, rtol=1e-9)
    together = merge_cells(*laid, axis=axis, minimum=minimum)
    merged = np.stack([np.moveaxis(counts, axis, -1) for counts in together])
    for row, one in enumerate(alone):
        lone = np.array(merge_cells(*one, minimum=minimum))
        np.testing.assert_array_equal(merged[:, row, : lone.shape[1]], lone)
        assert not merged[:, row, lone.shape[1] :].any()


@given(pairs(max_cells=12), st.floats(0, 50), st.booleans())
def test_merging_keeps_rows_and_reaches_the_minimum(pair, minimum, ordered) -> None:
    current, reference = merge_cells(*pair, minimum=minimum, ordered=ordered)
    n, m = (counts.sum() for counts in pair)
    assert (current.sum(), reference.sum()) == (n, m)
    expected = (current + reference) / (n + m) * min(n, m)
    assert current.size == 1 or (expected >= minimum * (1 - 1e-9)).all()
    if ordered:  # each cut between merged cells is one of the cuts there were
        assert set(np.cumsum(current)) <= set(np.cumsum(pair[0]))


@given(pairs(max_cells=12), st.floats(0, 50))
def test_merging_looks_at_the_pooled_counts_only(pair, minimum) -> None:
    exchanged = merge_cells(*reversed(pair), minimum=minimum)
    np.testing.assert_array_equal(merge_cells(*pair, minimum=minimum), exchanged[::-1])


@given(sizes, sizes, st.integers(2, 3000), st.floats(0.5, 0.9999))
def test_rows_needed_inverts_the_noise_floor(target, reference_rows, cells, quantile) -> None:
    option = {"quantile": quantile}
    limit = noise_floor(target, reference_rows, cells, **option)
    needed = rows_needed(limit, reference_rows, cells, **option)
    assume(math.isfinite(needed) and target < 1e3 * reference_rows)
    assert needed == math.floor(needed) >= 1
    assert noise_floor(needed, reference_rows, cells, **option) <= limit * (1 + 1e-12)
    assert needed <= 1 + target * (1 + 1e-9)


@given(sizes, sizes, st.integers(2, 3000))
def test_the_noise_floor_lies_above_its_mean(current_rows, reference_rows, cells) -> None:
    mean, floor = (law(current_rows, reference_rows, cells) for law in (noise_mean, noise_floor))
    assert 0 < mean < floor
    assert floor < noise_floor(current_rows, reference_rows, cells + 1)
    assert noise_floor(current_rows, math.inf, cells) < floor


@pytest.mark.slow
@given(st.integers(0, 10**9), st.integers(1, 10**9), st.integers(0, 10**9))
def test_one_more_row_beyond_multiplies_by_one_more_chance(beyond, more, reference_rows) -> None:
    rows = beyond + more
    chance = more / (more + reference_rows)
    fewer = p_value_beyond(beyond, rows, reference_rows)
    found = p_value_beyond(beyond + 1, rows, reference_rows)
    assume(found > 1e-290)
    assert found == pytest.approx(fewer * chance, rel=1e-11)


@given(st.floats(0, 1), st.integers(0, 10**9), st.integers(0, 10**9))
def test_emptiness_multiplies_over_samples(share, some, others) -> None:
    together = p_value_vanished(share, some + others)
    apart = p_value_vanished(share, some) * p_value_vanished(share, others)
    assert together == pytest.approx(apart, rel=1e-11, abs=1e-290)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_adjusted_p_values(p_values) -> None:
    adjusted = benjamini_hochberg(p_values)
    assert ((adjusted >= p_values) & (adjusted <= 1)).all()
    assert (np.diff(adjusted[np.argsort(p_values, kind="stable")]) >= 0).all()
    np.testing.assert_allclose(adjusted, stats.false_discovery_control(p_values), rtol=1e-12)
