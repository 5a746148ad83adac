"""Learned limits in words: each column's limit, what it is made of, what it would have said.

Knows plain text. Has never heard of how a limit is learned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from kl_drift.judging.limits import CEILING, ColumnLimits, LearnedLimits
from kl_drift.judging.seasons import Season
from kl_drift.render.numbers import nats
from kl_drift.render.words import printable, unlearned


class Said(Protocol):
    """What a limit would have said of one column of a past snapshot."""

    @property
    def snapshot(self) -> str:
        """The snapshot."""

    @property
    def column(self) -> str:
        """The column."""

    @property
    def kl(self) -> float:
        """Its KL in nats."""

    @property
    def limit(self) -> float | None:
        """The limit in nats that the others would have set."""

    @property
    def exceeds(self) -> bool:
        """Whether that limit is exceeded."""

    @property
    def alarms(self) -> bool:
        """Whether it would have been a drift."""


def limits_to_text(learned: LearnedLimits, said: Sequence[Said]) -> str:
    """Return a paragraph for each column."""
    often = "" if learned.confirm.alone else f"; {learned.confirm} above its limit are a drift"
    lines = [
        f"Limits from {len(learned.snapshots)} snapshots: {learned.budget.false_alarms:g} false "
        f"alarms in {learned.budget.checks:,.0f} checks of a column{often}"
    ]
    for name, column in sorted(learned.columns.items()):
        lines.append(f"{printable(name)}: {_limit_of(column)}")
        past = [each for each in said if each.column == name]
        lines += [f"  {_phrase(each, learned)}" for each in past if each.exceeds or each.alarms]
        lines.append(f"  {sum(not each.exceeds for each in past)} of {len(past)} are below theirs")
    lines += [
        f"{printable(name)}: no limit: {unlearned(learned.unlearned[name])}"
        for name in sorted(learned.unlearned)
    ]
    lines += [
        f"left out {printable(name)}: {unlearned(learned.left_out[name])}"
        for name in sorted(learned.left_out)
    ]
    lines += [
        f"{printable(name)} taught nothing about {_columns(columns)}: too far from all other days"
        for name, columns in sorted(learned.odd.items())
    ]
    lines += [
        f"looks like an incident: {printable(name)}; if it was one, add  --leave-out {name!r}"
        for name in learned.suspects
    ]
    return "\n".join(lines) + "\n"


def _limit_of(column: ColumnLimits) -> str:
    """Say what the limit of a column is, and what it is made of."""
    point = column.points[-1]
    ends = [point.of_class(place).limit for place in range(len(point.offsets))] or [point.limit]
    limit = " to ".join(dict.fromkeys(nats(end) for end in (min(ends), max(ends))))
    follows = f" {_CALENDARS[column.season]}" if column.season else ""
    irregular = ", too irregular to learn from" if min(ends) > CEILING else ""
    return (
        f"limit {limit} nats{follows} at {point.rows:,.0f} rows and more{irregular} "
        f"({point.snapshots} snapshots; cube roots of KL: mean {point.mean:.3f}, "
        f"sd {point.sd:.3f}, quantile {point.quantile:.2f})"
    )


_CALENDARS: Mapping[Season, str] = {
    "weekday": "by weekday",
    "hour": "by the hour",
    "month_start": "by whether a month begins",
}


def _columns(found: Mapping[str, float]) -> str:
    """Name columns with their KL, farthest first."""
    farthest = sorted(found, key=lambda name: (-found[name], name))
    return ", ".join(f"{printable(name)} (KL {nats(found[name])})" for name in farthest)


def _phrase(each: Said, learned: LearnedLimits) -> str:
    limit = "" if each.limit is None else f" above {nats(each.limit)}"
    status = "" if learned.confirm.alone else f", {'a drift' if each.alarms else 'a warning'}"
    return f"{printable(each.snapshot)}: KL {nats(each.kl)}{limit}{status}"
