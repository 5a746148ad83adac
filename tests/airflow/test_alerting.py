"""Alerts, their words, metrics and lineage: what others hear, and that the verdict stands."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import BaseNotifier
from structlog.testing import capture_logs

from kl_drift import compare
from kl_drift.airflow import DriftCheckOperator, DriftDetectedError, DriftNotifier
from kl_drift.airflow._messages import message
from kl_drift.errors import UsageError

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
    ti = Ti(dag_id="dag", run_id="run", task_id="task", map_index=-1)
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

    def notify(self, context: Any) -> None:
        assert context["drift_report"]["version"] == 1
        self.sent.append((self.to, self.subject, self.html_content))


class Broken(BaseNotifier):
    def notify(self, context: Any) -> None:
        raise ConnectionError("the mail server is down")


def check(**arguments: Any) -> DriftCheckOperator:
    return DriftCheckOperator(
        task_id="check", reference=str(FLIGHTS / "month=2013-01"),
        current=str(FLIGHTS / "month=2013-02"), columns=["dep_time"],
        **{"limits": PICKY, **arguments},
    )  # fmt: skip


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
    with pytest.raises(DriftDetectedError):
        check(notifiers=[DriftNotifier(mail)]).execute(context)
    ((_, subject, html),) = mail.sent
    assert subject.startswith("[kl-drift] dag.task: drift: 1 of 1 columns drifted (dep_time)")
    assert "/kl_drift/reports/dag/run/task/-1" in html
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
    with pytest.raises(DriftDetectedError):
        check(notifiers=[Broken()]).execute(context)


def test_one_function_is_a_notifier_too(context: Any) -> None:
    told: list[str] = []
    check(
        notifiers=lambda around: told.append(around["drift_message"]["text"]), on_drift="warn"
    ).execute(context)
    assert "dep_time: KL " in told[0]


def test_a_callback_tells_what_the_task_left_behind(context: Any) -> None:
    mail = Mail("a@b.org", subject="mine")
    with pytest.raises(DriftDetectedError):
        check().execute(context)
    DriftNotifier(mail, html_content="{{ drift_message.slack }}")(context)
    ((_, subject, slack),) = mail.sent
    assert subject == "mine", "what the author wrote stays"
    assert "*dep_time* drift" in slack
    del context["ti"].return_value
    with pytest.raises(UsageError, match="left no report to tell of; the check itself failed: oh"):
        DriftNotifier(mail)(context | {"exception": "oh"})


def _summary(name: str) -> dict[str, Any]:
    from kl_drift.airflow._summary import summary_of
    from kl_drift.judging.policy import Policy

    report = compare({name: ["a"] * 900 + ["<b>&"] * 900}, {name: ["a"] * 1_700 + ["c"] * 100})
    return summary_of(report, Policy(), check="c", saved={})


def test_the_message_names_column_kl_interval_limit_what_moved_and_link() -> None:
    summary = _summary("carrier")
    (column,) = summary["columns"]
    low, high = column["interval"]
    for words in message(summary, "http://x/y").values():
        assert "carrier" in words
    for kind in ("text", "slack", "html"):
        words = message(summary, "http://x/y")[kind]
        for number in (column["kl"], low, high, column["limit"]):
            assert f"{number:.3g}" in words
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


def test_metrics_have_a_gauge_per_column_and_a_counter_per_status(
    context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, Any]] = []
    from airflow.sdk.observability import stats

    monkeypatch.setattr(
        stats.Stats, "gauge", lambda name, value, tags: told.append((name, (value, tags)))
    )
    monkeypatch.setattr(stats.Stats, "incr", lambda name, tags: told.append((name, tags)))
    summary = check(on_drift="warn").execute(context)
    named = dict(told)
    value, tags = named["kl_drift.kl"]
    assert value == summary["columns"][0]["kl"]
    assert tags == {"check": "dag.task", "dag_id": "dag", "task_id": "task", "column": "dep_time"}
    assert named["kl_drift.checks"]["status"] == named["kl_drift.columns"]["status"] == "drift"


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
    from airflow.providers.openlineage.extractors import OperatorLineage

    operator = check()
    assert operator.get_openlineage_facets_on_failure(context["ti"]) is None
    with pytest.raises(DriftDetectedError):
        operator.execute(context)
    for lineage in (
        operator.get_openlineage_facets_on_failure(context["ti"]),
        operator.get_openlineage_facets_on_complete(context["ti"]),
    ):
        assert isinstance(lineage, OperatorLineage)
        current, reference = lineage.inputs
        assert current.name.endswith("month=2013-02")
        assert reference.name.endswith("month=2013-01")
        (assertion,) = current.inputFacets["dataQualityAssertions"].assertions
        assert (assertion.column, assertion.success) == ("dep_time", False)


def test_without_openlineage_nothing_breaks(context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    operator = check(on_drift="warn")
    operator.execute(context)
    monkeypatch.setitem(sys.modules, "airflow.providers.openlineage.extractors", None)
    assert operator.get_openlineage_facets_on_complete(context["ti"]) is None
