"""How far the snapshots of the past stray: counts become divergences, at every number of rows.

Knows profiles of the past, what each is compared with, and thinning. Has never heard of limits.

A limit learned on 50,000 rows a day would alarm on every day of 500. So for each number of rows n
of a grid, the snapshots with at least n/2 rows speak, or the 8 largest, and each of more than n is
thinned to n.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, takewhile

import numpy as np

from kl_drift import canonical
from kl_drift.counts.bins import Bins, PairBins
from kl_drift.counts.histogram import Histogram
from kl_drift.counts.profile import Profile
from kl_drift.history.past import Past, histogram_of
from kl_drift.judging.limits import MIN_SNAPSHOTS
from kl_drift.judging.measurement import expected_counts
from kl_drift.judging.unlearned import Unlearned, WhyNot
from kl_drift.statistics.checks import Flags, Floats
from kl_drift.statistics.divergence import kl_divergence
from kl_drift.statistics.scatter import Counts, thin
from kl_drift.statistics.smoothing import Smoothing, smooth

_LARGEST = 8  # snapshots that a limit is learned from where fewer are large enough
_FEWEST_ROWS = 250
_MOST_ROWS = 250 * 2**18  # 65 million: sampling noise is then below a millionth of a nat


def _grid(past: Past) -> tuple[int, ...]:
    """Return the rows to learn limits for: doubling from 250 up to the largest snapshot."""
    largest = max((profile.rows for profile in past.profiles), default=_FEWEST_ROWS)
    top = min(largest, _MOST_ROWS)
    doubling = (_FEWEST_ROWS * 2**i for i in range(_MOST_ROWS.bit_length()))
    return (*takewhile(lambda rows: rows < top, doubling), top)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scatter:
    """How far T snapshots are from the reference, for C columns and G numbers of rows.

    Parameters
    ----------
    names : tuple of str
        Of the columns.
    grid : tuple of int
        The numbers of rows.
    moments : tuple of str
        What each snapshot stands for, in the order of time; empty where it does not say.
    rows : ndarray of int, shape (T,)
        Of the snapshots as they are.
    kl : ndarray, shape (C, 1 + G, T)
        In nats: of the snapshots as they are, then of those that say something of so many rows,
        thinned. NaN where there is none.
    """

    names: tuple[str, ...]
    grid: tuple[int, ...]
    moments: tuple[str, ...]
    rows: Counts
    kl: Floats

    @property
    def roots(self) -> Floats:
        """The cube roots of KL, thinned: nearly normal; shape (C, G, T)."""
        return np.cbrt(self.kl[:, 1:])


def scatter_of(
    past: Past, reference: Profile, smoothing: Smoothing
) -> tuple[Scatter, Scatter, dict[str, Unlearned]]:
    """Return the scatter of KL, that of the null flag's KL, and why columns have none."""
    grid = _grid(past)
    whole: dict[str, Floats] = {}
    nulls: dict[str, Floats] = {}
    unlearned: dict[str, Unlearned] = {}
    for name in sorted(reference.counted):
        pairs = _pairs(past, name)
        counted = sum(pair is not None for pair in pairs)
        if counted < MIN_SNAPSHOTS:
            unlearned[name] = Unlearned(
                kind=WhyNot.TOO_FEW, snapshots=counted, needed=MIN_SNAPSHOTS
            )
            continue
        whole[name], flag = _column(pairs, past, grid, smoothing)
        if any(side.nulls for pair in pairs if pair for side in pair):
            nulls[name] = flag
    return _stacked(whole, grid, past), _stacked(nulls, grid, past), unlearned


def _stacked(columns: dict[str, Floats], grid: tuple[int, ...], past: Past) -> Scatter:
    shape = len(columns), 1 + len(grid), len(past.profiles)
    return Scatter(
        names=tuple(columns),
        grid=grid,
        moments=tuple(profile.as_of for profile in past.profiles),
        rows=np.array([profile.rows for profile in past.profiles], np.int64),
        kl=np.array(list(columns.values())).reshape(shape),
    )


def _pairs(past: Past, name: str) -> list[tuple[Histogram, Histogram] | None]:
    """Return a column of each snapshot, and of what that is compared with; None if one has none."""
    found = (
        (histogram_of(current, name), histogram_of(reference, name))
        for current, reference in zip(past.profiles, past.against, strict=True)
    )
    return [(current, reference) if current and reference else None for current, reference in found]


def _column(
    pairs: Sequence[tuple[Histogram, Histogram] | None],
    past: Past,
    grid: tuple[int, ...],
    smoothing: Smoothing,
) -> tuple[Floats, Floats]:
    """Return the KL of one column and of its null flag, each of shape (1 + G, T)."""
    there = [pair is not None for pair in pairs]
    found = [pair for pair in pairs if pair]
    counts = np.stack([_sizes(current, grid) for current, _ in found], axis=1)
    contained = np.array(past.inside)[there, np.newaxis]
    rest = np.array([reference.counts for _, reference in found]) - np.where(
        contained, counts[0], 0
    )
    bins = found[0][0].bins
    rest = _expected(bins, counts, rest, np.array(past.fitted)[there])
    shares, expected = smooth(counts, rest, smoothing)
    null = bins.null_cell
    flags = (np.stack([each[..., null], 1 - each[..., null]], -1) for each in (shares, expected))
    says = _saying(counts[0].sum(axis=-1), grid)
    whole, flag = (np.full((1 + len(grid), len(pairs)), np.nan) for _ in range(2))
    whole[:, there] = np.where(says, kl_divergence(shares, expected), np.nan)
    flag[:, there] = np.where(says, kl_divergence(*flags), np.nan)
    return whole, flag


def _expected(bins: Bins | PairBins, counts: Counts, rest: Counts, fitted: Flags) -> Floats:
    """Return the counts of T references, new levels allowed for where bins were fitted on them."""
    current, reference = np.asarray(counts, np.float64), np.asarray(rest, np.float64)
    expected = expected_counts(current, reference, bins)
    return np.where(fitted[:, np.newaxis], expected, reference)


def _sizes(histogram: Histogram, grid: Sequence[int]) -> Counts:
    """Return the counts as they are, then thinned to each number of rows; shape (1 + G, k).

    From the largest down, each drawn from the one before. The seed is the column's own digest, so
    that its limits do not depend on which other columns or snapshots there are.
    """
    identity = canonical.digest([histogram.bins.digest, histogram.counts])
    generator = np.random.default_rng(int(identity, 16))
    whole = np.array(histogram.counts)
    thinned = accumulate(reversed(grid), partial(thin, generator=generator), initial=whole)
    return np.array([whole, *reversed(list(thinned)[1:])])


def _saying(rows: Counts, grid: Sequence[int]) -> Flags:
    """Say which snapshots speak for which number of rows; shape (1 + G, T), first: all do."""
    wanted = np.array(grid)[:, np.newaxis]
    eighth = np.sort(rows)[-min(_LARGEST, rows.size)]
    speaks = rows >= wanted / 2
    few = speaks.sum(axis=-1, keepdims=True) < _LARGEST
    return np.vstack([np.ones_like(rows, bool), np.where(few, rows >= eighth, speaks)])
