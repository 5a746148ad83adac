"""What the end-to-end test needs besides the DAGs of `dags/`: data that drifted or is broken."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.providers.smtp.notifications.smtp import SmtpNotifier
from airflow.sdk import Asset, dag, task

from kl_drift.airflow.notifier import DriftNotifier
from kl_drift.airflow.operators import DriftCheckOperator

FLIGHTS = Path(__file__).parent.parent.parent.parent / "examples" / "flights"
CHECKED = Asset("checked_end_to_end")
AGAIN = {"retries": 1, "retry_delay": timedelta(seconds=0)}


# --8<-- [start:post]
def post(context: Any) -> None:
    """Tell a local address, by way of apprise; an alert is any function of the context."""
    import apprise

    message = context["drift_message"]
    sender = apprise.Apprise()
    sender.add(os.environ["KL_DRIFT_TEST_ALERTS"])
    if not sender.notify(title=message["subject"], body=message["text"]):
        raise ConnectionError("nobody took the alert")


# --8<-- [end:post]


MAIL = DriftNotifier(SmtpNotifier(from_email="airflow@example.org", to="data@example.org"))


def check(**more: Any) -> DriftCheckOperator:
    return DriftCheckOperator(
        task_id="check",
        reference=f"{FLIGHTS}/month=2013-01",
        current=f"{FLIGHTS}/month=2013-07",
        columns=["air_time", "dep_delay", "dest"],
        **more,
    )


@dag(schedule=None, default_args=AGAIN)
def drift_found() -> None:
    check(notifiers=[MAIL, post])


@dag(schedule=None, default_args=AGAIN)
def drift_only_warns() -> None:
    history = os.environ.get("KL_DRIFT_TEST_HISTORY")
    check(on_drift="warn", notifiers=[post], outlets=[CHECKED], history=history)


@dag(schedule=[CHECKED])
def drift_heard_of() -> None:
    @task
    def hear(triggering_asset_events: Any) -> str:
        (events,) = triggering_asset_events.values()
        return str(events[-1].extra["kl_drift"]["status"])

    hear()


@dag(schedule=None, default_args=AGAIN)
def drift_unreadable() -> None:
    DriftCheckOperator(
        task_id="check",
        reference=f"{FLIGHTS}/month=2013-01",
        current=os.environ.get("KL_DRIFT_TEST_BROKEN", "broken.parquet"),
    )


drift_found()
drift_only_warns()
drift_heard_of()
drift_unreadable()
