"""The extra link of a task: from Airflow's page of the task to the saved report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink

from kl_drift.airflow._reports import report_url

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class DriftReportLink(BaseOperatorLink):
    """*Drift report*: the page of the report that the task saved; no link if it saved none."""

    @property
    def name(self) -> str:
        """The text of the button."""
        return "Drift report"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address of the page; Airflow keeps it when the task ends."""
        found: Any = getattr(operator, "saved_report", "")
        if not found:
            return ""
        return report_url(ti_key.dag_id, ti_key.run_id, ti_key.task_id, ti_key.map_index)
