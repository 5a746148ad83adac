"""A complete Airflow on 127.0.0.1: for `make airflow`, and for the tests that talk to a real one.

Knows how the parts of Airflow are started, watched and stopped. Has never heard of drift.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parent.parent
HOST = "127.0.0.1"
USER = "admin"
PORTS = range(8080, 8100)
PASSWORDS = "passwords.json"
LOG_LINES = 15
GRACE = 20  # seconds that the parts have to end by themselves

# Each part of Airflow and its command. The API server shows the logs, from the same disk.
PARTS = {
    "api-server": ("api-server", "--host", HOST, "--workers", "1", "--worker-timeout", "10"),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
# What the health page calls them.
HEALTH = {
    "metadatabase": "api-server",
    "scheduler": "scheduler",
    "dag_processor": "dag-processor",
    "triggerer": "triggerer",
}


class AirflowError(Exception):
    """Airflow did not start, or a part of it ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalAirflow:
    """An Airflow that runs: where it is, and how to log in."""

    home: Path
    port: int
    password: str
    parts: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://{HOST}:{self.port}"

    @property
    def logs(self) -> Path:
        """The folder with one log for each part."""
        return self.home / "logs"

    def ended(self) -> list[str]:
        """Return the names of the parts that run no more."""
        return [name for name, part in self.parts.items() if part.poll() is not None]

    def last_lines(self) -> str:
        """Return the end of each part's log, for the message of a failure."""
        return "\n".join(
            f"--- {log}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES:])
            for log in sorted(self.logs.glob("*.log"))
        )


@contextmanager
def airflow(home: Path, dags: Sequence[Path], port: int, patience: float) -> Iterator[LocalAirflow]:
    """Start every part of Airflow on a new, empty home; stop them all at the end.

    Parameters
    ----------
    home : path
        Its AIRFLOW_HOME. What is there is removed.
    dags : sequence of path
        The folders with DAGs; each becomes a bundle.
    port : int
        Of the API server.
    patience : float
        Seconds until all parts have to be healthy.

    Raises
    ------
    AirflowError
        If a part ends or is not healthy in time, with the last lines of each log.
    """
    with only_one(home):
        instance = LocalAirflow(home=home, port=port, password=secrets.token_urlsafe(12))
        environment = _environment(instance, dags)
        instance.logs.mkdir(parents=True)
        (home / PASSWORDS).write_text(json.dumps({USER: instance.password}))
        _migrate(instance, environment)
        try:
            for name in PARTS:
                instance.parts[name] = _start(name, instance, environment)
            _await_health(instance, patience)
            yield instance
        finally:
            _stop(instance.parts.values())


@contextmanager
def only_one(home: Path) -> Iterator[None]:
    """Empty the home, and keep others from doing so meanwhile."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AirflowError(f"an Airflow runs in {home} already; stop that one first") from None
        if home.exists() and any(home.iterdir()) and not (home / PASSWORDS).exists():
            raise AirflowError(f"{home} is not empty, and no home of Airflow; name another --home")
        shutil.rmtree(home, ignore_errors=True)
        yield


def free_port(ports: range) -> int:
    """Return the first of the ports that nobody listens on."""
    for port in ports:
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            return port
    taken = f"port {ports[0]}" if len(ports) == 1 else f"every port from {ports[0]} to {ports[-1]}"
    raise AirflowError(
        f"{taken} is taken on {HOST}; stop what listens there, or: make airflow PORT=9000"
    )


def _environment(instance: LocalAirflow, dags: Sequence[Path]) -> dict[str, str]:
    """Return what the parts share. Variables such as AIRFLOW_CONN_... come from the caller."""
    bundles = [
        {
            "name": f"dags-{number}",
            "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
            "kwargs": {"path": str(folder)},
        }
        for number, folder in enumerate(dags)
    ]
    inherited = {name: value for name, value in os.environ.items() if name != "AIRFLOW_CONFIG"}
    return inherited | {
        "AIRFLOW_HOME": str(instance.home),
        "AIRFLOW__API__BASE_URL": instance.url,
        "AIRFLOW__API__PORT": str(instance.port),
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(16),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags[0]),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{instance.url}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "3",  # SQLite takes one writer at a time
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(instance.home / PASSWORDS),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{instance.home}/airflow.db",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(instance.logs),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "GX_ANALYTICS_ENABLED": "False",
        "NO_PROXY": ",".join(filter(None, [inherited.get("NO_PROXY"), HOST])),
        "PYTHONUNBUFFERED": "1",
    }


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "airflow", *arguments]


def _migrate(instance: LocalAirflow, environment: Mapping[str, str]) -> None:
    log = instance.logs / "migrate.log"
    with log.open("w") as out:
        code = subprocess.call(
            _command("db", "migrate"), env=environment, stdout=out, stderr=subprocess.STDOUT
        )
    if code:
        raise AirflowError(f"airflow db migrate failed\n{instance.last_lines()}")


def _start(
    name: str, instance: LocalAirflow, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start a part in a session of its own, so that Ctrl-C reaches it through us only."""
    with (instance.logs / f"{name}.log").open("w") as out:
        return subprocess.Popen(
            _command(*PARTS[name]),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _await_health(instance: LocalAirflow, patience: float) -> None:
    end = time.monotonic() + patience
    while unhealthy := _unhealthy(instance):
        if ended := instance.ended():
            raise AirflowError(f"Airflow did not start: {ended} ended\n{instance.last_lines()}")
        if time.monotonic() > end:
            raise AirflowError(
                f"Airflow did not start: {unhealthy} not healthy after {patience:.0f} s\n"
                f"{instance.last_lines()}"
            )
        time.sleep(0.5)


def _unhealthy(instance: LocalAirflow) -> list[str]:
    try:
        with urllib.request.urlopen(f"{instance.url}/api/v2/monitor/health", timeout=10) as answer:
            health: dict[str, dict[str, Any]] = json.load(answer)
    except (urllib.error.URLError, OSError):
        return ["api-server"]
    return [part for key, part in HEALTH.items() if health[key]["status"] != "healthy"]


def _stop(parts: Collection[subprocess.Popen[bytes]]) -> None:
    """Ask every part to end; then end what is left, tasks in groups of their own included."""
    family = [psutil.Process(part.pid) for part in parts if part.poll() is None]
    family += _children(family)
    for part in parts:
        part.terminate()
    _, left = psutil.wait_procs(family, timeout=GRACE)
    left += _children(left)
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=GRACE)


def _children(processes: Collection[psutil.Process]) -> list[psutil.Process]:
    children = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            children += process.children(recursive=True)
    return children


def main() -> None:
    """Run Airflow with the DAGs of this project until Ctrl-C."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--port", type=int, help=f"default: the first free one from {PORTS[0]}")
    parser.add_argument("--home", type=Path, default=ROOT / "out" / "airflow")
    parser.add_argument("--dags", type=Path, nargs="+", default=[ROOT / "dags"])
    parser.add_argument("--patience", type=float, default=300, help="seconds to become healthy")
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop_once)
    home, dags = options.home.resolve(), [folder.resolve() for folder in options.dags]
    ports = range(options.port, options.port + 1) if options.port else PORTS
    try:
        print("Starting Airflow: half a minute or more …", flush=True)
        with airflow(home, dags, free_port(ports), options.patience) as instance:
            print(_banner(instance, dags), flush=True)
            while not (ended := instance.ended()):
                time.sleep(1)
            raise AirflowError(f"{ended} ended\n{instance.last_lines()}")
    except KeyboardInterrupt:
        print("\nAirflow stopped.")
    except AirflowError as error:
        sys.exit(str(error))


def _stop_once(*_: object) -> None:
    """Stop; a second Ctrl-C must not leave processes behind."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    print("\nStopping Airflow …", flush=True)
    raise KeyboardInterrupt


def _banner(instance: LocalAirflow, dags: Sequence[Path]) -> str:
    return (
        f"\n  address   {instance.url}\n  login     {USER}\n  password  {instance.password}\n"
        f"  DAGs      {', '.join(map(str, dags))}\n  logs      {instance.logs}\n\n"
        "Ctrl-C stops it."
    )


if __name__ == "__main__":
    main()
