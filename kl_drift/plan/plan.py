"""The plan: what a user wrote for ``kl-drift check``, as typed values.

Knows how the keys of the file become snapshots, a selection, a policy and a smoothing, and what
contradicts itself. Has never heard of rows or profiles. Importing it imports pydantic and, by way
of the selection, pyarrow: it is for the command line and the API, not for DAG files.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from os import PathLike, fspath
from os.path import normpath
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from kl_drift.artefact import is_profile_path
from kl_drift.counts.selection import Aspect, Selection, as_pair
from kl_drift.errors import (
    BinsError,
    ColumnNotFoundError,
    KLDriftError,
    PairError,
    PlanError,
    UsageError,
    did_you_mean,
)
from kl_drift.history.choices import ReferenceChoice
from kl_drift.judging.confirmation import ALONE, IN_A_ROW, Confirmation
from kl_drift.judging.limits import Budget
from kl_drift.judging.policy import Policy
from kl_drift.judging.seasons import SeasonChoice
from kl_drift.overwriting import find_overwriting, would_overwrite
from kl_drift.plan.keys import (
    VERSION,
    ChooseKeys,
    LimitKeys,
    PlanFile,
    ReferenceKeys,
    SnapshotKeys,
    plan_schema,
)
from kl_drift.plan.mapping import read_mapping
from kl_drift.plan.mistakes import Document, Key, Mistakes
from kl_drift.plan.validation import validated
from kl_drift.plan.yaml import read_yaml
from kl_drift.snapshot import Snapshot
from kl_drift.statistics.smoothing import Smoothing, parse_smoothing
from kl_drift.storage import is_uri

__all__ = ["Output", "Plan", "load_plan", "plan_schema"]

LEARNED_LIMITS = "the learned limits"
"""What of a plan's inputs is written anew by calibrating."""

_COLUMNS = ("columns",)
_EACH = ("columns", "each")
_OPTIONS = (("reference", "options"), ("current", "options"))
_PARTITIONS = (("reference", "where"), ("current", "where"))
_CLOSEST = ("reference", "choose", "closest")
_ROWS_ONLY = frozenset({"where", "label", "as_of", "version", "checksums"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Where a check writes its results; empty: nowhere.

    Parameters
    ----------
    report : str
        The report, as JSON.
    html : str
        The report, as a page.
    profile : str
        The profile of the current snapshot.
    """

    report: str = ""
    html: str = ""
    profile: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How limits are learned from the past.

    Parameters
    ----------
    limits : str
        A file of learned limits; empty: none.
    false_alarms : float
        How many are acceptable a month, over all columns.
    checks_per_month : float
        How often the plan is checked.
    """

    limits: str = ""
    false_alarms: float = 1.0
    checks_per_month: float = 30.0

    def budget(self, columns: int) -> Budget:
        """Return the budget of so many columns."""
        return Budget.monthly(
            self.false_alarms, columns=max(columns, 1), checks_per_month=self.checks_per_month
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendSettings:
    """How slow ramps are looked for.

    Parameters
    ----------
    snapshots : int
        In how many snapshots, the current one included.
    weight : float
        Of the last snapshot.
    """

    snapshots: int = 20
    weight: float = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is compared with what, how, and when it alerts.

    Parameters
    ----------
    path : str
        The file, or what messages call the plan where there is none.
    reference : Snapshot
        Rows, or a saved profile (its path ends in ``.json``).
    current : Snapshot, optional
        Likewise; ``None`` if the file leaves it open.
    selection : Selection
        Which columns, and how they are binned.
    policy : Policy
        The limits, for all columns and for some.
    smoothing : Smoothing
        How counts become probabilities.
    output : Output
        Where results go.
    name : str
        What the check is called in the history.
    history : str
        Where checks are recorded: a path or the URL of a database, which may hold a password;
        empty: nowhere.
    calibration : Calibration
        How limits are learned.
    choice : ReferenceChoice, optional
        Which snapshots of the history are compared with; None: the reference itself.
    closest : mapping of str to Snapshot
        Of these the one that the current snapshot resembles most is compared with; empty: none.
    trend : TrendSettings, optional
        How slow ramps are looked for; None: they are not.
    season : SeasonChoice
        Which calendar limits may be learned by.
    confirm : Confirmation, optional
        How often a learned limit must be exceeded before it is a drift; None: see ``confirmation``.
    lines : mapping of Key to int
        Where what the file says of columns stands; 0 where there is no file.
    """

    path: str
    reference: Snapshot
    current: Snapshot | None = None
    selection: Selection = field(default_factory=Selection)
    policy: Policy = field(default_factory=Policy)
    smoothing: Smoothing = field(default_factory=Smoothing)
    output: Output = field(default_factory=Output)
    name: str = ""
    history: str = field(default="", repr=False)
    calibration: Calibration = field(default_factory=Calibration)
    choice: ReferenceChoice | None = None
    closest: Mapping[str, Snapshot] = field(default_factory=dict)
    trend: TrendSettings | None = None
    season: SeasonChoice = "auto"
    confirm: Confirmation | None = None
    lines: Mapping[Key, int] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_dict(
        cls, mapping: Mapping[str, Any], *, path: str = "plan", folder: str | PathLike[str] = ""
    ) -> Plan:
        """Make a plan of a mapping with the keys of a plan file.

        Parameters
        ----------
        mapping : mapping
            As the file would be, in Python: ``{"reference": "flights/month=2013-01", …}``. Paths
            and dates may be what Python has for them; ``version`` may be left out. Placeholders
            are not filled.
        path : str
            What messages call it, such as ``"task my_dag.my_task"``, and what the check is called
            in the history unless the mapping has a ``name``.
        folder : str or path
            Where relative paths begin; by default at the working directory.

        Returns
        -------
        Plan
            What :func:`load_plan` would return.

        Raises
        ------
        PlanError
            As :func:`load_plan`, with ``path`` in place of file and line.

        Examples
        --------
        >>> Plan.from_dict({"reference": "jan.parquet", "limits": {"drift": 0.1}}).policy.drift
        0.1
        """
        document = read_mapping(mapping, path, folder=folder, as_written=_as_written)
        document.value.setdefault("version", VERSION)
        return _planned(document)

    @property
    def confirmation(self) -> Confirmation:
        """How often a learned limit must be exceeded: stated, or three times where it is known."""
        if self.confirm is not None:
            return self.confirm
        return IN_A_ROW if self.history else ALONE

    @property
    def chooses(self) -> str:
        """How the reference is chosen: ``window:7``, ``closest``; empty where it is fixed."""
        return "closest" if self.closest else str(self.choice or "")

    @property
    def reads(self) -> dict[str, str]:
        """What a check reads or keeps, in words, and where: nothing of it may be overwritten."""
        return {
            "the plan": self.path,
            "the reference": self.reference.path,
            **{f"the reference {name!r}": each.path for name, each in self.closest.items()},
            "the current snapshot": self.current.path if self.current else "",
            "the history": self.history,
            LEARNED_LIMITS: self.calibration.limits,
        }

    @property
    def writes(self) -> dict[str, str]:
        """What a check writes, as the file calls it, and where; empty: nowhere."""
        return {
            "output.report": self.output.report,
            "output.html": self.output.html,
            "output.profile": self.output.profile,
        }

    def check_columns(self, names: Iterable[str]) -> None:
        """Refuse limits of columns that there are none of; a typing error must not unset a limit.

        Parameters
        ----------
        names : iterable of str
            The columns of the reference profile.

        Raises
        ------
        PlanError
            If an entry of ``columns.each`` fits no column.
        """
        names = list(names)
        mistakes = self._mistakes()
        for key in self.lines:
            if key[:2] == _EACH and len(key) == len(_EACH) + 1 and not _fits(str(key[2]), names):
                nearest = did_you_mean(str(key[2]), names)
                mistakes.add(key, f"fits no column of the reference.{nearest}")
        mistakes.refuse()

    def located(self, error: PairError | ColumnNotFoundError | BinsError) -> KLDriftError:
        """Return the error with the file, the line and the key of what it is about.

        The error itself, where the plan says nothing of the kind.
        """
        key = self._key_of(error)
        if key is None:
            return error
        mistakes = self._mistakes()
        mistakes.add(key, str(error))
        return mistakes.error()

    def _mistakes(self) -> Mistakes:
        return Mistakes(path=self.path, lines=dict(self.lines))

    def _key_of(self, error: PairError | ColumnNotFoundError | BinsError) -> Key | None:
        if isinstance(error, PairError):
            return (*_COLUMNS, "pairs", self.selection.pairs.index(error.pair))
        if isinstance(error, BinsError):
            return next((key for key in self._binned(error.column) if key in self.lines), None)
        for name in ("include", "exclude"):
            stated = getattr(self.selection, name)
            if error.column in stated:
                return (*_COLUMNS, name, stated.index(error.column))
        key = (*_EACH, error.column)
        return key if key in self.lines else None

    def _binned(self, column: str) -> Iterator[Key]:
        """Yield where the bins of a column may be stated, the nearest first."""
        for name in self.selection.bins:
            if name == column or fnmatchcase(column, name):
                yield (*_EACH, name, "bins")
        yield (*_COLUMNS, "numeric")


def _fits(pattern: str, names: Collection[str]) -> bool:
    return pattern in names or any(fnmatchcase(each, pattern) for each in names)


def load_plan(
    path: str | PathLike[str],
    *,
    values: Mapping[str, str] | None = None,
    history: str = "",
) -> Plan:
    """Read a plan.

    Parameters
    ----------
    path : str or path
        A local YAML file. The paths in it are relative to its folder.
    values : mapping of str to str, optional
        What the placeholders ``{{ name }}`` stand for; ``${NAME}`` is taken from the environment.
    history : str, optional
        Where checks are recorded, instead of where the file says: a path or the URL of a database.

    Returns
    -------
    Plan
        Paths resolved, limits of single columns completed by those of the plan.

    Raises
    ------
    PlanError
        All mistakes of the file: first those of its shape, then, once it has none, what contradicts
        itself. Each with file, line, key, what was expected and what was found. Options and what
        came from the environment are never shown.
    """
    document = read_yaml(fspath(path), values or {}, as_written=_as_written)
    if history:
        document.value["history"] = history if is_uri(history) else str(Path(history).absolute())
    return _planned(document)


def _planned(document: Document) -> Plan:
    _refuse_newer(document)
    file = validated(document, PlanFile, plan_schema(), secret=_is_option)
    plan = _built(file, document.mistakes)
    _note_overwriting(plan, document.mistakes)
    document.mistakes.refuse()
    return plan


def _is_option(key: Key) -> bool:
    return _of_snapshot(key) in _OPTIONS or key[:1] == ("history",)


def _as_written(key: Key) -> bool:
    return _of_snapshot(key) in _OPTIONS + _PARTITIONS


def _of_snapshot(key: Key) -> Key:
    """Return the first two steps to a key; of a reference among others as of the reference."""
    return ("reference", *key[4:5]) if key[:3] == _CLOSEST else key[:2]


def _refuse_newer(document: Document) -> None:
    version = document.value.get("version")
    if type(version) is int and version > VERSION:
        raise PlanError(
            f"{document.mistakes.where(('version',))}: version: "
            f"plan format {version}, this kl-drift reads up to {VERSION}; "
            "run  pip install --upgrade kl-drift"
        )


def _built(file: PlanFile, mistakes: Mistakes) -> Plan:
    smoothing = file.smoothing if isinstance(file.smoothing, str) else _stated(file.smoothing)
    path = mistakes.path
    return Plan(
        path=path,
        reference=_snapshot(("reference",), file.reference, mistakes),
        current=_snapshot(("current",), file.current, mistakes) if file.current else None,
        selection=_selection(file, mistakes),
        policy=_policy(file, mistakes),
        smoothing=parse_smoothing(smoothing),
        output=_output(file, mistakes),
        name=file.name or (Path(path).stem if mistakes.line(()) else path),
        history=_located(("history",), file.history, mistakes) if file.history else "",
        calibration=_calibration(file, mistakes),
        choice=_choice(file, mistakes),
        closest=_closest(file, mistakes),
        trend=_trend(file, mistakes),
        season=file.season,
        confirm=Confirmation.parse(file.confirm) if file.confirm else None,
        lines={key: mistakes.line(key) for key in mistakes.lines if key[:1] == _COLUMNS},
    )


def _stated(keys: BaseModel | None) -> dict[str, Any]:
    """Return the keys that stand in the file, so that others may be inherited."""
    return keys.model_dump(exclude_unset=True, exclude_none=True) if keys else {}


def _snapshot(key: Key, entry: str | SnapshotKeys, mistakes: Mistakes) -> Snapshot:
    if isinstance(entry, str):
        return Snapshot(path=_located(key, entry, mistakes))
    stated = _stated(entry)
    stated.pop("choose", None)
    if not entry.path:
        return _of_current_table(key, stated, mistakes)
    for name in _ROWS_ONLY & stated.keys():
        if is_profile_path(entry.path):
            mistakes.add((*key, name), "is for rows, and the path is a saved profile; remove it")
    return Snapshot(**stated | {"path": _located((*key, "path"), entry.path, mistakes)})


def _of_current_table(key: Key, stated: dict[str, Any], mistakes: Mistakes) -> Snapshot:
    """Return another version of the current snapshot's table; note where none is stated."""
    if not (stated.get("version") or stated.get("as_of")):
        mistakes.add(key, "names no rows; add  path:, or  version: previous  of a table")
        return Snapshot(**stated | {"path": mistakes.path})
    return Snapshot(**stated)


def _located(key: Key, path: str, mistakes: Mistakes) -> str:
    """Return a path as it is from here."""
    if is_uri(path):
        return path
    try:
        return normpath(mistakes.folder / Path(path).expanduser())
    except RuntimeError:
        mistakes.add(key, "begins with ~, and there is no such home folder; write it out")
        return path


def _selection(file: PlanFile, mistakes: Mistakes) -> Selection:
    columns = file.columns
    judge = {
        name: (each.judge,) if isinstance(each.judge, str) else each.judge
        for name, each in columns.each.items()
        if each.judge
    }
    for name in judge:
        if "*" in name:
            message = "is for a column named in full, and this is a pattern; name each column"
            mistakes.add(("columns", "each", name, "judge"), message)
    selection = Selection(
        include=columns.include,
        exclude=columns.exclude,
        types=columns.types,
        numeric=columns.numeric,
        categories=columns.categories,
        bins={name: each.bins for name, each in columns.each.items() if each.bins},
        judge=judge,
        pairs=_pairs(columns.pairs, mistakes),
        cluster=file.cluster or "",
    )
    reference = file.reference if isinstance(file.reference, str) else file.reference.path
    if is_profile_path(reference) and file.cluster:
        message = "the reference is a saved profile, which says itself which rows belong together: "
        mistakes.add(("cluster",), f"{message}remove the key, or name the rows")
    if is_profile_path(reference) and replace(selection, cluster="") != Selection():
        message = "the reference is a saved profile, which fixes columns and bins: only limits may"
        mistakes.add(("columns",), f"{message} be stated; remove the rest, or name the rows")
    return selection


def _pairs(stated: Sequence[tuple[str, ...]], mistakes: Mistakes) -> tuple[tuple[str, str], ...]:
    pairs: list[tuple[str, str]] = []
    for place, pair in enumerate(stated):
        try:
            pairs = [*Selection(pairs=(*pairs, as_pair(pair))).pairs]
        except UsageError as error:
            mistakes.add(("columns", "pairs", place), str(error).removeprefix("pairs: "))
    return tuple(pairs)


def _policy(file: PlanFile, mistakes: Mistakes) -> Policy:
    policy = _limits(("limits",), Policy(), file.limits, mistakes)
    columns: dict[str, Policy] = {}
    for name, each in file.columns.each.items():
        if each.limits:
            key = ("columns", "each", name, "limits")
            columns[name] = _limits(key, policy, each.limits, mistakes)
    derived = {
        f"{how}({name})": limits
        for name, limits in columns.items()
        for how in get_args(Aspect)
        if how != "value"
    }
    return replace(policy, columns=derived | columns)


def _limits(key: Key, inherited: Policy, keys: LimitKeys, mistakes: Mistakes) -> Policy:
    try:
        return replace(inherited, **_stated(keys))
    except UsageError as error:
        mistakes.add(key, str(error).removeprefix("limits: "))
        return inherited


def _output(file: PlanFile, mistakes: Mistakes) -> Output:
    paths = _stated(file.output)
    return Output(
        **{name: _located(("output", name), path, mistakes) for name, path in paths.items()}
    )


def _calibration(file: PlanFile, mistakes: Mistakes) -> Calibration:
    stated = _stated(file.calibration)
    if stated.get("limits"):
        key = ("calibration", "limits")
        stated["limits"] = _located(key, stated["limits"], mistakes)
    return Calibration(**stated)


def _choice(file: PlanFile, mistakes: Mistakes) -> ReferenceChoice | None:
    """Return the choice, and note what it needs and the file does not state."""
    key = ("reference", "choose")
    stated = _chosen(file)
    if isinstance(stated, Mapping) and len(stated) != 1:
        known = ", ".join(ChooseKeys.model_fields)
        mistakes.add(key, f"expected one key of {known}, got {len(stated)}")
        return None
    if stated is None or "closest" in stated:
        return None
    choice = ReferenceChoice.parse(stated)
    if not file.history:
        message = "chooses from the history; add  history: checks.sqlite"
        mistakes.add(key, f"{choice.kind} {message}")
    if choice.needs_as_of and file.current and not _states_its_day(file.current):
        message = "needs the day that the current snapshot stands for; add  current: {as_of: …}"
        mistakes.add(key, f"{choice.kind} {message}")
    return choice


def _chosen(file: PlanFile) -> str | dict[str, Any] | None:
    """Return what the file says of the choice."""
    if not isinstance(file.reference, ReferenceKeys) or file.reference.choose is None:
        return None
    chosen = file.reference.choose
    return chosen if isinstance(chosen, str) else _stated(chosen)


def _closest(file: PlanFile, mistakes: Mistakes) -> dict[str, Snapshot]:
    chosen = file.reference.choose if isinstance(file.reference, ReferenceKeys) else None
    if not isinstance(chosen, ChooseKeys) or not chosen.closest:
        return {}
    return {
        name: _snapshot((*_CLOSEST, name), entry, mistakes)
        for name, entry in chosen.closest.items()
    }


def _trend(file: PlanFile, mistakes: Mistakes) -> TrendSettings | None:
    if file.trend is None:
        return None
    if not file.history:
        mistakes.add(("trend",), "is found in the history; add  history: checks.sqlite")
    if file.smoothing == "none":
        mistakes.add(("trend",), "cannot be told with  smoothing: none, where KL may be infinite")
    return TrendSettings(**_stated(file.trend))


def _states_its_day(current: str | SnapshotKeys) -> bool:
    """Say whether the day of a snapshot is known; a saved profile may hold it."""
    path = current if isinstance(current, str) else current.path
    return is_profile_path(path) or (isinstance(current, SnapshotKeys) and bool(current.as_of))


def _note_overwriting(plan: Plan, mistakes: Mistakes) -> None:
    """Note an output that would take the place of what the plan reads, or of another output."""
    for name, what in find_overwriting(plan.writes, plan.reads).items():
        mistakes.add(tuple(name.split(".")), would_overwrite(what))
