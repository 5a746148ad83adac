"""Checks that know their past: learned limits, the history, acknowledged incidents."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import kl_drift as kd
from kl_drift.artefact import load_limits, profile_to_dict
from kl_drift.errors import BinsMismatchError, UsageError
from kl_drift.history.record import History
from kl_drift.judging.limits import MIN_SNAPSHOTS

pytestmark = pytest.mark.slow  # a month of days by command line

FLIGHTS = Path(__file__).parent.parent / "examples" / "flights"
ROWS = 4_000


def day(number: int, shift: float = 0.0) -> pa.Table:
    """Return a day whose mean strays a little, as days do."""
    generator = np.random.default_rng(number)
    mean = generator.normal(0, 0.15) + shift
    return pa.table({"x": generator.normal(mean, 1, ROWS), "y": generator.normal(0, 1, ROWS)})


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    pq.write_table(
        pa.concat_tables(day(n) for n in range(100, 130)), tmp_path / "reference.parquet"
    )
    path = tmp_path / "days.yaml"
    path.write_text("version: 1\nreference: reference.parquet\nhistory: days.sqlite\n")
    return path


def check(plan: Path, number: int, shift: float = 0.0) -> kd.Report:
    path = plan.parent / f"day-{number:02d}.parquet"
    pq.write_table(day(number, shift), path)
    return kd.check(plan, current=path)


def test_limits_are_learned_once_the_history_is_long_enough(plan: Path) -> None:
    for number in range(MIN_SNAPSHOTS):
        assert check(plan, number)["x"].history_limit is None
    report = check(plan, MIN_SNAPSHOTS)
    limit = report["x"].history_limit
    assert limit is not None
    assert 0.02 < limit < 1
    assert report.status is kd.Status.OK


def test_the_same_check_twice_adds_nothing_twice(plan: Path) -> None:
    for _ in range(2):
        check(plan, 1)
    record = History.open(plan.parent / "days.sqlite", create=False)
    assert record.checks() == ("days",)
    assert len(record.profiles("days")) == len(record.reports("days")) == 1


def test_an_incident_is_drift_and_teaches_nothing_acknowledged_or_not(plan: Path) -> None:
    for number in range(MIN_SNAPSHOTS + 1):
        check(plan, number)
    before = check(plan, 50)["x"].history_limit
    incident = check(plan, 60, shift=1.5)
    assert incident["x"].status is kd.Status.DRIFT
    assert incident["x"].verdict.which == "learned"
    assert "the most its past snapshots reach" in kd.reason(incident["x"])
    unacknowledged = check(plan, 51)["x"].history_limit
    record = History.open(plan.parent / "days.sqlite", create=False)
    (wrong,) = [e.digest for e in record.profiles("days") if e.label.endswith("day-60.parquet")]
    record.acknowledge("days", wrong[:12], note="a sensor was moved", by="the test")
    after = check(plan, 52)["x"].history_limit
    assert before is not None
    assert unacknowledged is not None
    assert after is not None
    assert 0.8 * before < unacknowledged < 1.2 * before
    assert 0.8 * before < after < 1.2 * before


def test_limits_over_other_bins_or_smoothing_are_refused() -> None:
    past = [day(number) for number in range(MIN_SNAPSHOTS)]
    reference = kd.fit(pa.concat_tables(past))
    profiles = [kd.scan(each, like=reference) for each in past]
    learned = kd.learn(profiles, reference)
    assert kd.compare(profiles[0], reference, learned=learned)["x"].history_limit is not None
    with pytest.raises(BinsMismatchError, match="calibrate again with this reference"):
        kd.compare(day(1), kd.fit(day(2)), learned=learned)
    with pytest.raises(UsageError, match="learned with smoothing jeffreys, not laplace"):
        kd.compare(profiles[0], reference, learned=learned, smoothing="laplace")


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kl_drift", *arguments],
        capture_output=True, check=False, cwd=cwd, encoding="utf-8",
    )  # fmt: skip


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """January's flights day by day, a few days after it, and a plan for them."""
    folder = tmp_path_factory.mktemp("days")
    wanted = {"01": range(1, 32), "02": (5, 6, 8, 9, 20), "03": (8,)}
    for month, numbers in wanted.items():
        table = pq.read_table(FLIGHTS / f"month=2013-{month}" / "part-0.parquet", partitioning=None)
        for number in numbers:
            rows = table.filter(pc.equal(table["day"], number))
            pq.write_table(rows, folder / f"2013-{month}-{number:02d}.parquet")
    (folder / "daily.yaml").write_text(
        f"version: 1\nreference: {FLIGHTS}/month=2013-01\n"
        "columns: {exclude: [day, tailnum]}\ncalibration: {limits: limits.json}\n"
    )
    return folder


def test_calibrated_on_january_the_storms_are_named_and_ordinary_days_are_quiet(days: Path) -> None:
    january = sorted(path.name for path in days.glob("2013-01-*.parquet"))
    done = run("calibrate", "daily.yaml", *january, "-o", "limits.json", cwd=days)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Limits from 31 snapshots: 1 false alarms in 420 checks")
    assert "dep_delay: limit 0." in done.stdout
    assert load_limits(days / "limits.json").limit("dep_delay", 900) == pytest.approx(0.42, abs=0.1)
    statuses = {
        name: json.loads(
            run(
                "check", "daily.yaml", "--current", f"2013-{name}.parquet", "-f", "json", cwd=days
            ).stdout
        )
        for name in ("02-05", "02-06", "02-20", "02-08", "02-09", "03-08")
    }
    for ordinary in ("02-05", "02-06", "02-20"):
        assert statuses[ordinary]["status"] == "ok"
    for storm in ("02-08", "02-09", "03-08"):
        drifted = {c["name"] for c in statuses[storm]["columns"] if c["status"] == "drift"}
        assert {"dep_time", "dep_delay", "arr_delay"} <= drifted


def test_too_few_snapshots_teach_nothing(days: Path) -> None:
    done = run("calibrate", "daily.yaml", "2013-01-01.parquet", "-o", "few.json", cwd=days)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        "kl-drift: 1 snapshots are too few to learn limits from; give at least 14\n"
    )
    assert not (days / "few.json").exists()


def test_the_history_is_listed_and_acknowledged_on_the_command_line(plan: Path) -> None:
    check(plan, 1)
    assert run("history", "days.sqlite", cwd=plan.parent).stdout == "days\n"
    listed = run("history", "days.sqlite", "--check", "days", cwd=plan.parent).stdout
    digest = profile_to_dict(
        kd.scan(plan.parent / "day-01.parquet", like=kd.fit(plan.parent / "reference.parquet"))
    )["digest"]
    assert listed.startswith(digest[:12])
    done = run(
        "acknowledge", "days.sqlite", "days", digest[:12], "--note", "storm", "--by", "me",
        cwd=plan.parent,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, f"acknowledged {digest[:12]}: storm\n")
    missing = run("history", "nowhere.sqlite", cwd=plan.parent)
    assert missing.returncode == 3
    assert not (plan.parent / "nowhere.sqlite").exists()
