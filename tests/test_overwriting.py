"""Nothing that a check reads or keeps is ever replaced by what it writes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

import kl_drift as kd
from kl_drift.cli import _run
from kl_drift.errors import PlanError, UsageError
from kl_drift.overwriting import find_overwriting, refuse_overwriting
from kl_drift.storage import write_bytes


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with everything that a check reads and keeps, and the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    for name in ("jan", "feb"):
        pq.write_table(
            pa.table({"x": [1.0, 2.0, 3.0] * 400}), tmp_path / "data" / f"{name}.parquet"
        )
    kd.save(kd.fit("data/jan.parquet"), "jan.json")
    kd.save(kd.scan("data/feb.parquet", like=kd.load_profile("jan.json")), "feb.json")
    (tmp_path / "alias").symlink_to("data")
    os.link(tmp_path / "data" / "jan.parquet", tmp_path / "hard.parquet")
    (tmp_path / "checks.sqlite").write_bytes(b"")
    return tmp_path


SPELLINGS = [
    "data/jan.parquet",
    "./data/../data/jan.parquet",
    "alias/jan.parquet",
    "hard.parquet",
    "{folder}/data/jan.parquet",
    "file://{folder}/alias/jan.parquet",
]


@pytest.mark.parametrize("spelt", SPELLINGS)
@pytest.mark.parametrize("place", ["data/jan.parquet", "data", "alias/", "data/*.parquet"])
def test_a_file_is_itself_however_it_is_spelt(folder: Path, spelt: str, place: str) -> None:
    output = spelt.format(folder=folder)
    with pytest.raises(UsageError, match=r"--output .*: would overwrite the reference; give"):
        refuse_overwriting({"--output": output}, {"the reference": place})


@pytest.mark.parametrize(
    ("output", "place"),
    [
        ("s3a://key:secret@lake/x.json", "s3://lake/x.json"),
        ("gcs://lake/x.json", "gs://lake/x.json/"),
        ("s3://lake/flights/part-0.parquet", "s3://lake/flights"),
        ("s3://lake/flights/a/part-0.parquet", "s3://lake/flights/*/part-*.parquet"),
        ("checks.sqlite", "sqlite:///checks.sqlite"),
        ("checks.sqlite-wal", "checks.sqlite"),
    ],
)
def test_objects_and_databases_are_themselves(folder: Path, output: str, place: str) -> None:
    assert find_overwriting({"-o": output}, {"it": place}) == {"-o": "it"}


@pytest.mark.parametrize(
    ("output", "place"),
    [
        ("report.json", "data"),
        ("data/report.json", "data"),
        ("data/mar.parquet", "data"),
        ("s3://lake/flights/report.json", "s3://lake/flights"),
        ("s3://other/x.json", "s3://lake/x.json"),
        ("gs://lake/x.json", "s3://lake/x.json"),
        ("x.json", "postgresql://user:pw@host/x.json"),
        ("x.json", ""),
        ("", "data"),
    ],
)
def test_a_name_of_its_own_is_fine(folder: Path, output: str, place: str) -> None:
    refuse_overwriting({"-o": output}, {"it": place})


def test_what_kl_drift_wrote_among_the_data_may_be_written_again(folder: Path) -> None:
    (folder / "data" / "report.json").write_text("{}")
    refuse_overwriting({"-o": "data/report.json"}, {"the reference": "data"})
    (folder / "data" / "_delta_log").mkdir()
    (folder / "data" / "_delta_log" / "0.json").write_text("{}")
    with pytest.raises(UsageError, match="would overwrite the reference"):
        refuse_overwriting({"-o": "data/_delta_log/0.json"}, {"the reference": "data"})


def _untouched(folder: Path) -> dict[str, bytes]:
    return {str(each): each.read_bytes() for each in sorted(folder.rglob("*")) if each.is_file()}


COMMANDS = {
    "compare": "compare --reference data/jan.parquet --current data/feb.parquet -f json -o {}",
    "fit": "fit jan.json -o ./jan.json",
    "scan": "scan data/feb.parquet --like jan.json -o ./jan.json",
    "merge": "merge jan.json feb.json -o alias/../jan.json",
    "calibrate": "calibrate plan.yaml feb.json -o feb.json",
    "init": "init data/jan.parquet --force -o {}",
    "check": "check plan.yaml -o {}",
    "check: plan": "check plan.yaml -f html -o ./plan.yaml",
    "check: history": "check plan.yaml -f html -o alias/../checks.sqlite",
    "check: other output": "check plan.yaml -f json -o ./page.html",
    "check: current": "check plan.yaml --current feb.json -f json -o feb.json",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_refuses_before_any_work(
    folder: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = {"version": 1, "reference": "data/jan.parquet", "current": "data/feb.parquet"}
    plan |= {"history": "checks.sqlite", "output": {"html": "page.html"}}
    (folder / "plan.yaml").write_text(yaml.safe_dump(plan))
    before = _untouched(folder)
    assert _run(COMMANDS[command].format("alias/jan.parquet").split()) == 3
    said = capsys.readouterr()
    assert "would overwrite" in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert _untouched(folder) == before


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("plan.yaml", "would overwrite the plan"),
        ("checks.sqlite", "would overwrite the history"),
        ("alias/jan.parquet", "would overwrite the reference"),
        ("data/feb.parquet", "would overwrite the current snapshot"),
        ("limits.json", "would overwrite the learned limits"),
    ],
)
def test_a_plan_that_would_overwrite_is_answered_with_its_line(
    folder: Path, output: str, said: str
) -> None:
    lines = [
        "version: 1",
        "reference: data",
        "current: data/feb.parquet",
        "history: checks.sqlite",
        "calibration: {limits: limits.json}",
        "output:",
        f"  html: {output}",
    ]
    lines[1] = "reference: data/jan.parquet"
    (folder / "plan.yaml").write_text("\n".join(lines) + "\n")
    before = _untouched(folder)
    with pytest.raises(
        PlanError, match=rf"plan\.yaml:7: output\.html: {said}; give it its own name"
    ):
        kd.load_plan("plan.yaml")
    assert _untouched(folder) == before


def test_a_check_of_another_snapshot_refuses_to_overwrite_that(folder: Path) -> None:
    (folder / "plan.yaml").write_text(
        "version: 1\nreference: data/jan.parquet\noutput: {profile: feb.json}\n"
    )
    before = _untouched(folder)
    with pytest.raises(UsageError, match=r"output\.profile .*would overwrite the current snapshot"):
        kd.check("plan.yaml", current="alias/../feb.json")
    assert _untouched(folder) == before


def test_the_same_part_is_merged_once_unless_insisted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy("feb.json", "again.json")
    assert _run(["merge", "feb.json", "again.json", "-o", "whole.json"]) == 3
    assert "feb.parquet (1,200 rows) comes twice; leave one of them out" in capsys.readouterr().err
    assert not Path("whole.json").exists()
    assert _run(["merge", "feb.json", "again.json", "--repeated", "-o", "whole.json"]) == 0
    assert kd.load_profile("whole.json").rows == 2_400


# ---------------------------------------------------------------- files written aside


@pytest.mark.slow
def test_what_killed_writers_left_is_swept_by_the_next(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    script = (
        "import os, signal, kl_drift.storage as s\n"
        "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"s.write_bytes({str(target)!r}, b'x' * 1000)"
    )
    for _ in range(3):
        subprocess.run([sys.executable, "-c", script], check=False)
    left = [path.name for path in tmp_path.iterdir()]
    assert left
    assert all(name.startswith(".report.json.kl-drift-") for name in left)
    other = tmp_path / f"{left[0].replace('report', 'other')}"
    other.write_bytes(b"of another file")
    write_bytes(str(target), b"{}")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([other.name, "report.json"])


def test_what_a_living_writer_has_aside_stays(tmp_path: Path) -> None:
    from kl_drift.storage import _aside

    mine = tmp_path / f"{_aside(tmp_path / 'x.json', os.getpid())}abc"
    elsewhere = tmp_path / ".x.json.kl-drift-another.machine-1.abc"
    for each in (mine, elsewhere):
        each.write_bytes(b"")
    write_bytes(str(tmp_path / "x.json"), b"{}")
    assert mine.exists()
    assert elsewhere.exists()
