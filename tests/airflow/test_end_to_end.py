"""A complete Airflow, started as `make airflow` starts it, asked over its REST API."""

from __future__ import annotations

from pathlib import Path

from live import airflow

HERE = Path(__file__).parent


def test_a_run_from_its_trigger_to_its_end(tmp_path: Path) -> None:
    with airflow(tmp_path / "airflow", [HERE / "dags"], {}) as live:
        run = live.trigger("drift_nothing")
        assert live.end(run) == "success"
        assert live.states(run) == {"answer": "success"}
        assert live.xcom(run, "answer") == 42
        assert "Done" in live.log(run, "answer")
