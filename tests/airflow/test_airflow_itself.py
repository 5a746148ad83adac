"""The Airflow of these tests: in its own home, with its own database, able to run a DAG."""

from __future__ import annotations

import runpy
from pathlib import Path

DAGS = Path(__file__).parent / "dags"


def test_airflow_lives_in_the_home_of_these_tests(airflow_home: Path) -> None:
    from airflow.configuration import conf

    assert str(airflow_home) in conf.get("database", "sql_alchemy_conn")
    assert Path(conf.get("core", "dags_folder")).name == "dags"


def test_a_dag_runs_to_its_end(airflow_db: Path) -> None:
    run = runpy.run_path(str(DAGS / "drift_nothing.py"))["drift_nothing"]().test()
    assert airflow_db.exists()
    assert {ti.task_id: ti.state for ti in run.get_task_instances()} == {"answer": "success"}
