"""What some tests need and most do not: a browser, a Java. It is looked for when a test asks."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

_TOOLS = Path(__file__).parent.parent / "tools"


def needed(script: str) -> str:
    """Return where a script of ``tools`` finds what it is for, or has just installed it.

    One worker asks at a time: two must not install the same thing. Fails the test with the
    script's own words where there is none.
    """
    with Path(sys.prefix, f"{script}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        asked = ["sh", _TOOLS / script, sys.prefix]
        done = subprocess.run(asked, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        pytest.fail(done.stderr.strip(), pytrace=False)
    return done.stdout.strip()
