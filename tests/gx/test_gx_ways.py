"""Every way of deciding, through Great Expectations' doors: result, Data Docs, operator, alert."""

from __future__ import annotations

import html
import json

import pytest
from great_expectations.core.expectation_validation_result import ExpectationValidationResult
from ways import numbers, report_of, ways

import kl_drift as kd
from kl_drift.gx import rendering, verdict
from kl_drift.gx.action import message
from kl_drift.gx.outcome import Outcome
from kl_drift.render import words

WAYS = ways()
LOUD = [(way, way) for way, column in WAYS.items() if column.status in ("drift", "undecided")]


@pytest.fixture
def result(request, monkeypatch):
    """Return the result of an expectation whose report is given."""
    report = report_of(WAYS[request.param])
    monkeypatch.setattr(verdict, "compare_profiles", lambda *_, **__: report)
    nothing = kd.fit({"x": [1]})
    found = verdict.judged(nothing, nothing, verdict.Terms())
    return json.loads(json.dumps(found, allow_nan=False))


EVERY = pytest.mark.parametrize(
    ("result", "way"), [(way, way) for way in WAYS], indirect=["result"]
)


@EVERY
def test_the_result_holds_the_verdict(result, way) -> None:
    (column,) = result["result"]["details"]["columns"]
    expected = WAYS[way].verdict
    for name in ("which", "statistic", "value", "limit", "learned"):
        assert column["verdict"][name] == getattr(expected, name)
    for number in numbers(WAYS[way]):
        assert number in column["reason"]


@EVERY
def test_data_docs_show_it(result, way) -> None:
    shown = ExpectationValidationResult(success=result["success"], result=result["result"])
    observed, said = rendering.observed(result["result"]["details"]), rendering._said(shown)[1]
    cells = rendering._row(*rendering.columns_of(result["result"]["details"]))
    table = html.unescape(" ".join(cells))
    for number in numbers(WAYS[way]):
        assert number in said
    if WAYS[way].verdict.statistic:
        value, limit = words.value(WAYS[way].verdict), words.limit(WAYS[way])
        assert value in observed
        assert value in table
        assert limit in table


@pytest.mark.parametrize(("result", "way"), LOUD, indirect=["result"])
def test_the_alert_says_it(result, way) -> None:
    details = result["result"]["details"]
    outcome = Outcome(
        suite="s", batch="b", expectation="e", column="", severity="critical",
        success=result["success"], status=details["status"], summary=details["summary"],
        columns=tuple(details["columns"]),
    )  # fmt: skip
    _, text = message("daily", [outcome])
    assert "suite s, batch b:" in text
    for number in numbers(WAYS[way]):
        assert number in text
        assert any(number in line for line in outcome.lines)
