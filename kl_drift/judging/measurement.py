"""Two histograms become numbers: divergences, and what sampling noise alone would do to them.

Knows which counts go into which formula. Has never heard of limits, of columns as a whole or of
files.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np

from kl_drift.counts.bins import CategoryBins
from kl_drift.counts.histogram import Histogram
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
from kl_drift.statistics.smoothing import (
    Smoothing,
    smooth_current,
    smooth_reference,
    with_unseen_mass,
)

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
        Lower and upper confidence limit of KL. The lower one comes from cells merged until each
        expects five rows, which only lowers KL, so it holds for the cells as they are.
    null_lower : float
        Lower confidence limit of the KL of the null flag.
    noise_floor : float
        KL in nats that samples of these sizes reach once in a thousand if nothing drifts.
    rows_needed : float
        Rows of the current snapshot that would bring the noise floor under the threshold; infinite
        where the reference itself is too small.
    p_value : float
        Of equality.
    p_above : float
        Of KL being no more than the threshold.
    """

    kl_debiased: float
    interval: tuple[float, float]
    null_lower: float
    noise_floor: float
    rows_needed: float
    p_value: float
    p_above: float


def smooth_histograms(
    current: Histogram, reference: Histogram, smoothing: Smoothing, *, fitted: bool = True
) -> tuple[Floats, Floats]:
    """Return the smoothed probabilities, current first; see :func:`smooth_expected`."""
    expected = smooth_expected(reference, smoothing, fitted=fitted)
    return smooth_current(np.asarray(current.counts, np.float64), expected, smoothing), expected


def smooth_expected(reference: Histogram, smoothing: Smoothing, *, fitted: bool = True) -> Floats:
    """Return the smoothed probabilities of a reference.

    Parameters
    ----------
    reference : Histogram
        Its counts.
    smoothing : Smoothing
        How they become probabilities.
    fitted : bool
        Whether the bins were fitted on these rows. Then no level of theirs is new, and what new
        ones are worth is what Good and Turing expect; other rows say it by themselves.
    """
    raw = smoothing.method == "none" or not fitted
    counts = np.asarray(reference.counts, np.float64) if raw else _with_new_levels(reference)
    return smooth_reference(counts, smoothing)


def _with_new_levels(reference: Histogram) -> Floats:
    """Return the reference's counts, those of new levels raised to what Good and Turing expect."""
    counts = np.asarray(reference.counts, np.float64)
    bins = reference.bins
    if not isinstance(bins, CategoryBins) or not reference.rows:
        return counts
    return with_unseen_mass(
        counts, other=bins.other_cell, unseen=bins.unseen_cell, singletons=bins.singletons
    )


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
    design_effect: float = 1.0,
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
    design_effect : float
        How many rows carry the information of one independent row.
    fitted : bool
        Whether the bins were fitted on the reference; see :func:`smooth_expected`.
    """
    if not current.rows or not reference.rows:
        return None
    raised = _with_new_levels(reference) if fitted else np.asarray(reference.counts, np.float64)
    counts = np.stack([np.asarray(current.counts, np.float64), raised])
    null = reference.bins.null_cell
    flags = [np.array([side[null], side.sum() - side[null]]) for side in counts]
    samples = counts[:, counts.any(axis=0)]
    ordered = reference.bins.ordered
    merged = merge_cells(*samples, minimum=_EXPECTED, ordered=ordered)
    limits = partial(_limits, confidence=confidence, design_effect=design_effect)
    lower, upper = limits(*merged)
    m, k = float(samples[1].sum()), samples.shape[1]
    if len(merged[0]) < k:
        upper = max(lower, limits(*samples)[1])
    return Noise(
        kl_debiased=float(debiased_kl(*samples, design_effect=design_effect)),
        interval=(lower, upper),
        null_lower=limits(*flags)[0] if flags[0][0] or flags[1][0] else 0.0,
        noise_floor=float(noise_floor(current.rows, m, k, design_effect=design_effect)),
        rows_needed=float(rows_needed(threshold, m, k, design_effect=design_effect)),
        p_value=float(p_value_equal(*samples, ordered=ordered, design_effect=design_effect)),
        p_above=float(p_value_above(*merged, threshold, design_effect=design_effect)),
    )


def _limits(
    current: Floats, reference: Floats, *, confidence: float, design_effect: float
) -> tuple[float, float]:
    lower, upper = kl_interval(
        current, reference, confidence=confidence, design_effect=design_effect
    )
    return float(lower), float(upper)
