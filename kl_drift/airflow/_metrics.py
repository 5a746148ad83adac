"""Airflow's metrics: a gauge per column, a counter per status.

Knows a report and the names of the metrics. Has never heard of where Airflow sends them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk.types import Logger

    from kl_drift.judging.report import Report

GAUGE = "kl_drift.kl"
COLUMNS = "kl_drift.columns"
CHECKS = "kl_drift.checks"


def emit(report: Report, check: str, ti: Any, log: Logger) -> None:
    """Tell Airflow's metrics how far each column is, and how many are in which status.

    ``kl_drift.kl`` is a gauge in nats with the tags ``check``, ``column``, ``dag_id`` and
    ``task_id``; ``kl_drift.columns`` and ``kl_drift.checks`` count by the tag ``status``. A failing
    backend is logged and changes nothing.
    """
    from airflow.sdk.observability.stats import Stats

    tags = {"check": check, "dag_id": ti.dag_id, "task_id": ti.task_id}
    try:
        for column in report:
            if column.kl is not None:
                Stats.gauge(GAUGE, column.kl, tags={**tags, "column": column.name})
            Stats.incr(COLUMNS, tags={**tags, "status": str(column.status)})
        Stats.incr(CHECKS, tags={**tags, "status": str(report.status)})
    except Exception:
        log.exception("The metrics could not be emitted; the verdict stands")
