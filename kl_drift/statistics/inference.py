"""What sampling noise alone does to a Kullback–Leibler divergence: counts in, numbers out.

Knows counts over cells and the laws of the estimates made from them. Has never heard of columns,
files or limits.

Every function of two samples takes the rows per cell of the current and of the reference, 1-D or in
batches along ``axis``; a single reference serves a whole batch. 1-D counts give floats, a batch
gives arrays of the batch's shape. Options common to them:

``exact_reference``
    ``reference`` is not a sample but a distribution known exactly: a probability above 0 for each
    cell, summing to 1. All noise is then the current sample's. Functions that take numbers of rows
    take ``reference_rows=math.inf`` for the same.
``design_effect``
    How many rows carry the information of one independent row, where rows come in clusters (many
    per customer). Every number of rows, in total and per cell, is divided by it; with 1 the rows
    are independent. Nothing here can detect that they are not (Rao & Scott 1992, A simple method
    for the analysis of clustered binary data, DOI 10.2307/2532311).

With n current and m reference rows over k cells, ν = k − 1 and c = 1/n + 1/m: if nothing drifts,
2·KL/c follows χ²_ν; if something does, a noncentral χ²_ν.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kl_drift.errors import DomainError
from kl_drift.statistics.checks import (
    Floats,
    Numbers,
    check_amounts,
    check_option,
    check_shares,
    unwrapped,
)
from kl_drift.statistics.divergence import kl_divergence, signed_contributions
from kl_drift.statistics.noncentral import noncentral_chi_square, noncentrality
from kl_drift.statistics.samples import Samples, merge_samples, take_samples
from kl_drift.statistics.smoothing import smooth_reference
from kl_drift.statistics.special import digamma_less_log, digamma_remainder


def debiased_kl(
    current: ArrayLike,
    reference: ArrayLike,
    *,
    axis: int = -1,
    exact_reference: bool = False,
    design_effect: float = 1.0,
) -> Numbers:
    """Return the Zhang–Grabchak estimate of D(P‖Q) from two samples, in nats.

    Σ (N/n)·[ψ(N) − ψ(n) + ψ(m + 1) − ψ(M + 1)] over the cells with N > 0, the closed form of their
    harmonic sums. It needs no smoothing, and its bias falls exponentially with the current rows
    that each cell expects: 0.22 nats at one row, 0.05 at two, 0.01 at three, 0.001 at five. If
    nothing drifts its mean is then about 0, so it is often negative.

    Parameters
    ----------
    current, reference : array_like, shape (k,) or a batch
        Rows per cell N and M, ≥ 0, some on each side.
    axis : int
        Where a batch has its cells.
    exact_reference, design_effect
        See the module. An exact reference leaves Σ (N/n)·[ψ(N) − ψ(n) − ln q]; effective counts
        need not be whole.

    Returns
    -------
    float or ndarray
        Finite, whatever the counts.

    Raises
    ------
    DomainError
        If counts are negative, not finite or all zero, the cells differ, or an exact reference is
        no distribution or has an empty cell.
    UsageError
        If ``design_effect`` is not above 0.

    References
    ----------
    Zhang & Grabchak 2014, Nonparametric estimation of Küllback–Leibler divergence, DOI
    10.1162/NECO_a_00646.
    """
    samples = take_samples(current, reference, axis, exact_reference, design_effect)
    return unwrapped(_debiased(samples))


def kl_interval(
    current: ArrayLike,
    reference: ArrayLike,
    *,
    confidence: float = 0.95,
    axis: int = -1,
    exact_reference: bool = False,
    design_effect: float = 1.0,
) -> tuple[Numbers, Numbers]:
    """Return a lower and an upper confidence limit of D(P‖Q), in nats.

    Each limit by itself holds with ``confidence``; both together with 2·confidence − 1, so that
    0.95 gives a two-sided interval of 90 %. The lower limit exceeds τ exactly where
    :func:`p_value_above` τ is below 1 − confidence.

    Parameters
    ----------
    current, reference, axis, exact_reference, design_effect
        As :func:`debiased_kl`.
    confidence : float
        Of each limit, between 0 and 1.

    Returns
    -------
    lower, upper : float or ndarray
        0 ≤ lower; upper is at least :func:`~kl_drift.statistics.noise.noise_mean`, so that a lucky
        draw does not claim precision that the rows cannot give.

    Raises
    ------
    DomainError
        As :func:`debiased_kl`.
    UsageError
        If ``confidence`` is not between 0 and 1, or ``design_effect`` not above 0.

    Notes
    -----
    KL is taken for s·χ²_ν(λ) with λ = D/s. The scale s is chosen so that the variance 4·s²·λ is the
    delta method's v = Var_P[ln(p/q)]/n + X²(P, Q)/m, X² = Σ (p − q)²/q: s = v/(4·D), which is c/2
    where D → 0; p, q and D are those of Jeffreys-smoothed counts. With x = max(0, D_zg/s + ν), D_zg
    the debiased KL, the lower limit solves F(x; ν, λ) = confidence and the upper 1 − confidence.

    With 5,000 rows against 100,000 and 20 cells each 95 % limit holds in 94–96 % of samples, or
    more, for D from 0 to 1. It breaks where rows are not independent, and where cells expect fewer
    than about ten current rows: with two per cell and no drift the lower limit exceeds 0 in a
    quarter to four fifths of samples. Then merge first, ``kl_interval(*merge_cells(...))``: merging
    only lowers KL, so that the lower limit (not the upper) is one of the unmerged cells too.

    References
    ----------
    Krichevsky & Trofimov 1981, DOI 10.1109/TIT.1981.1056331 (the smoothing); Patnaik 1949, The
    non-central χ²- and F-distributions and their applications, DOI 10.1093/biomet/36.1-2.202.
    """
    from scipy.special import ndtri

    check_option("confidence", confidence, "a number between 0 and 1", 0 < confidence < 1)
    samples = take_samples(current, reference, axis, exact_reference, design_effect)
    law = _law(samples)
    normal = float(ndtri(confidence))
    lower = law.scale * noncentrality(law.statistic, law.df, normal)
    upper = law.scale * noncentrality(law.statistic, law.df, -normal)
    noise = samples.c * (samples.cells - 1) / 2
    return unwrapped(lower), unwrapped(np.maximum(np.maximum(upper, lower), noise))


def p_value_above(
    current: ArrayLike,
    reference: ArrayLike,
    threshold: ArrayLike,
    *,
    axis: int = -1,
    exact_reference: bool = False,
    design_effect: float = 1.0,
) -> Numbers:
    """Return the p-value of H₀: D(P‖Q) ≤ threshold.

    How often samples whose divergence is exactly the threshold look at least this different. The
    model is that of :func:`kl_interval`.

    Parameters
    ----------
    current, reference, axis, exact_reference, design_effect
        As :func:`debiased_kl`.
    threshold : float or array_like
        τ in nats, ≥ 0; one for all, or one for each distribution of a batch.

    Returns
    -------
    float or ndarray
        Between 0 and 1; 1 for a single cell.

    Raises
    ------
    DomainError
        As :func:`debiased_kl`, or if ``threshold`` is negative or not finite.
    UsageError
        If ``design_effect`` is not above 0.

    References
    ----------
    Patnaik 1949, DOI 10.1093/biomet/36.1-2.202.
    """
    limits = check_amounts("threshold", threshold)
    law = _law(take_samples(current, reference, axis, exact_reference, design_effect))
    statistic, lam = np.broadcast_arrays(law.statistic, limits / law.scale)
    return unwrapped(noncentral_chi_square(statistic, lam, law.df).upper)


def p_value_equal(
    current: ArrayLike,
    reference: ArrayLike,
    *,
    minimum: float = 5.0,
    ordered: bool = True,
    axis: int = -1,
    exact_reference: bool = False,
    design_effect: float = 1.0,
) -> Numbers:
    """Return the p-value of H₀: both samples come from one distribution; Pearson's X².

    On cells merged by :func:`~kl_drift.statistics.samples.merge_cells`: unmerged, a nominal 0.1 %
    test rejects up to 10 %. Rejecting says only that the samples differ; with enough rows all do.

    Parameters
    ----------
    current, reference, axis, exact_reference, design_effect
        As :func:`debiased_kl`.
    minimum, ordered
        As :func:`~kl_drift.statistics.samples.merge_cells`; a ``minimum`` of 0 merges nothing.

    Returns
    -------
    float or ndarray
        Between 0 and 1; 1 where a single cell is left.

    Raises
    ------
    DomainError
        As :func:`debiased_kl`.
    UsageError
        If ``minimum`` is negative or ``design_effect`` not above 0.

    References
    ----------
    Pearson 1900, DOI 10.1080/14786440009463897; with a design effect, Rao & Scott 1981, DOI
    10.1080/01621459.1981.10477633.
    """
    from scipy.special import chdtrc

    samples = take_samples(current, reference, axis, exact_reference, design_effect)
    merged = merge_samples(samples, minimum, ordered)
    expected = merged.pooled * merged.c[..., np.newaxis]
    terms = np.divide(
        (merged.current_shares - merged.reference_shares) ** 2,
        expected,
        out=np.zeros_like(expected),
        where=expected > 0,
    )
    df = np.count_nonzero(expected, axis=-1) - 1
    tail = chdtrc(np.maximum(df, 1), terms.sum(axis=-1))
    return unwrapped(np.where(df > 0, tail, 1.0))


def benjamini_hochberg(p_values: ArrayLike) -> Floats:
    """Return p-values adjusted for their number: reject those ≤ α to keep false discoveries ≤ α.

    Parameters
    ----------
    p_values : array_like, shape (t,)
        Independent or positively dependent; none at all is allowed.

    Returns
    -------
    ndarray, shape (t,)
        min over p₍ⱼ₎ ≥ p of p₍ⱼ₎·t/j, at most 1; never below ``p_values``, in the same order.

    Raises
    ------
    DomainError
        If a p-value is not between 0 and 1, or they are not 1-D.

    References
    ----------
    Benjamini & Hochberg 1995, Controlling the false discovery rate, DOI
    10.1111/j.2517-6161.1995.tb02031.x.
    """
    values = check_shares("p_values", p_values)
    if values.ndim != 1:
        raise DomainError(f"p_values: expected one dimension, got the shape {values.shape}")
    descending = np.argsort(-values, kind="stable")
    ranks = np.arange(values.size, 0, -1)
    adjusted = np.empty_like(values)
    adjusted[descending] = np.minimum.accumulate(values[descending] * (values.size / ranks))
    return np.minimum(adjusted, 1.0)


def _debiased(samples: Samples) -> Floats:
    """Return Zhang and Grabchak's estimate without subtracting large logarithms.

    The sum of its logarithms is the KL of the raw current and the smoothed reference, which keeps
    its digits; what a digamma differs from its logarithm by is computed as such.
    """
    shares = samples.current_shares
    plug_in = kl_divergence(shares, samples.model)
    in_current = (shares * digamma_less_log(samples.current)).sum(axis=-1)
    estimate = plug_in + in_current - digamma_less_log(samples.n)
    if samples.exact:
        return np.asarray(estimate)
    in_cells = (shares * digamma_remainder(samples.reference + 0.5)).sum(axis=-1)
    total = samples.m + 0.5
    in_total = digamma_remainder(total) - np.log1p((samples.cells - 1) / (2 * total))
    return np.asarray(estimate + in_total - in_cells)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Law:
    """KL is read as scale·(statistic − ν), the statistic as noncentral χ² of λ = D/scale."""

    statistic: Floats
    scale: Floats
    df: int


def _law(samples: Samples) -> _Law:
    shares, model = smooth_reference(samples.current), samples.model
    divergence = np.asarray(kl_divergence(shares, model))
    log_ratio = signed_contributions(shares, model) / shares
    spread = (shares * (log_ratio - divergence[..., np.newaxis]) ** 2).sum(axis=-1)
    chi_square = ((shares - model) ** 2 / model).sum(axis=-1)
    variance = spread / samples.n + chi_square / samples.m
    drifted = divergence > 0
    scale = np.where(drifted, variance / (4 * np.where(drifted, divergence, 1.0)), samples.c / 2)
    statistic = np.maximum(0.0, _debiased(samples) / scale + (samples.cells - 1))
    # A single cell has ν = 0 and the statistic 0; one degree of freedom then gives limits of 0.
    return _Law(statistic=statistic, scale=scale, df=max(samples.cells - 1, 1))
