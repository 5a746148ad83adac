"""Feedback in four verbs: what people say of findings, and what becomes of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import kl_drift as kd
from kl_drift.errors import ColumnNotFoundError, UsageError
from kl_drift.history.feedback import Feedback, quiet_on

REFERENCE = kd.fit({"x": [row % 40 for row in range(2_000)], "y": [1, 2] * 1_000})


@pytest.fixture
def history(tmp_path: Path) -> kd.History:
    found = kd.History.open(tmp_path / "history.sqlite")
    for day in range(1, 7):
        found.add("flights", *checked(day))
    return found


def checked(day: int) -> tuple[kd.Profile, kd.Report]:
    rows = {"x": [row % (40 - day) for row in range(2_000)], "y": [1, 2] * 1_000}
    profile = replace(kd.scan(rows, like=REFERENCE), as_of=f"2013-02-{day:02}")
    return profile, kd.compare(profile, REFERENCE)


def before(history: kd.History, day: int) -> list[str]:
    return [each.profile.as_of[-2:] for each in history.earlier("flights", checked(day)[0])]


def test_what_was_before_the_new_normal_teaches_no_more(history: kd.History) -> None:
    assert before(history, 6) == ["01", "02", "03", "04", "05"]
    said = history.accept("flights", "2013-02-03", note="new planes", by="ann")
    assert (said.verb, said.as_of, said.note) == ("normal", "2013-02-03", "new planes")
    assert before(history, 6) == ["03", "04", "05"]
    assert before(history, 4) == ["03"]
    history.accept("flights", "2013-02-05", note="again", by="ann")
    assert before(history, 6) == ["05"]


def test_the_days_before_are_judged_as_they_were(history: kd.History) -> None:
    history.accept("flights", "2013-02-03", note="new planes", by="ann")
    assert before(history, 3) == ["01", "02"]
    assert len(history.profiles("flights")) == 6


def test_an_incident_and_what_was_missed_are_not_learned_from(history: kd.History) -> None:
    history.acknowledge("flights", "2013-02-02", note="storm", by="ann")
    history.miss("flights", "2013-02-04", column="y", note="all ones", by="bob")
    assert before(history, 6) == ["01", "03", "05"]
    assert [(each.verb, each.column) for each in history.feedback("flights")] == [
        ("incident", ""),
        ("missed", "y"),
    ]


def test_a_column_is_quiet_until_the_day(history: kd.History) -> None:
    history.quiet("flights", until="2013-03-01", column="x", note="known", by="ann")
    assert history.quieted("flights", on="2013-02-28") == {"x": "2013-03-01"}
    assert history.quieted("flights", on="2013-02-28T23:00:00+00:00") == {"x": "2013-03-01"}
    assert history.quieted("flights", on="2013-03-01") == {}
    assert history.quieted("flights") == {}
    history.quiet("flights", until="2013-02-10", column="x", note="solved", by="ann")
    assert history.quieted("flights", on="2013-02-20") == {}


def test_all_columns_may_be_quiet() -> None:
    said = [Feedback(check="flights", verb="quiet", until="2013-03-01")]
    assert quiet_on(said, "2013-02-28") == {"": "2013-03-01"}


def test_saying_the_same_again_adds_nothing(history: kd.History) -> None:
    first = history.accept("flights", "2013-02-03", note="new planes", by="ann")
    assert history.accept("flights", "2013-02-03", note="new planes", by="ann") == first
    assert len(history.feedback("flights")) == 1


@pytest.mark.parametrize(
    ("verb", "said", "error", "message"),
    [
        ("accept", {"which": "2013-03-01"}, UsageError, "no profile is called '2013-03-01'"),
        ("accept", {"which": "2013-02-01", "note": ""}, UsageError, "needs a note"),
        ("miss", {"which": "2013-02-01", "column": "z"}, ColumnNotFoundError, "column 'z'"),
        ("quiet", {"until": "soon"}, UsageError, "until 'soon' is no day; write it like"),
        ("quiet", {"until": "2013-03-01", "column": "z"}, ColumnNotFoundError, "column 'z'"),
        (
            "quiet",
            {"until": "2013-03-01", "check": "flihgts"},
            UsageError,
            "Did you mean 'flights'",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(
    history: kd.History, verb: str, said: dict[str, Any], error: type[Exception], message: str
) -> None:
    given = {"check": "flights", "note": "why", "by": "ann"} | said
    with pytest.raises(error, match=message):
        getattr(history, verb)(**given)
    assert history.feedback("flights") == ()
