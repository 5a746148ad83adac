"""Columns are asked for by name, whatever the name, and mistakes are answered where they stand."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import kl_drift as kd
from kl_drift.cli import _names, _run
from kl_drift.counts.binning import Categories, Edges, Quantiles, Uniform
from kl_drift.counts.selection import ExactName
from kl_drift.errors import BinsError, ColumnNotFoundError, PlanError, UsageError, did_you_mean

ODD = ["x[1]", "x1", "a,b", " lead", "a*", "ab", 'say "x"', "?", "plain"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    values = np.arange(400.0) % 7
    pq.write_table(pa.table(dict.fromkeys(ODD, values)), tmp_path / "odd.parquet")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ODD)
def test_the_name_of_a_column_is_never_a_pattern(folder: Path, name: str) -> None:
    assert list(kd.fit("odd.parquet", columns=[name]).counted) == [name]
    others = kd.fit("odd.parquet", columns=kd.Selection(exclude=(name,))).counted
    assert set(others) == {*ODD} - {name}
    bins = kd.fit("odd.parquet", bins={name: Categories()})
    assert [n for n, h in bins.counted.items() if h.bins.to_dict()["kind"] == "categories"] == [
        name
    ]


def test_what_is_no_name_is_a_pattern(folder: Path) -> None:
    assert list(kd.fit("odd.parquet", columns=["x*"]).counted) == ["x1", "x[1]"]
    with pytest.raises(ColumnNotFoundError, match=r"no column 'x\*'"):
        kd.fit("odd.parquet", columns=[ExactName("x*")])


@pytest.mark.parametrize("name", ODD)
def test_any_name_can_be_asked_for_on_the_command_line(
    folder: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    assert _run(["fit", "odd.parquet", "-o", "one.json", "--columns", quoted]) == 0
    assert list(kd.load_profile("one.json").counted) == [name]
    assert _run(["fit", "odd.parquet", "-o", "two.json", "--columns", f"plain, {quoted}"]) == 0
    assert set(kd.load_profile("two.json").counted) == {name, "plain"}
    capsys.readouterr()


def test_a_list_of_names_is_read_as_it_is_written() -> None:
    assert _names(None) is None
    assert _names("a, b ,c*") == ["a", "b", "c*"]
    assert _names('"a,b", c," d ","say ""x"""') == ["a,b", "c", " d ", 'say "x"']
    assert [type(each) for each in _names('"a",b') or []] == [ExactName, str]
    for nothing in ("", " ", ",", " , "):
        with pytest.raises(UsageError, match="--columns: names no column"):
            _names(nothing)
    for open_ in ('"a', 'a"b', '"a"b'):
        with pytest.raises(UsageError, match="a quotation mark is not closed"):
            _names(open_)


def test_names_that_differ_by_case_only_are_both_offered() -> None:
    table = {"Price": [1.0, 2.0], "PRICE": [3.0, 4.0], "prize": [5.0, 6.0]}
    with pytest.raises(ColumnNotFoundError, match=r"Did you mean 'Price' or 'PRICE'\?"):
        kd.fit(table, columns=["price"])
    assert did_you_mean("prices", table) == " Did you mean 'prize'?"


PLANS = {
    "include": (
        "  include: [plain, plian]\n",
        r"p\.yaml:4: columns\.include\[1\]: no column 'plian'",
    ),
    "exclude": ("  exclude: [nope]\n", r"p\.yaml:4: columns\.exclude\[0\]: no column 'nope'"),
    "edges": (
        "  each:\n    plain: {bins: {kind: edges, edges: [3, 1]}}\n",
        r"p\.yaml:5: columns\.each\.plain\.bins.*edges must increase: 3.* is followed by 1",
    ),
    "text edges": (
        "  each:\n    plain: {bins: {kind: edges, edges: ['3', '1']}}\n",
        r"p\.yaml:5: columns\.each\.plain\.bins: column 'plain': edges must increase: 3\.0",
    ),
    "count": (
        "  numeric: {kind: quantiles, count: 100000000}\n",
        r"p\.yaml:4: columns\.numeric.*count must be from 1 to 10,000, got 100,000,000",
    ),
}


@pytest.mark.parametrize("mistake", PLANS)
def test_a_mistake_in_a_plan_is_answered_with_file_and_line(folder: Path, mistake: str) -> None:
    lines, said = PLANS[mistake]
    (folder / "p.yaml").write_text(
        f"version: 1\nreference: odd.parquet\ncolumns:\n{lines}", encoding="utf-8"
    )
    with pytest.raises(PlanError) as caught:
        kd.check("p.yaml", current="odd.parquet")
    assert re.search(said, str(caught.value))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Uniform(count=100_000_000), "count must be from 1 to 10,000, got 100,000,000"),
        (lambda: Quantiles(count=0), "count must be from 1 to 10,000, got 0"),
        (lambda: Quantiles(count=20.5), "count must be a whole number, got 20.5"),  # type: ignore[arg-type]
        (lambda: Uniform(count=Decimal(5)), "count must be a whole number"),  # type: ignore[arg-type]
        (lambda: Categories(top=10**9), "top must be from 1 to 10,000"),
        (lambda: Edges(edges=tuple(range(20_000))), "20,000 edges are too many; at most 10,000"),
        (lambda: Edges(edges=(1, 3, 2)), "edges must increase: 3 is followed by 2"),
    ],
)
def test_bins_that_cannot_be_are_refused_at_once(make: object, said: str) -> None:
    assert callable(make)
    with pytest.raises(BinsError, match=said):
        make()


def test_arguments_are_converted_or_refused_in_words() -> None:
    stated = kd.Snapshot(path="x", as_of=date(2013, 2, 28), where={"month": Decimal(2)})  # type: ignore[arg-type, dict-item]
    assert (stated.as_of, stated.wanted("month")) == ("2013-02-28", ("2",))
    for path in (None, 5, Decimal(1)):
        with pytest.raises(UsageError, match="a snapshot's path is text or a path, got"):
            kd.Snapshot(path=path)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="as_of is a date or its text, such as 2013-02-28, got 5"):
        kd.Snapshot(path="x", as_of=5)  # type: ignore[arg-type]
