"""The history, each law over both databases: a SQLite file and a PostgreSQL server of our own."""

from __future__ import annotations

import runpy
import shutil
import socket
import subprocess
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import FrozenInstanceError, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from servers import SECRET, written
from sqlalchemy import URL, Connection, NullPool, create_engine, inspect, text

import kl_drift as kd
from kl_drift.artefact import profile_to_dict
from kl_drift.counts.profile import Profile
from kl_drift.errors import (
    ColumnNotFoundError,
    HistoryError,
    HistoryTooNewError,
    MissingExtraError,
    UsageError,
)
from kl_drift.history import database as below
from kl_drift.history import feedback, runs
from kl_drift.history import record as room
from kl_drift.history.record import History
from kl_drift.judging.policy import Status
from kl_drift.judging.report import Report, Side
from kl_drift.testing import assert_profiles_equal, profiles

GOLDEN = Path(__file__).parent / "golden"
MAKE_GOLDEN = runpy.run_path(str(GOLDEN / "make_history.py"))
SLOW = settings(max_examples=20, deadline=None)  # a database answers when it answers


@dataclass(frozen=True)
class Database:
    """Where a history may be, as a user writes it, and three ways in which it may fail."""

    url: str
    read_only: str
    down: str
    seize: str

    @contextmanager
    def raw(self) -> Iterator[Connection]:
        """Open the database without a history; a transaction is begun by hand."""
        url = self.url if "://" in self.url else f"sqlite:///{self.url}"
        engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            yield connection

    def run(self, *statements: str) -> None:
        with self.raw() as connection:
            for statement in statements:
                connection.execute(text(statement))

    def tables(self) -> set[str]:
        with self.raw() as connection:
            return set(inspect(connection).get_table_names())

    def counts(self) -> dict[str, int]:
        with self.raw() as connection:
            return {
                name: connection.execute(text(f"SELECT COUNT(*) FROM {name}")).scalar_one()  # noqa: S608 - our own tables
                for name in inspect(connection).get_table_names()
            }


def new_database(kind: str, folder: Path, request: pytest.FixtureRequest) -> Database:
    if kind == "sqlite":
        path = folder / "history.sqlite"
        (folder / "file").touch()
        return Database(
            url=str(path),
            read_only=f"sqlite:///file:{path}?mode=ro&uri=true",
            down=str(folder / "file" / "history.sqlite"),
            seize="BEGIN EXCLUSIVE",
        )
    server = request.getfixturevalue("server")
    schema = f"test_{uuid.uuid4().hex}"  # made in a moment, unlike a database
    with psycopg.connect(written(server), autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
    url = server.update_query_dict({"options": f"-c search_path={schema}"})
    read_only = f"-c search_path={schema} -c default_transaction_read_only=on"
    return Database(
        url=written(url.set(drivername="postgresql+psycopg")),
        read_only=written(url.update_query_dict({"options": read_only})),
        down=written(url.set(query={"host": str(folder)})),
        seize="BEGIN; LOCK TABLE kl_drift_profiles",
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """A database without a history, for each test."""
    return new_database(request.param, tmp_path, request)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def history(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> History:
    """One history for laws that try many examples, each under a check of its own."""
    folder = tmp_path_factory.mktemp("history")
    return History.open(new_database(request.param, folder, request).url)


def new_check() -> str:
    return f"check {uuid.uuid4()}"


def report_of(profile: Profile, label: str = "somewhere", created: str = "") -> Report:
    side = Side(source=label, rows=profile.rows, as_of=profile.as_of, created=created)
    return Report(current=side, reference=side, columns=(), created=created)


REFERENCE = kd.fit({"x": list(range(100)) * 20, "y": ["a", "b"] * 1_000})


def day(number: int, shift: int = 0) -> tuple[Profile, Report]:
    """Return what a check of one day counts and finds; further days hold more rows."""
    rows = 1_000 + number
    data = {"x": [shift + value % 100 for value in range(rows)], "y": ["a"] * rows}
    profile = kd.scan(data, like=REFERENCE)
    named = replace(profile, as_of=f"2013-02-{number:02}", sources=(f"day={number}",))
    return named, kd.compare(named, REFERENCE)


# What is recorded, and in which order it comes back


@SLOW
@given(profile=profiles())
def test_a_profile_comes_back_equal_and_by_the_digest_of_its_file(
    history: History, profile: Profile
) -> None:
    check = new_check()
    assert history.add(check, profile, report_of(profile, "here"))
    (entry,) = history.profiles(check)
    assert_profiles_equal(entry.profile, profile)
    assert entry.profile.created_by == profile.created_by
    assert entry.digest == profile_to_dict(profile)["digest"]
    assert (entry.check, entry.label, entry.created) == (check, "here", profile.created)


def test_a_report_comes_back_as_it_would_from_its_file(history: History) -> None:
    check = new_check()
    profile, report = day(1)
    history.add(check, profile, report)
    (found,) = history.reports(check)
    assert found.report == report
    assert (found.status, found.created) == (report.status, report.created)
    assert (found.label, found.as_of) == ("day=1", "2013-02-01")
    assert found.digest == profile_to_dict(profile)["digest"]


MOMENTS = (
    "2013-02-01",
    "2013-02-01T00:00:00+01:00",
    "2013-02-01T00:00:00.000001Z",
    "2013-01-31T23:30:00+00:00",
    "1969-12-31",
    "20130202T10",
)


def moment(words: str) -> datetime:
    found = datetime.fromisoformat(words)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Drawn:
    as_of: str
    created: str
    rows: int
    acknowledged: bool

    @property
    def profile(self) -> Profile:
        return Profile(columns={}, rows=self.rows, as_of=self.as_of, created=self.created)

    @property
    def moment(self) -> datetime:
        return moment(self.as_of or self.created)


DRAWN = st.lists(
    st.builds(
        Drawn,
        as_of=st.sampled_from(("", *MOMENTS)),
        created=st.sampled_from(MOMENTS),
        rows=st.integers(0, 10**12),
        acknowledged=st.booleans(),
    ),
    max_size=6,
    unique_by=lambda each: (each.as_of, each.rows),
)


@pytest.mark.slow
@SLOW
@given(
    drawn=DRAWN,
    last=st.none() | st.integers(1, 4),
    before=st.sampled_from(("", *MOMENTS)),
    acknowledged=st.booleans(),
)
def test_profiles_come_in_the_order_of_their_moments_and_only_those_asked_for(
    history: History, drawn: list[Drawn], last: int | None, before: str, acknowledged: bool
) -> None:
    check = new_check()
    for each in drawn:
        assert history.add(check, each.profile, report_of(each.profile))
        if each.acknowledged:
            digest = profile_to_dict(each.profile)["digest"]
            history.acknowledge(check, digest, note="snow", by="ann")

    expected = [
        each
        for each in sorted(drawn, key=lambda each: each.moment)  # stable: then as they were added
        if (not before or each.moment < moment(before)) and each.acknowledged <= acknowledged
    ][-(last or len(drawn)) :]
    found = history.profiles(check, last=last, before=before, acknowledged=acknowledged)
    assert [each.profile for each in found] == [each.profile for each in expected]
    assert [each.acknowledged for each in found] == [each.acknowledged for each in expected]

    everything = sorted(drawn, key=lambda each: each.moment)
    reports = history.reports(check, last=last)
    assert [each.report.current.rows for each in reports] == [
        each.rows for each in everything[-(last or len(drawn)) :]
    ]


@pytest.mark.slow
@SLOW
@given(pairs=st.lists(profiles(), min_size=1, max_size=4))
def test_profiles_can_be_had_by_their_bins(history: History, pairs: list[Profile]) -> None:
    check = new_check()
    for profile in pairs:
        history.add(check, profile, report_of(profile))
    everything = history.profiles(check)
    wanted = pairs[0].bins_digest
    found = history.profiles(check, bins_digest=wanted)
    assert found == tuple(each for each in everything if each.profile.bins_digest == wanted)
    assert found
    assert history.profiles(check, bins_digest="0" * 64) == ()


def test_a_check_without_a_record_has_nothing(database: Database) -> None:
    history = History.open(database.url)
    assert history.checks() == ()
    assert history.profiles("flights") == ()
    assert history.reports("flights") == ()
    assert history.kl_series("flights", "x") == ()


def test_checks_are_listed_once_and_kept_apart(database: Database) -> None:
    history = History.open(database.url)
    for check in ("trains", "flights", "Trains"):
        assert history.add(check, *day(1))
        assert history.add(check, *day(2))
    assert history.checks() == ("Trains", "flights", "trains")
    history.acknowledge("trains", "2013-02-01", note="strike", by="ann")
    assert len(history.profiles("flights")) == 2
    assert len(history.profiles("trains")) == 1


def test_what_comes_back_is_frozen(history: History) -> None:
    check = new_check()
    history.add(check, *day(1))
    (entry,) = history.profiles(check)
    with pytest.raises(FrozenInstanceError):
        entry.label = "other"  # type: ignore[misc] - the test


# The same check twice


def test_the_same_check_twice_adds_nothing_twice(database: Database) -> None:
    history = History.open(database.url)
    profile, report = day(1)
    assert history.add("flights", profile, report) is True
    before = database.counts()

    assert history.add("flights", profile, report) is False
    later = "2031-01-01T00:00:00+00:00"
    again = replace(profile, created=later, created_by="9.9")
    assert history.add("flights", again, kd.compare(again, REFERENCE)) is False
    assert History.open(database.url).add("flights", profile, report) is False

    assert database.counts() == before
    (entry,) = history.profiles("flights")
    assert entry.created == profile.created


def test_another_finding_on_the_same_profile_is_recorded_beside_the_first(
    database: Database,
) -> None:
    history = History.open(database.url)
    profile, report = day(1)
    lenient = kd.compare(profile, REFERENCE, policy=kd.Policy(warn=8, drift=9))
    assert report.status is Status.DRIFT
    assert lenient.status is Status.OK
    assert history.add("flights", profile, report)
    assert history.add("flights", profile, lenient)
    assert not history.add("flights", profile, report)
    assert [each.status for each in history.reports("flights")] == [Status.DRIFT, Status.OK]
    assert len(history.profiles("flights")) == 1


@pytest.mark.slow
def test_of_two_that_find_nothing_at_the_same_moment_one_makes_the_history(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, both, mine = below.Database._version, threading.Barrier(2), threading.local()

    def look_together(*arguments: Any) -> int:
        """Look again, before making tables, with the other one: only a lock keeps it away."""
        version = look(*arguments)
        if hasattr(mine, "looked"):
            with suppress(threading.BrokenBarrierError):
                both.wait(timeout=0.5)
        mine.looked = True
        return version

    monkeypatch.setattr(below.Database, "_version", look_together)
    with ThreadPoolExecutor(2) as pool:
        histories = list(pool.map(History.open, [database.url] * 2))
    assert [history.add("flights", *day(1)) for history in histories] == [True, False]
    assert database.counts()["kl_drift_schema"] == len(room._MIGRATIONS)


DAYS = 12
PROCESSES = 2
RECORD_ALL_DAYS = """
import runpy, sys
from kl_drift.history.record import History
url, golden, days = sys.argv[1:]
made = runpy.run_path(golden)
days = [made["profile"](n, (1, n, 3, 0, 0), (4, n, 0, 0, 0)) for n in range(1, int(days) + 1)]
print("ready", flush=True)
sys.stdin.readline()
history = History.open(url)
print(sum(history.add("flights", day, made["report"](day, 0.1, made["Status"].OK)) for day in days))
history.acknowledge("flights", "2013-02-01", note="snow", by="ann")
"""


@pytest.mark.slow
def test_processes_at_once_make_one_history_and_add_each_day_once(database: Database) -> None:
    arguments = (database.url, GOLDEN / "make_history.py", str(DAYS))
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", RECORD_ALL_DAYS, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    added = [int(process.communicate(timeout=60)[0]) for process in processes]

    assert [process.returncode for process in processes] == [0] * PROCESSES
    assert sum(added) == DAYS
    assert database.counts() == {
        "kl_drift_schema": len(room._MIGRATIONS),
        "kl_drift_references": 0,
        "kl_drift_profiles": DAYS,
        "kl_drift_reports": DAYS,
        "kl_drift_runs": DAYS,
        "kl_drift_acknowledgements": 1,
        "kl_drift_feedback": 0,
    }
    found = History.open(database.url).profiles("flights", acknowledged=True)
    assert [each.profile.as_of for each in found] == [f"2013-02-{n:02}" for n in range(1, DAYS + 1)]


# Runs


def test_a_run_says_in_short_what_its_report_says_and_where_it_ran(history: History) -> None:
    check = new_check()
    profile, report = day(1)
    place = {"dag_id": "flights", "map_index": -1}
    assert history.add(check, profile, report, place=place)
    assert not history.add(check, profile, report, place=place)
    assert history.add(check, profile, report, place=place | {"map_index": 0})
    first, _ = history.runs_of(check)
    assert (first.status, first.day, first.rows) == (report.status, "2013-02-01", profile.rows)
    assert (first.place, first.said) == (place, "")
    found = {each.name: (each.status, each.kl) for each in first.columns or ()}
    assert found == {each.name: (each.status, each.kl) for each in report}
    mine = [each for each in history.runs(last=1) if each.check == check]
    assert [(each.place, each.columns) for each in mine] == [(place | {"map_index": 0}, None)]


def test_a_check_that_could_not_run_is_a_run(history: History) -> None:
    check = new_check()
    history.add(check, *day(1))
    history.add_failure(check, "no such file", place={"dag_id": "flights"})
    judged, failed = history.runs_of(check)
    assert (judged.status, failed.status, failed.said) == ("drift", runs.ERROR, "no such file")
    assert (failed.rows, failed.columns, failed.profile) == (0, (), "")
    assert len(history.reports(check)) == 1, "it left no report"


def test_what_was_said_before_a_snapshot_leaves_out_itself_and_what_came_later(
    history: History,
) -> None:
    check = new_check()
    for number in (1, 2, 3):
        history.add(check, *day(number))
    assert [each.day for each in history.runs_before(check, day(2)[0], last=9)] == ["2013-02-01"]
    history.add(check, *day(2), place={"try_number": 2})
    assert [each.day for each in history.runs_before(check, day(3)[0], last=1)] == ["2013-02-02"]


# Charts


def test_a_series_has_one_point_for_each_judged_profile(history: History) -> None:
    check = new_check()
    found = {}
    for number, shift in ((2, 500), (1, 0)):
        profile, report = day(number, shift)
        history.add(check, profile, kd.compare(profile, REFERENCE, policy=kd.Policy(min_rows=9999)))
        history.add(check, profile, report)
        found[number] = report["x"]
    first, second = history.kl_series(check, "x")
    assert (first.label, first.as_of) == ("day=1", "2013-02-01")
    assert (first.kl, first.status) == (found[1].kl, found[1].status)
    assert (second.kl, second.status) == (found[2].kl, Status.DRIFT)


def test_a_column_that_could_not_be_compared_is_a_point_without_a_number(history: History) -> None:
    check = new_check()
    profile = kd.scan({"y": ["a"] * 2_000}, like=REFERENCE)
    history.add(check, profile, kd.compare(profile, REFERENCE))
    (point,) = history.kl_series(check, "x")
    assert (point.kl, point.status) == (None, Status.DRIFT)


def test_a_column_that_is_not_judged_is_answered_with_the_nearest(history: History) -> None:
    check = new_check()
    profile = kd.scan({"delay": [1.0] * 10}, like=(reference := kd.fit({"delay": [1.0, 2.0]})))
    history.add(check, profile, kd.compare(profile, reference))
    with pytest.raises(ColumnNotFoundError, match=r"'dely'\. Did you mean 'delay'\?"):
        history.kl_series(check, "dely")


# Acknowledgements


@pytest.mark.parametrize("name", ["label", "as_of", "digest", "prefix"])
def test_a_profile_is_acknowledged_by_any_of_its_names(history: History, name: str) -> None:
    check = new_check()
    for number in (1, 2):
        history.add(check, *day(number))
    digest = profile_to_dict(day(2)[0])["digest"]
    names = {"label": "day=2", "as_of": "2013-02-02", "digest": digest, "prefix": digest[:8]}

    found = history.acknowledge(check, names[name], note="snow", by="ann")

    assert (found.label, found.as_of, found.digest) == ("day=2", "2013-02-02", digest)
    assert (found.note, found.by) == ("snow", "ann")
    assert [each.label for each in history.profiles(check)] == ["day=1"]
    assert [each.label for each in history.profiles(check, acknowledged=True)] == ["day=1", "day=2"]
    assert len(history.reports(check)) == 2


def test_acknowledging_again_adds_nothing_and_another_note_is_kept_beside(
    history: History,
) -> None:
    check = new_check()
    history.add(check, *day(1))
    first = history.acknowledge(check, "day=1", note="snow", by="ann")
    assert history.acknowledge(check, "2013-02-01", note="snow", by="ann") == first
    assert history.acknowledgements(check) == (first,)
    second = history.acknowledge(check, "day=1", note="snow", by="bob")
    assert history.acknowledgements(check) == (first, second)


def test_a_name_that_several_profiles_go_by_is_refused_with_their_digests(
    history: History,
) -> None:
    check = new_check()
    for number in (1, 2):
        profile, _ = day(number)
        history.add(check, profile, report_of(profile, "latest"))
    with pytest.raises(
        UsageError, match="2 profiles are called 'latest'; give the digest"
    ) as caught:
        history.acknowledge(check, "latest", note="snow", by="ann")
    for number in (1, 2):
        digest = profile_to_dict(day(number)[0])["digest"]
        assert f"{digest[:12]} (2013-02-0{number})" in str(caught.value)
    assert history.acknowledgements(check) == ()


@pytest.mark.parametrize(
    ("which", "message"),
    [
        ("2013-02-10", r"no profile is called '2013-02-10'.* Did you mean '2013-02-01'\?"),
        ("dya=1", r"Did you mean 'day=1'\?"),
        ("", "no profile is called ''"),
        (profile_to_dict(day(1)[0])["digest"][:7], "at least 8 characters of a digest"),
    ],
)
def test_a_name_that_no_profile_goes_by_is_answered_with_the_nearest(
    history: History, which: str, message: str
) -> None:
    check = new_check()
    history.add(check, *day(1))
    with pytest.raises(UsageError, match=message):
        history.acknowledge(check, which, note="snow", by="ann")


def test_an_unknown_check_is_answered_with_the_nearest(database: Database) -> None:
    history = History.open(database.url)
    history.add("flights", *day(1))
    with pytest.raises(UsageError, match=r"no check 'flihgts'.*Did you mean 'flights'\?"):
        history.acknowledge("flihgts", "day=1", note="snow", by="ann")


# Arguments


def test_arguments_that_make_no_sense_are_refused(history: History) -> None:
    profile, report = day(1)
    with pytest.raises(UsageError, match="the check has no name"):
        history.add("", profile, report)
    with pytest.raises(UsageError, match="about 1,002 rows, the profile has 1,001"):
        history.add("flights", profile, day(2)[1])
    with pytest.raises(UsageError, match="as_of 'yesterday' is not a date or time; write it like"):
        history.add("flights", replace(profile, as_of="yesterday"), report)
    with pytest.raises(UsageError, match="before 'yesterday' is not a date or time"):
        history.profiles("flights", before="yesterday")
    with pytest.raises(UsageError, match="last: expected a positive number, got 0"):
        history.profiles("flights", last=0)
    for note, by in (("", "ann"), ("snow", "")):
        with pytest.raises(UsageError, match="needs a note"):
            history.acknowledge("flights", "day=1", note=note, by=by)


# Versions of the tables


def test_an_older_history_is_brought_up_to_date_and_keeps_what_it_holds(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    History.open(database.url).add("flights", *day(1))
    second = (
        "ALTER TABLE kl_drift_reports ADD COLUMN priority BIGINT",
        "CREATE TABLE kl_drift_limits (id {key}, body {bytes} NOT NULL)",
    )
    monkeypatch.setattr(room, "_MIGRATIONS", (*room._MIGRATIONS, second))

    for _ in range(2):  # the second time there is nothing to do
        history = History.open(database.url, create=False)
        assert [each.profile for each in history.profiles("flights")] == [day(1)[0]]
        assert history.add("flights", *day(1)) is False
        assert "kl_drift_limits" in database.tables()
        assert database.counts()["kl_drift_schema"] == len(room._MIGRATIONS)

    newest = len(room._MIGRATIONS)
    monkeypatch.undo()
    said = rf"version {newest}, .* up to {newest - 1}; run  pip install --up"
    with pytest.raises(HistoryTooNewError, match=said):
        History.open(database.url)


def test_a_migration_that_fails_leaves_everything_as_it_was(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    History.open(database.url).add("flights", *day(1))
    before = database.counts()
    second = ("CREATE TABLE kl_drift_limits (id {key})", "ALTER TABLE no_such_table ADD COLUMN a")
    monkeypatch.setattr(room, "_MIGRATIONS", (*room._MIGRATIONS, second))
    with pytest.raises(HistoryError, match="no_such_table"):
        History.open(database.url)
    monkeypatch.undo()
    assert database.counts() == before
    assert len(History.open(database.url).profiles("flights")) == 1


def test_a_new_history_that_cannot_be_made_whole_is_not_begun(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_MIGRATIONS", ((*room._MIGRATIONS[0], "CREATE nonsense"),))
    with pytest.raises(HistoryError, match="nonsense"):
        History.open(database.url)
    assert database.tables() == set()


def test_a_profile_of_a_later_format_is_refused(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = History.open(database.url)
    history.add("flights", *day(1))
    monkeypatch.setattr(room, "VERSIONS", {"profile": 0, "report": 0})
    with pytest.raises(HistoryTooNewError, match=r"a profile of format 2, .* reads up to 0; run  "):
        history.profiles("flights")
    with pytest.raises(HistoryTooNewError, match="a report of format 2"):
        history.reports("flights")


@pytest.fixture(params=["history-1.sqlite", "history-2.sqlite"])
def golden(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    return Path(shutil.copy(GOLDEN / request.param, tmp_path))


def test_the_golden_history_can_be_read(golden: Path) -> None:
    history = History.open(golden, create=False)
    assert history.checks() == ("flights",)
    found = history.profiles("flights", acknowledged=True)
    for entry, (profile, _) in zip(found, MAKE_GOLDEN["DAYS"], strict=True):
        assert_profiles_equal(entry.profile, profile)
    assert [each.acknowledged for each in found] == [False, True]
    assert [each.status for each in history.reports("flights")] == [Status.OK, Status.DRIFT]
    assert [point.kl for point in history.kl_series("flights", "delay")] == [0.004, 0.08]
    (known,) = history.acknowledgements("flights")
    assert (known.as_of, known.note, known.by) == ("2013-02-02", "snow", "ann")


def test_the_golden_feedback_can_be_read() -> None:
    history = History.open(GOLDEN / "history-2.sqlite", create=False)
    said = [(each.verb, each.as_of, each.column) for each in history.feedback("flights")]
    assert said == [
        ("incident", "2013-02-02", ""),
        ("normal", "2013-02-01", ""),
        ("missed", "2013-02-02", "carrier"),
        ("quiet", "", "delay"),
    ]
    assert history.quieted("flights", on="2013-02-20") == {"delay": "2013-03-01"}


def test_what_the_golden_history_holds_is_not_added_again(golden: Path) -> None:
    history = History.open(golden)
    for profile, report in MAKE_GOLDEN["DAYS"]:
        history.add("flights", profile, report)  # the report once more, in its newer format
        assert history.add("flights", profile, report) is False
    assert len(history.profiles("flights", acknowledged=True)) == 2
    assert len(history.acknowledgements("flights")) == 1
    history.acknowledge("flights", "2013-02-02", note="snow", by="ann")
    assert len(history.acknowledgements("flights")) == 1


def test_there_is_a_golden_history_of_every_version() -> None:
    found = {each.name for each in GOLDEN.glob("history-*.sqlite")}
    assert found == {f"history-{n}.sqlite" for n in range(1, len(room._MIGRATIONS) + 1)}


# What goes wrong


def test_a_history_that_is_not_there_is_not_made_by_looking(database: Database) -> None:
    with pytest.raises(HistoryError, match=r"no history at .*; run a check that records there"):
        History.open(database.url, create=False)
    if "://" not in database.url:
        assert not Path(database.url).exists()
    assert database.tables() == set()


def test_a_history_that_is_down_is_an_error_with_its_name_and_what_to_do(
    database: Database,
) -> None:
    with pytest.raises(
        HistoryError, match=r"; (name another one|check that the server is up)"
    ) as e:
        History.open(database.down)
    assert database.down.partition("?")[0].replace(SECRET, "***").removeprefix("postgresql") in str(
        e.value
    )
    assert isinstance(e.value, OSError)


def test_a_history_that_is_read_only_is_read_and_not_added_to(database: Database) -> None:
    History.open(database.url).add("flights", *day(1))
    history = History.open(database.read_only)
    assert len(history.profiles("flights")) == 1
    with pytest.raises(HistoryError, match=r"cannot be written: .*read-?only.*; check that"):
        history.add("flights", *day(2))
    with pytest.raises(HistoryError, match="cannot be written"):
        history.acknowledge("flights", "day=1", note="snow", by="ann")
    assert len(history.profiles("flights")) == 1


def test_an_addition_that_fails_halfway_leaves_nothing(database: Database) -> None:
    history = History.open(database.url)
    database.run("DROP TABLE kl_drift_reports")
    with pytest.raises(HistoryError, match="kl_drift_reports"):
        history.add("flights", *day(1))
    assert database.counts()["kl_drift_profiles"] == 0


def test_a_history_that_is_locked_is_waited_for_and_then_given_up(database: Database) -> None:
    history = History.open(database.url, timeout=0.2)
    with database.raw() as other:
        other.execute(text(database.seize))
        begun = time.monotonic()
        with pytest.raises(HistoryError, match=r"cannot be written: .*(locked|timeout)"):
            history.add("flights", *day(1))
        assert 0.1 < time.monotonic() - begun < 4.5
        other.execute(text("ROLLBACK"))
    assert database.counts()["kl_drift_profiles"] == 0
    assert history.add("flights", *day(1)) is True


def test_a_damaged_body_is_named(database: Database) -> None:
    history = History.open(database.url)
    history.add("flights", *day(1))
    database.run(
        "UPDATE kl_drift_profiles SET body = 'cut'", "UPDATE kl_drift_reports SET body = 'c'"
    )
    digest = profile_to_dict(day(1)[0])["digest"]
    with pytest.raises(HistoryError, match=f"profile {digest[:12]} is damaged .*; restore"):
        history.profiles("flights")
    with pytest.raises(HistoryError, match=r"report .* is damaged"):
        history.reports("flights")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no database at all, and long enough not to be taken for an empty one" * 20)
    with pytest.raises(HistoryError, match=f"history {path}: cannot be read: .*not a database"):
        History.open(path)


@pytest.mark.slow
def test_a_server_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        begun = time.monotonic()
        with pytest.raises(HistoryError, match="timeout"):
            History.open(f"postgresql://kl:{SECRET}@127.0.0.1:{port}/x", timeout=2)
        assert time.monotonic() - begun < 10


# Locations


def test_a_folder_is_made_for_a_file(tmp_path: Path) -> None:
    for name in ("a/b/history.sqlite", Path("c/d/history.sqlite")):
        History.open(tmp_path / name)
        assert (tmp_path / name).exists()
    History.open(f"sqlite:///{tmp_path}/e/history.sqlite")
    assert (tmp_path / "e" / "history.sqlite").exists()


@pytest.mark.parametrize("location", ["sqlite://", "sqlite:///:memory:"])
def test_a_history_may_be_in_memory(location: str) -> None:
    history = History.open(location)
    assert history.add("flights", *day(1))
    assert not history.add("flights", *day(1))
    assert len(history.profiles("flights")) == 1
    history.close()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_urls_of_other_tools_are_taken(server: URL, scheme: str) -> None:
    url = written(server).replace("postgresql", scheme, 1)
    with pytest.raises(HistoryError, match="no history at"):
        History.open(url, create=False)


@pytest.mark.parametrize(
    "location", ["", "mysql://kl:s3cr3t@host/db", "sqlite+aiosqlite:///x", "postgresql://h:port/db"]
)
def test_other_locations_are_refused(location: str) -> None:
    with pytest.raises(UsageError, match=r"postgresql://") as caught:
        History.open(location)
    assert SECRET not in str(caught.value)


def test_a_driver_that_is_missing_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(
        MissingExtraError, match=r"PostgreSQL .* pip install 'kl-drift\[postgres\]'"
    ):
        History.open("postgresql://kl@127.0.0.1:1/x")


# Secrets


def shown(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + str(error) + repr(error)


@settings(max_examples=60, deadline=None)
@given(odd=st.text(alphabet="@/:?#%&=[] a", max_size=4))
@pytest.mark.parametrize("where", ["password", "query"])
def test_no_password_is_ever_shown_however_it_is_written(where: str, odd: str) -> None:
    secret = f"{SECRET}{odd}{SECRET}"
    if where == "password":
        url = f"postgresql://kl:{secret}@127.0.0.1:1/db"
    else:
        url = f"postgresql://kl@127.0.0.1:1/db?password={secret}"
    with pytest.raises((HistoryError, UsageError)) as caught:
        History.open(url)
    assert SECRET not in shown(caught.value)


def test_a_password_that_the_server_refuses_is_shown_nowhere(
    server: URL, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    History.open(written(server.set(database="postgres")))
    with pytest.raises(
        HistoryError, match='password authentication failed for user "kl"'
    ) as caught:
        History.open(written(server.set(password=f"{SECRET}-wrong")))
    assert SECRET not in shown(caught.value) + caplog.text


def test_an_open_history_is_shown_without_its_password(database: Database) -> None:
    history = History.open(database.url)
    assert SECRET not in repr(history) + str(history) + history.where
    name = database.url.partition("?")[0].rpartition("/")[2]
    assert repr(history).startswith("History('")
    assert name in repr(history)


def test_importing_the_room_does_not_import_sqlalchemy() -> None:
    code = "import sys, kl_drift.history.record; sys.exit('sqlalchemy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_nothing_is_ever_changed_or_deleted() -> None:
    rooms = (room, runs, feedback, below)
    statements = [v for each in rooms for v in vars(each).values() if isinstance(v, str)]
    statements += [statement for migration in room._MIGRATIONS for statement in migration]
    assert sum("INSERT" in statement for statement in statements) == 8
    for statement in statements:
        assert not {"UPDATE", "DELETE", "DROP", "TRUNCATE", "REPLACE"} & set(statement.split())
