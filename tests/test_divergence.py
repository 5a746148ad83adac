from __future__ import annotations

import copy
import json
import math
import re
from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np
import pytest

from kl_drift.errors import DomainError, UsageError
from kl_drift.statistics.closest import closest
from kl_drift.statistics.divergence import (
    NATS_TO_BITS,
    contributions,
    cross_entropy,
    entropy,
    jeffreys,
    jensen_shannon,
    kl_divergence,
    psi,
    signed_contributions,
)

FIXED = json.loads((Path(__file__).parent / "data" / "analytic_kl.json").read_text("utf-8"))
PAIRWISE = (
    kl_divergence,
    cross_entropy,
    jeffreys,
    psi,
    jensen_shannon,
    contributions,
    signed_contributions,
)


def exactly(values):
    return [mpmath.mpf(float(value)) for value in values]


def exact_kl(current, reference):
    with mpmath.workdps(60):
        pairs = zip(exactly(current), exactly(reference), strict=True)
        return mpmath.fsum(p * mpmath.log(p / q) for p, q in pairs if p)


def exact_jensen_shannon(current, reference):
    with mpmath.workdps(60):
        total = mpmath.mpf(0)
        for p, q in zip(exactly(current), exactly(reference), strict=True):
            mean = (p + q) / 2
            total += sum(side * mpmath.log(side / mean) / 2 for side in (p, q) if side)
        return total


@pytest.mark.parametrize(
    "row", [r for r in FIXED["analytic"] if r["family"] == "categorical"], ids=lambda r: r["id"]
)
def test_fixed_points_both_ways(row) -> None:
    current, reference = row["P"]["p"], row["Q"]["p"]
    assert kl_divergence(current, reference) == pytest.approx(row["kl_pq"], rel=1e-12)
    assert kl_divergence(reference, current) == pytest.approx(row["kl_qp"], rel=1e-12)
    assert jeffreys(current, reference) == pytest.approx(row["jeffreys"], rel=1e-12)
    assert psi(current, reference) == jeffreys(current, reference)


@pytest.mark.parametrize(
    "row", [r for r in FIXED["published"] if "p" in r], ids=lambda r: r["source"][:40]
)
def test_published_examples(row) -> None:
    current, reference = (
        np.array([float(Fraction(share)) for share in row[side]]) for side in "pq"
    )
    current, reference = current / current.sum(), reference / reference.sum()
    unit = NATS_TO_BITS if row["unit"] == "bits" else 1.0
    digits = 10 ** -len(str(row["kl_pq"]).split(".")[1])
    assert kl_divergence(current, reference) * unit == pytest.approx(row["kl_pq"], abs=digits)
    if row["kl_qp"] == "inf":
        with pytest.raises(DomainError):
            kl_divergence(reference, current)
    elif row["kl_qp"] is not None:
        assert kl_divergence(reference, current) * unit == pytest.approx(row["kl_qp"], abs=digits)


def test_published_terms_of_nearly_equal_shares() -> None:
    (row,) = [row for row in FIXED["published"] if "x" in row]
    quarters = [np.array(row[side]) / 4 for side in "xy"]  # exact, and leaves room for a last cell
    current, reference = (np.append(shares, 1 - shares.sum()) for shares in quarters)
    terms = 4 * signed_contributions(current, reference)[:-1]
    np.testing.assert_allclose(terms, row["expected"], rtol=1e-13)


@pytest.mark.parametrize("row", FIXED["binned_population"], ids=lambda r: r["name"])
def test_binned_populations(row) -> None:
    divergence = kl_divergence(row["p"], row["q"])
    assert divergence == pytest.approx(row["kl_binned"], rel=1e-12)
    assert divergence / row["kl_continuous"] == pytest.approx(row["capture"], rel=1e-12)


def test_entropy_of_known_distributions() -> None:
    assert entropy([0.25] * 4) == pytest.approx(math.log(4), rel=1e-15)
    assert entropy([0.5, 0.25, 0.125, 0.125]) * NATS_TO_BITS == pytest.approx(1.75, rel=1e-15)
    assert math.copysign(1, entropy([0.0, 1.0])) == 1


def test_divergence_is_cross_entropy_minus_entropy() -> None:
    current, reference = [0.1, 0.4, 0.5, 0.0], [0.2, 0.2, 0.2, 0.4]
    excess = cross_entropy(current, reference) - entropy(current)
    assert kl_divergence(current, reference) == pytest.approx(excess, rel=1e-14)


@pytest.mark.parametrize("exponent", range(10, 41, 3))
def test_small_differences_keep_their_digits(exponent) -> None:
    # Dyadic shares: differences and sums are exact, so nothing but the formula is measured.
    reference = np.array([5, 20, 8, 31]) / 64
    current = reference + np.array([1, -3, -1, 3]) * 2.0**-exponent / 16
    exact = exact_kl(current, reference)
    assert abs(kl_divergence(current, reference) - exact) <= 1e-12 * exact
    both = exact + exact_kl(reference, current)
    assert abs(jeffreys(current, reference) - both) <= 1e-12 * both
    middle = exact_jensen_shannon(current, reference)
    assert abs(jensen_shannon(current, reference) - middle) <= 1e-12 * middle


@pytest.mark.parametrize("factor", [1e-3, 0.4, 0.499999, 0.5, 0.500001, 0.9, 1.001, 1.9, 2.0, 2.1])
def test_no_seam_between_the_ways_to_evaluate(factor) -> None:
    reference = np.array([0.25, 0.75])
    current = np.array([0.25 * factor, 1 - 0.25 * factor])
    exact = exact_kl(current, reference)
    assert abs(kl_divergence(current, reference) - exact) <= 1e-9 * exact
    middle = exact_jensen_shannon(current, reference)
    assert abs(jensen_shannon(current, reference) - middle) <= 1e-9 * middle


TINY = 1e-300
SUBNORMAL = 5e-324


@pytest.mark.parametrize(
    ("current", "reference"),
    [
        ([0.5, 0.5], [1.0, TINY]),
        ([1.0, TINY], [0.5, 0.5]),
        ([0.5, 0.5], [1.0, SUBNORMAL]),
        ([1.0, SUBNORMAL], [0.5, 0.5]),
        ([1.0, SUBNORMAL], [SUBNORMAL, 1.0]),
        ([1.0, TINY], [1.0, 3 * TINY]),
        ([1.0, 0.0], [1.0, 0.0]),
        ([0.0, 1.0], [0.5, 0.5]),
    ],
)
def test_extreme_ratios(current, reference) -> None:
    with np.errstate(all="raise", under="ignore"):
        assert kl_divergence(current, reference) == pytest.approx(
            float(exact_kl(current, reference)), rel=1e-13
        )
        assert jensen_shannon(current, reference) == pytest.approx(
            float(exact_jensen_shannon(current, reference)), rel=1e-13
        )
        assert (contributions(current, reference) >= 0).all()
        assert np.isfinite(signed_contributions(current, reference)).all()
        assert np.isfinite(cross_entropy(current, reference))


def test_an_emptied_cell_contributes_its_reference_share() -> None:
    assert contributions([0.0, 1.0], [0.3, 0.7])[0] == 0.3
    assert signed_contributions([0.0, 1.0], [0.3, 0.7])[0] == 0.0


def test_a_single_distribution_gives_a_float() -> None:
    for function in (kl_divergence, cross_entropy, jeffreys, psi, jensen_shannon):
        assert type(function([0.5, 0.5], [0.25, 0.75])) is float
    assert type(entropy([0.5, 0.5])) is float


def test_a_single_reference_serves_a_batch_along_any_axis() -> None:
    currents = np.array([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]])
    reference = np.array([0.2, 0.3, 0.5])
    expected = [kl_divergence(current, reference) for current in currents]
    assert kl_divergence(currents, reference).tolist() == pytest.approx(expected, rel=1e-15)
    assert kl_divergence(currents.T, reference, axis=0).tolist() == pytest.approx(expected)
    assert contributions(currents.T, reference, axis=0).shape == (3, 2)
    assert kl_divergence(reference, currents).shape == (2,)


def test_an_empty_batch_gives_an_empty_array() -> None:
    assert kl_divergence(np.empty((0, 3)), [0.2, 0.3, 0.5]).shape == (0,)


@pytest.mark.parametrize("function", PAIRWISE)
@pytest.mark.parametrize(
    ("current", "reference", "message"),
    [
        ([0.5, 0.6], [0.5, 0.5], "current sums to 1.1, expected 1 within 2e-09"),
        ([0.5, 0.5], [0.5, 0.4], "reference sums to 0.9, expected 1"),
        ([12, 30], [0.5, 0.5], "pass counts through kl_drift.smooth"),
        ([1.5, -0.5], [0.5, 0.5], "current, cell 1: expected a finite number of at least 0"),
        ([0.5, 0.5], [math.nan, 1.0], "reference, cell 0: .* got nan"),
        ([0.5, 0.5], [0.5, math.inf], "reference, cell 1: .* got inf"),
        ([0.5, 0.5], [0.2, 0.3, 0.5], "current has 2 cells and reference has 3"),
        ([1.0], [0.5, 0.5], "current has 1 cells and reference has 2"),
        ([], [], "current has no cells"),
        (0.5, [1.0], "current has no cells"),
        (["a", "b"], [0.5, 0.5], "current is not a rectangular array of numbers"),
        ([[0.5, 0.5], [1.0]], [0.5, 0.5], "current is not a rectangular array of numbers"),
        ([[0.5, 0.5], [1.0, 0.1]], [0.5, 0.5], "current of distribution 1 sums to 1.1"),
        ([[0.5, 0.5], [1.1, -0.1]], [0.5, 0.5], "current, cell 1 of distribution 1"),
        ([[0.5, 0.5]] * 2, [[0.5, 0.5]] * 3, r"batch of shape \(2,\) and reference one of \(3,\)"),
    ],
)
def test_refuses_what_is_no_pair_of_distributions(function, current, reference, message) -> None:
    with pytest.raises(DomainError, match=message):
        function(current, reference)


@pytest.mark.parametrize("function", [f for f in PAIRWISE if f is not jensen_shannon])
def test_refuses_a_cell_that_the_reference_lacks(function) -> None:
    with pytest.raises(DomainError, match=r"cell 1 is empty in the reference.*smooth"):
        function([0.5, 0.5], [1.0, 0.0])
    batch = np.full((2, 3, 2), 0.5)
    batch[1, 2] = [0.0, 1.0]
    with pytest.raises(DomainError, match=re.escape("cell 0 of distribution (1, 2) is empty")):
        function([0.5, 0.5], batch)


@pytest.mark.parametrize("function", [jeffreys, psi])
def test_the_symmetric_divergence_refuses_an_emptied_cell_too(function) -> None:
    with pytest.raises(DomainError, match="cell 1 is empty in the current but not in the ref"):
        function([1.0, 0.0], [0.5, 0.5])


def test_a_cell_that_neither_side_uses_is_no_matter() -> None:
    for function in (kl_divergence, jeffreys, jensen_shannon):
        assert function([0.5, 0.5, 0.0], [0.25, 0.75, 0.0]) == function([0.5, 0.5], [0.25, 0.75])


def test_an_axis_that_is_not_there_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="2 dimensions and therefore no axis 2"):
        entropy([[0.5, 0.5]], axis=2)


def test_shares_with_nine_decimals_pass_and_single_precision_does_not() -> None:
    assert entropy([0.333333333] * 3) == pytest.approx(math.log(3), rel=1e-8)
    with pytest.raises(DomainError, match="sums to"):
        entropy(np.array([0.1, 0.2, 0.7 + 1e-7]))


SHARES = np.array([0.05, 0.1, 0.15, 0.2, 0.5])
SHIFTED = np.array([0.1, 0.1, 0.15, 0.25, 0.4])


def test_closest_names_the_best_and_its_ties() -> None:
    result = closest(
        1_000 * SHARES,
        {"june": 9_000 * SHARES, "july": 9_000 * SHIFTED, "august": 8_000 * SHARES},
    )
    assert result.best in ("june", "august")
    assert {result.best, *result.ties} == {"june", "august"}
    low, high = result.intervals["july"]
    assert 0 < low < kl_divergence(SHARES, SHIFTED) < high
    assert result.intervals[result.best] == (0.0, 0.0)
    assert result.divergences["july"] == pytest.approx(kl_divergence(SHARES, SHIFTED), rel=0.05)
    assert result.confidence == 0.95
    assert copy.deepcopy(result) == result


def test_closest_counts_references_without_names() -> None:
    result = closest(1_000 * SHARES, [9_000 * SHIFTED, 9_000 * SHARES])
    assert (result.best, result.ties) == (1, ())
    assert list(result.divergences) == [0, 1]
    rows = np.array([9_000 * SHIFTED, 9_000 * SHARES])
    assert closest(1_000 * SHARES, rows) == result


def test_closest_of_one_reference_is_that_one() -> None:
    result = closest([3, 5], {"only": [30, 50]})
    assert (result.best, result.ties, result.intervals) == ("only", (), {"only": (0.0, 0.0)})


def test_closest_of_the_same_counts_twice_is_a_tie() -> None:
    result = closest([300, 500], [[400, 400], [400, 400]])
    assert (result.best, result.ties) == (0, (1,))
    low, high = result.intervals[1]
    assert low == -high < 0


def test_a_higher_confidence_widens_the_intervals() -> None:
    narrow, wide = (
        closest(500 * SHARES, [900 * SHARES, 900 * SHIFTED], confidence=level).intervals[1]
        for level in (0.5, 0.999)
    )
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


@pytest.mark.parametrize(
    ("current", "references", "error", "message"),
    [
        ([1, 2], [], UsageError, "at least one reference"),
        ([1, 2], {"may": [1, 2, 3]}, DomainError, "reference 'may' has 3 cells and current has 2"),
        ([1, 2], {"may": [1, -2]}, DomainError, "counts of reference 'may', cell 1"),
        ([1, 2], {"may": [0, 0]}, DomainError, "counts of reference 'may': there are no rows"),
        ([0, 0], [[1, 2]], DomainError, "current counts: there are no rows"),
        ([[1, 2]], [[1, 2]], DomainError, "one number per cell"),
    ],
)
def test_closest_refuses_what_it_cannot_compare(current, references, error, message) -> None:
    with pytest.raises(error, match=message):
        closest(current, references)


@pytest.mark.parametrize("confidence", [0, 1, -1, math.nan])
def test_closest_refuses_a_confidence_that_is_none(confidence) -> None:
    with pytest.raises(UsageError, match="between 0 and 1"):
        closest([1, 2], [[1, 2]], confidence=confidence)


def drawn(rng, current, references, *, rows, reference_rows):
    pairs = zip(references, reference_rows, strict=True)
    return closest(
        rng.multinomial(rows, current), [rng.multinomial(m, shares) for shares, m in pairs]
    )


@pytest.mark.parametrize("reference_rows", [(3_000, 3_000), (300, 100_000)])
@pytest.mark.parametrize("current", [SHARES, SHIFTED], ids=["no drift", "drift"])
def test_equal_references_tie_at_the_stated_confidence(current, reference_rows) -> None:
    rng = np.random.default_rng(20_130_201)
    tied = [
        bool(drawn(rng, current, [SHARES] * 2, rows=1_000, reference_rows=reference_rows).ties)
        for _ in range(300)
    ]
    assert np.mean(tied) >= 0.93  # 0.95 less two standard errors


def test_different_references_are_told_apart_and_the_difference_is_covered() -> None:
    rng = np.random.default_rng(20_130_202)
    results = [
        drawn(rng, SHARES, [SHARES, SHIFTED], rows=2_000, reference_rows=(3_000, 3_000))
        for _ in range(300)
    ]
    assert np.mean([result.best == 0 and not result.ties for result in results]) >= 0.95
    true = kl_divergence(SHARES, SHIFTED)
    covered = [low <= true <= high for low, high in (result.intervals[1] for result in results)]
    assert np.mean(covered) >= 0.92
