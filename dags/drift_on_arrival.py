"""A check when data arrives.

*flights_arrive* stands for whatever loads a month; when it has, it says so by the asset `flights`,
with the month in the event. That **triggers** *drift_on_arrival*, which checks the month that the
event names. There is no clock, and no date to guess the month from.

Where several months arrive before it runs, Airflow starts **one** run for all of them, and hands it
their events in no order. *arrived* sorts them, and *check* is mapped over them: one month after the
other, oldest first, and none is lost.

**Unpause both DAGs**, run *flights_arrive* by hand, and watch *drift_on_arrival*. While that is
paused, months wait; they are all checked once it is unpaused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow.sdk import Asset, Metadata, Param, dag, task

from kl_drift.airflow.operators import DriftCheckOperator

FLIGHTS = Asset("flights")
MONTH = Param("2013-03", pattern=r"^2013-\d\d$")


# --8<-- [start:arrival]
@dag(schedule=None, params={"month": MONTH}, doc_md=__doc__, tags=["kl-drift"])
def flights_arrive() -> None:
    @task(outlets=[FLIGHTS])
    def load(params: dict[str, str]) -> Iterator[Metadata]:
        yield Metadata(FLIGHTS, {"month": params["month"]})

    load()


@dag(schedule=[FLIGHTS], params={"month": MONTH}, doc_md=__doc__, tags=["kl-drift"])
def drift_on_arrival() -> None:
    @task
    def arrived(triggering_asset_events: Any, params: dict[str, str]) -> list[dict[str, str]]:
        """Return the months that arrived, oldest first; run by hand, the one that was asked for."""
        found = triggering_asset_events.get(FLIGHTS, ())
        events = sorted(found, key=lambda event: event.timestamp)
        return [{"month": event.extra["month"]} for event in events] or [params]

    DriftCheckOperator.partial(
        task_id="check",
        plan="../configs/flights-minimal.yaml",  # relative to this file
        map_index_template="{{ task.values.month }}",
        max_active_tis_per_dagrun=1,
    ).expand(values=arrived())


# --8<-- [end:arrival]


flights_arrive()
drift_on_arrival()
