"""Exact tests of support: what lies beyond the reference's range, and that every format says so."""

from __future__ import annotations

import json
import math
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kl_drift as kd
from kl_drift.artefact import load_report, report_to_dict, save, schema
from kl_drift.counts.binning import Edges
from kl_drift.judging.policy import Policy, Status
from kl_drift.judging.report import ColumnReport
from kl_drift.render import words
from kl_drift.render.html import render_html
from kl_drift.render.markdown import to_markdown
from kl_drift.render.terminal import to_text
from kl_drift.statistics.exact import p_value_beyond

ROWS = 30_000


def rows(*extra: float, n: int = ROWS) -> dict[str, Any]:
    """Return 0, 1, … 999 again and again, with some rows in place of the last."""
    values = (np.arange(n) % 1000).astype(float)
    values[n - len(extra) :] = extra
    return {"x": values}


def column(current: Any, reference: Any, **more: Any) -> ColumnReport:
    return kd.compare(current, reference, **more)["x"]


def test_rows_above_the_largest_value_are_counted_and_their_chance_is_exact() -> None:
    found = column(rows(*[2_000.0] * 12), rows())
    assert found.status is Status.OK
    (above,) = found.beyond
    assert (above.side, above.cell, above.extreme) == ("above", "above 999", "999")
    assert (above.rows, above.share, above.infinite) == (12, 12 / ROWS, False)
    exact = math.prod((ROWS - i) / (2 * ROWS - i) for i in range(12))
    assert above.p_value == pytest.approx(exact, rel=1e-9)
    phrase = "12 rows (0.04 %) above 999, the reference's largest; chance 0.0002"
    assert words.beyond(above) == phrase
    assert words.sentence(found).endswith(f"; {phrase}")


def test_both_sides_are_told_apart() -> None:
    below, above = column(rows(-5.0, -6.0, -7.0, 1000.0), rows()).beyond
    assert (below.side, below.cell, below.rows) == ("below", "below 0", 3)
    assert (above.side, above.cell, above.rows) == ("above", "above 999", 1)
    assert below.p_value == p_value_beyond(3, ROWS, ROWS)
    assert not below.unlikely


def test_the_extremes_themselves_are_not_beyond() -> None:
    assert column(rows(*[999.0] * 50, *[0.0] * 50), rows()).beyond == ()


def test_infinities_lie_beyond_and_are_said_to() -> None:
    below, above = column(rows(*[-math.inf] * 20, *[math.inf] * 20, 1e9), rows()).beyond
    assert (below.rows, below.infinite) == (20, True)
    assert (above.rows, above.infinite) == (21, False)
    assert words.beyond(below).startswith(
        "20 rows (0.07 %) below 0, the reference's smallest, all infinite"
    )


def test_where_the_reference_was_infinite_nothing_is_told() -> None:
    found = column(rows(*[5_000.0] * 40, -3.0), rows(math.inf))
    assert [each.side for each in found.beyond] == ["below"]


def test_nulls_and_nans_are_no_rows_of_the_test() -> None:
    values = [*range(1_000), *[2_000.0] * 9, *[None] * 500, *[math.nan] * 500]
    now = {"x": pa.array(values, pa.float64())}
    (above,) = column(now, rows()).beyond
    assert above.p_value == p_value_beyond(9, 1_009, ROWS)
    assert above.share == 9 / len(values)


def test_dates_are_written_as_dates() -> None:
    start = date(2013, 1, 1)
    then = {"x": [start + timedelta(days=i % 28) for i in range(1_000)]}
    now = {"x": [start + timedelta(days=i % 30) for i in range(1_000)]}
    selection = kd.Selection(judge={"x": ("value",)})
    (above,) = column(now, then, columns=selection).beyond
    assert (above.cell, above.extreme) == ("above 2013-01-28", "2013-01-28")


def test_stated_edges_tell_what_the_reference_never_reached() -> None:
    reference = kd.fit(rows(), bins={"x": Edges(edges=(500.0, 5_000.0))})
    found = column(rows(*[1_500.0] * 30, *[6_000.0] * 20), reference)
    (above,) = found.beyond
    assert above.rows == 20, "rows between 999 and 5,000 share a cell with rows of the reference"
    assert words.beyond(above).startswith(
        "20 rows (0.07 %) 5000 or more; the reference's largest is 999;"
    )


def test_another_reference_over_the_same_bins_has_its_own_extremes() -> None:
    january = kd.fit(rows())
    february = kd.scan({"x": np.arange(ROWS) % 900.0 + 1}, like=january)
    below, above = column(rows(*[-1.0] * 20, *[5_000.0] * 20), february).beyond
    assert words.beyond(below).startswith(
        "20 rows (0.07 %) below 0; the reference's smallest is 1;"
    )
    assert words.beyond(above).startswith(
        "20 rows (0.07 %) above 999; the reference's largest is 900;"
    )


def test_clustered_rows_say_less() -> None:
    plain = column(rows(*[2_000.0] * 12), rows())
    clustered = column(rows(*[2_000.0] * 12), rows(), policy=Policy(design_effect=4))
    assert plain.beyond[0].p_value < clustered.beyond[0].p_value
    assert clustered.beyond[0].p_value == p_value_beyond(12, ROWS, ROWS, design_effect=4)


@pytest.mark.parametrize("then", [[1.5] * 100, [None] * 100, ["a", "b"] * 50])
def test_columns_without_a_range_have_nothing_beyond_it(then: list[Any]) -> None:
    assert column({"x": then}, {"x": then}).beyond == ()


@given(
    current=st.lists(st.floats(-20, 20) | st.sampled_from([math.inf, -math.inf]), min_size=1),
    reference=st.lists(st.floats(-9, 9), min_size=1),
)
def test_the_rows_beyond_are_those_that_a_person_would_count(
    current: list[float], reference: list[float]
) -> None:
    found = {
        each.side: each
        for each in column(
            {"x": pa.array(current, pa.float64())}, {"x": pa.array(reference, pa.float64())}
        ).beyond
    }
    low = [value for value in current if value < min(reference)]
    high = [value for value in current if value > max(reference)]
    for side, beyond in (("below", low), ("above", high)):
        assert (found[side].rows if side in found else 0) == len(beyond)
        if side in found:
            assert found[side].infinite == all(map(math.isinf, beyond))
            assert found[side].p_value == p_value_beyond(len(beyond), len(current), len(reference))


@pytest.mark.slow
def test_every_format_says_it_even_where_the_column_is_ok(tmp_path: Path) -> None:
    report = kd.compare(rows(*[2_000.0] * 40), rows())
    assert report["x"].status is Status.OK
    (above,) = report["x"].beyond
    phrase = "40 rows (0.13 %) above 999, the reference's largest; chance 9e-13"
    assert words.beyond(above) == phrase
    assert phrase in words.sentence(report["x"])
    assert phrase in to_text(report)
    assert phrase in to_markdown(report)
    page = render_html(report).replace("\N{NO-BREAK SPACE}", " ").replace("&#39;", "'")
    assert phrase in page
    jsonschema.validate(report_to_dict(report), schema("report"))
    save(report, tmp_path / "report.json")
    assert load_report(tmp_path / "report.json")["x"].beyond == (above,)


def test_what_chance_explains_is_in_the_json_only() -> None:
    report = kd.compare(rows(1_000.0), rows())
    assert json.loads(json.dumps(report.to_dict()))["columns"][0]["beyond"][0][
        "p_value"
    ] == pytest.approx(0.5)
    assert "largest" not in to_text(report) + to_markdown(report) + words.sentence(report["x"])
    assert "the reference&#39;s largest" not in render_html(report)


def test_a_category_that_vanished_is_told_even_where_the_column_is_ok() -> None:
    report = kd.compare({"k": ["a"] * 20_000}, {"k": ["a"] * 19_900 + ["gone"] * 100})
    assert report["k"].status is Status.OK
    for text in (to_text(report), to_markdown(report)):
        assert "vanished: 'gone' (0.50 %)" in text
