"""The whole walk, top to bottom: snapshot → profile → report.

Knows every room below and adds no arithmetic of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from typing import TypeAlias

from kl_drift.artefact import is_profile_path, load_profile
from kl_drift.binning import Binning, Categories
from kl_drift.columns import Judge, Selection
from kl_drift.comparison import compare_profiles
from kl_drift.engines.source import Readable, open_source, rereadable
from kl_drift.errors import UsageError
from kl_drift.policy import Policy
from kl_drift.profile import Profile
from kl_drift.profiling import Progress, fit_profile, scan_profile
from kl_drift.report import Report
from kl_drift.smoothing import SmoothingLike, parse_smoothing
from kl_drift.snapshot import Snapshot

Columns: TypeAlias = Selection | Sequence[str] | None
Bins: TypeAlias = Binning | Mapping[str, Binning] | None


def fit(
    reference: Readable,
    *,
    columns: Columns = None,
    bins: Bins = None,
    judge: Mapping[str, Judge | Sequence[Judge]] | None = None,
    progress: Progress | None = None,
) -> Profile:
    """Fit bins to a reference snapshot and count it over them: the reference profile.

    Parameters
    ----------
    reference : path, Snapshot, data frame, pyarrow Table or reader, or any Arrow stream
        The reference. Read twice; of a stream, a temporary file is made.
    columns : sequence of str or Selection, optional
        Names or patterns (``"dep_*"``) of the columns to judge. By default all but those that look
        like identifiers, partition keys, and dates and timestamps, which move by construction.
    bins : Binning or mapping of str to Binning, optional
        Another way of binning: for all columns of that kind, or by name or pattern.
    judge : mapping of str to {"value", "hour", "weekday", "age"}, optional
        What is to be judged of dates and timestamps.
    progress : callable, optional
        Called with the rows done and the rows in all.

    Returns
    -------
    Profile
        To compare with, to scan like, to :func:`save`.

    Raises
    ------
    SnapshotError
        If it cannot be found or read, or has no rows.
    ColumnError
        If a column is not there or cannot be binned as asked.

    Examples
    --------
    >>> import kl_drift as kd
    >>> reference = kd.fit({"x": [1, 2, 3, 4]})
    >>> reference.rows
    4
    """
    with rereadable(open_source(reference)) as source:
        return fit_profile(source, _selection(columns, bins, judge), _as_of(reference), progress)


def scan(current: Readable, *, like: Profile, progress: Progress | None = None) -> Profile:
    """Count a snapshot over the reference's bins.

    Parameters
    ----------
    current : path, Snapshot, data frame, pyarrow Table or reader, or any Arrow stream
        The snapshot; read once, only the columns that the reference counted.
    like : Profile
        The reference profile.
    progress : callable, optional
        Called with the rows done and the rows in all (``None`` for a stream).

    Returns
    -------
    Profile
        Profiles of parts add up to the profile of the whole.

    Raises
    ------
    SnapshotError
        If it cannot be found or read.
    """
    return scan_profile(open_source(current), like, _as_of(current), progress)


def compare(
    current: Profile | Readable,
    reference: Profile | Readable,
    *,
    columns: Columns = None,
    policy: Policy | None = None,
    smoothing: SmoothingLike = "jeffreys",
    progress: Progress | None = None,
) -> Report:
    """Compare a current snapshot with a reference: how far each column has drifted, and where.

    Parameters
    ----------
    current, reference : Profile, path of a saved profile, or what :func:`scan` and :func:`fit` take
        The two. A reference that is no profile yet is fitted, a current one scanned like it.
    columns : sequence of str or Selection, optional
        As for :func:`fit`; only where the reference is no profile yet.
    policy : Policy, optional
        The limits.
    smoothing : str, mapping or Smoothing, optional
        How counts become positive probabilities.
    progress : callable, optional
        Called with the rows done and the rows in all.

    Returns
    -------
    Report
        Divergences in nats, KL(current‖reference) first.

    Raises
    ------
    BinsMismatchError
        If the two profiles were counted over different bins.
    """
    method = parse_smoothing(smoothing)
    then = as_profile(reference)
    now = as_profile(current)
    if isinstance(then, Profile):
        if columns is not None:
            raise UsageError("columns are chosen when the reference is fitted; fit it again")
    else:
        then = fit(then, columns=columns, progress=progress)
    if not isinstance(now, Profile):
        now = scan(now, like=then, progress=progress)
    return compare_profiles(now, then, policy or Policy(), method)


def as_profile(data: Readable) -> Readable:
    """Load a saved profile where ``data`` is the path of one; hand on everything else."""
    if isinstance(data, Snapshot):
        return load_profile(data.path, data.options) if is_profile_path(data.path) else data
    return load_profile(data) if is_profile_path(data) else data


def _as_of(data: Readable) -> str:
    return data.as_of if isinstance(data, Snapshot) else ""


def _selection(
    columns: Columns, bins: Bins, judge: Mapping[str, Judge | Sequence[Judge]] | None
) -> Selection:
    selection = _include(columns)
    if isinstance(bins, Categories):
        selection = replace(selection, categories=bins)
    elif isinstance(bins, Mapping):
        selection = replace(selection, bins={**selection.bins, **bins})
    elif bins is not None:
        selection = replace(selection, numeric=bins)
    judged = {
        name: (how,) if isinstance(how, str) else tuple(how) for name, how in (judge or {}).items()
    }
    return replace(selection, judge={**selection.judge, **judged})


def _include(columns: Columns) -> Selection:
    if isinstance(columns, Selection):
        return columns
    if isinstance(columns, str | PathLike):
        raise UsageError(
            f"columns: expected a sequence of names, got {columns!r}; write [{columns!r}]"
        )
    return Selection(include=tuple(columns or ()))
