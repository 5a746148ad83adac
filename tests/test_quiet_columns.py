"""Columns that are quiet: no alert until a day, and the verdict as ever."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import kl_drift as kd
from kl_drift.artefact import load_report, save
from kl_drift.judging.policy import Status
from kl_drift.plan.plan import Plan
from kl_drift.render import words

REFERENCE = kd.fit({"x": [row % 40 for row in range(4_000)], "y": ["a", "b"] * 2_000})
MOVED = kd.scan({"x": [row % 30 for row in range(4_000)], "y": ["a", "b"] * 2_000}, like=REFERENCE)
REPORT = kd.compare(MOVED, REFERENCE)


@pytest.mark.parametrize(
    ("quiet", "heard"),
    [
        ({}, Status.DRIFT),
        ({"y": "2013-03-01"}, Status.DRIFT),
        ({"x": "2013-03-01"}, Status.OK),
        ({"": "2013-03-01"}, Status.OK),
        ({"x": "2013-03-01", "y": "2013-03-01"}, Status.OK),
    ],
)
def test_what_is_heard_is_the_worst_of_what_is_not_quiet(
    quiet: dict[str, str], heard: Status
) -> None:
    report = replace(REPORT, quiet=quiet)
    assert (report.heard, report.status) == (heard, Status.DRIFT)


def test_a_report_of_no_column_is_undecided_and_heard() -> None:
    assert replace(REPORT, columns=()).heard is Status.UNDECIDED


def test_what_is_quiet_is_said_and_kept(tmp_path: Path) -> None:
    report = replace(REPORT, quiet={"x": "2013-03-01"})
    save(report, tmp_path / "x.json")
    assert load_report(tmp_path / "x.json").quiet == {"x": "2013-03-01"}
    told = dict(words.sides(report))
    assert told["quiet"] == "no alert about x until 2013-03-01; the verdict stands"
    assert "quiet" not in dict(words.sides(REPORT))


def test_a_check_reads_what_is_quiet_and_keeps_its_verdict(tmp_path: Path) -> None:
    save(REFERENCE, tmp_path / "reference.json")
    plan = Plan.from_dict(
        {
            "reference": str(tmp_path / "reference.json"),
            "history": str(tmp_path / "history.sqlite"),
            "name": "flights",
        }
    )
    first = kd.check(plan, current=MOVED, as_of="2013-02-01")
    assert (first.status, first.heard) == (Status.DRIFT, Status.DRIFT)
    history = kd.History.open(plan.history)
    history.quiet("flights", until="2013-02-10", column="x", note="known", by="ann")
    quiet = kd.check(plan, current=MOVED, as_of="2013-02-09")
    assert (quiet.status, quiet.heard) == (Status.DRIFT, Status.OK)
    heard = kd.check(plan, current=MOVED, as_of="2013-02-10")
    assert (heard.status, heard.heard) == (Status.DRIFT, Status.DRIFT)
