"""The DAGs of `dags/`, as they are: imported without an error, documented, run to their end."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

DAGS = Path(__file__).parent.parent.parent / "dags"

ENDS = {
    "drift_gate": {
        "check": "success",
        "gate": "failed",
        "train": "upstream_failed",
        "branch": "success",
        "publish": "skipped",
        "quarantine": "success",
    },
    "drift_great_expectations": {"fit": "success", "expect": "failed"},
    "drift_by_partition": {
        "partitions": "success",
        "fit": "success",
        "scan[0]": "success",
        "scan[1]": "success",
        "scan[2]": "success",
        "merge": "success",
        "check": "success",
    },
    "drift_monthly": {"check": "failed"},
    "drift_on_arrival": {"check": "success"},
    "drift_promote": {"check": "success", "approve": "success", "promote": "success"},
    "flights_arrive": {"load": "success"},
}
"""How each task ends where a DAG is run by hand as it stands: July, for one, has drifted."""

REFUSED = {"check": "failed", "approve": "upstream_failed", "promote": "upstream_failed"}
"""How *drift_promote* ends before Airflow 3.3, which keeps no pointer with an asset."""


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KL_DRIFT_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def load(name: str) -> Any:
    """Return a DAG, from whichever file makes it."""
    for file in DAGS.glob("*.py"):
        made = runpy.run_path(str(file))
        if name in made:
            return made[name]()
    raise LookupError(name)


def states(run: Any) -> dict[str, str]:
    return {
        task.task_id + (f"[{task.map_index}]" if task.map_index >= 0 else ""): str(task.state)
        for task in run.get_task_instances()
    }


def test_every_dag_is_imported_and_says_what_it_is_for(airflow_db: Path) -> None:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(DAGS)
    assert bag.import_errors == {}
    assert sorted(bag.dags) == sorted(ENDS)
    for dag in bag.dags.values():
        assert len(dag.doc_md.splitlines()) > 4, dag.dag_id


@pytest.mark.parametrize("name", sorted(ENDS))
def test_each_runs_to_its_end(name: str, airflow_db: Path, airflow_3_3: bool) -> None:
    # The answer of a person is what a running Airflow is asked for; see test_end_to_end.
    run = load(name).test(mark_success_pattern="approve")
    before_3_3 = name == "drift_promote" and not airflow_3_3
    assert states(run) == (REFUSED if before_3_3 else ENDS[name])


def test_the_sum_of_the_parts_has_every_row(airflow_db: Path, data: Path) -> None:
    import kl_drift as kd

    load("drift_by_partition").test()
    (quarter,) = data.glob("by_partition/*/quarter.json")
    (reference,) = data.glob("by_partition/*/reference.json")
    whole = kd.scan(
        kd.Snapshot(
            path=str(DAGS.parent / "examples" / "flights"),
            where={"month": ["2013-04", "2013-05", "2013-06"]},
        ),
        like=kd.load_profile(reference),
    )
    merged = kd.load_profile(quarter)
    assert len(merged.counted) == 15
    assert {name: merged[name].histogram for name in merged.counted} == {
        name: whole[name].histogram for name in whole.counted
    }


@pytest.mark.parametrize(
    ("run_type", "month"),
    [("scheduled", "2013-11"), ("backfill", "2013-11"), ("manual", "2013-07")],
)
def test_a_scheduled_check_takes_the_month_of_its_interval(run_type: str, month: str) -> None:
    from airflow.sdk import timezone

    task = load("drift_monthly").get_task("check")
    task.render_template_fields(
        {
            "dag_run": SimpleNamespace(run_type=run_type),
            "data_interval_start": timezone.datetime(2031, 11, 1),
            "params": {"month": "2013-07"},
        }
    )
    assert task.values == {"month": month}
    assert task.report.endswith(f"/monthly/{month}.json")


@pytest.mark.parametrize("kept", ["with the asset", "in a file"])
def test_after_the_approval_the_month_is_the_reference(
    kept: str,
    airflow_db: Path,
    airflow_3_3: bool,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    dag = load("drift_promote")
    if kept == "in a file":  # as the DAG's own words say, for Airflow 3.2
        for name in ("check", "promote"):
            dag.get_task(name).pointer = str(tmp_path / "pointer.json")
    first = dag.test(mark_success_pattern="approve")
    if kept == "with the asset" and not airflow_3_3:
        assert states(first)["check"] == "failed"
        assert "only Airflow 3.3 and later keep state for an asset" in capfd.readouterr().out
        return
    assert states(first) == ENDS["drift_promote"]
    again = dag.test(mark_success_pattern="approve")
    check = again.get_task_instance("check").xcom_pull("check")
    assert check["status"] == "ok"
    assert check["reference"]["source"] == check["current"]["source"]
