"""What the tasks that make profiles do: arguments become one call of the core.

Knows operators by their attributes and the core by its front page. Adds no arithmetic. Everything
heavy is imported here, inside the functions, when a task runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kl_drift.airflow import _pointer, _storage
from kl_drift.airflow._plans import selection_of, snapshot
from kl_drift.airflow._summary import Summary, profile_summary
from kl_drift.errors import ArtefactError, UsageError
from kl_drift.overwriting import refuse_overwriting

if TYPE_CHECKING:
    from kl_drift.counts.profile import Profile
    from kl_drift.judging.report import Report


def _profile(value: object, conn_id: str | None) -> Profile:
    from kl_drift.artefact import load_profile

    path, options = _storage.located(_storage.snapshot_keys(value)["path"], conn_id)
    return load_profile(path, options)


def _saved(profile: Profile, where: str, conn_id: str | None) -> Summary:
    save_artefact("profile", where, profile, conn_id)
    return profile_summary(profile, _storage.with_connection(where, conn_id))


def save_artefact(key: str, where: str, artefact: Profile | Report, conn_id: str | None) -> None:
    from kl_drift.artefact import save

    path, options = _storage.located(where, conn_id)
    with named(key, where):
        save(artefact, path, options)


@contextmanager
def named(key: str, where: str) -> Iterator[None]:
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


def check_name(key: str, where: str) -> None:
    if not where.endswith(".json"):
        raise UsageError(f"{key}: expected a name that ends in .json, got {where!r}")


def fit_reference(task: Any, context: Mapping[str, Any]) -> Summary:
    """Fit a reference and save it."""
    from kl_drift.api import fit

    check_name("profile", task.profile)
    _own_name(task.profile, {"the reference": task.snapshot}, task.conn_id)
    columns = selection_of(task, context)
    profile = fit(snapshot(task.snapshot, task.conn_id), columns=columns)
    summary = _saved(profile, task.profile, task.conn_id)
    task.log.info("Reference of %s rows saved at %s", f"{profile.rows:,}", summary["profile"])
    return summary


def scan_snapshot(task: Any, context: Mapping[str, Any]) -> Summary:
    """Count a snapshot like a reference, and save its profile."""
    from kl_drift.api import scan

    check_name("profile", task.profile)
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

    check_name("profile", task.profile)
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
