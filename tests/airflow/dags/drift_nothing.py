"""A DAG that needs nothing but Airflow: whether the tests' own Airflow works."""

from __future__ import annotations

from airflow.sdk import dag, task


@dag(schedule=None)
def drift_nothing() -> None:
    @task
    def answer() -> int:
        return 42

    answer()


drift_nothing()
