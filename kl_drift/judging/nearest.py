"""Which of several references a snapshot resembles most: all its columns together.

Knows profiles over the same bins. Has never heard of files, of limits or of how it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kl_drift.counts.bins import CategoryBins, PairBins
from kl_drift.counts.profile import ColumnProfile, Profile, refuse_other_bins
from kl_drift.errors import UsageError
from kl_drift.judging.effects import own_effect
from kl_drift.statistics.checks import Floats
from kl_drift.statistics.closest import Closest, closest_in_sum


def closest_profile(
    current: Profile, references: Mapping[str, Profile], *, confidence: float = 0.95
) -> Closest:
    """Tell which reference a snapshot resembles most: KL(current‖reference) summed over columns.

    Parameters
    ----------
    current : Profile
        The snapshot.
    references : mapping of str to Profile
        By name, all counted over the same bins as the snapshot: divergences over other bins could
        not be compared with each other.
    confidence : float
        Of all intervals together.

    Returns
    -------
    Closest
        The best, what ties with it, each divergence and how much farther it is than the best, in
        nats; see :func:`~kl_drift.statistics.closest.closest_in_sum`. Pairs of columns do not
        count: each of the two does. Levels that the bins do not keep count as one, new or not: to
        the rows that the bins were fitted on none of theirs is new,
        which would favour the others.

    Raises
    ------
    BinsMismatchError
        If a reference was counted over other bins.
    UsageError
        If there is no reference, or no column that all of them counted.
    DomainError
        If a side has no rows.
    """
    if not references:
        raise UsageError("closest needs at least one reference, by name")
    for name, reference in references.items():
        refuse_other_bins(
            (f"reference {name!r}", reference),
            ("the current snapshot", current),
            remedy="scan both like the same reference profile",
        )
    sides = [current, *references.values()]
    columns = [
        name
        for name, each in current.counted.items()
        if not isinstance(each.bins, PairBins) and all(name in side.counted for side in sides)
    ]
    if not columns:
        raise UsageError("the snapshot and the references have no counted column in common")
    return closest_in_sum(
        [_counts(current[name]) for name in columns],
        {
            label: [_counts(reference[name]) for name in columns]
            for label, reference in references.items()
        },
        confidence=confidence,
    )


def _counts(column: ColumnProfile) -> Floats:
    """Return effective rows per cell, levels that the bins do not keep as one."""
    histogram = column.histogram
    assert histogram is not None  # noqa: S101 - narrows the type; the caller has checked
    counts = np.asarray(histogram.counts, np.float64) / own_effect(column)
    bins = histogram.bins
    if not isinstance(bins, CategoryBins):
        return counts
    counts[bins.other_cell] += counts[bins.unseen_cell]
    return np.delete(counts, bins.unseen_cell)
