"""What earlier snapshots exceeded: how often of late, and since when an incident is open.

Knows the reports of a check in the order of time. Has never heard of the database, or of how a
limit is learned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from kl_drift.history.record import Judgement
from kl_drift.judging.confirmation import Confirmation
from kl_drift.judging.report import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Exceedances:
    """What is known of the limits that the last snapshots exceeded.

    Parameters
    ----------
    counts : mapping of str to int
        By column, how many of the last m − 1 snapshots exceeded its learned limit.
    incidents : mapping of str to frozenset of str
        By column, the digests of the snapshots of an incident that had not ended with the last.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    incidents: Mapping[str, frozenset[str]] = field(default_factory=dict)


def find_exceedances(judgements: Sequence[Judgement], confirm: Confirmation) -> Exceedances:
    """Return what the reports before a snapshot say of each column.

    An incident is open as long as no more snapshots in a row stayed below the limit than may be
    among those that confirm a drift.

    Parameters
    ----------
    judgements : sequence of Judgement
        One for each snapshot, oldest first.
    confirm : Confirmation
        How often a limit must be exceeded.
    """
    latest = tuple(reversed(judgements))
    names = {name for each in latest for name in _exceeding(each.report)}
    counts = {name: _count(name, latest[: confirm.among - 1]) for name in names}
    spared = confirm.among - confirm.needed
    incidents = {name: frozenset(_open(name, latest, spared)) for name in names}
    return Exceedances(
        counts={name: count for name, count in counts.items() if count},
        incidents={name: digests for name, digests in incidents.items() if digests},
    )


def _exceeding(report: Report) -> frozenset[str]:
    """Return the columns that exceeded what their own snapshots stay below."""
    return frozenset(column.name for column in report if column.verdict.exceeds)


def _count(name: str, latest: Sequence[Judgement]) -> int:
    return sum(name in _exceeding(each.report) for each in latest)


def _open(name: str, latest: Sequence[Judgement], spared: int) -> Iterator[str]:
    """Yield the snapshots of an open incident, the last first."""
    quiet = 0
    for each in latest:
        exceeds = name in _exceeding(each.report)
        quiet = 0 if exceeds else quiet + 1
        if quiet > spared:
            return
        if exceeds:
            yield each.digest
