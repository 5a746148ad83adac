"""The locks: every pin has its hashes, none names an address, and the second is derived."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOCK, LOWEST = "requirements.lock", "requirements-airflow-3.2.lock"

AIRFLOW_3_2_HAS_ITS_OWN = {
    "aiosqlite",
    "apache-airflow",
    "apache-airflow-core",
    "apache-airflow-task-sdk",
    "starlette",
}


def pins(lock: str) -> list[tuple[str, str]]:
    """Return each name of a lock and what follows `==`: version, marker, hashes."""
    text = re.sub(r"^ *#.*\n", "", (ROOT / lock).read_text(encoding="utf-8"), flags=re.MULTILINE)
    return re.findall(r"^([\w.\[\]-]+)==((?:.*\\\n)*.*)$", text, re.MULTILINE)


@pytest.mark.parametrize("lock", [LOCK, LOWEST])
def test_every_line_is_a_pin_with_hashes_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert "://" not in text
    assert "--index" not in text
    pinned = pins(lock)
    assert len(pinned) == len(re.findall(r"^[^ #\n]", text, re.MULTILINE)) > 150
    assert [name for name, pin in pinned if "--hash=sha256:" not in pin] == []


def test_the_second_differs_only_where_the_lowest_airflow_must() -> None:
    first, second = (
        {(name, pin.split()[0]) for name, pin in pins(lock)} for lock in (LOCK, LOWEST)
    )
    assert {name for name, _ in second - first} == AIRFLOW_3_2_HAS_ITS_OWN
    lowest = re.search(r'"apache-airflow>=([\d.]+),', (ROOT / "pyproject.toml").read_text())
    assert lowest is not None
    assert ("apache-airflow", f"{lowest[1]}.0") in second
