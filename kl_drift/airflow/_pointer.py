"""The pointer: which profile is the reference now, kept between runs.

Knows two places: the state that Airflow 3.3 keeps for an asset, and a small JSON file. Has never
heard of what is in a profile.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeGuard

from kl_drift.airflow import _storage
from kl_drift.airflow._compat import asset_state
from kl_drift.errors import ArtefactCorruptError, UsageError

_KEY = "kl_drift_reference"
VERSION = 1


def read(
    pointer: Any, context: Mapping[str, Any], *, conn_id: str | None = None
) -> dict[str, Any] | None:
    """Return the pointer; ``None`` if nothing was promoted yet.

    Raises
    ------
    ArtefactCorruptError
        If there is something else.
    UsageError
        If this Airflow keeps no state for assets.
    """
    if isinstance(pointer, str):
        found = _read_file(pointer, conn_id)
    else:
        found = _state(pointer, context).get(_KEY)
    if found is not None and not _is_pointer(found):
        raise ArtefactCorruptError(
            f"pointer {_shown(pointer)}: expected what PromoteReferenceOperator keeps, version "
            f"{VERSION}; promote a reference again, or give another pointer"
        )
    return found


def move(
    pointer: Any, profile: str, context: Mapping[str, Any], *, conn_id: str | None, note: str
) -> dict[str, Any]:
    """Let a pointer name another profile, and return it."""
    before = read(pointer, context, conn_id=conn_id)
    ti = context["ti"]
    moved = {
        "version": VERSION,
        "profile": profile,
        "previous": before["profile"] if before else None,
        "promoted": datetime.now(UTC).isoformat(timespec="seconds"),
        "by": f"{ti.dag_id}.{ti.task_id} {ti.run_id}",
        "note": note,
    }
    if isinstance(pointer, str):
        from kl_drift.storage import write_bytes

        path, options = _storage.located(pointer, conn_id)
        write_bytes(path, (json.dumps(moved, indent=2) + "\n").encode(), options)
    else:
        _state(pointer, context).set(_KEY, moved)
    return moved


def _is_pointer(found: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(found, dict) and found.get("version") == VERSION and "profile" in found


def _state(asset: Any, context: Mapping[str, Any]) -> Any:
    state = asset_state(context, asset)
    if state is None:
        raise UsageError(
            f"pointer {asset.name!r}: only Airflow 3.3 and later keep state for an asset; give the "
            'path of a JSON file, such as pointer="/data/drift/reference-pointer.json"'
        )
    return state


def _read_file(where: str, conn_id: str | None) -> Any:
    from kl_drift.storage import read_bytes

    path, options = _storage.located(where, conn_id)
    try:
        return json.loads(read_bytes(path, options))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ArtefactCorruptError(
            f"pointer {where}: not valid JSON ({error}); promote a reference again"
        ) from error


def _shown(pointer: Any) -> str:
    return pointer if isinstance(pointer, str) else repr(pointer.name)
