"""No silent green: the expectations are known to Great Expectations, and none was lost.

Knows Great Expectations' registry and stores. Has never heard of profiles, limits or alerts.

Great Expectations drops a stored expectation whose class it does not know, with a line in the log,
and a checkpoint over what is left succeeds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from great_expectations.expectations.registry import get_expectation_impl

from kl_drift.errors import SuiteError
from kl_drift.gx.expectations import (
    ExpectColumnKLDriftToBeLessThan,
    ExpectTableKLDriftToBeLessThan,
)

if TYPE_CHECKING:
    from great_expectations.checkpoint.checkpoint import CheckpointResult
    from great_expectations.core import ExpectationSuite
    from great_expectations.data_context.data_context.abstract_data_context import (
        AbstractDataContext,
    )

EXPECTATIONS = (ExpectColumnKLDriftToBeLessThan, ExpectTableKLDriftToBeLessThan)
TYPES = frozenset(each.expectation_type for each in EXPECTATIONS)
"""What kl-drift's expectations are called in stored suites and results."""

PROMISED = "kl_drift"
"""The key of a suite's ``meta`` that says how many kl-drift expectations it was made with."""


def register() -> frozenset[str]:
    """Make sure that Great Expectations knows kl-drift's expectations and action.

    Importing :mod:`kl_drift.gx` is what makes them known; call this where an import alone would
    look unused. To be done in every process before a stored suite or checkpoint is loaded.

    Returns
    -------
    frozenset of str
        The types of expectation that are known now.

    Raises
    ------
    SuiteError
        If something else has taken one of the names.
    """
    for each in EXPECTATIONS:
        if get_expectation_impl(each.expectation_type) is not each:
            raise SuiteError(
                f"another class is registered as {each.expectation_type}; "
                "do not subclass kl-drift's expectations under their own names"
            )
    return TYPES


def guard(context: AbstractDataContext, *suites: str, at_least: int = 1) -> None:
    """Refuse stored suites that lost their kl-drift expectations: no green that says nothing.

    Parameters
    ----------
    context : data context
        Whose store holds the suites.
    suites : str
        Their names; all of the store if none is given.
    at_least : int
        How many kl-drift expectations each must have, where it does not say so itself: one that
        :func:`kl_drift.gx.suite` made says in its ``meta``.

    Raises
    ------
    SuiteError
        If a suite has fewer, is not there, or holds expectations of a type that nothing here knows.
    """
    names = suites or tuple(_stored_names(context))
    if not names:
        raise SuiteError("the context stores no suite; there is nothing to guard")
    for name in names:
        check_suite(_loaded(context, name), stored=_stored(context, name), at_least=at_least)


def check_suite(
    suite: ExpectationSuite, *, stored: dict[str, Any] | None = None, at_least: int = 1
) -> None:
    """Refuse a loaded suite that has fewer kl-drift expectations than it was made with.

    Parameters
    ----------
    suite : ExpectationSuite
        As it will be run.
    stored : dict, optional
        The document that it was loaded from.
    at_least : int
        As for :func:`guard`.

    Raises
    ------
    SuiteError
        If it has fewer.
    """
    loaded = [each.expectation_type for each in suite.expectations]
    written = [each["type"] for each in (stored or {}).get("expectations", ())]
    unknown = sorted({each for each in written if written.count(each) > loaded.count(each)})
    if unknown:
        raise SuiteError(
            f"suite {suite.name!r}: {', '.join(unknown)} stand in the store and were lost in "
            "loading, so they would never be evaluated; call kl_drift.gx.register() (or import "
            "what defines them) before anything loads the suite, and load it again"
        )
    promised = ((suite.meta or {}).get(PROMISED) or {}).get("expectations", at_least)
    found = sum(each in TYPES for each in loaded)
    if found < promised:
        raise SuiteError(
            f"suite {suite.name!r} has {found} of at least {promised} kl-drift expectations; a "
            "process that did not know them may have saved it without: make it again"
        )


def check_results(result: CheckpointResult) -> None:
    """Refuse the result of a checkpoint that lost the results of a validation definition.

    Great Expectations keeps one result for each suite and batch id, and batches of one asset, told
    apart by a path or a partition only, may share theirs: the last one's success is then the
    checkpoint's.

    Raises
    ------
    SuiteError
        If there is a validation definition without a result.
    """
    kept = {run.meta.get("validation_id") for run in result.run_results.values()}
    definitions = result.checkpoint_config.validation_definitions
    lost = [each.name for each in definitions if each.id not in kept]
    if lost:
        raise SuiteError(
            f"checkpoint {result.name!r}: the results of {', '.join(lost)} were replaced by those "
            "of another validation definition with the same suite and batch id, so its success "
            "says nothing of them; give each its own asset, suite or checkpoint"
        )


def _stored_names(context: AbstractDataContext) -> list[str]:
    keys: list[Any] = context.expectations_store.list_keys()
    return sorted(key.name for key in keys)


def _stored(context: AbstractDataContext, name: str) -> dict[str, Any]:
    store = context.expectations_store
    key = store.get_key(name=name, id=None)
    if not store.has_key(key=key):
        raise SuiteError(f"no suite {name!r} in the store; it has {_stored_names(context)}")
    document: dict[str, Any] = store.get(key=key)
    return document


def _loaded(context: AbstractDataContext, name: str) -> ExpectationSuite:
    _stored(context, name)
    return context.suites.get(name=name)
