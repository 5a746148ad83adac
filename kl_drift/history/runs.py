"""The runs of checks: what each said in short, where it ran, and those that could not say anything.

Knows one table of small rows, from which a page of all checks is made without reading a report. Has
never heard of how a number was computed, or of what a place means to those who wrote it.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kl_drift import canonical
from kl_drift.history.database import Database, Migration
from kl_drift.judging.report import ColumnReport, Report, plain

ERROR = "error"
"""The status of a run that could not judge."""

MIGRATION: Migration = (
    """
    CREATE TABLE kl_drift_runs (
        id {key},
        check_name TEXT NOT NULL,
        digest TEXT NOT NULL,
        profile TEXT NOT NULL,
        status TEXT NOT NULL,
        said TEXT NOT NULL,
        label TEXT NOT NULL,
        as_of TEXT NOT NULL,
        moment BIGINT NOT NULL,
        created TEXT NOT NULL,
        row_count BIGINT NOT NULL,
        place TEXT NOT NULL,
        findings {bytes},
        UNIQUE (check_name, digest)
    )""",
    "CREATE INDEX kl_drift_runs_in_order ON kl_drift_runs (check_name, moment, id)",
    """
    INSERT INTO kl_drift_runs (check_name, digest, profile, status, said, label, as_of, moment,
        created, row_count, place, findings)
    SELECT r.check_name, r.digest, r.profile, r.status, '', p.label, p.as_of, p.moment,
        r.created, p.row_count, '', NULL
    FROM kl_drift_reports r
    JOIN kl_drift_profiles p ON p.check_name = r.check_name AND p.digest = r.profile
    ORDER BY r.id""",
)
"""The table, with what older reports say of themselves; their columns stay in the reports."""

ADD = """
    INSERT INTO kl_drift_runs (check_name, digest, profile, status, said, label, as_of, moment,
        created, row_count, place, findings)
    VALUES (:check, :digest, :profile, :status, :said, :label, :as_of, :moment,
        :created, :rows, :place, :findings)
    ON CONFLICT DO NOTHING"""

NEWEST = "SELECT COALESCE(MAX(id), 0) AS newest FROM kl_drift_runs"

_LATEST = """
    SELECT * FROM (
        SELECT u.*, ROW_NUMBER() OVER (
            PARTITION BY check_name ORDER BY moment DESC, id DESC
        ) AS place_from_end
        FROM (
            SELECT id, check_name, profile, status, said, label, as_of, moment, created, row_count,
                place, {findings} AS findings
            FROM kl_drift_runs WHERE :check IN ('', check_name) AND moment < :before
        ) u
    ) numbered
    WHERE place_from_end <= :last
    ORDER BY check_name, moment, id"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """What a run found in one column.

    Parameters
    ----------
    name, status : str
        The column, and the verdict on it.
    kl : float or None
        In nats; ``None`` where it could not be compared.
    limit : float or None
        What it was judged by, in nats.
    """

    name: str
    status: str
    kl: float | None
    limit: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a check.

    Parameters
    ----------
    check : str
        The check.
    status : {"ok", "warn", "undecided", "drift", "error"}
        The verdict; ``error`` where there is none.
    said : str
        Why there is none; empty where there is one.
    label, as_of : str
        What the check calls the snapshot, and the moment that stands for.
    profile : str
        The digest of its profile; empty where there is none.
    created : str
        When it was judged, UTC, ISO 8601.
    rows : int
        Of the snapshot.
    place : mapping
        Where it ran, as whoever ran it says; empty where nobody did.
    columns : tuple of Brief, optional
        What was found; ``None`` where that was not asked for, or only the report knows it.
    """

    check: str
    status: str
    said: str
    label: str
    as_of: str
    profile: str
    created: str
    rows: int
    place: Mapping[str, Any] = field(default_factory=dict)
    columns: tuple[Brief, ...] | None = None

    @property
    def day(self) -> str:
        """The moment that it is about, or else when it was made."""
        return self.as_of or self.created


def read_runs(
    database: Database, check: str, *, before: int, last: int, columns: bool
) -> tuple[Run, ...]:
    """Return the latest runs of a check, or of each of them, oldest first."""
    statement = _LATEST.format(findings="findings" if columns else "NULL")
    found = database.read(statement, check=check, before=before, last=last)
    return tuple(map(_run, found))


def _run(row: Mapping[str, Any]) -> Run:
    return Run(
        check=row["check_name"],
        status=row["status"],
        said=row["said"],
        label=row["label"],
        as_of=row["as_of"],
        profile=row["profile"],
        created=row["created"],
        rows=row["row_count"],
        place=json.loads(row["place"] or "{}"),
        columns=None if row["findings"] is None else _unpacked(row["findings"]),
    )


def judged_row(
    profile: Mapping[str, object],
    found: Mapping[str, object],
    columns: Iterable[Brief],
    place: object,
) -> dict[str, object]:
    """Return the row of a run, from those of its profile and its report."""
    row = {key: profile[key] for key in ("check", "label", "as_of", "moment", "rows")}
    told = {"report": found["digest"], "place": plain(place)}
    return row | {
        "digest": canonical.digest(told) if place else found["digest"],
        "profile": profile["digest"],
        "status": found["status"],
        "said": "",
        "created": found["created"],
        "place": _text(place),
        "findings": _packed(columns),
    }


def failed_row(
    check: str, said: str, *, created: str, moment: int, place: object
) -> dict[str, object]:
    """Return the row of a run that could not judge."""
    row = {"check": check, "said": said, "created": created, "place": _text(place)}
    return row | {
        "digest": canonical.digest(row),
        "profile": "",
        "status": ERROR,
        "label": "",
        "as_of": "",
        "moment": moment,
        "rows": 0,
        "findings": _packed(()),
    }


def briefs(report: Report) -> tuple[Brief, ...]:
    """Return what a report found, in short, by the name of the column."""
    found = (
        Brief(
            name=column.name, status=str(column.status), kl=plain(column.kl), limit=_limit(column)
        )
        for column in report
    )
    return tuple(sorted(found, key=lambda brief: brief.name))


def _limit(column: ColumnReport) -> float | None:
    """Return the limit that KL was compared with; none where another number decided."""
    return column.verdict.limit if column.verdict.statistic == "kl" else None


def _packed(columns: Iterable[Brief]) -> bytes:
    rows = [(each.name, each.status, each.kl, each.limit) for each in columns]
    return zlib.compress(json.dumps(rows, ensure_ascii=False).encode())


def _unpacked(findings: bytes) -> tuple[Brief, ...]:
    return tuple(
        Brief(name=name, status=status, kl=kl, limit=limit)
        for name, status, kl, limit in json.loads(zlib.decompress(findings))
    )


def _text(place: object) -> str:
    return canonical.dumps(plain(place)) if place else ""
