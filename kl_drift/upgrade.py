"""Documents of older versions become documents of today's: the one place that reads old sentences.

Version 1 of profiles and reports kept in a sentence why a column was not counted, and what had been
compared with what; that of limits, why nothing was learned. Nothing else in kl-drift looks at a
sentence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kl_drift.counts.kinds import Kind
from kl_drift.judging.unlearned import WhyNot

_KINDS: Mapping[str, Kind] = {
    r"not selected": Kind.NOT_SELECTED,
    r"partition key": Kind.PARTITION_KEY,
    r"index of a pandas": Kind.INDEX,
    r"moves by construction": Kind.MOVES,
    r"judged as (?P<parts>.+)": Kind.JUDGED_AS,
    r"nested type": Kind.NESTED,
    r"type (?!changed: ).*: not counted": Kind.UNKNOWN_TYPE,
    r"looks like an identifier": Kind.IDENTIFIER,
    r"more than (?P<most>[\d,]+) distinct values": Kind.TOO_MANY_LEVELS,
    r"type changed: (?:'(?P<column>.+)' was )?(?P<reference_type>.+) in the reference, ": (
        Kind.TYPE_CHANGED
    ),
    r"not in the reference": Kind.NEW,
}
"""How the sentences of version 1 began that said why a column is not counted."""

_UNLEARNED: Mapping[str, WhyNot] = {
    r"counted in (?P<snapshots>\d+) snapshots of the history, (?P<needed>\d+) are needed": (
        WhyNot.TOO_FEW
    ),
    r"left out on request": WhyNot.ON_REQUEST,
    r"it has no rows": WhyNot.NO_ROWS,
    r"it is the reference": WhyNot.REFERENCE,
    r"too few snapshots before it to be compared with": WhyNot.NOTHING_BEFORE,
}
"""The sentences of version 1 that said why nothing was learned."""

_NUMBER = r"(\d[\d.e+-]*|inf)"
_NUMBERS: Mapping[str, str] = {
    "learned": rf" and {_NUMBER}, which its own snapshots stay below",
    "noise": rf"(?:noise at these sizes is|noise alone reaches) {_NUMBER}",
    "limit": rf"(?:limit|not certainly above) {_NUMBER}",
    "rows": r"snapshot has ([\d,]+)",
    "rows_needed": r"(?:at least|about) ([\d,]+) are needed",
}
"""Numbers that stood in the sentences of version 1, beside those that the columns have."""

_COMPANIONS = {
    "Jeffreys": ("jeffreys", "jeffreys"),
    "Jensen–Shannon": ("jensen_shannon", "jensen_shannon"),
    "Reverse": ("reverse", "kl_reverse"),
}


def upgrade_profile(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the document of a profile in its newest version.

    Raises
    ------
    KeyError, TypeError, ValueError, AttributeError
        If the document is no profile.
    """
    if document["version"] > 1:
        return document
    columns = {name: _with_why(column) for name, column in document["columns"].items()}
    return {**document, "version": 2, "columns": columns}


def upgrade_report(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the document of a report in its newest version.

    Raises
    ------
    KeyError, TypeError, ValueError, AttributeError
        If the document is no report.
    """
    if document["version"] > 1:
        return document
    return {
        **document,
        "version": 2,
        "columns": [_column(column) for column in document["columns"]],
        "unjudged": [_with_why(column) for column in document["unjudged"]],
    }


def upgrade_limits(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the document of limits in its newest version.

    A sentence that no known version wrote is kept as it is.

    Raises
    ------
    KeyError, TypeError, ValueError, AttributeError
        If the document holds no limits.
    """
    if document["version"] > 1:
        return document
    kept = {
        key: {name: _unlearned(said) for name, said in document[key].items()}
        for key in ("unlearned", "left_out")
    }
    return {**document, **kept, "version": 2}


def _unlearned(said: str) -> dict[str, Any]:
    for sentence, kind in _UNLEARNED.items():
        if found := re.fullmatch(sentence, said):
            numbers = {name: int(number) for name, number in found.groupdict().items()}
            return {"kind": str(kind), **numbers}
    return {"kind": str(WhyNot.OTHER), "said": said}


def _with_why(column: Mapping[str, Any]) -> dict[str, Any]:
    """Put kind and details in the place of a reason."""
    rest = {key: value for key, value in column.items() if key != "reason"}
    return {**rest, "why": _why(column["reason"])} if column.get("reason") else rest


def _why(reason: str) -> dict[str, Any]:
    for beginning, kind in _KINDS.items():
        if found := re.match(beginning, reason, re.DOTALL):
            details: dict[str, Any] = {k: v for k, v in found.groupdict().items() if v}
            if "parts" in details:
                details["parts"] = details["parts"].split(", ")
            if "most" in details:
                details["most"] = _integer(details["most"])
            return {"kind": str(kind), **details}
    raise ValueError(f"no reason that version 1 gave: {reason!r}")


def _column(column: Mapping[str, Any]) -> dict[str, Any]:
    reason, changed = column["reason"], {}
    if column["finding"] == "type changed":
        why = _why(reason)
        changed = {"reference_type": why["reference_type"], "changed": why.get("column", "")}
    elif column["finding"] == "missing":
        changed = {"type": "", "reference_type": column["type"]}
    elif not column["finding"]:
        changed = {"reference_type": column["type"], "bins": _bins(column)}
    return {**column, **changed, "verdict": _verdict(column, reason)}


def _bins(column: Mapping[str, Any]) -> str:
    if column["kl_dependence"] is not None:
        return "pair"
    labels = [cell["label"] for cell in column["cells"]]
    return "categories" if "levels never in the reference" in labels else "numeric"


def _verdict(column: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """Return what was compared with what; a slow rise stood before the rest of the sentence."""
    rise, between, alone = reason.partition("; this snapshot alone: ")
    if between and rise.startswith("slow rise"):
        return {
            "status": column["status"],
            "which": "trend",
            "statistic": "trend",
            "value": column["trend"]["statistic"],
            "limit": column["trend"]["limit"],
            "alone": {**_compared(column, alone), "status": "ok"},
        }
    return {**_compared(column, reason), "status": column["status"]}


def _compared(column: Mapping[str, Any], reason: str) -> dict[str, Any]:
    if column["finding"]:
        return {"which": "finding"}
    numbers = _numbers_in(reason)
    if "snapshot has" in reason:
        side = "current" if "the current snapshot" in reason else "reference"
        return {"which": "rows", "side": side, "rows_needed": 1, **numbers}
    if reason.startswith("the share of nulls moved"):
        return {"which": "null", "statistic": "null", "value": column["kl_null"], **numbers}
    for name, (statistic, key) in _COMPANIONS.items():
        if reason.startswith(name):
            value = column[key]
            return {"which": "companion", "statistic": statistic, "value": value, **numbers}
    by_kl = {"which": _which(reason), "statistic": "kl", "value": column["kl"], **numbers}
    if column["interval"] is None or re.match(r"KL [^ ]+ nats, ", reason):
        return by_kl  # by the rule "point"
    learned = column["history_limit"]
    known = {"lower": column["interval"][0], "learned": learned, "noise": column["noise_floor"]}
    ordinary = {"limit": learned} if reason.startswith("ordinary for this") else {}
    return {**by_kl, **known, **ordinary}


def _which(reason: str) -> str:
    if "too few rows" in reason:
        return "noise"
    return "learned" if "its own snapshots" in reason else "stated"


def _numbers_in(reason: str) -> dict[str, Any]:
    found = {name: re.search(pattern, reason) for name, pattern in _NUMBERS.items()}
    whole = ("rows", "rows_needed")
    return {
        name: _integer(number[1]) if name in whole else float(number[1])
        for name, number in found.items()
        if number
    }


def _integer(text: str) -> int:
    return int(text.replace(",", ""))
