"""What CONTRIBUTING says of the tests themselves."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
MODULES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in HERE.rglob("*.py")}


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def body(function: ast.FunctionDef) -> str:
    """Return what a function does, without its name and what it says of itself."""
    first = function.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return "\n".join(map(ast.unparse, function.body[documented:]))


def test_every_test_says_that_it_returns_nothing() -> None:
    wrong = [
        f"{path.relative_to(HERE)}:{each.lineno} {each.name}"
        for path, tree in MODULES.items()
        for each in functions(tree)
        if each.name.startswith("test_")
        and not (isinstance(each.returns, ast.Constant) and each.returns.value is None)
    ]
    assert wrong == []


def test_what_two_test_modules_need_is_not_copied() -> None:
    copies: dict[str, set[str]] = defaultdict(set)
    for path, tree in MODULES.items():
        for each in functions(tree):
            if len(each.body) > 1 and not each.name.startswith("test_"):
                copies[body(each)].add(f"{path.relative_to(HERE)} {each.name}")
    assert [sorted(names) for names in copies.values() if len(names) > 1] == []
