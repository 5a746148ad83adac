"""The document of a report becomes a report again.

Knows what :meth:`Report.to_dict` writes: what is not finite is ``None`` there. Has never heard of
files, or of what the numbers mean.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from kl_drift.counts.kinds import Uncounted
from kl_drift.counts.profile import LeftOut
from kl_drift.judging.limits import Trend
from kl_drift.judging.policy import Status, Verdict
from kl_drift.judging.report import (
    Beyond,
    CellChange,
    ColumnReport,
    LevelChange,
    Report,
    Side,
    Unjudged,
)

_T = TypeVar("_T")

_MAYBE_INFINITE = ("kl", "kl_reverse", "jeffreys", "cross_entropy", "kl_null", "kl_values")
_CELLS = ("top_cells", "cells")
_LEVELS = ("new_levels", "vanished_levels")


def report_from_dict(document: Mapping[str, Any]) -> Report:
    """Rebuild a report from its document.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the document is not one.
    """
    return Report(
        current=_side(document["current"]),
        reference=_side(document["reference"]),
        columns=tuple(map(column_from_dict, document["columns"])),
        unjudged=tuple(map(_unjudged, document["unjudged"])),
        bins_digest=document["bins_digest"],
        quiet=document.get("quiet", {}),
        smoothing=document.get("smoothing", ""),
        created=document["written"]["at"],
        created_by=document["written"]["by"],
    )


def column_from_dict(plain: Mapping[str, Any]) -> ColumnReport:
    """Rebuild what a report says of one column; what is missing has its default."""
    made: dict[str, Any] = {"verdict": _verdict(plain["verdict"])}
    if plain["finding"] == "nulls moved":
        made["kl_null"] = _number(plain.get("kl_null"))
    elif plain.get("entropy") is not None:  # without rows nothing is measured
        made |= {name: _number(plain.get(name)) for name in _MAYBE_INFINITE}
        if plain.get("bins") == "pair":
            made["kl_dependence"] = _number(plain.get("kl_dependence"))
    if plain.get("interval"):
        made["interval"] = tuple(map(_number, plain["interval"]))
    if plain.get("trend"):
        made["trend"] = Trend(**plain["trend"])
    made |= {name: tuple(map(_cell, plain.get(name, ()))) for name in _CELLS}
    made |= {n: tuple(LevelChange(**each) for each in plain.get(n, ())) for n in _LEVELS}
    made["beyond"] = tuple(Beyond(**each) for each in plain.get("beyond", ()))
    return _made(ColumnReport, {**plain, **made})


def _verdict(plain: Mapping[str, Any]) -> Verdict:
    made: dict[str, Any] = {"status": Status(plain["status"])}
    if plain.get("statistic"):
        made["value"] = _number(plain.get("value"))
    if (plain["which"], plain.get("statistic")) == ("noise", "kl"):
        made["rows_needed"] = _number(plain.get("rows_needed"))
    if plain.get("alone"):
        made["alone"] = _verdict(plain["alone"])
    return _made(Verdict, {**plain, **made})


def _cell(plain: Mapping[str, Any]) -> CellChange:
    infinite = {name: _number(plain[name]) for name in ("contribution", "signed")}
    return _made(CellChange, {**plain, **infinite})


def _side(plain: Mapping[str, Any]) -> Side:
    left_out = tuple(
        LeftOut(**{**each, "names": tuple(each["names"])}) for each in plain.get("left_out", ())
    )
    return _made(Side, {**plain, "ties": tuple(plain.get("ties", ())), "left_out": left_out})


def _unjudged(plain: Mapping[str, Any]) -> Unjudged:
    return _made(Unjudged, {**plain, "why": Uncounted.from_dict(plain["why"])})


def _number(plain: float | None) -> float:
    """Return a number that was measured; what is not finite is not in the document."""
    return math.inf if plain is None else plain


def _made(kind: type[_T], plain: Mapping[str, Any]) -> _T:
    """Make a value of what is known of its fields."""
    names = (each.name for each in fields(kind))  # type: ignore[arg-type] # all are dataclasses
    return kind(**{name: plain[name] for name in names if name in plain})
