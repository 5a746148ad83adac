"""What a checkpoint found, one entry for each kl-drift expectation: for alerts and operators.

Knows how Great Expectations keeps results, also of those that a metric's error ended early. Has
never heard of how an alert is sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from kl_drift.gx.registration import TYPES
from kl_drift.gx.rendering import columns_of, exception_messages
from kl_drift.gx.verdict import ERROR
from kl_drift.judging.policy import Status
from kl_drift.render.notice import Line, line_of

if TYPE_CHECKING:
    from great_expectations.checkpoint.checkpoint import CheckpointResult
    from great_expectations.core.expectation_validation_result import (
        ExpectationSuiteValidationResult,
        ExpectationValidationResult,
    )

_UNREADABLE = "MetricError"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one kl-drift expectation said of one batch.

    Parameters
    ----------
    suite, batch : str
        Which suite, and the batch as Great Expectations calls it.
    expectation : str
        The type of the expectation.
    column : str
        Its column; empty for the table expectation.
    severity : {"critical", "warning", "info"}
        As the suite states it.
    success : bool
        Whether it was met.
    status : {"ok", "warn", "undecided", "drift", "error"}
        The verdict; ``error`` where something kept it from being judged.
    summary : str
        One line.
    kind : str
        Of an error: the class in :mod:`kl_drift.errors`, or ``MetricError`` where the batch could
        not be read.
    columns : tuple of dict
        The columns judged, worst first, as in ``result["details"]["columns"]`` without cells.
    key : str
        What the expectation is called in every run of its checkpoint, and no other is.
    """

    suite: str
    batch: str
    expectation: str
    column: str
    severity: str
    success: bool
    status: str
    summary: str
    kind: str = ""
    columns: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    key: str = field(default="", repr=False)

    @property
    def told(self) -> list[Line]:
        """What an alert says: a line for each column that is not ok, and for an error."""
        found = columns_of({"columns": self.columns})
        told = [line_of(column) for column in found if column.status is not Status.OK]
        if self.status == ERROR or not told:
            name = self.column or self.expectation
            told.insert(0, Line(status=self.status, name=name, reason=self.summary))
        return told

    @property
    def lines(self) -> list[str]:
        """The same as text, a line each."""
        return ["; ".join([str(line), *line.moved]) for line in self.told]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, small enough for an XCom."""
        told = {**asdict(self), "columns": [dict(column) for column in self.columns]}
        del told["key"]
        return told


def outcomes(result: CheckpointResult) -> list[Outcome]:
    """Return what each kl-drift expectation of a checkpoint said, failed ones first."""
    keys = _keys(result)
    found = [
        replace(outcome(each, run), key=keys[run.meta.get("validation_id"), _id(each)])
        for run in result.run_results.values()
        for each in _of_kl_drift(run)
    ]
    return sorted(found, key=lambda outcome: outcome.success)


def _keys(result: CheckpointResult) -> dict[tuple[str | None, str | None], str]:
    """Return the key of each expectation, by the ids of its definition and of itself.

    The ids would not do: they are others with each ephemeral context. One suite may judge several
    batches, and one column several times, with other row conditions or references.
    """
    keys: dict[tuple[str | None, str | None], str] = {}
    for definition in result.checkpoint_config.validation_definitions:
        seen = Counter[str]()
        for each in definition.suite.expectations:
            column = str(getattr(each, "column", ""))
            name = "/".join((definition.name, each.expectation_type, column))
            seen[name] += 1
            again = f" ({seen[name]})" if seen[name] > 1 else ""
            keys[definition.id, each.id] = name + again
    return keys


def _id(each: ExpectationValidationResult) -> str | None:
    return None if each.expectation_config is None else each.expectation_config.id


def _of_kl_drift(run: ExpectationSuiteValidationResult) -> Iterator[ExpectationValidationResult]:
    for each in run.results:
        if each.expectation_config is not None and each.expectation_config.type in TYPES:
            yield each


def outcome(each: ExpectationValidationResult, run: ExpectationSuiteValidationResult) -> Outcome:
    """Return what one kl-drift expectation said."""
    config = each.expectation_config
    assert config is not None  # noqa: S101 - narrows the type; the caller has checked
    details = (each.result or {}).get("details") or {}
    error = details.get("error") or {}
    messages = "; ".join(exception_messages(each.exception_info)) or "was not evaluated"
    return Outcome(
        suite=str(run.suite_name),
        batch=str(run.batch_id or ""),
        expectation=config.type,
        column=str(config.kwargs.get("column") or ""),
        severity=str(getattr(config.severity, "value", config.severity)),
        success=bool(each.success),
        status=str(details.get("status") or ERROR),
        summary=str(details.get("summary") or f"{ERROR}: {messages}"),
        kind=str(error.get("kind") or ("" if details else _UNREADABLE)),
        columns=tuple(
            {key: value for key, value in column.items() if key != "cells"}
            for column in details.get("columns") or ()
        ),
    )
