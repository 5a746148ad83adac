"""The connection type ``kl_drift``: where a history is, with its password.

Knows Airflow's form for connections. Has never heard of checks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseHook

if TYPE_CHECKING:
    from kl_drift.history.record import History


class HistoryHook(BaseHook):
    """A history of drift checks behind an Airflow connection.

    Parameters
    ----------
    history_conn_id : str
        The connection: ``kl_drift``, ``postgres`` or ``sqlite``. With a database (*schema*) it is a
        PostgreSQL server, without one its host is the path of a SQLite file.

    Examples
    --------
    ::

        @task
        def quiet_columns():
            history = HistoryHook("drift_history").get_conn()
            return [judged.status for judged in history.reports("flights", last=30)]
    """

    conn_name_attr: ClassVar[str] = "history_conn_id"
    default_conn_name: ClassVar[str] = "kl_drift_default"
    conn_type: ClassVar[str] = "kl_drift"
    hook_name: ClassVar[str] = "kl-drift history"

    def __init__(self, history_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.history_conn_id = history_conn_id

    def get_conn(self) -> History:
        """Open the history."""
        from kl_drift.airflow._storage import history_url
        from kl_drift.history.record import History

        return History.open(history_url(self.history_conn_id))

    def test_connection(self) -> tuple[bool, str]:
        """Say whether the history can be opened, for the button in Airflow's form."""
        from kl_drift.errors import KLDriftError

        try:
            return True, f"the history at {self.get_conn().where} can be read"
        except KLDriftError as error:
            return False, str(error)

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Name the fields of Airflow's form."""
        return {
            "hidden_fields": ["extra"],
            "relabeling": {
                "host": "Host of PostgreSQL, or path of a SQLite file",
                "schema": "Database (PostgreSQL only)",
            },
            "placeholders": {"host": "/data/drift/history.sqlite"},
        }
