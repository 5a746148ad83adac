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

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kl_drift.errors import DomainError, UsageError
from kl_drift.statistics.checks import (
    Flags,
    Floats,
    aligned,
    cells_back,
    first,
    nonnegative,
    of_batch,
    place,
    probabilities,
)
from kl_drift.statistics.divergence import kl_divergence, signed_contributions
from kl_drift.statistics.smoothing import smooth_reference
from kl_drift.statistics.special import (
    digamma_less_log,
    digamma_remainder,
    noncentral_chi_square,
    noncentrality,
    stirling_remainder,
)

Numbers: TypeAlias = float | Floats
"""One number for one pair of samples, an array of them for a batch."""


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
    samples = _samples(current, reference, axis, exact_reference, design_effect)
    return _plain(_debiased(samples))


def noise_mean(
    current_rows: ArrayLike,
    reference_rows: ArrayLike,
    cells: ArrayLike,
    *,
    design_effect: float = 1.0,
) -> Numbers:
    """Return the mean plug-in KL of two samples of one distribution: ν·c/2, in nats.

    Parameters
    ----------
    current_rows, reference_rows : float or array_like
        Above 0; ``math.inf`` for a distribution known exactly.
    cells : int or array_like
        k = ν + 1, at least 1.
    design_effect : float
        See the module.

    Returns
    -------
    float or ndarray
        0 for a single cell.

    Raises
    ------
    DomainError
        If numbers of rows or cells are not positive.
    UsageError
        If ``design_effect`` is not above 0.

    References
    ----------
    Wilks 1938, The large-sample distribution of the likelihood ratio, DOI 10.1214/aoms/1177732360.
    """
    scale = _noise_scale(current_rows, reference_rows, design_effect)
    return _plain(scale * (_cells(cells) - 1))


def noise_floor(
    current_rows: ArrayLike,
    reference_rows: ArrayLike,
    cells: ArrayLike,
    *,
    quantile: float = 0.999,
    design_effect: float = 1.0,
) -> Numbers:
    """Return the KL that noise alone stays below: ½·c·χ²_ν at ``quantile``, in nats.

    With 5,000 rows against 100,000 and 20 cells, a KL below 0.0046 is noise. An asymptotic law: it
    wants about five expected rows per cell.

    Parameters
    ----------
    current_rows, reference_rows, cells, design_effect
        As :func:`noise_mean`.
    quantile : float
        How often noise stays below, between 0 and 1.

    Returns
    -------
    float or ndarray
        0 for a single cell.

    Raises
    ------
    DomainError
        If numbers of rows or cells are not positive.
    UsageError
        If ``quantile`` is not between 0 and 1, or ``design_effect`` not above 0.

    References
    ----------
    Wilks 1938, DOI 10.1214/aoms/1177732360.
    """
    scale = _noise_scale(current_rows, reference_rows, design_effect)
    return _plain(scale * _chi_square_quantile(cells, quantile))


def rows_needed(
    limit: ArrayLike,
    reference_rows: ArrayLike,
    cells: ArrayLike,
    *,
    quantile: float = 0.999,
    design_effect: float = 1.0,
) -> Numbers:
    """Return how many current rows bring :func:`noise_floor` down to a divergence.

    With 20 cells and a huge reference, 1,096 rows for a limit of 0.02 nats.

    Parameters
    ----------
    limit : float or array_like
        The divergence to be told from noise, in nats, ≥ 0.
    reference_rows, cells, quantile, design_effect
        As :func:`noise_floor`.

    Returns
    -------
    float or ndarray
        A whole number, at least 1; ``inf`` if the noise of the reference alone exceeds ``limit``.

    Raises
    ------
    DomainError
        If ``limit`` is negative or numbers of rows or cells are not positive.
    UsageError
        If ``quantile`` is not between 0 and 1, or ``design_effect`` not above 0.
    """
    target = _numbers("limit", limit, "a number of at least 0", lambda x: x >= 0)
    noise = _chi_square_quantile(cells, quantile) / 2
    spare = target - noise * 2 * _noise_scale(math.inf, reference_rows, design_effect)
    needed = np.ceil(noise * design_effect / np.where(spare > 0, spare, 1.0))
    needed = np.where((spare > 0) | (noise == 0), needed, math.inf)
    return _plain(np.maximum(needed, 1.0))


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
        0 ≤ lower; upper is at least :func:`noise_mean`, so that a lucky draw does not claim
        precision that the rows cannot give.

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

    _option("confidence", confidence, "a number between 0 and 1", 0 < confidence < 1)
    samples = _samples(current, reference, axis, exact_reference, design_effect)
    law = _law(samples)
    normal = float(ndtri(confidence))
    lower = law.scale * noncentrality(law.statistic, law.df, normal)
    upper = law.scale * noncentrality(law.statistic, law.df, -normal)
    noise = samples.c * (samples.cells - 1) / 2
    return _plain(lower), _plain(np.maximum(np.maximum(upper, lower), noise))


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
    limits = _amounts("threshold", threshold)
    law = _law(_samples(current, reference, axis, exact_reference, design_effect))
    statistic, lam = np.broadcast_arrays(law.statistic, limits / law.scale)
    return _plain(noncentral_chi_square(statistic, lam, law.df).upper)


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

    On cells merged by :func:`merge_cells`: unmerged, a nominal 0.1 % test rejects up to 10 %.
    Rejecting says only that the samples differ; with enough rows all do.

    Parameters
    ----------
    current, reference, axis, exact_reference, design_effect
        As :func:`debiased_kl`.
    minimum, ordered
        As :func:`merge_cells`; a ``minimum`` of 0 merges nothing.

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

    samples = _samples(current, reference, axis, exact_reference, design_effect)
    merged = _merged(samples, minimum, ordered)
    expected = merged.pooled * merged.c[..., np.newaxis]
    terms = np.divide(
        (merged.current_shares - merged.reference_shares) ** 2,
        expected,
        out=np.zeros_like(expected),
        where=expected > 0,
    )
    df = np.count_nonzero(expected, axis=-1) - 1
    tail = chdtrc(np.maximum(df, 1), terms.sum(axis=-1))
    return _plain(np.where(df > 0, tail, 1.0))


def merge_cells(
    current: ArrayLike,
    reference: ArrayLike,
    *,
    minimum: float = 5.0,
    ordered: bool = True,
    axis: int = -1,
    exact_reference: bool = False,
) -> tuple[Floats, Floats]:
    """Return the counts over cells merged until each expects ``minimum`` rows.

    Expected is, with nothing drifting, what a cell holds in the smaller sample: its pooled share
    (N + M)/(n + m) times min(n, m). Cells are taken from the first to the last, and a merged cell
    closes as soon as it expects ``minimum``; what is left over at the end joins the last one.
    Unordered cells are first sorted by their expected rows, ties by position, so that the smallest
    are pooled. Only pooled counts decide, never how they divide between the samples, which is what
    keeps a test on merged cells honest.

    Parameters
    ----------
    current, reference, axis, exact_reference
        As :func:`debiased_kl`.
    minimum : float
        Expected rows, ≥ 0; 0 merges nothing.
    ordered : bool
        Whether neighbouring cells belong together (numbers) or any may be pooled (categories).

    Returns
    -------
    current, reference : ndarray
        As many cells as are left, one at least, on ``axis``. In a batch, as many as the
        distribution with the most has left; the others end in cells that hold 0 on both sides.

    Raises
    ------
    DomainError
        As :func:`debiased_kl`.
    UsageError
        If ``minimum`` is negative.

    References
    ----------
    Cochran 1954, Some methods for strengthening the common χ² tests, DOI 10.2307/3001616.
    """
    samples = _samples(current, reference, axis, exact_reference, 1.0)
    merged = _merged(samples, minimum, ordered)
    return cells_back(merged.current, axis), cells_back(merged.reference, axis)


def p_value_vanished(
    reference_share: ArrayLike, current_rows: ArrayLike, *, design_effect: float = 1.0
) -> Numbers:
    """Return the probability that a cell with that share stays empty: (1 − q)ⁿ, exactly.

    D(current‖reference) hardly sees an emptied cell (it adds at most q nats), this does.

    Parameters
    ----------
    reference_share : float or array_like
        q, between 0 and 1. The reference is taken at its word: use a smoothed share.
    current_rows : float or array_like
        n, ≥ 0.
    design_effect : float
        See the module.

    Returns
    -------
    float or ndarray
        The p-value of H₀: the cell still has its share, given that no row is in it.

    Raises
    ------
    DomainError
        If the share is not between 0 and 1 or the rows are negative or not finite.
    UsageError
        If ``design_effect`` is not above 0.
    """
    from scipy.special import xlog1py

    _design(design_effect)
    share = _chances("reference_share", reference_share)
    rows = _amounts("current_rows", current_rows) / design_effect
    return _plain(np.exp(xlog1py(rows, -share)))


def p_value_beyond(
    beyond: ArrayLike,
    current_rows: ArrayLike,
    reference_rows: ArrayLike,
    *,
    design_effect: float = 1.0,
) -> Numbers:
    """Return the probability that the j largest of all rows are all current, exactly.

    ∏_{i<j} (n − i)/(n + m − i): if nothing drifts, any j of the n + m rows are equally likely to be
    the largest. Distribution-free; ties must be counted as not beyond.

    Parameters
    ----------
    beyond : float or array_like
        j, the current rows above the reference's maximum (or below its minimum), 0 ≤ j ≤ n.
    current_rows, reference_rows : float or array_like
        n and m, finite, ≥ 0.
    design_effect : float
        See the module; j is divided by it too.

    Returns
    -------
    float or ndarray
        The p-value of H₀: one continuous distribution. 1 if j or m is 0.

    Raises
    ------
    DomainError
        If a number is negative or not finite, or ``beyond`` exceeds ``current_rows``.
    UsageError
        If ``design_effect`` is not above 0.

    Notes
    -----
    Differences of lgamma would lose every digit at 1e12 rows. With Stirling's series in n + ½ and
    m + n + ½, the leading terms are −(n + m + ½) times the mutual information of the table of
    (beyond or not) × (current or reference), which has no cancellation.

    References
    ----------
    Rosenbaum 1954, Tables for a nonparametric test of location, Ann. Math. Statist. 25, 146–150.
    """
    _design(design_effect)
    j, n, m = np.broadcast_arrays(
        _amounts("beyond", beyond) / design_effect,
        _amounts("current_rows", current_rows) / design_effect,
        _amounts("reference_rows", reference_rows) / design_effect,
    )
    if (j > n).any():
        where = first(j > n)
        raise DomainError(
            f"beyond{_at(where)}: {j[where] * design_effect:g} rows lie beyond the reference, "
            f"but current_rows is {n[where] * design_effect:g}; expected at most that many"
        )
    rows, total = n + 0.5, n + m + 0.5
    table = np.stack([j, np.zeros_like(j), rows - j, m], axis=-1) / total[..., np.newaxis]
    rest = total - j
    margins = np.stack([j * rows, j * m, rest * rows, rest * m], axis=-1)
    information = kl_divergence(table, margins / (total * total)[..., np.newaxis])
    exponent = -total * information + (
        stirling_remainder(rows)
        - stirling_remainder(rows - j)
        - stirling_remainder(total)
        + stirling_remainder(rest)
    )
    return _plain(np.exp(np.minimum(exponent, 0.0)))


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
    values = _chances("p_values", p_values)
    if values.ndim != 1:
        raise DomainError(f"p_values: expected one dimension, got the shape {values.shape}")
    descending = np.argsort(-values, kind="stable")
    ranks = np.arange(values.size, 0, -1)
    adjusted = np.empty_like(values)
    adjusted[descending] = np.minimum.accumulate(values[descending] * (values.size / ranks))
    return np.minimum(adjusted, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Samples:
    """Two samples over the same cells, in effective rows; the cells are on the last axis."""

    current: Floats
    reference: Floats
    """Rows per cell, or probabilities if the reference is exact."""
    exact: bool

    @property
    def cells(self) -> int:
        return int(self.current.shape[-1])

    @property
    def n(self) -> Floats:
        return np.asarray(self.current.sum(axis=-1))

    @property
    def m(self) -> Floats:
        return np.full_like(self.n, math.inf) if self.exact else self.reference.sum(axis=-1)

    @property
    def c(self) -> Floats:
        return 1 / self.n + 1 / self.m

    @property
    def current_shares(self) -> Floats:
        return self.current / self.n[..., np.newaxis]

    @property
    def reference_shares(self) -> Floats:
        return self.reference if self.exact else self.reference / self.m[..., np.newaxis]

    @property
    def pooled(self) -> Floats:
        """Shares of both samples together; those of an exact reference cannot be improved."""
        if self.exact:
            return self.reference
        return (self.current + self.reference) / (self.n + self.m)[..., np.newaxis]

    @property
    def model(self) -> Floats:
        """The reference's probabilities: exact, or from half a row more per cell."""
        return self.reference if self.exact else smooth_reference(self.reference)


def _samples(
    current: ArrayLike, reference: ArrayLike, axis: int, exact: bool, design_effect: float
) -> _Samples:
    _design(design_effect)
    current_rows = nonnegative("current counts", current, axis) / design_effect
    if exact:
        reference_rows = _exact(reference, axis)
    else:
        reference_rows = nonnegative("reference counts", reference, axis) / design_effect
    current_rows, reference_rows = aligned(current_rows, reference_rows)
    for name, counts in (("current", current_rows), ("reference", reference_rows)):
        empty = np.asarray(~counts.any(axis=-1))
        if empty.any():
            raise DomainError(
                f"{name} counts{of_batch(first(empty))}: expected some rows, got none; "
                "without rows nothing can be inferred, so leave it out"
            )
    return _Samples(current=current_rows, reference=reference_rows, exact=exact)


def _exact(reference: ArrayLike, axis: int) -> Floats:
    shares = probabilities("exact reference", reference, axis)
    if (shares == 0).any():
        raise DomainError(
            f"exact reference, {place(first(shares == 0))}: expected a probability above 0, got 0; "
            "merge the cell into another, or leave it out if it can hold no row"
        )
    return shares


def _debiased(samples: _Samples) -> Floats:
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


def _law(samples: _Samples) -> _Law:
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


def _merged(samples: _Samples, minimum: float, ordered: bool) -> _Samples:
    _option("minimum", minimum, "a number of at least 0", minimum >= 0)
    current, reference = samples.current, samples.reference
    expected = samples.pooled * np.minimum(samples.n, samples.m)[..., np.newaxis]
    if not ordered:
        order = np.argsort(expected, axis=-1, kind="stable")
        current, reference, expected = (
            np.take_along_axis(cells, order, axis=-1) for cells in (current, reference, expected)
        )
    groups = _groups(expected, minimum)
    return _Samples(
        current=_sums(current, groups), reference=_sums(reference, groups), exact=samples.exact
    )


def _groups(expected: Floats, minimum: float) -> NDArray[np.intp]:
    """Return the merged cell of each cell; a loop over cells, all of the batch at once."""
    groups = np.empty(expected.shape, dtype=np.intp)
    group = np.zeros(expected.shape[:-1], dtype=np.intp)
    collected = np.zeros(expected.shape[:-1])
    for cell in range(expected.shape[-1]):
        groups[..., cell] = group
        collected = collected + expected[..., cell]
        full = collected >= minimum
        group = group + full
        collected = np.where(full, 0.0, collected)
    return np.minimum(groups, np.maximum(group - 1, 0)[..., np.newaxis])


def _sums(counts: Floats, groups: NDArray[np.intp]) -> Floats:
    cells = int(groups.max()) + 1
    batch = groups.shape[:-1]
    starts = np.arange(math.prod(batch)).reshape(batch)[..., np.newaxis] * cells
    targets = (groups + starts).ravel()
    sums = np.bincount(targets, weights=counts.ravel(), minlength=math.prod(batch) * cells)
    return np.asarray(sums, dtype=np.float64).reshape(*batch, cells)


def _noise_scale(
    current_rows: ArrayLike, reference_rows: ArrayLike, design_effect: float
) -> Floats:
    """Return c/2, what a unit of χ² is worth in nats."""
    _design(design_effect)
    expected = "a number above 0, or inf for a distribution known exactly"
    n = _numbers("current_rows", current_rows, expected, lambda x: x > 0)
    m = _numbers("reference_rows", reference_rows, expected, lambda x: x > 0)
    return np.asarray((1 / n + 1 / m) * design_effect / 2)


def _chi_square_quantile(cells: ArrayLike, quantile: float) -> Floats:
    from scipy.special import chdtri

    _option("quantile", quantile, "a number between 0 and 1", 0 < quantile < 1)
    df = _cells(cells) - 1
    return np.where(df > 0, chdtri(np.maximum(df, 1), 1 - quantile), 0.0)


def _cells(cells: ArrayLike) -> Floats:
    return _numbers("cells", cells, "a number of at least 1", lambda x: x >= 1)


def _amounts(what: str, values: ArrayLike) -> Floats:
    expected = "a finite number of at least 0"
    return _numbers(what, values, expected, lambda x: (x >= 0) & (x < math.inf))


def _chances(what: str, values: ArrayLike) -> Floats:
    return _numbers(what, values, "a number from 0 to 1", lambda x: (x >= 0) & (x <= 1))


def _numbers(
    what: str, values: ArrayLike, expected: str, holds: Callable[[Floats], Flags]
) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    wrong = np.asarray(~holds(array))
    if wrong.any():
        where = first(wrong)
        raise DomainError(f"{what}{_at(where)}: expected {expected}, got {array[where]}")
    return array


def _at(where: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, where))}]" if where else ""


def _design(design_effect: float) -> None:
    expected = "a finite number above 0"
    _option("design_effect", design_effect, expected, 0 < design_effect < math.inf)


def _option(what: str, value: float, expected: str, holds: bool) -> None:
    if not holds:
        raise UsageError(f"{what}: expected {expected}, got {value}")


def _plain(values: Floats) -> Numbers:
    """Return a float for a single pair of samples."""
    return float(values) if values.ndim == 0 else values
