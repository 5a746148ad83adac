"""Every way of deciding, through Airflow's doors: XCom and the messages of alerts."""

from __future__ import annotations

import html
import json
from typing import Any

import pytest
from ways import numbers, report_of, ways

from kl_drift.airflow._messages import message
from kl_drift.airflow._summary import summary_of

WAYS = ways()


def summary(way: str) -> dict[str, Any]:
    found = summary_of(report_of(WAYS[way]), check="flights", saved={})
    plain: dict[str, Any] = json.loads(json.dumps(found, allow_nan=False))
    assert plain == found
    return plain


@pytest.mark.parametrize("way", WAYS)
def test_xcom_holds_the_verdict_of_every_column_that_needs_attention(way: str) -> None:
    columns, expected = summary(way)["columns"], WAYS[way].verdict
    assert len(columns) == (expected.status != "ok")
    for column in columns:
        for name in ("which", "statistic", "value", "limit", "learned"):
            assert column[name] == getattr(expected, name)
        for number in numbers(WAYS[way]):
            assert number in column["reason"]


@pytest.mark.parametrize("kind", ["text", "slack", "html"])
@pytest.mark.parametrize("way", [name for name, column in WAYS.items() if column.status != "ok"])
def test_every_message_says_it(way: str, kind: str) -> None:
    said = html.unescape(message(summary(way))[kind])
    for number in numbers(WAYS[way]):
        assert number in said
