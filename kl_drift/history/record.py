"""The history: what was ever counted, found and acknowledged, in a SQL database.

Knows four tables to which rows are only ever added, and what can be asked of them. Has never heard
of snapshots, of limits, of how a number was computed or of which database it is.

Every addition is one transaction, and the digest of its content is its key: adding again what is
there adds nothing, also from several processes at once.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from typing import Any, TypeVar

from kl_drift import canonical
from kl_drift.artefact import (
    VERSIONS,
    Kind,
    profile_from_dict,
    profile_to_dict,
    report_from_dict,
    report_to_dict,
)
from kl_drift.counts.profile import Profile
from kl_drift.errors import (
    ColumnNotFoundError,
    HistoryError,
    HistoryTooNewError,
    UsageError,
    did_you_mean,
)
from kl_drift.history import feedback, runs
from kl_drift.history.database import Database, Migration, now
from kl_drift.history.feedback import Feedback, Verb
from kl_drift.history.runs import Run
from kl_drift.judging.policy import Status
from kl_drift.judging.report import Report
from kl_drift.moments import microseconds, parse_moment

_T = TypeVar("_T")

_SHORTEST_PREFIX = 8
"""Characters of a digest that name a profile; a year or a date is never taken for one."""

_MIGRATIONS: tuple[Migration, ...] = (
    (
        """
        CREATE TABLE kl_drift_profiles (
            id {key},
            check_name TEXT NOT NULL,
            digest TEXT NOT NULL,
            label TEXT NOT NULL,
            as_of TEXT NOT NULL,
            moment BIGINT NOT NULL,
            created TEXT NOT NULL,
            row_count BIGINT NOT NULL,
            bins_digest TEXT NOT NULL,
            body {bytes} NOT NULL,
            UNIQUE (check_name, digest)
        )""",
        "CREATE INDEX kl_drift_profiles_in_order ON kl_drift_profiles (check_name, moment, id)",
        """
        CREATE TABLE kl_drift_reports (
            id {key},
            check_name TEXT NOT NULL,
            digest TEXT NOT NULL,
            profile TEXT NOT NULL,
            status TEXT NOT NULL,
            created TEXT NOT NULL,
            body {bytes} NOT NULL,
            UNIQUE (check_name, digest)
        )""",
        """
        CREATE TABLE kl_drift_acknowledgements (
            id {key},
            check_name TEXT NOT NULL,
            digest TEXT NOT NULL,
            profile TEXT NOT NULL,
            note TEXT NOT NULL,
            noted_by TEXT NOT NULL,
            noted TEXT NOT NULL,
            UNIQUE (check_name, digest)
        )""",
    ),
    (
        *runs.MIGRATION,
        *feedback.TABLE,
        """
        CREATE TABLE kl_drift_references (
            id {key},
            check_name TEXT NOT NULL,
            source TEXT NOT NULL,
            digest TEXT NOT NULL,
            body {bytes} NOT NULL,
            UNIQUE (check_name, source, digest)
        )""",
    ),
)
"""What makes version n + 1 of the tables of version n; a migration once released stays as it is."""

_ADD_PROFILE = """
    INSERT INTO kl_drift_profiles
        (check_name, digest, label, as_of, moment, created, row_count, bins_digest, body)
    VALUES (:check, :digest, :label, :as_of, :moment, :created, :rows, :bins_digest, :body)
    ON CONFLICT DO NOTHING"""

_ADD_REPORT = """
    INSERT INTO kl_drift_reports (check_name, digest, profile, status, created, body)
    VALUES (:check, :digest, :profile, :status, :created, :body)
    ON CONFLICT DO NOTHING"""

_ADD_ACKNOWLEDGEMENT = """
    INSERT INTO kl_drift_acknowledgements (check_name, digest, profile, note, noted_by, noted)
    VALUES (:check, :digest, :profile, :note, :by, :at)
    ON CONFLICT DO NOTHING"""

_KEEP_REFERENCE = """
    INSERT INTO kl_drift_references (check_name, source, digest, body)
    VALUES (:check, :source, :digest, :body)
    ON CONFLICT DO NOTHING"""

_KEPT_REFERENCE = """
    SELECT digest, body FROM kl_drift_references
    WHERE check_name = :check AND source = :source
    ORDER BY id DESC LIMIT 1"""

_PROFILES = """
    SELECT * FROM (
        SELECT p.*, EXISTS (
            SELECT 1 FROM kl_drift_acknowledgements a
            WHERE a.check_name = p.check_name AND a.profile = p.digest
        ) OR EXISTS (
            SELECT 1 FROM kl_drift_feedback f
            WHERE f.check_name = p.check_name AND f.profile = p.digest AND f.verb = 'missed'
        ) AS acknowledged
        FROM kl_drift_profiles p
        WHERE p.check_name = :check AND :bins_digest IN ('', p.bins_digest)
            AND (p.moment < :before OR (p.moment = :before AND p.id < :before_id))
            AND (p.moment > :since OR (p.moment = :since AND p.id >= :since_id))
    ) found
    WHERE acknowledged IN (FALSE, :acknowledged)
    ORDER BY moment DESC, id DESC LIMIT :last"""

_PLACE = """
    SELECT moment, id FROM kl_drift_profiles WHERE check_name = :check AND digest = :digest"""

_REPORTS = """
    SELECT p.label, p.as_of, r.*
    FROM kl_drift_reports r
    JOIN kl_drift_profiles p ON p.check_name = r.check_name AND p.digest = r.profile
    WHERE r.check_name = :check
    ORDER BY p.moment DESC, r.id DESC LIMIT :last"""

_REPORTS_BEFORE = """
    SELECT p.label, p.as_of, r.*
    FROM kl_drift_reports r
    JOIN kl_drift_profiles p ON p.check_name = r.check_name AND p.digest = r.profile
    WHERE r.check_name = :check AND p.bins_digest = :bins_digest
        AND (p.moment < :before OR (p.moment = :before AND p.id < :before_id))
        AND NOT EXISTS (
            SELECT 1 FROM kl_drift_acknowledgements a
            WHERE a.check_name = p.check_name AND a.profile = p.digest
        )
    ORDER BY p.moment DESC, p.id DESC, r.id DESC LIMIT :last"""

_ACKNOWLEDGEMENTS = """
    SELECT p.label, p.as_of, a.*
    FROM kl_drift_acknowledgements a
    JOIN kl_drift_profiles p ON p.check_name = a.check_name AND p.digest = a.profile
    WHERE :check IN ('', a.check_name)
    ORDER BY a.check_name, p.moment, a.id"""

_DAYS = """
    SELECT label, as_of, digest FROM kl_drift_profiles
    WHERE check_name = :check ORDER BY moment, id"""

_CHECKS = "SELECT DISTINCT check_name FROM kl_drift_profiles"

_ANY = 2**62  # later than any moment, and more than any number of rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One profile of a check.

    Parameters
    ----------
    check : str
        The check.
    label : str
        What its reports call the snapshot.
    digest : str
        Of the profile, as in its file.
    created : str
        When the profile was made, UTC, ISO 8601.
    acknowledged : bool
        Whether somebody said that it is not to count.
    profile : Profile
        The counts; ``profile.as_of`` is the moment they stand for.
    """

    check: str
    label: str
    digest: str
    created: str
    acknowledged: bool
    profile: Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One report of a check.

    Parameters
    ----------
    check, label, as_of : str
        The check, what it calls the snapshot, and the moment that stands for.
    digest : str
        Of the profile that was judged.
    status : Status
        The verdict.
    created : str
        When the report was made, UTC, ISO 8601.
    report : Report
        What was found.
    """

    check: str
    label: str
    as_of: str
    digest: str
    status: Status
    created: str
    report: Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """Somebody's word that a profile is known to be unusual, and is not to count.

    Parameters
    ----------
    check, label, as_of : str
        The check, what it calls the snapshot, and the moment that stands for.
    digest : str
        Of the profile.
    note, by : str
        Why, and who says so.
    at : str
        When, UTC, ISO 8601.
    """

    check: str
    label: str
    as_of: str
    digest: str
    note: str
    by: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One column of one judged profile: a point of a chart.

    Parameters
    ----------
    label, as_of : str
        What the check calls the snapshot, and the moment that stands for.
    kl : float or None
        KL(current‖reference) in nats; ``None`` where the values could not be compared.
    status : Status
        The verdict on the column.
    """

    label: str
    as_of: str
    kl: float | None
    status: Status


class History:
    """A record of profiles, reports and acknowledgements that only grows.

    Open it with :meth:`open`. Safe to share between threads and processes.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def __repr__(self) -> str:
        return f"History({self.where!r})"

    @property
    def where(self) -> str:
        """Where it is, without secrets."""
        return self._database.where

    @classmethod
    def open(
        cls, location: str | PathLike[str], *, create: bool = True, timeout: float = 30
    ) -> History:
        """Open a history, and bring older tables up to date.

        Parameters
        ----------
        location : str or path
            A SQLite file, or a URL: ``postgresql://user:password@host/database``,
            ``sqlite:///file``.
        create : bool
            Whether to make the tables (of SQLite: the file and its folder) if there are none.
        timeout : float
            Seconds that anything may wait: for the server, for a lock, for an answer.

        Returns
        -------
        History
            Ready to be read and added to.

        Raises
        ------
        HistoryError
            If it cannot be reached, is not there and must not be created, or is no history.
        HistoryTooNewError
            If a later kl-drift made its tables.
        MissingExtraError
            If the driver of PostgreSQL is not installed.
        UsageError
            If the location is no path or URL of these databases. Passwords are never shown.
        """
        database = Database.open(fspath(location), _MIGRATIONS, create=create, timeout=timeout)
        return cls(database)

    def close(self) -> None:
        """Forget a history in memory; others hold nothing open."""
        self._database.close()

    def add(
        self,
        check: str,
        profile: Profile,
        report: Report,
        *,
        place: Mapping[str, Any] | None = None,
    ) -> bool:
        """Record what a check counted and found, both or nothing.

        Parameters
        ----------
        check : str
            The name of the check, the same each time.
        profile : Profile
            Of the current snapshot.
        report : Report
            What was found in it.
        place : mapping, optional
            Where it ran, as plain values: for those who look the run up.

        Returns
        -------
        bool
            Whether anything was new; the same profile and findings are recorded once, and so is
            the same place where they were found.

        Raises
        ------
        HistoryError
            If it cannot be written; then nothing was.
        UsageError
            If the check has no name, the report is of another profile, or ``as_of`` is no moment.
        """
        if not check:
            raise UsageError(
                "the check has no name; give it one, so that the history finds it again"
            )
        if profile.rows != report.current.rows:
            raise UsageError(
                f"check {check!r}: the report is about {report.current.rows:,} rows, the profile "
                f"has {profile.rows:,}; give the profile that was compared"
            )
        counted = _profile_row(check, profile, report.current.source)
        found = _report_row(check, counted["digest"], report)
        run = runs.judged_row(counted, found, runs.briefs(report), place)
        added = ((_ADD_PROFILE, counted), (_ADD_REPORT, found), (runs.ADD, run))
        return self._database.add(*added) > 0

    def add_failure(self, check: str, said: str, *, place: Mapping[str, Any] | None = None) -> None:
        """Record that a check could not judge, and why.

        Parameters
        ----------
        check : str
            The name of the check, the same each time.
        said : str
            Why, for a person.
        place : mapping, optional
            Where it ran, as plain values.

        Raises
        ------
        HistoryError
            If it cannot be written.
        """
        created = now()
        moment = _moment(created, "created")
        row = runs.failed_row(check, said, created=created, moment=moment, place=place)
        self._database.add((runs.ADD, row))

    def runs(self, *, last: int | None = None, columns: bool = False) -> tuple[Run, ...]:
        """Return the latest runs of every check, by the names of the checks, oldest first.

        Parameters
        ----------
        last : int, optional
            Only so many of each check.
        columns : bool
            Whether to read what they found in each column, too.

        Raises
        ------
        HistoryError
            If it cannot be read.
        """
        return runs.read_runs(self._database, "", before=_ANY, last=_limit(last), columns=columns)

    def newest_run(self) -> int:
        """Return a number that grows with every run: whoever has seen it has seen them all."""
        return int(self._database.read(runs.NEWEST)[0]["newest"])

    def runs_of(self, check: str, *, last: int | None = None) -> tuple[Run, ...]:
        """Return the latest runs of a check, oldest first, with what they found in each column.

        What the report of a run alone knows of its columns, since an older kl-drift recorded it, is
        ``None``.
        """
        return runs.read_runs(self._database, check, before=_ANY, last=_limit(last), columns=True)

    def runs_before(self, check: str, profile: Profile, *, last: int) -> tuple[Run, ...]:
        """Return what was said of a check before a profile, oldest first; nothing of itself."""
        before = self._place(check, profile)["before"]
        digest = profile_to_dict(profile)["digest"]
        found = runs.read_runs(self._database, check, before=before, last=last, columns=False)
        return tuple(each for each in found if each.profile != digest)

    def keep_reference(self, check: str, source: str, profile: Profile) -> None:
        """Keep the profile of a version that serves as reference, for when its files are gone.

        Parameters
        ----------
        check : str
            The name of the check.
        source : str
            The version: ``flights@v12``.
        profile : Profile
            Fitted on it.
        """
        document = profile_to_dict(profile)
        row = {"check": check, "source": source, "digest": document["digest"]}
        self._database.add((_KEEP_REFERENCE, row | {"body": _packed(document)}))

    def kept_reference(self, check: str, source: str) -> Profile | None:
        """Return the profile of a version that served as reference, as it was last fitted."""
        for row in self._database.read(_KEPT_REFERENCE, check=check, source=source):
            return self._decoded("profile", row, profile_from_dict)
        return None

    def profiles(
        self,
        check: str,
        *,
        bins_digest: str = "",
        last: int | None = None,
        before: str = "",
        acknowledged: bool = False,
    ) -> tuple[Entry, ...]:
        """Return the profiles of a check, oldest first.

        They are in the order of ``as_of``; where that is not stated, of when they were made.

        Parameters
        ----------
        check : str
            The check; of one that was never recorded there are none.
        bins_digest : str, optional
            Only profiles over these bins, which merge and compare with each other.
        last : int, optional
            Only so many, the latest.
        before : str, optional
            Only those before this moment, ISO 8601; UTC if it names no zone.
        acknowledged : bool
            Whether acknowledged ones are among them.

        Raises
        ------
        HistoryError
            If it cannot be read.
        UsageError
            If ``last`` is not positive or ``before`` is no moment.
        """
        found = self._database.read(
            _PROFILES,
            check=check,
            bins_digest=bins_digest,
            last=_limit(last),
            before=_moment(before, "before") if before else _ANY,
            before_id=0,
            since=-_ANY,
            since_id=0,
            acknowledged=acknowledged,
        )
        return self._entries(check, found)

    def earlier(
        self, check: str, profile: Profile, *, last: int | None = None
    ) -> tuple[Entry, ...]:
        """Return what came before a profile and compares with it, oldest first.

        The same each time it is asked of a profile, whatever was recorded since: those with an
        earlier ``as_of``, or, where the profile states none, those that stand before it in the
        record. Acknowledged and missed ones are left out, so is what was before the latest new
        normal. Of several with one ``as_of``, such as a snapshot and its correction, the one that
        was recorded last is taken.

        Parameters
        ----------
        check : str
            The check.
        profile : Profile
            Recorded or not.
        last : int, optional
            Only so many, the latest.

        Raises
        ------
        HistoryError
            If it cannot be read.
        UsageError
            If ``last`` is not positive or ``as_of`` is no moment.
        """
        place = self._place(check, profile)
        since = {"since": -_ANY, "since_id": 0}
        for row in self._database.read(feedback.SINCE, check=check, **place):
            since = {"since": row["moment"], "since_id": row["id"]}
        found = self._database.read(
            _PROFILES,
            check=check,
            bins_digest=profile.bins_digest,
            last=_limit(last),
            **place,
            **since,
            acknowledged=False,
        )
        entries = self._entries(check, found)
        return tuple({each.profile.as_of or each.digest: each for each in entries}.values())

    def _place(self, check: str, profile: Profile) -> dict[str, int]:
        """Return where a profile stands in the order of a check; a new one stands last."""
        if profile.as_of:
            return {"before": _moment(profile.as_of, "as_of"), "before_id": 0}
        digest = profile_to_dict(profile)["digest"]
        for row in self._database.read(_PLACE, check=check, digest=digest):
            return {"before": row["moment"], "before_id": row["id"]}
        return {"before": _ANY, "before_id": 0}

    def _entries(self, check: str, found: Sequence[Mapping[str, Any]]) -> tuple[Entry, ...]:
        return tuple(
            Entry(
                check=check,
                label=row["label"],
                digest=row["digest"],
                created=row["created"],
                acknowledged=bool(row["acknowledged"]),
                profile=self._decoded("profile", row, profile_from_dict),
            )
            for row in reversed(found)
        )

    def reports(self, check: str, *, last: int | None = None) -> tuple[Judgement, ...]:
        """Return the reports of a check, in the order of their profiles, oldest first.

        Parameters
        ----------
        check : str
            The check; of one that was never recorded there are none.
        last : int, optional
            Only so many, the latest.

        Raises
        ------
        HistoryError
            If it cannot be read.
        """
        return self._judgements(
            check, self._database.read(_REPORTS, check=check, last=_limit(last))
        )

    def reports_before(
        self, check: str, profile: Profile, *, last: int | None = None
    ) -> tuple[Judgement, ...]:
        """Return the latest report on each snapshot that came before a profile, oldest first.

        Of those that :meth:`earlier` returns, in that order: acknowledged ones are left out.

        Parameters
        ----------
        check : str
            The check.
        profile : Profile
            Recorded or not.
        last : int, optional
            Only so many reports, the latest.

        Raises
        ------
        HistoryError
            If it cannot be read.
        UsageError
            If ``last`` is not positive or ``as_of`` is no moment.
        """
        found = self._database.read(
            _REPORTS_BEFORE,
            check=check,
            bins_digest=profile.bins_digest,
            last=_limit(last),
            **self._place(check, profile),
        )
        judgements = self._judgements(check, found)
        return tuple({each.as_of or each.digest: each for each in judgements}.values())

    def _judgements(self, check: str, found: Sequence[Mapping[str, Any]]) -> tuple[Judgement, ...]:
        return tuple(
            Judgement(
                check=check,
                label=row["label"],
                as_of=row["as_of"],
                digest=row["profile"],
                status=Status(row["status"]),
                created=row["created"],
                report=self._decoded("report", row, report_from_dict),
            )
            for row in reversed(found)
        )

    def kl_series(self, check: str, column: str) -> tuple[Point, ...]:
        """Return how far one column was from its reference, profile by profile, oldest first.

        Of a profile that was judged more than once, the latest report counts; one that says
        nothing of the column has no point.

        Raises
        ------
        ColumnNotFoundError
            If there are reports and none of them judges the column.
        """
        latest = {each.digest: each for each in self.reports(check)}
        points, known = [], set[str]()
        for each in latest.values():
            columns = {found.name: found for found in each.report}
            known |= columns.keys()
            if found := columns.get(column):
                points.append(
                    Point(label=each.label, as_of=each.as_of, kl=found.kl, status=found.status)
                )
        if latest and not points:
            raise ColumnNotFoundError(
                f"no report of check {check!r} judges a column {column!r}."
                + did_you_mean(column, known)
            )
        return tuple(points)

    def acknowledge(self, check: str, which: str, *, note: str, by: str) -> Acknowledgement:
        """Record that a profile is known to be unusual, and is not to count.

        Parameters
        ----------
        check : str
            The check.
        which : str
            The profile's label, its ``as_of``, or its digest (8 characters are enough).
        note, by : str
            Why, and who says so.

        Returns
        -------
        Acknowledgement
            What was recorded; if the same person said the same before, what was recorded then.

        Raises
        ------
        UsageError
            If no profile or more than one goes by that name, or note or person is missing.
        HistoryError
            If it cannot be written.
        """
        if not note or not by:
            raise UsageError("an acknowledgement needs a note (what happened) and a name (by)")
        profile = self._digest_of(check, which)
        row = {"check": check, "profile": profile, "note": note, "by": by}
        digest = canonical.digest(row)
        self._database.add((_ADD_ACKNOWLEDGEMENT, row | {"digest": digest, "at": now()}))
        (mine,) = (
            each
            for each in self.acknowledgements(check)
            if (each.digest, each.note, each.by) == (profile, note, by)
        )
        return mine

    def acknowledgements(self, check: str = "") -> tuple[Acknowledgement, ...]:
        """Return who acknowledged what of a check, or of all, in the order of the profiles."""
        return tuple(
            Acknowledgement(
                check=row["check_name"],
                label=row["label"],
                as_of=row["as_of"],
                digest=row["profile"],
                note=row["note"],
                by=row["noted_by"],
                at=row["noted"],
            )
            for row in self._database.read(_ACKNOWLEDGEMENTS, check=check)
        )

    def accept(self, check: str, which: str, *, note: str, by: str) -> Feedback:
        """Record that a profile is the new normal: what was before it teaches no more.

        Parameters
        ----------
        check, which, note, by
            As :meth:`acknowledge`.

        Returns
        -------
        Feedback
            What was recorded.

        Raises
        ------
        UsageError, HistoryError
            As :meth:`acknowledge`.
        """
        return self._say(check, "normal", which=which, note=note, by=by)

    def miss(self, check: str, which: str, *, column: str, note: str, by: str) -> Feedback:
        """Record that a column of a profile should have alarmed; it is not learned from.

        Parameters
        ----------
        check, which, note, by
            As :meth:`acknowledge`.
        column : str
            The column.

        Raises
        ------
        UsageError, HistoryError
            As :meth:`acknowledge`.
        ColumnNotFoundError
            If no report of the check judges the column.
        """
        self.kl_series(check, column)
        return self._say(check, "missed", which=which, column=column, note=note, by=by)

    def quiet(self, check: str, *, until: str, note: str, by: str, column: str = "") -> Feedback:
        """Record that nobody is to be alerted about a column until a day; the verdict stays.

        Parameters
        ----------
        check, note, by
            As :meth:`acknowledge`.
        until : str
            The day on which it is heard again, ISO 8601.
        column : str, optional
            The column; by default all of them.

        Raises
        ------
        UsageError
            If there is no such check, ``until`` is no day, or note or person is missing.
        ColumnNotFoundError
            If no report of the check judges the column.
        HistoryError
            If it cannot be written.
        """
        self._refuse_unknown(check)
        if column:
            self.kl_series(check, column)
        until = feedback.day_of(until, "until")
        return self._say(check, "quiet", column=column, until=until, note=note, by=by)

    def feedback(self, check: str) -> tuple[Feedback, ...]:
        """Return all that was said of a check: incidents first, then in the order it was said."""
        incidents = (
            Feedback(
                check=check,
                verb="incident",
                label=each.label,
                as_of=each.as_of,
                digest=each.digest,
                note=each.note,
                by=each.by,
                at=each.at,
            )
            for each in self.acknowledgements(check)
        )
        said = (_said(check, row) for row in self._database.read(feedback.READ, check=check))
        return (*incidents, *said)

    def quieted(self, check: str, *, on: str = "") -> dict[str, str]:
        """Return the columns of a check about which nobody is to be alerted, each with until when.

        Parameters
        ----------
        check : str
            The check.
        on : str, optional
            The day or moment, ISO 8601; by default now.
        """
        return feedback.quiet_on(self.feedback(check), on or now())

    def _say(
        self,
        check: str,
        verb: Verb,
        *,
        which: str = "",
        column: str = "",
        until: str = "",
        note: str,
        by: str,
    ) -> Feedback:
        if not note or not by:
            raise UsageError("feedback needs a note, why, and by, who says so")
        row = {
            "check": check,
            "verb": verb,
            "profile": self._digest_of(check, which) if which else "",
            "column": column,
            "until": until,
            "note": note,
            "by": by,
        }
        digest = canonical.digest(row)
        self._database.add((feedback.ADD, row | {"digest": digest, "at": now()}))
        found = self._database.read(feedback.READ, check=check)
        return next(_said(check, each) for each in found if each["digest"] == digest)

    def checks(self) -> tuple[str, ...]:
        """Return the names of all checks, sorted."""
        found = self._database.read(_CHECKS)
        return tuple(sorted(row["check_name"] for row in found))

    def _refuse_unknown(self, check: str) -> None:
        if check not in self.checks():
            hint = did_you_mean(check, self.checks())
            raise UsageError(f"{self.where}: no check {check!r} in this history.{hint}")

    def _digest_of(self, check: str, which: str) -> str:
        self._refuse_unknown(check)
        days = self._database.read(_DAYS, check=check)
        found = [day for day in days if _goes_by(which, day)]
        if len(found) == 1:
            return str(found[0]["digest"])
        if not found:
            names = [day[key] for day in days for key in ("label", "as_of", "digest")]
            raise UsageError(
                f"check {check!r}: no profile is called {which!r}; give a label, an as_of or at "
                f"least {_SHORTEST_PREFIX} characters of a digest.{did_you_mean(which, names)}"
            )
        shown = "; ".join(f"{day['digest'][:12]} ({day['as_of'] or day['label']})" for day in found)
        raise UsageError(
            f"check {check!r}: {len(found)} profiles are called {which!r}; give the digest: {shown}"
        )

    def _decoded(
        self, kind: Kind, row: Mapping[str, Any], make: Callable[[Mapping[str, Any]], _T]
    ) -> _T:
        try:
            document = json.loads(zlib.decompress(row["body"]))
            if document["version"] > VERSIONS[kind]:
                raise HistoryTooNewError(
                    f"history {self.where}: holds a {kind} of format {document['version']}, this "
                    f"kl-drift reads up to {VERSIONS[kind]}; run  pip install --upgrade kl-drift"
                )
            return make(document)
        except (zlib.error, ValueError, KeyError, TypeError, AttributeError) as error:
            raise HistoryError(
                f"history {self.where}: {kind} {row['digest'][:12]} is damaged ({error}); restore "
                "the database from a copy"
            ) from error


def _said(check: str, row: Mapping[str, Any]) -> Feedback:
    return Feedback(
        check=check,
        verb=row["verb"],
        label=row["label"],
        as_of=row["as_of"],
        digest=row["profile"],
        column=row["column_name"],
        until=row["until"],
        note=row["note"],
        by=row["noted_by"],
        at=row["noted"],
    )


def _profile_row(check: str, profile: Profile, label: str) -> dict[str, object]:
    document = profile_to_dict(profile)
    created = profile.created or now()
    stated = (profile.as_of, "as_of") if profile.as_of else (created, "created")
    return {
        "check": check,
        "digest": document["digest"],
        "label": label,
        "as_of": profile.as_of,
        "moment": _moment(*stated),
        "created": created,
        "rows": profile.rows,
        "bins_digest": profile.bins_digest,
        "body": _packed(document),
    }


def _report_row(check: str, profile: object, report: Report) -> dict[str, object]:
    document = report_to_dict(report)
    return {
        "check": check,
        "digest": canonical.digest({"profile": profile, **_findings(document)}),
        "profile": profile,
        "status": str(report.status),
        "created": report.created or now(),
        "body": _packed(document),
    }


def _findings(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a report says, without when and by whom anything was made."""
    found = {key: document[key] for key in document.keys() - {"written", "digest"}}
    for side in ("current", "reference"):
        found[side] = {**found[side], "created": "", "created_by": ""}
    return found


def _packed(document: Mapping[str, Any]) -> bytes:
    return zlib.compress(canonical.dumps(document).encode())


def _limit(last: int | None) -> int:
    if last is not None and last < 1:
        raise UsageError(f"last: expected a positive number, got {last}")
    return _ANY if last is None else last


def _moment(text: str, name: str) -> int:
    return microseconds(parse_moment(text, name))


def _goes_by(which: str, day: Mapping[str, Any]) -> bool:
    if which in (day["label"], day["as_of"]):
        return bool(which)
    return len(which) >= _SHORTEST_PREFIX and str(day["digest"]).startswith(which)
