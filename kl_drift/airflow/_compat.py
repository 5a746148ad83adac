"""What the Airflow at hand can do: the one place that compares versions or looks for features.

Knows Airflow's version and its context. Has never heard of drift.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk.exceptions import AirflowFailException


def asset_state(context: Mapping[str, Any], asset: Any) -> Any | None:
    """Return the JSON that Airflow keeps for an asset between runs; ``None`` before Airflow 3.3."""
    stores = context.get("asset_state_store")
    return None if stores is None else stores[asset]


def partition_key(context: Mapping[str, Any]) -> str | None:
    """Return the partition that the run is about; ``None`` without one, or before Airflow 3.3."""
    return context.get("partition_key")


def is_last_try(context: Mapping[str, Any], error: BaseException) -> bool:
    """Say whether a task that failed so is not tried again."""
    ti = context["ti"]
    tried, tries = getattr(ti, "try_number", 1), getattr(ti, "max_tries", 0)
    return isinstance(error, AirflowFailException) or tried > tries


def current_try(place: Mapping[str, Any]) -> int | None:
    """Return the number of a task instance's latest try, in the API server; ``None`` if unknown."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    keys = ("dag_id", "run_id", "task_id", "map_index")
    query = select(TaskInstance.try_number).where(
        *(getattr(TaskInstance, key) == place[key] for key in keys)
    )
    with create_session() as session:
        found = session.scalar(query)
    return int(found) if found else None
