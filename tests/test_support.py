"""Exact limits of what a reference hardly held."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from kl_drift.errors import DomainError, UsageError
from kl_drift.statistics.divergence import kl_divergence
from kl_drift.statistics.support import new_share_limit, two_cell_limit


def two_cells(p: float, q: float) -> float:
    return float(kl_divergence([p, 1 - p], [q, 1 - q]))


def test_the_limit_is_the_kl_of_two_exact_binomial_limits() -> None:
    p, q = _root(lambda p: binom.sf(199, 10_000, p) - 0.025), 1 - 0.025 ** (1 / 1_000_000)
    assert two_cell_limit(200, 10_000, 0, 1_000_000) == pytest.approx(two_cells(p, q), rel=1e-9)
    q = _root(lambda q: 0.025 - binom.cdf(3, 1_000, q))
    assert two_cell_limit(200, 10_000, 3, 1_000) == pytest.approx(two_cells(p, q), rel=1e-9)


def _root(function: Any) -> float:
    """Return where an increasing function of a share is 0, by halving."""
    low, high = 0.0, 1.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (low, middle) if function(middle) > 0 else (middle, high)
    return low


@pytest.mark.parametrize(
    ("current", "reference"), [(0, 0), (0, 5), (10, 100), (10, 99), (1, 10), (0, 100)]
)
def test_there_is_no_limit_where_the_cell_may_have_kept_its_share(
    current: int, reference: int
) -> None:
    assert two_cell_limit(current, 10, reference, 100) == 0


def test_each_of_several_cells_is_limited_by_itself() -> None:
    cells = two_cell_limit([0, 3, 50], 100, [5, 0, 1], 10_000, confidence=[0.9, 0.95, 0.99])
    alone = [
        two_cell_limit(n, 100, m, 10_000, confidence=level)
        for n, m, level in ((0, 5, 0.9), (3, 0, 0.95), (50, 1, 0.99))
    ]
    np.testing.assert_array_equal(cells, alone)


@given(
    st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    st.integers(1, 10**6).flatmap(lambda m: st.tuples(st.integers(0, m), st.just(m))),
)
def test_the_limit_is_below_the_kl_of_the_shares_and_grows_with_the_rows(
    current: tuple[int, int], reference: tuple[int, int]
) -> None:
    limit = float(two_cell_limit(*current, *reference))
    (u, n), (v, m) = current, reference
    assert limit >= 0
    if u / n > v / m > 0:
        assert limit <= two_cells(u / n, v / m) + 1e-12
    more = two_cell_limit(2 * u, 2 * n, 2 * v, 2 * m)
    assert more >= limit * (1 - 1e-9)


def test_half_the_error_is_hardly_ever_made() -> None:
    # D = 0 and D = .02 (new rows of 0.65 % where the reference has 0.01 %): wrong in 2.5 % or fewer
    rng = np.random.default_rng(5)
    for p, q in ((1e-4, 1e-4), (0.0065, 1e-4)):
        counts = zip(
            rng.binomial(10_000, p, 2_000).tolist(),
            rng.binomial(100_000, q, 2_000).tolist(),
            strict=True,
        )
        wrong = [two_cell_limit(n, 10_000, m, 100_000) > two_cells(p, q) for n, m in counts]
        assert np.mean(wrong) <= 0.025


@pytest.mark.parametrize(
    ("rows", "singletons", "doubletons", "expected"),
    [
        (1_000, 0, 0, 0.003),
        (1_000, 40, 30, 0.0663),  # 40 and 2.33·√100 and 3
        (10, 9, 0, 1.0),
    ],
)
def test_what_may_be_new(rows: int, singletons: int, doubletons: int, expected: float) -> None:
    assert new_share_limit(rows, singletons, doubletons) == pytest.approx(expected)


def test_the_share_of_new_levels_stays_below_its_limit() -> None:
    rng = np.random.default_rng(6)
    for weights in (np.full(5_000, 1.0), 1 / np.arange(1, 5_001)):
        truth = weights / weights.sum()
        exceeded = []
        for counts in rng.multinomial(1_000, truth, size=200):
            limit = new_share_limit(1_000, int((counts == 1).sum()), int((counts == 2).sum()))
            exceeded.append(truth[counts == 0].sum() > limit)
        assert np.mean(exceeded) <= 0.01


def test_what_is_no_number_of_rows_is_refused() -> None:
    with pytest.raises(DomainError, match="current: expected 0 to 5 rows in a cell, got 6"):
        two_cell_limit(6, 5, 0, 5)
    with pytest.raises(DomainError, match="reference: expected 0 to 0 rows in a cell"):
        two_cell_limit(1, 5, 0, 0)
    with pytest.raises(UsageError, match="confidence: expected a number between 0 and 1, got 1"):
        two_cell_limit(1, 5, 0, 5, confidence=1)
    for numbers in ((0, 1, 1), (5, -1, 0), (5, 0, -1), (math.nan, 0, 0)):
        with pytest.raises(DomainError, match="expected rows above 0 and nothing negative"):
            new_share_limit(*numbers)
