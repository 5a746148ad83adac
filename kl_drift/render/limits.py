"""Learned limits in words: each column's limit, what it is made of, what it would have said.

Knows plain text. Has never heard of how a limit is learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from kl_drift.judging.limits import LearnedLimits
from kl_drift.render.numbers import nats
from kl_drift.render.words import printable


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


def limits_to_text(learned: LearnedLimits, said: Sequence[Said]) -> str:
    """Return a paragraph for each column."""
    lines = [
        f"Limits from {len(learned.snapshots)} snapshots: {learned.budget.false_alarms:g} false "
        f"alarms in {learned.budget.checks:,.0f} checks of a column"
    ]
    for name, column in sorted(learned.columns.items()):
        point = column.points[-1]
        lines.append(
            f"{printable(name)}: limit {nats(point.limit)} nats at {point.rows:,.0f} rows and more "
            f"({point.snapshots} snapshots; cube roots of KL: mean {point.mean:.3f}, "
            f"sd {point.sd:.3f}, quantile {point.quantile:.2f})"
        )
        past = [each for each in said if each.column == name]
        lines += [f"  {_phrase(each)}" for each in past if each.exceeds]
        lines.append(f"  {sum(not each.exceeds for each in past)} of {len(past)} are below theirs")
    lines += [
        f"{printable(name)}: no limit: {reason}"
        for name, reason in sorted(learned.unlearned.items())
    ]
    lines += [
        f"left out {printable(name)}: {reason}" for name, reason in sorted(learned.left_out.items())
    ]
    lines += [
        f"looks like an incident: {printable(name)}; if it was one, add  --leave-out {name!r}"
        for name in learned.suspects
    ]
    return "\n".join(lines) + "\n"


def _phrase(each: Said) -> str:
    limit = "" if each.limit is None else f" above {nats(each.limit)}"
    return f"{printable(each.snapshot)}: KL {nats(each.kl)}{limit}"
