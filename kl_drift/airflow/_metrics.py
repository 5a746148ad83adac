"""Airflow's metrics: a few for each check, and one for each column where that is asked for.

Knows what StatsD, plain and tagged, Datadog and OpenTelemetry take. Plain StatsD drops tags, so
there the names say which check it is; elsewhere tags do. Has never heard of where Airflow sends
them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow.sdk.configuration import conf

from kl_drift.airflow._reports import SECTION

if TYPE_CHECKING:
    from airflow.sdk.types import Logger

    from kl_drift.airflow._summary import Findings
    from kl_drift.judging.policy import Policy
    from kl_drift.judging.report import ColumnReport, Report

_UNFIT = re.compile(r"[^A-Za-z0-9_-]+")
_HIGHEST = 1e6
"""What an infinite ratio is sent as: no backend takes infinity."""

Gauge: TypeAlias = tuple[str, float, dict[str, str]]
"""The end of a name, the value, and the tags besides those of the check."""


def emit(findings: Findings, seconds: float, place: Mapping[str, Any], log: Logger) -> None:
    """Tell Airflow's metrics how a check went; a failing backend is logged and changes nothing.

    Gauges: ``kl_drift.limit_ratio``, the worst column's KL over its limit; ``kl_drift.columns`` by
    the tag ``status``; ``kl_drift.rows`` by the tag ``side``; ``kl_drift.seconds``; with
    ``[kl_drift] column_metrics`` also ``kl_drift.kl`` in nats by the tag ``column``. The counter
    ``kl_drift.checks`` by the tag ``status``. All have the tags ``check``, ``dag_id``, ``task_id``
    and, of a mapped task, ``map_index``.
    """
    report = findings.report
    gauges = [*_of_check(report, findings.plan.policy, seconds)]
    if conf.getboolean(SECTION, "column_metrics", fallback=False):
        gauges += _of_columns(report)
    _send(gauges, ("checks", {"status": str(report.status)}), findings.plan.name, place, log)


def emit_failure(check: str, place: Mapping[str, Any], log: Logger) -> None:
    """Count that a check could not run: ``kl_drift.failures``."""
    _send([], ("failures", {}), check, place, log)


def _send(
    gauges: Iterable[Gauge],
    counted: tuple[str, dict[str, str]],
    check: str,
    place: Mapping[str, Any],
    log: Logger,
) -> None:
    from airflow.sdk.observability.stats import Stats

    own = _tags(check, place)
    try:
        for end, value, more in gauges:
            name, tags = _named(end, own, more)
            Stats.gauge(name, value, tags=tags)
        name, tags = _named(counted[0], own, counted[1])
        Stats.incr(name, tags=tags)
    except Exception:
        log.exception("The metrics could not be emitted; the verdict stands")


def _named(end: str, own: Mapping[str, str], more: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Return name and tags of a metric; where tags would be dropped, the name says them."""
    if _takes_tags():
        return f"kl_drift.{end}", {**own, **more}
    check = [own[key] for key in ("check", "map_index") if key in own]
    return ".".join(["kl_drift", *check, end, *more.values()]), {}


def _takes_tags() -> bool:
    """Say whether Airflow's backend keeps tags: all but StatsD in its plain form."""
    if not conf.getboolean("metrics", "statsd_on", fallback=False):
        return True
    tagged = ("statsd_datadog_enabled", "statsd_influxdb_enabled")
    return any(conf.getboolean("metrics", key, fallback=False) for key in tagged)


def _tags(check: str, place: Mapping[str, Any]) -> dict[str, str]:
    tags = {"check": check, "dag_id": place["dag_id"], "task_id": place["task_id"]}
    mapped = {"map_index": str(place["map_index"])} if place["map_index"] >= 0 else {}
    return {key: fit(value) for key, value in (tags | mapped).items()}


def _of_check(report: Report, policy: Policy, seconds: float) -> Iterator[Gauge]:
    ratios = [ratio for column in report if (ratio := _ratio(column, policy)) is not None]
    if ratios:
        yield "limit_ratio", max(ratios), {}
    counts = Counter(str(column.status) for column in report)
    for status in ("ok", "warn", "undecided", "drift"):
        yield "columns", counts[status], {"status": status}
    yield "rows", report.current.rows, {"side": "current"}
    yield "rows", report.reference.rows, {"side": "reference"}
    yield "seconds", seconds, {}


def _of_columns(report: Report) -> Iterator[Gauge]:
    names = distinct([column.name for column in report])
    for column in report:
        if column.kl is not None:
            yield "kl", min(column.kl, _HIGHEST), {"column": names[column.name]}


def _ratio(column: ColumnReport, policy: Policy) -> float | None:
    """Return KL over its limit for a drift, or over what the column's own past allows."""
    if column.kl is None:
        return None
    limit = max(policy.of(column.name).drift, column.history_limit or 0.0)
    return min(column.kl / limit, _HIGHEST)


def fit(text: str) -> str:
    """Return text as every backend takes it: letters, digits, ``_`` and ``-``."""
    return _UNFIT.sub("_", text).strip("_") or "_"


def distinct(names: Iterable[str]) -> dict[str, str]:
    """Return each name as every backend takes it, no two alike."""
    taken: dict[str, str] = {}
    for name in sorted(names):
        fitted = wanted = fit(name)
        number = 1
        while fitted in taken.values():
            number += 1
            fitted = f"{wanted}_{number}"
        taken[name] = fitted
    return taken
