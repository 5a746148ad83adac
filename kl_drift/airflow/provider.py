"""What kl-drift tells Airflow of itself as a provider.

Standard library only: every process of Airflow asks.
"""

from __future__ import annotations

from typing import Any

_INTEGRATION = "kl-drift"
_HERE = "kl_drift.airflow"


def get_provider_info() -> dict[str, Any]:
    """Return the provider's operators, decorator, notifier, links, connection type and settings."""
    return {
        "package-name": "kl-drift",
        "name": "kl-drift",
        "description": "Drift of feature columns between Parquet snapshots, measured as "
        "Kullback-Leibler divergence.",
        "integrations": [
            {"integration-name": _INTEGRATION, "tags": ["software"]},
            {"integration-name": "Great Expectations", "tags": ["software"]},
        ],
        "operators": [
            {
                "integration-name": _INTEGRATION,
                "python-modules": [f"{_HERE}.operators", f"{_HERE}.retention"],
            },
            {"integration-name": "Great Expectations", "python-modules": [f"{_HERE}.checkpoint"]},
        ],
        "hooks": [{"integration-name": _INTEGRATION, "python-modules": [f"{_HERE}.hooks"]}],
        "connection-types": [
            {
                "connection-type": "kl_drift",
                "hook-class-name": f"{_HERE}.hooks.HistoryHook",
                "hook-name": "kl-drift history",
            }
        ],
        "task-decorators": [
            {"name": "drift_check", "class-name": f"{_HERE}.decorators.drift_check_task"}
        ],
        "notifications": [f"{_HERE}.notifier.DriftNotifier"],
        "extra-links": [f"{_HERE}.links.DriftReportLink"],
        "config": {"kl_drift": _SETTINGS},
    }


_SETTINGS: dict[str, Any] = {
    "description": "Drift checks.",
    "options": {
        "reports_folder": {
            "description": "Where every check saves its report, and the only place that the page "
            "of reports reads: a folder that workers and API server share, or a URI such as "
            "s3://connection@bucket/drift. Empty: reports are not kept, and there are no links.",
            "version_added": "0.1.0",
            "type": "string",
            "example": "s3://drift_store@monitoring/reports",
            "default": "{AIRFLOW_HOME}/kl_drift",
        },
        "column_metrics": {
            "description": "Whether checks send a gauge for each column, besides those of the "
            "check.",
            "version_added": "0.1.0",
            "type": "boolean",
            "example": "True",
            "default": "False",
        },
        "history": {
            "description": "The history that the page of all checks reads: a SQLite file that the "
            "API server can reach. Empty, and no history_conn_id: there is no page.",
            "version_added": "0.1.0",
            "type": "string",
            "example": "/data/drift/history.sqlite",
            "default": "",
        },
        "history_conn_id": {
            "description": "The same as a connection: postgres, sqlite or kl_drift.",
            "version_added": "0.1.0",
            "type": "string",
            "example": "drift_history",
            "default": "",
        },
    },
}
