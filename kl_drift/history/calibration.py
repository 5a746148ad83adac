"""Limits learned from history: what a column's own snapshots do to each other, at a stated budget.

Knows profiles of the past and which of them teach. Has never heard of files, of arrays of rows or
of statuses; what is learned is a :class:`~kl_drift.judging.limits.LearnedLimits`.

What is measured of a snapshot is in :mod:`kl_drift.history.straying`, what is made of it in
:mod:`kl_drift.history.learning`; what the reference *without* a snapshot is, in
:mod:`kl_drift.history.past`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from kl_drift.counts.profile import Profile
from kl_drift.errors import UsageError
from kl_drift.history.learning import Lesson, alarms, odd_days, study
from kl_drift.history.past import Past, choose_past
from kl_drift.history.straying import Scatter, scatter_of
from kl_drift.judging.confirmation import ALONE, Confirmation, ConfirmationLike
from kl_drift.judging.limits import MIN_SNAPSHOTS, Budget, LearnedLimits, LimitPoint
from kl_drift.judging.seasons import SeasonChoice
from kl_drift.judging.unlearned import Unlearned, WhyNot
from kl_drift.statistics.checks import Flags
from kl_drift.statistics.smoothing import Smoothing, SmoothingLike, parse_smoothing
from kl_drift.version import __version__


def learn(
    history: Sequence[Profile],
    reference: Profile,
    *,
    budget: Budget | None = None,
    leave_out: Collection[str] = (),
    smoothing: SmoothingLike = "jeffreys",
    against: Sequence[Profile | None] | None = None,
    choice: str = "",
    confirm: ConfirmationLike = ALONE,
    season: SeasonChoice = "auto",
    open_incidents: Mapping[str, Collection[str]] | None = None,
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
    confirm : str or Confirmation
        How often a limit must be exceeded before it is a drift, such as ``"3 of 3"``. The more
        often, the lower the limits. By default each snapshot stands for itself, as the share of
        nulls always does.
    season : {"auto", "none", "weekday", "hour", "month_start"}
        Which calendar may be learned, from 28 snapshots on: what is found, by column; none; or one.
    open_incidents : mapping of str to collection of str, optional
        By column, the digests of snapshots of which it is not settled yet whether they are
        ordinary: that column is not learned from them.

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
    budget, method, confirm = budget or Budget(), _usable(smoothing), Confirmation.parse(confirm)
    past = choose_past(history, reference, leave_out, against)
    scattered, flags, unlearned = scatter_of(past, reference, method)
    whole, nulls = (
        study(
            each,
            alpha=budget.alpha,
            confirm=often,
            season=season,
            taught=_taught(each, past, open_incidents or {}),
        )
        for each, often in ((scattered, confirm), (flags, ALONE))
    )
    held = _held_back(scattered, past, open_incidents or {})
    return LearnedLimits(
        columns={name: its for name, its in whole.limits.items() if name not in held},
        nulls={name: its for name, its in nulls.limits.items() if name not in held},
        unlearned=unlearned | held,
        budget=budget,
        smoothing=str(method),
        bins_digest=reference.bins_digest,
        choice=choice,
        snapshots=past.names,
        suspects=tuple(past.names[t] for t in np.flatnonzero(whole.suspects)),
        odd=_named(whole, past),
        confirm=confirm,
        correlation=whole.correlation,
        left_out=past.left_out,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        created_by=__version__,
    )


def _taught(
    scatter: Scatter, past: Past, open_incidents: Mapping[str, Collection[str]]
) -> Flags | None:
    """Say which snapshots each column is learned from: all but those of an open incident."""
    if not open_incidents:
        return None
    taught = [
        [digest not in open_incidents.get(name, ()) for digest in past.digests]
        for name in scatter.names
    ]
    return np.array(taught, bool).reshape(len(scatter.names), len(past.digests))


def _held_back(
    scatter: Scatter, past: Past, open_incidents: Mapping[str, Collection[str]]
) -> dict[str, Unlearned]:
    """Say of which columns an open incident leaves too few snapshots to learn from."""
    taught = _taught(scatter, past, open_incidents)
    if taught is None:
        return {}
    left = (taught & ~np.isnan(scatter.kl[:, 0])).sum(axis=1)
    return {
        name: Unlearned(kind=WhyNot.OPEN_INCIDENT, snapshots=count, needed=MIN_SNAPSHOTS)
        for name, count in zip(scatter.names, left.tolist(), strict=True)
        if count < MIN_SNAPSHOTS
    }


def _named(lesson: Lesson, past: Past) -> dict[str, dict[str, float]]:
    named: dict[str, dict[str, float]] = {}
    for place, column, kl in odd_days(lesson):
        named.setdefault(past.names[place], {})[column] = kl
    return named


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
    alarms : bool
        Whether it would have been a drift: confirmed, or far beyond the limit.
    """

    snapshot: str
    column: str
    rows: int
    kl: float
    point: LimitPoint | None
    alarms: bool = False

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
    confirm: ConfirmationLike = ALONE,
    season: SeasonChoice = "auto",
) -> tuple[Replayed, ...]:
    """Say of every past snapshot what a limit learned from all the others would have said.

    The way to find incidents that ought to be left out, and to see what a budget means.

    Parameters
    ----------
    history, reference, budget, leave_out, smoothing, against, confirm, season
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
    past, confirm = choose_past(history, reference, leave_out, against), Confirmation.parse(confirm)
    scattered, _, _ = scatter_of(past, reference, _usable(smoothing))
    alpha = (budget or Budget()).alpha
    lesson = study(scattered, alpha=alpha, confirm=confirm, season=season)
    by_column = [_replayed(lesson, past, confirm, c) for c in range(len(scattered.names))]
    found = {(each.snapshot, each.column): each for column in by_column for each in column}
    return tuple(
        found[name, column]
        for name in past.names
        for column in scattered.names
        if (name, column) in found
    )


def _replayed(lesson: Lesson, past: Past, confirm: Confirmation, c: int) -> list[Replayed]:
    """Say of every snapshot what all others say of one column."""
    scatter = lesson.scatter
    points = [lesson.without(c, t).at(rows) for t, rows in enumerate(scatter.rows.tolist())]
    kl = scatter.kl[c, 0]
    limits = np.array([point.limit if point else np.inf for point in points])
    at_once = np.array([point.at_once if point else np.inf for point in points])
    alarmed = alarms(kl > limits, kl > at_once, confirm)
    return [
        Replayed(
            snapshot=name,
            column=scatter.names[c],
            rows=int(scatter.rows[t]),
            kl=float(kl[t]),
            point=points[t],
            alarms=bool(alarmed[t]),
        )
        for t, name in enumerate(past.names)
        if not np.isnan(kl[t])
    ]


def _usable(smoothing: SmoothingLike) -> Smoothing:
    method = parse_smoothing(smoothing)
    if method.method == "none":
        raise UsageError(
            "limits cannot be learned with smoothing 'none': a divergence may be infinite; "
            "choose 'jeffreys'"
        )
    return method
