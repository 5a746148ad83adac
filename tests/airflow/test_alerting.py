"""Alerts, their words, metrics and lineage: what others hear, and that the verdict stands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import BaseNotifier
from structlog.testing import capture_logs

from kl_drift import Snapshot, compare
from kl_drift.airflow import (
    DriftCheckOperator,
    DriftDetectedError,
    DriftGateOperator,
    DriftMistakeError,
    DriftNotifier,
    FitReferenceOperator,
    MergeProfilesOperator,
    PromoteReferenceOperator,
    ScanSnapshotOperator,
)
from kl_drift.airflow._messages import message
from kl_drift.errors import HistoryError, SnapshotNotFoundError
from kl_drift.history.record import History
from kl_drift.render.numbers import nats

FLIGHTS = Path(__file__).parent.parent.parent / "examples" / "flights"
PICKY = {"warn": 1e-4, "drift": 2e-4}


class Ti(SimpleNamespace):
    """What an operator, or a notifier, asks of its task instance."""

    def xcom_push(self, key: str, value: Any) -> None:
        setattr(self, key, value)

    def xcom_pull(self, **_: Any) -> Any:
        return getattr(self, "return_value", None)


@pytest.fixture
def context() -> Any:
    ti = Ti(dag_id="dag", run_id="run", task_id="task", map_index=-1, try_number=1, max_tries=0)
    return {"ti": ti, "outlets": [], "outlet_events": {}}


class Mail(BaseNotifier):
    """A notifier like many: fields that Airflow renders, and a way out."""

    template_fields = ("to", "subject", "html_content")

    def __init__(self, to: str, subject: str = "", html_content: str = "") -> None:
        super().__init__()
        self.to = to
        self.subject = subject
        self.html_content = html_content
        self.sent: list[tuple[str, str, str]] = []  # shared with the copies that are rendered

    @classmethod
    def into(cls, other: Mail) -> Mail:
        """Return one whose mails are where those of another are."""
        made = cls(other.to)
        made.sent = other.sent
        return made

    def notify(self, context: Any) -> None:
        assert context["drift_report"]["version"] == 1
        self.sent.append((self.to, self.subject, self.html_content))


class Broken(BaseNotifier):
    def notify(self, context: Any) -> None:
        raise ConnectionError("the mail server is down")


def check(**arguments: Any) -> DriftCheckOperator:
    defaults = {
        "reference": str(FLIGHTS / "month=2013-01"), "current": str(FLIGHTS / "month=2013-02"),
        "columns": ["dep_time"], "limits": PICKY,
    }  # fmt: skip
    return DriftCheckOperator(task_id="check", **{**defaults, **arguments})


def test_a_warning_goes_out_through_any_notifier_and_fails_nothing(context: Any) -> None:
    mail = Mail("a@b.org", "{{ drift_report.status }}", "{{ drift_message.html }}")
    warns = {"warn": 0.005, "drift": 9.0, "null_drift": 9.0}
    for _ in range(2):
        assert check(limits=warns, notifiers=[mail]).execute(context)["status"] == "warn"
    assert mail.subject == "{{ drift_report.status }}", "the author's notifier is left as it is"
    assert [subject for _, subject, _ in mail.sent] == ["warn", "warn"]
    assert "dep_time" in mail.sent[0][2]


def test_drift_is_told_before_the_task_fails_and_ok_is_not_told(context: Any) -> None:
    mail = Mail("a@b.org")
    with pytest.raises(DriftDetectedError, match="1 of 1 columns drifted"):
        check(notifiers=[DriftNotifier(mail)]).execute(context)
    ((_, subject, html),) = mail.sent
    assert subject.startswith("[kl-drift] dag.task: drift: 1 of 1 columns drifted (dep_time)")
    assert "/dags/dag/runs/run/tasks/task/plugin/drift" in html
    calm = {"warn": 8.0, "drift": 9.0, "null_drift": 9.0}
    assert check(notifiers=[mail], limits=calm).execute(context)["status"] == "ok"
    assert len(mail.sent) == 1
    check(notifiers=[mail], on_drift="warn", notify_on=["warn"]).execute(context)
    assert len(mail.sent) == 1


def test_an_alert_that_cannot_be_delivered_is_logged_and_changes_nothing(context: Any) -> None:
    mail = Mail("a@b.org", "{{ drift_report.status }}")
    broken: list[Any] = [Broken(), Mail("x", "{{ no_such.thing }}"), DriftNotifier(Broken()), mail]
    with capture_logs() as logged:
        summary = check(notifiers=broken, on_drift="warn").execute(context)
    assert summary["status"] == "drift"
    assert len(mail.sent) == 1, "the others are told"
    said = [str(each) for each in logged if "could not be delivered" in str(each)]
    assert len(said) == 3
    with pytest.raises(DriftDetectedError, match="1 of 1 columns drifted"):
        check(notifiers=[Broken()]).execute(context)


def test_one_function_is_a_notifier_too(context: Any) -> None:
    told: list[str] = []
    check(
        notifiers=lambda around: told.append(around["drift_message"]["text"]), on_drift="warn"
    ).execute(context)
    assert "dep_time: drift: KL " in told[0]


def test_a_callback_tells_what_the_task_left_behind_or_that_it_could_not_run(context: Any) -> None:
    mail = Mail("a@b.org", subject="mine")
    with pytest.raises(DriftDetectedError, match="1 of 1 columns drifted"):
        check().execute(context)
    DriftNotifier(mail, html_content="{{ drift_message.slack }}")(context)
    ((_, subject, slack),) = mail.sent
    assert subject == "mine", "what the author wrote stays"
    assert "*dep_time* drift" in slack
    del context["ti"].return_value
    DriftNotifier(Mail.into(mail))(context | {"exception": ValueError("oh")})
    _, (_, subject, html) = mail.sent
    assert subject == "[kl-drift] dag.task: could not run: ValueError: oh"
    assert "DAG: dag, task task, run run" in html


@pytest.mark.parametrize("words", ["text", "slack", "html"])
def test_every_text_names_check_dag_run_date_owner_and_the_tab(
    context: Any, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://air.example.org/flow")
    told: list[str] = []
    around = context | {
        "logical_date": datetime(2013, 2, 28, tzinfo=UTC),
        "task": SimpleNamespace(owner="ann"),
    }
    around["ti"].map_index = 3
    check(
        on_drift="warn", check="flights", notifiers=lambda c: told.append(c["drift_message"][words])
    ).execute(around)
    for part in (
        "check: flights", "DAG: dag, task task[3], run run", "logical date: 2013-02-28T00:00:00",
        "owner: ann", "https://air.example.org/flow/dags/dag/runs/run/tasks/task/mapped/3/plugin/drift",
    ):  # fmt: skip
        assert part in told[0]


def test_a_link_that_was_kept_begins_at_the_address_of_today(
    context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://old.example.org")
    summary = check(on_drift="warn").execute(context)
    assert summary["link"] == "dags/dag/runs/run/tasks/task/plugin/drift"
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://new.example.org/a")
    told: list[str] = []
    gate = DriftGateOperator(
        task_id="gate", report=summary, on_drift="warn",
        notifiers=[lambda c: told.append(c["drift_report"]["link"])],
    )  # fmt: skip
    gate.execute(context)
    assert told == [f"https://new.example.org/a/{summary['link']}"]
    (link,) = gate.operator_extra_links
    assert link.get_link(gate, ti_key=context["ti"]) == summary["link"], "the report's own tab"


def test_a_check_that_could_not_run_says_so_once_nobody_tries_again(context: Any) -> None:
    mail = Mail("a@b.org")
    missing = check(current="/nowhere/at/all", check="flights", notifiers=[DriftNotifier(mail)])
    context["ti"].try_number, context["ti"].max_tries = 1, 1
    with pytest.raises(SnapshotNotFoundError, match="/nowhere/at/all"):
        missing.execute(context)
    assert mail.sent == [], "it is tried again"
    context["ti"].try_number = 2
    with pytest.raises(SnapshotNotFoundError, match="/nowhere/at/all"):
        missing.execute(context)
    ((_, subject, html),) = mail.sent
    assert subject.startswith("[kl-drift] flights: could not run: SnapshotNotFoundError: ")
    assert "owner: nobody" in html
    context["ti"].try_number = 1
    with pytest.raises(DriftMistakeError, match=r"no column .dep_tim"):
        check(columns=["dep_tim"], notifiers=[DriftNotifier(mail)]).execute(context)
    assert "dag.task: could not run: DriftMistakeError" in mail.sent[1][1]
    with pytest.raises(SnapshotNotFoundError, match="/nowhere"):
        check(current="/nowhere", notifiers=[DriftNotifier(mail)], notify_on=["drift"]).execute(
            context
        )
    assert len(mail.sent) == 2


CALM = {"warn": 8.0, "drift": 9.0, "null_drift": 9.0}


def days(context: Any, history: Path, statuses: str, **more: Any) -> list[str]:
    """Check a day after the other, each to drift (d) or to be ok (o); return what was told."""
    told: list[str] = []
    for number, status in enumerate(statuses, start=1):
        check(
            history=history, check="flights", as_of=f"2013-03-{number:02d}", on_drift="warn",
            limits=PICKY if status == "d" else CALM, **more,
            notifiers=[lambda c, n=number: told.append(f"{n} {c['drift_report']['summary']}")],
        ).execute(context)  # fmt: skip
    return told


def test_a_recovery_is_told_once_and_since_when_it_had_drifted(
    context: Any, tmp_path: Path
) -> None:
    told = days(context, tmp_path / "history.sqlite", "oddoo")
    assert told == [
        "2 drift: 1 of 1 columns drifted (dep_time)",
        "3 drift: 1 of 1 columns drifted (dep_time)",
        "4 ok: drift is over: it began 2013-03-02 and was last 2013-03-03",
    ]


def test_a_quiet_column_is_not_told_and_the_verdict_stands(context: Any, tmp_path: Path) -> None:
    history = tmp_path / "history.sqlite"
    assert len(days(context, history, "d")) == 1
    until = {"until": "2013-03-03", "note": "known", "by": "ann"}
    History.open(history).quiet("flights", column="dep_time", **until)
    told = days(context, history, "dddd")
    assert [each.partition(" ")[0] for each in told] == ["3", "4"]
    statuses = [str(each.status) for each in History.open(history).reports("flights")]
    assert set(statuses) == {"drift"}


def test_reminders_come_every_so_often(context: Any, tmp_path: Path) -> None:
    told = days(context, tmp_path / "h.sqlite", "ddddddd", remind_after=timedelta(days=3))
    assert [each.partition(" ")[0] for each in told] == ["1", "4", "7"]


def test_a_check_goes_on_without_a_history_that_it_does_not_need(
    context: Any, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    down = tmp_path / "file" / "history.sqlite"
    told: list[Any] = []
    with capture_logs() as logged:
        summary = check(
            history=down, on_drift="warn", notifiers=lambda c: told.append(c["drift_report"])
        ).execute(context)
    assert summary["status"] == "drift"
    assert Path(summary["report"]).exists()
    assert len(told) == 1
    assert "its folder cannot be made" in summary["not_recorded"]
    assert any("This run was not recorded: " in str(each) for each in logged)
    with pytest.raises(HistoryError, match="its folder cannot be made"):
        check(history=down, history_required=True).execute(context)
    with pytest.raises(HistoryError, match="its folder cannot be made"):
        check(history=down, limits=None).execute(context)  # which might be learned


def test_swapped_sides_are_noticed(context: Any) -> None:
    earlier = {"path": str(FLIGHTS / "month=2013-01"), "as_of": "2013-01-31"}
    later = {"path": str(FLIGHTS / "month=2013-02"), "as_of": "2013-02-28"}
    summary = check(reference=later, current=earlier, on_drift="warn").execute(context)
    assert summary["notes"] == [
        "current is of 2013-01-31, before the reference, of 2013-02-28; are the two swapped?"
    ]
    assert "are the two swapped?" in message(summary)["text"]
    same = check(reference=later["path"], current=later["path"], limits=CALM).execute(context)
    assert same["notes"] == [
        f"current and reference are the same, {later['path']}; is one to be another?"
    ]
    assert "notes" not in check(reference=earlier, current=later, limits=CALM).execute(context)


def _summary(name: str) -> dict[str, Any]:
    from kl_drift.airflow._summary import summary_of

    report = compare({name: ["a"] * 900 + ["<b>&"] * 900}, {name: ["a"] * 1_700 + ["c"] * 100})
    return summary_of(report, check="c", saved={})


def test_the_message_names_column_kl_interval_limit_what_moved_and_link() -> None:
    summary = _summary("carrier")
    (column,) = summary["columns"]
    low, high = column["interval"]
    for words in message(summary, "http://x/y").values():
        assert "carrier" in words
    for kind in ("text", "slack", "html"):
        words = message(summary, "http://x/y")[kind]
        for number in (column["value"], low, high):
            assert nats(number) in words
        assert f"above the limit {column['limit']:g}" in words
        assert "http://x/y" in words
        assert "50.0 %" in words, "what moved"


def test_what_comes_from_the_data_is_no_markup_and_no_template(context: Any) -> None:
    mail = Mail("a@b.org")
    evil = "<script>{{ 7 * 6 }}&<!channel>"
    DriftNotifier(mail)(context | {"drift_report": None} | _worded(_summary(evil)))
    ((_, subject, html),) = mail.sent
    assert "<script>" not in html
    assert "&lt;script&gt;{{ 7 * 6 }}" in html
    assert "{{ 7 * 6 }}" in subject
    assert "<!channel>" not in message(_summary(evil))["slack"]


def _worded(summary: dict[str, Any]) -> dict[str, Any]:
    return {"drift_report": summary, "drift_message": message(summary)}


def test_metrics_that_cannot_be_sent_change_nothing(
    context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk.observability import stats

    def down(*_: object, **__: object) -> None:
        raise OSError("no route to statsd")

    monkeypatch.setattr(stats.Stats, "gauge", down)
    with capture_logs() as logged:
        assert check(on_drift="warn").execute(context)["status"] == "drift"
    assert any("metrics could not be emitted" in str(each) for each in logged)


def test_openlineage_hears_of_success_and_failure(context: Any) -> None:
    operator = check(current={"path": str(FLIGHTS / "month=2013-02"), "label": "February"})
    early = operator.get_openlineage_facets_on_failure(context["ti"])
    assert [each.name for each in early.inputs] == [
        str(FLIGHTS / f"month=2013-0{month}") for month in (2, 1)
    ]
    assert early.inputs[0].inputFacets == {}, "it knows what it would have read"
    with pytest.raises(DriftDetectedError, match="1 of 1 columns drifted"):
        operator.execute(context)
    for lineage in (
        operator.get_openlineage_facets_on_failure(context["ti"]),
        operator.get_openlineage_facets_on_complete(context["ti"]),
    ):
        current, reference = lineage.inputs
        assert (current.namespace, current.name) == ("file", str(FLIGHTS / "month=2013-02"))
        assert reference.name.endswith("month=2013-01")
        (assertion,) = current.inputFacets["dataQualityAssertions"].assertions
        assert (assertion.column, assertion.success) == ("dep_time", False)
        assert (assertion.expected, assertion.actual[:6]) == ("0.0002", "0.0191")
        metrics = current.inputFacets["dataQualityMetrics"]
        assert metrics.rowCount == 24_951
        assert metrics.columnMetrics["dep_time"].nullCount == 1_261


def test_openlineage_hears_what_every_operator_reads_and_writes(tmp_path: Path) -> None:
    def told(operator: Any) -> tuple[list[str], list[str]]:
        lineage = operator.get_openlineage_facets_on_complete(None)
        sides = (lineage.inputs, lineage.outputs)
        inputs, outputs = ([f"{each.namespace} {each.name}" for each in side] for side in sides)
        return inputs, outputs

    profile = str(tmp_path / "p.json")
    fit = FitReferenceOperator(
        task_id="fit", snapshot="s3://lake@bucket/a/b", profile="s3://bucket/p.json", conn_id="lake"
    )
    assert told(fit) == (["s3://bucket a/b"], ["s3://bucket p.json"])
    scan = ScanSnapshotOperator(
        task_id="scan", snapshot=Snapshot(path="/a", label="months"), reference="/r.json",
        profile=profile,
    )  # fmt: skip
    assert told(scan) == (["file /a", "file /r.json"], [f"file {profile}"])
    merge = MergeProfilesOperator(
        task_id="merge", profiles=["/1.json", {"profile": "/2.json"}], profile=profile
    )
    assert told(merge) == (["file /1.json", "file /2.json"], [f"file {profile}"])
    promote = PromoteReferenceOperator(task_id="promote", profile="/p.json", pointer="/x.json")
    assert told(promote) == (["file /p.json"], ["file /x.json"])
    checked = check(report=tmp_path / "r.json", html=tmp_path / "r.html", profile=profile)
    assert told(checked)[1] == [
        f"file {tmp_path / name}" for name in ("r.json", "r.html", "p.json")
    ]


def test_without_openlineage_nothing_breaks(context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    operator = check(on_drift="warn")
    operator.execute(context)
    monkeypatch.setitem(sys.modules, "airflow.providers.openlineage.extractors", None)
    assert operator.get_openlineage_facets_on_complete(context["ti"]) is None
