"""What a check knows of its past: the reference chosen of it, learned limits, slow ramps.

Knows plans, histories and profiles. Has never heard of rows, or of how a number is computed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from kl_drift.artefact import load_limits
from kl_drift.counts.histogram import other_bins
from kl_drift.counts.profile import Profile
from kl_drift.errors import UsageError
from kl_drift.history.calibration import learn
from kl_drift.history.choices import Against, choose_reference
from kl_drift.history.exceedances import Exceedances, find_exceedances
from kl_drift.history.record import History
from kl_drift.history.trend import find_trends
from kl_drift.judging.limits import MIN_SNAPSHOTS, REMEMBERED, LearnedLimits, Trend
from kl_drift.judging.nearest import closest_profile
from kl_drift.plan.plan import Plan
from kl_drift.statistics.smoothing import Smoothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Hindsight:
    """What a check knows before it judges.

    Parameters
    ----------
    against : Against
        What the snapshot is compared with.
    learned : LearnedLimits or None
        What the columns' own snapshots stay below when they are compared likewise.
    trends : mapping of str to Trend
        Which columns have been moving slowly, if the plan asks.
    exceeded : mapping of str to int
        How many of the last snapshots exceeded the learned limit of a column.
    """

    against: Against
    learned: LearnedLimits | None
    trends: Mapping[str, Trend] = field(default_factory=dict)
    exceeded: Mapping[str, int] = field(default_factory=dict)


def look_back(
    plan: Plan,
    fixed: Profile,
    current: Profile,
    history: History | None,
    candidates: Mapping[str, Profile],
) -> Hindsight:
    """Return what is compared with, and what is ordinary in that comparison.

    Parameters
    ----------
    plan : Plan
        The plan.
    fixed : Profile
        Its reference.
    current : Profile
        The snapshot; nothing is learned from it, nor from later ones.
    history : History, optional
        The record, if the plan has one.
    candidates : mapping of str to Profile
        Of which the closest is compared with, if the plan names any.

    Raises
    ------
    UsageError
        If the choice needs the day of the current snapshot and it does not state one, or the
        plan's file of limits was learned otherwise.
    BinsMismatchError
        If that file was learned over other bins.
    """
    earlier = _earlier(plan, current, history)
    if candidates:
        against = _closest(candidates, current)
    elif plan.choice:
        against = choose_reference(plan.choice, fixed, current, earlier)
    else:
        against = Against(profile=fixed, source=", ".join(fixed.sources))
    exceedances = _exceedances(plan, current, history)
    learned = _learned(plan, fixed, earlier, against, candidates, incidents=exceedances.incidents)
    return Hindsight(
        against=against,
        learned=learned,
        trends=_trends(plan, fixed, current, earlier),
        exceeded=exceedances.counts,
    )


def _exceedances(plan: Plan, current: Profile, history: History | None) -> Exceedances:
    """Return what the reports of earlier snapshots say, as far back as limits are learned from."""
    if history is None:
        return Exceedances()
    before = history.reports_before(plan.name, current, last=REMEMBERED)
    return find_exceedances(before, plan.confirmation)


def _closest(candidates: Mapping[str, Profile], current: Profile) -> Against:
    found = closest_profile(current, candidates)
    best, ties = str(found.best), tuple(map(str, found.ties))
    told = f"; the rows cannot tell it from {', '.join(ties)}" if ties else ""
    return Against(
        profile=candidates[best],
        source=f"{best}, the closest of {', '.join(candidates)}{told}",
        choice=f"closest:{best}",
        ties=ties,
    )


def replay_references(
    plan: Plan,
    profiles: Sequence[Profile],
    candidates: Mapping[str, Profile],
    *,
    since: int = 0,
    without: Collection[int] = (),
) -> tuple[Profile | None, ...] | None:
    """Return what each snapshot would have been compared with; None: all with the fixed reference.

    Parameters
    ----------
    plan : Plan
        Whose choice it is.
    profiles : sequence of Profile
        Oldest first.
    candidates : mapping of str to Profile
        Of which the closest is chosen, if the plan names any.
    since : int
        The place of the first snapshot that is asked for.
    without : collection of int
        The places of those that are no reference.
    """
    if candidates:
        return tuple(
            candidates[str(closest_profile(each, candidates).best)] if each.rows else None
            for each in profiles[since:]
        )
    return plan.choice.replayed(profiles, since=since, without=without) if plan.choice else None


def _earlier(plan: Plan, current: Profile, history: History | None) -> tuple[Profile, ...]:
    if history is None:
        return ()
    reach = plan.choice.reach if plan.choice else 0
    looked_at = plan.trend.snapshots if plan.trend else 0
    last = None if reach is None else REMEMBERED + max(reach, looked_at)
    return tuple(each.profile for each in history.earlier(plan.name, current, last=last))


def _learned(
    plan: Plan,
    fixed: Profile,
    earlier: tuple[Profile, ...],
    against: Against,
    candidates: Mapping[str, Profile],
    *,
    incidents: Mapping[str, Collection[str]],
) -> LearnedLimits | None:
    """Return the limits of the plan's file, or those its history teaches once it is long enough."""
    if plan.calibration.limits:
        return _from_file(plan, fixed, against)
    since = max(len(earlier) - REMEMBERED, 0)
    if len(earlier) < MIN_SNAPSHOTS or plan.smoothing.method == "none":
        return None
    chosen = bool(against.choice)
    return learn(
        earlier[since:],
        fixed,
        budget=plan.calibration.budget(len(fixed.counted)),
        smoothing=plan.smoothing,
        against=replay_references(plan, earlier, candidates, since=since) if chosen else None,
        choice=plan.chooses if chosen else "",
        season=plan.season,
        confirm=plan.confirmation,
        open_incidents=incidents,
    )


def _trends(
    plan: Plan, fixed: Profile, current: Profile, earlier: tuple[Profile, ...]
) -> Mapping[str, Trend]:
    if plan.trend is None:
        return {}
    return find_trends(
        earlier,
        current,
        fixed,
        budget=plan.calibration.budget(len(fixed.counted)),
        smoothing=plan.smoothing,
        snapshots=plan.trend.snapshots,
        weight=plan.trend.weight,
    )


def _from_file(plan: Plan, fixed: Profile, against: Against) -> LearnedLimits | None:
    """Return the limits of a file; none as long as the plan's choice finds too few snapshots."""
    learned = load_limits(plan.calibration.limits)
    refuse_other_limits(learned, fixed, plan.smoothing, choice=plan.chooses)
    if plan.confirm not in (None, learned.confirm):
        raise UsageError(
            f"{plan.path}: confirm: {plan.confirm}, and {plan.calibration.limits} was learned for "
            f"{learned.confirm}; calibrate again"
        )
    return learned if bool(learned.choice) == bool(against.choice) else None


def refuse_other_limits(
    learned: LearnedLimits, reference: Profile, method: Smoothing, *, choice: str = ""
) -> None:
    """Refuse limits that do not hold for a comparison.

    Raises
    ------
    BinsMismatchError
        If they were learned over other bins.
    UsageError
        If they were learned with another smoothing, or other choices of the reference.
    """
    if learned.bins_digest != reference.bins_digest:
        raise other_bins(
            ("the history of these limits", learned.bins_digest),
            ("the reference", reference.bins_digest),
            remedy="calibrate again with this reference",
        )
    if learned.smoothing != str(method):
        raise UsageError(
            f"these limits were learned with smoothing {learned.smoothing}, not {method}; "
            "calibrate again, or compare with that smoothing"
        )
    if learned.choice != choice:
        raise UsageError(
            f"these limits were learned with {_named(learned.choice)}, not with {_named(choice)}; "
            "calibrate again"
        )


def _named(choice: str) -> str:
    return f"the reference {choice}" if choice else "a fixed reference"
