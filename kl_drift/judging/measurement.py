"""Two histograms become numbers: divergences, and what sampling noise alone would do to them.

Knows which counts go into which formula. Has never heard of limits, of columns as a whole or of
files.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np

from kl_drift.counts.bins import Bins, CategoryBins, PairBins
from kl_drift.counts.histogram import Histogram
from kl_drift.judging.effects import DesignEffects
from kl_drift.statistics.checks import Floats
from kl_drift.statistics.divergence import (
    contributions,
    cross_entropy,
    entropy,
    jensen_shannon,
    kl_divergence,
    signed_contributions,
)
from kl_drift.statistics.inference import (
    debiased_kl,
    kl_interval,
    p_value_above,
    p_value_equal,
)
from kl_drift.statistics.joint import kl_dependence
from kl_drift.statistics.noise import noise_floor, rows_needed
from kl_drift.statistics.samples import merge_cells
from kl_drift.statistics.smoothing import Smoothing, smooth, with_unseen_mass
from kl_drift.statistics.support import new_share_limit, two_cell_limit

INDEPENDENT = DesignEffects()
"""Every row tells as much as one."""

_EXPECTED = 5.0  # rows that a cell should expect before a limit or a p-value is taken from it


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergences:
    """How far two smoothed distributions are apart, in nats; see ``ColumnReport``."""

    kl: float
    kl_reverse: float
    jeffreys: float
    jensen_shannon: float
    entropy: float
    cross_entropy: float
    kl_null: float
    kl_values: float
    kl_dependence: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """What sampling noise leaves of a divergence.

    Parameters
    ----------
    kl_debiased : float
        The Zhang–Grabchak estimate in nats, about 0 if nothing drifts; may be slightly negative.
    interval : (float, float)
        Lower and upper confidence limit of KL. The lower one is the larger of two, each of half the
        error allowed: of cells merged until each expects five rows, which only lowers KL, so it
        holds for the cells as they are; and of single cells, see :func:`exact_limit`, because
        merging hides what comes where the reference held next to nothing.
    null_lower : float
        Lower confidence limit of the KL of the null flag.
    noise_floor : float
        KL in nats that samples of these sizes reach once in a thousand if nothing drifts; 0 where
        all rows of both sides share one cell.
    told_from : float
        The same of two cells at least: what a divergence must exceed to be told from noise. Few
        rows that are all alike do not show that nothing else can come.
    rows_needed : float
        Rows of the current snapshot that would bring that under the threshold; infinite where the
        reference itself is too small.
    p_value : float
        Of equality.
    p_above : float
        Of KL being no more than the threshold.
    """

    kl_debiased: float
    interval: tuple[float, float]
    null_lower: float
    noise_floor: float
    told_from: float
    rows_needed: float
    p_value: float
    p_above: float


def smooth_histograms(
    current: Histogram, reference: Histogram, smoothing: Smoothing, *, fitted: bool = True
) -> tuple[Floats, Floats]:
    """Return the smoothed probabilities, current first.

    Parameters
    ----------
    current, reference : Histogram
        Over the same bins.
    smoothing : Smoothing
        How counts become probabilities.
    fitted : bool
        Whether the bins were fitted on the reference; see :func:`expected_counts`.
    """
    found, expected = _counts(current), _counts(reference)
    if fitted and smoothing.method != "none":
        expected = expected_counts(found, expected, reference.bins)
    return smooth(found, expected, smoothing)


def expected_counts(current: Floats, reference: Floats, bins: Bins | PairBins) -> Floats:
    """Return the counts of a reference that ``bins`` were fitted on, new levels allowed for.

    No level of its own is new to such a reference; what new ones are worth is what Good and Turing
    expect, see :func:`kl_drift.statistics.smoothing.with_unseen_mass`. Rows of another snapshot say
    it by themselves.

    Parameters
    ----------
    current, reference : ndarray, shape (k,) or batches with the cells on the last axis
        Rows per cell, current and reference.
    bins : CategoryBins, NumericBins or PairBins
        Their cells.
    """
    if not isinstance(bins, CategoryBins):
        return reference
    return with_unseen_mass(
        current,
        reference,
        other=bins.other_cell,
        unseen=bins.unseen_cell,
        singletons=bins.singletons,
    )


def _counts(histogram: Histogram) -> Floats:
    return np.asarray(histogram.counts, np.float64)


def measure_divergences(
    current: Floats, reference: Floats, null: int, shape: tuple[int, int] | None = None
) -> Divergences:
    """Measure how far the current distribution is from the reference.

    Parameters
    ----------
    current, reference : ndarray, shape (k,)
        Smoothed probabilities. Without smoothing a divergence may be infinite.
    null : int
        Which cell holds the nulls.
    shape : (int, int), optional
        Rows and columns of the table that the cells of two columns make.
    """
    supported = not ((reference == 0) & (current > 0)).any()
    reversible = not ((current == 0) & (reference > 0)).any()
    kl = float(kl_divergence(current, reference)) if supported else math.inf
    kl_reverse = float(kl_divergence(reference, current)) if reversible else math.inf
    kl_null, kl_values = _null_part(float(current[null]), float(reference[null]), kl)
    return Divergences(
        kl=kl,
        kl_reverse=kl_reverse,
        jeffreys=kl + kl_reverse,
        jensen_shannon=float(jensen_shannon(current, reference)),
        entropy=float(entropy(current)),
        cross_entropy=float(cross_entropy(current, reference)) if supported else math.inf,
        kl_null=kl_null,
        kl_values=kl_values,
        kl_dependence=shape and kl_dependence(current.reshape(shape), reference.reshape(shape)),
    )


def _null_part(current: float, reference: float, kl: float) -> tuple[float, float]:
    """Split KL into that of the null flag and that of the values: the chain rule, exactly."""
    if reference in (0.0, 1.0) and current != reference:
        return math.inf, 0.0
    flag = float(kl_divergence([current, 1 - current], [reference, 1 - reference]))
    return flag, max(0.0, kl - flag) / (1 - current) if current < 1 else 0.0


def cell_terms(current: Floats, reference: Floats) -> tuple[Floats, Floats]:
    """Return what each cell contributes to KL, and its signed term; infinite where unsupported."""
    unsupported = (reference == 0) & (current > 0)
    if unsupported.any():
        infinite = np.where(unsupported, np.inf, 0.0)
        return infinite, infinite
    return contributions(current, reference), signed_contributions(current, reference)


def measure_noise(
    current: Histogram,
    reference: Histogram,
    *,
    threshold: float,
    confidence: float = 0.95,
    effects: DesignEffects = INDEPENDENT,
    fitted: bool = True,
) -> Noise | None:
    """Say what sampling noise leaves of the divergence; ``None`` where a side has no rows.

    Parameters
    ----------
    current, reference : Histogram
        Over the same bins.
    threshold : float
        KL in nats that ``p_above`` and ``rows_needed`` ask about.
    confidence : float
        Of each limit of the interval.
    effects : DesignEffects
        How many rows of either side carry the information of one independent row: every count is
        divided by it.
    fitted : bool
        Whether the bins were fitted on the reference; see :func:`expected_counts`.
    """
    if not current.rows or not reference.rows:
        return None
    found, expected = _counts(current), _counts(reference)
    bins = reference.bins
    exact = exact_limit(
        found, expected, bins, fitted=fitted, confidence=confidence, effects=effects
    )
    if fitted:
        expected = expected_counts(found, expected, bins)
    counts = np.stack([found, expected])
    flags = _null_flags(counts, bins.null_cell, effects)
    samples = counts[:, counts.any(axis=0)] / [[effects.current], [effects.reference]]
    merged = merge_cells(*samples, minimum=_EXPECTED, ordered=bins.ordered)
    lower = max(exact, _limits(*merged, confidence=(1 + confidence) / 2)[0])
    upper = max(lower, _limits(*samples, confidence=confidence)[1])
    (n, m), k = samples.sum(axis=1), samples.shape[1]
    cells = max(k, 2)
    return Noise(
        kl_debiased=float(debiased_kl(*samples)),
        interval=(lower, upper),
        null_lower=_limits(*flags, confidence=confidence)[0] if flags[:, 0].any() else 0.0,
        noise_floor=float(noise_floor(n, m, k)),
        told_from=float(noise_floor(n, m, cells)),
        rows_needed=float(
            rows_needed(threshold, m * effects.current, cells, design_effect=effects.current)
        ),
        p_value=float(p_value_equal(*samples, ordered=bins.ordered)),
        p_above=float(p_value_above(*merged, threshold)),
    )


def _null_flags(counts: Floats, null: int, effects: DesignEffects) -> Floats:
    """Return the nulls and the other rows of either side, in effective rows."""
    nulls = counts[:, null]
    flags = np.stack([nulls, counts.sum(axis=1) - nulls], axis=1)
    return np.asarray(flags / [[effects.current_null], [effects.reference_null]])


def measure_nulls(
    current: tuple[int, int],
    reference: tuple[int, int],
    smoothing: Smoothing,
    *,
    confidence: float = 0.95,
    design_effect: float = 1.0,
) -> tuple[float, float]:
    """Return the KL of the null flag alone and its lower confidence limit, in nats.

    Parameters
    ----------
    current, reference : (int, int)
        Null rows, and all rows.
    smoothing : Smoothing
        How counts become probabilities.
    confidence : float
        Of the limit.
    design_effect : float
        How many rows carry the information of one independent row.
    """
    if not (current[1] and reference[1] and (current[0] or reference[0])):
        return 0.0, 0.0
    found, expected = (
        np.array([nulls, rows - nulls], np.float64) for nulls, rows in (current, reference)
    )
    shares, model = smooth(found, expected, smoothing)
    unsupported = ((model == 0) & (shares > 0)).any()
    kl = math.inf if unsupported else float(kl_divergence(shares, model))
    lower, _ = _limits(found / design_effect, expected / design_effect, confidence=confidence)
    return kl, lower


def exact_limit(
    current: Floats,
    reference: Floats,
    bins: Bins | PairBins,
    *,
    fitted: bool,
    confidence: float,
    effects: DesignEffects = INDEPENDENT,
) -> float:
    """Return the lower confidence limit of KL that cells by themselves give, in nats.

    The largest two-cell limit of: all cells together that the reference never reached; the levels
    it never held; and each cell, its level divided by the number of cells.

    Parameters
    ----------
    current, reference : ndarray, shape (k,)
        Rows per cell as counted, current and reference; some on each side.
    bins : CategoryBins, NumericBins or PairBins
        Their cells.
    fitted : bool
        Whether the bins were fitted on the reference: then it can hold no new level, and its
        singletons and doubletons say how many there may be.
    confidence : float
        Of the limit.
    effects : DesignEffects
        How many rows of either side carry the information of one independent row.
    """
    limit = partial(
        two_cell_limit,
        current_rows=current.sum() / effects.current,
        reference_rows=reference.sum() / effects.reference,
    )
    never = reference == 0
    alone = limit(
        current / effects.current,
        reference=reference / effects.reference,
        confidence=1 - (1 - confidence) / len(reference),
    )
    if isinstance(bins, CategoryBins):
        unseen = bins.unseen_cell
        never[unseen] = False
        alone[unseen] = limit(
            current[unseen] / effects.current,
            reference=reference[unseen] / effects.reference,
            confidence=confidence,
            at_least=_expected_at_most(reference, bins, effects.reference) if fitted else 0.0,
        )
    together = limit(
        current[never].sum() / effects.current,
        reference=0.0,
        confidence=confidence,
        at_least=_empty_at_most(reference, effects.reference),
    )
    return float(max(together, alone.max()))


def _expected_at_most(reference: Floats, bins: CategoryBins, design_effect: float) -> float:
    """Return the largest share of rows of new levels to be expected without drift."""
    singletons, doubletons = bins.singletons, bins.doubletons
    if doubletons is None:  # at most as many as the levels not kept have rows for
        doubletons = max(0, int(reference[bins.other_cell]) - singletons) // 2
    rows, once, twice = (x / design_effect for x in (reference.sum(), singletons, doubletons))
    return new_share_limit(rows, once, twice)


def _empty_at_most(reference: Floats, design_effect: float) -> float:
    """Return the largest share that the cells without reference rows may be expected to have."""
    cells = (np.count_nonzero(reference == rows) for rows in (1, 2))
    rows, once, twice = (x / design_effect for x in (reference.sum(), *cells))
    return new_share_limit(rows, once, twice)


def _limits(current: Floats, reference: Floats, *, confidence: float) -> tuple[float, float]:
    lower, upper = kl_interval(current, reference, confidence=confidence)
    return float(lower), float(upper)
