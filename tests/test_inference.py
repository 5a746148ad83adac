from __future__ import annotations

import json
import math
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np
import pytest
from scipy import stats

from kl_drift.errors import DomainError, UsageError
from kl_drift.statistics import inference
from kl_drift.statistics.divergence import kl_divergence
from kl_drift.statistics.exact import p_value_beyond, p_value_vanished
from kl_drift.statistics.inference import (
    benjamini_hochberg,
    debiased_kl,
    kl_interval,
    p_value_above,
    p_value_equal,
)
from kl_drift.statistics.noise import noise_floor, noise_mean, rows_needed
from kl_drift.statistics.samples import merge_cells, take_samples

FIXED = json.loads((Path(__file__).parent / "data" / "analytic_kl.json").read_text("utf-8"))
TABLES = pytest.mark.parametrize("table", FIXED["counts"], ids=lambda row: str(row["current"]))
OF_TWO_SAMPLES = (
    debiased_kl,
    kl_interval,
    lambda *counts, **options: p_value_above(*counts, 0.02, **options),
    p_value_equal,
)


def near(expected, digits=1e-9):
    return pytest.approx(expected, rel=digits, abs=1e-12)


# --- the fixed points


@TABLES
def test_debiased_kl_is_the_published_estimate(table) -> None:
    assert debiased_kl(table["current"], table["reference"]) == near(table["kl_debiased"])


@TABLES
def test_noise_of_the_fixed_tables(table) -> None:
    sizes = table["n"], table["m"], table["k"]
    assert noise_mean(*sizes) == near(table["noise_mean"])
    assert noise_floor(*sizes) == near(table["noise_floor"])


@TABLES
def test_interval_of_the_fixed_tables(table) -> None:
    pair = table["current"], table["reference"]
    assert kl_interval(*pair) == (near(table["lower95"]), near(table["upper95"]))
    assert kl_interval(*pair, confidence=0.999)[0] == near(table["lower999"])


@TABLES
def test_p_values_of_the_fixed_tables(table) -> None:
    pair = table["current"], table["reference"]
    assert p_value_above(*pair, 0.02) == pytest.approx(table["p_effect_above_0_02"], rel=1e-9)
    unmerged = p_value_equal(*pair, minimum=0)
    assert unmerged == pytest.approx(table["p_equal_pearson"], rel=1e-9)


@TABLES
def test_the_scale_of_the_fixed_tables(table) -> None:
    samples = take_samples(table["current"], table["reference"], -1, False, 1.0)
    assert float(inference._law(samples).scale) == near(table["c_eff"])


def test_the_scale_of_two_equal_samples_is_that_of_noise() -> None:
    samples = take_samples([30, 20, 50], [30, 20, 50], -1, False, 1.0)
    assert float(inference._law(samples).scale) == near(0.01)


# --- debiased KL


@pytest.mark.parametrize("table", FIXED["counts"][:2], ids=lambda row: str(row["current"]))
def test_debiased_kl_to_the_last_digit(table) -> None:
    exact = Fraction(table["zg_exact_fraction"])
    assert debiased_kl(table["current"], table["reference"]) == pytest.approx(
        float(exact), rel=1e-13
    )


def as_defined(current, reference):
    """Zhang and Grabchak's double sum over products, in fractions."""
    n, m, total = sum(current), sum(reference), Fraction(0)
    for x, y in zip(current, reference, strict=True):
        if x == 0:
            continue
        product, inner = Fraction(1), Fraction(0)
        for v in range(1, m - y + 1):
            product *= 1 - Fraction(y, m - v + 1)
            inner += product / v
        product = Fraction(1)
        for v in range(1, n - x + 1):
            product *= 1 - Fraction(x - 1, n - v)
            inner -= product / v
        total += Fraction(x, n) * inner
    return total


@pytest.mark.parametrize(
    ("current", "reference"),
    [([1, 3, 7, 4, 8], [2, 5, 1, 3, 6]), ([1], [1]), ([0, 4], [9, 0]), ([1, 1, 1], [5, 0, 40])],
)
def test_debiased_kl_is_the_closed_form_of_its_definition(current, reference) -> None:
    expected = float(as_defined(current, reference))
    assert debiased_kl(current, reference) == pytest.approx(expected, rel=1e-13, abs=1e-14)


@pytest.mark.parametrize("rows", [10**4, 10**8, 10**12])
def test_debiased_kl_keeps_its_digits_far_below_the_noise(rows) -> None:
    nudge = math.isqrt(rows) // 8
    current = [rows // 4 + nudge, rows // 4 - nudge, rows // 4, rows // 4]
    reference = [rows // 4, rows // 4, rows // 4 + nudge, rows // 4 - nudge]
    with mpmath.workdps(60):
        psi, n, m = mpmath.digamma, sum(current), sum(reference)
        expected = sum(
            mpmath.mpf(x) / n * (psi(x) - psi(n) + psi(m + 1) - psi(y + 1))
            for x, y in zip(current, reference, strict=True)
        )
        error = abs(debiased_kl(current, reference) - expected)
    assert error < 1e-9 * noise_mean(n, m, 4)


def test_debiased_kl_has_hardly_any_bias() -> None:
    rng = np.random.default_rng(11)
    p, q = rng.dirichlet(np.full(20, 5.0), 2)
    estimates = debiased_kl(rng.multinomial(500, p, 4000), rng.multinomial(2000, q, 4000))
    truth = kl_divergence(p, q)
    assert abs(estimates.mean() - truth) < 4 * estimates.std() / math.sqrt(4000)


# --- noise


def test_the_printed_examples() -> None:
    assert noise_floor(5_000, 100_000, 20) == pytest.approx(0.0046, abs=5e-6)
    assert rows_needed(0.02, 1e12, 20) == 1096


@pytest.mark.parametrize("cells", [2, 20, 1000])
@pytest.mark.parametrize("quantile", [0.5, 0.95, 0.999])
def test_noise_floor_is_a_quantile_of_chi_square(cells, quantile) -> None:
    expected = (1 / 5_000 + 1 / 70_000) / 2 * stats.chi2.ppf(quantile, cells - 1)
    assert noise_floor(5_000, 70_000, cells, quantile=quantile) == near(expected)


def test_noise_is_vectorised_over_rows_and_cells() -> None:
    floors = noise_floor([100, 5_000], math.inf, [1, 20])
    assert floors.tolist() == [0.0, noise_floor(5_000, math.inf, 20)]
    assert rows_needed(0.02, [1e9, 10], 20).tolist() == [1096.0, math.inf]


def test_an_exact_reference_brings_no_noise() -> None:
    assert noise_mean(1_000, math.inf, 11) == near(10 / 2_000)
    assert noise_floor(1_000, math.inf, 11) == near(stats.chi2.isf(0.001, 10) / 2_000)


def test_rows_needed_is_infinite_where_the_reference_is_too_small() -> None:
    chi_square = stats.chi2.isf(0.001, 19)
    enough = math.ceil(chi_square / (2 * 0.02))
    assert rows_needed(0.02, enough - 1, 20) == math.inf
    assert math.isfinite(rows_needed(0.02, enough + 1, 20))
    assert rows_needed(0, math.inf, 20) == math.inf


def test_one_cell_needs_one_row() -> None:
    assert rows_needed(0.02, 10, 1) == 1.0
    assert rows_needed(0.0, 10, 1) == 1.0


# --- interval and p-values


def test_p_value_above_is_a_tail_of_scipys_noncentral_chi_square() -> None:
    rng = np.random.default_rng(5)
    p, q = rng.dirichlet(np.full(12, 3.0), 2)
    current, reference = rng.multinomial(900, p), rng.multinomial(4_000, q)
    ours, theirs = (current + 0.5) / 906, (reference + 0.5) / 4_006
    ratio = np.log(ours / theirs)
    divergence = ours @ ratio
    variance = (
        (ours @ ratio**2 - divergence**2) / 900 + (ours**2 / theirs).sum() / 4_000 - 1 / 4_000
    )
    scale = variance / (4 * divergence)
    statistic = debiased_kl(current, reference) / scale + 11
    for threshold in (0.0, 0.02, 0.3, divergence):
        tail = (
            stats.ncx2.sf(statistic, 11, threshold / scale)
            if threshold
            else stats.chi2.sf(statistic, 11)
        )
        assert p_value_above(current, reference, threshold) == pytest.approx(tail, rel=1e-9)
    lower, upper = kl_interval(current, reference, confidence=0.9)
    assert stats.ncx2.cdf(statistic, 11, lower / scale) == pytest.approx(0.9, rel=1e-9)
    assert stats.ncx2.cdf(statistic, 11, upper / scale) == pytest.approx(0.1, rel=1e-9)


def test_p_value_above_takes_one_threshold_or_one_each() -> None:
    current, reference = [[5, 0, 95], [12, 30, 58]], [[20, 10, 70], [20, 30, 50]]
    each = p_value_above(current, reference, [0.02, 0.1])
    assert each[0] == p_value_above(current, reference, 0.02)[0]
    assert each[1] == p_value_above(current[1], reference[1], 0.1)


def test_p_value_equal_is_pearsons() -> None:
    current, reference = [30, 41, 7, 22], [300, 390, 91, 280]
    expected = stats.chi2_contingency([current, reference], correction=False).pvalue
    assert p_value_equal(current, reference) == pytest.approx(expected, rel=1e-12)


def test_p_value_equal_merges_first() -> None:
    current, reference = [1, 0, 60, 39], [3, 4, 500, 493]
    merged = [[61, 39], [507, 493]]
    expected = stats.chi2_contingency(merged, correction=False).pvalue
    assert p_value_equal(current, reference) == pytest.approx(expected, rel=1e-12)
    unmerged = stats.chi2_contingency([current, reference], correction=False).pvalue
    assert p_value_equal(current, reference, minimum=0) == pytest.approx(unmerged, rel=1e-12)


def test_cells_empty_on_both_sides_do_not_count() -> None:
    with_empty = p_value_equal([30, 0, 70], [50, 0, 50], minimum=0)
    assert with_empty == pytest.approx(p_value_equal([30, 70], [50, 50]), rel=1e-12)


def test_an_exact_reference_gives_pearsons_goodness_of_fit() -> None:
    current, shares = np.array([30, 41, 7, 22]), np.array([0.3, 0.4, 0.1, 0.2])
    expected = stats.chisquare(current, 100 * shares).pvalue
    assert p_value_equal(current, shares, exact_reference=True) == pytest.approx(
        expected, rel=1e-12
    )


def test_an_exact_reference_is_the_limit_of_a_large_sample() -> None:
    current, shares = [30, 41, 7, 22], np.array([0.25, 0.25, 0.25, 0.25])
    for estimate in OF_TWO_SAMPLES:
        exact = estimate(current, shares, exact_reference=True)
        assert exact == pytest.approx(estimate(current, shares * 1e13), rel=1e-6)


def test_debiased_kl_with_an_exact_reference() -> None:
    with mpmath.workdps(40):
        psi = mpmath.digamma
        expected = sum(
            mpmath.mpf(x) / 10 * (psi(x) - psi(10) - mpmath.log(q))
            for x, q in zip((7, 3), (0.25, 0.25), strict=True)
        )
    found = debiased_kl([7, 3, 0], [0.25, 0.25, 0.5], exact_reference=True)
    assert found == pytest.approx(float(expected), rel=1e-13)


@pytest.mark.parametrize("estimate", OF_TWO_SAMPLES)
@pytest.mark.parametrize("rows", [1, 3, 10**6, 10**12])
@pytest.mark.parametrize("reference_rows", [1, 10**12])
@pytest.mark.parametrize("cells", [1, 2, 25, 3000])
@pytest.mark.parametrize("share", [1.0, 0.2, 2e-9])
def test_extremes_give_finite_numbers(estimate, rows, reference_rows, cells, share) -> None:
    current, reference = np.zeros(cells), np.full(cells, reference_rows / cells)
    current[0] = rows
    reference[0] = reference_rows * share
    for counts, exact in ((reference, False), (reference / reference.sum(), True)):
        found = estimate(current, counts, exact_reference=exact)
        assert np.isfinite(found).all()
        if estimate is kl_interval:
            assert 0 <= found[0] <= found[1]
        elif estimate is not debiased_kl:
            assert 0 <= found <= 1


def test_one_cell_cannot_drift() -> None:
    assert debiased_kl([7], [9]) == near(0.0)
    assert kl_interval([7], [9]) == (0.0, 0.0)
    assert p_value_above([7], [9], 0.0) == 1.0
    assert p_value_equal([7], [9]) == 1.0


def test_the_upper_limit_is_at_least_the_mean_of_noise() -> None:
    _, upper = kl_interval([25, 25, 25, 25], [250, 250, 250, 250])
    assert upper == noise_mean(100, 1000, 4)


def test_a_certain_drift_of_twenty_nats() -> None:
    rows = 10**12
    reference = [rows * math.exp(-20), rows * (1 - math.exp(-20))]
    lower, upper = kl_interval([rows, 0], reference)
    assert lower < debiased_kl([rows, 0], reference) < upper
    margin = 1.645 * math.sqrt(math.exp(20) / rows)  # the noise of the reference's rare cell
    assert (lower, upper) == pytest.approx((20 - margin, 20 + margin), rel=1e-4)


@pytest.mark.parametrize("divergence", [0.0, 0.005, 0.05, 0.3])
@pytest.mark.parametrize("exact", [False, True])
def test_the_lower_limit_covers(divergence, exact) -> None:
    rng = np.random.default_rng(20)
    reference = rng.dirichlet(np.full(20, 5.0))
    current = at_divergence(reference, rng.normal(size=20), divergence)
    samples = rng.multinomial(5_000, current, 2_000)
    others = reference if exact else rng.multinomial(100_000, reference, 2_000)
    lower, _ = kl_interval(samples, others, exact_reference=exact)
    assert 0.93 < (lower <= divergence).mean() < 0.97


@pytest.mark.parametrize("divergence", [0.02, 0.05, 0.3])
def test_the_upper_limit_covers(divergence) -> None:
    rng = np.random.default_rng(21)
    reference = rng.dirichlet(np.full(20, 5.0))
    current = at_divergence(reference, rng.normal(size=20), divergence)
    samples = rng.multinomial(5_000, current, 2_000), rng.multinomial(100_000, reference, 2_000)
    assert 0.93 < (kl_interval(*samples)[1] >= divergence).mean() < 0.97


def at_divergence(reference, direction, divergence):
    """Return the reference tilted exponentially until it is that far away."""
    low, high = 0.0, 20.0
    for _ in range(80):
        tilt = (low + high) / 2
        current = reference * np.exp(tilt * direction)
        current /= current.sum()
        low, high = (tilt, high) if kl_divergence(current, reference) < divergence else (low, tilt)
    return reference if divergence == 0 else current


def test_merged_first_the_lower_limit_holds_where_cells_are_sparse() -> None:
    rng = np.random.default_rng(22)
    shares = rng.dirichlet(np.full(50, 50.0))
    pairs = rng.multinomial(100, shares, 400), rng.multinomial(100_000, shares, 400)
    assert (kl_interval(*pairs)[0] > 0.02).mean() > 0.15  # two rows per cell: why to merge
    lower = [kl_interval(*merge_cells(*pair))[0] for pair in zip(*pairs, strict=True)]
    assert (np.array(lower) > 0.02).mean() < 0.05


def test_merging_keeps_the_nominal_level_of_p_value_equal() -> None:
    rng = np.random.default_rng(23)
    shares = rng.dirichlet(np.full(200, 0.2)) + 1e-9
    shares /= shares.sum()
    pairs = rng.multinomial(500, shares, 4_000), rng.multinomial(100_000, shares, 4_000)
    assert (p_value_equal(*pairs, minimum=0) < 0.001).mean() > 0.05  # nominally 0.001
    for ordered in (True, False):
        p_values = p_value_equal(*pairs, ordered=ordered)
        assert 0.035 < (p_values < 0.05).mean() < 0.065
        assert (p_values < 0.001).mean() < 0.004


# --- merging


def test_merging_takes_neighbours_until_enough_are_expected() -> None:
    current, reference = merge_cells([2, 2, 2, 9, 9, 1], [4, 4, 4, 9, 3, 1], minimum=5)
    assert current.tolist() == [4, 11, 10]
    assert reference.tolist() == [8, 13, 4]


def test_merging_counts_what_the_smaller_sample_expects() -> None:
    kept, _ = merge_cells([4, 6], [400, 600], minimum=4)
    assert kept.tolist() == [4, 6]
    merged, _ = merge_cells([4, 6], [400, 600], minimum=4.1)
    assert merged.tolist() == [10]
    merged, _ = merge_cells([400, 600], [4, 6], minimum=4.1)
    assert merged.tolist() == [1000]


def test_unordered_cells_are_pooled_from_the_smallest() -> None:
    current, reference = merge_cells([1, 50, 2, 40, 3], [2, 50, 1, 40, 3], ordered=False)
    assert current.tolist() == [6, 40, 50]
    assert reference.tolist() == [6, 40, 50]


def test_unordered_ties_are_pooled_by_position() -> None:
    current = np.arange(200) * 7 % 4
    reference = 4 - current + np.arange(200) % 3
    sizes = current + reference
    order = sorted(range(200), key=lambda cell: (sizes[cell], cell))
    pooled = merge_cells(current, reference, ordered=False)
    np.testing.assert_array_equal(pooled, merge_cells(current[order], reference[order]))


def test_a_merged_batch_ends_in_empty_cells() -> None:
    counts = [[50, 50, 50], [2, 96, 52]]
    current, reference = merge_cells(counts, counts)
    assert current.tolist() == [[50, 50, 50], [98, 52, 0]]
    assert reference.tolist() == current.tolist()
    transposed, _ = merge_cells(np.transpose(counts), np.transpose(counts), axis=0)
    assert transposed.tolist() == np.transpose(current).tolist()


def test_merging_with_an_exact_reference_adds_its_probabilities() -> None:
    current, reference = merge_cells([3, 3, 94], [0.01, 0.04, 0.95], exact_reference=True)
    assert current.tolist() == [6, 94]
    assert reference.tolist() == near([0.05, 0.95])


# --- support


def test_vanished() -> None:
    assert p_value_vanished(0.05, 100) == pytest.approx(0.95**100, rel=1e-13)
    assert p_value_vanished(1e-12, 10**12) == pytest.approx(math.exp(-1), rel=1e-11)
    assert p_value_vanished([0.0, 1.0, 1.0], [5, 5, 0]).tolist() == [1.0, 0.0, 1.0]
    assert p_value_vanished(0.05, 100, design_effect=4) == pytest.approx(0.95**25, rel=1e-13)


@pytest.mark.parametrize("n", [1, 2, 5, 40])
@pytest.mark.parametrize("m", [0, 1, 3, 60])
def test_beyond_is_its_product(n, m) -> None:
    for j in range(n + 1):
        product = math.prod((Fraction(n - i, n + m - i) for i in range(j)), start=Fraction(1))
        assert p_value_beyond(j, n, m) == pytest.approx(float(product), rel=1e-12)


@pytest.mark.parametrize(
    ("j", "n", "m"),
    [
        (1, 10**12, 10**12),
        (100, 10**12, 10**12),
        (10**6, 10**12, 10**6),
        (10**11, 10**12, 10),
        (10**12, 10**12, 3),
        (10**7, 10**12, 5 * 10**6),
        (12, 10**9, 10**12),
    ],
)
def test_beyond_keeps_its_digits_among_a_million_million_rows(j, n, m) -> None:
    with mpmath.workdps(60):
        gamma = mpmath.loggamma
        expected = mpmath.exp(
            gamma(n + 1) - gamma(n - j + 1) - gamma(n + m + 1) + gamma(n + m - j + 1)
        )
    assert p_value_beyond(j, n, m) == pytest.approx(float(expected), rel=1e-12)


def test_beyond_with_a_design_effect_counts_clusters() -> None:
    assert p_value_beyond(8, 40, 60, design_effect=4) == pytest.approx(p_value_beyond(2, 10, 15))


# --- many p-values


def test_benjamini_hochberg_agrees_with_scipy() -> None:
    p_values = np.random.default_rng(3).uniform(size=200) ** 3
    np.testing.assert_allclose(
        benjamini_hochberg(p_values), stats.false_discovery_control(p_values), rtol=1e-13
    )


def test_benjamini_hochberg_of_few() -> None:
    assert benjamini_hochberg([0.01, 0.04, 0.03]).tolist() == near([0.03, 0.04, 0.04])
    assert benjamini_hochberg([0.9, 1.0]).tolist() == [1.0, 1.0]
    assert benjamini_hochberg([]).tolist() == []


# --- shapes, options, refusals


def test_one_pair_gives_floats_and_a_batch_arrays() -> None:
    one, batch = ([5, 0, 95], [20, 10, 70]), ([[5, 0, 95]] * 2, [[20, 10, 70]] * 2)
    for estimate in OF_TWO_SAMPLES:
        single, many = np.asarray(estimate(*one)), np.asarray(estimate(*batch))
        assert many.shape == (*single.shape, 2)
        np.testing.assert_array_equal(many, np.stack([single, single], axis=-1))
    assert type(debiased_kl(*one)) is float
    assert [type(limit) for limit in kl_interval(*one)] == [float, float]


def test_one_reference_serves_a_batch() -> None:
    current, reference = [[5, 0, 95], [30, 20, 50]], [20, 10, 70]
    for estimate in OF_TWO_SAMPLES:
        np.testing.assert_array_equal(
            estimate(current, reference), estimate(current, [reference, reference])
        )


def test_a_design_effect_divides_the_rows() -> None:
    current, reference = np.array([40, 80, 30]), np.array([300, 500, 200])
    for estimate in OF_TWO_SAMPLES:
        divided = estimate(current / 2.5, reference / 2.5)
        assert estimate(current, reference, design_effect=2.5) == near(divided)
        shares = reference / 1000
        one_sided = estimate(current / 2.5, shares, exact_reference=True)
        found = estimate(current, shares, exact_reference=True, design_effect=2.5)
        assert found == near(one_sided)
    assert noise_floor(500, 900, 20, design_effect=3) == near(noise_floor(500 / 3, 300, 20))
    assert noise_mean(500, 900, 20, design_effect=3) == near(noise_mean(500 / 3, 300, 20))
    assert rows_needed(0.02, 9e9, 20, design_effect=3) == 3 * 1096 - 1


@pytest.mark.parametrize("estimate", [*OF_TWO_SAMPLES, merge_cells])
@pytest.mark.parametrize(
    ("current", "reference", "message"),
    [
        ([1, -1], [1, 1], "current counts, cell 1: expected a finite number of at least 0"),
        ([1, 1], [1, math.nan], "reference counts, cell 1"),
        ([1, 1], [1, 1, 1], "current has 2 cells and reference has 3"),
        ([0, 0], [1, 1], "current counts: expected some rows, got none"),
        ([[1, 1], [1, 1]], [[1, 1], [0, 0]], "reference counts of distribution 1: expected some"),
    ],
)
def test_impossible_counts_are_refused(estimate, current, reference, message) -> None:
    with pytest.raises(DomainError, match=message):
        estimate(current, reference)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ([50, 50], "exact reference sums to 100"),
        ([1.0, 0.0], "exact reference, cell 1: expected a probability above 0, got 0"),
    ],
)
def test_an_exact_reference_must_be_a_positive_distribution(reference, message) -> None:
    for estimate in OF_TWO_SAMPLES:
        with pytest.raises(DomainError, match=message):
            estimate([1, 1], reference, exact_reference=True)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: noise_floor(0, 1, 2), "current_rows: expected a number above 0, or inf"),
        (lambda: noise_mean(1, [5, -1], 2), r"reference_rows\[1\]: .* got -1.0"),
        (lambda: noise_mean(1, 1, 0), "cells: expected a number of at least 1, got 0.0"),
        (lambda: noise_mean(math.nan, 1, 2), "current_rows"),
        (lambda: rows_needed(-0.1, 10, 2), "limit: expected a number of at least 0, got -0.1"),
        (lambda: p_value_above([1], [1], -1), "threshold: expected a finite number of at least 0"),
        (lambda: p_value_vanished(1.5, 10), "reference_share: expected a number from 0 to 1"),
        (lambda: p_value_vanished(0.5, math.inf), "current_rows: expected a finite number"),
        (lambda: p_value_beyond(-1, 10, 10), "beyond: expected a finite number of at least 0"),
        (lambda: p_value_beyond([1, 11], 10, 10), r"beyond\[1\]: 11 rows .* current_rows is 10"),
        (lambda: benjamini_hochberg([0.5, math.nan]), r"p_values\[1\]: .* got nan"),
        (lambda: benjamini_hochberg([[0.5]]), "p_values: expected one dimension"),
    ],
)
def test_numbers_outside_the_domain_are_refused(call, message) -> None:
    with pytest.raises(DomainError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kl_interval([1], [1], confidence=1), "confidence: expected a number between 0"),
        (lambda: noise_floor(1, 1, 2, quantile=0), "quantile: expected a number between 0 and 1"),
        (lambda: merge_cells([1], [1], minimum=-1), "minimum: expected a number of at least 0"),
        (lambda: debiased_kl([1], [1], design_effect=0), "design_effect: expected a finite number"),
        (lambda: noise_mean(1, 1, 2, design_effect=math.inf), "design_effect"),
        (lambda: p_value_vanished(0.5, 1, design_effect=-1), "design_effect"),
        (lambda: p_value_beyond(1, 2, 3, design_effect=math.nan), "design_effect"),
    ],
)
def test_impossible_options_are_refused(call, message) -> None:
    with pytest.raises(UsageError, match=message):
        call()


def test_importing_loads_neither_scipy_nor_arrow_nor_pandas() -> None:
    script = "import sys, kl_drift.statistics.inference; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert not {"scipy", "pyarrow", "pandas"} & set(loaded.stdout.split())
