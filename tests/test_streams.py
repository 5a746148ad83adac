"""Whatever becomes of standard output and standard error, an exit code says what happened."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

HARNESS = r"""
import json, os, sys
from kl_drift import api, cli  # so that each child starts quickly

def become(descriptor, what):
    if what == "closed":
        os.close(descriptor)
    elif what == "full":
        os.dup2(os.open("/dev/full", os.O_WRONLY), descriptor)
    elif what == "broken":
        reader, writer = os.pipe()
        os.close(reader)
        os.dup2(writer, descriptor)
    else:
        os.dup2(os.open(what, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)

codes = []
for case in json.loads(sys.stdin.read()):
    child = os.fork()
    if not child:
        become(1, case["out"])
        become(2, case["err"])
        sys.stdout = None if case["out"] == "closed" else open(1, "w", closefd=False)
        sys.stderr = None if case["err"] == "closed" else open(2, "w", closefd=False)
        sys.argv = ["kl-drift", *case["arguments"]]
        code = 99
        try:
            cli.main()
        except SystemExit as exit:
            code = exit.code
        finally:
            os._exit(code)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(json.dumps(codes))
"""


def _codes(cases: list[dict[str, object]], folder: Path, **environment: str) -> list[int]:
    done = subprocess.run(
        [sys.executable, "-c", HARNESS],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        env={**os.environ, **environment},
    )
    found: list[int] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("streams")
    generator = np.random.default_rng(7)
    for name, rows, shift in (
        ("a", 2_000, 0),
        ("b", 2_000, 0),
        ("moved", 2_000, 1),
        ("few", 50, 0),
    ):
        table = pa.table({"größe": generator.normal(shift, 1, rows)})
        pq.write_table(table, folder / f"{name}.parquet")
    return folder


COMPARE = ["compare", "--reference", "a.parquet", "--current"]
COMMANDS: dict[str, tuple[list[str], int]] = {
    "ok": ([*COMPARE, "b.parquet"], 0),
    "drift": ([*COMPARE, "moved.parquet"], 1),
    "undecided": ([*COMPARE, "few.parquet"], 2),
    "json": ([*COMPARE, "moved.parquet", "--format", "json"], 1),
    "nothing there": ([*COMPARE, "nowhere.parquet"], 3),
    "no such plan": (["check", "nope"], 3),
    "usage": (["compare", "--warn", "much"], 3),
    "schema": (["schema", "plan"], 0),
    "version": (["--version"], 0),
    "help": (["--help"], 0),
}
STREAMS = [
    ("closed", "/dev/null"),
    ("broken", "/dev/null"),
    ("/dev/null", "closed"),
    ("/dev/null", "broken"),
    ("/dev/null", "full"),
    ("closed", "closed"),
    ("broken", "full"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("out", "err"), STREAMS)
def test_the_exit_code_does_not_depend_on_the_streams(folder: Path, out: str, err: str) -> None:
    cases = [{"arguments": each, "out": out, "err": err} for each, _ in COMMANDS.values()]
    codes = _codes(cases, folder)
    assert dict(zip(COMMANDS, codes, strict=True)) == {n: code for n, (_, code) in COMMANDS.items()}


@pytest.mark.slow
def test_a_report_that_finds_no_room_is_a_failure(folder: Path) -> None:
    cases = [
        {"arguments": each, "out": "full", "err": str(folder / f"{name}.err")}
        for name, (each, _) in COMMANDS.items()
    ]
    assert set(_codes(cases, folder)) == {3}
    said = "kl-drift: standard output cannot be written: No space left on device\n"
    for name, (_, code) in COMMANDS.items():
        if code != 3:
            assert (folder / f"{name}.err").read_text() == said


@pytest.mark.slow
def test_a_closed_standard_error_does_not_change_the_output(folder: Path) -> None:
    cases = [
        {"arguments": COMMANDS["drift"][0], "out": str(folder / f"{err}.out"), "err": err}
        for err in ("closed", "full", "broken")
    ]
    cases.append(cases[0] | {"out": str(folder / "plain.out"), "err": "/dev/null"})
    _codes(cases, folder)
    plain = (folder / "plain.out").read_text()
    assert "drift" in plain
    assert {(folder / f"{err}.out").read_text() for err in ("closed", "full", "broken")} == {plain}


@pytest.mark.slow
@pytest.mark.parametrize("locale", ["C", "de_DE.ISO-8859-1"])
def test_documents_are_utf_8_whatever_the_locale(folder: Path, locale: str) -> None:
    command = [sys.executable, "-m", "kl_drift", *COMMANDS["json"][0]]
    environment = {"LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    environment |= {"PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(
        command, capture_output=True, check=False, cwd=folder, env={**os.environ, **environment}
    )
    assert done.returncode == 1
    assert json.loads(done.stdout.decode("utf-8"))["columns"][0]["name"] == "größe"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sent", "code", "said"),
    [
        (signal.SIGTERM, 143, "kl-drift: terminated\n"),
        (signal.SIGINT, 130, "kl-drift: interrupted\n"),
    ],
)
def test_a_signal_ends_it_with_one_line(
    tmp_path: Path, sent: signal.Signals, code: int, said: str
) -> None:
    script = (
        "import os, sys, time\n"
        "from kl_drift import api, cli\n"
        "api.compare = lambda *_, **__: (print('ready', flush=True), time.sleep(60))\n"
        "sys.argv = ['kl-drift', 'compare', '--reference', 'a', '--current', 'b']\n"
        "cli.main()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.1)
    process.send_signal(sent)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (code, said)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("raised", "said"),
    [
        ("MemoryError()", "out of memory"),
        ('RuntimeError("can\'t start new thread")', "can't start new thread"),
        ("BrokenPipeError(32, 'Broken pipe')", "Broken pipe"),
        ("SystemExit(1)", "broke off"),
        ("RecursionError('too deep')", "too deep"),
        ("type('PanicException', (BaseException,), {})('index out of bounds')", "out of bounds"),
        ("GeneratorExit()", "GeneratorExit"),
    ],
)
def test_nothing_but_a_verdict_is_0_1_or_2(tmp_path: Path, raised: str, said: str) -> None:
    script = (
        "import sys\n"
        "from kl_drift import api, cli\n"
        f"def compare(*_, **__): raise {raised}\n"
        "api.compare = compare\n"
        "sys.argv = ['kl-drift', 'compare', '--reference', 'a', '--current', 'b']\n"
        "cli.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 3
    assert done.stderr.startswith("kl-drift: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
