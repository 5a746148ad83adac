"""The reference of a scheduled check: chosen from the history, exactly, and the same each time."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import kl_drift as kd
from kl_drift.artefact import load_limits, save
from kl_drift.counts.profile import Profile, merge
from kl_drift.errors import PlanError, UsageError
from kl_drift.history.choices import ReferenceChoice, choose_reference
from kl_drift.history.record import History
from kl_drift.judging.limits import MIN_SNAPSHOTS
from kl_drift.judging.unlearned import Unlearned, WhyNot

START = date(2013, 2, 1)  # a Friday
ROWS = 8_000


def empty(day: str) -> Profile:
    return Profile(columns={}, rows=0, sources=(f"flights/{day}",), as_of=day)


def days(count: int, start: date = START) -> list[Profile]:
    return [empty(str(start + timedelta(days=n))) for n in range(count)]


def chosen(choice: str, as_of: str, earlier: list[Profile]) -> list[str]:
    return [each.as_of for each in ReferenceChoice.parse(choice).parts(as_of, earlier)]


# The choice


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("previous", "previous"),
        ("window:7", "window:7"),
        ({"window": 7}, "window:7"),
        ({"same_weekday": 4}, "same_weekday:4"),
        ("same_month_last_year", "same_month_last_year"),
        (ReferenceChoice(kind="window", count=2), "window:2"),
    ],
)
def test_a_choice_is_read_and_written(value: object, text: str) -> None:
    choice = ReferenceChoice.parse(value)
    assert str(choice) == text
    assert ReferenceChoice.parse(text) == choice


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("prevoius", "got 'prevoius'. Did you mean 'previous'?"),
        ("window", "window needs a number of snapshots; write window:7"),
        ("window:x", "got 'window:x'"),
        ("window:0", "expected a count of 1 or more, got 0"),
        ({"window": True}, "expected a count of 1 or more, got True"),
        ({"window": 1, "previous": 1}, "expected previous, window:7, same_weekday:4 or"),
        ("previous:3", "previous takes no count; write previous"),
    ],
)
def test_what_is_no_choice_is_refused(value: object, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        ReferenceChoice.parse(value)
    assert said in str(caught.value)


def test_what_is_chosen() -> None:
    earlier = days(20)  # the 1st to the 20th of February
    assert chosen("previous", "2013-02-21", earlier) == ["2013-02-20"]
    assert chosen("window:3", "2013-02-21", earlier) == ["2013-02-18", "2013-02-19", "2013-02-20"]
    assert chosen("same_weekday:2", "2013-02-22T06:00:00+00:00", earlier) == [
        "2013-02-08",
        "2013-02-15",
    ]
    assert chosen("same_month_last_year", "2014-02-03", earlier) == [x.as_of for x in earlier]
    assert chosen("same_month_last_year", "2014-03-01", earlier) == []
    assert chosen("same_month_last_year", "2015-02-01", earlier) == []
    assert chosen("same_weekday:2", "2013-02-22", [replace(x, as_of="") for x in earlier]) == []


def test_where_the_day_counts_it_must_be_stated() -> None:
    for choice in ("same_weekday:2", "same_month_last_year"):
        with pytest.raises(UsageError, match=r"needs the day .* state it as  as_of"):
            chosen(choice, "", days(3))


def test_too_few_snapshots_choose_the_fixed_one_and_say_so() -> None:
    fixed = Profile(columns={}, rows=0, sources=("January",))
    now = empty("2013-02-08")
    said = {
        ("previous", 0): "January (no earlier snapshot in the history yet)",
        ("window:7", 0): "January (no earlier snapshot in the history yet)",
        ("window:9", 7): "January (7 of 9 earlier snapshots in the history yet)",
        ("same_weekday:4", 7): "January (1 of 4 earlier Fridays in the history yet)",
        ("same_weekday:4", 0): "January (no earlier Friday in the history yet)",
        ("same_month_last_year", 7): "January (no snapshot of 2012-02 in the history yet)",
    }
    for (choice, count), source in said.items():
        found = choose_reference(ReferenceChoice.parse(choice), fixed, now, days(count))
        assert (found.profile, found.source, found.choice) == (fixed, source, "")


def test_a_chosen_reference_says_what_it_is() -> None:
    fixed = Profile(columns={}, rows=0)
    said = {
        "previous": ("the previous snapshot, 2013-02-21", 1),
        "window:7": ("the last 7 snapshots, 2013-02-15 to 2013-02-21", 7),
        "window:1": ("the last snapshot, 2013-02-21", 1),
        "same_weekday:2": ("the last 2 Fridays, 2013-02-08 to 2013-02-15", 2),
    }
    for choice, (source, count) in said.items():
        parsed = ReferenceChoice.parse(choice)
        found = choose_reference(parsed, fixed, empty("2013-02-22"), days(21))
        assert (found.source, found.choice, found.snapshots) == (source, choice, count)
    last_year = ReferenceChoice.parse("same_month_last_year")
    found = choose_reference(last_year, fixed, empty("2014-02-01"), days(28))
    assert found.source == "2013-02, 28 snapshots, 2013-02-01 to 2013-02-28"


def test_a_replayed_choice_is_what_it_was_then() -> None:
    profiles = days(5)
    choice = ReferenceChoice.parse("window:2")
    replayed = choice.replayed(profiles, without={1})
    assert replayed == (None, None, None, merge([profiles[0], profiles[2]]), merge(profiles[2:4]))
    assert choice.replayed(profiles, since=3) == (merge(profiles[1:3]), merge(profiles[2:4]))
    undated = [replace(each, as_of="") for each in profiles]
    assert ReferenceChoice.parse("same_weekday:1").replayed(undated) == (None,) * 5


# In a check


def table(number: int, shift: float = 0.0) -> pa.Table:
    generator = np.random.default_rng(number)
    return pa.table({"x": generator.normal(shift, 1, ROWS), "y": generator.normal(0, 1, ROWS)})


@pytest.fixture
def plan(tmp_path: Path):
    pq.write_table(pa.concat_tables(table(n) for n in range(100, 110)), tmp_path / "jan.parquet")

    def of(choose: object, **keys: object) -> kd.Plan:
        reference = {"path": tmp_path / "jan.parquet", "label": "January", "choose": choose}
        mapping = {"reference": reference, "history": tmp_path / "h.sqlite", "name": "days"}
        return kd.Plan.from_dict(mapping | keys)

    return of


def check(plan: kd.Plan, number: int, shift: float = 0.0) -> kd.Report:
    day = str(START + timedelta(days=number))
    return kd.check(plan, current=table(number, shift), as_of=day)


def counted(plan: kd.Plan, number: int, shift: float = 0.0) -> Profile:
    return kd.scan(table(number, shift), like=kd.fit(plan.reference))


def test_the_previous_snapshot_is_the_reference(plan) -> None:
    plan = plan("previous")
    first = check(plan, 0, shift=1)
    assert first.reference.source == "January (no earlier snapshot in the history yet)"
    assert (first.reference.choice, first.reference.snapshots) == ("", 1)
    assert first["x"].status is kd.Status.DRIFT
    second = check(plan, 1, shift=1)
    assert second.reference.source == "the previous snapshot, 2013-02-01"
    assert (second.reference.choice, second.reference.rows) == ("previous", ROWS)
    assert second.status is kd.Status.OK
    expected = kd.compare(counted(plan, 1, 1), counted(plan, 0, 1))
    assert second["x"].kl == expected["x"].kl


def test_a_window_is_merged_exactly_and_no_file_is_read_again(plan, tmp_path: Path) -> None:
    plan = plan({"window": 3})
    save(kd.fit(plan.reference), tmp_path / "fixed.json")
    plan = replace(plan, reference=kd.Snapshot(path=str(tmp_path / "fixed.json")))
    for number in range(4):
        check(plan, number)
    (tmp_path / "jan.parquet").unlink()
    report = check(plan, 4)
    assert report.reference.source == "the last 3 snapshots, 2013-02-02 to 2013-02-04"
    assert (report.reference.snapshots, report.reference.rows) == (3, 3 * ROWS)
    fixed = kd.load_profile(tmp_path / "fixed.json")
    past = kd.merge(kd.scan(table(n), like=fixed) for n in (1, 2, 3))
    assert report["x"].kl == kd.compare(kd.scan(table(4), like=fixed), past)["x"].kl


def test_the_same_check_twice_has_the_same_reference_whatever_came_since(plan) -> None:
    plan = plan("previous")
    for number in range(3):
        check(plan, number)
    before = check(plan, 2)
    check(plan, 3)
    check(plan, 4)
    again = check(plan, 2)
    assert again.reference == before.reference
    assert again["x"] == before["x"]
    record = History.open(plan.history)
    assert len(record.reports("days")) == len(record.profiles("days")) == 5


def test_without_dates_the_order_of_the_record_counts(plan) -> None:
    plan = plan("previous")
    kls = [kd.check(plan, current=table(number))["x"].kl for number in range(4)]
    assert [kd.check(plan, current=table(number))["x"].kl for number in range(4)] == kls
    expected = kd.compare(counted(plan, 1), counted(plan, 0))
    assert kls[1] == expected["x"].kl


def test_a_late_snapshot_is_compared_with_what_was_before_it(plan) -> None:
    plan = plan("previous")
    for number in (0, 5, 3):
        report = check(plan, number)
    assert report.reference.source == "the previous snapshot, 2013-02-01"


def test_an_acknowledged_incident_is_no_reference(plan) -> None:
    plan = plan("previous")
    check(plan, 0)
    assert check(plan, 1, shift=2).status is kd.Status.DRIFT
    assert check(plan, 2).status is kd.Status.DRIFT
    record = History.open(plan.history)
    record.acknowledge("days", "2013-02-02", note="a sensor moved", by="the test")
    report = check(plan, 2)
    assert report.reference.source == "the previous snapshot, 2013-02-01"
    assert report.status is kd.Status.OK


def test_of_a_snapshot_and_its_correction_the_correction_counts(plan) -> None:
    plan = plan({"window": 2})
    check(plan, 0)
    check(plan, 1, shift=2)
    check(plan, 1)
    report = check(plan, 2)
    assert (report.reference.snapshots, report.reference.rows) == (2, 2 * ROWS)
    assert report.status is kd.Status.OK


@pytest.mark.slow
def test_the_same_weekday_is_the_reference(plan) -> None:
    plan = plan({"same_weekday": 2})
    weekend = {5, 6}
    for number in range(21):
        weekday = (START + timedelta(days=number)).weekday()
        report = check(plan, number, shift=1.0 * (weekday in weekend))
        if number >= 14:
            assert report.status is kd.Status.OK
            assert report.reference.snapshots == 2
        elif weekday in weekend:
            assert report.status is kd.Status.DRIFT


def test_levels_that_the_bins_never_held_are_counted_as_they_came(plan, tmp_path: Path) -> None:
    """The month has thousands of levels seen once; a day shows some of them, and new ones."""
    generator = np.random.default_rng(5)

    def rows(count: int) -> pa.Table:
        return pa.table({"c": [str(each) for each in generator.zipf(1.5, count)]})

    pq.write_table(rows(60_000), tmp_path / "jan.parquet")
    plan = plan("previous", columns={"include": ["c"]})
    reports = [kd.check(plan, current=rows(8_000)) for _ in range(5)]
    assert [report.status for report in reports] == [kd.Status.OK] * 5
    assert max(report["c"].kl for report in reports[1:]) < 0.05


@pytest.mark.slow
def test_limits_are_learned_from_what_snapshots_did_to_their_own_reference(plan) -> None:
    """A slow walk: far from January, close to the day before."""
    plan = plan("previous")
    for number in range(MIN_SNAPSHOTS + 2):
        last = check(plan, number, shift=0.05 * number)
    limit = last["x"].history_limit
    profiles = [
        replace(counted(plan, n, 0.05 * n), as_of=str(START + timedelta(days=n)))
        for n in range(MIN_SNAPSHOTS + 1)
    ]
    learned = kd.learn(
        profiles,
        kd.fit(plan.reference),
        against=[None, *profiles[:-1]],
        budget=plan.calibration.budget(2),
        confirm=plan.confirmation,
    )
    assert limit == pytest.approx(learned.limit("x", ROWS))
    assert learned.left_out == {"2013-02-01": Unlearned(kind=WhyNot.NOTHING_BEFORE)}
    assert last.status is kd.Status.OK
    fixed = kd.learn(profiles, kd.fit(plan.reference), budget=plan.calibration.budget(2))
    assert limit < fixed.limit("x", ROWS) / 5


@pytest.mark.slow
def test_until_the_choice_finds_enough_limits_are_those_of_the_fixed_reference(plan) -> None:
    plan = plan("same_month_last_year")
    for number in range(MIN_SNAPSHOTS + 1):
        last = check(plan, number)
    assert last.reference.choice == ""
    profiles = [counted(plan, n) for n in range(MIN_SNAPSHOTS)]
    learned = kd.learn(
        profiles,
        kd.fit(plan.reference),
        budget=plan.calibration.budget(2),
        confirm=plan.confirmation,
    )
    assert last["x"].history_limit == pytest.approx(learned.limit("x", ROWS))


def test_limits_of_a_file_hold_for_the_choice_they_were_learned_with(plan, tmp_path: Path) -> None:
    limits = {"calibration": {"limits": tmp_path / "limits.json"}}
    choosing, fixed = plan("previous", **limits), plan("same_month_last_year", **limits)
    past = [counted(choosing, number) for number in range(MIN_SNAPSHOTS + 2)]
    learned, said = kd.calibrate(choosing, past, leave_out=[past[3].sources[0]] * 0)
    save(learned, tmp_path / "limits.json")
    assert load_limits(tmp_path / "limits.json") == learned
    assert learned.choice == "previous"
    assert len(learned.snapshots) == len(past) - 1
    assert {each.column for each in said} == {"x", "y"}
    assert check(choosing, 0)["x"].history_limit is None  # compared with January, as yet
    assert check(choosing, 1)["x"].history_limit == learned.limit("x", ROWS)
    with pytest.raises(UsageError, match="learned with the reference previous, not with the"):
        check(fixed, 2)
    with pytest.raises(UsageError, match="not with a fixed reference; calibrate again"):
        check(replace(choosing, choice=None), 2)


def test_who_is_left_out_of_a_calibration_is_no_reference_in_it(plan) -> None:
    plan = plan("previous")
    past = [
        replace(counted(plan, n, 3.0 * (n == 4)), as_of=str(START + timedelta(days=n)))
        for n in range(MIN_SNAPSHOTS + 3)
    ]
    learned, _ = kd.calibrate(plan, past, leave_out=["2013-02-05"])
    assert learned.left_out["2013-02-05"] == Unlearned(kind=WhyNot.ON_REQUEST)
    assert learned.limit("x", ROWS) < 0.1
    every, _ = kd.calibrate(plan, past)
    assert set(every.odd) == {"2013-02-05", "2013-02-06"}  # the incident, and compared with it
    assert every.limit("x", ROWS) == pytest.approx(learned.limit("x", ROWS), rel=0.2)


# In a plan


def mistakes(tmp_path: Path, text: str) -> list[str]:
    (tmp_path / "p.yaml").write_text("version: 1\n" + text)
    with pytest.raises(PlanError) as caught:
        kd.load_plan(tmp_path / "p.yaml")
    return str(caught.value).replace(f"{tmp_path}/", "").splitlines()


@pytest.mark.parametrize(
    ("choose", "said"),
    [
        ("prevoius", "expected one of previous, same_month_last_year or a mapping, got "
         "'prevoius'. Did you mean 'previous'?"),
        ("{window: 0}", "window: expected a whole number of at least 1, got 0"),
        ("{windw: 7}", "unknown key; known: window, same_weekday, closest. Did you mean 'window'?"),
        ("{}", "choose: expected one key of window, same_weekday, closest, got 0"),
        ("{window: 7, same_weekday: 1}", "one key of window, same_weekday, closest, got 2"),
        ("{same_weekday: four}", "same_weekday: expected a whole number of at least 1, got 'four'"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_choice_is_answered(tmp_path: Path, choose: str, said: str) -> None:
    text = f"reference:\n  path: a\n  choose: {choose}\nhistory: h.db\n"
    assert any(said in each and each.startswith("p.yaml:4:") for each in mistakes(tmp_path, text))


def test_a_choice_needs_a_history_and_its_day(tmp_path: Path) -> None:
    assert mistakes(tmp_path, "reference:\n  path: a\n  choose: previous\n") == [
        "p.yaml:4: reference.choose: previous chooses from the history; add  history: checks.sqlite"
    ]
    text = "reference: {path: a, choose: {same_weekday: 4}}\nhistory: h.db\ncurrent: b\n"
    assert mistakes(tmp_path, text) == [
        "p.yaml:2: reference.choose: same_weekday needs the day that the current snapshot stands "
        "for; add  current: {as_of: …}"
    ]
    (tmp_path / "p.yaml").write_text("version: 1\n" + text.replace("current: b", "current: b.json"))
    assert str(kd.load_plan(tmp_path / "p.yaml").choice) == "same_weekday:4"


def test_a_check_that_cannot_know_the_day_is_refused_before_anything_is_read(plan) -> None:
    weekday = replace(plan({"same_weekday": 4}), reference=kd.Snapshot(path="nowhere"))
    with pytest.raises(PlanError, match=r"same_weekday needs the day .* --as-of 2013-02-28"):
        kd.check(weekday, current=table(1))
    with pytest.raises(UsageError, match="as_of 'Friday' is not a date or time"):
        kd.check(weekday, current=table(1), as_of="Friday")
    with pytest.raises(UsageError, match="as_of 2013-02-01: the current snapshot says"):
        kd.check(weekday, current=kd.Snapshot(path="x", as_of="2013-02-02"), as_of="2013-02-01")


@pytest.mark.slow
def test_the_day_is_told_on_the_command_line(tmp_path: Path) -> None:
    for number in range(3):
        pq.write_table(table(number), tmp_path / f"{number}.parquet")
    (tmp_path / "days.yaml").write_text(
        "version: 1\nreference: {path: 0.parquet, choose: {same_weekday: 1}}\nhistory: h.sqlite\n"
    )

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "kl_drift", "check", "days.yaml", *arguments],
            capture_output=True, check=False, cwd=tmp_path, encoding="utf-8",
        )  # fmt: skip

    assert run("--current", "1.parquet").returncode == 3
    first = run("--current", "1.parquet", "--as-of", "2013-02-01", "-f", "markdown")
    assert "0.parquet (no earlier Friday in the history yet)" in first.stdout.replace("\\", "")
    second = run("--current", "2.parquet", "--as-of", "2013-02-08", "-f", "markdown")
    assert "- reference: the last Friday, 2013-02-01" in second.stdout
