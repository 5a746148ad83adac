"""Each month against January.

Every month, when it is over, its flights are checked against January's by the plan
`configs/flights.yaml`. **Drift fails the task, without a retry**: the check went well, and the data
will not change. Data that cannot be read is retried. The flights are those of 2013, so the schedule
says the month, and the year stays; run by hand, it asks for the month.

Of the task *check*: the log holds the table of columns, *Drift report* leads to the report, and
XCom holds a summary. The history says, once it is long enough, what is ordinary for each column.
Where the connection `smtp_default` is set, a mail tells what drifted.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.providers.smtp.notifications.smtp import SmtpNotifier
from airflow.sdk import CronDataIntervalTimetable, Param, dag

from kl_drift.airflow.notifier import DriftNotifier
from kl_drift.airflow.operators import DriftCheckOperator

ROOT = Path(__file__).parent.parent
DATA = os.environ.get("KL_DRIFT_DATA", f"{ROOT}/out/dags")
# --8<-- [start:mail]
MAIL = DriftNotifier(SmtpNotifier(from_email="airflow@example.org", to="data@example.org"))
ALERTS = [MAIL] if "AIRFLOW_CONN_SMTP_DEFAULT" in os.environ else []
# --8<-- [end:mail]
# --8<-- [start:dag]
MONTH = (
    "{{ params.month if dag_run.run_type == 'manual'"
    " else data_interval_start.strftime('2013-%m') }}"
)


@dag(
    schedule=CronDataIntervalTimetable("@monthly", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    params={"month": Param("2013-07", pattern=r"^2013-\d\d$", title="Month, if run by hand")},
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    doc_md=__doc__,
    tags=["kl-drift"],
)
def drift_monthly() -> None:
    DriftCheckOperator(
        task_id="check",
        plan=f"{ROOT}/configs/flights.yaml",
        values={"month": MONTH},
        report=f"{DATA}/monthly/{MONTH}.json",
        profile=f"{DATA}/monthly/{MONTH}-profile.json",
        history=f"{DATA}/monthly/history.sqlite",
        notifiers=ALERTS,
    )


# --8<-- [end:dag]


drift_monthly()
