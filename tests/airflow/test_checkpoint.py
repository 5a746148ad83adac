"""The operator of Great Expectations, with real contexts: one made for the run, one on disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

os.environ["GX_ANALYTICS_ENABLED"] = "False"  # read once, as Great Expectations is imported


class TaskInstance:
    """What the operator asks of its task instance."""

    def __init__(self) -> None:
        self.xcom: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcom[key] = value


@pytest.fixture
def ti() -> TaskInstance:
    return TaskInstance()


def context(ti: TaskInstance) -> Any:
    return {"ti": ti, "outlets": [], "outlet_events": {}}


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> str:
    import kl_drift as kd

    path = tmp_path_factory.mktemp("reference") / "reference.json"
    kd.save(kd.fit(frame()), path)
    return str(path)


def frame(shift: int = 0) -> Any:
    import pandas as pd

    return pd.DataFrame({"amount": [float(n % 100 + shift) for n in range(8_000)]})


def batch(reference: str, shift: int = 0, **_: object) -> dict[str, Any]:
    return {"dataframe": frame(shift)}


def build(context: Any, reference: str, extra: str = "", **_: object) -> Any:
    """Make a checkpoint of kl-drift's expectation and, for `extra`, of others."""
    import great_expectations as gx

    from kl_drift.gx import ExpectColumnKLDriftToBeLessThan

    frames = context.data_sources.add_or_update_pandas("frames").add_dataframe_asset("frame")
    suite = context.suites.add(gx.ExpectationSuite(name="amounts"))
    if extra != "nothing":
        suite.add_expectation(ExpectColumnKLDriftToBeLessThan(column="amount", reference=reference))
    if extra == "limit":
        limit = {"$PARAMETER": "limit"}
        suite.add_expectation(
            gx.expectations.ExpectColumnMaxToBeBetween(column="amount", max_value=limit)
        )
    if extra == "missing":
        suite.add_expectation(gx.expectations.ExpectColumnMaxToBeBetween(column="absent"))
    definition = context.validation_definitions.add(
        gx.ValidationDefinition(
            name="amounts", suite=suite, data=frames.add_batch_definition_whole_dataframe("all")
        )
    )
    return context.checkpoints.add(
        gx.Checkpoint(name="amounts", validation_definitions=[definition])
    )


def operator(reference: str, **more: Any) -> Any:
    from kl_drift.airflow import GXCheckpointOperator

    kwargs = {"reference": reference, **more.pop("op_kwargs", {})}
    return GXCheckpointOperator(
        **{"task_id": "expect", "checkpoint": build, "batch_parameters": batch, **more},
        op_kwargs=kwargs,
    )


def test_expectations_that_are_met(ti: TaskInstance, reference: str) -> None:
    found = operator(reference).execute(context(ti))
    assert (found["status"], found["evaluated"], found["expectations"]) == ("ok", 1, [])
    assert ti.xcom["return_value"] == found
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_drift_fails_without_a_retry_and_xcom_has_the_numbers(
    ti: TaskInstance, reference: str
) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException, match=r"amount: drift: KL 8\.\d+ nats"):
        operator(reference, op_kwargs={"shift": 90}).execute(context(ti))
    found = ti.xcom["return_value"]
    (unmet,) = found["expectations"]
    assert (found["status"], unmet["column"], unmet["status"]) == ("failed", "amount", "drift")
    assert unmet["columns"][0]["kl"] > 8
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_an_expectation_of_others_is_told_with_its_numbers(
    ti: TaskInstance, reference: str
) -> None:
    from kl_drift.airflow import ExpectationsUnmetError

    expect = operator(
        reference, op_kwargs={"extra": "limit"}, expectation_parameters={"limit": 98.0}
    )
    with pytest.raises(ExpectationsUnmetError, match="1 of 2 expectations not met") as raised:
        expect.execute(context(ti))
    assert str(raised.value) == (
        "checkpoint amounts: 1 of 2 expectations not met\n"
        "- expect_column_max_to_be_between(column='amount', max_value=98.0): observed_value 99.0"
    )
    assert ti.xcom["return_value"]["expectations"][0]["numbers"] == {"observed_value": 99.0}


def test_a_warning_only_logs(ti: TaskInstance, reference: str) -> None:
    expect = operator(reference, op_kwargs={"shift": 90}, on_unmet="warn")
    assert expect.execute(context(ti))["status"] == "failed"


def test_what_comes_next_can_be_skipped(ti: TaskInstance, reference: str) -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    with pytest.raises(AirflowSkipException, match="1 of 1 expectations not met"):
        operator(reference, op_kwargs={"shift": 90}, on_unmet="skip").execute(context(ti))


@pytest.mark.parametrize("on_unmet", ["fail", "warn", "skip"])
def test_what_could_not_be_evaluated_is_no_drift_and_is_retried(
    on_unmet: str, ti: TaskInstance, reference: str
) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    from kl_drift.airflow import ExpectationsNotEvaluatedError

    expect = operator(reference, op_kwargs={"extra": "missing"}, on_unmet=on_unmet)
    with pytest.raises(ExpectationsNotEvaluatedError, match='column "absent"') as raised:
        expect.execute(context(ti))
    assert not isinstance(raised.value, AirflowFailException)
    found = ti.xcom["return_value"]
    assert (found["status"], found["unmet"], found["errors"]) == ("error", 0, 1)


def test_drift_beside_an_error_is_drift_and_names_both(ti: TaskInstance, reference: str) -> None:
    from kl_drift.airflow import ExpectationsUnmetError

    expect = operator(reference, op_kwargs={"extra": "missing", "shift": 90})
    with pytest.raises(
        ExpectationsUnmetError, match=r"1 of 2 .* not met; 1 could not be evaluated"
    ):
        expect.execute(context(ti))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"op_kwargs": {"extra": "nothing"}}, "evaluated no expectation"),
        ({"checkpoint": "amounts"}, "no checkpoint 'amounts' in the context; it has: none"),
        ({"project": "/nowhere"}, "name the folder that has gx/great_expectations.yml"),
        ({"on_unmet": "shout"}, "on_unmet: expected one of fail, warn, skip, got 'shout'"),
    ],
)
def test_a_mistake_is_not_retried(
    wrong: dict[str, Any], message: str, ti: TaskInstance, reference: str
) -> None:
    from kl_drift.airflow import DriftMistakeError

    with pytest.raises(DriftMistakeError, match=message):
        operator(reference, **wrong).execute(context(ti))
    assert ti.xcom == {}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, reference: str) -> Path:
    """Return the folder of a file context with a checkpoint in it."""
    import great_expectations as gx

    folder = tmp_path_factory.mktemp("project")
    build(gx.get_context(mode="file", project_root_dir=folder), reference)
    return folder


def test_a_stored_checkpoint(ti: TaskInstance, reference: str, project: Path) -> None:
    from kl_drift.airflow import ExpectationsUnmetError

    stored = {"checkpoint": "amounts", "project": str(project)}
    assert operator(reference, **stored).execute(context(ti))["status"] == "ok"
    with pytest.raises(ExpectationsUnmetError, match=r"amount: drift: KL 8\.\d+ nats"):
        operator(reference, **stored, op_kwargs={"shift": 90}).execute(context(ti))


def test_a_stored_suite_that_lost_its_expectations_never_passes(
    ti: TaskInstance, reference: str, project: Path
) -> None:
    from kl_drift.airflow import DriftMistakeError

    (file,) = (project / "gx" / "expectations").glob("*.json")
    whole = file.read_text()
    file.write_text(whole.replace("expect_column_kl_drift", "expect_column_forgotten"))
    try:
        with pytest.raises(DriftMistakeError, match="suite 'amounts'"):
            operator(reference, checkpoint="amounts", project=str(project)).execute(context(ti))
    finally:
        file.write_text(whole)
    assert ti.xcom == {}


def test_templates_reach_what_may_vary() -> None:
    expect = operator(
        "{{ ti.xcom }}",
        project="{{ root }}/gx",
        batch_parameters={"month": "{{ month }}"},
        expectation_parameters={"limit": "{{ limit }}"},
    )
    expect.render_template_fields({"ti": TaskInstance(), "root": "/x", "month": "02", "limit": 0.1})
    assert expect.project == "/x/gx"
    assert expect.batch_parameters == {"month": "02"}
    assert expect.expectation_parameters == {"limit": "0.1"}
    assert expect.op_kwargs == {"reference": "{}"}


def test_a_dag_file_with_it_stays_quick() -> None:
    heavy = ["great_expectations", "kl_drift.gx", "numpy", "pandas", "pyarrow", "scipy"]
    code = (
        "import sys, airflow.sdk; before = set(sys.modules); import kl_drift.airflow.checkpoint;"
        f"print([name for name in {heavy} if name in set(sys.modules) - before])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
