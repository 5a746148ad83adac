"""The report: who was compared with whom, and what was found.

Knows the findings of one comparison as frozen values, and how to hand them on as plain types or a
data frame. Has never heard of limits, of how a number was computed, of words or of how it is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from kl_drift.counts.kinds import Uncounted
from kl_drift.counts.profile import LeftOut
from kl_drift.errors import ColumnNotFoundError, did_you_mean
from kl_drift.judging.limits import Trend
from kl_drift.judging.policy import Finding, Status, Verdict, worst

if TYPE_CHECKING:
    import pandas as pd

_LN2 = math.log(2)
UNLIKELY = 1e-3
"""What chance brings about less often than this is said to a person."""

Outside: TypeAlias = Literal["below", "above"]
BinsKind: TypeAlias = Literal["", "numeric", "categories", "pair"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellChange:
    """What happened to one cell, or to a run of neighbouring cells that moved the same way.

    Parameters
    ----------
    label : str
        The cell in words: ``above 135``.
    reference, current : float
        Its share of the rows on both sides.
    contribution : float
        Nats it adds to KL, p ln(p/q) − p + q: never negative, summing to KL over all cells.
    signed : float
        The cell's own term p ln(p/q); negative where the cell lost rows.
    unseen : bool
        Whether it holds what the reference that the bins were fitted on never held.
    """

    label: str
    reference: float
    current: float
    contribution: float
    signed: float
    unseen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelChange:
    """A category that came or went.

    Parameters
    ----------
    level : str
        Its name.
    share : float
        Of the rows: of the current ones for a new level, of the reference's for a vanished one.
    """

    level: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Beyond:
    """Rows outside the range of the reference's values.

    Parameters
    ----------
    side : {"below", "above"}
        Below its smallest value, or above its largest.
    cell : str
        The cell that holds them, in words: ``above 1301``.
    extreme : str
        The reference's smallest or largest value, in words.
    rows : int
        How many.
    share : float
        Of all current rows.
    infinite : bool
        Whether all of them are infinite; otherwise at least one is not.
    p_value : float
        The chance of as many rows beyond if nothing changed, exactly.
    """

    side: Outside
    cell: str
    extreme: str
    rows: int
    share: float
    infinite: bool
    p_value: float

    @property
    def unlikely(self) -> bool:
        """Whether chance alone would hardly (less than once in a thousand) put them there."""
        return self.p_value < UNLIKELY


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnReport:
    """What was found in one column.

    Parameters
    ----------
    name : str
        The column.
    verdict : Verdict
        The status, and what was compared with what to reach it.
    finding : Finding
        ``missing``, ``new`` or ``type changed`` where the values could not be compared; then every
        number below is ``None``.
    type, reference_type : str
        The Arrow type in the current snapshot and in the reference; empty where the column is not.
    changed : str
        Of two columns together: the one that changed its type.
    bins : {"", "numeric", "categories", "pair"}
        Into what its values are sorted; empty where they could not be compared.
    current_rows, reference_rows : int
        Rows behind each side.
    current_nulls, reference_nulls : float or None
        Shares of null rows.
    kl, kl_reverse : float or None
        KL(current‖reference) and KL(reference‖current), in nats. Infinite only without smoothing.
    jeffreys : float or None
        The sum of both; on these bins it is PSI.
    jensen_shannon : float or None
        In nats, at most ln 2.
    entropy, cross_entropy : float or None
        Of the current distribution, and of it under the reference's code; their difference is KL.
    kl_debiased : float or None
        The estimate of KL without the bias that noise gives it; may be slightly negative.
    interval : (float, float) or None
        Confidence limits of KL.
    confidence : float or None
        What they are stated for.
    ordered : bool or None
        Whether neighbouring cells belong together: such are merged before the lower limit is taken.
    noise_floor : float or None
        KL that samples of these sizes reach once in a thousand if nothing drifts.
    design_effect, reference_design_effect : float
        How many rows of either side carry the information of one independent row; 1 where nothing
        says that rows belong together.
    p_value : float or None
        Of the two distributions being equal.
    p_adjusted : float or None
        Of KL being no more than the warning limit, adjusted for the number of columns by Benjamini
        and Hochberg; orders the columns of one status.
    detected : bool
        Whether the distributions certainly differ (equality has an adjusted p-value below 0.001),
        by however little.
    history_limit : float or None
        KL in nats that the column's own snapshots stay below; ``None`` where none was learned.
    trend : Trend or None
        Whether the column has been moving slowly; ``None`` where that was not asked, or cannot be
        told yet.
    kl_null, kl_values : float or None
        KL of the null flag alone, and of the values that are not null:
        ``kl = kl_null + (1 − current_nulls) · kl_values``, up to smoothing of the null share.
    kl_dependence : float or None
        Of two columns together: the part of KL that no change of either column alone explains, see
        :func:`kl_drift.statistics.joint.kl_dependence`. ``None`` for a single column.
    top_cells : tuple of CellChange
        What carries the divergence, most first.
    new_levels, vanished_levels : tuple of LevelChange
        Categories the reference never held, and kept ones that current has no more although chance
        would hardly (less than once in a thousand) leave them out.
    new_share, expected_new_share : float or None
        Of categories: the share of current rows whose level the reference never held, and the share
        that may be expected without drift (Good and Turing): that of the reference rows whose level
        occurred once. Fewer than expected are no drift.
    singletons, doubletons : int or None
        How many levels occurred once, and twice, in the reference; ``None`` where the bins were not
        fitted on it (or, of doubletons, where they were not counted).
    beyond : tuple of Beyond
        Rows below the reference's smallest value and above its largest, on each side where there
        are any and the cells tell.
    cells : tuple of CellChange
        Every cell, in order.
    """

    name: str
    verdict: Verdict
    finding: Finding = ""
    type: str = ""
    reference_type: str = ""
    changed: str = ""
    bins: BinsKind = ""
    current_rows: int = 0
    reference_rows: int = 0
    current_nulls: float | None = None
    reference_nulls: float | None = None
    kl: float | None = None
    kl_reverse: float | None = None
    jeffreys: float | None = None
    jensen_shannon: float | None = None
    entropy: float | None = None
    cross_entropy: float | None = None
    kl_debiased: float | None = None
    interval: tuple[float, float] | None = None
    confidence: float | None = None
    ordered: bool | None = None
    noise_floor: float | None = None
    design_effect: float = 1.0
    reference_design_effect: float = 1.0
    p_value: float | None = None
    p_adjusted: float | None = None
    detected: bool = False
    history_limit: float | None = None
    trend: Trend | None = None
    kl_null: float | None = None
    kl_values: float | None = None
    kl_dependence: float | None = None
    top_cells: tuple[CellChange, ...] = ()
    new_levels: tuple[LevelChange, ...] = ()
    vanished_levels: tuple[LevelChange, ...] = ()
    new_share: float | None = None
    expected_new_share: float | None = None
    singletons: int | None = None
    doubletons: int | None = None
    beyond: tuple[Beyond, ...] = ()
    cells: tuple[CellChange, ...] = ()

    @property
    def status(self) -> Status:
        """What the verdict says."""
        return self.verdict.status

    @property
    def kl_bits(self) -> float | None:
        """KL(current‖reference) in bits."""
        return None if self.kl is None else self.kl / _LN2

    @property
    def psi(self) -> float | None:
        """The population stability index: Jeffreys' divergence by another name."""
        return self.jeffreys


@dataclass(frozen=True, slots=True, kw_only=True)
class Unjudged:
    """A column that is reported without being judged.

    Parameters
    ----------
    name, type : str
        The column and its Arrow type.
    why : Uncounted
        Why it is not judged.
    reference_range, current_range : str
        Its smallest and largest value on both sides, in words; empty where not known.
    reference_nulls, current_nulls : float or None
        Shares of null rows, where known.
    """

    name: str
    type: str
    why: Uncounted
    reference_range: str = ""
    current_range: str = ""
    reference_nulls: float | None = None
    current_nulls: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two snapshots compared.

    Parameters
    ----------
    source : str
        Where the rows came from, or what was chosen as the reference.
    rows : int
        How many.
    as_of : str
        The moment it stands for.
    cluster : str
        The column by which its rows belong together; empty: each stands by itself.
    clusters : float
        How many values that column has, about.
    created, created_by : str
        When it was profiled, and by which kl-drift.
    choice : str
        Of a reference that was chosen: how (``window:7``, ``closest:winter``).
    snapshots : int
        How many it was merged from.
    ties : tuple of str
        Of the closest reference: others that the rows cannot tell from it.
    left_out : tuple of LeftOut
        Files of the snapshot that were not read, by reason.
    """

    source: str
    rows: int
    as_of: str = ""
    cluster: str = ""
    clusters: float = 0.0
    created: str = ""
    created_by: str = ""
    choice: str = ""
    snapshots: int = 1
    ties: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Report:
    """The findings of one comparison, worst column first.

    Parameters
    ----------
    current, reference : Side
        The snapshots compared.
    columns : tuple of ColumnReport
        The judged columns, worst first.
    unjudged : tuple of Unjudged
        The others, and why.
    bins_digest : str
        Of the bins both were counted over.
    quiet : mapping of str to str
        Columns about which nobody is to be alerted, each with the day on which it is heard again;
        under the empty name all of them. It changes no verdict.
    smoothing : str
        How counts became probabilities, as a plan writes it; empty in reports of version 1.
    created, created_by : str
        When (UTC, ISO 8601) and by which kl-drift.
    """

    current: Side
    reference: Side
    columns: tuple[ColumnReport, ...]
    unjudged: tuple[Unjudged, ...] = ()
    bins_digest: str = ""
    quiet: Mapping[str, str] = field(default_factory=dict)
    smoothing: str = ""
    created: str = ""
    created_by: str = ""

    @property
    def status(self) -> Status:
        """The worst status of its columns; ``undecided`` if no column was judged."""
        return worst(column.status for column in self.columns)

    @property
    def heard(self) -> Status:
        """The worst status of what is not quiet: what alerts go by; ``ok`` if all of it is."""
        heard = [column.status for column in self.columns if column.name not in self.quiet]
        return Status.OK if self.quiet and ("" in self.quiet or not heard) else worst(heard)

    @property
    def drifted(self) -> tuple[str, ...]:
        """The names of the columns that drifted, worst first."""
        return self.with_status(Status.DRIFT)

    def with_status(self, status: Status) -> tuple[str, ...]:
        """Return the names of the columns with that status, worst first."""
        return tuple(column.name for column in self.columns if column.status is status)

    def __getitem__(self, name: str) -> ColumnReport:
        """Return one column's report; a name that is not there is answered with the nearest."""
        for column in self.columns:
            if column.name == name:
                return column
        for left in self.unjudged:
            if left.name == name:
                raise ColumnNotFoundError(f"column {name!r} was not judged ({left.why})")
        names = [column.name for column in self.columns]
        raise ColumnNotFoundError(f"no column {name!r} in this report.{did_you_mean(name, names)}")

    def __iter__(self) -> Iterator[ColumnReport]:
        """Iterate over the judged columns, worst first."""
        return iter(self.columns)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON types; what is not finite becomes ``None``."""
        return {
            "status": str(self.status),
            "current": plain(self.current),
            "reference": plain(self.reference),
            "columns": [column_to_dict(column) for column in self],
            "unjudged": [plain(column) for column in self.unjudged],
            "bins_digest": self.bins_digest,
            "quiet": dict(self.quiet),
            "smoothing": self.smoothing,
        }

    def to_pandas(self) -> pd.DataFrame:
        """Return one row per judged column, worst first, numbers only; as columns are named above.

        The verdict has the columns ``status``, ``which``, ``statistic``, ``value`` and ``limit``,
        the interval ``lower`` and ``upper``; ``moved`` names the cell that moved most, and
        ``moved_reference`` and ``moved_current`` are its shares of rows.
        """
        import pandas as pd

        rows = [_flat(column) for column in self]
        return pd.DataFrame(rows, columns=_FLAT)


_VERDICT = ("status", "which", "statistic", "value", "limit")
_BESIDE = ("kl_bits", "lower", "upper", "moved", "moved_reference", "moved_current")
_NESTED = (
    "verdict", "interval", "top_cells", "new_levels", "vanished_levels", "beyond", "cells", "trend",
)  # fmt: skip
_SINGLE = tuple(each.name for each in fields(ColumnReport) if each.name not in _NESTED)
_FLAT = (_SINGLE[0], *_VERDICT, *_SINGLE[1:], *_BESIDE)


def _flat(column: ColumnReport) -> dict[str, Any]:
    """Return a column as a row of a table."""
    top = column.top_cells[0] if column.top_cells else None
    lower, upper = column.interval or (None, None)
    return {
        **{name: getattr(column, name) for name in _SINGLE},
        **{name: getattr(column.verdict, name) for name in _VERDICT},
        "status": str(column.status),
        "kl_bits": column.kl_bits,
        "lower": lower,
        "upper": upper,
        "moved": top and top.label,
        "moved_reference": top and top.reference,
        "moved_current": top and top.current,
    }


def column_to_dict(column: ColumnReport) -> dict[str, Any]:
    """Return what a report says of one column, as plain JSON types."""
    beside = {"status": str(column.status), "kl_bits": plain(column.kl_bits)}
    return {**plain(column), **beside}


def plain(value: Any) -> Any:
    """Return frozen values as dicts and lists of plain JSON types."""
    if isinstance(value, StrEnum):
        return str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if hasattr(value, "__dataclass_fields__"):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    return value
