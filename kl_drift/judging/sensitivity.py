"""The smallest drift that would alarm: drift is planted in the reference's counts until it does.

Knows how counts move when values shift, levels appear or values go missing. Has never heard of
files or of how it is shown; what alarms is what ``compare_profiles`` says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import numpy as np

from kl_drift.counts.bins import CategoryBins, PairBins
from kl_drift.counts.histogram import Histogram
from kl_drift.counts.profile import Profile
from kl_drift.errors import UsageError
from kl_drift.judging.comparison import compare_profiles
from kl_drift.judging.limits import LearnedLimits
from kl_drift.judging.policy import Policy, Status
from kl_drift.statistics.checks import Floats
from kl_drift.statistics.smoothing import Smoothing, SmoothingLike, parse_smoothing

Plant: TypeAlias = Callable[[Histogram, float], Floats | None]
"""Return the shares of the cells once so much is planted; ``None`` where it cannot be."""

_STEPS = 12  # halvings of the range, whose ends are a factor of 4,000 apart
_LEAST, _MOST_SHIFT, _MOST_SHARE = 1e-3, 4.0, 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallestDrift:
    """What of each kind of drift would just alarm in one column; ``None``: none of that kind.

    Parameters
    ----------
    shift : float or None
        By how many standard deviations all values move up, told on normal scores: a value that
        exceeds half of the reference's has the score 0. For ordered columns.
    new_level : float or None
        The share of rows with a level that the reference never held. For categorical columns.
    nulls : float or None
        The share of the values that become null.
    """

    shift: float | None = None
    new_level: float | None = None
    nulls: float | None = None


def smallest_drifts(
    reference: Profile,
    rows: int,
    policy: Policy | None = None,
    smoothing: SmoothingLike = "jeffreys",
    learned: LearnedLimits | None = None,
    *,
    fitted: bool = True,
) -> dict[str, SmallestDrift]:
    """Return the smallest drift of each kind that would be ``drift`` in a snapshot of so many rows.

    The snapshot is one of the reference's shares with the drift planted in every column: without
    the luck of a draw, so that a real one of that size alarms about every second time.

    Parameters
    ----------
    reference : Profile
        What is compared with.
    rows : int
        Of the snapshot.
    policy, smoothing, learned, fitted
        As for :func:`~kl_drift.judging.comparison.compare_profiles`.

    Returns
    -------
    dict of str to SmallestDrift
        By column; pairs of columns are left out.

    Raises
    ------
    UsageError
        If there are no rows.
    """
    if rows < 1 or not reference.rows:
        raise UsageError(
            "no rows, no drift: give the rows of a snapshot, and a reference with some"
        )
    single = {n: h for n, h in reference.counted.items() if not isinstance(h.bins, PairBins)}
    alarms = partial(
        _alarms,
        reference,
        rows,
        policy=policy or Policy(),
        smoothing=parse_smoothing(smoothing),
        learned=learned,
        fitted=fitted,
    )
    shift = _search(alarms, single, _shifted, most=_MOST_SHIFT)
    new_level = _search(alarms, single, _with_new_level, most=_MOST_SHARE)
    nulls = _search(alarms, single, _with_nulls, most=_MOST_SHARE)
    return {
        name: SmallestDrift(
            shift=shift.get(name), new_level=new_level.get(name), nulls=nulls.get(name)
        )
        for name in single
    }


def _search(
    alarms: Callable[[Mapping[str, Floats]], set[str]],
    columns: Mapping[str, Histogram],
    plant: Plant,
    *,
    most: float,
) -> dict[str, float]:
    """Return the smallest amount that alarms, by column; all columns are halved at once."""
    columns = {name: each for name, each in columns.items() if plant(each, most) is not None}
    low, high = dict.fromkeys(columns, _LEAST), dict.fromkeys(columns, most)
    found = alarms(_planted(columns, plant, high))
    for _ in range(_STEPS):
        middle = {name: (low[name] * high[name]) ** 0.5 for name in columns}
        loud = alarms(_planted(columns, plant, middle))
        high |= {name: middle[name] for name in loud}
        low |= {name: middle[name] for name in middle.keys() - loud}
    return {name: high[name] for name in sorted(found & columns.keys())}


def _planted(
    columns: Mapping[str, Histogram], plant: Plant, amounts: Mapping[str, float]
) -> dict[str, Floats]:
    planted = ((name, plant(each, amounts[name])) for name, each in columns.items())
    return {name: shares for name, shares in planted if shares is not None}


def _alarms(
    reference: Profile,
    rows: int,
    planted: Mapping[str, Floats],
    *,
    policy: Policy,
    smoothing: Smoothing,
    learned: LearnedLimits | None,
    fitted: bool,
) -> set[str]:
    """Return the columns that drift where these shares are planted in so many rows."""
    columns = {
        name: replace(
            reference[name],
            histogram=Histogram(bins=histogram.bins, counts=_whole(planted[name], rows)),
            nulls=0,
        )
        for name, histogram in reference.counted.items()
        if name in planted
    }
    current = replace(reference, columns=columns, rows=rows)
    against = replace(reference, columns={name: reference[name] for name in columns})
    report = compare_profiles(current, against, policy, smoothing, learned, fitted=fitted)
    return {column.name for column in report if column.status is Status.DRIFT}


def _whole(shares: Floats, rows: int) -> tuple[int, ...]:
    """Return whole rows with these shares, the largest remainders rounded up."""
    exact = shares * rows
    counts = np.floor(exact).astype(int)
    counts[np.argsort(counts - exact, kind="stable")[: rows - int(counts.sum())]] += 1
    return tuple(counts.tolist())


def _shares(histogram: Histogram) -> Floats:
    return np.asarray(histogram.counts, np.float64) / histogram.rows


def _shifted(histogram: Histogram, amount: float) -> Floats | None:
    from scipy.special import ndtr, ndtri

    bins, shares = histogram.bins, _shares(histogram)
    values = shares[: bins.value_cells]
    if not bins.ordered or not 0 < values.max(initial=0.0) < values.sum():
        return None
    scores = ndtri(np.clip(np.cumsum(values) / values.sum(), 0.0, 1.0))
    moved = np.diff(ndtr(scores - amount), prepend=0.0)
    return np.concatenate([moved * values.sum(), shares[bins.value_cells :]])


def _with_new_level(histogram: Histogram, share: float) -> Floats | None:
    if not isinstance(histogram.bins, CategoryBins):
        return None
    shares = _shares(histogram) * (1 - share)
    shares[histogram.bins.unseen_cell] += share
    return shares


def _with_nulls(histogram: Histogram, share: float) -> Floats | None:
    shares = _shares(histogram) * (1 - share)
    shares[histogram.bins.null_cell] = 1 - np.delete(shares, histogram.bins.null_cell).sum()
    return shares
