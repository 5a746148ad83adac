"""A complete Airflow as `make airflow` starts it, and its REST API: what an engineer sees of it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

ROOT = Path(__file__).parent.parent.parent
FINAL = {"success", "failed"}
PATIENCE = 240  # seconds; only a failing test waits that long


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """An Airflow that runs, and somebody who is logged in."""

    url: str
    logs: Path
    started: subprocess.Popen[str]
    client: httpx.Client
    login: str
    password: str

    def ask(self, method: str, path: str, **body: object) -> Any:
        answer = self.client.request(method, f"/api/v2/{path}", json=body or None)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def unpause(self, dag: str) -> None:
        self.until(f"{dag} is parsed", lambda: self.client.get(f"/api/v2/dags/{dag}").is_success)
        self.ask("PATCH", f"dags/{dag}", is_paused=False)

    def trigger(self, dag: str, **conf: object) -> str:
        """Start a run of a DAG, and return its path in the API."""
        self.unpause(dag)
        run = self.ask("POST", f"dags/{dag}/dagRuns", logical_date=None, conf=conf)
        return f"dags/{dag}/dagRuns/{run['dag_run_id']}"

    def only_run(self, dag: str) -> str:
        """Return the path of a run that nobody triggered by hand, once there is one."""
        runs: list[dict[str, Any]] = []

        def there() -> bool:
            runs[:] = self.ask("GET", f"dags/{dag}/dagRuns")["dag_runs"]
            return bool(runs)

        self.until(f"a run of {dag}", there)
        (run,) = runs
        return f"dags/{dag}/dagRuns/{run['dag_run_id']}"

    def end(self, run: str) -> str:
        """Wait until a run is over, and return its state."""
        self.until(f"{run} is over", lambda: self.ask("GET", run)["state"] in FINAL)
        return str(self.ask("GET", run)["state"])

    def tasks(self, run: str) -> dict[str, dict[str, Any]]:
        """Return the task instances of a run, mapped ones as `name[0]`."""
        return {
            task["task_id"] + (f"[{task['map_index']}]" if task["map_index"] >= 0 else ""): task
            for task in self.ask("GET", f"{run}/taskInstances")["task_instances"]
        }

    def states(self, run: str) -> dict[str, str]:
        return {name: task["state"] for name, task in self.tasks(run).items()}

    def log(self, run: str, task: str, attempt: int = 1) -> str:
        """Return the lines of a task's log and the errors in it, as its page shows them."""
        lines = self.ask("GET", f"{run}/taskInstances/{task}/logs/{attempt}")["content"]
        return "\n".join(
            line["event"]
            + "".join(
                f"\n{e['exc_type']}: {e['exc_value']}" for e in line.get("error_detail") or ()
            )
            for line in lines
        )

    def frames(self, run: str, task: str, attempt: int = 1) -> list[int]:
        """Return how many frames each error of a task's log shows."""
        lines = self.ask("GET", f"{run}/taskInstances/{task}/logs/{attempt}")["content"]
        return [len(each["frames"]) for line in lines for each in line.get("error_detail") or ()]

    def xcom(self, run: str, task: str, part: int = -1) -> Any:
        """Return what a task returned, or one of its mapped parts."""
        entry = f"{run}/taskInstances/{task}/xcomEntries/return_value?deserialize=true"
        return self.ask("GET", f"{entry}&map_index={part}")["value"]

    def until(self, what: str, holds: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < end, f"not within {PATIENCE} s: {what}\n{self.last_lines()}"
            assert self.started.poll() is None, f"Airflow ended\n{self.last_lines()}"
            time.sleep(0.5)

    def last_lines(self) -> str:
        logs = sorted(self.logs.rglob("*.log"), key=lambda log: log.stat().st_mtime)
        return "\n".join(
            f"--- {log}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-12:])
            for log in logs[-12:]
        )


@contextmanager
def airflow(home: Path, dags: Sequence[Path], environment: Mapping[str, str]) -> Iterator[Live]:
    """Start Airflow and log in; at the end press Ctrl-C, and see that nothing of it is left."""
    inherited = {name: value for name, value in os.environ.items() if "AIRFLOW" not in name}
    started = subprocess.Popen(
        [
            *(sys.executable, "tools/local_airflow.py", "--home", str(home)),
            *("--port", str(free_port()), "--patience", str(PATIENCE)),
            *("--dags", *map(str, dags)),
        ],
        cwd=ROOT, env=inherited | dict(environment), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    family: list[psutil.Process] = []
    try:
        banner = _banner(started)
        family = psutil.Process(started.pid).children(recursive=True)
        with httpx.Client(base_url=banner["address"], timeout=60) as client:
            user = {"username": banner["login"], "password": banner["password"]}
            token = client.post("/auth/token", json=user).json()["access_token"]
            client.headers["Authorization"] = f"Bearer {token}"
            yield Live(
                url=banner["address"],
                logs=Path(banner["logs"]),
                started=started,
                client=client,
                login=banner["login"],
                password=banner["password"],
            )
        family = psutil.Process(started.pid).children(recursive=True)
    finally:
        started.send_signal(signal.SIGINT)
        said, _ = started.communicate(timeout=60)
    assert started.returncode == 0, said
    assert said.endswith("Airflow stopped.\n")
    assert [process for process in family if process.is_running()] == []


def _banner(started: subprocess.Popen[str]) -> dict[str, str]:
    """Return what Airflow says of itself once it is healthy: where it is and how to log in."""
    assert started.stdout is not None
    said = ""
    for line in started.stdout:
        said += line
        if line.startswith("Ctrl-C"):
            return dict(re.findall(r"^ +(\w+) +(\S.*)$", said, re.MULTILINE))
    raise AssertionError(f"Airflow did not start:\n{said}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
