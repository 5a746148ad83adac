"""Remainders of the gamma function, to full precision where differences would lose every digit.

Has never heard of counts, samples or divergences.
"""

from __future__ import annotations

import math

import numpy as np

from kl_drift.statistics.checks import Floats


def digamma_less_log(rows: Floats) -> Floats:
    """Return ψ(N) − ln N, and 0 for N = 0."""
    counted = np.where(rows > 0, rows, 1.0)
    value = digamma_remainder(counted + 0.5) + np.log1p(0.5 / counted) - 1 / counted
    return np.where(rows > 0, value, 0.0)


def digamma_remainder(y: Floats) -> Floats:
    """Return ψ(y + ½) − ln y, about 1/(24 y²), for y ≥ ½."""
    from scipy.special import psi

    w = 1 / (y * y)
    series = w * (1 / 24 - w * (7 / 960 - w * (31 / 8064 - w * (127 / 30720))))
    return np.where(y > 20, series, psi(y + 0.5) - np.log(y))


def stirling_remainder(y: Floats) -> Floats:
    """Return ln Γ(y + ½) − (y ln y − y + ½ ln 2π), about −1/(24 y), for y ≥ ½."""
    from scipy.special import gammaln

    w = 1 / (y * y)
    series = -(1 / 24 - w * (7 / 2880 - w * (31 / 40320 - w * (127 / 215040)))) / y
    direct = gammaln(y + 0.5) - (y * np.log(y) - y + math.log(2 * math.pi) / 2)
    return np.where(y > 20, series, direct)
