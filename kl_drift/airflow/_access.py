"""What a user of Airflow may do with DAGs, by Airflow's own permissions.

Knows Airflow's auth manager. Has never heard of checks.
"""

from typing import Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import (
    AccessView,
    DagAccessEntity,
    DagDetails,
)


def may_read(user: Any, dag_id: str) -> bool:
    """Say whether a user may read what runs of a DAG found; of no DAG, what plugins show."""
    return _may(user, dag_id, "GET", DagAccessEntity.XCOM)


def may_acknowledge(user: Any, dag_id: str) -> bool:
    """Say whether a user may edit the runs of a DAG; of what belongs to no DAG, nobody may."""
    return bool(dag_id) and _may(user, dag_id, "PUT", DagAccessEntity.RUN)


def _may(user: Any, dag_id: str, method: Any, entity: DagAccessEntity) -> bool:
    manager = get_auth_manager()
    if not dag_id:
        return manager.is_authorized_view(access_view=AccessView.PLUGINS, user=user)
    details = DagDetails(id=dag_id, team_name=_team(dag_id))
    return manager.is_authorized_dag(
        method=method, access_entity=entity, details=details, user=user
    )


def _team(dag_id: str) -> str | None:
    from airflow.models.dag import DagModel

    return DagModel.get_team_name(dag_id)
