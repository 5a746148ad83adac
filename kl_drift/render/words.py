"""A report in words: every sentence that a person reads about a column is made here.

Knows how to say a verdict, what moved and why a column was not judged. Has never heard of colours,
tables or markup. Names come from the data and may hold anything: :func:`printable` makes them safe
to print. No sentence is ever stored or looked at again: what decides is a value.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import assert_never

from kl_drift.counts.bins import level_text
from kl_drift.counts.kinds import Kind, Uncounted
from kl_drift.counts.profile import UNSEEN_NAMES
from kl_drift.judging.limits import Trend
from kl_drift.judging.policy import Compared, Status, Verdict
from kl_drift.judging.report import (
    Beyond,
    CellChange,
    ColumnReport,
    LevelChange,
    Report,
    Unjudged,
)
from kl_drift.judging.unlearned import Unlearned, WhyNot
from kl_drift.render.numbers import ABSENT, chance, interval, many, nats, percent

DIRECTION = (
    "KL(current‖reference) in nats: the extra nats per row that the current data costs "
    "when coded for the reference"
)

STATISTICS: Mapping[Compared, str] = {
    "kl": "KL",
    "reverse": "KL(reference‖current)",
    "jeffreys": "Jeffreys",
    "jensen_shannon": "Jensen–Shannon",
    "null": "KL of the null flag",
    "trend": "slow rise",
}
"""What was compared with a limit, by name."""

_NAMES = 5
_LISTED = 6


_WIDTHS = (
    {"halffloat", "float", "double"},
    {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
)
"""The types of numbers that differ in width only."""


def printable(text: str) -> str:
    """Return ``text`` with control characters written out, so that it cannot steer a terminal."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


# ---------------------------------------------------------------- verdicts


def summary(report: Report) -> str:
    """Say in one line what was found: ``drift: 2 of 17 columns drifted (dest, carrier)``."""
    named = {status: report.with_status(status) for status in Status}
    total = f"{len(report.columns)} columns"
    found = []
    if named[Status.DRIFT] or not named[Status.UNDECIDED]:
        found.append(f"{len(named[Status.DRIFT])} of {total} drifted{_list(named[Status.DRIFT])}")
    if undecided := named[Status.UNDECIDED]:
        found.append(f"too few rows to judge {len(undecided)} of {total}{_list(undecided)}")
    if warned := named[Status.WARN]:
        found.append(f"{many(len(warned), 'warning')}{_list(warned)}")
    return f"{report.status}: {'; '.join(found) if report.columns else 'no column was judged'}"


def _list(names: Collection[str]) -> str:
    shown = [printable(name) for name in names][:_LISTED]
    more = " …" if len(names) > _LISTED else ""
    return f" ({', '.join(shown)}{more})" if shown else ""


def sentence(column: ColumnReport) -> str:
    """Say the verdict in one line: status, reason, what moved most, and what lies beyond."""
    tell = noted if column.status is Status.OK else moved
    return "; ".join([f"{column.status}: {reason(column)}", *tell(column, most=1)])


def reason(column: ColumnReport) -> str:
    """Say why a column has its status: what was compared with what."""
    slow = column.trend is not None and column.trend.exceeds and slow_rise(column.trend)
    alone = column.verdict.alone
    if alone is not None:
        return f"{slow or 'slow rise'}; this snapshot alone: {_said(column, alone)}"
    said = _said(column, column.verdict)
    return f"{said}; {slow}" if slow else said


def _said(column: ColumnReport, verdict: Verdict) -> str:  # noqa: PLR0911 - one for each way
    match verdict.which:
        case "stated" | "companion":
            return _by_limit(column, verdict)
        case "learned" | "unconfirmed" | "irregular":
            return _by_history(column, verdict)
        case "null":
            return _by_nulls(column, verdict)
        case "noise":
            return _by_noise(verdict)
        case "rows":
            return _by_rows(verdict)
        case "finding":
            return _by_finding(column)
        case "trend":
            return STATISTICS["trend"]
        case _:
            assert_never(verdict.which)


def _by_limit(column: ColumnReport, verdict: Verdict) -> str:
    limit = _limit(verdict)
    if verdict.status is not Status.OK:
        kind = "warning limit" if verdict.status is Status.WARN else "limit"
        return f"{_measured(column, verdict)}, above the {kind}{limit}{_noise(verdict)}"
    if _exceeds(verdict):
        return f"{_measured(column, verdict)}, above the limit{limit}, but chance may explain that"
    opening = "a real but small difference" if column.detected else "no sign of drift"
    size = _size(column, verdict) if column.detected else ""
    return f"{opening}: {_value(verdict)}{size}, limit{limit}"


def _by_history(column: ColumnReport, verdict: Verdict) -> str:
    if verdict.status is Status.OK:
        return (
            f"ordinary for this column: {_measured(column, verdict)}; "
            f"its past snapshots reach {nats(verdict.learned)}"
        )
    if verdict.which == "irregular":
        return (
            f"this column's history is too irregular to learn from: its past snapshots reach "
            f"{nats(verdict.learned)}, and this one has {_measured(column, verdict)}"
        )
    return (
        f"{_measured(column, verdict)}, above the limit{_limit(verdict)} and above "
        f"{nats(verdict.learned)}, the most its past snapshots reach{_often(verdict)}"
        f"{_noise(verdict)}"
    )


def _often(verdict: Verdict) -> str:
    """Say how often a learned limit was exceeded, where that is counted."""
    if verdict.exceeded is None or verdict.needed is None:
        return ""
    if verdict.exceeded < verdict.needed and verdict.status is Status.DRIFT:
        return ", and by so much that it needs no confirmation"
    counted = f"{verdict.exceeded} of the last {verdict.among} snapshots"
    if verdict.status is Status.DRIFT:
        return f", as {counted} were"
    return f" ({counted}; {verdict.needed} make a drift)"


def _by_nulls(column: ColumnReport, verdict: Verdict) -> str:
    return (
        f"the share of nulls moved from {percent(column.reference_nulls)} to "
        f"{percent(column.current_nulls)}: {_value(verdict)}, above the limit{_limit(verdict)}"
    )


def _by_noise(verdict: Verdict) -> str:
    said = (
        f"too few rows to judge: chance alone gives up to {nats(verdict.noise)} nats, "
        f"above the limit{_limit(verdict)}"
    )
    if verdict.rows_needed is None:
        return said
    if math.isinf(verdict.rows_needed):
        return f"{said}; the reference itself has too few"
    return f"{said}; about {float(f'{verdict.rows_needed:.1e}'):,.0f} are needed"


def _by_rows(verdict: Verdict) -> str:
    if not verdict.rows:
        return f"the {verdict.side} snapshot has 0 rows"
    needed = f"at least {verdict.rows_needed or 1:,.0f} are needed"
    return f"too few rows to judge: the {verdict.side} snapshot has {verdict.rows:,}; {needed}"


def _by_finding(column: ColumnReport) -> str:
    match column.finding:
        case "missing":
            return f"missing from the current snapshot; {column.reference_type} in the reference"
        case "new":
            return f"new: {column.type}, not in the reference"
        case "type changed":
            which = f"{column.changed!r} was " if column.changed else ""
            return (
                f"type changed: {which}{column.reference_type} in the reference, "
                f"{column.type} in the current snapshot"
            )
        case "" | "nulls moved":
            return "its values could not be compared"
        case _:
            assert_never(column.finding)


def value(verdict: Verdict) -> str:
    """Write the number that was compared with a limit, in its unit."""
    return trend_size(verdict.value) if verdict.which == "trend" else nats(verdict.value)


def _value(verdict: Verdict) -> str:
    name = STATISTICS[verdict.statistic] if verdict.statistic else ""
    return f"{name} {value(verdict)} nats"


def _measured(column: ColumnReport, verdict: Verdict) -> str:
    """Say what was measured, with the interval that is known of KL."""
    around = verdict.lower is not None and verdict.statistic == "kl" and column.interval
    return f"{_value(verdict)} ({interval(around)})" if around else _value(verdict)


def _limit(verdict: Verdict) -> str:
    return "" if verdict.limit is None else f" {verdict.limit:g}"


def _exceeds(verdict: Verdict) -> bool:
    return verdict.value is not None and verdict.limit is not None and verdict.value > verdict.limit


def _noise(verdict: Verdict) -> str:
    if verdict.noise is None or math.isinf(verdict.noise):
        return ""
    return f"; with this many rows, chance alone gives up to {nats(verdict.noise)}"


def _size(column: ColumnReport, verdict: Verdict) -> str:
    """Say how far a normal distribution would have to shift; of numbers only."""
    if column.bins != "numeric" or verdict.statistic != "kl" or not verdict.value:
        return ""
    return f", like a shift by {math.sqrt(2 * verdict.value):.1g} sd"


def measured(column: ColumnReport) -> str:
    """Say what the verdict looked at: ``KL 0.0336 nats (0.0301–0.0371)``."""
    verdict = column.verdict
    if verdict.which == "trend":
        return f"slow rise, {trend_size(verdict.value)}"
    if verdict.statistic is None:
        return column.finding or (f"KL {nats(column.kl)} nats")
    return _measured(column, verdict)


def limit(column: ColumnReport) -> str:
    """Say with which limit that was compared: ``0.05``, ``0.02 and 0.0022, learned``."""
    verdict = column.verdict
    if verdict.limit is None:
        return ABSENT
    if verdict.which == "trend":
        return trend_size(verdict.limit)
    if verdict.which in ("learned", "unconfirmed"):
        stated = "" if verdict.limit == verdict.learned else f"{verdict.limit:g} and "
        return f"{stated}{nats(verdict.learned)}, learned"
    return f"{verdict.limit:g}"


def trend_size(value: float | None) -> str:
    """Write how far a slow rise is above the ordinary: ``3.2 sd``."""
    return ABSENT if value is None else f"{value:.2g} sd"


def slow_rise(trend: Trend) -> str:
    """Say that a column has been moving slowly, and since when."""
    return (
        f"slow rise over the last {many(trend.rising, 'snapshot')}: their KL to the fixed "
        f"reference, weighted, is {trend_size(trend.statistic)} above the ordinary, limit "
        f"{trend_size(trend.limit)}"
    )


# ---------------------------------------------------------------- what moved


def moved(column: ColumnReport, most: int = 2) -> list[str]:
    """Say what moved in a column, a phrase each."""
    phrases = [printable(change(cell)) for cell in column.top_cells[:most]]
    if column.new_levels and most > 1:
        phrases.append(f"new: {_new_share(column)}{levels(column.new_levels)}")
    return [*together(column), *phrases, *width(column), *support(column, most)]


def _new_share(column: ColumnReport) -> str:
    """Say how many rows have new levels, and how many were to be expected; empty if not known."""
    if column.new_share is None or column.expected_new_share is None:
        return ""
    found, expected = percent(column.new_share), percent(column.expected_new_share)
    return f"{found} of rows, {expected} expected: "


def noted(column: ColumnReport, most: int = 2) -> list[str]:
    """Say what is worth a phrase although the column is ok."""
    return [*together(column), *width(column), *support(column, most)]


def width(column: ColumnReport) -> list[str]:
    """Say that numbers are written in another width than in the reference; nothing otherwise."""
    types = {column.reference_type, column.type}
    if len(types) == 1 or not any(types <= family for family in _WIDTHS):
        return []
    return [f"type: {column.reference_type} → {column.type}, the same values in another width"]


def together(column: ColumnReport) -> list[str]:
    """Say what two columns show together and neither alone; nothing for a single column."""
    certain = column.detected or column.status is not Status.OK
    if column.kl_dependence is None or not certain:
        return []
    return [f"{nats(column.kl_dependence)} nats of it neither column shows alone"]


def change(cell: CellChange) -> str:
    """Say how the share of a cell went: ``above 135: 2.1 % → 5.4 % of rows``."""
    before = "" if cell.unseen and not cell.reference else f"{percent(cell.reference)} → "
    return f"{cell.label}: {before}{percent(cell.current)} of rows"


def support(column: ColumnReport, most: int = 2) -> list[str]:
    """Say which values came or went against chance, a phrase each; whatever the status."""
    phrases = [printable(beyond(each)) for each in column.beyond if each.unlikely]
    if column.vanished_levels and most > 1:
        phrases.insert(0, f"vanished: {levels(column.vanished_levels)}")
    return phrases


def beyond(found: Beyond) -> str:
    """Say what lies outside: ``12 rows (0.04 %) above 1301, the reference's largest; …``."""
    which = f"the reference's {'smallest' if found.side == 'below' else 'largest'}"
    tight = found.cell == f"{found.side} {found.extreme}"
    return (
        f"{many(found.rows, 'row')} ({percent(found.share)}) {found.cell}"
        f"{f', {which}' if tight else f'; {which} is {found.extreme}'}"
        f"{', all infinite' if found.infinite else ''}; chance {chance(found.p_value)}"
    )


def levels(changes: Sequence[LevelChange]) -> str:
    """Name categories with their shares, the first few."""
    shown = ", ".join(f"{level_text(c.level)} ({percent(c.share)})" for c in changes[:_NAMES])
    more = f"{len(changes) - _NAMES}{' or' if len(changes) == UNSEEN_NAMES else ''} more"
    return f"{shown} and {more}" if len(changes) > _NAMES else shown


def nulls(column: ColumnReport) -> str:
    """Say how the share of nulls went: ``1.9 % → 5.1 %``; empty where there never was one."""
    if not column.current_nulls and not column.reference_nulls:
        return ""
    return f"{percent(column.reference_nulls)} → {percent(column.current_nulls)}"


# ---------------------------------------------------------------- the rest of a report


def unjudged(column: Unjudged) -> str:
    """Say why a column was not judged, and its range on both sides."""
    parts = [f"{printable(column.name)} ({column.type}): {uncounted(column.why, column.type)}"]
    if column.reference_range or column.current_range:
        parts.append(f"{column.reference_range or ABSENT} → {column.current_range or ABSENT}")
    if column.reference_nulls or column.current_nulls:
        parts.append(f"null {percent(column.reference_nulls)} → {percent(column.current_nulls)}")
    return "; ".join(parts)


_UNCOUNTED: Mapping[Kind, str] = {
    Kind.NOT_SELECTED: "not selected",
    Kind.PARTITION_KEY: "partition key: it tells snapshots apart; name it to have it judged",
    Kind.INDEX: "index of a pandas data frame; name it to have it judged",
    Kind.CLUSTER_KEY: "says which rows belong together; name it to have it judged",
    Kind.MOVES: "dates always move; to judge its parts, add  judge: [{moving}]",
    Kind.JUDGED_AS: "judged as {parts}",
    Kind.NESTED: "nested: turn it into columns of plain types",
    Kind.UNKNOWN_TYPE: "of a type that is not counted: turn it into a plain one",
    Kind.IDENTIFIER: "looks like an identifier: no value twice; name it to have it judged",
    Kind.TOO_MANY_LEVELS: "more than {most:,} distinct values: derive a coarser column",
    Kind.TYPE_CHANGED: "type changed: {changed}{reference_type} in the reference",
    Kind.NEW: "not in the reference",
}


def uncounted(why: Uncounted, type_name: str) -> str:
    """Say why a column of that Arrow type is not counted, and what to do to have it judged."""
    return _UNCOUNTED[why.kind].format(
        moving=parts_of(type_name),
        parts=", ".join(why.parts),
        most=why.most,
        changed=f"{why.column!r} was " if why.column else "",
        reference_type=why.reference_type,
    )


_UNLEARNED: Mapping[WhyNot, str] = {
    WhyNot.TOO_FEW: "counted in {snapshots} of the history, {needed} are needed",
    WhyNot.OPEN_INCIDENT: "its open incident leaves {snapshots}, {needed} are needed",
    WhyNot.ON_REQUEST: "left out on request",
    WhyNot.NO_ROWS: "it has no rows",
    WhyNot.REFERENCE: "it is the reference",
    WhyNot.NOTHING_BEFORE: "too few snapshots before it to be compared with",
    WhyNot.OTHER: "{said}",
}


def unlearned(why: Unlearned) -> str:
    """Say why a column has no learned limit, or why a snapshot was not learned from."""
    snapshots, said = many(why.snapshots, "snapshot"), printable(why.said)
    return _UNLEARNED[why.kind].format(snapshots=snapshots, needed=why.needed, said=said)


def parts_of(type_name: str) -> str:
    """Name the parts of a date or a timestamp, by its Arrow type, that need not move."""
    parts = {"date": "weekday", "time": "hour"}  # as Arrow writes date32, time64
    kind = type_name.partition("[")[0].rstrip("0123456789")
    return parts.get(kind, "hour, weekday")


def sides(report: Report) -> list[tuple[str, str]]:
    """Say what was compared with what, what was left out, how much it tells, what is quiet."""
    more = {
        "left out": left_out(report),
        "cluster": clustered(report),
        "quiet": quiet(report),
    }
    return [
        ("current", f"{printable(report.current.source)}, {many(report.current.rows, 'row')}"),
        (
            "reference",
            f"{printable(report.reference.source)}, {many(report.reference.rows, 'row')}",
        ),
        *((name, said) for name, said in more.items() if said),
    ]


def left_out(report: Report) -> str:
    """Say which files of the snapshots were not read, and why; empty if all were."""
    both = (("current", report.current), ("reference", report.reference))
    said = (f"of {name}: {', '.join(map(str, s.left_out))}" for name, s in both if s.left_out)
    return printable("; ".join(said))


def quiet(report: Report) -> str:
    """Say about which columns nobody is alerted, and until when; empty if there are none."""
    if not report.quiet:
        return ""
    told = (
        f"{printable(name) or 'every column'} until {day}" for name, day in report.quiet.items()
    )
    return f"no alert about {', '.join(told)}; the verdict stands"


def clustered(report: Report) -> str:
    """Say how much clustered rows tell: ``… these 5,000 rows tell as much as 880``; or nothing."""
    if not report.current.cluster:
        return ""
    rows, key = report.current.rows, printable(report.current.cluster)
    each = rows / max(report.current.clusters, 1)
    tell = [rows / column.design_effect for column in report if column.kl is not None]
    if not tell or not rows:
        return f"by {key}"
    least, most = (f"{bound:,.0f}" for bound in (min(tell), max(tell)))
    told = least if least == most else f"{least} to {most}, column by column"
    return f"about {each:,.0f} rows per {key}: these {rows:,} rows tell as much as {told}"
