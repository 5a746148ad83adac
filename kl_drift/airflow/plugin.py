"""The plugin: a tab on every task instance, and the page of reports behind it.

Standard library only, apart from Airflow's base class: every process of Airflow loads it. The page
is made in the API server, when it asks.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from airflow.sdk.plugins_manager import AirflowPlugin

_TAB = {
    "name": "Drift",
    "href": "kl_drift/reports/{DAG_ID}/{RUN_ID}/{TASK_ID}/{MAP_INDEX}",  # relative, for base paths
    "destination": "task_instance",
    "url_route": "drift",
}


class KLDriftPlugin(AirflowPlugin):
    """The page of drift reports, where this Airflow can protect it; else nothing."""

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
        """The tab, where there is a page to show in it."""
        return [dict(_TAB)] if self.fastapi_apps else []
