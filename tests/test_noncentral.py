"""The special functions against mpmath, scipy and themselves."""

import itertools
import math

import mpmath
import numpy as np
import pytest
from scipy import stats

from kl_drift.statistics import noncentral


def tails_by_recurrence(x, noncentrality, df):
    """Both tails for odd df: normal tails for one degree of freedom, then Bessel terms."""
    with mpmath.workdps(70):
        a, b = mpmath.sqrt(mpmath.mpf(noncentrality)), mpmath.sqrt(mpmath.mpf(x))
        lower = (mpmath.erfc((a - b) / mpmath.sqrt(2)) - mpmath.erfc((a + b) / mpmath.sqrt(2))) / 2
        upper = (mpmath.erfc((b - a) / mpmath.sqrt(2)) + mpmath.erfc((a + b) / mpmath.sqrt(2))) / 2
        for order in range((df - 1) // 2):
            half = mpmath.mpf(order) + mpmath.mpf(1) / 2
            term = (b / a) ** half * mpmath.exp(-(a * a + b * b) / 2) * mpmath.besseli(half, a * b)
            lower, upper = lower - term, upper + term
        return lower, upper


@pytest.mark.parametrize("df", [1, 3, 5, 19])
@pytest.mark.parametrize("noncentrality", [1e-6, 0.1, 1.0, 30.0, 1e4, 1e7, 1e10, 1e13])
def test_tails_of_the_noncentral_chi_square(df, noncentrality) -> None:
    spread = math.sqrt(2 * df + 4 * noncentrality)
    points = [df + noncentrality + z * spread for z in (-30, -6, -2, -0.3, 0, 1e-6, 0.3, 2, 6, 30)]
    x = np.array([point for point in points if point > 0] + [(df + noncentrality) * 0.01])
    tails = noncentral.noncentral_chi_square(x, np.full_like(x, noncentrality), df)
    for point, lower, upper in zip(x, tails.lower, tails.upper, strict=True):
        exact = tails_by_recurrence(point, noncentrality, df)
        for got, wanted in zip((lower, upper), exact, strict=True):
            if wanted > 1e-30:  # what x itself is rounded by moves the tail this much
                conditioning = 2e-16 * (abs(math.log(wanted)) + 1) * math.sqrt(noncentrality + df)
                assert got == pytest.approx(float(wanted), rel=1e-11 + 10 * conditioning)


@pytest.mark.parametrize("df", [2, 4, 24, 999])
@pytest.mark.parametrize("noncentrality", [0.0, 0.5, 20.0, 3e3])
def test_tails_agree_with_scipy(df, noncentrality) -> None:
    law = stats.ncx2(df, noncentrality) if noncentrality else stats.chi2(df)
    x = law.ppf([1e-6, 0.05, 0.3, 0.5, 0.7, 0.95, 0.999])
    tails = noncentral.noncentral_chi_square(x, np.full_like(x, noncentrality), df)
    np.testing.assert_allclose(tails.lower, law.cdf(x), rtol=1e-10)
    np.testing.assert_allclose(tails.upper, law.sf(x), rtol=1e-10)


def test_the_slope_is_the_derivative_of_the_upper_tail() -> None:
    x, noncentrality, step = np.array([40.0, 5.0]), np.array([20.0, 3.0]), 1e-4
    at = noncentral.noncentral_chi_square
    rise = at(x, noncentrality + step, 9).upper - at(x, noncentrality - step, 9).upper
    np.testing.assert_allclose(at(x, noncentrality, 9).slope, rise / (2 * step), rtol=1e-7)


@pytest.mark.parametrize("df", [1, 2, 5, 19, 3000])
@pytest.mark.parametrize("score", [-7, -3.1, -1.645, 0, 1.645, 3.1, 7])
def test_the_noncentrality_solves_its_equation(df, score) -> None:
    x = np.concatenate([10.0 ** np.arange(-3, 15), df * np.linspace(0.2, 3, 30)])
    solution = noncentral.noncentrality(x, df, score)
    found = noncentral.normal_score(noncentral.noncentral_chi_square(x, solution, df))
    solved = solution > 0
    assert solved.sum() >= 12
    np.testing.assert_allclose(found[solved], score, atol=1e-9 + 4e-15 * np.sqrt(x[solved].max()))
    if abs(score) < 6:  # with λ = 0 the lower tail is at most the one asked for
        assert (found[~solved] <= score + 1e-9).all()


def test_the_search_settles_long_before_it_gives_up(monkeypatch) -> None:
    calls = itertools.count()
    tails = noncentral.noncentral_chi_square
    monkeypatch.setattr(
        noncentral, "noncentral_chi_square", lambda *law: (next(calls), tails(*law))[1]
    )
    for x, df, score in itertools.product((0.01, 3.0, 50.0, 1e6, 1e14), (1, 19, 999), (-5, 0, 5)):
        noncentral.noncentrality(np.array([x]), df, score)
    assert next(calls) <= 9 * 5 * 10
