"""What the tasks do: arguments become one call of the core, and its findings become records.

Knows operators by their attributes and the core by its front page. Adds no arithmetic. Everything
heavy is imported here, inside the functions, when a task runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kl_drift.airflow import _metrics, _outcome, _pointer, _reports, _storage
from kl_drift.airflow._compat import partition_key
from kl_drift.airflow._plans import plan_of, selection_of, snapshot
from kl_drift.airflow._summary import Findings, Summary, profile_summary, summary_of
from kl_drift.errors import ArtefactError, UsageError
from kl_drift.overwriting import refuse_overwriting

if TYPE_CHECKING:
    from kl_drift.counts.profile import Profile
    from kl_drift.judging.report import Report
    from kl_drift.plan.plan import Plan


def _profile(value: object, conn_id: str | None) -> Profile:
    from kl_drift.artefact import load_profile

    path, options = _storage.located(_storage.snapshot_keys(value)["path"], conn_id)
    return load_profile(path, options)


def _saved(profile: Profile, where: str, conn_id: str | None) -> Summary:
    _save("profile", where, profile, conn_id)
    return profile_summary(profile, _storage.with_connection(where, conn_id))


def _save(key: str, where: str, artefact: Profile | Report, conn_id: str | None) -> None:
    from kl_drift.artefact import save

    path, options = _storage.located(where, conn_id)
    with _named(key, where):
        save(artefact, path, options)


@contextmanager
def _named(key: str, where: str) -> Iterator[None]:
    """Say of a file that cannot be written which argument or setting names it; retried."""
    try:
        yield
    except OSError as error:
        raise ArtefactError(
            f"{key}: {where} cannot be written: {error}; check that its folder can be made and "
            "written by this worker"
        ) from error


def _own_name(profile: str, read: Mapping[str, object], conn_id: str | None) -> None:
    """Refuse to save a profile over what it is made from: a retry would read the result."""
    inputs = {
        what: _storage.located(_storage.snapshot_keys(each)["path"], conn_id)[0]
        for what, each in read.items()
        if _storage.is_named(each)
    }
    refuse_overwriting({"profile": _storage.located(profile, conn_id)[0]}, inputs)


def _check_name(key: str, where: str) -> None:
    if not where.endswith(".json"):
        raise UsageError(f"{key}: expected a name that ends in .json, got {where!r}")


def fit_reference(task: Any, context: Mapping[str, Any]) -> Summary:
    """Fit a reference and save it."""
    from kl_drift.api import fit

    _check_name("profile", task.profile)
    _own_name(task.profile, {"the reference": task.snapshot}, task.conn_id)
    columns = selection_of(task, context)
    profile = fit(snapshot(task.snapshot, task.conn_id), columns=columns)
    summary = _saved(profile, task.profile, task.conn_id)
    task.log.info("Reference of %s rows saved at %s", f"{profile.rows:,}", summary["profile"])
    return summary


def scan_snapshot(task: Any, context: Mapping[str, Any]) -> Summary:
    """Count a snapshot like a reference, and save its profile."""
    from kl_drift.api import scan

    _check_name("profile", task.profile)
    read = {"the reference": task.reference, "the current snapshot": task.snapshot}
    _own_name(task.profile, read, task.conn_id)
    reference = _profile(task.reference, task.conn_id)
    profile = scan(snapshot(task.snapshot, task.conn_id), like=reference)
    summary = _saved(profile, task.profile, task.conn_id)
    task.log.info("%s rows counted, saved at %s", f"{profile.rows:,}", summary["profile"])
    return summary


def merge_profiles(task: Any, context: Mapping[str, Any]) -> Summary:
    """Add up profiles, and save the sum."""
    from kl_drift.counts.profile import merge

    _check_name("profile", task.profile)
    if isinstance(task.profiles, str | Mapping):
        raise UsageError("profiles: expected a list of profiles, got one; write [...] around it")
    profiles = list(task.profiles)  # what mapped tasks returned is read anew at every pass
    _own_name(task.profile, {f"part {i}": each for i, each in enumerate(profiles)}, task.conn_id)
    parts = [_profile(each, task.conn_id) for each in profiles]
    profile = merge(parts)
    summary = _saved(profile, task.profile, task.conn_id)
    task.log.info(
        "%d profiles of %s rows merged at %s", len(parts), f"{profile.rows:,}", summary["profile"]
    )
    return summary


def check_drift(task: Any, context: Mapping[str, Any]) -> Summary:
    """Check, write the report, and tell log, XCom, assets and metrics what was found."""
    from kl_drift.api import examine
    from kl_drift.render.terminal import to_text

    plan = plan_of(task, context)
    current = _current(task)
    outputs = _outputs(task, plan, current)
    profile, report = examine(plan, current=current, as_of=task.as_of or "")
    saved = _write(task, context, outputs, profile, report)
    if plan.history:
        _record(plan, profile, report)
    task.findings = Findings(plan=plan, report=report)
    summary = summary_of(
        report,
        plan.policy,
        check=plan.name,
        saved=saved,
        link=_link(context) if task.saved_report else None,
        partition=partition_key(context),
    )
    task.log.info("%s\n%s", plan.name, to_text(report))
    _outcome.publish(summary, context)
    _metrics.emit(report, plan.name, context["ti"], task.log)
    return summary


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
            _check_name(name, where)
    kept = plan.reads | {"the current snapshot": getattr(current, "path", "")}
    if isinstance(task.pointer, str):
        kept["the pointer"] = _storage.located(task.pointer)[0]
    refuse_overwriting({name: _storage.located(each)[0] for name, each in given.items()}, kept)
    return given


def _write(
    task: Any,
    context: Mapping[str, Any],
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
    kept = _reports.report_location(**_ids(context))
    for key, where, artefact in (
        ("[kl_drift] reports_folder", kept, report),
        ("profile", outputs.get("profile"), profile),
        ("report", outputs.get("report"), report),
    ):
        if where:
            _save(key, where, artefact, task.conn_id)
    if page:
        path, options = _storage.located(outputs["html"], task.conn_id)
        with _named("html", outputs["html"]):
            write_bytes(path, page, options)
    task.saved_report = kept
    said = {name: _storage.with_connection(where, task.conn_id) for name, where in outputs.items()}
    return {"report": kept, **said}


def _record(plan: Plan, profile: Profile, report: Report) -> None:
    from kl_drift.history.record import History

    History.open(plan.history).add(plan.name, profile, report)


def _ids(context: Mapping[str, Any]) -> dict[str, Any]:
    ti = context["ti"]
    return {
        "dag_id": ti.dag_id,
        "run_id": ti.run_id,
        "task_id": ti.task_id,
        "map_index": -1 if ti.map_index is None else ti.map_index,
    }


def _link(context: Mapping[str, Any]) -> str:
    return _reports.report_url(**_ids(context))


def promote_reference(task: Any, context: Mapping[str, Any]) -> dict[str, Any]:
    """Move a pointer to a profile, once it is certain that it can be read."""
    where = _storage.with_connection(_storage.snapshot_keys(task.profile)["path"], task.conn_id)
    profile = _profile(where, task.conn_id)
    moved = _pointer.move(
        task.pointer,
        where,
        context,
        conn_id=task.conn_id,
        note=task.note,
    )
    task.log.info("The reference is now %s, of %s rows", where, f"{profile.rows:,}")
    return moved
