"""DAGs that use every operator on the flights; `conf` says where they write."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import Asset, BaseNotifier, dag, task

from kl_drift.airflow.notifier import DriftNotifier
from kl_drift.airflow.operators import (
    DriftBranchOperator,
    DriftCheckOperator,
    DriftGateOperator,
    FitReferenceOperator,
    MergeProfilesOperator,
    PromoteReferenceOperator,
    ScanSnapshotOperator,
)

FLIGHTS = Path(__file__).parent.parent.parent.parent / "examples" / "flights"
OUT = "{{ dag_run.conf.out }}"
REFERENCE = Asset("walks_reference")  # of these DAGs only: what one test promotes, no other finds
CHECKED = Asset("flights_checked")
CONTENT = {"warn": 5.0, "drift": 6.0, "null_drift": 5.0}
PICKY = {"warn": 1e-4, "drift": 2e-4}


def month(number: int) -> str:
    return str(FLIGHTS / f"month=2013-{number:02d}")


@dag(schedule=None)
def drift_map_reduce() -> None:
    fit = FitReferenceOperator(
        task_id="fit", snapshot=month(1), columns=["dep_*"], profile=f"{OUT}/january.json"
    )
    scan = ScanSnapshotOperator.partial(
        task_id="scan",
        reference=fit.output,
        profile=f"{OUT}/part-{{{{ ti.map_index }}}}.json",
        map_index_template="{{ task.snapshot }}",
    ).expand(snapshot=[month(2), month(3)])
    merge = MergeProfilesOperator(
        task_id="merge", profiles=scan.output, profile=f"{OUT}/merged.json"
    )
    check = DriftCheckOperator(
        task_id="check", reference=fit.output, current=merge.output, limits=PICKY,
        on_drift="warn", outlets=[CHECKED],
    )  # fmt: skip
    gate = DriftGateOperator(task_id="gate", report=check.output)

    @task
    def never() -> None:
        raise AssertionError("the gate was open")

    gate >> never()


@dag(schedule=None, default_args={"retries": 1, "retry_delay": timedelta(0)})
def drift_failures() -> None:
    inline: dict[str, Any] = {"reference": month(1), "columns": ["dep_time"]}
    DriftCheckOperator(
        task_id="drifted", current=month(2), limits=PICKY, outlets=[CHECKED], **inline
    )
    DriftCheckOperator(task_id="skipped", current=month(2), limits=PICKY, on_drift="skip", **inline)
    DriftCheckOperator(task_id="undecided", current=month(2), limits={"min_rows": 10**9}, **inline)
    DriftCheckOperator(task_id="missing", current=f"{OUT}/nothing", limits=CONTENT, **inline)
    DriftCheckOperator(
        task_id="mistaken", current=month(2), reference=month(1), columns=["dep_tim"]
    )


@dag(schedule=None)
def drift_promotion() -> None:
    check = DriftCheckOperator(
        task_id="check", reference=month(1), current=month(2), columns=["dep_time"], limits=CONTENT,
        pointer=REFERENCE, profile=f"{OUT}/february.json",
    )  # fmt: skip
    branch = DriftBranchOperator(
        task_id="branch", report=check.output, if_ok="promote", if_drift="never"
    )
    promote = PromoteReferenceOperator(
        task_id="promote", profile=check.output, pointer=REFERENCE, note="seen and approved"
    )

    @task
    def never() -> None:
        raise AssertionError("the branch went wrong")

    again = DriftCheckOperator(
        task_id="again", reference=month(1), current=month(2), columns=["dep_time"],
        pointer=REFERENCE,
    )  # fmt: skip
    branch >> [promote, never()]
    promote >> again


@dag(schedule=None)
def drift_decorated() -> None:
    @task.drift_check(reference=month(1), columns=["dep_time"], limits=CONTENT)
    def rows(number: int) -> Any:
        import pyarrow.parquet as pq

        return pq.read_table(month(number))

    @task.drift_check(on_drift="warn")
    def arguments(number: int) -> dict[str, Any]:
        return {"reference": month(1), "current": month(number), "limits": PICKY}

    rows(2)
    arguments(3)


class Note(BaseNotifier):
    """Leaves its words in a file."""

    template_fields = ("text",)

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self.text = text

    def notify(self, context: Any) -> None:
        where = Path(context["dag_run"].conf["out"]) / f"note{context['ti'].map_index}.txt"
        where.write_text(self.text, encoding="utf-8")


@dag(schedule=None)
def drift_mapped_checks() -> None:
    DriftCheckOperator.partial(
        task_id="check", reference=month(1), columns=["dep_time"], limits=PICKY, on_drift="warn",
        notifiers=[DriftNotifier(Note())],
    ).expand(current=[month(2), month(3)])  # fmt: skip


@dag(schedule=None)
def drift_partition() -> None:
    DriftCheckOperator(
        task_id="check", reference=month(1), columns=["dep_time"], limits=CONTENT,
        current={"path": str(FLIGHTS), "where": {"month": "{{ partition_key }}"}},
        outlets=[CHECKED],
    )  # fmt: skip


drift_map_reduce()
drift_failures()
drift_promotion()
drift_decorated()
drift_mapped_checks()
drift_partition()
