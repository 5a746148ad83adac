"""Compute, then gate.

*check* only computes: it stays green whatever it finds, its report is saved, and what is scheduled
on its asset hears of it. Who comes after decides for itself:

- *gate* **fails** on drift, so that *train* never learns from a month that is not like the others;
- *branch* goes on with *publish* or with *quarantine*.

Both read the summary of *check* from XCom; nothing is computed twice.
"""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import Asset, Param, dag, task

from kl_drift.airflow.operators import DriftBranchOperator, DriftCheckOperator, DriftGateOperator

FLIGHTS = Path(__file__).parent.parent / "examples" / "flights"
CHECKED = Asset("flights_checked")


@dag(
    schedule=None,
    params={"month": Param("2013-02", pattern=r"^2013-\d\d$")},
    doc_md=__doc__,
    tags=["kl-drift"],
)
def drift_gate() -> None:
    @task
    def train() -> None:
        print("training on this month")

    @task
    def publish() -> None:
        print("publishing this month")

    @task
    def quarantine() -> None:
        print("this month is kept apart until somebody has looked at it")

    # --8<-- [start:gate]
    check = DriftCheckOperator(
        task_id="check",
        reference={"path": f"{FLIGHTS}/month=2013-01", "label": "flights of January"},
        current={
            "path": f"{FLIGHTS}/month={{{{ params.month }}}}",
            "label": "flights of {{ params.month }}",
        },
        columns=["*_delay", "air_time", "carrier", "dest", "origin"],
        on_drift="warn",
        outlets=[CHECKED],
    )
    DriftGateOperator(task_id="gate", report=check.output) >> train()
    branch = DriftBranchOperator(
        task_id="branch", report=check.output, if_ok="publish", if_drift="quarantine"
    )
    branch >> [publish(), quarantine()]
    # --8<-- [end:gate]


drift_gate()
