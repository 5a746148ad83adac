"""The documentation says what is: its code runs, its outputs are real, its lists are complete.

A page is run from top to bottom in a folder of its own that holds `examples` and `configs`:

- a ```python block is run; a ```text block right after it is what it prints;
- a block with a title, such as ```yaml title="plan.yaml", is written to that file;
- of a ```console block, lines that begin with `$ ` are commands and the others are what they
  print; a line that is only `…` stands for any number of lines.

Blocks of other kinds, and `{.python .no-run}`, are not run. `python tests/test_docs.py` writes what
is printed today into the pages; read the difference before it is kept.
"""

from __future__ import annotations

import ast
import importlib.util
import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from itertools import chain, pairwise
from pathlib import Path
from types import ModuleType

import pytest
import typer

import kl_drift as kd
from kl_drift import cli

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
REFERENCE = DOCS / "reference"

BLOCK = re.compile(r"^```([^\n`]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TITLE = re.compile(r'title="([^"]+)"')
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
WIDTH = "120"
SHELL = {
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    "COLUMNS": WIDTH,
    "NO_COLOR": "1",
    "TTY_COMPATIBLE": "1",  # so that a report is laid out as for a terminal
}


def name(page: Path) -> str:
    return str(page.relative_to(DOCS))


def blocks(page: Path) -> list[tuple[str, str]]:
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def is_run(page: Path) -> bool:
    return any(info in ("python", "console") for info, _ in blocks(page))


RUN = [page for page in PAGES if is_run(page)]


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"docs_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def printed(code: str, where: str, names: dict[str, object]) -> str:
    with redirect_stdout(io.StringIO()) as output:
        exec(compile(code, where, "exec"), names)  # noqa: S102 - the page's own code
    return output.getvalue()


def session(body: str) -> str:
    """Run the commands of a console block, one after the other; return what a person would see."""
    seen, status = "", 0
    for command in commands(body):
        typed = typed_to_us if re.fullmatch(r"kl-drift [^|>;&]*", command) else typed_to_bash
        output, status = typed(command, status)
        seen += f"$ {command}\n{output}"
    return COLOURS.sub("", seen)


def typed_to_us(command: str, _: int) -> tuple[str, int]:
    """Run a kl-drift command in this process, which has imported everything already."""
    output = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(output), redirect_stderr(output):
        for variable, value in SHELL.items():
            patch.setenv(variable, value)
        status = cli._run(shlex.split(command.replace("\\\n", " "))[1:])
    return output.getvalue(), status


def typed_to_bash(command: str, status: int) -> tuple[str, int]:
    done = subprocess.run(
        ["bash", "-c", f"(exit {status}); {command}"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        env={**os.environ, **SHELL}, encoding="utf-8", check=False,
    )  # fmt: skip
    return done.stdout, done.returncode


def commands(body: str) -> list[str]:
    return re.findall(r"^\$ ((?:.*\\\n)*.*)$", body, re.MULTILINE)


def tidy(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")


def agree(shown: str, actual: str) -> bool:
    """Say whether what a page shows is what was printed; a line ``…`` stands for any lines."""
    lines = tidy(shown).splitlines()
    pattern = "".join("(.*\n)*" if line == "…" else f"{re.escape(line)}\n" for line in lines)
    return re.fullmatch(pattern, tidy(actual) + "\n") is not None


def run(page: Path) -> Iterator[tuple[str, str]]:
    """Run a page; yield what it shows beside what was printed."""
    names: dict[str, object] = {}
    output = None
    for info, body in blocks(page):
        if title := TITLE.search(info):
            Path(title[1]).write_text(body, encoding="utf-8")
        elif info == "python":
            output = printed(body, name(page), names)
            continue
        elif info == "console":
            yield body, session(body)
        elif info == "text" and output is not None:
            yield body, output
        output = None


def furnished(folder: Path) -> Path:
    for each in ("examples", "configs"):
        (folder / each).symlink_to(ROOT / each)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN, ids=name)
def test_a_page_shows_what_its_code_prints(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(furnished(tmp_path))
    for shown, actual in run(page):
        assert agree(shown, actual), f"shown:\n{shown}\nprinted:\n{actual}"


@pytest.mark.parametrize("page", RUN, ids=name)
def test_code_that_prints_is_followed_by_what_it_prints(page: Path) -> None:
    found = [*blocks(page), ("", "")]
    for (info, body), (following, _) in pairwise(found):
        if info == "python" and re.search(r"^ *print\(", body, re.MULTILINE):
            assert following == "text", body


@pytest.mark.parametrize(
    ("shown", "actual", "same"),
    [
        ("a\n", "a  \n", True),
        ("a\n", "b\n", False),
        ("a\n…\nd\n", "a\nb\nc\nd\n", True),
        ("a\n…\n", "a\nb\n", True),
        ("a\n…\n", "b\n", False),
        ("a … b\n", "a c b\n", False),
    ],
)
def test_shown_and_printed_are_compared(shown: str, actual: str, same: bool) -> None:
    assert agree(shown, actual) is same


def test_the_pages_that_must_run_are_run() -> None:
    required = {"index.md", "tutorial.md", *(name(each) for each in DOCS.glob("how-to/*.md"))}
    required.remove("how-to/airflow.md")  # it shows the DAGs, which the tests of Airflow run
    assert required <= {name(page) for page in RUN}
    assert len(required) > 7


def test_only_object_stores_and_dags_are_shown_without_being_run() -> None:
    for page in PAGES:
        for info, body in blocks(page):
            if ".no-run" in info and not re.fullmatch(r'--8<-- "(tests/airflow/)?dags/.*"\n', body):
                assert re.search(r"(s3|gs)://", body), body
                ast.parse(body)


# The reference is complete


def documented() -> set[str]:
    """Return what mkdocstrings is asked to document: modules, and single objects."""
    return {
        identifier
        for page in REFERENCE.glob("*.md")
        for identifier in re.findall(r"^::: (\S+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    }


@pytest.mark.parametrize("public", sorted(set(kd.__all__) - {"__version__"}))
def test_every_public_name_is_in_the_reference(public: str) -> None:
    home = f"kl_drift.{(kd._HOME | kd._MODULES)[public]}"
    assert documented() & {home, f"{home}.{public}"}


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    return load(DOCS / "hooks.py")


@pytest.mark.slow
def test_every_command_and_option_is_on_the_page_of_the_command_line(hooks: ModuleType) -> None:
    page = (REFERENCE / "command-line.md").read_text(encoding="utf-8")
    written = hooks.on_page_markdown(page)
    root = typer.main.get_command(cli.app)
    for command, about in {"": root, **root.commands}.items():
        section = written.partition(f"## {command}\n")[2] if command else written
        section = section.partition("\n## ")[0]
        assert about.params
        for parameter in about.params:
            argument = parameter.param_type_name == "argument" and parameter.metavar
            for word in [argument] if argument else parameter.opts:
                assert word in section, f"{command} {word}"


def test_every_key_of_a_plan_is_on_its_page(hooks: ModuleType) -> None:
    page = hooks.on_page_markdown((REFERENCE / "plan.md").read_text(encoding="utf-8"))
    for key in ("version", "reference.where", "columns.each.NAME.judge", "limits.null_drift"):
        assert f"| `{key}` |" in page


def test_every_error_is_on_its_page() -> None:
    assert "kl_drift.errors" in documented()


def test_the_walk_names_every_module_and_what_it_knows(hooks: ModuleType) -> None:
    page = hooks.on_page_markdown((DOCS / "explanation" / "walk.md").read_text(encoding="utf-8"))
    package = ROOT / "kl_drift"
    for module in package.rglob("*.py"):
        path = module.relative_to(package).with_suffix("")
        if path.name != "__init__" or path.parent == Path():
            assert re.search(rf"^\| `{path}` \| \S", page, re.MULTILINE), path


def test_the_walk_shows_the_rooms_and_their_contracts(hooks: ModuleType) -> None:
    page = hooks.on_page_markdown((DOCS / "explanation" / "walk.md").read_text(encoding="utf-8"))
    for room in (each.parent.name for each in (ROOT / "kl_drift").glob("*/__init__.py")):
        assert re.search(rf"^{room}/ +\S", page, re.MULTILINE), room
        section = page.partition(f"### {room}/\n")[2].partition("\n### ")[0]
        rows = [" · ".join(layer) for layer in hooks._layers(room)]
        assert "\n".join(rows) in section
        assert len(rows) > 1 or room == "alerts", room  # of one module


def test_the_glossary_is_in_order_and_has_the_words_of_the_reports() -> None:
    page = (DOCS / "explanation" / "glossary.md").read_text(encoding="utf-8")
    terms = re.findall(r"^\*\*(.+)\*\*\n:   \S", page, re.MULTILINE)
    assert terms == sorted(terms, key=str.lower)
    assert {"Atom", "Cell", "Judged", "Level", "Nat", "Profile", "Status", "Unseen"} <= set(terms)


SOUGHT = (
    "Evidently", "whylogs", "NannyML", "TensorFlow Data Validation", "Great Expectations' KL",
    "PSI", "pytest", "GitHub Action", "dbt", "Dagster", "Kubernetes", "Databricks", "Delta",
    "Iceberg", "polars", "predictions", "labels", "limits", "undecided",
)  # fmt: skip


@pytest.mark.parametrize("word", SOUGHT)
def test_a_page_that_is_in_the_menu_says_what_people_look_for(word: str) -> None:
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    found = [page for page in PAGES if word in page.read_text(encoding="utf-8")]
    assert [page for page in found if f" {name(page)}\n" in menu]


PATH = re.compile(r"`((?:kl_drift|tests|docs)/[\w./-]+|[\w.-]+\.(?:toml|md)|\.importlinter)`")


def test_the_files_that_an_extension_touches_exist() -> None:
    page = (DOCS / "explanation" / "extending.md").read_text(encoding="utf-8")
    sections = page.split("\n## ")[1:]
    assert len(sections) == 6
    for section in sections:
        named = PATH.findall(section)
        assert len(named) >= 4, section
        assert [each for each in named if not (ROOT / each).exists()] == []


@pytest.mark.parametrize("page", ["explanation/extending.md", "../CONTRIBUTING.md"])
def test_the_names_that_a_guide_says_are_in_the_file_it_names(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    for step in re.findall(r"^\d\. (.*(?:\n   .*)*)", text, re.MULTILINE):
        files = [ROOT / each for each in PATH.findall(step) if (ROOT / each).is_file()]
        code = "".join(file.read_text(encoding="utf-8") for file in files if file.suffix == ".py")
        for word in re.findall(r"`(_?[A-Za-z]\w+)`", step) if code else ():
            assert word in code or word in ("fit", "scan", "compare"), (step, word)


def test_every_dependency_is_justified() -> None:
    import tomllib

    page = (DOCS / "explanation" / "dependencies.md").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    groups = project["dependency-groups"]
    listed = [*project["project"]["dependencies"], *chain.from_iterable(extras.values())]
    listed += [each for group in groups.values() for each in group if isinstance(each, str)]
    for requirement in listed:
        package = re.split(r"[\[<>=, ]", requirement)[0]
        assert f" {package} |" in page


# The figures


@pytest.fixture(scope="module")
def make() -> ModuleType:
    return load(DOCS / "figures" / "make.py")


TABLES = (
    "share-kept", "atoms", "false-kl", "noise", "verdicts", "unseen", "many-levels", "floods",
    "real-halves", "directions", "flights",
    "year-rules", "year-worst", "year-missed", "year-false",
)  # fmt: skip


@pytest.fixture(scope="module")
def measured() -> str:
    pages = ("statistics", "year-of-flights")
    return "".join((DOCS / "explanation" / f"{page}.md").read_text("utf-8") for page in pages)


@pytest.mark.slow
@pytest.mark.parametrize("table", TABLES)
def test_the_tables_of_the_explanations_are_measured(
    make: ModuleType, measured: str, table: str
) -> None:
    assert make.TABLES[table]() in measured


def test_every_table_is_checked_and_every_figure_shown(make: ModuleType, measured: str) -> None:
    assert len(make.TABLES) == len(TABLES)
    assert {path.stem for path in (DOCS / "figures").glob("*.svg")} == set(make.FIGURES)
    for figure in make.FIGURES:
        assert f"(../figures/{figure}.svg)" in measured


# The decisions


def test_every_decision_says_when_a_change_violates_it() -> None:
    pages = sorted((DOCS / "adr").glob("*.md"))
    numbers = [int(page.name[:4]) for page in pages]
    assert numbers == list(range(1, len(pages) + 1))
    for page in pages:
        last = page.read_text(encoding="utf-8").rstrip().split("\n\n")[-1]
        assert last.startswith("**A change violates this when** ")


def write_what_is_printed() -> None:
    for page in RUN:
        text = page.read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as folder, chdir(furnished(Path(folder))):
            for shown, actual in run(page):
                if not agree(shown, actual):
                    text = text.replace(f"\n{shown}```\n", f"\n{tidy(actual)}\n```\n", 1)
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_what_is_printed()
