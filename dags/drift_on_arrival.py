"""A check when data arrives.

*flights_arrive* stands for whatever loads a month; when it has, it says so by the asset `flights`,
with the month in the event. That **triggers** *drift_on_arrival*, which checks the month that the
event names. There is no clock, and no date to guess the month from.

Where several months arrive before it runs, Airflow starts **one** run for all of them, and this one
checks the last. If each must be checked, map the task over `triggering_asset_events`.

Run *flights_arrive* by hand, and watch.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from airflow.sdk import Asset, Metadata, Param, dag, task

from kl_drift.airflow.operators import DriftCheckOperator

ROOT = Path(__file__).parent.parent
FLIGHTS = Asset("flights")
MONTH = Param("2013-03", pattern=r"^2013-\d\d$")
# --8<-- [start:arrival]
ARRIVED = """\
{%- if triggering_asset_events -%}
{{ (triggering_asset_events.values() | first | last).extra.month }}
{%- else -%}
{{ params.month }}
{%- endif -%}"""


@dag(schedule=None, params={"month": MONTH}, doc_md=__doc__, tags=["kl-drift"])
def flights_arrive() -> None:
    @task(outlets=[FLIGHTS])
    def load(params: dict[str, str]) -> Iterator[Metadata]:
        yield Metadata(FLIGHTS, {"month": params["month"]})

    load()


@dag(schedule=[FLIGHTS], params={"month": MONTH}, doc_md=__doc__, tags=["kl-drift"])
def drift_on_arrival() -> None:
    DriftCheckOperator(
        task_id="check",
        plan=f"{ROOT}/configs/flights-minimal.yaml",
        values={"month": ARRIVED},
    )


# --8<-- [end:arrival]


flights_arrive()
drift_on_arrival()
