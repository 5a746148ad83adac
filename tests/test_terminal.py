"""Reports in a terminal and as Markdown: everything is there, and nothing from the data steers."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

import kl_drift as kd
from kl_drift.render.markdown import to_markdown
from kl_drift.render.terminal import to_text

HOSTILE = "\x1b[31mred\x1b[0m [bold]x[/bold] | <b>&\n# y"


def report(columns: int = 1, name: str = "x") -> kd.Report:
    names = [f"{name}{i}" for i in range(columns)]
    then = pa.table({each: ["a", "b"] * 2_000 for each in names})
    now = pa.table({each: ["a", HOSTILE] * 2_000 for each in names})
    return kd.compare(now, then)


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_no_number_and_no_reason_is_cut_in_a_narrow_terminal(width: int) -> None:
    flights = str(Path(__file__).parent.parent / "examples" / "flights" / "month=2013-0")
    text = to_text(kd.compare(f"{flights}7", f"{flights}1"), width)
    words = " ".join(text.split())
    assert "23 or more: 15.0 % → 24.6 %" in words
    assert "0.1498" in words
    assert "0.1…" not in words
    assert max(map(len, text.splitlines())) <= width
    assert ("reverse" in text) == (width >= 110)


def test_control_characters_and_markup_of_the_data_are_printed_not_obeyed() -> None:
    text = to_text(report(name=HOSTILE), 200)
    assert "\x1b" not in text
    assert r"\x1b[31mred" in text
    assert "[bold]x[/bold]" in text


def test_markdown_shows_the_data_as_text() -> None:
    document = to_markdown(report(name=HOSTILE))
    table = [line for line in document.splitlines() if line.startswith("|")]
    assert len(table) == 3
    assert "<b>" not in document.replace("<br>", "")
    assert r"\<b\>" in document
    assert r"\[bold\]" in document


def test_quiet_columns_beyond_twenty_are_counted_not_listed() -> None:
    names = [f"c{i:02d}" for i in range(30)]
    same = pa.table({each: list(range(100)) * 30 for each in names})
    text = to_text(kd.compare(same, same))
    assert "… and 10 more columns that are ok" in text
    assert "c19" in text
    assert "c20" not in text


def test_columns_that_need_attention_are_all_listed() -> None:
    text = to_text(report(columns=30))
    assert text.count("✗ drift") == 30
