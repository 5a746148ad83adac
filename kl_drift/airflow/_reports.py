"""The folder of reports: where a task saves its report, where the page finds it, what is kept.

Knows the configured folder and how the ids of a task become a path in it: one file per try. Both
sides compute the path from the ids, so that no path is ever taken from a request or from XCom.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from airflow.sdk.configuration import conf

from kl_drift.errors import UsageError

SECTION = "kl_drift"
PREFIX = "kl_drift"
_LONGEST = 180  # characters of a file's name; filesystems end at 255
_AGE = re.compile(r"(\d+) days?")
_SAVED = re.compile(r"(?P<series>.+)/[^/]+/(?P<task>[^/]+/-?\d+)/\d+\.json")
"""A saved report: below its DAG, its run, its task and its map index, one file per try."""


def reports_folder() -> str:
    """Return the configured folder, a path or a URI; empty where reports are not to be kept."""
    return str(conf.get(SECTION, "reports_folder")).rstrip("/")


def report_location(place: Mapping[str, Any]) -> str:
    """Return where the report of one try is saved; empty if nowhere."""
    tries = tries_folder(place)
    return f"{tries}/{int(place['try_number'])}.json" if tries else ""


def tries_folder(place: Mapping[str, Any]) -> str:
    """Return where the reports of all tries of a task instance are; empty if nowhere."""
    folder = reports_folder()
    names = [_name(place[key]) for key in ("dag_id", "run_id", "task_id")]
    return "/".join([folder, *names, str(int(place["map_index"]))]) if folder else ""


def saved_tries(place: Mapping[str, Any]) -> list[int]:
    """Return the tries of a task instance that left a report, the first one first."""
    names = (
        path.rpartition("/")[2].removesuffix(".json") for path, _ in _files(tries_folder(place))
    )
    return sorted(int(name) for name in names if name.isdigit())


def prune_reports(keep: int | str | timedelta) -> tuple[int, int]:
    """Remove reports that are older than an age, or more than a number for each task.

    Parameters
    ----------
    keep : int or str or timedelta
        How many reports of each task are kept, the latest; or how old they may be, such as
        ``"90 days"``.

    Returns
    -------
    (int, int)
        How many reports were removed, and how many are left.

    Raises
    ------
    UsageError
        If `keep` is neither, or there is no folder of reports.
    """
    folder = reports_folder()
    if not folder:
        raise UsageError("reports are not kept: [kl_drift] reports_folder is empty")
    saved = [(path, at) for path, at in _files(folder) if _SAVED.fullmatch(path)]
    gone = list(_beyond(saved, kept(keep)))
    filesystem, _ = _opened(folder)
    for path in gone:
        filesystem.delete_file(path)
    return len(gone), len(saved) - len(gone)


def kept(keep: object) -> int | timedelta:
    """Return what `keep` says, or refuse it."""
    if isinstance(keep, str) and (age := _AGE.fullmatch(keep)):
        keep = timedelta(days=int(age[1]))
    if isinstance(keep, str) and keep.isdigit():
        keep = int(keep)
    if isinstance(keep, timedelta) and keep > timedelta():
        return keep
    if isinstance(keep, int) and not isinstance(keep, bool) and keep > 0:
        return keep
    raise UsageError(f'keep: expected a number of reports, or an age: "90 days"; got {keep!r}')


def _beyond(saved: Iterable[tuple[str, datetime]], keep: int | timedelta) -> Iterable[str]:
    latest_first = sorted(saved, key=lambda each: each[1], reverse=True)
    if isinstance(keep, timedelta):
        oldest = datetime.now(UTC) - keep
        return [path for path, at in latest_first if at < oldest]
    seen: dict[tuple[str, str], int] = {}
    gone = []
    for path, _ in latest_first:
        found = _SAVED.fullmatch(path)
        series = (found["series"], found["task"]) if found else ("", path)
        seen[series] = seen.get(series, 0) + 1
        gone += [path] if seen[series] > keep else []
    return gone


def _files(folder: str) -> list[tuple[str, datetime]]:
    """Return the files in a folder and below, and when each was written."""
    from pyarrow import fs

    if not folder:
        return []
    filesystem, path = _opened(folder)
    found = filesystem.get_file_info(fs.FileSelector(path, allow_not_found=True, recursive=True))
    return [(each.path, each.mtime) for each in found if each.is_file]


def _opened(folder: str) -> tuple[Any, str]:
    from kl_drift.airflow._storage import located
    from kl_drift.storage import filesystem

    return filesystem(*located(folder))


def _name(text: str) -> str:
    """Return a name for a file that says the text, leads nowhere else and is not too long."""
    name = quote(text, safe="") if text.strip(".") else "%2E" * len(text)
    if len(name) <= _LONGEST:
        return name
    return f"{name[:_LONGEST]}-{sha256(text.encode()).hexdigest()[:16]}"
