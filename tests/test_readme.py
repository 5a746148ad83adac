"""Everything the README shows is run here."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from kl_drift.cli import _exit_code
from kl_drift.judging.policy import Status

pytestmark = pytest.mark.slow  # the demo checks a year

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def words(text: str) -> str:
    """Return the text without the lines of tables and with single spaces."""
    return " ".join(re.sub(r"[│┃─━┏┓└┘├┤┡┩╇┴┼]", " ", text).split())


@pytest.fixture(scope="module")
def demo() -> str:
    done = subprocess.run(
        [sys.executable, "examples/demo.py"], cwd=ROOT, capture_output=True, check=True,
        encoding="utf-8", env={**os.environ, "COLUMNS": "160"},
    )  # fmt: skip
    return done.stdout


def test_the_demo_prints_what_the_readme_says_it_prints(demo: str) -> None:
    (shown,) = blocks("text")
    printed = words(demo)
    for line in shown.splitlines():
        assert words(line) in printed


def test_the_demo_ends_with_the_path_of_a_page(demo: str) -> None:
    page = re.search(r"Open the page of 2013-\d\d: (\S+\.html)", demo)
    assert page is not None
    assert Path(page[1]).read_text(encoding="utf-8").rstrip().endswith("</html>")


def test_the_library_and_the_expectation_are_used(tmp_path: Path) -> None:
    sessions = [*blocks("python"), *blocks("pycon")]
    test = doctest.DocTestParser().get_doctest("".join(sessions), {}, "README", "README.md", 0)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        results = doctest.DocTestRunner(verbose=False).run(test)
    assert results.attempted == 14
    assert results.failed == 0


def commands() -> list[tuple[str, str]]:
    shown = "\n".join(blocks("console"))
    return re.findall(r"^\$ (kl-drift .*)\n((?:(?!\$ |make ).+\n)*)", shown, re.MULTILINE)


@pytest.mark.parametrize(("command", "output"), commands())
def test_the_command_line(command: str, output: str) -> None:
    python = f"{sys.executable} -m kl_drift"
    done = subprocess.run(
        ["bash", "-c", command.replace("kl-drift", python, 1)],
        cwd=ROOT, capture_output=True, check=False, encoding="utf-8",
    )  # fmt: skip
    assert done.stdout.startswith(output), done.stderr


def test_both_commands_are_checked() -> None:
    assert len(commands()) == 2


def test_make_has_the_targets_that_the_readme_names() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = re.findall(r"`make ([\w-]+)`|^make ([\w-]+)$", README, re.MULTILINE)
    assert len(named) == 5
    for target in ("".join(pair) for pair in named):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_the_plan_is_the_minimal_one_of_the_configs() -> None:
    (plan,) = blocks("yaml")
    minimal = (ROOT / "configs" / "flights-minimal.yaml").read_text(encoding="utf-8")
    stated = [line for line in minimal.splitlines() if line and not line.lstrip().startswith("#")]
    assert stated == plan.splitlines()


def test_the_dag_is_part_of_one_that_runs() -> None:
    (shown,) = blocks("py")
    assert shown in (ROOT / "dags" / "drift_monthly.py").read_text(encoding="utf-8")


def test_the_statuses_are_all_there_with_their_exit_codes() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .* \| (\d) \|$", README, re.MULTILINE)
    assert {status: int(code) for status, code in rows} == {
        status.value: _exit_code(status) for status in Status
    }


def test_what_is_installed_is_an_extra_that_there_is() -> None:
    (shown,) = blocks("sh")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {each for some in re.findall(r"'\.\[(.+)\]'", shown) for each in some.split(",")}
    assert named == {"report", "airflow", "alerts", "gx"}
    assert named <= project["optional-dependencies"].keys()
    assert project["requires-python"] == ">=3.11"
    assert README.index("## Install") < README.index("## Two commands")


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
