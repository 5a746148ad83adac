"""The noncentral χ² where scipy's loses its digits or gives none.

Knows both tails of the distribution and its noncentrality. Has never heard of counts, samples or
divergences. The tails are good to about twelve digits: ``scipy.special.chndtr`` gives up where rows
are many (nan from λ = 1e13 on, its inverses from 1e9) and gives no upper tail.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kl_drift.statistics.checks import Floats

NEWTON_STEPS = 50
"""Where the search for a noncentrality gives up; it takes fewer than ten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tails:
    """The two tails of a distribution at a point: P(X ≤ x), P(X > x)."""

    lower: Floats
    upper: Floats
    slope: Floats
    """The derivative of the upper tail by the noncentrality."""


def noncentral_chi_square(x: Floats, lam: Floats, df: int) -> Tails:
    """Return both tails of χ²_ν(λ) at x, to about twelve digits of the smaller one.

    The upper tail is a contour integral, (1/2πi) ∫ exp(X(1/s − 1) + Y(s − 1) − μ ln s)/(1 − s) ds
    with X = λ/2, Y = x/2, μ = ν/2, on any path that crosses the real axis between 0 and 1; beyond
    1 it is −(lower tail). Here √s runs along a vertical line through the saddle point, s = s₀·w²,
    w = 1 + iu, where the integrand falls like a Gaussian and the midpoint rule converges
    exponentially. Its error by the pole at s = 1, the only one near, is known and added back. With
    this one rule neither large λ nor tails of 1e-290 need a case of their own.

    Gil, Segura & Temme 2014, Computation of the Marcum Q-function, arXiv:1311.0681 (the integral);
    Trefethen & Weideman 2014, The exponentially convergent trapezoidal rule, DOI 10.1137/130932132.
    """
    mu, big_x, big_y = df / 2, lam / 2, np.maximum(x, 1e-50) / 2
    root = np.hypot(mu, 2 * np.sqrt(big_x) * np.sqrt(big_y))
    shift = (big_x + mu - big_y) / (big_y * (1 + 2 * big_x / (root + mu)))  # s₀ − 1
    saddle = 1 + shift
    pull = big_x / saddle
    nodes = 32 if df >= 5 else 64
    step = np.sqrt(40 / (pull + mu)) / nodes  # so that at the last node exp(−40) is left

    u = (np.arange(nodes) + 0.5) * step[..., np.newaxis]
    w, rise = 1 + 1j * u, 1j * u * (2 + 1j * u)  # rise is w² − 1
    decay = pull[..., np.newaxis] * (rise / w) ** 2 - mu * (u * u + np.log1p(u * u))
    weights = np.exp(decay + 2j * mu * (u - np.arctan(u)))
    peak = -(pull * shift * (shift / saddle) + mu * (np.log1p(shift) - shift / saddle))
    height = 2 * step / np.pi * np.exp(peak)
    integral = height * (weights * w / (-(shift / saddle)[..., np.newaxis] - rise)).real.sum(-1)

    distance = -shift / (np.sqrt(saddle) * (1 + np.sqrt(saddle)))  # of the pole, in u
    echo = np.exp(-2 * np.pi * np.abs(distance) / step)
    # Far out in a tail the pole is no longer near, and its echo would drown the integral.
    error = np.where(peak > -30, echo / (1 + echo), 0)
    tail = np.clip(np.where(distance > 0, integral, -integral) + error, 0, 1)
    return Tails(
        lower=np.where(distance > 0, 1 - tail, tail),
        upper=np.where(distance > 0, tail, 1 - tail),
        slope=height * (weights / w).real.sum(axis=-1) / 2,
    )


def noncentrality(x: Floats, df: int, normal: float) -> Floats:
    """Return the λ at which P(χ²_ν(λ) ≤ x) = Φ(normal), or 0 if there is none."""
    from scipy.special import chdtrc, ndtr

    solution = np.zeros(x.shape)
    exceeds = chdtrc(df, x) < ndtr(-normal)
    solution[exceeds] = _newton(x[exceeds], df, normal)
    return solution


def _newton(x: Floats, df: int, normal: float) -> Floats:
    """Solve by Newton's method in y = √(λ + ν), of which the normal score is nearly linear."""
    spread = np.maximum(np.sqrt(np.maximum(4 * (normal**2 + x) - 2 * df, 0)) - 2 * normal, 0)
    # As if x were normal: x = ν + λ + normal·√(2ν + 4λ).
    solution: Floats = np.maximum(spread**2 - 2 * df, 0) / 4
    for _ in range(NEWTON_STEPS):
        tails = noncentral_chi_square(x, solution, df)
        score = normal_score(tails)
        y = np.sqrt(solution + df)
        density = np.exp(-(score**2) / 2) / math.sqrt(2 * math.pi)
        move = (score - normal) * density / (2 * y * tails.slope)
        updated = np.maximum(solution + move * (2 * y + move), 0)
        settled = np.abs(updated - solution) <= 1e-8 * (updated + df)
        solution = updated
        if settled.all():
            break
    return solution


def normal_score(tails: Tails) -> Floats:
    """Return the normal quantile of the lower tail, from whichever tail has the digits."""
    from scipy.special import ndtri

    small = ndtri(np.minimum(tails.lower, tails.upper))
    return np.asarray(np.where(tails.lower < tails.upper, small, -small))
