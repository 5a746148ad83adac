"""The operators, each by its `execute`: what they save, what they say, and how they fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
FLIGHTS = ROOT / "examples" / "flights"
LIMITS = {"warn": 0.5, "drift": 1.0}


class TaskInstance:
    """What an operator asks of its task instance."""

    dag_id, run_id, task_id, map_index = "dag", "manual__2013-02-01T00:00:00+00:00", "task", -1

    def __init__(self) -> None:
        self.xcom: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcom[key] = value


@pytest.fixture
def ti() -> TaskInstance:
    return TaskInstance()


def context(ti: TaskInstance, **more: Any) -> Any:
    return {"ti": ti, "run_id": ti.run_id, "outlets": [], "outlet_events": {}, **more}


def month(number: int) -> str:
    return str(FLIGHTS / f"month=2013-{number:02d}")


def test_the_parts_of_a_month_add_up_to_the_month(ti: TaskInstance, tmp_path: Path) -> None:
    from kl_drift import load_profile, scan
    from kl_drift.airflow import (
        DriftCheckOperator,
        FitReferenceOperator,
        MergeProfilesOperator,
        ScanSnapshotOperator,
    )

    fitted = FitReferenceOperator(
        task_id="fit", snapshot=month(1), profile=str(tmp_path / "january.json"), columns=["dep_*"]
    ).execute(context(ti))
    parts = [
        ScanSnapshotOperator(
            task_id=f"scan{number}", snapshot=month(number), reference=fitted,
            profile=str(tmp_path / f"{number}.json"),
        ).execute(context(ti))
        for number in (2, 3)
    ]  # fmt: skip
    merged = MergeProfilesOperator(
        task_id="merge", profiles=parts, profile=str(tmp_path / "both.json")
    ).execute(context(ti))
    reference = load_profile(fitted["profile"])
    whole = scan(month(2), like=reference) + scan(month(3), like=reference)
    assert load_profile(merged["profile"]) == whole
    assert merged["rows"] == whole.rows == parts[0]["rows"] + parts[1]["rows"]
    summary = DriftCheckOperator(
        task_id="check", reference=fitted, current=merged, limits=LIMITS
    ).execute(context(ti))
    assert summary["status"] == "ok"
