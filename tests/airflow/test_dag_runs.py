"""Whole DAGs in a real Airflow: states, tries, what reaches XCom, links and assets' state."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

DAGS = Path(__file__).parent / "dags"
pytestmark = pytest.mark.usefixtures("airflow_db")


def run(dag_id: str, out: Path) -> Any:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(DAGS / "drift_walks.py"), bundle_name="tests")
    assert bag.import_errors == {}
    return bag.dags[dag_id].test(run_conf={"out": str(out)})


def states(done: Any) -> dict[str, str]:
    return {
        ti.task_id + (f"[{ti.map_index}]" if ti.map_index >= 0 else ""): str(ti.state)
        for ti in done.get_task_instances()
    }


def tries(done: Any) -> dict[str, int]:
    return {ti.task_id: ti.try_number for ti in done.get_task_instances()}


def xcom(done: Any, task_id: str, key: str = "return_value") -> Any:
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    with create_session() as session:
        query = XComModel.get_many(
            run_id=done.run_id, key=key, task_ids=task_id, dag_ids=done.dag_id
        )
        return XComModel.deserialize_value(session.execute(query).scalars().one())


def events(done: Any) -> list[tuple[Any, Any]]:
    """Return extra and partition of the asset events of a run."""
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        query = select(AssetEvent).where(AssetEvent.source_run_id == done.run_id)
        return [(each.extra, each.partition_key) for each in session.scalars(query)]


def test_a_snapshot_spreads_over_tasks_and_the_gate_stops_what_comes_next(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    done = run("drift_map_reduce", tmp_path)
    said = capfd.readouterr().out
    assert re.search(r"DriftDetectedError: drift_map_reduce\.check: drift: \d of \d columns", said)
    assert said.count("Task failed with exception") == 1
    assert states(done) == {
        "fit": "success", "scan[0]": "success", "scan[1]": "success", "merge": "success",
        "check": "success", "gate": "failed", "never": "upstream_failed",
    }  # fmt: skip
    scans = [ti for ti in done.get_task_instances() if ti.task_id == "scan"]
    names = {ti.rendered_map_index.rpartition("/")[2] for ti in scans}
    assert names == {"month=2013-02", "month=2013-03"}
    assert xcom(done, "check")["status"] == xcom(done, "gate")["status"] == "drift"
    assert xcom(done, "merge")["rows"] == xcom(done, "check")["current"]["rows"]
    ((extra, _),) = events(done)
    assert extra["kl_drift"] == xcom(done, "check"), "the check is green, and its asset has news"


def test_only_what_may_pass_is_tried_again(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    done = run("drift_failures", tmp_path)
    said = capfd.readouterr().out
    for failure in (
        r"DriftDetectedError: drift_failures\.drifted: drift: 1 of 1 columns drifted \(dep_time\)",
        r"Skipping task\. .*drift: 1 of 1 columns drifted \(dep_time\)",
        r"DriftUndecidedError: drift_failures\.undecided: undecided: too few rows to judge 1 of 1",
        r"SnapshotNotFoundError: .*/nothing",
        r"DriftMistakeError: .*no column 'dep_tim'",
    ):
        assert re.search(failure, said), failure
    assert states(done) == {
        "drifted": "failed", "skipped": "skipped", "undecided": "failed", "missing": "failed",
        "mistaken": "failed",
    }  # fmt: skip
    assert tries(done) == {"drifted": 1, "skipped": 1, "undecided": 1, "missing": 2, "mistaken": 1}
    for task_id, status in (("drifted", "drift"), ("undecided", "undecided"), ("skipped", "drift")):
        summary = xcom(done, task_id)
        assert (summary["version"], summary["status"]) == (1, status)
        assert Path(summary["report"]).exists()
        link = xcom(done, task_id, "_link_DriftReportLink")
        assert link == summary["link"], "from Airflow's own address on, which may change"
        assert link.endswith(f"/tasks/{task_id}/plugin/drift")
    assert events(done) == [], "Airflow drops the events of tasks that fail"
    assert xcom(done, "missing", "_link_DriftReportLink") in ("", None)


def test_a_promoted_reference_is_the_one_that_is_compared_with(
    tmp_path: Path, airflow_3_3: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    done = run("drift_promotion", one)
    if not airflow_3_3:
        assert states(done) == {
            "check": "failed", "branch": "upstream_failed", "promote": "upstream_failed",
            "never": "upstream_failed", "again": "upstream_failed",
        }  # fmt: skip
        said = capfd.readouterr().out
        assert "DriftMistakeError: pointer 'walks_reference': only Airflow 3.3" in said
        assert "give the path of a JSON file" in said
        return
    assert states(done) == {
        "check": "success", "branch": "success", "promote": "success", "never": "skipped",
        "again": "success",
    }  # fmt: skip
    moved = xcom(done, "promote")
    assert moved["profile"] == str(one / "february.json")
    assert (moved["previous"], moved["note"]) == (None, "seen and approved")
    assert xcom(done, "again")["status"] == "ok", "it is compared with itself"
    once_more = run("drift_promotion", two)
    assert xcom(once_more, "promote")["previous"] == str(one / "february.json")


def test_a_function_returns_rows_or_arguments(tmp_path: Path) -> None:
    done = run("drift_decorated", tmp_path)
    assert states(done) == {"rows": "success", "arguments": "success"}
    assert xcom(done, "rows")["status"] == "ok"
    assert xcom(done, "arguments")["status"] == "drift"


def test_checks_are_mapped_each_with_its_report_and_its_alert(tmp_path: Path) -> None:
    done = run("drift_mapped_checks", tmp_path)
    assert states(done) == {"check[0]": "success", "check[1]": "success"}
    notes = [(tmp_path / f"note{index}.txt").read_text(encoding="utf-8") for index in (0, 1)]
    for index, note in enumerate(notes):
        assert f"month=2013-0{index + 2}" in note
        run_id = quote(done.run_id, safe="")
        assert f"/drift_mapped_checks/runs/{run_id}/tasks/check/mapped/{index}/plugin/drift" in note


def test_a_run_of_a_partition_checks_it_and_says_so(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    airflow_3_3: bool,
    capfd: pytest.CaptureFixture[str],
) -> None:
    from airflow.models import dagrun

    def partitioned(*, session: Any, **more: Any) -> Any:
        made = original(session=session, **more)
        made.partition_key = "2013-02"
        session.commit()
        return made

    original = dagrun.get_or_create_dagrun
    monkeypatch.setattr(dagrun, "get_or_create_dagrun", partitioned)
    done = run("drift_partition", tmp_path)
    if not airflow_3_3:  # whose templates know no partitions
        assert states(done) == {"check": "failed"}
        assert "'partition_key' is undefined" in capfd.readouterr().out
        return
    assert states(done) == {"check": "success"}
    assert xcom(done, "check")["partition"] == "2013-02"
    ((extra, partition),) = events(done)
    assert partition == extra["kl_drift"]["partition"] == "2013-02"
