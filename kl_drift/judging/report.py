"""The report: who was compared with whom, what was found and why.

Knows the findings of one comparison as frozen values, and how to hand them on as plain types or a
data frame. Has never heard of limits, of how a number was computed or of how it is drawn.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from kl_drift.errors import ColumnNotFoundError, did_you_mean
from kl_drift.judging.limits import Trend
from kl_drift.judging.policy import Finding, Status, nats, worst

if TYPE_CHECKING:
    import pandas as pd

_LN2 = math.log(2)
SHARE_DIGITS = 4

UNLIKELY = 1e-3
"""What chance brings about less often than this is said to a person."""

Outside: TypeAlias = Literal["below", "above"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellChange:
    """What happened to one cell, or to a run of neighbouring cells that moved the same way.

    Parameters
    ----------
    label : str
        The cell in words: ``above 135``.
    reference, current : float
        Its share of the rows then and now.
    contribution : float
        Nats it adds to KL, p ln(p/q) − p + q: never negative, summing to KL over all cells.
    signed : float
        The cell's own term p ln(p/q); negative where the cell lost rows.
    """

    label: str
    reference: float
    current: float
    contribution: float
    signed: float

    def __str__(self) -> str:
        """Write the change for a person: ``above 135: 2.1 % → 5.4 % of rows``."""
        return f"{self.label}: {percent(self.reference)} → {percent(self.current)} of rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelChange:
    """A category that came or went.

    Parameters
    ----------
    level : str
        Its name.
    share : float
        Of the rows: now for a new one, then for a vanished one.
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

    def __str__(self) -> str:
        """Write it for a person: ``12 rows (0.04 %) above 1301, the reference's largest; …``."""
        which = f"the reference's {'smallest' if self.side == 'below' else 'largest'}"
        tight = self.cell == f"{self.side} {self.extreme}"
        return (
            f"{self.rows:,} row{'s' * (self.rows != 1)} ({percent(self.share)}) {self.cell}"
            f"{f', {which}' if tight else f'; {which} is {self.extreme}'}"
            f"{', all infinite' if self.infinite else ''}; chance {_chance(self.p_value)}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnReport:
    """What was found in one column.

    Parameters
    ----------
    name : str
        The column.
    status : Status
        The verdict.
    reason : str
        One sentence that explains it.
    finding : Finding
        ``missing``, ``new`` or ``type changed`` where the values could not be compared; then every
        number below is ``None``.
    type : str
        The Arrow type now (then, if the column is missing).
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
    noise_floor : float or None
        KL that samples of these sizes reach once in a thousand if nothing drifts.
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
    status: Status
    reason: str
    finding: Finding = ""
    type: str = ""
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
    noise_floor: float | None = None
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
    def kl_bits(self) -> float | None:
        """KL(current‖reference) in bits."""
        return None if self.kl is None else self.kl / _LN2

    @property
    def psi(self) -> float | None:
        """The population stability index: Jeffreys' divergence by another name."""
        return self.jeffreys

    @property
    def together(self) -> str:
        """What two columns show together and neither alone; empty for a single column."""
        certain = self.detected or self.status is not Status.OK
        if self.kl_dependence is None or not certain:
            return ""
        return f"{nats(self.kl_dependence)} nats of it neither column shows alone"

    @property
    def sentence(self) -> str:
        """The verdict in one line: status, reason, what moved most, and what lies beyond."""
        moved: tuple[object, ...] = (self.together,) if self.together else ()
        moved += self.top_cells[:1] if self.status is not Status.OK else ()
        beyond = (each for each in self.beyond if each.unlikely)
        return "; ".join([f"{self.status}: {self.reason}", *map(str, (*moved, *beyond))])


@dataclass(frozen=True, slots=True, kw_only=True)
class Unjudged:
    """A column that is reported without being judged.

    Parameters
    ----------
    name, type : str
        The column and its Arrow type.
    reason : str
        Why it is not judged.
    reference_range, current_range : str
        Its smallest and largest value then and now, in words; empty where not known.
    reference_nulls, current_nulls : float or None
        Shares of null rows, where known.
    """

    name: str
    type: str
    reason: str
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
    created, created_by : str
        When it was profiled, and by which kl-drift.
    choice : str
        Of a reference that was chosen: how (``window:7``, ``closest:winter``).
    snapshots : int
        How many it was merged from.
    ties : tuple of str
        Of the closest reference: others that the rows cannot tell from it.
    """

    source: str
    rows: int
    as_of: str = ""
    created: str = ""
    created_by: str = ""
    choice: str = ""
    snapshots: int = 1
    ties: tuple[str, ...] = ()


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
    created, created_by : str
        When (UTC, ISO 8601) and by which kl-drift.
    """

    current: Side
    reference: Side
    columns: tuple[ColumnReport, ...]
    unjudged: tuple[Unjudged, ...] = ()
    bins_digest: str = ""
    created: str = ""
    created_by: str = ""

    @property
    def status(self) -> Status:
        """The worst status of its columns; ``undecided`` if no column was judged."""
        return worst(column.status for column in self.columns)

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
                raise ColumnNotFoundError(f"column {name!r} was not judged: {left.reason}")
        names = [column.name for column in self.columns]
        raise ColumnNotFoundError(f"no column {name!r} in this report.{did_you_mean(name, names)}")

    def __iter__(self) -> Iterator[ColumnReport]:
        """Iterate over the judged columns, worst first."""
        return iter(self.columns)

    @property
    def summary(self) -> str:
        """One line: ``drift: 2 of 17 columns drifted (dep_delay, dest); 1 warning``."""
        counts = Counter(column.status for column in self.columns)
        total = len(self.columns)
        parts = [f"{counts[Status.DRIFT]} of {total} columns drifted"]
        if self.drifted:
            shown = ", ".join(self.drifted[:6]) + (" …" if len(self.drifted) > 6 else "")
            parts[0] += f" ({shown})"
        if counts[Status.WARN]:
            parts.append(f"{counts[Status.WARN]} warning{'s' * (counts[Status.WARN] > 1)}")
        if counts[Status.UNDECIDED]:
            parts.append(f"{counts[Status.UNDECIDED]} undecided")
        return f"{self.status}: " + "; ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON types; what is not finite becomes ``None``."""
        return {
            "status": str(self.status),
            "summary": self.summary,
            "current": plain(self.current),
            "reference": plain(self.reference),
            "columns": [plain(column) | {"kl_bits": plain(column.kl_bits)} for column in self],
            "unjudged": [plain(column) for column in self.unjudged],
            "bins_digest": self.bins_digest,
        }

    def to_pandas(self) -> pd.DataFrame:
        """Return one row per judged column, worst first, what moved in words in ``moved``."""
        import pandas as pd

        nested = {
            "interval",
            "top_cells",
            "new_levels",
            "vanished_levels",
            "beyond",
            "cells",
            "trend",
        }
        names = [f.name for f in fields(ColumnReport) if f.name not in nested]
        rows = [
            {
                **{name: getattr(c, name) for name in names},
                "status": str(c.status),
                "kl_bits": c.kl_bits,
                "lower": c.interval and c.interval[0],
                "upper": c.interval and c.interval[1],
                "moved": "; ".join(str(cell) for cell in c.top_cells),
                "beyond": "; ".join(str(each) for each in c.beyond if each.unlikely),
            }
            for c in self
        ]
        return pd.DataFrame(rows, columns=[*names, "kl_bits", "lower", "upper", "moved", "beyond"])


def plain(value: Any) -> Any:
    """Return frozen values as dicts and lists of plain JSON types."""
    if isinstance(value, Status):
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


def percent(share: float) -> str:
    """Write a share for a person: ``2.1 %``, ``0.04 %``, ``0 %``."""
    if share == 0:
        return "0 %"
    hundredths = share * 100
    digits = 1 if hundredths >= 1 else 2 if hundredths >= 0.01 else 4
    return f"{hundredths:.{digits}f} %"


def _chance(p_value: float) -> str:
    """Write a probability for a person: ``0.2``, ``3e-9``."""
    if p_value == 0:
        return "below 1e-300"
    return f"{p_value:.1g}".replace("e-0", "e-")
