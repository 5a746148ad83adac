"""The DAGs of `dags/`, as they are: imported without an error, documented, run to their end."""

from __future__ import annotations

import re
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
    "drift_on_arrival": {"arrived": "success", "check[0]": "success"},
    "drift_promote": {"check": "success", "approve": "success", "promote": "success"},
    "flights_arrive": {"load": "success"},
}
"""How each task ends where a DAG is run by hand as it stands: July, for one, has drifted."""

FAILURES = {
    "drift_gate": [
        r"DriftDetectedError: drift_gate\.check: drift: 3 of 6 columns drifted \(air_time"
    ],
    "drift_great_expectations": [
        "ExpectationsUnmetError: checkpoint flights: 1 of 6 expectations not met",
        r"\n- air_time: drift: KL 0\.1498 nats \(.*\), above the limit 0\.05",
    ],
    "drift_monthly": [r"DriftDetectedError: flights: drift: 4 of 17 columns drifted \(air_time"],
}
"""The exception of each task that fails, and what it says."""

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
            dag = made[name]()
            dag.fileloc = str(file)  # which Airflow takes from whoever calls
            return dag
    raise LookupError(name)


def states(run: Any) -> dict[str, str]:
    return {
        task.task_id + (f"[{task.map_index}]" if task.map_index >= 0 else ""): str(task.state)
        for task in run.get_task_instances()
    }


def failures(said: str) -> int:
    """Return how many tasks say why they failed."""
    return said.count("Task failed with exception")


def test_every_month_that_arrived_is_checked_oldest_first() -> None:
    from airflow.sdk import Asset

    arrived = load("drift_on_arrival").get_task("arrived").python_callable
    events = [
        SimpleNamespace(timestamp=hour, extra={"month": month})
        for hour, month in ((3, "2013-04"), (1, "2013-09"), (2, "2013-03"), (4, "2013-04"))
    ]
    by_hand = {"month": "2013-05"}
    assert arrived({Asset("flights"): events}, by_hand) == [
        {"month": month} for month in ("2013-09", "2013-03", "2013-04", "2013-04")
    ]
    assert arrived({}, by_hand) == [by_hand]


def test_every_dag_is_imported_and_says_what_it_is_for(airflow_db: Path) -> None:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(DAGS)
    assert bag.import_errors == {}
    assert sorted(bag.dags) == sorted(ENDS)
    for dag in bag.dags.values():
        assert len(dag.doc_md.splitlines()) > 4, dag.dag_id


@pytest.mark.parametrize("name", sorted(ENDS))
def test_each_runs_to_its_end(
    name: str, airflow_db: Path, airflow_3_3: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    # The answer of a person is what a running Airflow is asked for; see test_end_to_end.
    run = load(name).test(mark_success_pattern="approve")
    before_3_3 = name == "drift_promote" and not airflow_3_3
    assert states(run) == (REFUSED if before_3_3 else ENDS[name])
    said = capfd.readouterr().out
    refused = ["DriftMistakeError: pointer 'flights_reference': only Airflow 3.3 and later"]
    for failure in refused if before_3_3 else FAILURES.get(name, []):
        assert re.search(failure, said), failure
    assert failures(said) == int(before_3_3 or name in FAILURES)


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
