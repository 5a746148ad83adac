"""The extra link of a task: from Airflow's page of the task to the saved report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink

from kl_drift.airflow._whereabouts import tab_path

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class DriftReportLink(BaseOperatorLink):
    """*Drift report*: the tab with the report that the task saved; no link if there is none."""

    @property
    def name(self) -> str:
        """The text of the button."""
        return "Drift report"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address of the tab, from Airflow's own on: Airflow keeps it, and may move.

        Of a gate or a branch, that of the check which it is about.
        """
        linked: str = getattr(operator, "linked_report", "")
        if linked or not getattr(operator, "saved_report", ""):
            return linked
        place: dict[str, Any] = {"dag_id": ti_key.dag_id, "run_id": ti_key.run_id}
        return tab_path(place | {"task_id": ti_key.task_id, "map_index": ti_key.map_index})
