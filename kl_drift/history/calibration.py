"""Limits learned from history: what a column's own snapshots do to each other, at a stated budget.

Knows profiles of the past and how their divergences scatter. Has never heard of files, of arrays of
rows or of statuses; what is learned is a :class:`~kl_drift.judging.limits.LearnedLimits`.

The limit for a snapshot of n rows. The history H are the snapshots with at least n/2 rows, or the 8
largest; each h of more than n rows is thinned to n, because a limit learned on 50,000 rows a day
would alarm on every day of 500::

    x = ∛KL(h ‖ the reference without h)          for every h of H, T of them
    limit = (mean(x) + t(level, T − 1) · sd(x) · √(1 + 1/T))³

The cube root of a χ² is nearly normal, and then level is alpha, the share of checks that may be
false alarms. Days with heavier tails are noticed by the residuals of all columns together, see
:func:`~kl_drift.statistics.scatter.tail_level`, and get a smaller level. What *without h* means is
said in :mod:`kl_drift.history.past`.

A day on which far more columns are off than chance allows is a *suspect*: an incident, it seems. It
is no part of the tails, but as long as its owner does not leave it out, the mean and the deviation
count it as ordinary, and limits are as wide as it was.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import accumulate, takewhile

import numpy as np

from kl_drift import canonical
from kl_drift.counts.bins import Bins, PairBins
from kl_drift.counts.histogram import Histogram
from kl_drift.counts.profile import Profile
from kl_drift.errors import UsageError
from kl_drift.history.past import Past, choose_past, histogram_of
from kl_drift.judging.limits import (
    MIN_SNAPSHOTS,
    Budget,
    ColumnLimits,
    LearnedLimits,
    LimitPoint,
)
from kl_drift.judging.measurement import expected_counts
from kl_drift.statistics.checks import Flags, Floats
from kl_drift.statistics.divergence import kl_divergence
from kl_drift.statistics.scatter import (
    Counts,
    Moments,
    jointly_off,
    moments,
    studentised_residuals,
    tail_level,
    thin,
    without_each,
)
from kl_drift.statistics.smoothing import (
    Smoothing,
    SmoothingLike,
    parse_smoothing,
    smooth,
)
from kl_drift.version import __version__

_LARGEST = 8  # snapshots that a limit is learned from where fewer are large enough
_FEWEST_ROWS = 250
_MOST_ROWS = 250 * 2**18  # 65 million: sampling noise is then below a millionth of a nat


def learn(
    history: Sequence[Profile],
    reference: Profile,
    *,
    budget: Budget | None = None,
    leave_out: Collection[str] = (),
    smoothing: SmoothingLike = "jeffreys",
    against: Sequence[Profile | None] | None = None,
    choice: str = "",
) -> LearnedLimits:
    """Learn, for every column, the KL that its own snapshots stay below.

    Parameters
    ----------
    history : sequence of Profile
        Snapshots of the past in any order, counted over the reference's bins. A column of which
        fewer than 14 are there gets no limit.
    reference : Profile
        What they and future snapshots are compared with.
    budget : Budget, optional
        How many false alarms are acceptable; 1 in 100 columns × 30 days by default.
    leave_out : collection of str
        Incidents: snapshots that are not to count as normal, by ``as_of``, source or digest (its
        first 8 characters or more).
    smoothing : str, mapping or Smoothing
        How counts become probabilities; as for the divergences that will be judged.
    against : sequence of Profile or None, optional
        What each snapshot was compared with, where that was chosen from its own past (see
        :meth:`~kl_drift.history.choices.ReferenceChoice.replayed`) and future ones will be, too.
        Those with None are not learned from.
    choice : str, optional
        How ``against`` was chosen, for the record.

    Returns
    -------
    LearnedLimits
        The same, to the last bit, whatever the order of the history. Thinning is random, with the
        column's own counts as the seed.

    Raises
    ------
    BinsMismatchError
        If a snapshot was counted over other bins than the reference's.
    UsageError
        If a name to leave out is not in the history, or there is no smoothing.

    References
    ----------
    Wilson & Hilferty 1931, DOI 10.1073/pnas.17.12.684; the module says the rest.
    """
    budget, method = budget or Budget(), _usable(smoothing)
    past = choose_past(history, reference, leave_out, against)
    whole, nulls, unlearned = _scattered(past, reference, method)
    return LearnedLimits(
        columns=_limits(whole, budget.alpha),
        nulls=_limits(nulls, budget.alpha),
        unlearned=unlearned,
        budget=budget,
        smoothing=str(method),
        bins_digest=reference.bins_digest,
        choice=choice,
        snapshots=past.names,
        suspects=_suspects(whole, past.names),
        left_out=past.left_out,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        created_by=__version__,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What the limit would have said of one column of a past snapshot.

    Parameters
    ----------
    snapshot, column : str
        Which.
    rows : int
        Of the snapshot.
    kl : float
        Its KL in nats, to the reference without it.
    point : LimitPoint or None
        What all the others say; ``None`` for fewer rows than any limit was learned for.
    """

    snapshot: str
    column: str
    rows: int
    kl: float
    point: LimitPoint | None

    @property
    def limit(self) -> float | None:
        """The limit in nats that the others would have set."""
        return None if self.point is None else self.point.limit

    @property
    def exceeds(self) -> bool:
        """Whether that limit is exceeded."""
        return self.point is not None and self.kl > self.point.limit


def replay(
    history: Sequence[Profile],
    reference: Profile,
    *,
    budget: Budget | None = None,
    leave_out: Collection[str] = (),
    smoothing: SmoothingLike = "jeffreys",
    against: Sequence[Profile | None] | None = None,
) -> tuple[Replayed, ...]:
    """Say of every past snapshot what a limit learned from all the others would have said.

    The way to find incidents that ought to be left out, and to see what a budget means.

    Parameters
    ----------
    history, reference, budget, leave_out, smoothing, against
        As for :func:`learn`.

    Returns
    -------
    tuple of Replayed
        Every learned column of every snapshot learned from, by snapshot, then column.

    Raises
    ------
    BinsMismatchError, UsageError
        As :func:`learn`.
    """
    past = choose_past(history, reference, leave_out, against)
    whole, _, _ = _scattered(past, reference, _usable(smoothing))
    limits = _limits_without_each(whole, (budget or Budget()).alpha)
    return tuple(
        Replayed(
            snapshot=past.names[t],
            column=name,
            rows=profile.rows,
            kl=float(whole.kl[c, 0, t]),
            point=limits[c][t].at(profile.rows),
        )
        for t, profile in enumerate(past.profiles)
        for c, name in enumerate(whole.names)
        if not np.isnan(whole.kl[c, 0, t])
    )


def _usable(smoothing: SmoothingLike) -> Smoothing:
    method = parse_smoothing(smoothing)
    if method.method == "none":
        raise UsageError(
            "limits cannot be learned with smoothing 'none': a divergence may be infinite; "
            "choose 'jeffreys'"
        )
    return method


def _grid(past: Past) -> tuple[int, ...]:
    """Return the rows to learn limits for: doubling from 250 up to the largest snapshot."""
    largest = max((profile.rows for profile in past.profiles), default=_FEWEST_ROWS)
    top = min(largest, _MOST_ROWS)
    doubling = (_FEWEST_ROWS * 2**i for i in range(_MOST_ROWS.bit_length()))
    return (*takewhile(lambda rows: rows < top, doubling), top)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scatter:
    """How far T snapshots are from the reference, for C columns and G numbers of rows."""

    names: tuple[str, ...]
    grid: tuple[int, ...]
    rows: Counts
    """Shape (T,): of the snapshots as they are."""
    kl: Floats
    """Shape (C, 1 + G, T), in nats: of the snapshots as they are, then of those that say something
    of so many rows, thinned. NaN where there is none."""

    @property
    def roots(self) -> Floats:
        return np.cbrt(self.kl[:, 1:])


def _scattered(
    past: Past, reference: Profile, smoothing: Smoothing
) -> tuple[_Scatter, _Scatter, dict[str, str]]:
    """Return the scatter of KL, that of the null flag's KL, and why columns have none."""
    grid = _grid(past)
    whole: dict[str, Floats] = {}
    nulls: dict[str, Floats] = {}
    unlearned: dict[str, str] = {}
    for name in sorted(reference.counted):
        pairs = _pairs(past, name)
        counted = sum(pair is not None for pair in pairs)
        if counted < MIN_SNAPSHOTS:
            unlearned[name] = (
                f"counted in {counted} snapshots of the history, {MIN_SNAPSHOTS} are needed"
            )
            continue
        whole[name], flag = _column(pairs, past, grid, smoothing)
        if any(side.nulls for pair in pairs if pair for side in pair):
            nulls[name] = flag
    rows = np.array([profile.rows for profile in past.profiles], np.int64)
    return _stacked(whole, grid, rows), _stacked(nulls, grid, rows), unlearned


def _stacked(columns: dict[str, Floats], grid: tuple[int, ...], rows: Counts) -> _Scatter:
    kl = np.array(list(columns.values())).reshape(len(columns), 1 + len(grid), len(rows))
    return _Scatter(names=tuple(columns), grid=grid, rows=rows, kl=kl)


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


def _p_values(scatter: _Scatter) -> Floats:
    """Return how often a snapshot would be as far off what the others let expect; as roots."""
    from scipy.special import stdtr

    p_values: Floats = stdtr(moments(scatter.roots).size - 2, -studentised_residuals(scatter.roots))
    return p_values


def _suspected(scatter: _Scatter, p_values: Floats) -> Flags:
    """Say of each snapshot whether far more columns were off on it than on the others.

    A snapshot of fewer rows than the others is no judge of itself: all its columns are noisier.
    """
    off = np.zeros(scatter.rows.shape, bool)
    for g, rows in enumerate(scatter.grid):
        off |= jointly_off(np.where(scatter.rows >= rows, p_values[:, g], np.nan))
    return off


def _levels(scatter: _Scatter, alpha: float) -> Floats:
    """Return the level for each of G numbers of rows, from the residuals of all columns.

    An incident that hit many columns at once would make all tails look heavy; it is no part of
    them.
    """
    p_values = _p_values(scatter)
    usual = np.where(_suspected(scatter, p_values), np.nan, p_values)
    return np.array([tail_level(usual[:, g], alpha) for g in range(len(scatter.grid))])


def _suspects(scatter: _Scatter, names: Sequence[str]) -> tuple[str, ...]:
    suspected = _suspected(scatter, _p_values(scatter))
    return tuple(name for name, off in zip(names, suspected.tolist(), strict=True) if off)


def _limits(scatter: _Scatter, alpha: float) -> dict[str, ColumnLimits]:
    learned = _column_limits(moments(scatter.roots), _levels(scatter, alpha), scatter.grid)
    return {name: each for name, (each,) in zip(scatter.names, learned, strict=True)}


def _limits_without_each(scatter: _Scatter, alpha: float) -> list[list[ColumnLimits]]:
    """Return the limits of each column that are learned without each of the T snapshots."""
    return _column_limits(without_each(scatter.roots), _levels(scatter, alpha), scatter.grid)


def _column_limits(
    learned: Moments, levels: Floats, grid: Sequence[int]
) -> list[list[ColumnLimits]]:
    """Return limits of C columns by moments of shape (C, G, …): a list for each column."""
    from scipy.special import stdtrit

    quantiles = -stdtrit(learned.size - 1, levels[:, np.newaxis])
    columns, sizes, alternatives = quantiles.shape

    def point(c: int, g: int, t: int) -> LimitPoint:
        return LimitPoint(
            rows=grid[g],
            snapshots=int(learned.size[c, g, t]),
            mean=float(learned.mean[c, g, t]),
            sd=float(learned.sd[c, g, t]),
            level=float(levels[g]),
            quantile=float(quantiles[c, g, t]),
        )

    return [
        [
            ColumnLimits(points=tuple(point(c, g, t) for g in range(sizes)))
            for t in range(alternatives)
        ]
        for c in range(columns)
    ]
