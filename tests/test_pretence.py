"""Drift that is planted, to see what would alarm before one trusts what does not."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import kl_drift as kd
from kl_drift.engines.opening import open_source
from kl_drift.engines.pretence import Change, Pretended
from kl_drift.errors import ColumnNotFoundError, ColumnTypeError, KLDriftError, UsageError
from kl_drift.plan.plan import Plan
from kl_drift.snapshot import Snapshot

ROWS = 4_000
TABLE = pa.table(
    {
        "delay": [float(row % 50) for row in range(ROWS)],
        "whole": [row % 40 for row in range(ROWS)],
        "origin": [("JFK", "EWR", "LGA")[row % 3] for row in range(ROWS)],
        "a null": [None if row % 10 == 0 else row % 7 for row in range(ROWS)],
    }
)


def planted(*texts: str) -> pa.Table:
    source = Pretended(open_source(TABLE), [Change.parse(text) for text in texts])
    names = list(TABLE.column_names)
    columns: dict[str, list[object]] = {name: [] for name in names}
    rows = 0
    for part in source.parts():
        rows += part.rows
        for name, array in part.read(names):
            columns[name] += array.to_pylist()
    assert {len(values) for values in columns.values()} == {rows}
    return pa.table(columns)


@pytest.mark.parametrize(
    ("text", "name", "change"),
    [
        ("delay +20 %", "delay", lambda value: value * 1.2),
        ("delay -20%", "delay", lambda value: value * 0.8),
        ("delay + 5", "delay", lambda value: value + 5),
        ("delay - 2.5", "delay", lambda value: value - 2.5),
        ("delay * 2", "delay", lambda value: value * 2),
        ("delay / 4", "delay", lambda value: value / 4),
        ("whole * 1.5", "whole", lambda value: round(value * 1.5)),
        ("origin 'JFK' -> 'XXX'", "origin", lambda value: value.replace("JFK", "XXX")),
        ("origin 'JFK' → ''", "origin", lambda value: value.replace("JFK", "")),
    ],
)
def test_a_change_is_made_to_its_column_and_no_other(text, name, change) -> None:
    found = planted(text)
    for each in TABLE.column_names:
        expected = TABLE[each].to_pylist()
        if each == name:
            expected = [change(value) for value in expected]
        assert found[each].to_pylist() == pytest.approx(expected)


def test_nulls_are_planted_in_a_share_of_the_rows() -> None:
    found = planted("a null null 30 %")["a null"]
    assert found.null_count / ROWS == pytest.approx(0.1 + 0.9 * 0.3, abs=0.03)
    assert planted("delay null 100 %")["delay"].null_count == ROWS
    assert planted("delay null 0 %")["delay"].null_count == 0


def test_fewer_rows_are_whole_rows() -> None:
    found = planted("rows / 10")
    assert found.num_rows == pytest.approx(ROWS / 10, rel=0.2)
    rows = set(zip(*(TABLE[name].to_pylist() for name in TABLE.column_names), strict=True))
    assert set(zip(*(found[name].to_pylist() for name in found.column_names), strict=True)) <= rows


def test_changes_are_made_one_after_the_other_and_the_same_each_time() -> None:
    found = planted("delay + 5", "delay * 2", "rows / 2")
    assert found.equals(planted("delay + 5", "delay * 2", "rows / 2"))
    assert set(found["delay"].to_pylist()) == {(value + 5) * 2 for value in range(50)}


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("delay", UsageError, "is no change that can be planted; write one like dep_delay"),
        ("delay ~ 3", UsageError, "is no change that can be planted"),
        ("rows / 0.5", UsageError, "expected a number above 1, got 0.5"),
        ("delay / 0", UsageError, "expected a number above 0, got 0"),
        ("delay null 130 %", UsageError, "no more than 100 %"),
        ("delai +20 %", ColumnNotFoundError, "no column 'delai'. Did you mean 'delay'"),
        ("origin +20 %", ColumnTypeError, "column 'origin' is string, and only whole numbers"),
        ("delay 'a' -> 'b'", ColumnTypeError, "column 'delay' is double, which has no levels"),
    ],
)
def test_what_cannot_be_planted_is_refused(text, error: type[KLDriftError], message) -> None:
    with pytest.raises(error, match=message):
        planted(text)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    pq.write_table(TABLE, tmp_path / "rows.parquet", row_group_size=1_000)
    rows = str(tmp_path / "rows.parquet")
    return Plan.from_dict(
        {
            "reference": rows,
            "current": {"path": rows, "as_of": "2013-02-01"},
            "history": str(tmp_path / "history.sqlite"),
            "output": {"report": str(tmp_path / "report.json")},
        }
    )


def test_a_rehearsal_is_judged_and_leaves_nothing_behind(plan, tmp_path) -> None:
    assert kd.check(plan, pretend=["delay null 0 %"]).status == "ok"
    report = kd.check(plan, pretend=["delay +20 %", "origin 'JFK' -> 'XXX'"])
    assert set(report.drifted) == {"delay", "origin"}
    assert report.current.source.endswith("delay +20 %, origin 'JFK' -> 'XXX' planted: a rehearsal")
    assert report.current.as_of == "2013-02-01"
    assert [path.name for path in tmp_path.iterdir()] == ["rows.parquet"]


def test_a_rehearsal_reads_the_history_and_does_not_add_to_it(plan) -> None:
    kd.check(plan)
    kd.check(plan, pretend=["delay * 3"])
    assert len(kd.History.open(plan.history).reports(plan.name)) == 1


def test_a_saved_profile_has_no_rows_to_change(plan) -> None:
    with pytest.raises(UsageError, match="drift is planted in rows"):
        kd.check(plan, current=kd.fit(TABLE), pretend=["delay * 2"])


def test_partitions_and_labels_stay_those_of_the_snapshot(plan) -> None:
    snapshot = Snapshot(path=plan.current.path, label="the rows")
    report = kd.check(plan, current=snapshot, pretend=["delay * 2"])
    assert report.current.source == "the rows with delay * 2 planted: a rehearsal"
