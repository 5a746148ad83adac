"""Where a check runs: its DAG, run, task and try, whom it belongs to, and the way to its tab.

Knows the context of a task, and the addresses of Airflow's pages. Has never heard of what was
found. Addresses are kept relative, and completed when they are shown: Airflow may move.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias
from urllib.parse import quote, urljoin

from airflow.sdk.configuration import conf

TAB = "drift"
"""How the addresses of the tab end."""

Place: TypeAlias = dict[str, Any]
"""``dag_id``, ``run_id``, ``task_id``, ``map_index``, ``try_number``, ``logical_date``, ``owner``:
plain values."""


def place_of(context: Mapping[str, Any]) -> Place:
    """Return where the task of a context runs, as plain values."""
    ti, moment = context["ti"], context.get("logical_date")
    return {
        "dag_id": ti.dag_id,
        "run_id": ti.run_id,
        "task_id": ti.task_id,
        "map_index": -1 if ti.map_index is None else ti.map_index,
        "try_number": getattr(ti, "try_number", 1),
        "logical_date": moment.isoformat() if moment else None,
        "owner": getattr(context.get("task"), "owner", None),
    }


def tab_path(place: Mapping[str, Any]) -> str:
    """Return the address of the task's tab, from Airflow's own on: ``dags/…/plugin/drift``."""
    dag, run, task = (quote(place[key], safe="") for key in ("dag_id", "run_id", "task_id"))
    mapped = f"/mapped/{place['map_index']}" if place["map_index"] >= 0 else ""
    return f"dags/{dag}/runs/{run}/tasks/{task}{mapped}/plugin/{TAB}"


def absolute(path: str) -> str:
    """Return an address with that of Airflow as it is now; nothing stays nothing."""
    base = conf.get("api", "base_url", fallback="/") or "/"
    return urljoin(f"{base.rstrip('/')}/", path) if path else ""


def heads(place: Mapping[str, Any]) -> list[str]:
    """Say where a check ran: the lines that every alert begins with."""
    mapped = f"[{place['map_index']}]" if place["map_index"] >= 0 else ""
    said = {
        "DAG": f"{place['dag_id']}, task {place['task_id']}{mapped}, run {place['run_id']}",
        "logical date": place["logical_date"] or "none",
        "owner": place["owner"] or "nobody",
    }
    return [f"{name}: {text}" for name, text in said.items()]
