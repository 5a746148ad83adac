"""The graph of imports: files of kl_drift never go round in a circle, however they import."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "kl_drift"


def modules(root: Path) -> dict[str, Path]:
    """Return the files of a package by the names of their modules."""
    named = {
        ".".join(path.relative_to(root.parent).with_suffix("").parts): path
        for path in root.rglob("*.py")
    }
    return {name.removesuffix(".__init__"): path for name, path in named.items()}


def imported(name: str, path: Path, known: Collection[str]) -> Iterator[str]:
    """Yield which known modules a file imports anywhere: in functions and for type checkers, too.

    ``from package import module`` imports the module. That the package's ``__init__`` runs before
    any of its modules is Python's own way, and no import of the file's.
    """
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name in known)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            for each in node.names:
                found = f"{base}.{each.name}"
                yield from [one for one in (found, base) if one in known][:1]


def graph(root: Path) -> dict[str, set[str]]:
    """Return which modules each module of a package imports."""
    known = modules(root)
    return {name: set(imported(name, path, known)) for name, path in known.items()}


def test_no_file_imports_itself_by_way_of_others() -> None:
    order = list(TopologicalSorter(graph(ROOT)).static_order())
    assert len(order) == len(modules(ROOT)) > 80


def test_the_graph_sees_every_way_of_importing(tmp_path: Path) -> None:
    package = tmp_path / "house"
    package.mkdir()
    (package / "__init__.py").write_text("from . import attic\n")
    (package / "cellar.py").write_text("def go():\n    from .hall import door\n")
    (package / "hall.py").write_text("import house.attic\nfrom house import door\n")
    (package / "attic.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from house import cellar\n"
    )
    assert graph(package) == {
        "house": {"house.attic"},
        "house.cellar": {"house.hall"},
        "house.hall": {"house", "house.attic"},
        "house.attic": {"house.cellar"},
    }
    with pytest.raises(CycleError, match="nodes are in a cycle"):
        TopologicalSorter(graph(package)).prepare()
