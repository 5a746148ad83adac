"""The plan of a task: a file, or what the operator was told, with connections filled in.

Knows how an operator's arguments become a plan. Has never heard of rows, reports or limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kl_drift.airflow import _pointer, _storage
from kl_drift.airflow._arguments import as_numbers
from kl_drift.errors import UsageError
from kl_drift.storage import is_uri

if TYPE_CHECKING:
    from kl_drift.counts.selection import Selection
    from kl_drift.plan.plan import Plan
    from kl_drift.snapshot import Snapshot


def snapshot(value: object, conn_id: str | None) -> Snapshot:
    """Return the snapshot, or the saved profile, that a task was given, with its options."""
    from kl_drift.snapshot import Snapshot

    keys = _storage.snapshot_keys(value)
    if not keys.keys() <= {"path", "where", "label", "as_of", "version", "options"}:
        raise UsageError(
            "expected a snapshot: a path, or a mapping with path, where, label, as_of and version; "
            f"got keys {', '.join(map(str, keys))}"
        )
    return connected(Snapshot(**keys), conn_id)


def connected(named: Snapshot, conn_id: str | None) -> Snapshot:
    """Return a snapshot with the options of its connection."""
    if not named.path:  # another version of the current snapshot's table, whose options it has
        return named
    path, options = _storage.located(named.path, conn_id)
    return replace(named, path=path, options={**named.options, **options})


def check_sources(task: Any) -> None:
    """Refuse a check that names too little, or the same twice."""
    if task.plan is not None:
        _refuse_both(task, ("reference", "columns", "limits"))
        return
    if task.reference is None:
        raise UsageError("expected plan=, or reference= and current=; got neither")
    if task.current is None:
        raise UsageError("expected current=: the rows to judge, or their profile; got nothing")
    _refuse_values(task)


def plan_of(task: Any, context: Mapping[str, Any]) -> Plan:
    """Return the plan of a check, its reference by the pointer where that names one."""
    plan = _stated(task, context)
    reference = connected(plan.reference, task.conn_id)
    if task.pointer:
        pointed = _pointer.read(task.pointer, context, conn_id=task.conn_id)
        reference = snapshot(pointed["profile"], task.conn_id) if pointed else reference
    return replace(
        plan,
        reference=reference,
        current=connected(plan.current, task.conn_id) if plan.current else None,
        name=task.check or plan.name,
    )


def selection_of(task: Any, context: Mapping[str, Any]) -> Selection:
    """Return which columns are fitted, and how they are binned."""
    from kl_drift.plan.plan import Plan

    if task.plan is not None:
        _refuse_both(task, ("columns",))
        return _written(task, context).selection
    _refuse_values(task)
    mapping = {"reference": "not used", **_columns(task)}
    return Plan.from_dict(mapping, path=_name(context)).selection


def _stated(task: Any, context: Mapping[str, Any]) -> Plan:
    from kl_drift.plan.plan import Plan

    check_sources(task)
    if task.plan is not None:
        return _written(task, context, _history(task))
    mapping = {
        "reference": _storage.snapshot_keys(task.reference),
        **_columns(task),
        **({"limits": as_numbers(task.limits)} if task.limits else {}),
        **({"history": history} if (history := _history(task)) else {}),
    }
    return Plan.from_dict(mapping, path=_name(context))


def _written(task: Any, context: Mapping[str, Any], history: str = "") -> Plan:
    """Return the plan of a file, or that of a mapping with the keys of one."""
    from kl_drift.plan.plan import Plan, load_plan

    if isinstance(task.plan, Mapping):
        _refuse_values(task)
        placed = history if is_uri(history) else str(Path(history).absolute())
        stated = {**task.plan, **({"history": placed} if history else {})}
        return Plan.from_dict(stated, path=_name(context), folder=_folder(task))
    values = {str(key): str(value) for key, value in (task.values or {}).items()}
    return load_plan(_found(task), values=values, history=history)


def _found(task: Any) -> str:
    """Return the path of the plan's file: relative ones begin where the DAG's file is."""
    if not isinstance(task.plan, str):
        raise UsageError(
            f"plan: expected a path, or a mapping as in a plan file; got {type(task.plan).__name__}"
        )
    path = Path(task.plan).expanduser()
    folders = [Path(each) for each in _searched(task)]
    found = [folder / path for folder in folders if (folder / path).is_file()]
    if path.is_absolute() or not folders:
        return str(path)
    if not found:
        looked = " and ".join(map(str, folders))
        raise UsageError(
            f"plan: no file {task.plan}; looked in {looked}. A relative path begins at the folder "
            "of the DAG's file, or at one of its template_searchpath"
        )
    return str(found[0])


def _searched(task: Any) -> list[str]:
    """Return the folders in which Airflow itself looks for templates."""
    if not task.has_dag():
        return []
    more = task.dag.template_searchpath or ()
    return [task.dag.folder, *([more] if isinstance(more, str) else more)]


def _folder(task: Any) -> str:
    return next(iter(_searched(task)), "")


def _refuse_both(task: Any, names: tuple[str, ...]) -> None:
    for name in names:
        if getattr(task, name) is not None:
            raise UsageError(f"{name}= and plan= contradict each other; say it in the plan")


def _refuse_values(task: Any) -> None:
    if task.values:
        raise UsageError("values= fills the placeholders of a plan; give plan=, or leave it out")


def _columns(task: Any) -> dict[str, Any]:
    columns = task.columns
    if isinstance(columns, str):
        raise UsageError(f"columns: expected a list of names, got {columns!r}; write [{columns!r}]")
    if not columns:
        return {}
    return {"columns": columns if isinstance(columns, Mapping) else {"include": list(columns)}}


def _history(task: Any) -> str:
    if task.history and task.history_conn_id:
        raise UsageError("history= and history_conn_id= contradict each other; give one")
    if task.history_conn_id:
        return _storage.history_url(task.history_conn_id)
    return str(task.history or "")


def _name(context: Mapping[str, Any]) -> str:
    return f"{context['ti'].dag_id}.{context['ti'].task_id}"
