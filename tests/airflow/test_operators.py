"""The operators, each by its `execute`: what they save, what they say, and how they fail."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, Asset
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from structlog.testing import capture_logs

from kl_drift import History, compare, load_profile, load_report, scan
from kl_drift.airflow import (
    DriftBranchOperator,
    DriftCheckOperator,
    DriftDetectedError,
    DriftGateOperator,
    DriftMistakeError,
    DriftUndecidedError,
    FitReferenceOperator,
    MergeProfilesOperator,
    PromoteReferenceOperator,
    ScanSnapshotOperator,
    drift_check_task,
)
from kl_drift.errors import ArtefactError

ROOT = Path(__file__).parent.parent.parent
FLIGHTS = ROOT / "examples" / "flights"
CALM = {"warn": 5.0, "drift": 6.0, "null_drift": 5.0}
PICKY = {"warn": 1e-4, "drift": 2e-4}


class TaskInstance:
    """What an operator asks of its task instance."""

    dag_id, run_id, task_id, map_index = "dag", "manual__2013-02-01T00:00:00+00:00", "task", -1
    try_number, max_tries = 1, 0

    def __init__(self) -> None:
        self.xcom: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcom[key] = json.loads(json.dumps(value, allow_nan=False))


@pytest.fixture
def ti() -> TaskInstance:
    return TaskInstance()


def context(ti: TaskInstance, **more: Any) -> Any:
    return {"ti": ti, "run_id": ti.run_id, "outlets": [], "outlet_events": {}, **more}


def month(number: int) -> str:
    return str(FLIGHTS / f"month=2013-{number:02d}")


def check(**arguments: Any) -> DriftCheckOperator:
    defaults = {"reference": month(1), "current": month(2), "columns": ["dep_time"]}
    return DriftCheckOperator(task_id="check", **{**defaults, **arguments})


def test_the_parts_of_a_month_add_up_to_the_month(ti: TaskInstance, tmp_path: Path) -> None:
    fitted = FitReferenceOperator(
        task_id="fit", snapshot=month(1), profile=str(tmp_path / "january.json"), columns=["dep_*"]
    ).execute(context(ti))
    parts = [
        ScanSnapshotOperator(
            task_id=f"scan{number}", snapshot=month(number), reference=fitted,
            profile=str(tmp_path / f"{number}.json"),
        ).execute(context(ti))
        for number in (2, 3)
    ]  # fmt: skip
    merged = MergeProfilesOperator(
        task_id="merge", profiles=parts, profile=str(tmp_path / "both.json")
    ).execute(context(ti))
    reference = load_profile(fitted["profile"])
    whole = scan(month(2), like=reference) + scan(month(3), like=reference)
    assert load_profile(merged["profile"]) == whole
    assert merged["rows"] == whole.rows == parts[0]["rows"] + parts[1]["rows"]
    assert all(each["version"] == 1 for each in (fitted, *parts, merged))


def test_a_check_says_what_the_core_would_have_said(ti: TaskInstance, tmp_path: Path) -> None:
    summary = check(
        limits=CALM, report=str(tmp_path / "report.json"), html=str(tmp_path / "page.html"),
        profile=str(tmp_path / "february.json"),
    ).execute(context(ti))  # fmt: skip
    core = compare(month(2), month(1), columns=["dep_time"])
    saved = load_report(summary["report"])
    assert saved["dep_time"].kl == core["dep_time"].kl
    assert summary["status"] == saved.status == "ok"
    assert summary["current"]["rows"] == core.current.rows
    assert load_profile(summary["profile"]).rows == core.current.rows
    assert "<html" in Path(summary["html"]).read_text(encoding="utf-8")
    assert ti.xcom["return_value"] == summary


def test_a_plan_is_read_as_it_stands_and_filled_by_values(ti: TaskInstance) -> None:
    plan = str(ROOT / "configs" / "flights-minimal.yaml")
    operator = DriftCheckOperator(
        task_id="check", plan=plan, values={"month": "{{ run_id[8:15] }}"}, on_drift="warn"
    )
    operator.render_template_fields(context(ti))
    assert operator.plan == plan, "Airflow must not read the file as a template of its own"
    assert operator.values == {"month": "2013-02"}
    assert operator.execute(context(ti))["current"]["source"].endswith("month=2013-02")


def test_a_plan_says_how_a_reference_is_fitted(ti: TaskInstance, tmp_path: Path) -> None:
    fitted = FitReferenceOperator(
        task_id="fit", snapshot=month(1), plan=_plan(tmp_path, "columns: {include: [origin]}"),
        profile=str(tmp_path / "january.json"),
    ).execute(context(ti))  # fmt: skip
    assert load_profile(fitted["profile"]).counted.keys() == {"origin"}


def _plan(folder: Path, more: str = "") -> str:
    path = folder / "plan.yaml"
    path.write_text(f"version: 1\nreference: {month(1)}\ncurrent: {month(2)}\n{more}\n")
    return str(path)


def test_drift_fails_for_good_and_leaves_its_summary_behind(
    ti: TaskInstance,
) -> None:
    checked = Asset("checked")
    event = SimpleNamespace(extra={"mine": 1})
    operator = check(limits=PICKY)
    around = context(ti, outlets=[checked], outlet_events={checked: event}, partition_key="eu")
    with (
        capture_logs() as logged,
        pytest.raises(DriftDetectedError, match="1 of 1 columns drifted"),
    ):
        operator.execute(around)
    assert issubclass(DriftDetectedError, AirflowFailException)
    summary = ti.xcom["return_value"]
    assert (summary["status"], summary["drifted"]) == ("drift", ["dep_time"])
    assert event.extra == {"mine": 1, "kl_drift": summary}
    assert summary["partition"] == "eu"
    (column,) = summary["columns"]
    assert column["limit"] == PICKY["drift"]
    assert column["interval"][0] < column["kl"] < column["interval"][1]
    assert any("✗ drift" in str(each) for each in logged), "the log holds the table"
    assert load_report(summary["report"]).status == "drift"


@pytest.mark.parametrize(
    ("action", "raised"), [("skip", AirflowSkipException), ("fail", DriftDetectedError)]
)
def test_what_drift_does_is_a_choice(
    ti: TaskInstance, action: Any, raised: type[Exception]
) -> None:
    with pytest.raises(raised, match="1 of 1 columns drifted"):
        check(limits=PICKY, on_drift=action).execute(context(ti))
    assert check(limits=PICKY, on_drift="warn").execute(context(ti))["status"] == "drift"


def test_what_could_not_be_judged_is_not_green_unless_asked_for(ti: TaskInstance) -> None:
    tiny = {"min_rows": 10**9}
    with pytest.raises(DriftUndecidedError, match="too few rows to judge 1 of 1 columns"):
        check(limits=tiny).execute(context(ti))
    with pytest.raises(AirflowSkipException, match="too few rows to judge"):
        check(limits=tiny, on_undecided="skip").execute(context(ti))
    assert check(limits=tiny, on_undecided="warn").execute(context(ti))["status"] == "undecided"


def test_the_gate_lets_a_report_decide(ti: TaskInstance) -> None:
    drift = check(limits=PICKY, on_drift="warn").execute(context(ti))
    with pytest.raises(DriftDetectedError, match="1 of 1 columns drifted"):
        DriftGateOperator(task_id="gate", report=drift).execute(context(ti))
    ok = check(limits=CALM).execute(context(ti))
    assert DriftGateOperator(task_id="gate", report=ok).execute(context(ti)) == ok
    with pytest.raises(DriftMistakeError, match="expected what a drift check returned, got str"):
        DriftGateOperator(task_id="gate", report="ok").execute(context(ti))
    with pytest.raises(DriftMistakeError, match="summary of version 2"):
        DriftGateOperator(task_id="gate", report=ok | {"version": 2}).execute(context(ti))
    with pytest.raises(DriftMistakeError, match=r"status of ok, .* got 'bad'"):
        DriftGateOperator(task_id="gate", report=ok | {"status": "bad"}).execute(context(ti))


@pytest.mark.parametrize("typo", ["on_drift", "on_undecided", "notify_on"])
def test_a_gate_with_a_typo_lets_nothing_through(ti: TaskInstance, typo: str) -> None:
    report = {"version": 1, "status": "drift", "summary": "…", "check": "c"}
    arguments: dict[str, Any] = {"on_drift": "warn", typo: "fial"}
    with pytest.raises(DriftMistakeError, match=f"{typo}: expected .* got 'fial'"):
        DriftGateOperator(task_id="gate", report=report, **arguments).execute(context(ti))
    assert ti.xcom == {}


def test_no_profile_is_saved_over_one_that_it_is_made_from(
    ti: TaskInstance, tmp_path: Path
) -> None:
    one = str(tmp_path / "one.json")
    FitReferenceOperator(task_id="fit", snapshot=month(1), profile=one, columns=["origin"]).execute(
        context(ti)
    )
    before = Path(one).read_bytes()
    scan_over = ScanSnapshotOperator(task_id="scan", snapshot=month(2), reference=one, profile=one)
    merge_over = MergeProfilesOperator(task_id="merge", profiles=[one, one], profile=one)
    for operator in (scan_over, merge_over):
        with pytest.raises(DriftMistakeError, match="would overwrite"):
            operator.execute(context(ti))
    with pytest.raises(DriftMistakeError, match="expected a list of profiles"):
        MergeProfilesOperator(task_id="merge", profiles=one, profile=one).execute(context(ti))
    with pytest.raises(ValueError, match="expected what PromoteReferenceOperator keeps"):
        check(pointer=one).execute(context(ti))
    assert Path(one).read_bytes() == before


@pytest.mark.parametrize(
    ("operator", "stated"),
    [
        (FitReferenceOperator, {"profile": "/data/x.json"}),
        (ScanSnapshotOperator, {"reference": "r.json", "profile": "/data/{{ run_id }}.json"}),
        (MergeProfilesOperator, {"profile": "/data/x.json"}),
        (DriftCheckOperator, {"reference": "r.json", "html": "/data/{{ ds }}.html"}),
    ],
)
def test_mapped_tasks_that_would_write_one_file_are_refused(
    operator: Any, stated: dict[str, str]
) -> None:
    with pytest.raises(DriftMistakeError, match=r"every mapped task would write /data/.*map_index"):
        operator.partial(task_id="mapped", **stated)


@pytest.mark.parametrize("key", ["reports_folder", "report", "html", "profile"])
def test_a_file_that_cannot_be_written_is_named_by_its_key(
    ti: TaskInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    (tmp_path / "file").write_text("no folder")
    where = str(tmp_path / "file" / ("x.html" if key == "html" else "x.json"))
    more: dict[str, Any] = {key: where}
    if key == "reports_folder":
        monkeypatch.setenv("AIRFLOW__KL_DRIFT__REPORTS_FOLDER", where)
        more = {"profile": str(tmp_path / "p.json")}
    with pytest.raises(ArtefactError, match=rf"{key}: .* cannot be written: .*; check"):
        check(limits=CALM, **more).execute(context(ti))
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
    assert ti.xcom == {}


@pytest.mark.parametrize(
    ("status", "chosen"), [("ok", "a"), ("warn", "a"), ("undecided", ["b"]), ("drift", ["b"])]
)
def test_the_branch_goes_with_the_status(ti: TaskInstance, status: str, chosen: Any) -> None:
    report = {"version": 1, "status": status, "summary": "…", "check": "c"}
    branch = DriftBranchOperator(task_id="branch", report=report, if_ok="a", if_drift=["b"])
    assert branch.choose_branch(context(ti)) == chosen
    own = DriftBranchOperator(
        task_id="own", report=report, if_ok="a", if_drift="b", if_warn="c", if_undecided="d"
    )
    expected = {"ok": "a", "warn": "c", "undecided": "d", "drift": "b"}
    assert own.choose_branch(context(ti)) == expected[status]


def test_a_pointer_in_a_file_is_moved_and_followed(ti: TaskInstance, tmp_path: Path) -> None:
    pointer = str(tmp_path / "pointer.json")
    february = str(tmp_path / "february.json")
    first = check(limits=CALM, pointer=pointer, profile=february).execute(context(ti))
    promoted = PromoteReferenceOperator(task_id="promote", profile=first, pointer=pointer)
    assert promoted.execute(context(ti))["previous"] is None
    assert check(pointer=pointer).execute(context(ti))["status"] == "ok"
    with pytest.raises(DriftDetectedError, match="1 of 1 columns drifted"):
        check().execute(context(ti))
    assert promoted.execute(context(ti))["previous"] == february
    Path(pointer).write_text('{"version": 9}')
    with pytest.raises(ValueError, match="expected what PromoteReferenceOperator keeps, version 1"):
        check(pointer=pointer).execute(context(ti))


def test_what_cannot_be_read_is_not_promoted(ti: TaskInstance, tmp_path: Path) -> None:
    pointer = tmp_path / "pointer.json"
    (tmp_path / "half.json").write_text("{")
    for name, said in (("half.json", "not a saved profile"), ("none.json", "no profile at")):
        with pytest.raises((ValueError, FileNotFoundError), match=said):
            PromoteReferenceOperator(
                task_id="promote", profile=str(tmp_path / name), pointer=str(pointer)
            ).execute(context(ti))
    assert not pointer.exists()


def test_a_task_that_returned_nothing_is_not_taken_for_a_path(
    ti: TaskInstance, tmp_path: Path
) -> None:
    pointer = tmp_path / "pointer.json"
    with pytest.raises(DriftMistakeError, match="got nothing"):
        PromoteReferenceOperator(task_id="promote", profile=None, pointer=str(pointer)).execute(
            context(ti)
        )
    assert not pointer.exists()


def test_before_airflow_3_3_an_asset_cannot_be_a_pointer(ti: TaskInstance) -> None:
    operator = check(pointer=Asset("flights"))
    assert operator.inlets == [Asset("flights")]
    with pytest.raises(DriftMistakeError, match=r"only Airflow 3\.3 .* give the path of a JSON"):
        operator.execute(context(ti))


def test_a_history_is_read_and_added_to(ti: TaskInstance, tmp_path: Path) -> None:
    where = str(tmp_path / "history.sqlite")
    for _ in range(2):
        check(limits=CALM, history=where, check="flights").execute(context(ti))
    history = History.open(where, create=False)
    (judged,) = history.reports("flights")
    assert judged.status == "ok"
    assert len(history.profiles("flights")) == 1


_MISTAKES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "fits no column|no column": lambda _: {"columns": ["dep_tim"]},
    r"limits\.warn": lambda _: {"limits": {"warn": -1}},
    "plan= contradict": lambda tmp: {"plan": _plan(tmp)},
    "on_drift: expected one of fail, warn, skip": lambda _: {"on_drift": "explode"},
    "expected current=: the rows to judge": lambda _: {"current": None},
    "expected plan=, or reference=": lambda _: {"reference": None},
    r"write \['dep_time'\]": lambda _: {"columns": "dep_time"},
    "holds credentials": lambda _: {"current": "s3://AKIA:s3cr3t@bucket/key"},
    "report: expected a name that ends in .json": lambda tmp: {"report": str(tmp / "r.txt")},
    "html .*: would overwrite the current snapshot; give": lambda tmp: (
        {"html": str(tmp / "x.html")} | {"current": str(tmp / "x.html")}
    ),
    "expected a snapshot or a profile: .* got keys month": lambda _: {"reference": {"month": 1}},
    "notify_on: expected some of .* got 'drfit'": lambda _: {"notify_on": ["warn", "drfit"]},
    "values= fills the placeholders of a plan": lambda _: {"values": {"month": "2013-02"}},
    "expected a snapshot: .* got keys path, were": lambda _: {
        "current": {"path": month(2), "were": {}}
    },
    "profile .*: would overwrite report; give it its own name": lambda tmp: {
        "report": str(tmp / "p.json")
    },
    "contradict each other; give one": lambda _: {"history": "h", "history_conn_id": "c"},
    "isn't defined|not defined|not found": lambda _: {"history_conn_id": "nobody_knows_it"},
}


@pytest.mark.parametrize("said", _MISTAKES)
@pytest.mark.usefixtures("airflow_db")
def test_a_mistake_is_not_retried_and_leaves_nothing_behind(
    ti: TaskInstance, tmp_path: Path, said: str
) -> None:
    arguments = _MISTAKES[said](tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DriftMistakeError, match=said) as caught:
        check(**{"profile": str(tmp_path / "p.json"), **arguments}).execute(context(ti))
    assert "s3cr3t" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before
    assert ti.xcom == {}


def test_what_a_function_returns_by_mistake_is_named(ti: TaskInstance) -> None:
    def arguments() -> dict[str, Any]:
        return {"current": month(2), "limts": CALM}

    with DAG("decorated", schedule=None):
        operator = drift_check_task(arguments, reference=month(1))().operator
    with pytest.raises(DriftMistakeError, match=r"returned 'limts', .* Did you mean 'limits'\?"):
        operator.execute(context(ti))
    assert ti.xcom == {}


def test_a_plan_with_a_mistake_names_file_line_and_key(ti: TaskInstance, tmp_path: Path) -> None:
    plan = _plan(tmp_path, "limits: {wran: 1}")
    with pytest.raises(DriftMistakeError, match=r"plan\.yaml:4: limits\.wran"):
        DriftCheckOperator(task_id="check", plan=plan).execute(context(ti))


def test_a_reference_with_other_bins_is_a_mistake(ti: TaskInstance, tmp_path: Path) -> None:
    profiles = []
    for number in (1, 2):
        where = str(tmp_path / f"{number}.json")
        FitReferenceOperator(
            task_id="fit", snapshot=month(number), profile=where, columns=["dep_time"]
        ).execute(context(ti))
        profiles.append(where)
    with pytest.raises(DriftMistakeError, match="bins"):
        check(reference=profiles[0], current=profiles[1], columns=None).execute(context(ti))
    merged = tmp_path / "merged.json"
    with pytest.raises(DriftMistakeError, match="bins"):
        MergeProfilesOperator(task_id="merge", profiles=profiles, profile=str(merged)).execute(
            context(ti)
        )
    assert not merged.exists()


_MAY_PASS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "nothing": lambda tmp: {"current": str(tmp / "nothing")},
    "no profile at": lambda tmp: {"reference": str(tmp / "none.json"), "columns": None},
    "not a saved profile": lambda tmp: {"reference": _half(tmp), "columns": None},
    "its folder cannot be made": lambda tmp: {"history": f"{_half(tmp)}/history.sqlite"},
    "cannot be read: .* refused": lambda _: {"history": "postgresql://user@127.0.0.1:1/drift"},
}


def _half(folder: Path) -> str:
    (folder / "half.json").write_text('{"kl_drift": "profile"')
    return str(folder / "half.json")


@pytest.mark.parametrize("said", _MAY_PASS)
def test_what_may_pass_is_retried_and_leaves_nothing_behind(
    ti: TaskInstance, tmp_path: Path, said: str
) -> None:
    arguments = _MAY_PASS[said](tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(Exception, match=said) as caught:
        check(**{"profile": str(tmp_path / "p.json"), **arguments}).execute(context(ti))
    assert not isinstance(caught.value, AirflowFailException)
    assert sorted(tmp_path.rglob("*")) == before
    assert ti.xcom == {}


def test_without_a_folder_of_reports_there_is_no_link(
    ti: TaskInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__KL_DRIFT__REPORTS_FOLDER", "")
    operator = check(limits=CALM)
    summary = operator.execute(context(ti))
    assert "link" not in summary
    assert "report" not in summary
    (link,) = operator.operator_extra_links
    assert link.get_link(operator, ti_key=ti) == ""


def test_importing_the_operators_imports_nothing_heavy() -> None:
    heavy = ("numpy", "pandas", "pyarrow", "scipy", "great_expectations", "sqlalchemy", "pydantic")
    code = (
        "import sys, airflow.sdk; from airflow.sdk import BaseOperator, BaseNotifier, "
        "BaseBranchOperator, BaseOperatorLink, Asset, BaseHook; "
        "import airflow.sdk.exceptions, airflow.sdk.bases.decorator, airflow.sdk.configuration; "
        "before = set(sys.modules); "
        "import kl_drift.airflow.operators, kl_drift.airflow.notifier, kl_drift.airflow.links, "
        "kl_drift.airflow.decorators, kl_drift.airflow.hooks, kl_drift.airflow.provider; "
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    added = {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}
    assert "kl_drift" in added
    assert not added & set(heavy)


@pytest.mark.parametrize("by", ["plan", "arguments"])
def test_the_reference_is_chosen_from_the_history(
    ti: TaskInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    history = {"conn_type": "kl_drift", "host": str(tmp_path / "history.sqlite")}
    monkeypatch.setenv("AIRFLOW_CONN_DRIFT", json.dumps(history))
    chosen = {"path": month(1), "choose": "previous"}
    more: dict[str, Any] = {"reference": chosen, "columns": ["dep_time"], "limits": CALM}
    if by == "plan":
        plan = tmp_path / "plan.yaml"
        stated = more | {"columns": {"include": more["columns"]}}
        plan.write_text(json.dumps({"version": 1, **stated}))
        more = {"plan": str(plan)}
    against = []
    for number in (2, 3, 4):
        operator = DriftCheckOperator(
            task_id="check", current=month(number), as_of=f"2013-{number:02d}-01",
            history_conn_id="drift", check="flights", **more,
        )  # fmt: skip
        against.append(operator.execute(context(ti))["reference"]["rows"])
    rows = [compare(month(n), month(1), columns=["dep_time"]).current.rows for n in (1, 2, 3)]
    assert against == rows
