"""The plugin: a tab on every task instance and DAG, a page in the menu, and what is behind them.

Standard library only, apart from Airflow's base class: every process of Airflow loads it. The page
is made in the API server, when it asks.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from airflow.sdk.plugins_manager import AirflowPlugin

_VIEWS = [
    {
        "name": "Drift checks",
        "href": "kl_drift/checks",  # relative, for base paths
        "destination": "nav",
        "category": "browse",
        "url_route": "drift_checks",
    },
    {
        "name": "Drift",
        "href": "kl_drift/checks?dag_id={DAG_ID}",
        "destination": "dag",
        "url_route": "drift_of_dag",  # Airflow looks for a route whatever the destination
    },
    {
        "name": "Drift",
        "href": "kl_drift/reports/{DAG_ID}/{RUN_ID}/{TASK_ID}/{MAP_INDEX}",
        "destination": "task_instance",
        "url_route": "drift",
    },
]


class KLDriftPlugin(AirflowPlugin):
    """The pages of drift reports and checks, where this Airflow can protect it; else nothing."""

    name = "kl_drift"

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override] # read only
        """The app that serves the reports."""
        from kl_drift.airflow._reports import PREFIX

        try:
            from kl_drift.airflow.web import app
        except ImportError:  # Airflow moved what checks access; a page for everybody is no choice
            return []
        return [{"app": app, "url_prefix": f"/{PREFIX}", "name": "kl-drift reports"}]

    @cached_property
    def external_views(self) -> list[dict[str, Any]]:  # type: ignore[override] # likewise
        """The tabs and the entry of the menu, where there are pages to show in them."""
        return [dict(view) for view in _VIEWS] if self.fastapi_apps else []
