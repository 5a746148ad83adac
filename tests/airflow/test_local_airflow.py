"""`make airflow`, where it cannot start: what it says, and that it leaves nothing behind."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def start(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "tools/local_airflow.py", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = start("--home", str(tmp_path / "airflow"), "--port", str(port))
    assert done.returncode == 1
    assert f"port {port} is taken on 127.0.0.1" in done.stderr
    assert not (tmp_path / "airflow").exists()


def test_a_home_in_use_is_left_alone(tmp_path: Path) -> None:
    import fcntl

    home = tmp_path / "airflow"
    home.mkdir()
    (home / "airflow.db").write_text("precious")
    with home.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = start("--home", str(home))
    assert done.returncode == 1
    assert f"an Airflow runs in {home} already" in done.stderr
    assert (home / "airflow.db").read_text() == "precious"


def test_a_home_that_is_none_of_ours_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    done = start("--home", str(tmp_path))
    assert done.returncode == 1
    assert "is not empty, and no home of Airflow" in done.stderr
    assert (tmp_path / "thesis.txt").exists()
