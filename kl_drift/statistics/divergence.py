"""How far one distribution over cells is from another: probabilities in, nats out.

Knows the formulas of information theory, their domain, and how to evaluate them without losing
digits. Has never heard of columns, files or limits.

Every function takes 1-D probabilities, or batches of them along ``axis``; a single reference
serves a whole batch. A 1-D array is one distribution whatever ``axis`` says. One distribution gives
a float, a batch gives an array of the batch's shape. The domain is strict: finite, ≥ 0, summing to
1 within 1e-9 per cell, the same cells on both sides. Nothing is clipped, renormalised or smoothed
here (:mod:`kl_drift.statistics.smoothing` does that); what lies outside the domain raises
:class:`~kl_drift.errors.DomainError` with the index of the cell.

The divergence is summed as Σ p ln(p/q) − p + q = Σ q·φ((p − q)/q), φ(x) = (1 + x) ln(1 + x) − x. No
term is negative, so neither is the sum, and a difference of 1e-12 between two distributions still
yields twelve correct digits; cross-entropy minus entropy would yield none. The two sums differ by
Σ q − Σ p, which is 0 for probabilities, and otherwise no more than the tolerance above.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from kl_drift.errors import DomainError
from kl_drift.statistics.checks import (
    Flags,
    Floats,
    aligned,
    cells_back,
    first,
    place,
    probabilities,
)

NATS_TO_BITS = 1 / math.log(2)
"""Multiply nats by this to get bits: 1 nat is 1.4427 bits."""

Nats: TypeAlias = float | Floats
"""One number for one distribution, an array of them for a batch."""


def entropy(current: ArrayLike, *, axis: int = -1) -> Nats:
    """Return the entropy H(P) = −Σ p ln p, in nats per row.

    Parameters
    ----------
    current : array_like, shape (k,) or a batch
        Probabilities; zeros contribute nothing.
    axis : int
        Where a batch has its cells.

    Returns
    -------
    float or ndarray
        Between 0 (one cell holds everything) and ln k (all cells hold the same).

    Raises
    ------
    DomainError
        If ``current`` is not a distribution.

    References
    ----------
    Shannon 1948, A mathematical theory of communication, DOI 10.1002/j.1538-7305.1948.tb01338.x.
    """
    shares = probabilities("current", current, axis)
    return _summed(-shares * _log(shares))


def cross_entropy(current: ArrayLike, reference: ArrayLike, *, axis: int = -1) -> Nats:
    """Return the cross-entropy H(P, Q) = −Σ p ln q, in nats per row.

    What a row of ``current`` costs when it is coded for ``reference``; H(P) + D(P‖Q).

    Parameters
    ----------
    current, reference : array_like, shape (k,) or a batch
        Probabilities, the reference positive wherever the current is.
    axis : int
        Where a batch has its cells.

    Returns
    -------
    float or ndarray
        At least the entropy of ``current``.

    Raises
    ------
    DomainError
        If either is not a distribution, their cells differ, or a cell that the current uses is
        empty in the reference.
    """
    p, q = _supported(current, reference, axis)
    return _summed(-p * _log(q))


def kl_divergence(current: ArrayLike, reference: ArrayLike, *, axis: int = -1) -> Nats:
    """Return the Kullback–Leibler divergence D(P‖Q) = Σ p ln(p/q), in nats per row.

    The extra cost of a row of ``current`` when it is coded for ``reference``. It is no distance:
    exchanging the two gives another number.

    Parameters
    ----------
    current, reference : array_like, shape (k,) or a batch
        Probabilities P and Q, the reference positive wherever the current is.
    axis : int
        Where a batch has its cells.

    Returns
    -------
    float or ndarray
        At least 0, and 0 only if the two are equal.

    Raises
    ------
    DomainError
        If either is not a distribution, their cells differ, or a cell that the current uses is
        empty in the reference: the divergence is infinite then.

    References
    ----------
    Kullback & Leibler 1951, On information and sufficiency, DOI 10.1214/aoms/1177729694.
    """
    return _summed(_excess(*_supported(current, reference, axis)))


def contributions(current: ArrayLike, reference: ArrayLike, *, axis: int = -1) -> Floats:
    """Return what each cell adds to the divergence: p ln(p/q) − p + q, in nats.

    Never negative, 0 only where the two agree, and summing to :func:`kl_divergence`; this makes
    it the right thing to rank cells by. An emptied cell contributes its reference share q.

    Parameters
    ----------
    current, reference : array_like, shape (k,) or a batch
        Probabilities, the reference positive wherever the current is.
    axis : int
        Where a batch has its cells, and the result too.

    Returns
    -------
    ndarray, the common shape
        One number per cell.

    Raises
    ------
    DomainError
        As :func:`kl_divergence`.

    References
    ----------
    Csiszár 1991, Why least squares and maximum entropy?, DOI 10.1214/aos/1176348385.
    """
    return cells_back(_excess(*_supported(current, reference, axis)), axis)


def signed_contributions(current: ArrayLike, reference: ArrayLike, *, axis: int = -1) -> Floats:
    """Return the signed term of each cell, p ln(p/q), in nats.

    Positive where the current has more than the reference, negative where it has less. The terms
    sum to the divergence too, but large ones cancel; rank cells by :func:`contributions`.

    Parameters, errors and shape are those of :func:`contributions`.
    """
    p, q = _supported(current, reference, axis)
    return cells_back(p * _log_ratio(p, q), axis)


def jeffreys(current: ArrayLike, reference: ArrayLike, *, axis: int = -1) -> Nats:
    """Return the Jeffreys divergence D(P‖Q) + D(Q‖P) = Σ (p − q) ln(p/q), in nats.

    Symmetric. On binned probabilities it is what credit scoring calls PSI, :func:`psi`.

    Parameters
    ----------
    current, reference : array_like, shape (k,) or a batch
        Probabilities, positive in the same cells.
    axis : int
        Where a batch has its cells.

    Returns
    -------
    float or ndarray
        At least 0, and 0 only if the two are equal.

    Raises
    ------
    DomainError
        If either is not a distribution, their cells differ, or a cell is empty on one side only.

    References
    ----------
    Jeffreys 1946, An invariant form for the prior probability in estimation problems, DOI
    10.1098/rspa.1946.0056.
    """
    p, q = _supported(current, reference, axis)
    _refuse_where((q > 0) & (p == 0), empty="current", used="reference")
    return _summed((p - q) * _log_ratio(p, q))


def psi(current: ArrayLike, reference: ArrayLike, *, axis: int = -1) -> Nats:
    """Return the population stability index: :func:`jeffreys` by its name in credit scoring.

    One definition, two names. Published limits such as 0.1 and 0.25 take no account of the number
    of rows or cells.
    """
    return jeffreys(current, reference, axis=axis)


def jensen_shannon(current: ArrayLike, reference: ArrayLike, *, axis: int = -1) -> Nats:
    """Return the Jensen–Shannon divergence ½ D(P‖M) + ½ D(Q‖M), M = (P + Q)/2, in nats.

    Symmetric and defined for any two distributions over the same cells; its square root is a
    metric. (Some libraries return the root under this name.)

    Parameters
    ----------
    current, reference : array_like, shape (k,) or a batch
        Probabilities; zeros are allowed on either side.
    axis : int
        Where a batch has its cells.

    Returns
    -------
    float or ndarray
        Between 0 (equal) and ln 2 (no cell in common).

    Raises
    ------
    DomainError
        If either is not a distribution, or their cells differ.

    References
    ----------
    Lin 1991, Divergence measures based on the Shannon entropy, DOI 10.1109/18.61115.
    """
    p, q = _pair(current, reference, axis)
    double = p + q
    # Of p − M and q − M, M rounds the difference away; (p − q)/(p + q) keeps every digit of it.
    tilt = np.divide(p - q, double, out=np.zeros_like(double), where=double > 0)
    return _summed(double / 4 * (_phi(tilt) + _phi(-tilt)))


def _pair(current: ArrayLike, reference: ArrayLike, axis: int) -> tuple[Floats, Floats]:
    return aligned(
        probabilities("current", current, axis), probabilities("reference", reference, axis)
    )


def _supported(current: ArrayLike, reference: ArrayLike, axis: int) -> tuple[Floats, Floats]:
    p, q = _pair(current, reference, axis)
    _refuse_where((p > 0) & (q == 0), empty="reference", used="current")
    return p, q


def _refuse_where(wrong: Flags, *, empty: str, used: str) -> None:
    if wrong.any():
        raise DomainError(
            f"{place(first(wrong))} is empty in the {empty} but not in the {used}, so the "
            "divergence is infinite; smooth the counts first, see kl_drift.smooth"
        )


def _log(values: Floats) -> Floats:
    """Return ln x, and 0 for 0: every term that needs it carries a factor of 0."""
    return np.log(values, out=np.zeros_like(values), where=values > 0)


def _log_ratio(p: Floats, q: Floats) -> Floats:
    """Return ln(p/q), keeping its digits near p = q and its range far from it."""
    gap = p - q
    near = 2 * np.abs(gap) < q
    relative = np.divide(gap, q, out=np.zeros_like(gap), where=near)
    return np.where(near, np.log1p(relative), _log(p) - _log(q))


def _phi(x: Floats) -> Floats:
    """Return (1 + x) ln(1 + x) − x for −1 ≤ x ≤ 1, by its series where that would cancel."""
    inside = np.log1p(x, out=np.zeros_like(x), where=x > -1)
    series = x * x * (1 / 2 - x * (1 / 6 - x * (1 / 12 - x * (1 / 20 - x / 30))))
    return np.where(np.abs(x) < 1e-3, series, (1 + x) * inside - x)


def _excess(p: Floats, q: Floats) -> Floats:
    """Return p ln(p/q) − p + q for each cell; q·φ((p − q)/q) unless the quotient is large."""
    gap = p - q
    near = gap < q
    relative = np.divide(gap, q, out=np.zeros_like(gap), where=near)
    far = p * (_log(p) - _log(q)) - gap
    return np.where(near, q * _phi(relative), far)


def _summed(terms: Floats) -> Nats:
    """Sum over the cells; a single distribution becomes a float, and −0 becomes 0."""
    sums = terms.sum(axis=-1) + 0.0
    return float(sums) if sums.ndim == 0 else sums
