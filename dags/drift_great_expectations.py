"""A checkpoint of Great Expectations.

*fit* saves January as the reference. *expect* then runs a checkpoint on a month: drift of each
column, by kl-drift's expectation, beside one of Great Expectations' own. **An expectation that is
not met fails the task without a retry**, and the message says which, with the numbers; one that
could not be evaluated is another matter, and is retried. A suite that lost its expectations never
passes.

The checkpoint is made by a function when the task runs, so that nothing of it is needed on disk;
the name of a checkpoint in a project would do as well.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import Param, dag

from kl_drift.airflow.checkpoint import GXCheckpointOperator
from kl_drift.airflow.operators import FitReferenceOperator

if TYPE_CHECKING:
    from great_expectations import Checkpoint

FLIGHTS = Path(__file__).parent.parent / "examples" / "flights"
DATA = os.environ.get("KL_DRIFT_DATA", str(FLIGHTS.parent.parent / "out" / "dags"))
REFERENCE = f"{DATA}/great_expectations/{{{{ run_id }}}}.json"


# --8<-- [start:checkpoint]
def flights(context: Any, reference: str, month: str) -> Checkpoint:
    """Make the checkpoint: which data, which expectations."""
    import great_expectations as gx

    from kl_drift.gx import suite

    frames = context.data_sources.add_pandas("flights").add_dataframe_asset(month)
    data = frames.add_batch_definition_whole_dataframe("all of it")
    expected = context.suites.add(suite(reference))
    expected.add_expectation(
        gx.expectations.ExpectColumnValuesToBeInSet(
            column="origin", value_set=["EWR", "JFK", "LGA"]
        )
    )
    definition = gx.ValidationDefinition(name="flights", data=data, suite=expected)
    context.validation_definitions.add(definition)
    return context.checkpoints.add(
        gx.Checkpoint(name="flights", validation_definitions=[definition])
    )


def rows(reference: str, month: str) -> dict[str, Any]:
    """Read the month: all its part files, and of them the columns that the reference has."""
    from kl_drift.gx import parquet_batch

    return {"dataframe": parquet_batch(FLIGHTS / f"month={month}", reference)}


# --8<-- [end:checkpoint]


@dag(
    schedule=None,
    params={"month": Param("2013-07", pattern=r"^2013-\d\d$")},
    doc_md=__doc__,
    tags=["kl-drift", "great-expectations"],
)
def drift_great_expectations() -> None:
    fit = FitReferenceOperator(
        task_id="fit",
        snapshot=str(FLIGHTS / "month=2013-01"),
        columns=["*_delay", "air_time", "carrier", "origin"],
        profile=REFERENCE,
    )
    # --8<-- [start:task]
    expect = GXCheckpointOperator(
        task_id="expect",
        checkpoint=flights,
        batch_parameters=rows,
        op_kwargs={"reference": REFERENCE, "month": "{{ params.month }}"},
    )
    fit >> expect
    # --8<-- [end:task]


drift_great_expectations()
