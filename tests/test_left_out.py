"""What a report says besides its verdicts: files that were left out, numbers of another width."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import kl_drift as kd
from kl_drift.artefact import report_to_dict, schema
from kl_drift.render import words
from kl_drift.render.html import render_html
from kl_drift.render.markdown import to_markdown
from kl_drift.render.terminal import to_text

VALUES = np.arange(6_000.0) % 11 / 10


def folder(path: Path, *others: str) -> Path:
    path.mkdir()
    pq.write_table(pa.table({"x": VALUES}), path / "a.parquet")
    for name in others:
        (path / name).write_bytes(b"no rows")
    return path


def test_files_that_were_left_out_are_one_line_of_the_report(tmp_path: Path) -> None:
    reference = folder(tmp_path / "reference", "_SUCCESS", ".crc")
    current = folder(tmp_path / "current", "_SUCCESS", "notes\x1b[2J.txt")
    report = kd.compare(current, reference)
    line = (
        "of current: 1 hidden (_SUCCESS), 1 not Parquet (notes\\x1b[2J.txt); "
        "of reference: 2 hidden (.crc, _SUCCESS)"
    )
    assert words.left_out(report) == line
    assert to_text(report).count(f"left out  {line}") == 1
    assert to_markdown(report).count("- left out: of current: 1 hidden") == 1
    assert render_html(report).count("Left out of current: 1 hidden (_SUCCESS)") == 1


def test_a_saved_report_remembers_what_was_left_out(tmp_path: Path) -> None:
    report = kd.compare(folder(tmp_path / "a", "_SUCCESS"), folder(tmp_path / "b"))
    jsonschema.validate(report_to_dict(report), schema("report"))
    kd.save(report, tmp_path / "report.json")
    loaded = kd.load_report(tmp_path / "report.json")
    assert loaded.current.left_out == report.current.left_out != ()
    assert words.left_out(loaded) == words.left_out(report)


def test_where_nothing_was_left_out_nothing_is_said(tmp_path: Path) -> None:
    report = kd.compare(folder(tmp_path / "a"), folder(tmp_path / "b"))
    assert words.left_out(report) == ""
    assert "left out" not in to_text(report) + to_markdown(report)
    assert "Left out" not in render_html(report)


def test_a_change_of_width_is_noted_and_no_drift() -> None:
    report = kd.compare({"x": VALUES.astype("float32")}, {"x": VALUES})
    assert (report["x"].kl, str(report.status)) == (0.0, "ok")
    said = "type: double → float, the same values in another width"
    assert words.noted(report["x"]) == [said]
    for drawn in (to_text(report), to_markdown(report)):
        assert "another width" in drawn
    assert words.width(kd.compare({"x": VALUES}, {"x": VALUES})["x"]) == []
    text = pa.table({"s": pa.array(["a", "b"] * 500, pa.large_string())})
    assert words.width(kd.compare(text, {"s": ["a", "b"] * 500})["s"]) == []
