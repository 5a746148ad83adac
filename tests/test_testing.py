"""What people's own tests use."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kl_drift.testing import assert_no_drift

JANUARY = {"x": list(range(100)) * 20, "shop": ["a", "b", "c", "d"] * 500}
JULY = {"x": [each + 60 for each in range(100)] * 20, "shop": ["a", "b", "c", "d"] * 500}
FEW = {"x": list(range(5)), "shop": ["a", "b", "c", "d", "a"]}


def test_what_has_not_drifted_passes_and_its_report_is_returned() -> None:
    report = assert_no_drift(JANUARY, JANUARY)
    assert report.status == "ok"
    assert {column.name for column in report.columns} == {"x", "shop"}


def test_what_has_drifted_fails_with_the_report() -> None:
    with pytest.raises(AssertionError, match=r"(?s)drift.*\bx\b") as caught:
        assert_no_drift(JULY, JANUARY)
    assert "(x)" in str(caught.value)


def test_only_the_columns_asked_for_are_judged() -> None:
    assert assert_no_drift(JULY, JANUARY, columns=["shop"]).status == "ok"


def test_too_few_rows_fail_unless_they_may_pass() -> None:
    with pytest.raises(AssertionError, match="undecided"):
        assert_no_drift(FEW, JANUARY)
    assert assert_no_drift(FEW, JANUARY, undecided=True).status == "undecided"


@pytest.mark.slow
def test_a_test_of_drift_needs_no_hypothesis() -> None:
    code = (
        "import sys; sys.modules['hypothesis'] = None\n"
        "from kl_drift.testing import assert_no_drift\n"
        "try:\n    from kl_drift.testing import profiles\n"
        "except ImportError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, encoding="utf-8"
    )
    assert "needs Hypothesis, which is not installed: run  pip install hypothesis" in done.stdout
