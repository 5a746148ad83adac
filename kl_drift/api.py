"""The whole walk, top to bottom: snapshot → profile → report.

Knows every room below and adds no arithmetic of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path
from typing import TypeAlias, cast

from kl_drift import versions
from kl_drift.artefact import is_profile_path, load_profile, save
from kl_drift.counts.binning import Binning, Categories
from kl_drift.counts.profile import Profile
from kl_drift.counts.selection import Aspect, Selection, as_pair
from kl_drift.engines.opening import Readable, open_source
from kl_drift.engines.pretence import Change, Pretended
from kl_drift.engines.profiling import Progress, fit_profile, scan_profile
from kl_drift.errors import BinsError, ColumnNotFoundError, PairError, PlanError, UsageError
from kl_drift.history.calibration import Replayed, learn, replay
from kl_drift.history.past import places_meant, same_counts
from kl_drift.history.record import History
from kl_drift.judging.comparison import compare_profiles
from kl_drift.judging.limits import MIN_SNAPSHOTS, LearnedLimits
from kl_drift.judging.nearest import closest_profile
from kl_drift.judging.policy import Policy
from kl_drift.judging.report import Report
from kl_drift.lookback import Hindsight, look_back, refuse_other_limits, replay_references
from kl_drift.moments import parse_moment
from kl_drift.overwriting import refuse_overwriting
from kl_drift.plan.draft import draft_plan
from kl_drift.plan.plan import Output, Plan, load_plan
from kl_drift.snapshot import Snapshot
from kl_drift.statistics.closest import Closest
from kl_drift.statistics.smoothing import SmoothingLike, parse_smoothing
from kl_drift.storage import write_bytes

Columns: TypeAlias = Selection | Sequence[str] | None
Pairs: TypeAlias = Sequence[tuple[str, str]]
Bins: TypeAlias = Binning | Mapping[str, Binning] | None


def fit(
    reference: Readable,
    *,
    columns: Columns = None,
    bins: Bins = None,
    judge: Mapping[str, Aspect | Sequence[Aspect]] | None = None,
    pairs: Pairs = (),
    cluster: str = "",
    progress: Progress | None = None,
) -> Profile:
    """Fit bins to a reference snapshot and count it over them: the reference profile.

    Parameters
    ----------
    reference : path, Snapshot, data frame, pyarrow Table or reader, or any Arrow stream
        The reference. Read twice; of a stream, a temporary file is made.
    columns : sequence of str or Selection, optional
        Names or patterns (``"dep_*"``) of the columns to judge. By default all but those that look
        like identifiers, partition keys, and dates and timestamps, which move by construction.
    bins : Binning or mapping of str to Binning, optional
        Another way of binning: for all columns of that kind, or by name or pattern.
    judge : mapping of str to {"value", "hour", "weekday", "age"}, optional
        What is to be judged of dates and timestamps.
    pairs : sequence of (str, str)
        Columns that are to be judged together as well, such as ``("dep_delay", "distance")``.
    cluster : str
        The column whose value rows that belong together share, such as ``"customer_id"``: fifty
        rows of one customer tell less than fifty of fifty. It travels in the profile, so that
        snapshots are scanned and judged alike; it is not judged itself unless it is named.
    progress : callable, optional
        Called with the rows done and the rows in all.

    Returns
    -------
    Profile
        To compare with, to scan like, to :func:`save`.

    Raises
    ------
    SnapshotError
        If it cannot be found or read, or has no rows.
    ColumnError
        If a column is not there or cannot be binned as asked, or one of a pair is not counted.

    Examples
    --------
    >>> import kl_drift as kd
    >>> reference = kd.fit({"x": [1, 2, 3, 4]})
    >>> reference.rows
    4
    """
    selection = _selection(columns, bins, judge, pairs, cluster)
    return fit_profile(open_source(reference), selection, _as_of(reference), progress)


def scan(current: Readable, *, like: Profile, progress: Progress | None = None) -> Profile:
    """Count a snapshot over the reference's bins.

    Parameters
    ----------
    current : path, Snapshot, data frame, pyarrow Table or reader, or any Arrow stream
        The snapshot; read once, only the columns that the reference counted. A
        :class:`~kl_drift.engines.sql.SqlTable` or a Spark DataFrame is counted where its rows are.
    like : Profile
        The reference profile.
    progress : callable, optional
        Called with the rows done and the rows in all (``None`` for a stream).

    Returns
    -------
    Profile
        Profiles of parts add up to the profile of the whole.

    Raises
    ------
    SnapshotError
        If it cannot be found or read.
    UsageError
        If ``like`` is no profile, or a stream was read before.
    """
    if not isinstance(like, Profile):
        raise UsageError(
            f"like: expected a profile, which fit returns and load_profile reads, got a "
            f"{type(like).__name__}"
        )
    return scan_profile(open_source(current), like, _as_of(current), progress)


def compare(
    current: Profile | Readable,
    reference: Profile | Readable,
    *,
    columns: Columns = None,
    pairs: Pairs = (),
    cluster: str = "",
    policy: Policy | None = None,
    smoothing: SmoothingLike = "jeffreys",
    learned: LearnedLimits | None = None,
    progress: Progress | None = None,
) -> Report:
    """Compare a current snapshot with a reference: how far each column has drifted, and where.

    Parameters
    ----------
    current, reference : Profile, path of a saved profile, or what :func:`scan` and :func:`fit` take
        The two. A reference that is no profile yet is fitted, a current one scanned like it.
    columns : sequence of str or Selection, optional
        As for :func:`fit`; only where the reference is no profile yet.
    pairs : sequence of (str, str)
        Likewise.
    cluster : str
        Likewise.
    policy : Policy, optional
        The limits.
    smoothing : str, mapping or Smoothing, optional
        How counts become positive probabilities.
    learned : LearnedLimits, optional
        What the columns' own snapshots stay below, from :func:`calibrate`.
    progress : callable, optional
        Called with the rows done and the rows in all.

    Returns
    -------
    Report
        Divergences in nats, KL(current‖reference) first.

    Raises
    ------
    BinsMismatchError
        If the two profiles were counted over different bins.
    """
    method = parse_smoothing(smoothing)
    current, reference = versions.resolve(as_profile(current), as_profile(reference))
    if isinstance(reference, Profile):
        if columns is not None or pairs or cluster:
            raise UsageError(
                "columns, pairs and cluster (--columns, --pairs, --cluster) cannot change a saved "
                "profile; fit the reference again with them"
            )
    else:
        reference = fit(reference, columns=columns, pairs=pairs, cluster=cluster, progress=progress)
    if not isinstance(current, Profile):
        current = scan(current, like=reference, progress=progress)
    if learned is not None:
        refuse_other_limits(learned, reference, method, choice=learned.choice)
    return compare_profiles(current, reference, policy or Policy(), method, learned)


def closest_reference(
    current: Profile | Readable,
    references: Mapping[str, Profile | Readable],
    *,
    columns: Columns = None,
    confidence: float = 0.95,
    progress: Progress | None = None,
) -> Closest:
    """Tell which of several references a snapshot resembles most, all columns together.

    Parameters
    ----------
    current : Profile, path of a saved profile, or what :func:`scan` takes
        The snapshot.
    references : mapping of str to the same
        By name. All are counted over the same bins: those of the first saved profile, or else
        those fitted on the first reference.
    columns : sequence of str or Selection, optional
        As for :func:`fit`; only where no reference is a profile yet.
    confidence : float
        Of all intervals together.
    progress : callable, optional
        Called with the rows done and the rows in all.

    Returns
    -------
    Closest
        ``best``, the ``ties`` that the rows cannot tell from it, ``divergences`` in nats, summed
        over the columns, and ``intervals`` of how much farther each is than the best.

    Raises
    ------
    BinsMismatchError
        If profiles were counted over different bins.
    UsageError
        If there is no reference.
    """
    if not references:
        raise UsageError("closest needs at least one reference, by name")
    sides = {name: as_profile(each) for name, each in references.items()}
    known = [each for each in sides.values() if isinstance(each, Profile)]
    if known and columns is not None:
        raise UsageError(
            "columns (--columns) cannot change a saved profile; fit the reference again with them"
        )
    if not known:
        first = next(iter(sides))
        known = [fit(sides[first], columns=columns, progress=progress)]
        sides[first] = known[0]
    like = known[0]
    return closest_profile(
        _like(as_profile(current), like, progress),
        {name: _like(each, like, progress) for name, each in sides.items()},
        confidence=confidence,
    )


def as_profile(data: Readable) -> Readable:
    """Load a saved profile where ``data`` is the path of one; hand on everything else."""
    if isinstance(data, Snapshot):
        return load_profile(data.path, data.options) if is_profile_path(data.path) else data
    return load_profile(data) if is_profile_path(data) else data


def path_of(data: Profile | Readable | None) -> str:
    """Return where rows or a profile lie; empty where they are at hand."""
    if isinstance(data, Snapshot):
        return data.path
    return fspath(data) if isinstance(data, str | PathLike) else ""


def _as_of(data: Readable) -> str:
    return data.as_of if isinstance(data, Snapshot) else ""


def _selection(
    columns: Columns,
    bins: Bins,
    judge: Mapping[str, Aspect | Sequence[Aspect]] | None,
    pairs: Pairs,
    cluster: str,
) -> Selection:
    selection = _include(columns)
    for each in bins.values() if isinstance(bins, Mapping) else (bins,):
        if each is not None and not isinstance(each, Binning):
            raise UsageError(
                f"bins: expected Quantiles, Uniform, Edges or Categories, got {each!r}; "
                "write for example Quantiles(count=20)"
            )
    if isinstance(bins, Categories):
        selection = replace(selection, categories=bins)
    elif isinstance(bins, Mapping):
        selection = replace(selection, bins={**selection.bins, **bins})
    elif bins is not None:
        selection = replace(selection, numeric=bins)
    judged = {
        name: (how,) if isinstance(how, str) else tuple(how) for name, how in (judge or {}).items()
    }
    together = (*selection.pairs, *map(as_pair, pairs))
    return replace(
        selection,
        judge={**selection.judge, **judged},
        pairs=together,
        cluster=cluster or selection.cluster,
    )


def _include(columns: Columns) -> Selection:
    if isinstance(columns, Selection):
        return columns
    if isinstance(columns, str | PathLike):
        raise UsageError(
            f"columns: expected a sequence of names, got {columns!r}; write [{columns!r}]"
        )
    return Selection(include=() if columns is None else tuple(map(_name, columns)))


def _name(label: object) -> str:
    """Return a column's name: pandas may label columns by whole numbers, which become text."""
    return str(label) if isinstance(label, int) else cast("str", label)


def check(
    plan: Plan | str | PathLike[str],
    *,
    current: Profile | Readable | None = None,
    as_of: str = "",
    values: Mapping[str, str] | None = None,
    pretend: Sequence[str] = (),
    progress: Progress | None = None,
) -> Report:
    """Check a snapshot by a plan, and write what the plan asks for.

    Parameters
    ----------
    plan : Plan or path
        The plan, or its YAML file.
    current : snapshot or profile, optional
        Instead of the one that the plan names.
    as_of : str, optional
        The moment that it stands for, ISO 8601, where it does not say so itself.
    values : mapping of str to str, optional
        What ``{{ name }}`` stands for in the file.
    pretend : sequence of str
        Drift to plant in the rows as they are read, such as ``"dep_delay +20 %"``, to see whether
        it would alarm; see :class:`~kl_drift.engines.pretence.Change`. Then nothing is written.
    progress : callable, optional
        Called with the rows done and the rows in all.

    Returns
    -------
    Report
        The findings; its ``status`` decides.

    Raises
    ------
    PlanError
        If the plan has a mistake, or names no current snapshot and none is given, or its choice of
        the reference needs a day and none is stated.
    UsageError
        If an output would overwrite what the check reads or keeps.
    """
    if not isinstance(plan, Plan):
        plan = load_plan(plan, values=values)
    if pretend:
        return _rehearse(plan, pretend, current=current, as_of=as_of, progress=progress)
    refuse_overwriting(plan.writes, plan.reads | {"the current snapshot": path_of(current)})
    profile, report = examine(plan, current=current, as_of=as_of, progress=progress)
    _write(plan.output, profile, report)
    if plan.history:
        History.open(plan.history).add(plan.name, profile, report)
    return report


def _rehearse(
    plan: Plan,
    pretend: Sequence[str],
    *,
    current: Profile | Readable | None,
    as_of: str,
    progress: Progress | None,
) -> Report:
    """Judge the snapshot with drift planted in its rows, and write nothing."""
    changes = [Change.parse(text) for text in ([pretend] if isinstance(pretend, str) else pretend)]
    current, reference = versions.resolve(_named(plan, current), plan.reference)
    plan, current = replace(plan, reference=reference), as_profile(current)
    if isinstance(current, Profile):
        raise UsageError(
            "pretend: drift is planted in rows, and the current snapshot is a saved profile; name "
            "its rows"
        )
    as_of = _day_of(plan, current, as_of)
    if plan.history and not Path(plan.history.removeprefix("sqlite:///")).exists():
        plan = plan if plan.history.startswith("postgres") else replace(plan, history="")
    planted = Pretended(open_source(current), changes)
    return examine(plan, current=planted, as_of=as_of, progress=progress)[1]


def examine(
    plan: Plan,
    *,
    current: Profile | Readable | None = None,
    as_of: str = "",
    progress: Progress | None = None,
) -> tuple[Profile, Report]:
    """Return what :func:`check` counts and finds, and write nothing: for those who write elsewhere.

    But the profile of a lake table's version that is the reference is kept in the plan's history.

    Raises
    ------
    PlanError
        If the plan names no current snapshot and none is given, or it needs the day that the
        snapshot stands for and none is stated.
    """
    current = as_profile(_named(plan, current))
    as_of = _day_of(plan, current, as_of)
    history = History.open(plan.history) if plan.history else None
    current, reference = versions.resolve(current, plan.reference)
    fixed = _reference_of(plan, reference, history, progress)
    plan.check_columns(fixed.columns)
    if not isinstance(current, Profile):
        current = scan_profile(open_source(current), fixed, as_of, progress)
    current = replace(current, as_of=as_of)
    candidates = _candidates(plan, fixed, progress)
    hindsight = look_back(plan, fixed, current, history, candidates)
    report = _judge(plan, current, hindsight, fitted=same_counts(hindsight.against.profile, fixed))
    quiet = history.quieted(plan.name, on=as_of) if history else {}
    return current, replace(report, quiet=quiet)


def _named(plan: Plan, current: Profile | Readable | None) -> Profile | Readable:
    """Return the current snapshot that is given, or else that of the plan."""
    found = plan.current if current is None else current
    if found is None:
        raise PlanError(
            f"{plan.path}: names no current snapshot; add  current:  to the plan, or pass --current"
        )
    return found


def _day_of(plan: Plan, current: Profile | Readable, stated: str) -> str:
    """Return the moment that the current snapshot stands for; empty where nobody says."""
    own = current.as_of if isinstance(current, Profile) else _as_of(current)
    if own and stated and own != stated:
        raise UsageError(
            f"as_of {stated}: the current snapshot says it stands for {own}; give one of them"
        )
    as_of = own or stated
    if as_of:
        parse_moment(as_of)
    if plan.choice and plan.choice.needs_as_of and not as_of:
        raise PlanError(
            f"{plan.path}: reference.choose: {plan.choice.kind} needs the day that the current "
            "snapshot stands for; state its  as_of  in the plan, or add  --as-of 2013-02-28"
        )
    return as_of


def _candidates(plan: Plan, fixed: Profile, progress: Progress | None) -> dict[str, Profile]:
    """Count the references of which the closest is chosen over the bins of the fixed one."""
    return {name: _like(as_profile(each), fixed, progress) for name, each in plan.closest.items()}


def _like(data: Profile | Readable, reference: Profile, progress: Progress | None) -> Profile:
    return data if isinstance(data, Profile) else scan(data, like=reference, progress=progress)


def _judge(plan: Plan, current: Profile, hindsight: Hindsight, *, fitted: bool) -> Report:
    against = hindsight.against
    report = compare_profiles(
        current,
        against.profile,
        plan.policy,
        plan.smoothing,
        hindsight.learned,
        fitted=fitted,
        trends=hindsight.trends,
        exceeded=hindsight.exceeded,
    )
    reference = replace(
        report.reference,
        source=against.source,
        choice=against.choice,
        snapshots=against.snapshots,
        ties=against.ties,
    )
    return replace(report, reference=reference)


def calibrate(
    plan: Plan | str | PathLike[str],
    snapshots: Sequence[Profile | Readable],
    *,
    leave_out: Collection[str] = (),
    values: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> tuple[LearnedLimits, tuple[Replayed, ...]]:
    """Learn limits from past snapshots: how far each column strays when nothing is wrong.

    Parameters
    ----------
    plan : Plan or path
        Whose reference, columns, smoothing and budget are taken.
    snapshots : sequence of snapshots or profiles
        The past; at least 14. Oldest first, if the plan chooses its reference among them.
    leave_out : collection of str
        Incidents that are not to count as normal, by ``as_of``, source or digest.
    values : mapping of str to str, optional
        What ``{{ name }}`` stands for in the plan.
    progress : callable, optional
        Called with the rows done and the rows in all, for each snapshot.

    Returns
    -------
    (LearnedLimits, tuple of Replayed)
        The limits, to :func:`save`, and what they would have said of each past snapshot.

    Raises
    ------
    UsageError
        If there are fewer than 14 snapshots.
    """
    if not isinstance(plan, Plan):
        plan = load_plan(plan, values=values)
    reference = _reference_of(plan, plan.reference, None, progress)
    past = [_like(profile, reference, progress) for profile in map(as_profile, snapshots)]
    if len(past) - len(leave_out) < MIN_SNAPSHOTS:
        raise UsageError(
            f"{len(past) - len(leave_out)} snapshots are too few to learn limits from; "
            f"give at least {MIN_SNAPSHOTS}"
        )
    budget = plan.calibration.budget(len(reference.counted))
    against = replay_references(
        plan, past, _candidates(plan, reference, progress), without=places_meant(past, leave_out)
    )
    learned = learn(
        past,
        reference,
        budget=budget,
        leave_out=leave_out,
        smoothing=plan.smoothing,
        against=against,
        season=plan.season,
        confirm=plan.confirmation,
        choice=plan.chooses,
    )
    said = replay(
        past,
        reference,
        budget=budget,
        leave_out=leave_out,
        smoothing=plan.smoothing,
        against=against,
        season=plan.season,
        confirm=plan.confirmation,
    )
    return learned, said


def _reference_of(
    plan: Plan, reference: Snapshot, history: History | None, progress: Progress | None
) -> Profile:
    rows = as_profile(reference)
    if isinstance(rows, Profile):
        return rows
    try:
        return versions.fitted(
            rows,
            lambda: fit(rows, columns=plan.selection, progress=progress),
            history,
            plan.name,
        )
    except (PairError, ColumnNotFoundError, BinsError) as error:
        raise plan.located(error) from error


def _write(output: Output, current: Profile, report: Report) -> None:
    """Write what the plan asks for; the page is drawn before anything is written."""
    page = b""
    if output.html:
        from kl_drift.render.html import render_html

        page = render_html(report).encode()
    if output.profile:
        save(current, output.profile)
    if output.report:
        save(report, output.report)
    if page:
        write_bytes(output.html, page)


def draft(snapshot: str | PathLike[str], *, plan: str | PathLike[str] = "plan.yaml") -> str:
    """Return a commented plan for a snapshot as the reference: where to start from.

    Parameters
    ----------
    snapshot : str or path
        A file, a folder, a glob or a URI.
    plan : str or path
        The file that the plan will be; the paths in it are relative to its folder.

    Returns
    -------
    str
        YAML that :func:`load_plan` reads as it is.
    """
    return draft_plan(fspath(snapshot), fit(snapshot), plan=fspath(plan))
