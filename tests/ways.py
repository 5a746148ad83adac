"""A report with a column for every way of deciding, and the numbers that every door must show."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import get_args

from kl_drift.judging.confirmation import Confirmation
from kl_drift.judging.limits import Trend
from kl_drift.judging.policy import (
    Evidence,
    Finding,
    Incomparable,
    Policy,
    Statistic,
    Verdict,
    Which,
    decide,
    decide_finding,
    decide_nulls,
)
from kl_drift.judging.report import CellChange, ColumnReport, Report, Side
from kl_drift.render.numbers import nats

ROWS = 12_345
MOVED = (
    CellChange(label="below 5", reference=0.5, current=0.25, contribution=0.03, signed=-0.1),
    CellChange(label="5 or more", reference=0.5, current=0.75, contribution=0.04, signed=0.2),
)
KNOWN = Evidence(
    kl=0.0336,
    kl_null=0.0004,
    current_rows=ROWS,
    reference_rows=54_321,
    interval=(0.0302, 0.0371),
    noise_floor=0.0018,
    rows_needed=1_200.0,
    companions={"reverse": 0.0411, "jeffreys": 0.0747, "jensen_shannon": 0.0093},
)
QUIET = replace(KNOWN, kl=0.0013, interval=(0.0002, 0.0029))
RISING = Trend(statistic=3.25, limit=2.75, snapshots=20, rising=9)
PICKY = {"warn": 0.003, "drift": 0.008}


def column(name: str, evidence: Evidence, policy: Policy) -> ColumnReport:
    return ColumnReport(
        name=name,
        verdict=decide(name, evidence, policy),
        type="double",
        reference_type="double",
        bins="numeric",
        current_rows=evidence.current_rows,
        reference_rows=evidence.reference_rows,
        current_nulls=0.0625,
        reference_nulls=0.0125,
        kl=evidence.kl,
        kl_reverse=evidence.companions["reverse"],
        jeffreys=evidence.companions["jeffreys"],
        jensen_shannon=evidence.companions["jensen_shannon"],
        entropy=1.0,
        cross_entropy=1.0336,
        kl_debiased=0.03,
        interval=evidence.interval,
        noise_floor=evidence.noise_floor,
        p_value=0.5,
        history_limit=evidence.history_limit,
        trend=evidence.trend,
        kl_null=evidence.kl_null,
        kl_values=0.0331,
        cells=MOVED,
        top_cells=MOVED,
    )


def found(finding: Incomparable) -> ColumnReport:
    return ColumnReport(
        name=finding,
        verdict=decide_finding(finding),
        finding=finding,
        type="" if finding == "missing" else "string",
        reference_type="" if finding == "new" else "int64",
    )


def nulls_moved(evidence: Evidence) -> ColumnReport:
    """Return a column whose values are not judged, and whose share of nulls is."""
    verdict = decide_nulls("nulls moved", evidence, Policy())
    assert verdict is not None
    return ColumnReport(
        name="nulls moved",
        verdict=verdict,
        finding="nulls moved",
        type="string",
        reference_type="string",
        current_rows=evidence.current_rows,
        reference_rows=evidence.reference_rows,
        current_nulls=0.0625,
        reference_nulls=0.0125,
        kl_null=evidence.kl_null,
    )


def ways() -> dict[str, ColumnReport]:
    """Return a column for each way of deciding, and each status that it can give."""
    point, gates = Policy(rule="point"), Policy()
    learned = replace(KNOWN, history_limit=0.0022)
    decided = {
        "point drift": (replace(KNOWN, kl=0.0512), point),
        "point warn": (KNOWN, point),
        "point ok": (QUIET, point),
        "gates drift": (replace(KNOWN, kl=0.0623, interval=(0.0571, 0.0684)), gates),
        "gates warn": (KNOWN, gates),
        "gates ok": (QUIET, gates),
        "gates ok, above": (replace(KNOWN, interval=(0.0102, 0.0571)), gates),
        "learned drift": (learned, gates),
        "learned ok": (replace(KNOWN, history_limit=0.0417), gates),
        "unconfirmed": (replace(learned, confirm=Confirmation(needed=3, among=3)), gates),
        "irregular": (replace(KNOWN, history_limit=9.5), gates),
        "null drift": (replace(QUIET, kl_null=0.0161, null_lower=0.0143), gates),
        "null drift, point": (replace(QUIET, kl_null=0.0161), point),
        "noise": (replace(QUIET, noise_floor=0.0277), gates),
        "noise, hopeless": (replace(QUIET, noise_floor=0.0277, rows_needed=math.inf), gates),
        "rows": (KNOWN, Policy(min_rows=20_000)),
        "trend": (replace(QUIET, trend=RISING), gates),
        "drift and trend": (
            replace(KNOWN, kl=0.0623, interval=(0.0571, 0.0684), trend=RISING),
            gates,
        ),
    }
    for statistic in get_args(Statistic):
        if statistic != "kl":
            decided[f"{statistic} drift"] = (KNOWN, Policy(statistic=statistic, **PICKY))
            decided[f"{statistic} ok"] = (KNOWN, Policy(statistic=statistic, warn=0.1, drift=0.2))
            noisy = replace(KNOWN, noise_floor=0.9)
            decided[f"{statistic} noise"] = (noisy, Policy(statistic=statistic))
    columns = {name: column(name, *each) for name, each in decided.items()}
    moved = nulls_moved(replace(QUIET, kl=0.0161, kl_null=0.0161, null_lower=0.0143))
    columns |= {each: found(each) for each in get_args(Incomparable)} | {moved.name: moved}
    assert {each.finding for each in columns.values()} == set(get_args(Finding))
    assert {each.verdict.which for each in columns.values()} == set(get_args(Which))
    return columns


def report_of(columns: ColumnReport) -> Report:
    """Return the report of one column."""
    return Report(
        current=Side(source="flights/month=02", rows=ROWS),
        reference=Side(source="flights/month=01", rows=54_321),
        columns=(columns,),
        bins_digest="0" * 64,
        created="2013-03-01T07:00:00+00:00",
        created_by="0.1.0",
    )


def numbers(column: ColumnReport) -> list[str]:
    """Return what was compared with what, as a person reads it: what every door must show."""
    return _numbers(column.verdict.alone or column.verdict) + (
        ["3.2 sd", "2.8 sd"] if column.trend else []
    )


def _numbers(verdict: Verdict) -> list[str]:
    match verdict.which:
        case "finding":
            return []
        case "rows":
            return [f"{verdict.rows:,}", f"{verdict.rows_needed:,.0f}"]
        case "noise":
            return [nats(verdict.noise), f"{verdict.limit:g}"]
        case "irregular":
            return [nats(verdict.value), nats(verdict.learned)]
        case "learned" | "unconfirmed":
            return [nats(verdict.value), f"{verdict.limit:g}", nats(verdict.learned)]
        case _:
            return [nats(verdict.value), f"{verdict.limit:g}"]
