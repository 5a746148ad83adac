"""Which of several references is closest to a current distribution: counts in, nats out.

Knows smoothed divergences, what each is worth with these rows, and when two are a tie. Has never
heard of columns, files or limits.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from kl_drift.errors import DomainError, UsageError
from kl_drift.statistics.checks import Floats, nonnegative
from kl_drift.statistics.divergence import kl_divergence
from kl_drift.statistics.smoothing import smooth


@dataclass(frozen=True, slots=True, kw_only=True)
class Closest:
    """Which of several references a current distribution is closest to.

    Parameters
    ----------
    best : int or name
        The reference with the smallest divergence, its number of rows allowed for (see
        :func:`closest`); an index if the references had no names.
    ties : tuple of int or name
        Those that the rows cannot tell from the best, in the order given. All others are farther.
    divergences : mapping from index or name to float
        D(current‖reference), smoothed, in nats.
    intervals : mapping from index or name to (float, float)
        For each reference, how much farther than the best it is, in nats; (0, 0) for the best. A
        tie's interval starts at 0 or below.
    confidence : float
        With this probability all the differences lie within their intervals, and the truly closest
        reference is among ``best`` and ``ties``.
    """

    best: Hashable
    ties: tuple[Hashable, ...]
    divergences: Mapping[Hashable, float]
    intervals: Mapping[Hashable, tuple[float, float]]
    confidence: float


def closest(
    current: ArrayLike,
    references: Mapping[Hashable, ArrayLike] | Iterable[ArrayLike],
    *,
    confidence: float = 0.95,
) -> Closest:
    """Tell which of several references approximates the current distribution best.

    The one with the smallest D(P‖Qᵢ), from counts of rows, so that a tie can be called a tie.

    Parameters
    ----------
    current : array_like, shape (k,)
        Rows per cell; not probabilities, which do not say how much they are worth.
    references : mapping from name to array_like, or iterable of array_like, each of shape (k,)
        Rows per cell of each reference, all over the same bins.
    confidence : float
        Of all intervals together.

    Returns
    -------
    Closest
        The best, what ties with it, every divergence and the intervals of the differences.

    Raises
    ------
    DomainError
        If counts are negative or not finite, have other cells than the current, or no rows.
    UsageError
        If there is no reference, or ``confidence`` is not between 0 and 1.

    Notes
    -----
    The difference Δ = D(P‖Qᵢ) − D(P‖Qⱼ) = Σ p ln(qⱼ/qᵢ) is estimated from Jeffreys-smoothed
    probabilities. Smoothed so, ln q̂ᵢ averages ln qᵢ − (k − 1)/(2mᵢ) to first order: of two equally
    good references the one with fewer rows looks farther. That much is subtracted before
    references are compared (not from ``divergences``); with equal numbers of rows it cancels.

    The variance is the delta method's. ∂Δ/∂p = ln(qⱼ/qᵢ), ∂Δ/∂qᵢ = −p/qᵢ and ∂Δ/∂qⱼ = p/qⱼ, and
    shares of n rows have covariance (diag p − p pᵀ)/n; with current and references independent,

        Var Δ̂ ≈ Var_P[ln(qⱼ/qᵢ)]/n + X²(P, Qᵢ)/mᵢ + X²(P, Qⱼ)/mⱼ,   X²(P, Q) = Σ (p − q)²/q.

    Which reference is best is itself read off the data, so the level is shared by all pairs
    (Bonferroni).

    If P = Qᵢ = Qⱼ every derivative vanishes and Δ̂ is a difference of two quadratic forms, with
    variance (k − 1)·[(1/mᵢ + 1/mⱼ)/n + (1/mᵢ² + 1/mⱼ²)/2], which is taken as the least there can
    be. The estimated terms above average exactly twice that, so the interval is then too wide by
    about √2: equal references are called ties too often, never too rarely. All of it breaks where
    the normal law does, with few rows in the cells that decide (expect five or more), and where
    rows are not independent or the same rows sit in two samples.
    """
    named = dict(references if isinstance(references, Mapping) else enumerate(references))
    tables = {label: [counts] for label, counts in named.items()}
    return closest_in_sum([current], tables, confidence=confidence)


def closest_in_sum(
    current: Sequence[ArrayLike],
    references: Mapping[Hashable, Sequence[ArrayLike]],
    *,
    confidence: float = 0.95,
) -> Closest:
    """Tell which of several references approximates several distributions best, taken together.

    As :func:`closest`, with divergences summed over the distributions: over the columns of a table.

    Parameters
    ----------
    current : sequence of array_like
        Rows per cell of each distribution.
    references : mapping from name to sequence of array_like
        Rows per cell of each distribution of each reference, in the same order, over the same bins.
    confidence : float
        Of all intervals together.

    Returns
    -------
    Closest
        In sums over the distributions.

    Raises
    ------
    DomainError, UsageError
        As :func:`closest`; also if a reference has not as many distributions.

    Notes
    -----
    Columns of the same rows are not independent, and how far they are not is unknown here. The
    standard error of a sum is at most the sum of the standard errors, whatever the dependence, and
    that is taken: ties are called too often, never too rarely.
    """
    if not 0 < confidence < 1:
        raise UsageError(f"confidence must lie between 0 and 1, got {confidence}")
    if not references:
        raise UsageError("closest needs at least one reference, got none")
    labels = list(references)
    fits = [
        _fit(counts, {label: _column(references, label, i, len(current)) for label in labels})
        for i, counts in enumerate(current)
    ]
    divergences = _sum_of([fit.divergences for fit in fits])
    comparable = _sum_of([fit.comparable for fit in fits])
    best = int(np.argmin(comparable))
    farther = comparable - comparable[best]
    spread = _sum_of([fit.spread(best) for fit in fits])
    margin = _two_sided(confidence, pairs=math.comb(len(labels), 2)) * spread
    near = zip(labels, farther <= margin, strict=True)
    between = zip((farther - margin).tolist(), (farther + margin).tolist(), strict=True)
    return Closest(
        best=labels[best],
        ties=tuple(label for label, tie in near if tie and label != labels[best]),
        divergences=dict(zip(labels, divergences.tolist(), strict=True)),
        intervals=dict(zip(labels, between, strict=True)),
        confidence=confidence,
    )


def _sum_of(terms: Sequence[Floats]) -> Floats:
    """Return the sum of arrays of one shape."""
    return np.asarray(np.stack(terms).sum(axis=0))


def _column(
    references: Mapping[Hashable, Sequence[ArrayLike]], label: Hashable, place: int, columns: int
) -> ArrayLike:
    if len(references[label]) != columns:
        raise UsageError(
            f"reference {label!r} has {len(references[label])} distributions and current has "
            f"{columns}; give the same ones, in the same order"
        )
    return references[label][place]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fit:
    """One distribution of k cells beside r references."""

    shares: Floats
    """Shape (r, k): the current one, smoothed towards each."""
    models: Floats
    n: float
    m: Floats

    @property
    def divergences(self) -> Floats:
        return np.asarray(kl_divergence(self.shares, self.models))

    @property
    def comparable(self) -> Floats:
        """The divergences, without what few rows of a reference add to them."""
        return np.asarray(self.divergences - (self.models.shape[-1] - 1) / (2 * self.m))

    def spread(self, best: int) -> Floats:
        """Return the standard error of D(P‖Qᵢ) − D(P‖Q_best) for every i; see :func:`closest`."""
        ratio = np.log(self.models[best]) - np.log(self.models)
        mean = ratio @ self.shares[best]
        of_current = ((ratio - mean[:, np.newaxis]) ** 2) @ self.shares[best] / self.n
        of_reference = ((self.shares - self.models) ** 2 / self.models).sum(axis=-1) / self.m
        first_order = of_current + of_reference + of_reference[best]
        m, best_m = self.m, self.m[best]
        second_order = (1 / m + 1 / best_m) / self.n + (1 / m**2 + 1 / best_m**2) / 2
        variance = np.maximum(first_order, (self.models.shape[-1] - 1) * second_order)
        variance[best] = 0.0
        return np.asarray(np.sqrt(variance))


def _fit(current: ArrayLike, references: Mapping[Hashable, ArrayLike]) -> _Fit:
    rows = _rows("current counts", current)
    tables = [
        _rows(f"counts of reference {label!r}", counts) for label, counts in references.items()
    ]
    for label, table in zip(references, tables, strict=True):
        if table.size != rows.size:
            raise DomainError(
                f"reference {label!r} has {table.size} cells and current has {rows.size}: "
                "expected the same cells; count both over the same bins"
            )
    shares, models = smooth(rows, np.stack(tables))
    return _Fit(
        shares=shares,
        models=models,
        n=float(rows.sum()),
        m=np.stack(tables).sum(axis=-1),
    )


def _rows(what: str, counts: ArrayLike) -> Floats:
    rows = nonnegative(what, counts)
    if rows.ndim != 1:
        raise DomainError(f"{what}: expected one number per cell, got the shape {rows.shape}")
    if not rows.any():
        raise DomainError(f"{what}: there are no rows, so nothing can be told; leave it out")
    return rows


def _two_sided(confidence: float, *, pairs: int) -> float:
    return -NormalDist().inv_cdf((1 - confidence) / (2 * max(pairs, 1)))
