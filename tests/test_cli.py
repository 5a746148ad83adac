"""The command line, as its users start it: in processes of its own."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import kl_drift as kd
from kl_drift.artefact import report_to_dict

pytestmark = pytest.mark.slow  # each test starts a process

FLIGHTS = Path(__file__).parent.parent / "examples" / "flights"
CONFIGS = Path(__file__).parent.parent / "configs"
JANUARY, FEBRUARY, MARCH = (str(FLIGHTS / f"month=2013-0{month}") for month in (1, 2, 3))
COMPARE = ["compare", "--reference", JANUARY, "--current"]


def run(
    *arguments: str, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kl_drift", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "COLUMNS": "120", "NO_COLOR": "1", **environment},
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few snapshots: 2,000 rows, the same again, shifted, and one too small to judge."""
    folder = tmp_path_factory.mktemp("small")
    generator = np.random.default_rng(7)
    for name, rows, shift in (
        ("a", 2_000, 0),
        ("b", 2_000, 0),
        ("moved", 2_000, 1),
        ("few", 50, 0),
    ):
        table = pa.table({"x": generator.normal(shift, 1, rows), "y": generator.normal(0, 1, rows)})
        pq.write_table(table, folder / f"{name}.parquet")
    return folder


@pytest.mark.parametrize(
    ("current", "limit", "code", "status"),
    [("b", "0.2", 0, "ok"), ("moved", "0.2", 1, "drift"), ("few", "0.2", 2, "undecided")],
)
def test_the_exit_code_tells_the_status(
    small: Path, current: str, limit: str, code: int, status: str
) -> None:
    done = run(
        "compare", "--reference", "a.parquet", "--current", f"{current}.parquet",
        "--warn", "0.1", "--drift", limit, "--format", "json", cwd=small,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (code, "")
    assert json.loads(done.stdout)["status"] == status


def test_a_warning_exits_with_0(small: Path) -> None:
    done = run(
        "compare", "--reference", "a.parquet", "--current", "moved.parquet",
        "--warn", "0.1", "--drift", "9", cwd=small,
    )  # fmt: skip
    assert done.returncode == 0
    assert done.stdout.startswith("warn: 0 of 2 columns drifted; 1 warning (x)")


def test_json_is_json_and_nothing_else_and_follows_its_schema() -> None:
    done = run(*COMPARE, FEBRUARY, "--format", "json")
    assert done.returncode == 1
    assert done.stderr == ""
    document = json.loads(done.stdout)
    jsonschema.Draft202012Validator(kd.artefact.schema("report")).validate(document)  # type: ignore[attr-defined]
    column = document["columns"][0]
    assert {"name", "status", "kl", "kl_reverse", "jeffreys", "jensen_shannon", "verdict"} <= set(
        column
    )
    ours = report_to_dict(kd.compare(FEBRUARY, JANUARY))
    assert document["columns"] == ours["columns"]


def test_the_table_in_a_pipe_is_plain_text() -> None:
    done = run(*COMPARE, FEBRUARY)
    assert "\x1b" not in done.stdout
    assert re.search(r"✗ drift +dep_delay +0\.0\d+ .* 1\.9 % → 5\.1 %", done.stdout)
    assert "Not judged:\n  time_hour (timestamp[us, tz=UTC])" in done.stdout


def test_markdown_is_one_table() -> None:
    done = run(*COMPARE, FEBRUARY, "--format", "markdown")
    rows = [line for line in done.stdout.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 16
    assert len({line.replace(r"\|", "").count("|") for line in rows}) == 1


def test_html_goes_to_a_file_whole(tmp_path: Path) -> None:
    done = run(*COMPARE, FEBRUARY, "--format", "html", "-o", str(tmp_path / "r.html"))
    assert (done.returncode, done.stdout) == (1, "")
    assert f"wrote {tmp_path / 'r.html'}" in done.stderr
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert page.rstrip().endswith("</html>")


def test_fit_scan_merge_compare_with_saved_profiles(tmp_path: Path) -> None:
    assert (
        run("fit", JANUARY, "-o", "jan.json", "--columns", "dep_*,carrier", cwd=tmp_path).returncode
        == 0
    )
    for month, name in ((FEBRUARY, "feb"), (MARCH, "mar")):
        done = run("scan", month, "--like", "jan.json", "-o", f"{name}.json", cwd=tmp_path)
        assert done.returncode == 0
        assert "3 columns counted" in done.stderr
    assert run("merge", "feb.json", "mar.json", "-o", "both.json", cwd=tmp_path).returncode == 0
    both = kd.load_profile(tmp_path / "both.json")
    assert both.rows == 24_951 + 28_834
    done = run(
        "compare", "--reference", "jan.json", "--current", "both.json", "-f", "json", cwd=tmp_path
    )
    names = {column["name"] for column in json.loads(done.stdout)["columns"]}
    assert names == {"dep_time", "dep_delay", "carrier"}


def test_check_runs_a_plan() -> None:
    plan = str(CONFIGS / "flights-minimal.yaml")
    done = run("check", plan, "--set", "month=2013-03", "--format", "json")
    assert done.returncode in (0, 1), done.stderr
    assert json.loads(done.stdout)["columns"]


def test_check_takes_another_current_snapshot() -> None:
    plan = str(CONFIGS / "flights-minimal.yaml")
    done = run("check", plan, "--set", "month=", "--current", JANUARY, "--format", "json")
    assert (done.returncode, json.loads(done.stdout)["status"]) == (0, "ok")


def test_init_writes_a_plan_that_checks(tmp_path: Path) -> None:
    done = run("init", JANUARY, "-o", "plan.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    again = run("init", JANUARY, "-o", "plan.yaml", cwd=tmp_path)
    assert again.returncode == 3
    assert "add --force to overwrite it" in again.stderr
    done = run("check", "plan.yaml", "--current", MARCH, cwd=tmp_path)
    assert done.returncode in (0, 1), done.stderr


@pytest.mark.parametrize("kind", ["plan", "profile", "report", "limits"])
def test_schema_prints_a_valid_schema(kind: str) -> None:
    done = run("schema", kind)
    jsonschema.Draft202012Validator.check_schema(json.loads(done.stdout))


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["compare", "--reference", JANUARY],
            "Missing option '--current'; see  kl-drift compare --help",
        ),
        (["comapre"], "No such command 'comapre'. Did you mean 'compare'?"),
        ([*COMPARE, "nowhere"], "no Parquet files at 'nowhere'; expected a file, a folder, a glob"),
        ([*COMPARE, FEBRUARY, "--columns", "dep_delya"], "Did you mean 'dep_delay'?"),
        ([*COMPARE, FEBRUARY, "--current-where", "x"], "expected KEY=VALUE, got 'x'"),
        ([*COMPARE, FEBRUARY, "--smoothing", "jefreys"], "jeffreys"),
        ([*COMPARE, FEBRUARY, "--warn", "1"], "expected 0 < warn ≤ drift"),
        (["merge", "x.json", "-o", "y.json"], "no profile at x.json"),
        (
            ["fit", JANUARY, "-o", "jan.parquet"],
            "profiles are saved as JSON; give a name that ends in .json",
        ),
        (["check", "nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_what_fails_exits_with_3_and_one_clear_line(arguments: list[str], line: str) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (3, "")
    assert line in done.stderr
    assert done.stderr.startswith("kl-drift: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("snapshot", "line"),
    [
        ("hdfs://127.0.0.1:1/x", "cannot open 'hdfs://127.0.0.1:1/x': "),
        (
            "az://container/x",
            "cannot open 'az://container/x': kl-drift has no reader for az://; use ",
        ),
        ("abfs://container/x", "cannot open 'abfs://container/x': "),
        ("abfs://account@127.0.0.1:1/c/x", "abfs://127.0.0.1:1/c/x: cannot be listed: "),
        (
            "flights.csv",
            "flights.csv: this is a CSV file; kl-drift reads Parquet: convert it with ",
        ),
        (
            "gone.parquet",
            "no Parquet files at 'gone.parquet'; expected a file, a folder, a glob or ",
        ),
    ],
)
def test_a_snapshot_that_cannot_be_read_is_one_line(
    tmp_path: Path, snapshot: str, line: str
) -> None:
    (tmp_path / "flights.csv").write_text("carrier,delay\nAA,1\nUA,2\n", encoding="utf-8")
    # Azure's library would ask the network and the program `az` for credentials: the environment
    # alone, which has none, fails at once.
    alone = {"AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential", "AZURE_CLIENT_ID": ""}
    done = run("fit", snapshot, "-o", "x.json", cwd=tmp_path, **alone)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith(f"kl-drift: {line}")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "x.json").exists()


def test_debug_shows_the_traceback() -> None:
    done = run("--debug", *COMPARE, "nowhere")
    assert done.returncode == 3
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("kl-drift: no Parquet files")


def test_no_arguments_show_the_help_and_every_command_an_example() -> None:
    assert "Exit codes: 0 ok" in run().stdout
    for command in ("compare", "check", "fit", "scan", "merge", "init", "schema"):
        done = run(command, "--help")
        assert done.returncode == 0
        assert f"kl-drift {command} " in done.stdout.split("Usage:")[1].partition("\n")[2]


def test_the_version() -> None:
    assert run("--version").stdout == f"kl-drift {kd.__version__}\n"


def test_completion_can_be_shown() -> None:
    done = run("--show-completion", "bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert "_KL_DRIFT_COMPLETE" in done.stdout


def test_a_reader_that_goes_away_is_no_internal_error() -> None:
    command = (
        f"{sys.executable} -m kl_drift compare --reference {JANUARY} --current {FEBRUARY} -f html"
    )
    done = subprocess.run(
        ["bash", "-c", f"{command} | head -c 100"], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""


def test_progress_is_shown_to_a_person_and_only_there() -> None:
    seen = on_a_terminal([*COMPARE, FEBRUARY, "--format", "json"])
    assert "comparing" in seen
    assert "rows" in seen
    assert "comparing" not in run(*COMPARE, FEBRUARY, "--format", "json").stderr


def on_a_terminal(arguments: list[str]) -> str:
    """Run with standard error on a pseudo-terminal and return what appeared there."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "kl_drift", *arguments],
        stdout=subprocess.DEVNULL, stderr=theirs, stdin=subprocess.DEVNULL,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"},
    )  # fmt: skip
    os.close(theirs)
    seen = b""
    while select.select([ours], [], [], 60)[0]:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # the other side has closed
            break
        if not piece:
            break
        seen += piece
    os.close(ours)
    assert process.wait(60) == 1
    return seen.decode(errors="replace")


def test_pairs_are_named_with_a_colon(small: Path) -> None:
    done = run(
        *("compare", "--reference", str(small / "a.parquet"), "--pairs", "x:y", "-f", "json"),
        *("--current", str(small / "b.parquet")),
    )
    assert {column["name"] for column in json.loads(done.stdout)["columns"]} == {"x", "y", "x × y"}
    for wrong in ("x", "x:", "x:y:z"):
        refused = run("fit", str(small / "a.parquet"), "-o", "never.json", "--pairs", wrong)
        assert refused.returncode == 3
        assert f"--pairs: expected FIRST:SECOND, got {wrong!r}" in refused.stderr
