"""Which versions of a lake table a check compares, and what it does where one is gone.

Knows that yesterday's version of the same table may be the reference, and that a version which
served as reference is kept in the history. Has never heard of logs, of bins or of verdicts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from os import PathLike

from kl_drift.counts.profile import Profile
from kl_drift.engines.lakes import with_version
from kl_drift.engines.opening import Readable, open_lake
from kl_drift.errors import SnapshotGoneError, UsageError
from kl_drift.history.record import History
from kl_drift.snapshot import PREVIOUS, Snapshot
from kl_drift.storage import redacted


def resolve(current: Readable, reference: Readable) -> tuple[Readable, Readable]:
    """Return both sides, a reference without a path as the version of the current table it means.

    The current side then is the version that was newest at this moment, so that both sides stay
    what they are while they are read.

    Raises
    ------
    UsageError
        If the current side is no path of a Delta or Iceberg table.
    SnapshotNotFoundError
        If it has no such version.
    """
    if not isinstance(reference, Snapshot) or reference.path:
        return current, reference
    if not isinstance(current, str | PathLike | Snapshot):
        raise _no_table(f"a {type(current).__name__}")
    wanted = with_version(current if isinstance(current, Snapshot) else Snapshot.at(current))
    lake = open_lake(wanted)
    if lake is None:
        raise _no_table(redacted(wanted.path))
    version = lake.before() if reference.version == PREVIOUS else reference.version
    where = reference.where or wanted.where
    return (
        replace(wanted, version=lake.version),
        replace(reference, path=wanted.path, options=wanted.options, where=where, version=version),
    )


def _no_table(what: str) -> UsageError:
    return UsageError(
        "the reference is another version of the current snapshot's table, and the current "
        f"snapshot is {what}; name the path of a Delta or Iceberg table"
    )


def fitted(
    reference: Readable, fit: Callable[[], Profile], history: History | None, check: str
) -> Profile:
    """Fit a reference; a version of a table is kept in the history, and taken from there if gone.

    Parameters
    ----------
    reference : snapshot
        What is fitted.
    fit : callable
        Fits it.
    history : History, optional
        Where versions are kept; ``None``: nowhere.
    check : str
        The name of the check.

    Returns
    -------
    Profile
        Of the version. Where its files are gone, the profile that was kept, whose source says so.

    Raises
    ------
    SnapshotGoneError
        If its files are gone, and no profile was kept.
    """
    source = _version(reference)
    try:
        profile = fit()
    except SnapshotGoneError as error:
        kept = history.kept_reference(check, source) if history else None
        if kept is None:
            raise SnapshotGoneError(
                f"{error}; name another version, or a saved profile: a plan with a history keeps "
                "the profile of each version that was its reference"
            ) from error
        return replace(kept, sources=(f"{source} (files removed; its profile of {kept.created})",))
    if history and source:
        history.keep_reference(check, source, profile)
    return profile


def _version(reference: Readable) -> str:
    """Return what the version of a table is called; empty: it is none."""
    if not isinstance(reference, str | PathLike | Snapshot):
        return ""
    stated = reference if isinstance(reference, Snapshot) else Snapshot.at(reference)
    lake = open_lake(stated)
    return lake.name if lake else ""
