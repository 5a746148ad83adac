"""A new normal, approved by a person.

When the world has changed for good, the reference has to follow, and a person should say so.
*check* compares the month with the reference of now and saves its profile; *approve* shows what
drifted and **waits for an answer** (in the list *Required actions*); *promote* makes the month's
profile the reference. From the next run on, *check* compares with it.

Which profile is the reference now is kept by Airflow with the asset `flights_reference`. Until one
was promoted, it is January. What is scheduled on the asset runs when it changes. (Airflow 3.3 keeps
it; on 3.2 let `pointer` be the path of a JSON file.)
"""

from __future__ import annotations

import os
from pathlib import Path

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Asset, Param, dag

from kl_drift.airflow.operators import DriftCheckOperator, PromoteReferenceOperator

ROOT = Path(__file__).parent.parent
FLIGHTS = f"{ROOT}/examples/flights"
DATA = os.environ.get("KL_DRIFT_DATA", f"{ROOT}/out/dags")
REFERENCE = Asset("flights_reference")


@dag(
    schedule=None,
    params={"month": Param("2013-07", pattern=r"^2013-\d\d$")},
    doc_md=__doc__,
    tags=["kl-drift"],
)
def drift_promote() -> None:
    check = DriftCheckOperator(
        task_id="check",
        reference=f"{FLIGHTS}/month=2013-01",
        current=f"{FLIGHTS}/month={{{{ params.month }}}}",
        columns={"exclude": ["day"]},
        profile=f"{DATA}/promote/{{{{ run_id }}}}.json",
        pointer=REFERENCE,
        on_drift="warn",
    )
    approve = ApprovalOperator(
        task_id="approve",
        subject="Is {{ params.month }} the new normal?",
        body="""{% set found = ti.xcom_pull(task_ids='check') -%}
**{{ found.summary }}** ([report]({{ found.link }}))

| column | status | KL (nats) | what moved |
| --- | --- | --- | --- |
{% for column in found.columns -%}
| {{ column.name }} | {{ column.status }} | {{ column.kl }} | {{ column.moved | join('; ') }} |
{% endfor %}""",
    )
    # --8<-- [start:promote]
    promote = PromoteReferenceOperator(
        task_id="promote",
        profile=check.output,
        pointer=REFERENCE,
        note="{{ params.month }}, approved",
    )
    check >> approve >> promote
    # --8<-- [end:promote]


drift_promote()
