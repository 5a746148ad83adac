"""The divergence of continuous distributions, and of discrete ones that have a formula.

Knows parameters, densities and samples. Has never heard of cells, counts, columns or files.

For teaching, for testing, and for choosing limits: "how large is a shift of 0.2 standard
deviations?". Monitoring compares binned counts instead (:mod:`kl_drift.statistics.divergence`).

The formulas are written as sums of terms that are never negative, each of them the remainder
f(x + h) − f(x) − f′(x)·h of a convex function, so that nothing cancels when current and reference
nearly agree.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral, Real
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from kl_drift.errors import DomainError, UsageError, did_you_mean
from kl_drift.statistics.checks import Floats

Density: TypeAlias = Callable[[float], float]
Scalars: TypeAlias = Mapping[str, float]
Vectors: TypeAlias = Mapping[str, Floats]


def closed_form(
    family: str, *, current: Mapping[str, object], reference: Mapping[str, object]
) -> float:
    """Return D(current‖reference) of two members of one family, in nats.

    ====================== ================ ============================================
    family                 parameters       their domain
    ====================== ================ ============================================
    bernoulli              p                0 ≤ p ≤ 1
    beta                   a, b             > 0
    binomial               n, p             n whole, ≥ 1; 0 ≤ p ≤ 1
    dirichlet              alpha            at least two numbers > 0
    exponential            rate             > 0
    gamma                  shape, rate      > 0
    geometric              p                0 < p ≤ 1; trials or failures, it is the same
    laplace                loc, scale       scale > 0
    lognormal              mu, sigma        sigma > 0; of the logarithm
    multivariate_normal    mean, cov        d numbers; d × d, symmetric, positive definite
    normal                 mean, sd         sd > 0
    pareto                 alpha, xm        > 0; xm is the smallest value
    poisson                rate             > 0
    uniform                low, high        low < high
    weibull                shape, scale     > 0
    ====================== ================ ============================================

    Parameters
    ----------
    family : str
        As above.
    current, reference : mapping from parameter to value
        All parameters of the family and no others.

    Returns
    -------
    float
        At least 0; ``inf`` if the current distribution has values where the reference has none.
        Right to 12 digits and mostly 15, however near the two are; gamma, beta and dirichlet lose
        one for each order of magnitude beyond ten between their shapes.

    Raises
    ------
    UsageError
        If the family is unknown, or a parameter is unknown or missing.
    DomainError
        If a parameter is outside its domain, dimensions differ, or there is no closed form: two
        binomials of which the current has the smaller n. Also if floats cannot hold the terms.

    References
    ----------
    Each formula names its source. Most are in Gil, Alajaji & Linder 2013, Rényi divergence measures
    for commonly used univariate continuous distributions, DOI 10.1016/j.ins.2013.06.018; those of
    exponential families follow from Nielsen & Garcia 2009, Statistical exponential families,
    arXiv:0911.4863.
    """
    if family not in _FAMILIES:
        raise UsageError(
            f"family {family!r} is not known; expected one of {', '.join(sorted(_FAMILIES))}."
            f"{did_you_mean(family, _FAMILIES)}"
        )
    p, q = (
        _parameters(family, side, given)
        for side, given in (("current", current), ("reference", reference))
    )
    with np.errstate(over="ignore", invalid="ignore"):
        divergence = float(_FAMILIES[family].formula(p, q))
    if math.isnan(divergence):
        raise DomainError(
            f"{family}: {dict(current)} and {dict(reference)} are too far apart for floats; "
            "choose a unit in which the parameters are nearer to 1"
        )
    return max(0.0, divergence)


def integrate(
    current_density: Density,
    reference_density: Density,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    points: Iterable[float] = (),
    tolerance: float = 1e-6,
) -> float:
    """Return D = ∫ p ln(p/q) of two densities on the line, by adaptive quadrature, in nats.

    Parameters
    ----------
    current_density, reference_density : callable from float to float
        p and q, normalised.
    low, high : float
        Where to integrate; both densities must have all their mass there.
    points : iterable of float
        Where to cut the range: at jumps, kinks and narrow peaks, which the quadrature may miss.
    tolerance : float
        How far the mass of a density may be from 1, and the error the quadrature may report.

    Returns
    -------
    float
        At least 0. The sum is taken over p ln(p/q) − p + q, so masses that are off by ε move the
        result by as much.

    Raises
    ------
    UsageError
        If the range is empty or a point lies outside it.
    DomainError
        If a density is negative or not finite, its mass is not 1, the quadrature does not converge,
        or the reference is 0 where more than ``tolerance`` of the current's mass lies.

    Notes
    -----
    Less mass than that is counted at the smallest positive density: far out in a tail the reference
    underflows to 0 long before it is 0.
    """
    edges = _edges(low, high, points)
    p, q = _checked("current", current_density), _checked("reference", reference_density)
    for side, density in (("current", p), ("reference", q)):
        mass = _quadrature(f"the {side} density", density, edges, tolerance)
        if abs(mass - 1) > tolerance:
            raise DomainError(
                f"the {side} density integrates to {mass:.9g} from {low} to {high}, expected 1 "
                f"within {tolerance:g}; normalise it, widen the range, or name its peaks in points"
            )
    beyond = _quadrature(
        "the current beyond the reference",
        lambda x: 0.0 if q(x) > 0 else p(x),
        edges,
        tolerance,
    )
    if beyond > tolerance:
        raise DomainError(
            f"the reference density is 0 where the current has {beyond:.3g} of its mass, so the "
            "divergence is infinite"
        )
    smallest = math.ulp(0.0)
    return _quadrature(
        "p ln(p/q)", lambda x: _excess(p(x), q(x) or smallest * (p(x) > 0)), edges, tolerance
    )


def nearest_neighbour(
    current_sample: ArrayLike, reference_sample: ArrayLike, *, k: int = 5
) -> float:
    """Estimate D(P‖Q) from two samples of points, without bins, in nats.

    d/n · Σ ln(νₖ(i)/ρₖ(i)) + ln(m/(n − 1)), where ρₖ(i) is the distance from current point i to its
    k-th neighbour among the other current points, and νₖ(i) to its k-th among the reference points.

    Parameters
    ----------
    current_sample : array_like, shape (n,) or (n, d)
        Points in d dimensions, n > k.
    reference_sample : array_like, shape (m,) or (m, d)
        Points in the same dimensions, m ≥ k.
    k : int
        The neighbour; a larger one varies less and is biased more.

    Returns
    -------
    float
        May be slightly negative where there is no drift. Consistent, but biased in finite samples,
        above all in many dimensions or where the tails differ. Scale the dimensions alike first.

    Raises
    ------
    UsageError
        If ``k`` is not a whole number ≥ 1.
    DomainError
        If a sample is no finite table of numbers, is too small, or the dimensions differ; or if a
        point has k exact copies of itself, at the distance 0: the values are then not continuous.

    References
    ----------
    Wang, Kulkarni & Verdú 2009, Divergence estimation for multidimensional densities via
    k-nearest-neighbor distances, DOI 10.1109/TIT.2009.2016060.
    """
    from scipy.spatial import cKDTree

    if not isinstance(k, Integral) or k < 1:
        raise UsageError(f"k must be a whole number of at least 1, got {k!r}")
    current = _points("current sample", current_sample, at_least=k + 1)
    reference = _points("reference sample", reference_sample, at_least=k)
    (n, d), (m, reference_d) = current.shape, reference.shape
    if d != reference_d:
        raise DomainError(f"current points have {d} dimensions and reference points {reference_d}")
    among_own = cKDTree(current).query(current, k=[k + 1])[0]
    among_reference = cKDTree(reference).query(current, k=[k])[0]
    copied = (among_own == 0) | (among_reference == 0)
    if copied.any():
        raise DomainError(
            f"{copied.sum()} of {n} current points coincide with {k} or more others, first "
            f"{current[copied[:, 0]][0].tolist()}: these values are not continuous; compare binned "
            "counts, or add noise of the size they were rounded to"
        )
    ratio = np.log(among_reference) - np.log(among_own)
    return float(d * ratio.mean() + math.log(m / (n - 1)))


def _normal(p: Scalars, q: Scalars) -> float:
    """ln(s₂/s₁) + (s₁² + (m₁ − m₂)²)/(2 s₂²) − ½ (Gil et al. 2013)."""
    return _gaussian(p["mean"] - q["mean"], p["sd"], q["sd"])


def _lognormal(p: Scalars, q: Scalars) -> float:
    """As normal: a divergence does not change when both sides are transformed alike."""
    return _gaussian(p["mu"] - q["mu"], p["sigma"], q["sigma"])


def _gaussian(shift: float, current: float, reference: float) -> float:
    shift, growth = shift / reference, (current - reference) / reference
    return _itakura_saito(current, reference) + (shift * shift + growth * growth) / 2


def _multivariate_normal(p: Vectors, q: Vectors) -> float:
    """½ [tr(Σ₂⁻¹Σ₁) − d − ln(|Σ₁|/|Σ₂|) + δᵀΣ₂⁻¹δ] (Gil et al. 2013).

    With λ the eigenvalues of Σ₂⁻¹Σ₁ the first three terms are Σ λ − 1 − ln λ.
    """
    _same_size("multivariate_normal", p["mean"], q["mean"], p["cov"][0], q["cov"][0])
    root = np.linalg.cholesky(q["cov"])
    whitened = np.linalg.solve(root, np.linalg.solve(root, p["cov"] - q["cov"]).T)
    growth = np.linalg.eigvalsh((whitened + whitened.T) / 2)
    shift = np.linalg.solve(root, p["mean"] - q["mean"])
    if np.abs(growth).max() < _NEAR:
        spread = math.fsum(_remainder(_reciprocal_square, 1.0, float(x)) for x in growth)
    else:
        spread = growth.sum() + _log_determinant(q["cov"]) - _log_determinant(p["cov"])
    return float(spread + shift @ shift) / 2


def _exponential(p: Scalars, q: Scalars) -> float:
    """ln(r₁/r₂) + r₂/r₁ − 1 (Gil et al. 2013)."""
    return _itakura_saito(q["rate"], p["rate"])


def _gamma(p: Scalars, q: Scalars) -> float:
    """(a₁ − a₂)ψ(a₁) − ln Γ(a₁) + ln Γ(a₂) + a₂ ln(b₁/b₂) + a₁(b₂ − b₁)/b₁ (Gil et al. 2013)."""
    step = q["shape"] - p["shape"]
    return (
        _gammaln_remainder(p["shape"], q["shape"], step)
        + p["shape"] * _itakura_saito(q["rate"], p["rate"])
        + step * _log_ratio(p["rate"], q["rate"])
    )


def _beta(p: Scalars, q: Scalars) -> float:
    """As a Dirichlet of two components."""
    return _dirichlet({"alpha": np.array([p["a"], p["b"]])}, {"alpha": np.array([q["a"], q["b"]])})


def _dirichlet(p: Vectors, q: Vectors) -> float:
    """Σ R(αᵢ → βᵢ) − R(Σα → Σβ), R the remainder of ln Γ (Gil et al. 2013)."""
    current, reference = p["alpha"], q["alpha"]
    _same_size("dirichlet", current, reference)
    steps = reference - current
    single = sum(map(_gammaln_remainder, current, reference, steps))
    return single - _gammaln_remainder(current.sum(), reference.sum(), steps.sum())


def _uniform(p: Scalars, q: Scalars) -> float:
    """ln((h₂ − l₂)/(h₁ − l₁)) within the reference's range, infinite beyond (Gil et al. 2013)."""
    for side in (p, q):
        if not side["low"] < side["high"]:
            raise DomainError(f"uniform: expected low < high, got {side['low']} and {side['high']}")
    if p["low"] < q["low"] or p["high"] > q["high"]:
        return math.inf
    freed = (p["low"] - q["low"]) + (q["high"] - p["high"])
    return math.log1p(freed / (p["high"] - p["low"]))


def _laplace(p: Scalars, q: Scalars) -> float:
    """ln(b₂/b₁) + |δ|/b₂ + (b₁/b₂) exp(−|δ|/b₁) − 1 (Gil et al. 2013)."""
    shift = abs(p["loc"] - q["loc"]) / p["scale"]
    scale = p["scale"] / q["scale"]
    return _itakura_saito(p["scale"], q["scale"]) + scale * _exp_remainder(-shift)


def _weibull(p: Scalars, q: Scalars) -> float:
    """R(exp; 0 → w) + R(ln Γ; 1 → k₂/k₁), w = ln E_P[(x/l₂)^k₂] (Bauckhage, arXiv:1310.3713).

    Equal to ln(k₁/l₁^k₁) − ln(k₂/l₂^k₂) + (k₁ − k₂)(ln l₁ − γ/k₁) + (l₁/l₂)^k₂ Γ(k₂/k₁ + 1) − 1.
    """
    ratio = q["shape"] / p["shape"]
    step = (q["shape"] - p["shape"]) / p["shape"]
    log_gamma = (1 - np.euler_gamma) * step + _gammaln_remainder(2.0, 1 + ratio, step)
    moment = q["shape"] * _log_ratio(p["scale"], q["scale"]) + log_gamma
    return _exp_remainder(moment) + _gammaln_remainder(1.0, ratio, step)


def _pareto(p: Scalars, q: Scalars) -> float:
    """ln(α₁/α₂) + α₂/α₁ − 1 + α₂ ln(x₁/x₂) for x₁ ≥ x₂, else infinite (Gil et al. 2013)."""
    if p["xm"] < q["xm"]:
        return math.inf
    return _itakura_saito(q["alpha"], p["alpha"]) + q["alpha"] * _log_ratio(p["xm"], q["xm"])


def _poisson(p: Scalars, q: Scalars) -> float:
    """λ₁ ln(λ₁/λ₂) − λ₁ + λ₂ (Nielsen & Garcia 2009)."""
    return _excess(p["rate"], q["rate"])


def _bernoulli(p: Scalars, q: Scalars) -> float:
    """Σ p ln(p/q) = p ln(p/q) + (1 − p) ln((1 − p)/(1 − q)) (Cover & Thomas, example 2.3.1)."""
    current, reference = p["p"], q["p"]
    if (reference == 0 and current > 0) or (reference == 1 and current < 1):
        return math.inf
    return _excess(current, reference) + _excess(
        1 - current, 1 - reference, rise=current - reference
    )


def _binomial(p: Scalars, q: Scalars) -> float:
    """As n Bernoulli trials; infinite if the current has more of them (Nielsen & Garcia 2009)."""
    if p["n"] > q["n"] and p["p"] > 0:
        return math.inf
    if p["n"] < q["n"] and p["p"] > 0:
        raise DomainError(
            f"binomial: no closed form for n={p['n']:.0f} against a reference of n={q['n']:.0f}; "
            "pass the probabilities of 0 … n to kl_drift.kl_divergence"
        )
    return q["n"] * _bernoulli(p, q)


def _geometric(p: Scalars, q: Scalars) -> float:
    """ln(p/q) + ((1 − p)/p) ln((1 − p)/(1 − q)) (Nielsen & Garcia 2009)."""
    return _bernoulli(p, q) / p["p"]


_NEAR = 0.5
"""Relative step below which remainders are integrated; above, their terms do not cancel."""

_ABSCISSAE, _GAUSS = np.polynomial.legendre.leggauss(20)
_NODES = (1 + _ABSCISSAE) / 2
_WEIGHTS = _GAUSS / 2 * (1 - _NODES)


def _remainder(curvature: Callable[[Floats], Floats], start: float, step: float) -> float:
    """Return f(x + h) − f(x) − f′(x)·h, from f″ alone.

    Taylor's remainder in its integral form, h² ∫ (1 − u) f″(x + u·h) du over 0 ≤ u ≤ 1. Of a convex
    f the integrand is positive, so every digit survives however small h is. Gauss–Legendre with 20
    nodes is exact to double precision as long as f″ has no singularity within 2|h| of x.
    """
    return step * step * float(_WEIGHTS @ curvature(start + _NODES * step))


def _reciprocal_square(x: Floats) -> Floats:
    """−ln has this second derivative."""
    return np.asarray(x**-2.0)


def _excess(p: float, q: float, rise: float | None = None) -> float:
    """Return p ln(p/q) − p + q; ``rise`` is q − p where the caller knows it better."""
    if p == 0:
        return q
    rise = q - p if rise is None else rise
    if abs(rise) < _NEAR * p:
        return p * _remainder(_reciprocal_square, 1.0, rise / p)
    return p * (math.log(p) - math.log(q)) + rise


def _itakura_saito(x: float, y: float) -> float:
    """Return x/y − 1 − ln(x/y)."""
    return _excess(y, x) / y


def _log_ratio(x: float, y: float) -> float:
    """Return ln(x/y)."""
    gap = x - y
    if abs(gap) < _NEAR * y:
        return math.log1p(gap / y)
    return math.log(x) - math.log(y)


def _exp_remainder(x: float) -> float:
    """Return exp x − 1 − x; infinite beyond the range of floats."""
    if abs(x) < _NEAR:
        return _remainder(np.exp, 0.0, x)
    return float(np.expm1(x)) - x


def _gammaln_remainder(start: float, stop: float, step: float) -> float:
    """Return ln Γ(y) − ln Γ(x) − (y − x) ψ(x); ``step`` is y − x as exactly as it is known."""
    from scipy.special import digamma, gammaln, polygamma

    if abs(step) < _NEAR * start:
        return _remainder(lambda x: np.asarray(polygamma(1, x)), start, step)
    return float(gammaln(stop) - gammaln(start) - step * digamma(start))


def _log_determinant(matrix: Floats) -> float:
    return float(np.linalg.slogdet(matrix).logabsdet)


def _same_size(family: str, *vectors: Floats) -> None:
    sizes = [vector.size for vector in vectors]
    if len(set(sizes)) > 1:
        raise DomainError(
            f"{family}: expected the same dimensions throughout, got {', '.join(map(str, sizes))}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """What a parameter must be, in words and as a test; ``read`` gives None for what it is not."""

    expected: str
    read: Callable[[object], float | Floats | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Family:
    formula: Callable[[Any, Any], float]  # Any: scalars in most families, arrays in two
    parameters: Mapping[str, _Kind]


def _scalar(expected: str, holds: Callable[[float], bool]) -> _Kind:
    def read(value: object) -> float | None:
        if not isinstance(value, Real) or isinstance(value, bool):
            return None
        number = float(value)
        return number if math.isfinite(number) and holds(number) else None

    return _Kind(expected=expected, read=read)


def _array(expected: str, holds: Callable[[Floats], bool]) -> _Kind:
    def read(value: Any) -> Floats | None:
        try:
            array = np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError):
            return None
        return array if array.size and np.isfinite(array).all() and holds(array) else None

    return _Kind(expected=expected, read=read)


def _is_covariance(matrix: Floats) -> bool:
    if matrix.ndim != 2 or not np.array_equal(matrix, matrix.T):
        return False
    return bool(np.linalg.eigvalsh(matrix)[0] > 0)


_REAL = _scalar("a finite number", lambda _: True)
_POSITIVE = _scalar("a finite number above 0", lambda x: x > 0)
_SHARE = _scalar("a number from 0 to 1", lambda x: 0 <= x <= 1)
_POSITIVE_SHARE = _scalar("a number above 0 and up to 1", lambda x: 0 < x <= 1)
_WHOLE = _scalar("a whole number of at least 1", lambda x: x >= 1 and x.is_integer())
_VECTOR = _array("a list of finite numbers", lambda x: x.ndim == 1)
_POSITIVE_VECTOR = _array(
    "a list of at least two numbers above 0",
    lambda x: x.ndim == 1 and x.size > 1 and bool((x > 0).all()),
)
_COVARIANCE = _array("a symmetric, positive definite matrix", _is_covariance)

_FAMILIES: dict[str, _Family] = {
    name: _Family(formula=formula, parameters=parameters)
    for name, formula, parameters in (
        ("bernoulli", _bernoulli, {"p": _SHARE}),
        ("beta", _beta, {"a": _POSITIVE, "b": _POSITIVE}),
        ("binomial", _binomial, {"n": _WHOLE, "p": _SHARE}),
        ("dirichlet", _dirichlet, {"alpha": _POSITIVE_VECTOR}),
        ("exponential", _exponential, {"rate": _POSITIVE}),
        ("gamma", _gamma, {"shape": _POSITIVE, "rate": _POSITIVE}),
        ("geometric", _geometric, {"p": _POSITIVE_SHARE}),
        ("laplace", _laplace, {"loc": _REAL, "scale": _POSITIVE}),
        ("lognormal", _lognormal, {"mu": _REAL, "sigma": _POSITIVE}),
        ("multivariate_normal", _multivariate_normal, {"mean": _VECTOR, "cov": _COVARIANCE}),
        ("normal", _normal, {"mean": _REAL, "sd": _POSITIVE}),
        ("pareto", _pareto, {"alpha": _POSITIVE, "xm": _POSITIVE}),
        ("poisson", _poisson, {"rate": _POSITIVE}),
        ("uniform", _uniform, {"low": _REAL, "high": _REAL}),
        ("weibull", _weibull, {"shape": _POSITIVE, "scale": _POSITIVE}),
    )
}


def _parameters(family: str, side: str, given: Mapping[str, object]) -> dict[str, float | Floats]:
    kinds = _FAMILIES[family].parameters
    for key in given:
        if key not in kinds:
            raise UsageError(
                f"{family}, {side}: parameter {key!r} is not known; "
                f"expected {', '.join(kinds)}.{did_you_mean(key, kinds)}"
            )
    return {key: _parameter(family, side, key, kind, given) for key, kind in kinds.items()}


def _parameter(
    family: str, side: str, key: str, kind: _Kind, given: Mapping[str, object]
) -> float | Floats:
    if key not in given:
        raise UsageError(
            f"{family}, {side}: parameter {key!r} is missing; expected {kind.expected}"
        )
    value = kind.read(given[key])
    if value is None:
        raise DomainError(f"{family}, {side}, {key}: expected {kind.expected}, got {given[key]!r}")
    return value


def _edges(low: float, high: float, points: Iterable[float]) -> list[float]:
    edges = [low, *sorted(points), high]
    if not low < high or not all(low < point < high for point in edges[1:-1]):
        raise UsageError(
            f"expected low < every point < high, got low={low}, high={high}, points={edges[1:-1]}"
        )
    return edges


def _checked(side: str, density: Density) -> Density:
    def evaluate(x: float) -> float:
        value = float(density(x))
        if not (math.isfinite(value) and value >= 0):
            raise DomainError(f"the {side} density is {value} at {x}; expected finite and ≥ 0")
        return value

    return evaluate


def _quadrature(what: str, integrand: Density, edges: list[float], tolerance: float) -> float:
    from scipy.integrate import quad

    total = 0.0
    for start, end in pairwise(edges):
        value, error, _, *complaint = quad(
            integrand, start, end, epsabs=1e-12, epsrel=1e-9, limit=500, full_output=1
        )
        if complaint or error > tolerance * max(1.0, value):
            raise DomainError(
                f"the integral of {what} from {start} to {end} does not converge: {value:.6g} "
                f"± {error:.2g}; name jumps and narrow peaks in points, or it may be infinite"
            )
        total += value
    return total


def _points(what: str, sample: ArrayLike, *, at_least: int) -> Floats:
    try:
        points = np.asarray(sample, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DomainError(f"{what} is not a table of numbers: {error}") from error
    points = points[:, np.newaxis] if points.ndim == 1 else points
    if points.ndim != 2 or points.shape[1] == 0 or not np.isfinite(points).all():
        raise DomainError(
            f"{what}: expected finite numbers of shape (n,) or (n, d), got shape {points.shape}"
        )
    if len(points) < at_least:
        raise DomainError(f"{what} has {len(points)} points; expected at least {at_least}")
    return points
