"""The folder of reports: where a task saves its report, and where the page finds it.

Knows the configured folder and how the ids of a task become a path in it. Both sides compute the
path from the ids, so that no path is ever taken from a request or from XCom.
"""

from __future__ import annotations

from hashlib import sha256
from urllib.parse import quote, urljoin

from airflow.sdk.configuration import conf

SECTION = "kl_drift"
PREFIX = "kl_drift"
_LONGEST = 180  # characters of a file's name; filesystems end at 255


def reports_folder() -> str:
    """Return the configured folder, a path or a URI; empty where reports are not to be kept."""
    return str(conf.get(SECTION, "reports_folder")).rstrip("/")


def report_location(dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> str:
    """Return where the report of a task instance is saved; empty if nowhere."""
    folder = reports_folder()
    names = [_name(each) for each in (dag_id, run_id, task_id)]
    return "/".join([folder, *names, f"{int(map_index)}.json"]) if folder else ""


def report_url(dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> str:
    """Return the address of the page of that report."""
    ids = [quote(each, safe="") for each in (dag_id, run_id, task_id)]
    base = conf.get("api", "base_url", fallback="/") or "/"
    return urljoin(f"{base.rstrip('/')}/", "/".join([PREFIX, "reports", *ids, str(map_index)]))


def _name(text: str) -> str:
    """Return a name for a file that says the text, leads nowhere else and is not too long."""
    name = quote(text, safe="") if text.strip(".") else "%2E" * len(text)
    if len(name) <= _LONGEST:
        return name
    return f"{name[:_LONGEST]}-{sha256(text.encode()).hexdigest()[:16]}"
