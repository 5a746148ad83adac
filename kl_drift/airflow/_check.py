"""What a check does: a plan is checked, and log, XCom, assets, metrics and history are told.

Knows a check's operator by its attributes and the core by its front page. Adds no arithmetic.
Everything heavy is imported here, inside the functions, when a task runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any

from kl_drift.airflow import _alerts, _metrics, _outcome, _past, _reports, _storage
from kl_drift.airflow._compat import partition_key
from kl_drift.airflow._plans import plan_of, snapshot
from kl_drift.airflow._summary import Findings, Summary, summary_of
from kl_drift.airflow._whereabouts import Place, place_of, tab_path
from kl_drift.airflow._work import check_name, named, save_artefact
from kl_drift.errors import HistoryError, UsageError
from kl_drift.overwriting import refuse_overwriting

if TYPE_CHECKING:
    from kl_drift.counts.profile import Profile
    from kl_drift.judging.report import Report
    from kl_drift.plan.plan import Plan

WIDTH = 120
"""Of the table in the log, in characters."""


def check_drift(task: Any, context: Mapping[str, Any]) -> Summary:
    """Check, write the report, and tell log, XCom, assets and metrics what was found."""
    begun, place = monotonic(), place_of(context)
    task.plan_checked = plan = plan_of(task, context)
    current = _current(task)
    outputs = _outputs(task, plan, current)
    profile, report, missed = _examined(task, plan, current)
    saved = _write(task, place, outputs, profile, report)
    before = None
    if plan.history and not missed:
        before, missed = _remembered(task, plan, profile, report, place)
    task.findings = Findings(plan=plan, report=report)
    summary = summary_of(
        report,
        check=plan.name,
        saved=saved,
        link=tab_path(place) if task.saved_report else None,
        partition=partition_key(context),
        task=place,
        before=before,
        not_recorded=missed or None,
        notes=_notes(plan, report, current) or None,
    )
    _say(task, plan, report, summary)
    _outcome.publish(summary, context)
    _metrics.emit(task.findings, monotonic() - begun, place, task.log)
    return summary


def _examined(task: Any, plan: Plan, current: Any) -> tuple[Profile, Report, str]:
    """Return what was counted and found, and why the history could not be asked; else nothing."""
    from kl_drift.api import examine

    as_of = task.as_of or ""
    try:
        return *examine(plan, current=current, as_of=as_of), ""
    except HistoryError as error:
        alone = _past.without_history(plan, error, required=task.history_required)
        return *examine(alone, current=current, as_of=as_of), str(error)


def _remembered(
    task: Any, plan: Plan, profile: Profile, report: Report, place: Place
) -> tuple[dict[str, Any] | None, str]:
    """Ask the history what was before, and add to it; return why that failed, if it did."""
    try:
        before = _past.before(plan, profile, str(report.status))
        _past.record(plan, profile, report, place)
    except HistoryError as error:
        _past.without_history(plan, error, required=task.history_required)
        return None, str(error)
    return before, ""


def _notes(plan: Plan, report: Report, current: Any) -> list[str]:
    """Say what looks as if the two sides had been swapped."""
    judged = getattr(current, "path", None) or (plan.current.path if plan.current else None)
    if judged == plan.reference.path and not plan.choice:
        return [f"current and reference are the same, {judged}; is one to be another?"]
    day, earlier = report.current.as_of, report.reference.as_of
    if day and earlier and day < earlier and not plan.choice:
        return [f"current is of {day}, before the reference, of {earlier}; are the two swapped?"]
    return []


def _say(task: Any, plan: Plan, report: Report, summary: Summary) -> None:
    from kl_drift.render.terminal import to_text

    task.log.info("%s\n%s", plan.name, to_text(report, width=WIDTH))
    for note in summary.get("notes", ()):
        task.log.warning("%s", note)
    if "not_recorded" in summary:
        task.log.warning("This run was not recorded: %s", summary["not_recorded"])


def _current(task: Any) -> Any:
    """Return what is judged instead of the plan's current snapshot: by name, or rows at hand."""
    value = task.current
    if value is None or not _storage.is_named(value):
        return value
    return snapshot(value, task.conn_id)


def _outputs(task: Any, plan: Plan, current: object) -> dict[str, str]:
    """Return where results go: what the task says goes before what the plan says."""
    stated = {name: getattr(task, name) for name in ("report", "html", "profile")}
    outputs = {name: where or getattr(plan.output, name) for name, where in stated.items()}
    given = {name: where for name, where in outputs.items() if where}
    for name, where in given.items():
        if name != "html":
            check_name(name, where)
    kept = plan.reads | {"the current snapshot": getattr(current, "path", "")}
    if isinstance(task.pointer, str):
        kept["the pointer"] = _storage.located(task.pointer)[0]
    refuse_overwriting({name: _storage.located(each)[0] for name, each in given.items()}, kept)
    return given


def _write(
    task: Any,
    place: Place,
    outputs: Mapping[str, str],
    profile: Profile,
    report: Report,
) -> dict[str, str]:
    """Write all that was asked for, and the report into the folder of reports."""
    from kl_drift.storage import write_bytes

    page = b""
    if "html" in outputs:
        from kl_drift.render.html import render_html

        page = render_html(report).encode()
    kept = _reports.report_location(place)
    for key, where, artefact in (
        ("[kl_drift] reports_folder", kept, report),
        ("profile", outputs.get("profile"), profile),
        ("report", outputs.get("report"), report),
    ):
        if where:
            save_artefact(key, where, artefact, task.conn_id)
    if page:
        path, options = _storage.located(outputs["html"], task.conn_id)
        with named("html", outputs["html"]):
            write_bytes(path, page, options)
    task.saved_report = kept
    said = {name: _storage.with_connection(where, task.conn_id) for name, where in outputs.items()}
    return {"report": kept, **said}


def tell_failure(task: Any, error: Exception, context: Mapping[str, Any]) -> None:
    """Tell notifiers, metrics and history that the check could not run, and why."""
    place = place_of(context)
    check = str(task.check or getattr(task.plan_checked, "name", ""))
    check = check or f"{place['dag_id']}.{place['task_id']}"
    _metrics.emit_failure(check, place, task.log)
    _record_failure(task, check, error, place)
    _alerts.alert_failure(task, check, error, context)


def _record_failure(task: Any, check: str, error: Exception, place: Place) -> None:
    plan = task.plan_checked
    if plan is None or not plan.history:
        return
    from kl_drift.history.record import History

    try:
        History.open(plan.history).add_failure(check, str(error), place=place)
    except (HistoryError, UsageError):
        task.log.warning("That the check could not run is not recorded: its history is down, too")
