"""The verdict of an expectation: two profiles and what the suite says become a GX result.

Knows the plain JSON that a result is made of, and what is an error rather than a drift. Has never
heard of batches, engines or Great Expectations' classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from kl_drift.artefact import load_limits
from kl_drift.counts.profile import Profile
from kl_drift.errors import (
    ColumnNotFoundError,
    ColumnTypeError,
    KLDriftError,
    UsageError,
    did_you_mean,
)
from kl_drift.judging.comparison import compare_profiles
from kl_drift.judging.limits import LearnedLimits
from kl_drift.judging.policy import Finding, Policy, Statistic, Status
from kl_drift.judging.report import ColumnReport, Report, column_to_dict, plain
from kl_drift.plan.plan import load_plan
from kl_drift.render import words
from kl_drift.statistics.smoothing import Smoothing, parse_smoothing

ERROR = "error"
"""The status in a result where something kept the expectation from being judged."""

_KINDS: Mapping[Finding, type[KLDriftError]] = {
    "missing": ColumnNotFoundError,
    "type changed": ColumnTypeError,
}
_COLUMN_OF = {"kl": "kl", "reverse": "kl_reverse"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """By what an expectation is judged: what its fields mean, read and checked.

    Parameters
    ----------
    policy : Policy
        The limits.
    smoothing : Smoothing
        How counts become probabilities.
    learned : LearnedLimits, optional
        What the columns' own snapshots stay below.
    accept_undecided : bool
        Whether too few rows to tell count as success.
    """

    policy: Policy = field(default_factory=Policy)
    smoothing: Smoothing = field(default_factory=Smoothing)
    learned: LearnedLimits | None = None
    accept_undecided: bool = False

    @classmethod
    def of(cls, stated: Mapping[str, Any]) -> Terms:
        """Read the fields of an expectation.

        Parameters
        ----------
        stated : mapping
            ``threshold``, ``policy``, ``plan``, ``plan_values``, ``statistic``, ``smoothing`` and
            ``accept_undecided``; each may be missing or ``None``.

        Raises
        ------
        UsageError, PlanError, ArtefactError
            If a limit is none, or the plan or its learned limits cannot be read.
        """
        terms = cls._of_plan(stated) if stated.get("plan") else cls(policy=_policy(stated))
        statistic, smoothing = stated.get("statistic"), stated.get("smoothing")
        return replace(
            terms,
            policy=_limiting(terms.policy, statistic) if statistic else terms.policy,
            smoothing=parse_smoothing(smoothing) if smoothing else terms.smoothing,
            accept_undecided=bool(stated.get("accept_undecided")),
        )

    @classmethod
    def _of_plan(cls, stated: Mapping[str, Any]) -> Terms:
        plan = load_plan(stated["plan"], values=stated.get("plan_values") or {})
        limits = plan.calibration.limits
        return cls(
            policy=plan.policy,
            smoothing=plan.smoothing,
            learned=load_limits(limits) if limits else None,
        )


def _limiting(policy: Policy, statistic: Statistic) -> Policy:
    """Return a policy with the same limits, of another statistic."""
    columns = {name: _limiting(each, statistic) for name, each in policy.columns.items()}
    return replace(policy, statistic=statistic, columns=columns)


def _policy(stated: Mapping[str, Any]) -> Policy:
    threshold, policy = stated.get("threshold"), stated.get("policy")
    if threshold is not None:
        return threshold_policy(threshold)
    return Policy() if policy is None else policy_of(policy)


def threshold_policy(threshold: object) -> Policy:
    """Return the policy of one limit: above it is a drift, below it nothing is said."""
    if isinstance(threshold, bool) or not isinstance(threshold, int | float):
        raise UsageError(f"threshold: expected a number of nats above 0, got {threshold!r}")
    if not 0 < threshold < math.inf:
        raise UsageError(f"threshold: expected nats above 0 and finite, got {threshold:g}")
    return Policy(warn=float(threshold), drift=float(threshold))


def policy_of(stated: Mapping[str, Any]) -> Policy:
    """Return the policy that stands in a suite as a plain mapping, as :func:`policy_to_dict` wrote.

    Raises
    ------
    UsageError
        If a key is not known or a value is outside its range.
    """
    known = [each.name for each in fields(Policy)]
    for key in stated:
        if key not in known:
            raise UsageError(f"policy: no key {key!r}.{did_you_mean(key, known)}")
    columns = {name: policy_of(each) for name, each in (stated.get("columns") or {}).items()}
    try:
        return Policy(**{**stated, "columns": columns})
    except TypeError as error:
        raise UsageError(f"policy: a value is not of its kind: {error}") from error


def policy_to_dict(policy: Policy) -> dict[str, Any]:
    """Return what differs from the defaults, as plain JSON types."""
    default = Policy()
    stated = {
        each.name: getattr(policy, each.name)
        for each in fields(Policy)
        if each.name != "columns" and getattr(policy, each.name) != getattr(default, each.name)
    }
    columns = {name: policy_to_dict(each) for name, each in policy.columns.items()}
    return stated | ({"columns": columns} if columns else {})


def judged(
    current: Profile, reference: Profile, terms: Terms, columns: Sequence[str] | None = None
) -> dict[str, Any]:
    """Judge a batch: the ``success``, ``result`` and ``exception_info`` of an expectation.

    Parameters
    ----------
    current, reference : Profile
        Counted over the same bins.
    terms : Terms
        The limits and the rest.
    columns : sequence of str, optional
        The columns to judge; all by default.

    Returns
    -------
    dict
        Plain JSON types only.

    Raises
    ------
    KLDriftError
        If the profiles cannot be compared, or a column cannot be judged at all.
    """
    report = compare_profiles(
        _only(current, columns),
        _only(reference, columns),
        terms.policy,
        terms.smoothing,
        terms.learned,
    )
    for name in columns or ():
        report[name]  # refuses a name that is not judged, saying why
    if not report.columns:
        raise UsageError("the reference has no column that is judged; fit it with some")
    passing = {Status.OK, Status.WARN} | ({Status.UNDECIDED} if terms.accept_undecided else set())
    details = _details(report, terms)
    if columns and len(report.columns) == 1:
        details["summary"] = f"{columns[0]}: {words.sentence(report[columns[0]])}"
    lost = [column for column in report if column.finding in _KINDS]
    if lost:
        said = "; ".join(f"column {column.name!r}: {words.reason(column)}" for column in lost)
        return _failed(_KINDS[lost[0].finding].__name__, said, details)
    return {
        "success": report.status in passing,
        "result": {"observed_value": _largest(details["columns"]), "details": details},
    }


def _only(profile: Profile, columns: Sequence[str] | None) -> Profile:
    if columns is None:
        return profile
    kept = {name: profile.columns[name] for name in columns if name in profile.columns}
    return replace(profile, columns=kept)


def _details(report: Report, terms: Terms) -> dict[str, Any]:
    statistic = terms.policy.statistic
    return {
        "status": str(report.status),
        "summary": words.summary(report),
        "statistic": statistic,
        "columns": [_column(column, terms.policy.of(column.name).statistic) for column in report],
        "unjudged": [plain(column) for column in report.unjudged],
        "current": plain(report.current),
        "reference": plain(report.reference),
        "bins_digest": report.bins_digest,
    }


def _column(column: ColumnReport, statistic: Statistic) -> dict[str, Any]:
    """Return a column as in a report's document, with what the suite asks for, and the reason."""
    observed = plain(getattr(column, _COLUMN_OF.get(statistic, statistic)))
    return {**column_to_dict(column), "observed": observed, "reason": words.reason(column)}


def _largest(columns: Iterable[Mapping[str, Any]]) -> float | None:
    """Return the largest observed value; ``None`` where none is a finite number."""
    values = [each["observed"] for each in columns if each["observed"] is not None]
    largest: float | None = max(values, default=None)
    return largest


def failed(error: KLDriftError | OSError) -> dict[str, Any]:
    """Return the result of an expectation that could not be judged: never a success, no drift."""
    return _failed(type(error).__name__, str(error), {"columns": [], "unjudged": []})


def _failed(kind: str, message: str, details: Mapping[str, Any]) -> dict[str, Any]:
    told = {
        "status": ERROR,
        "summary": f"{ERROR}: {message}",
        "error": {"kind": kind, "message": message},
    }
    return {
        "success": False,
        "result": {
            "observed_value": _largest(details["columns"]),
            "details": {**details, **told},
        },
        "exception_info": {
            "raised_exception": True,
            "exception_message": f"{kind}: {message}",
            "exception_traceback": "",
        },
    }
