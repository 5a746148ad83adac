"""Old reports are removed, by age or by number, and nothing else is."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kl_drift.airflow import DriftMistakeError, PruneReportsOperator
from kl_drift.airflow._reports import report_location

DAY = 86_400


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Fill a folder with a report a day of two tasks, two tries each, and something else."""
    monkeypatch.setenv("AIRFLOW__KL_DRIFT__REPORTS_FOLDER", str(tmp_path / "reports"))
    for age in range(4):
        for task in ("check", "other"):
            for number in (1, 2):
                place = {"dag_id": "flights", "run_id": f"run {age}", "task_id": task}
                where = Path(report_location(place | {"map_index": -1, "try_number": number}))
                where.parent.mkdir(parents=True, exist_ok=True)
                where.write_text("{}")
                written = time.time() - age * DAY + number
                os.utime(where, (written, written))
    mine = tmp_path / "reports" / "flights" / "mine.json"
    mine.write_text("{}")
    os.utime(mine, (0, 0))
    return tmp_path / "reports"


def prune(keep: Any) -> dict[str, int]:
    operator = PruneReportsOperator(task_id="prune", keep=keep)
    operator.render_template_fields({"params": {"keep": "3"}})
    return operator.execute({})  # type: ignore[arg-type] # nothing of the context is asked for


@pytest.mark.parametrize("keep", ["2 days", timedelta(days=2)])
def test_reports_beyond_an_age_are_removed(folder: Path, keep: object) -> None:
    assert prune(keep) == {"removed": 4, "left": 12}
    assert sorted({each.parts[-4] for each in folder.rglob("?.json")}) == [
        "run%20" + n for n in "012"
    ]
    assert (folder / "flights" / "mine.json").exists()
    assert prune(keep) == {"removed": 0, "left": 12}


@pytest.mark.parametrize("keep", [3, "3", "{{ params.keep }}"])
def test_of_each_task_the_latest_reports_are_kept(folder: Path, keep: object) -> None:
    assert prune(keep) == {"removed": 10, "left": 6}
    left = sorted("/".join(each.parts[-4:]) for each in folder.rglob("?.json"))
    assert left == sorted(
        f"run%20{age}/{task}/-1/{number}.json"
        for task in ("check", "other")
        for age, number in ((0, 1), (0, 2), (1, 2))
    )


@pytest.mark.parametrize("keep", [0, -1, True, "all", "90 weeks", timedelta(0), 1.5])
def test_what_says_neither_is_refused_when_the_file_is_parsed(keep: Any) -> None:
    with pytest.raises(DriftMistakeError, match="keep: expected a number of reports, or an age"):
        PruneReportsOperator(task_id="prune", keep=keep)


def test_without_a_folder_there_is_nothing_to_remove(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__KL_DRIFT__REPORTS_FOLDER", "")
    with pytest.raises(DriftMistakeError, match="reports are not kept"):
        prune(3)
