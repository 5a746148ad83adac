from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import mpmath
import numpy as np
import pytest
from scipy import stats

from kl_drift.errors import DomainError, UsageError
from kl_drift.statistics.continuous import closed_form, integrate, nearest_neighbour

FIXED = json.loads((Path(__file__).parent / "data" / "analytic_kl.json").read_text("utf-8"))
CLOSED = [row for row in FIXED["analytic"] if row["family"] != "categorical"]

MEMBERS = {
    "bernoulli": {"p": 0.3},
    "beta": {"a": 2.3, "b": 4.1},
    "binomial": {"n": 12, "p": 0.3},
    "dirichlet": {"alpha": [0.7, 2.0, 3.5]},
    "exponential": {"rate": 1.7},
    "gamma": {"shape": 2.3, "rate": 1.1},
    "geometric": {"p": 0.3},
    "laplace": {"loc": 0.3, "scale": 1.1},
    "lognormal": {"mu": 0.2, "sigma": 0.7},
    "multivariate_normal": {"mean": [0.0, 1.0], "cov": [[2.0, 0.3], [0.3, 1.0]]},
    "normal": {"mean": 1.3, "sd": 2.1},
    "pareto": {"alpha": 3.0, "xm": 1.5},
    "poisson": {"rate": 3.3},
    "uniform": {"low": 0.3, "high": 1.7},
    "weibull": {"shape": 1.5, "scale": 2.3},
}


def each_way(family, current, reference):
    return (
        closed_form(family, current=current, reference=reference),
        closed_form(family, current=reference, reference=current),
    )


@pytest.mark.parametrize("row", CLOSED, ids=lambda row: row["id"])
def test_fixed_points_both_ways(row) -> None:
    forth, back = each_way(row["family"].removesuffix(" (same x_m)"), row["P"], row["Q"])
    assert forth == pytest.approx(float(row["kl_pq"]), rel=1e-12)
    assert back == pytest.approx(float(row["kl_qp"]), rel=1e-12)
    assert forth + back == pytest.approx(float(row["jeffreys"]), rel=1e-12)


@pytest.mark.parametrize(
    "row", [r for r in FIXED["published"] if "Beta(" in r["source"]], ids=lambda r: r["source"]
)
def test_published_beta_distributions(row) -> None:
    numbers = re.findall(r"\((.+?),(.+?)\)", row["source"])
    forth, back = each_way("beta", *({"a": float(a), "b": float(b)} for a, b in numbers))
    assert forth == pytest.approx(row["kl_pq"], abs=5e-6)
    assert back == pytest.approx(row["kl_qp"], abs=5e-6)


@pytest.mark.parametrize(("family", "member"), MEMBERS.items())
def test_a_distribution_is_at_no_distance_from_itself(family, member) -> None:
    assert closed_form(family, current=member, reference=member) == 0


def textbook(family, p, q):
    """Return the divergence as books print it, for arguments of many digits."""
    ln, lngamma, psi = mpmath.log, mpmath.loggamma, mpmath.digamma

    def bernoulli(x, y):
        return x * ln(x / y) + (1 - x) * ln((1 - x) / (1 - y))

    def normal(m1, s1, m2, s2):
        return ln(s2 / s1) + (s1**2 + (m1 - m2) ** 2) / (2 * s2**2) - mpmath.mpf(1) / 2

    def beta(a1, b1, a2, b2):
        norm = lngamma(a2) + lngamma(b2) - lngamma(a2 + b2)
        norm -= lngamma(a1) + lngamma(b1) - lngamma(a1 + b1)
        slope = (a2 - a1 + b2 - b1) * psi(a1 + b1)
        return norm + (a1 - a2) * psi(a1) + (b1 - b2) * psi(b1) + slope

    def gamma(a1, b1, a2, b2):
        shapes = (a1 - a2) * psi(a1) - lngamma(a1) + lngamma(a2)
        return shapes + a2 * ln(b1 / b2) + a1 * (b2 - b1) / b1

    def laplace(m1, b1, m2, b2):
        shift = abs(m1 - m2)
        return ln(b2 / b1) + shift / b2 + b1 / b2 * mpmath.exp(-shift / b1) - 1

    def weibull(k1, l1, k2, l2):
        heads = ln(k1 / l1**k1) - ln(k2 / l2**k2) + (k1 - k2) * (ln(l1) - mpmath.euler / k1)
        return heads + (l1 / l2) ** k2 * mpmath.gamma(k2 / k1 + 1) - 1

    def pareto(a1, x1, a2, x2):
        return ln(a1 / a2) + a2 / a1 - 1 + a2 * ln(x1 / x2)

    formulas = {
        "bernoulli": bernoulli,
        "beta": beta,
        "binomial": lambda n, x, _, y: n * bernoulli(x, y),
        "exponential": lambda r, s: ln(r / s) + s / r - 1,
        "gamma": gamma,
        "geometric": lambda x, y: bernoulli(x, y) / x,
        "laplace": laplace,
        "lognormal": normal,
        "normal": normal,
        "pareto": pareto,
        "poisson": lambda r, s: r * ln(r / s) + s - r,
        "uniform": lambda l1, h1, l2, h2: ln((h2 - l2) / (h1 - l1)),
        "weibull": weibull,
    }
    return formulas[family](*map(mpmath.mpf, p.values()), *map(mpmath.mpf, q.values()))


def moved(family, step):
    """Return a member at a relative distance of ``step``, inside the reference's support."""
    member = dict(MEMBERS[family])
    for key, factor in zip(member, (1 + step, 1 + 0.7 * step), strict=False):
        member[key] *= factor
    if family == "binomial":
        member["n"] = MEMBERS[family]["n"]
    if family == "uniform":
        member["low"] = MEMBERS[family]["low"] - step
    if family == "pareto":
        member["xm"] = MEMBERS[family]["xm"] / (1 + step)
    return member


@pytest.mark.parametrize("step", [1.2, 0.6, 0.4, 0.1, 1e-3, 1e-6, 1e-9, 1e-12])
@pytest.mark.parametrize("family", sorted(set(MEMBERS) - {"dirichlet", "multivariate_normal"}))
def test_digits_survive_however_near_the_two_are(family, step) -> None:
    current, reference = MEMBERS[family], moved(family, step)
    with mpmath.workdps(60):
        exact = textbook(family, current, reference)
        found = closed_form(family, current=current, reference=reference)
        assert abs(found - exact) <= 1e-13 * exact


def test_extreme_parameters_stay_finite() -> None:
    for family, current, reference in (
        ("normal", {"mean": 0, "sd": 1e-200}, {"mean": 0, "sd": 1.0}),
        ("exponential", {"rate": 1.0}, {"rate": 1e-300}),
        ("poisson", {"rate": 1e-300}, {"rate": 1.0}),
        ("bernoulli", {"p": 1e-300}, {"p": 0.5}),
        ("gamma", {"shape": 1e10, "rate": 1e10}, {"shape": 1.1e10, "rate": 1e10}),
        ("gamma", {"shape": 1e-5, "rate": 1.0}, {"shape": 5.0, "rate": 1.0}),
        ("weibull", {"shape": 30.0, "scale": 1.0}, {"shape": 0.1, "scale": 1.0}),
    ):
        assert 0 < closed_form(family, current=current, reference=reference) < math.inf


def test_a_divergence_beyond_the_range_of_floats_is_infinite() -> None:
    steep = {"shape": 300.0, "scale": 1.0}
    assert closed_form("weibull", current={"shape": 1.0, "scale": 1.0}, reference=steep) == math.inf


def test_terms_that_floats_cannot_hold_are_refused() -> None:
    near, far = {"loc": 0.0, "scale": 1e-300}, {"loc": 1e200, "scale": 1e100}
    with pytest.raises(DomainError, match=r"laplace: .* too far apart for floats"):
        closed_form("laplace", current=near, reference=far)
    narrow, wide = {"mean": 0.0, "sd": 1e-200}, {"mean": 0.0, "sd": 1e200}
    assert closed_form("normal", current=wide, reference=narrow) == math.inf


@pytest.mark.parametrize(
    ("family", "wide", "narrow"),
    [
        ("uniform", {"low": 0, "high": 2}, {"low": 0, "high": 1}),
        ("uniform", {"low": -1, "high": 1}, {"low": 0, "high": 1}),
        ("pareto", {"alpha": 2, "xm": 1}, {"alpha": 2, "xm": 1.5}),
        ("bernoulli", {"p": 0.5}, {"p": 0}),
        ("bernoulli", {"p": 0.5}, {"p": 1}),
        ("binomial", {"n": 3, "p": 0.5}, {"n": 3, "p": 1}),
        ("geometric", {"p": 0.5}, {"p": 1}),
    ],
)
def test_values_that_the_reference_cannot_have_cost_infinitely_much(family, wide, narrow) -> None:
    forth, back = each_way(family, wide, narrow)
    assert forth == math.inf
    assert back < math.inf


def test_pareto_with_a_later_start() -> None:
    found = closed_form(
        "pareto", current={"alpha": 3.0, "xm": 2.0}, reference={"alpha": 2.0, "xm": 1.0}
    )
    p, q = stats.pareto(3.0, scale=2.0).pdf, stats.pareto(2.0, scale=1.0).pdf
    assert integrate(p, q, low=1, points=[2]) == pytest.approx(found, rel=1e-8)


def test_sure_outcomes() -> None:
    sure = closed_form("bernoulli", current={"p": 0}, reference={"p": 0.25})
    assert sure == pytest.approx(-math.log(0.75), rel=1e-15)
    assert closed_form("bernoulli", current={"p": 1}, reference={"p": 0.25}) == math.log(4)
    assert closed_form("geometric", current={"p": 1}, reference={"p": 0.25}) == math.log(4)


def test_binomials_of_different_n() -> None:
    few, many = {"n": 3, "p": 0.5}, {"n": 4, "p": 0.5}
    assert closed_form("binomial", current=many, reference=few) == math.inf
    with pytest.raises(DomainError, match="no closed form for n=3 against a reference of n=4"):
        closed_form("binomial", current=few, reference=many)
    never = closed_form("binomial", current={"n": 9, "p": 0}, reference=many)
    assert never == pytest.approx(4 * math.log(2), rel=1e-15)


def test_independent_normals_add() -> None:
    pairs = [((0.0, 1.0), (0.5, 1.5)), ((2.0, 0.7), (1.0, 0.6)), ((-1.0, 3.0), (-1.0, 2.0))]
    singly = sum(
        closed_form("normal", current={"mean": a, "sd": b}, reference={"mean": c, "sd": d})
        for (a, b), (c, d) in pairs
    )
    current, reference = (
        {"mean": [m for m, _ in side], "cov": np.diag([sd**2 for _, sd in side])}
        for side in zip(*pairs, strict=True)
    )
    # A common change of coordinates changes nothing, but fills the matrices.
    turn = np.array([[1.0, 2.0, 0.5], [0.0, 1.0, -1.0], [0.3, 0.0, 2.0]])
    for side in (current, reference):
        cov = turn @ side["cov"] @ turn.T
        side["mean"], side["cov"] = turn @ side["mean"], (cov + cov.T) / 2
    joint = closed_form("multivariate_normal", current=current, reference=reference)
    assert joint == pytest.approx(singly, rel=1e-13)


@pytest.mark.parametrize("rho", [0.9, 0.15, 1e-3, 1e-6, 1e-9])
def test_a_correlation_alone(rho) -> None:
    # ‖ independence: the mutual information −½ ln(1 − ρ²).
    found = closed_form(
        "multivariate_normal",
        current={"mean": [0, 0], "cov": [[1, rho], [rho, 1]]},
        reference={"mean": [0, 0], "cov": [[1, 0], [0, 1]]},
    )
    assert found == pytest.approx(-0.5 * math.log1p(-(rho**2)), rel=1e-12)


def test_normals_in_one_dimension_agree() -> None:
    joint = each_way(
        "multivariate_normal", {"mean": [1], "cov": [[4]]}, {"mean": [0], "cov": [[9]]}
    )
    single = each_way("normal", {"mean": 1, "sd": 2}, {"mean": 0, "sd": 3})
    assert joint == pytest.approx(single, rel=1e-14)


def test_a_dirichlet_of_two_is_a_beta() -> None:
    pair = each_way("dirichlet", {"alpha": [2.0, 5.0]}, {"alpha": [0.7, 4.0]})
    assert pair == each_way("beta", {"a": 2.0, "b": 5.0}, {"a": 0.7, "b": 4.0})


@pytest.mark.parametrize("scale", [2.0, 1.2, 1.0001])
def test_a_dirichlet_is_a_stick_broken_at_independent_betas(scale) -> None:
    (a, b, c), (x, y, z) = (0.7, 2.0, 3.5), (0.7 * scale, 2.0, 3.5 / scale)
    whole = closed_form("dirichlet", current={"alpha": [a, b, c]}, reference={"alpha": [x, y, z]})
    sticks = closed_form(
        "beta", current={"a": a, "b": b + c}, reference={"a": x, "b": y + z}
    ) + closed_form("beta", current={"a": b, "b": c}, reference={"a": y, "b": z})
    assert whole == pytest.approx(sticks, rel=1e-12)


@pytest.mark.parametrize(
    ("family", "given", "error", "message"),
    [
        ("norml", {}, UsageError, "'norml' is not known; expected one of .*Did you mean 'normal'"),
        ("normal", {"mean": 0, "std": 1}, UsageError, "normal, current: parameter 'std' is not"),
        ("normal", {"mean": 0}, UsageError, "'sd' is missing; expected a finite number above 0"),
        ("gamma", {"shape": 1, "rat": 1}, UsageError, "shape, rate. Did you mean 'rate'"),
        ("normal", {"mean": 0, "sd": 0}, DomainError, "normal, current, sd: .* above 0, got 0"),
        ("normal", {"mean": "0", "sd": 1}, DomainError, "mean: expected a finite number, got '0'"),
        ("normal", {"mean": math.nan, "sd": 1}, DomainError, "got nan"),
        ("poisson", {"rate": True}, DomainError, "got True"),
        ("poisson", {"rate": math.inf}, DomainError, "got inf"),
        ("bernoulli", {"p": 1.1}, DomainError, "a number from 0 to 1, got 1.1"),
        ("geometric", {"p": 0}, DomainError, "above 0 and up to 1, got 0"),
        ("binomial", {"n": 2.5, "p": 0.1}, DomainError, "whole number of at least 1, got 2.5"),
        ("uniform", {"low": 1, "high": 1}, DomainError, "low < high, got 1.0 and 1.0"),
        ("dirichlet", {"alpha": [1.0]}, DomainError, "at least two numbers above 0"),
        ("dirichlet", {"alpha": [1.0, 0.0]}, DomainError, "at least two numbers above 0"),
        ("dirichlet", {"alpha": ["a"]}, DomainError, "at least two numbers above 0"),
        ("dirichlet", {"alpha": [1.0, 2.0]}, DomainError, "the same dimensions.* got 2, 3"),
        (
            "multivariate_normal",
            {"mean": [0, 0], "cov": [[1, 2], [2, 1]]},
            DomainError,
            "symmetric, positive definite",
        ),
        (
            "multivariate_normal",
            {"mean": [0, 0], "cov": [[1, 0.5], [0, 1]]},
            DomainError,
            "symmetric, positive definite",
        ),
        (
            "multivariate_normal",
            {"mean": [0, 0, 0], "cov": [[1, 0], [0, 1]]},
            DomainError,
            "the same dimensions",
        ),
    ],
)
def test_refuses_other_parameters(family, given, error, message) -> None:
    reference = MEMBERS.get(family, {})
    with pytest.raises(error, match=message):
        closed_form(family, current=given, reference=reference)


def test_names_the_side_that_is_wrong() -> None:
    with pytest.raises(DomainError, match="poisson, reference, rate"):
        closed_form("poisson", current={"rate": 1}, reference={"rate": -1})


@pytest.mark.parametrize(("family", "member"), MEMBERS.items())
def test_the_table_of_families_is_complete(family, member) -> None:
    row = rf"{family} +{', '.join(member)} "
    assert re.search(row, closed_form.__doc__)


@pytest.mark.parametrize(
    ("family", "current", "reference", "options"),
    [
        ("normal", stats.norm(0, 1), stats.norm(0.5, 1.5), {}),
        ("normal", stats.norm(0, 2), stats.norm(0, 1), {}),  # q underflows before p does
        ("laplace", stats.laplace(0, 1), stats.laplace(1, 2), {"points": [1, 0]}),
        ("gamma", stats.gamma(2), stats.gamma(3, scale=0.5), {"low": 0}),
        ("uniform", stats.uniform(0, 1), stats.uniform(0, 2), {"low": 0, "high": 2, "points": [1]}),
    ],
)
def test_integration_agrees_with_closed_forms(family, current, reference, options) -> None:
    if family == "gamma":
        sides = [
            {"shape": d.args[0], "rate": 1 / d.kwds.get("scale", 1)} for d in (current, reference)
        ]
    elif family == "uniform":
        sides = [{"low": d.support()[0], "high": d.support()[1]} for d in (current, reference)]
    else:
        names = {"normal": ("mean", "sd"), "laplace": ("loc", "scale")}[family]
        sides = [dict(zip(names, d.args, strict=True)) for d in (current, reference)]
    expected = closed_form(family, current=sides[0], reference=sides[1])
    assert integrate(current.pdf, reference.pdf, **options) == pytest.approx(expected, rel=1e-8)


def test_integration_of_equal_densities_is_zero() -> None:
    assert integrate(stats.norm.pdf, stats.norm.pdf) == 0


@pytest.mark.parametrize(
    ("current", "reference", "options", "message"),
    [
        (lambda _: 0.6, lambda _: 0.5, {}, "current density integrates to 1.2 from 0 to 2"),
        (lambda _: 0.5, lambda _: 0.4, {}, "reference density integrates to 0.8"),
        (lambda _: -0.5, lambda _: 0.5, {}, "current density is -0.5 at"),
        (lambda _: 0.5, lambda _: math.nan, {}, "reference density is nan at"),
        (
            lambda _: 0.5,
            lambda x: float(x < 1),
            {"points": [1]},
            "reference density is 0 where the current has 0.5 of its mass",
        ),
        (
            lambda x: 0.5 / x**2,
            lambda _: 0.5,
            {},
            "current density from 0 to 2 does not converge.* points",
        ),
    ],
)
def test_integration_refuses_what_is_no_pair_of_densities(
    current, reference, options, message
) -> None:
    with pytest.raises(DomainError, match=message):
        integrate(current, reference, low=0, high=2, **options)


@pytest.mark.parametrize(
    "options", [{"low": 1, "high": 0}, {"low": 0, "high": 1, "points": [2]}, {"low": math.nan}]
)
def test_integration_refuses_an_empty_range(options) -> None:
    with pytest.raises(UsageError, match="low < every point < high"):
        integrate(stats.norm.pdf, stats.norm.pdf, **options)


def test_nearest_neighbours_by_hand() -> None:
    # k = 1: ρ = 1, 1, 2 and ν = .5, .5, 1.5 on the line; d = 1, n = 3, m = 2.
    found = nearest_neighbour([0.0, 1.0, 3.0], [0.5, 1.5], k=1)
    expected = (2 * math.log(0.5) + math.log(1.5 / 2)) / 3 + math.log(2 / 2)
    assert found == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_nearest_neighbours_find_a_shift(dimensions) -> None:
    rng = np.random.default_rng(5)
    estimates = [
        nearest_neighbour(
            rng.standard_normal((2_000, dimensions)) + 0.5,
            rng.standard_normal((3_000, dimensions)),
        )
        for _ in range(10)
    ]
    assert np.mean(estimates) == pytest.approx(0.125 * dimensions, abs=0.04)


def test_nearest_neighbours_do_not_change_with_the_unit() -> None:
    rng = np.random.default_rng(6)
    current, reference = rng.standard_normal(200), rng.standard_normal(300)
    once = nearest_neighbour(current, reference)
    assert nearest_neighbour(1024 * current, 1024 * reference) == pytest.approx(once, rel=1e-12)


@pytest.mark.parametrize(
    ("current", "reference", "options", "error", "message"),
    [
        ([1, 1, 1, 2], [1, 2, 3], {"k": 2}, DomainError, "3 of 4 current points coincide with 2"),
        ([1, 2, 3], [2, 2, 5], {"k": 2}, DomainError, "1 of 3 .* first \\[2.0\\].*add noise"),
        ([1, 2, 3], [1.5] * 5, {}, DomainError, "current sample has 3 points; expected at least 6"),
        (range(9), [1.5], {}, DomainError, "reference sample has 1 points; expected at least 5"),
        ([[1, 2]] * 9, range(9), {}, DomainError, "2 dimensions and reference points 1"),
        ([math.nan] * 9, range(9), {}, DomainError, "current sample: expected finite numbers"),
        (["a"], [1], {}, DomainError, "current sample is not a table of numbers"),
        ([[[1]]], [1], {}, DomainError, r"got shape \(1, 1, 1\)"),
        (range(9), range(9), {"k": 0}, UsageError, "whole number of at least 1, got 0"),
        (range(9), range(9), {"k": 1.5}, UsageError, "got 1.5"),
    ],
)
def test_nearest_neighbours_refuse(current, reference, options, error, message) -> None:
    current, reference = list(current), list(reference)
    with pytest.raises(error, match=message):
        nearest_neighbour(current, reference, **options)


def test_importing_the_formulas_imports_no_scipy() -> None:
    program = (
        "import sys;"
        "from kl_drift.statistics import continuous, divergence, smoothing;"
        "sys.exit(bool({'scipy', 'pandas', 'pyarrow'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
