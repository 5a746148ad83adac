"""``@task.drift_check``: a function that returns what is to be checked.

Knows how Airflow makes a task of a function. Adds nothing to the operator.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk.bases.decorator import (
    DecoratedOperator,
    TaskDecorator,
    determine_kwargs,
    task_decorator_factory,
)
from airflow.sdk.definitions.context import context_merge

from kl_drift.airflow import _check
from kl_drift.airflow._arguments import as_named, as_text
from kl_drift.airflow._summary import Summary
from kl_drift.airflow.exceptions import mistakes_not_retried
from kl_drift.airflow.operators import DriftCheckOperator
from kl_drift.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from airflow.sdk import Context

_SOURCES = ("plan", "reference", "current")


class _DriftCheckDecoratedOperator(DecoratedOperator, DriftCheckOperator):
    """A drift check whose current snapshot, or arguments, a function returns when the task runs."""

    template_fields = (*DecoratedOperator.template_fields, *DriftCheckOperator.template_fields)
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **DecoratedOperator.template_fields_renderers,
        **DriftCheckOperator.template_fields_renderers,
    }
    custom_operator_name = "@task.drift_check"
    states_all = False

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            python_callable=python_callable,
            op_args=op_args,
            op_kwargs=op_kwargs,
            **kwargs,
        )

    def execute(self, context: Context) -> Summary:
        """Call the function, and check what it returns."""
        try:
            arguments = self._called(context)
        except Exception as error:
            _check.tell_failure(self, error, context)
            raise
        for name, value in arguments.items():
            setattr(self, name, as_named(value) if name in _SOURCES else as_text(value))
        return DriftCheckOperator.execute(self, context)

    def _called(self, context: Context) -> dict[str, Any]:
        context_merge(context, self.op_kwargs)
        kwargs = determine_kwargs(self.python_callable, self.op_args, context)
        returned = self.python_callable(*self.op_args, **kwargs)
        with mistakes_not_retried():
            return _arguments(returned)


def _arguments(returned: Any) -> dict[str, Any]:
    """Return the arguments of the operator that a function returned: some, or what is current."""
    known = set(DriftCheckOperator.template_fields) - {"profile"}  # which a summary has, too
    if not isinstance(returned, Mapping) or not returned:
        return {"current": returned}
    unknown = [str(key) for key in returned if key not in known]
    if not unknown:
        return dict(returned)
    if any(isinstance(returned.get(name), str) for name in _SOURCES):
        raise UsageError(
            f"a function under @task.drift_check returned {unknown[0]!r}, which is no argument "
            f"that it may; known: {', '.join(sorted(known))}.{did_you_mean(unknown[0], known)}"
        )
    return {"current": returned}


def drift_check_task(
    python_callable: Callable[..., Any] | None = None, **kwargs: Any
) -> TaskDecorator:
    """Make a drift check of a function: ``@task.drift_check``.

    The function returns what is current: a path, a mapping, a :class:`~kl_drift.Snapshot`, or the
    rows themselves as a data frame or an Arrow table, which then stay in the task. Or it returns a
    mapping of arguments of :class:`~kl_drift.airflow.operators.DriftCheckOperator`.

    Parameters
    ----------
    python_callable : callable
        The function.
    **kwargs
        The other arguments of the operator.

    Examples
    --------
    ::

        @task.drift_check(reference="/data/drift/january.json", limits={"warn": 0.05, "drift": 0.1})
        def features(data_interval_start=None):
            return build_features(data_interval_start)
    """
    return task_decorator_factory(
        python_callable=python_callable,
        multiple_outputs=False,  # a mapping that is returned holds arguments, not results
        decorated_operator_class=_DriftCheckDecoratedOperator,
        **kwargs,
    )
