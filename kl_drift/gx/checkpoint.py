"""A checkpoint, run and told in plain words: in a context on disk, or in one made for the run.

Knows Great Expectations' contexts and what its results look like. Has never heard of who runs it
or of what follows from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from kl_drift.errors import SuiteError, UsageError
from kl_drift.gx.outcome import outcome
from kl_drift.gx.registration import TYPES, check_results, guard, register
from kl_drift.gx.rendering import exception_messages
from kl_drift.gx.verdict import ERROR
from kl_drift.judging.report import plain

if TYPE_CHECKING:
    from great_expectations import Checkpoint
    from great_expectations.checkpoint.checkpoint import CheckpointResult
    from great_expectations.core.expectation_validation_result import (
        ExpectationSuiteValidationResult,
        ExpectationValidationResult,
    )
    from great_expectations.data_context.data_context.abstract_data_context import (
        AbstractDataContext,
    )

Build: TypeAlias = Callable[["AbstractDataContext"], "Checkpoint"]
"""Makes a checkpoint in a context."""

VERSION = 1
FAILED = "failed"
MOST = 20
_NUMBERS = ("observed_value", "element_count", "unexpected_count", "unexpected_percent")


def run_checkpoint(
    checkpoint: str | Build,
    *,
    project: str | PathLike[str] | None = None,
    batch_parameters: Mapping[str, Any] | None = None,
    expectation_parameters: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Run a checkpoint whose suites are whole, and say what it found.

    Parameters
    ----------
    checkpoint : str or callable
        Its name in the project, or what makes it: called with the context.
    project : str or path, optional
        The folder of a file context, which has ``gx/`` in it; without one the context is ephemeral.
    batch_parameters, expectation_parameters : mapping, optional
        Which batch, and what ``{"$PARAMETER": …}`` stands for.

    Returns
    -------
    dict
        ``status``: ``ok``; ``failed``, where at least one expectation is not met; ``error``, where
        none is unmet, but one could not be evaluated. ``unmet`` and ``errors``: how many of both.
        ``expectations``: these, with their numbers and the reason; of kl-drift's, what they say of
        each column. Plain JSON types.

    Raises
    ------
    SuiteError
        If a suite lost an expectation in loading, or nothing was evaluated at all.
    UsageError
        If there is no such project or checkpoint.
    """
    register()
    context = _context(project)
    made = _named(context, checkpoint) if isinstance(checkpoint, str) else checkpoint(context)
    suites = {definition.suite.name for definition in made.validation_definitions}
    guard(context, *sorted(suites), at_least=0)
    result = made.run(
        batch_parameters=dict(batch_parameters or {}),
        expectation_parameters=dict(expectation_parameters or {}),
    )
    return told(result)


def _context(project: str | PathLike[str] | None) -> AbstractDataContext:
    import great_expectations as gx

    if project is None:
        return gx.get_context(mode="ephemeral")
    if not (Path(project) / "gx" / "great_expectations.yml").is_file():
        raise UsageError(
            f"{project}: no project of Great Expectations; name the folder that has "
            "gx/great_expectations.yml in it"
        )
    return gx.get_context(mode="file", project_root_dir=Path(project))


def _named(context: AbstractDataContext, name: str) -> Checkpoint:
    from great_expectations.exceptions.exceptions import DataContextError

    try:
        return context.checkpoints.get(name)
    except DataContextError as error:
        known = ", ".join(sorted(each.name for each in context.checkpoints.all())) or "none"
        raise UsageError(f"no checkpoint {name!r} in the context; it has: {known}") from error


def told(result: CheckpointResult) -> dict[str, Any]:
    """Return what a checkpoint found, in plain JSON types, small enough for an XCom.

    Raises
    ------
    SuiteError
        If nothing was evaluated, or a validation definition lost its results.
    """
    check_results(result)
    evaluated = sum(len(run.results) for run in result.run_results.values())
    if not evaluated:
        raise SuiteError(
            f"checkpoint {result.name!r} evaluated no expectation, so its success says nothing; "
            "add expectations to its suites"
        )
    unmet = sorted(_unmet(result), key=lambda found: found["status"] == ERROR)
    errors = sum(found["status"] == ERROR for found in unmet)
    status = FAILED if len(unmet) > errors else ERROR if errors else "ok"
    return {
        "version": VERSION,
        "checkpoint": result.name,
        "status": status,
        "summary": _summary(result.name, evaluated, len(unmet) - errors, errors),
        "evaluated": evaluated,
        "unmet": len(unmet) - errors,
        "errors": errors,
        "batches": [_batch(run) for run in result.run_results.values()],
        "expectations": unmet[:MOST],
    }


def lines(found: Mapping[str, Any]) -> list[str]:
    """Return what a checkpoint found as lines for a log or a message."""
    more = found["unmet"] + found["errors"] - len(found["expectations"])
    each = [f"- {expectation['reason']}" for expectation in found["expectations"]]
    return [found["summary"], *each, *([f"… and {more} more"] if more else [])]


def _summary(name: str, evaluated: int, unmet: int, errors: int) -> str:
    rest = f"; {errors} could not be evaluated" if errors else ""
    return f"checkpoint {name}: {unmet} of {evaluated} expectations not met{rest}"


def _batch(run: ExpectationSuiteValidationResult) -> str:
    return str(run.batch_id or run.asset_name or "")


def _unmet(result: CheckpointResult) -> Iterator[dict[str, Any]]:
    for run in result.run_results.values():
        for each in run.results:
            if not each.success:
                yield plain(_finding(each, run))


def _finding(
    each: ExpectationValidationResult, run: ExpectationSuiteValidationResult
) -> dict[str, Any]:
    config = each.expectation_config
    if config is not None and config.type in TYPES:
        judged = outcome(each, run)
        return {**judged.to_dict(), "reason": "; ".join(judged.lines)}
    return _of_others(each, run)


def _of_others(
    each: ExpectationValidationResult, run: ExpectationSuiteValidationResult
) -> dict[str, Any]:
    """Return what one of Great Expectations' own expectations, or anybody's, found."""
    document: dict[str, Any] = each.to_json_dict()
    config = document["expectation_config"]
    kwargs = {key: value for key, value in config["kwargs"].items() if key != "batch_id"}
    raised = exception_messages(each.exception_info)
    numbers = {key: document["result"].get(key) for key in _NUMBERS if key in document["result"]}
    said = ", ".join(f"{key} {value}" for key, value in (numbers or {}).items())
    asked = ", ".join(f"{key}={value!r}" for key, value in kwargs.items())
    return {
        "suite": str(run.suite_name),
        "batch": _batch(run),
        "expectation": config["type"],
        "column": str(kwargs.get("column", "")),
        "severity": config.get("severity", "critical"),
        "status": ERROR if raised else FAILED,
        "numbers": numbers,
        "reason": f"{config['type']}({asked}): {'; '.join(raised) or said or 'not met'}",
    }
