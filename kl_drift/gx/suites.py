"""A suite from a reference: one expectation per column, each with its own limits.

Knows plans and Great Expectations' suites. Has never heard of batches or counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

from great_expectations import ExpectationSuite

from kl_drift.errors import UsageError
from kl_drift.gx.expectations import ExpectColumnKLDriftToBeLessThan
from kl_drift.gx.reference import load_reference
from kl_drift.gx.registration import PROMISED
from kl_drift.gx.verdict import policy_to_dict
from kl_drift.plan.plan import Plan, load_plan
from kl_drift.statistics.smoothing import Smoothing

if TYPE_CHECKING:
    from kl_drift.counts.profile import Profile


def suite(
    reference: str | PathLike[str],
    plan: Plan | str | PathLike[str] | None = None,
    *,
    name: str = "kl_drift",
    columns: Sequence[str] | None = None,
    values: Mapping[str, str] | None = None,
    **fields: Any,
) -> ExpectationSuite:
    """Build a suite from a reference: one expectation for each column that it judges.

    The expectations count their columns together, in one pass over the batch.

    Parameters
    ----------
    reference : str or path
        A saved profile (``….json``), or a snapshot.
    plan : Plan or path, optional
        Where the limits of the columns, and the smoothing, are taken from.
    name : str
        Of the suite.
    columns : sequence of str, optional
        Which columns; by default all that the reference judges.
    values : mapping of str to str, optional
        What ``{{ name }}`` stands for in the plan.
    **fields
        Further fields of every expectation: ``severity``, ``as_of``, ``accept_undecided``,
        ``row_condition``, ``statistic``.

    Returns
    -------
    ExpectationSuite
        Not yet in a context: ``context.suites.add(…)`` stores it. Its ``meta`` says how many
        expectations it has, for :func:`kl_drift.gx.guard`.

    Raises
    ------
    ColumnNotFoundError, PlanError
        If a column is not in the reference, or an entry of the plan fits none.
    """
    profile = load_reference(fspath(reference), columns)
    names = sorted(set(profile.counted) & set(columns or profile.counted))
    if not names:
        raise UsageError(f"{fspath(reference)}: judges no column, so there is nothing to expect")
    limits = _limits(plan, profile, values)
    made = [
        ExpectColumnKLDriftToBeLessThan(
            column=column,
            reference=fspath(reference),
            together=columns is None,
            **{**limits(column), **fields},
        )
        for column in names
    ]
    meta = {PROMISED: {"expectations": len(made), "bins_digest": profile.bins_digest}}
    return ExpectationSuite(name=name, expectations=made, meta=meta)


def _limits(
    plan: Plan | str | PathLike[str] | None, profile: Profile, values: Mapping[str, str] | None
) -> Callable[[str], dict[str, Any]]:
    """Return what says by which limits a column is judged: stated, or by way of the plan."""
    if plan is None:
        return lambda _: {}
    read = plan if isinstance(plan, Plan) else load_plan(plan, values=values)
    read.check_columns(profile.columns)
    if read.calibration.limits:  # too many numbers to state, and learned anew now and then
        by_plan: dict[str, Any] = {"plan": read.path, "plan_values": dict(values or {})}
        return lambda _: by_plan

    def stated(column: str) -> dict[str, Any]:
        policy = policy_to_dict(replace(read.policy.of(column), columns={}))
        return ({"policy": policy} if policy else {}) | _smoothing(read.smoothing)

    return stated


def _smoothing(smoothing: Smoothing) -> dict[str, Any]:
    """Return the field as a plan writes it, or nothing where it is the default."""
    if smoothing == Smoothing():
        return {}
    stated = {"floor": smoothing.eps} if smoothing.method == "floor" else smoothing.method
    return {"smoothing": stated}
