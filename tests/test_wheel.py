"""The wheel, built and installed into an empty environment: what a user gets."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from kl_drift.artefact import VERSIONS

pytestmark = pytest.mark.slow  # builds and installs a wheel

ROOT = Path(__file__).parent.parent
FLIGHTS = ROOT / "examples" / "flights"


def uv(*arguments: str) -> None:
    subprocess.run(["sh", "tools/uv.sh", "--quiet", *arguments], check=True, cwd=ROOT)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    uv("build", "--wheel", "--build-constraints", "requirements.lock", "--out-dir", str(folder))
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    environment = wheel.parent / "environment"
    uv("venv", "--python", sys.executable, str(environment))
    uv("pip", "install", "--python", str(environment), "-c", "requirements.lock", str(wheel))
    return environment / "bin"


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, check=False, cwd=cwd, encoding="utf-8")


def test_the_wheel_holds_what_is_used_at_run_time_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    schemas = [f"schemas/{kind}-{version}.schema.json" for kind, version in VERSIONS.items()]
    for wanted in ("py.typed", *schemas):
        assert f"kl_drift/{wanted}" in names
    assert any(name.endswith(".jinja") for name in names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"kl_drift"}


def test_the_command_works(installed: Path, tmp_path: Path) -> None:
    done = run(
        str(installed / "kl-drift"), "compare",
        "--reference", str(FLIGHTS / "month=2013-01"),
        "--current", str(FLIGHTS / "month=2013-02"),
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "✗ drift" in done.stdout


def test_a_missing_extra_is_answered_with_the_command_that_installs_it(
    installed: Path, tmp_path: Path
) -> None:
    done = run(
        str(installed / "kl-drift"), "compare", "--format", "html",
        "--reference", str(FLIGHTS / "month=2013-01"),
        "--current", str(FLIGHTS / "month=2013-02"),
        cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (3, "")
    assert "pip install 'kl-drift[report]'" in done.stderr
