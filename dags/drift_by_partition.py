"""A large snapshot, spread over the workers.

The reference is fitted once. Then **one mapped task for each partition** counts its rows over the
reference's bins and saves a profile of a few kilobytes; *merge* adds the counts up, which gives
exactly what one scan of the whole would have given; *check* compares the sum with the reference.

No task holds more than one partition, and no rows travel between tasks. Here the partitions are the
months April to June 2013, and the reference is the first quarter.
"""

from __future__ import annotations

import os
from pathlib import Path

from airflow.sdk import dag, task

from kl_drift.airflow.operators import (
    DriftCheckOperator,
    FitReferenceOperator,
    MergeProfilesOperator,
    ScanSnapshotOperator,
)

ROOT = Path(__file__).parent.parent
FLIGHTS = f"{ROOT}/examples/flights"
DATA = os.environ.get("KL_DRIFT_DATA", f"{ROOT}/out/dags") + "/by_partition/{{ run_id }}"


@dag(schedule=None, doc_md=__doc__, tags=["kl-drift"])
def drift_by_partition() -> None:
    @task
    def partitions() -> list[dict[str, str]]:
        """List what there is to scan; a real one would look into the lake."""
        return [
            {"path": f"{FLIGHTS}/month=2013-{month:02d}", "label": f"flights of 2013-{month:02d}"}
            for month in (4, 5, 6)
        ]

    # --8<-- [start:map]
    reference = FitReferenceOperator(
        task_id="fit",
        snapshot={"path": FLIGHTS, "where": {"month": ["2013-01", "2013-02", "2013-03"]}},
        columns={"exclude": ["month", "day"]},
        profile=f"{DATA}/reference.json",
    )
    parts = ScanSnapshotOperator.partial(
        task_id="scan",
        reference=reference.output,
        profile=f"{DATA}/part-{{{{ ti.map_index }}}}.json",
        map_index_template="{{ task.snapshot.label }}",
    ).expand(snapshot=partitions())
    whole = MergeProfilesOperator(
        task_id="merge", profiles=parts.output, profile=f"{DATA}/quarter.json"
    )
    # --8<-- [end:map]
    DriftCheckOperator(
        task_id="check",
        reference=reference.output,
        current=whole.output,
        limits={"drift": 0.1},
        on_drift="warn",
    )


drift_by_partition()
