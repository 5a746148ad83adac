"""The operator that runs a checkpoint of Great Expectations: it stores what it was given and calls.

Importing this module imports neither Great Expectations nor kl_drift.gx, which take seconds: that
happens when the task runs. Has never heard of columns or limits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from kl_drift.airflow._arguments import as_text, check_filled, check_stated
from kl_drift.airflow._outcome import check_actions, publish
from kl_drift.airflow.exceptions import (
    ExpectationsNotEvaluatedError,
    ExpectationsUnmetError,
    mistakes_not_retried,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

    from kl_drift.airflow.operators import Action


class GXCheckpointOperator(BaseOperator):
    """Run a checkpoint of Great Expectations, whatever its expectations are, and say what it found.

    An expectation that is not met fails the task without a retry: the data will not change. One
    that could not be evaluated (a column is missing, a database is down) says nothing about the
    data, and the task is retried. A suite that lost its expectations in loading, and a checkpoint
    that evaluates none, fail instead of passing.

    Parameters
    ----------
    checkpoint : str or callable
        The name of a checkpoint in the project; or a function that makes one, called when the task
        runs with the data context and `op_kwargs`.
    project : str, optional
        The folder of a file context, the one with ``gx/`` in it. Without one, the context is made
        for the run and forgotten after it.
    batch_parameters : mapping or callable, optional
        Which batch: ``{"year": "2013", "month": "02"}``; or a function that says so, called when
        the task runs with `op_kwargs`, for batches that are data frames.
    expectation_parameters : mapping, optional
        What ``{"$PARAMETER": "name"}`` stands for in the suites.
    op_kwargs : mapping, optional
        What the functions are called with.
    on_unmet : {"fail", "warn", "skip"}
        Whether an expectation that is not met fails the task, is only logged, or skips what comes
        next. What could not be evaluated fails the task in any case.

    Returns
    -------
    dict
        ``status`` (``ok``, ``failed`` or ``error``), ``summary``, ``evaluated``, ``unmet``,
        ``batches``, and ``expectations``: those not met, with their numbers and the reason. It is
        in XCom also where the task fails, and in the events of the task's outlets.

    Raises
    ------
    ExpectationsUnmetError
        Not retried: the message names each expectation, with its numbers.
    ExpectationsNotEvaluatedError
        Retried.
    DriftMistakeError
        If the project, the checkpoint or a suite is not there, or a suite is not whole. Not
        retried.

    Examples
    --------
    ::

        GXCheckpointOperator(
            task_id="expect",
            project="/opt/airflow/expectations",
            checkpoint="flights",
            batch_parameters={"month": "{{ data_interval_start.strftime('%Y-%m') }}"},
            expectation_parameters={"limit": 0.05},
        )
    """

    template_fields: Sequence[str] = (
        "project", "batch_parameters", "expectation_parameters", "op_kwargs",
    )  # fmt: skip
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "batch_parameters": "json", "expectation_parameters": "json", "op_kwargs": "json",
    }  # fmt: skip

    def __init__(
        self,
        *,
        checkpoint: str | Callable[..., Any],
        project: str | None = None,
        batch_parameters: Mapping[str, Any] | Callable[..., Mapping[str, Any]] | None = None,
        expectation_parameters: Mapping[str, Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        on_unmet: Action = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.checkpoint = checkpoint
        self.project = as_text(project)
        # Airflow would call a function in a templated attribute, so it has one of its own.
        self.batch_function = batch_parameters if callable(batch_parameters) else None
        self.batch_parameters = None if callable(batch_parameters) else batch_parameters
        self.expectation_parameters = expectation_parameters
        self.op_kwargs = op_kwargs
        self.on_unmet = on_unmet
        check_stated(self, ("project", "batch_parameters", "expectation_parameters"))
        with mistakes_not_retried():
            check_actions(on_unmet=on_unmet)

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the checkpoint, tell what it found, and let that decide."""
        with mistakes_not_retried():
            check_filled(self, ("project", "batch_parameters", "expectation_parameters"))
            found = self._run()
        publish(found, context)
        return _concluded(found, self.on_unmet, self._say(found))

    def _run(self) -> dict[str, Any]:
        from kl_drift.gx.checkpoint import run_checkpoint

        known = dict(self.op_kwargs or {})
        batch = self.batch_function
        return run_checkpoint(
            self.checkpoint
            if isinstance(self.checkpoint, str)
            else partial(self.checkpoint, **known),
            project=self.project,
            batch_parameters=batch(**known) if batch else self.batch_parameters,
            expectation_parameters=self.expectation_parameters,
        )

    def _say(self, found: Mapping[str, Any]) -> str:
        from kl_drift.gx.checkpoint import lines

        message = "\n".join(lines(found))
        (self.log.info if found["status"] == "ok" else self.log.warning)("%s", message)
        return message


def _concluded(found: dict[str, Any], on_unmet: str, message: str) -> dict[str, Any]:
    """Return what was found, or raise what makes Airflow fail or skip the task."""
    if found["status"] == "failed" and on_unmet == "fail":
        raise ExpectationsUnmetError(message)
    if found["errors"]:
        raise ExpectationsNotEvaluatedError(message)
    if found["status"] == "failed" and on_unmet == "skip":
        raise AirflowSkipException(message)
    return found
