"""Words say what was compared with what, the same in every door, and decide nothing."""

from __future__ import annotations

import html
import inspect
import json
import random
import re
import string
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner
from ways import numbers, report_of, ways

import kl_drift as kd
from kl_drift import canonical
from kl_drift.artefact import report_from_dict, report_to_dict
from kl_drift.cli import app
from kl_drift.counts.kinds import Kind, Uncounted
from kl_drift.judging.report import ColumnReport, Report
from kl_drift.judging.unlearned import Unlearned, WhyNot
from kl_drift.render import limits, notice, words
from kl_drift.render.html import render_html
from kl_drift.render.markdown import to_markdown
from kl_drift.render.terminal import to_text

WAYS = ways()


def page(report: Report) -> str:
    shown = re.sub(r"<(script|style).*?</\1>", "", render_html(report), flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]+>", "", shown)).replace("\N{NO-BREAK SPACE}", " ")


def noticed(write: Callable[[notice.Notice], str]) -> Callable[[Report], str]:
    return lambda report: write(notice.notice_of(report, check="flights"))


DOORS: Mapping[str, Callable[[Report], str]] = {
    "terminal": lambda report: to_text(report, width=600),
    "markdown": to_markdown,
    "page": page,
    "sentence": lambda report: kd.sentence(report.columns[0]),
    "text": noticed(notice.to_text),
    "slack": noticed(notice.to_slack),
    "mail": noticed(notice.to_html),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("way", WAYS)
def test_every_door_says_what_was_compared_with_what(door: str, way: str) -> None:
    report = report_of(WAYS[way])
    if report.status == "ok" and door in ("text", "slack", "mail"):
        assert way not in DOORS[door](report), "an alert names what needs attention"
        return
    said = DOORS[door](report)
    for number in numbers(WAYS[way]):
        assert number in said
    if door in ("terminal", "markdown", "page"):
        assert words.reason(WAYS[way]).split(";")[0] in said.replace("\\", "")


@pytest.mark.parametrize("way", WAYS)
def test_json_and_data_frame_hold_the_verdict(way: str) -> None:
    report, column = report_of(WAYS[way]), WAYS[way]
    document = json.loads(canonical.dumps(report_to_dict(report)))
    assert report_from_dict(document) == report
    verdict = document["columns"][0]["verdict"]
    (row,) = report.to_pandas().to_dict("records")
    for name in ("which", "statistic"):
        assert verdict[name] == row[name] == getattr(column.verdict, name)
    assert (verdict["value"], verdict["limit"]) == (column.verdict.value, column.verdict.limit)


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_its_words(kind: Kind) -> None:
    why = Uncounted(kind=kind, parts=("hour",), most=200_000, reference_type="int64", column="y")
    said = words.uncounted(why, "timestamp[us]")
    assert said
    assert "{" not in said


@pytest.mark.parametrize("kind", WhyNot)
def test_every_reason_why_nothing_was_learned_has_its_words(kind: WhyNot) -> None:
    said = words.unlearned(Unlearned(kind=kind, snapshots=1, needed=14, said="it rained"))
    assert said
    assert "{" not in said
    assert "1 snapshots" not in said


def test_a_real_but_small_difference_of_numbers_has_its_size_in_sd() -> None:
    small = WAYS["gates ok"]
    detected = ColumnReport(name="x", verdict=small.verdict, detected=True, bins="numeric")
    assert words.reason(detected) == (
        "a real but small difference: KL 0.0013 nats, like a shift by 0.05 sd, limit 0.02"
    )
    levels = ColumnReport(name="x", verdict=small.verdict, detected=True, bins="categories")
    assert "sd" not in words.reason(levels)


def test_a_summary_of_too_few_rows_says_so() -> None:
    few = WAYS["rows"]
    assert words.summary(report_of(few)) == (
        "undecided: too few rows to judge 1 of 1 columns (rows)"
    )


# ---------------------------------------------------------------- words are never state


def table(*, later: bool = False) -> pa.Table:
    rows = 4_000
    generator = np.random.default_rng(later)
    columns: dict[str, Any] = {
        "x": generator.normal(0.4 * later, 1, rows),
        "still": np.arange(rows) % 7,
        "nulls": pa.array(np.arange(rows), mask=np.arange(rows) % (10 if later else 100) == 0),
        "id": [f"row {number}" for number in range(rows)],
        "at": pa.array(range(rows), pa.timestamp("s")),
        "nested": [[1]] * rows,
        "typed": ["1"] * rows if later else [1] * rows,
    }
    return pa.table(columns | ({"new": [1] * rows} if later else {"gone": [1] * rows}))


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    pq.write_table(table(), tmp_path / "a.parquet")
    pq.write_table(table(later=True), tmp_path / "b.parquet")
    (tmp_path / "plan.yaml").write_text(
        "version: 1\nreference: a.parquet\ncurrent: '{{ day }}.parquet'\n"
        "output: {report: out/report.json, profile: out/profile.json}\n"
        "history: out/history.sqlite\n",
    )
    return tmp_path / "plan.yaml"


def reworded(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Let every function of the words room return other words."""
    chosen = random.Random(seed)  # noqa: S311 - no secret

    def anything(*_: object, **__: object) -> str:
        return "".join(chosen.choices(string.printable + "‖→", k=chosen.randint(1, 40)))

    for name, function in inspect.getmembers(words, inspect.isfunction):
        if function.__module__ == words.__name__:
            returned = str(inspect.signature(function).return_annotation)
            if returned == "str":
                monkeypatch.setattr(words, name, anything)
            elif returned == "list[str]":
                monkeypatch.setattr(words, name, lambda *_, **__: [anything(), anything()])


def without_moments(value: Any) -> Any:
    if isinstance(value, dict):
        moments = ("written", "created", "digest")
        return {key: without_moments(each) for key, each in value.items() if key not in moments}
    return [without_moments(each) for each in value] if isinstance(value, list) else value


def outcome(plan: Path, day: str) -> Iterator[object]:
    """Yield what a check leaves behind: its exit code, its files and what the history took."""
    done = CliRunner().invoke(app, ["check", str(plan), "--set", f"day={day}"])
    yield done.exit_code
    for name in ("report", "profile"):
        yield without_moments(json.loads((plan.parent / "out" / f"{name}.json").read_text()))
    history = kd.History.open(plan.parent / "out" / "history.sqlite")
    yield [(each.status, each.digest) for each in history.reports("plan")]


@pytest.mark.slow
@pytest.mark.parametrize("day", ["a", "b"])
def test_other_words_change_no_verdict_no_file_and_no_exit_code(
    plan: Path, day: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, report, profile, history = outcome(plan, day)
    assert code == {"a": 0, "b": 1}[day]
    assert history
    for seed in range(5):
        with monkeypatch.context() as patched:
            reworded(patched, seed)
            assert words.summary(report_of(WAYS["rows"])) != "undecided"
            assert list(outcome(plan, day)) == [code, report, profile, history]


def calibrated(plan: Path) -> object:
    """Return the file of limits learned from the reference and, 13 times, another snapshot."""
    days = [str(plan.parent / f"{day}.parquet") for day in "a" + 13 * "b"]
    saved = plan.parent / "limits.json"
    command = ["calibrate", str(plan), *days, "--set", "day=b", "-o", str(saved)]
    assert CliRunner().invoke(app, command).exit_code == 0
    return without_moments(json.loads(saved.read_text()))


def test_other_words_change_no_learned_limits(plan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = calibrated(plan)
    assert isinstance(found, dict)
    assert [each["kind"] for each in found["left_out"].values()] == ["is the reference"]
    assert found["unlearned"]["x"] == {"kind": "too few snapshots", "snapshots": 1, "needed": 14}
    reworded(monkeypatch, 0)
    monkeypatch.setattr(limits, "unlearned", words.unlearned)
    assert calibrated(plan) == found


def test_what_was_found_in_other_words_is_recorded_once(
    plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = [kd.check(plan, values={"day": "b"})]
    reworded(monkeypatch, 0)
    reports.append(kd.check(plan, values={"day": "b"}))
    history = kd.History.open(plan.parent / "out" / "history.sqlite")
    assert len(history.reports("plan")) == 1
    assert len({canonical.digest(without_moments(report_to_dict(each))) for each in reports}) == 1
