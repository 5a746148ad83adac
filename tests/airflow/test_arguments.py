"""What operators are given: refused when the file is parsed, filled by templates, taken as text."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from kl_drift import History, Snapshot, load_profile
from kl_drift.airflow import (
    DriftCheckOperator,
    DriftGateOperator,
    DriftMistakeError,
    FitReferenceOperator,
    GXCheckpointOperator,
    MergeProfilesOperator,
    PromoteReferenceOperator,
    ScanSnapshotOperator,
    drift_check_task,
)

ROOT = Path(__file__).parent.parent.parent
FLIGHTS = ROOT / "examples" / "flights"
JANUARY, FEBRUARY = FLIGHTS / "month=2013-01", FLIGHTS / "month=2013-02"
CALM = {"warn": 5.0, "drift": 6.0, "null_drift": 5.0}


@pytest.fixture
def context() -> Any:
    ti = SimpleNamespace(dag_id="dag", run_id="run", task_id="task", map_index=-1, try_number=1)
    ti.xcom_push = lambda key, value: None
    return {"ti": ti, "run_id": "run", "outlets": [], "outlet_events": {}, "params": {}}


def check(**arguments: Any) -> DriftCheckOperator:
    defaults = {"reference": str(JANUARY), "current": str(FEBRUARY), "columns": ["dep_time"]}
    return DriftCheckOperator(task_id="check", **{**defaults, **arguments})


def a_function(context: Any = None, jinja_env: Any = None) -> None:
    """Be called by nobody."""
    raise AssertionError("Airflow called it")


_FIT = {"task_id": "fit", "snapshot": "a", "profile": "p.json"}
_SCAN = {"task_id": "scan", "snapshot": "a", "reference": "r.json", "profile": "p.json"}
_MERGE = {"task_id": "merge", "profiles": ["a.json"], "profile": "p.json"}
_PROMOTE = {"task_id": "promote", "profile": "p.json", "pointer": "x.json"}
_GATE = {"task_id": "gate", "report": {}}
_EXPECT = {"task_id": "expect", "checkpoint": "c"}
LEAKY = "s3://AKIA:s3cr3t@bucket/x.json"
LEAKY_HISTORY = "postgresql://me:s3cr3t@db/drift"

_AT_PARSING: list[tuple[str, Callable[[], Any]]] = [
    ("on_drift: expected one of fail, warn, skip, got 'explode'", lambda: check(
        on_drift="explode")),
    ("on_undecided: expected one of .* got 'shrug'", lambda: check(on_undecided="shrug")),
    ("notify_on: expected some of .* got 'Drift'", lambda: check(notify_on=["Drift"])),
    ("notifiers: expected notifiers of Airflow, .* got 'slack'", lambda: check(notifiers="slack")),
    ("notifiers: expected .* got 'slack'", lambda: check(notifiers=[print, "slack"])),
    ("report: expected a name that ends in .json, got 'r.txt'", lambda: check(report="r.txt")),
    ("html: expected a name that ends in .html or", lambda: check(html="page.json")),
    ("profile: expected a name that ends in .json", lambda: check(
        profile="{{ ds }}.parquet")),
    (r"limits\.wran: no such limit; .* Did you mean 'warn'\?", lambda: check(limits={"wran": 1})),
    (r"limits\.warn: expected a number, got 'low'", lambda: check(limits={"warn": "low"})),
    ("expected plan=, or reference= and", lambda: DriftCheckOperator(task_id="check")),
    ("expected current=: the rows to judge", lambda: check(current=None)),
    ("limits= and plan= contradict", lambda: DriftCheckOperator(
        task_id="check", plan="p.yaml", limits={"warn": 0.1})),
    ("values: 'day' is None; give a text", lambda: DriftCheckOperator(
        task_id="check", plan="p.yaml", values={"day": None})),
    ("current: s3://bucket/x.json holds credentials", lambda: check(current=LEAKY)),
    ("reference: s3://bucket/x.json holds cred", lambda: check(reference={"path": LEAKY})),
    ("current: s3://bucket/x.json holds cred", lambda: check(current=Snapshot(path=LEAKY))),
    ("history: postgresql://db/drift holds cred", lambda: check(history=LEAKY_HISTORY)),
    ("history: postgresql://db/drift holds cred", lambda: check(
        history="postgresql://me:{{ conn.db.password }}@db/drift")),
    ("history: postgresql://db/drift holds cred", lambda: check(
        history="postgresql://db/drift?password=s3cr3t")),
    ("pointer: s3://bucket/x.json holds cred", lambda: check(pointer=LEAKY)),
    ("snapshot: s3://bucket/x.json holds cred", lambda: FitReferenceOperator(
        **_FIT | {"snapshot": LEAKY})),
    ("profile: s3://bucket/x.json holds cred", lambda: FitReferenceOperator(
        **_FIT | {"profile": LEAKY})),
    ("profile: expected a name that ends in .json", lambda: FitReferenceOperator(
        **_FIT | {"profile": "p"})),
    ("values: 'day' is None", lambda: FitReferenceOperator(
        **_FIT, plan="p.yaml", values={"day": None})),
    ("reference: s3://bucket/x.json holds cred", lambda: ScanSnapshotOperator(
        **_SCAN | {"reference": LEAKY})),
    ("profiles: s3://bucket/x.json holds cred", lambda: MergeProfilesOperator(
        **_MERGE | {"profiles": ["a.json", LEAKY]})),
    ("pointer: s3://bucket/x.json holds cred", lambda: PromoteReferenceOperator(
        **_PROMOTE | {"pointer": LEAKY})),
    ("project: s3://bucket/x.json holds cred", lambda: GXCheckpointOperator(
        **_EXPECT, project=LEAKY)),
    ("on_unmet: expected one of fail, warn, skip, got 'shout'", lambda: GXCheckpointOperator(
        **_EXPECT, on_unmet="shout")),
    ("on_drift: expected one of", lambda: DriftGateOperator(**_GATE, on_drift="explode")),
    ("notify_on: expected some of", lambda: DriftGateOperator(**_GATE, notify_on="Drift")),
    ("notifiers: expected notifiers", lambda: DriftGateOperator(**_GATE, notifiers=["slack"])),
    ("on_drift: expected one of", lambda: drift_check_task(print, on_drift="explode")().operator),
]  # fmt: skip


@pytest.mark.parametrize(("said", "make"), _AT_PARSING)
def test_what_can_be_known_then_is_refused_when_the_file_is_parsed(
    said: str, make: Callable[[], Any]
) -> None:
    with DAG("parsed", schedule=None), pytest.raises(DriftMistakeError, match=said) as caught:
        make()
    assert issubclass(DriftMistakeError, AirflowFailException), "a mapped task is made when it runs"
    assert "s3cr3t" not in str(caught.value)


_OPERATORS: list[tuple[type[BaseOperator], dict[str, Any]]] = [
    (FitReferenceOperator, _FIT),
    (ScanSnapshotOperator, _SCAN),
    (MergeProfilesOperator, _MERGE),
    (PromoteReferenceOperator, _PROMOTE),
    (DriftCheckOperator, {"task_id": "check", "reference": "a", "current": "b"}),
]


@pytest.mark.parametrize(
    ("operator", "given", "name"),
    [
        (operator, given, name)
        for operator, given in _OPERATORS
        for name in operator.template_fields
        if name not in ("plan", "values")
    ],
)
def test_a_function_is_no_value_of_a_template(
    operator: Callable[..., Any], given: dict[str, Any], name: str
) -> None:
    with pytest.raises(DriftMistakeError, match=f"{name}: expected a value, got the function a_fu"):
        operator(**given | {name: a_function})


def test_a_function_of_a_checkpoint_is_not_where_airflow_would_call_it(context: Any) -> None:
    expect = GXCheckpointOperator(
        task_id="expect", checkpoint=a_function, batch_parameters=a_function
    )
    expect.render_template_fields(context)
    assert expect.batch_function is expect.checkpoint is a_function
    assert not any(callable(getattr(expect, name)) for name in expect.template_fields)


def test_places_and_moments_are_templates(context: Any, tmp_path: Path) -> None:
    history = tmp_path / "run.sqlite"
    operator = check(
        history=tmp_path / "{{ run_id }}.sqlite", check="flights", limits=CALM,
        current=Snapshot(path=str(FLIGHTS), where={"month": "{{ params.month }}"}),
        profile=tmp_path / "{{ run_id }}.json", as_of="{{ params.month }}-28",
    )  # fmt: skip
    operator.render_template_fields(context | {"params": {"month": "2013-02"}})
    operator.execute(context)
    (entry,) = History.open(history, create=False).profiles("flights")
    assert entry.profile.as_of == "2013-02-28"
    assert load_profile(tmp_path / "run.json").rows == entry.profile.rows
    assert sorted(each.name for each in tmp_path.iterdir()) == ["run.json", "run.sqlite"]


@pytest.mark.parametrize(
    "left",
    [
        {"history": "{{ params.history }}"},
        {"current": {"path": "{% if x %}a{% endif %}"}},
        {"profile": "{{ run_id }}.json"},
        {"check": "{{ dag.dag_id }}"},
    ],
)
def test_a_template_that_was_not_filled_is_no_value(context: Any, left: dict[str, Any]) -> None:
    (name,) = left
    with pytest.raises(DriftMistakeError, match=f"{name}: .* still holds a template when the task"):
        check(**left).execute(context)


def test_limits_may_arrive_as_text(context: Any) -> None:
    limits = {"warn": "{{ params.warn }}", "drift": Decimal(6), "null_drift": "5", "min_rows": "10"}
    operator = check(limits=limits)
    operator.render_template_fields(context | {"params": {"warn": 5.5}})
    assert operator.execute(context)["status"] == "ok"
    warns = check(limits={"warn": "0.005", "drift": "9", "null_drift": "9"})
    assert warns.execute(context)["status"] == "warn"


def test_paths_and_dates_are_taken_for_text(context: Any, tmp_path: Path) -> None:
    fitted = FitReferenceOperator(
        task_id="fit", snapshot={"path": JANUARY, "as_of": date(2013, 1, 31)},
        columns=["dep_time"], profile=tmp_path / "january.json",
    ).execute(context)  # fmt: skip
    assert fitted["as_of"] == "2013-01-31"
    scanned = ScanSnapshotOperator(
        task_id="scan", snapshot=FEBRUARY, reference=tmp_path / "january.json",
        profile=tmp_path / "february.json",
    ).execute(context)  # fmt: skip
    assert scanned["profile"] == str(tmp_path / "february.json")
    moment = datetime(2013, 2, 28, tzinfo=UTC)
    summary = check(
        reference=tmp_path / "january.json", current=FEBRUARY, columns=None, limits=CALM,
        as_of=moment, report=tmp_path / "r.json",
    ).execute(context)  # fmt: skip
    assert summary["current"]["as_of"] == moment.isoformat()


def test_values_are_checked_again_when_they_have_arrived(context: Any) -> None:
    operator = DriftCheckOperator(task_id="check", plan="plan.yaml", values={"day": "{{ x }}"})
    operator.values = {"day": None}
    with pytest.raises(DriftMistakeError, match="values: 'day' is None; give a text"):
        operator.execute(context)


STATED = {
    "reference": "january", "current": "february", "columns": {"include": ["dep_time"]},
    "limits": CALM,
}  # fmt: skip


@pytest.fixture
def dag(tmp_path: Path) -> DAG:
    """Return a DAG whose file is in a folder with the flights and a plan."""
    (tmp_path / "january").symlink_to(JANUARY)
    (tmp_path / "february").symlink_to(FEBRUARY)
    import json

    (tmp_path / "plan.yaml").write_text(json.dumps({"version": 1, **STATED}))
    made = DAG("placed", schedule=None)
    made.fileloc = str(tmp_path / "dag.py")
    return made


@pytest.mark.parametrize("plan", ["plan.yaml", STATED])
def test_a_plan_begins_at_the_folder_of_its_dag(
    context: Any, dag: DAG, plan: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    summary = DriftCheckOperator(task_id="check", dag=dag, plan=plan).execute(context)
    assert (summary["status"], summary["current"]["source"]) == ("ok", str(tmp_path / "february"))


def test_a_plan_that_is_nowhere_says_where_it_was_looked_for(
    context: Any, dag: DAG, tmp_path: Path
) -> None:
    operator = DriftCheckOperator(task_id="check", dag=dag, plan="plans/flights.yaml")
    with pytest.raises(
        DriftMistakeError, match=f"no file plans/flights.yaml; looked in {tmp_path}"
    ):
        operator.execute(context)


def test_a_plan_by_mapping_says_which_key_is_wrong(context: Any) -> None:
    operator = DriftCheckOperator(task_id="check", plan={"reference": "a", "limits": {"wran": 1}})
    with pytest.raises(DriftMistakeError, match=r"dag\.task: limits\.wran: .*Did you mean 'warn'"):
        operator.execute(context)
    operator = DriftCheckOperator(task_id="check", plan=STATED)
    operator.plan = 3  # what another task returned
    with pytest.raises(DriftMistakeError, match=r"plan: expected a path, .* got int"):
        operator.execute(context)
