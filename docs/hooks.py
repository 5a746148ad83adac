"""What the pages take from the living program instead of copying it.

mkdocs calls `on_page_markdown` for every page, which fills the markers of `FILLS`.
`PlainDocstrings` lets mkdocstrings show docstrings that hold reStructuredText: roles, literal
blocks and simple tables.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from configparser import ConfigParser
from pathlib import Path
from textwrap import dedent
from typing import Any, TypeAlias

import griffe

Schema: TypeAlias = dict[str, Any]

_ROOT = Path(__file__).parent.parent
_PACKAGE = _ROOT / "kl_drift"
_WIDTH = "88"
_ROLE = re.compile(r":(?:func|meth|class|mod|data|attr):`~?([^`]+)`")
_LITERAL = re.compile(r"^(\S.*)::\n\n((?:(?: {4}.*)?\n)+)", re.MULTILINE)
_RULE = re.compile(r"=+(?: +=+)+")


def on_page_markdown(markdown: str, **_: object) -> str:
    """Fill the markers of a page; mkdocs calls this."""
    for marker, fill in FILLS.items():
        if marker in markdown:
            markdown = markdown.replace(marker, fill())
    return markdown


def commands() -> str:
    """Return what `kl-drift --help` prints, and a section for each command."""
    from kl_drift.cli import app

    names = [each.name or each.callback.__name__ for each in app.registered_commands]
    return "\n\n".join([_help(), *(f"## {name}\n\n{_help(name)}" for name in names)])


def _help(*command: str) -> str:
    from typer.testing import CliRunner

    from kl_drift.cli import app

    settings = {"COLUMNS": _WIDTH, "TERM": "dumb", "NO_COLOR": "1"}
    done = CliRunner(env=settings).invoke(app, [*command, "--help"], prog_name="kl-drift")
    lines = (line.rstrip() for line in done.output.strip().splitlines())
    return "\n".join(["```text", *lines, "```"])


def tree() -> str:
    """Return what `ls kl_drift` shows, outermost first, with what each room says it is for."""
    names = [name for layer in _layers() for name in layer if _is_built(name)]
    lines = [f"{f'{name}/' if _is_package(name) else name:<12} {_purpose(name)}" for name in names]
    return "\n".join(["```text", *lines, "```"])


def layers() -> str:
    """Return the order of imports, outermost first, from the contract that `make lint` checks."""
    lines = (" · ".join(filter(_is_built, layer)) for layer in _layers())
    return "\n".join(["```text", *filter(None, lines), "```"])


def rooms() -> str:
    """Return every room, innermost first: its order of imports and what its modules know."""
    names = [name for layer in reversed(_layers()) for name in layer if _is_built(name)]
    alone = ["__init__", *(name for name in names if not _is_package(name))]
    sections = [_table([f"{name}.py" for name in alone])]
    sections += [_section(name) for name in names if _is_package(name)]
    return "\n\n".join(sections)


def _section(package: str) -> str:
    inner = _layers(package)
    order = [name for layer in reversed(inner) for name in layer]
    paths = [path.relative_to(_PACKAGE) for path in (_PACKAGE / package).rglob("*.py")]
    paths = [path for path in paths if path.name != "__init__.py"]
    paths.sort(key=lambda path: (order.index(_step(path)) if _step(path) in order else -1, path))
    lines = "\n".join(["```text", *(" · ".join(layer) for layer in inner), "```"])
    parts = [f"### {package}/", _purpose(package), lines if inner else "", _table(paths)]
    return "\n\n".join(filter(None, parts))


def _table(paths: Sequence[Path | str]) -> str:
    rows = [f"| `{Path(path).with_suffix('')}` | {_first_lines(Path(path))} |" for path in paths]
    return "\n".join(["| Module | What it says of itself |", "| --- | --- |", *rows])


def _layers(package: str = "layers") -> list[list[str]]:
    """Return the layers inside a package, or of the packages; none where there is no contract."""
    contracts = ConfigParser()
    contracts.read(_ROOT / ".importlinter", encoding="utf-8")
    contract = f"importlinter:contract:{package}"
    order = contracts.get(contract, "layers", fallback="").strip().splitlines()
    return [re.findall(r"\w+", line) for line in order]


def _is_package(name: str) -> bool:
    return (_PACKAGE / name).is_dir()


def _is_built(module: str) -> bool:
    return _is_package(module) or (_PACKAGE / module).with_suffix(".py").exists()


def _purpose(name: str) -> str:
    """Return the first sentence of a room's docstring."""
    path = Path(name, "__init__.py") if _is_package(name) else Path(f"{name}.py")
    return re.split(r"(?<=\.) (?=[A-Z])", _first_lines(path), maxsplit=1)[0]


def _step(path: Path) -> str:
    """Return the name that a package's own contract knows a module by."""
    return path.parts[1].removesuffix(".py")


def _first_lines(path: Path) -> str:
    source = (_PACKAGE / path).read_text(encoding="utf-8")
    text = (ast.get_docstring(ast.parse(source)) or "").partition("\n\n")[0]
    return " ".join(text.split()).replace("``", "`").replace("|", "\\|")


def plan_keys() -> str:
    """Return every key of a plan with its default and what it is for, from the plan's schema."""
    from kl_drift.plan.plan import plan_schema

    schema = plan_schema()
    rows = [f"| `{key}` | {_about(key, each)} |" for key, each in _keys(schema, schema)]
    return "\n".join(["| Key | What it says |", "| --- | --- |", *rows])


def _keys(schema: Schema, place: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Walk the mappings of a schema, each key once; bins have a table of their own."""
    for name, each in place.get("properties", {}).items():
        yield f"{path}{name}", each
        if name in ("bins", "numeric", "categories"):
            continue
        for inner in _mappings(schema, each):
            yield from _keys(schema, inner, f"{path}{name}.")
        entries = each.get("additionalProperties")
        for inner in _mappings(schema, entries) if isinstance(entries, dict) else ():
            yield from _keys(schema, inner, f"{path}{name}.NAME.")


def _mappings(schema: Schema, place: Schema) -> Iterator[Schema]:
    for each in (place, *place.get("anyOf", ()), *place.get("allOf", ())):
        if "$ref" in each:
            yield schema["$defs"][each["$ref"].rpartition("/")[2]]


def _about(key: str, place: Schema) -> str:
    """Return what a key is for, what may stand there, and its default if it is not inherited."""
    text = place.get("description", "").replace("|", "\\|")
    if choices := _choices(place):
        text += f" One of {', '.join(f'`{each}`' for each in choices)}."
    default = place.get("default", "")
    if isinstance(default, str | int | float) and default != "" and ".NAME." not in key:
        text += f" By default `{default}`."
    return text


def _choices(place: Schema) -> list[str]:
    found = list(place.get("enum", ()))
    for inner in (*place.get("anyOf", ()), place.get("items", {})):
        found += [each for each in inner.get("enum", ()) if each not in found]
    return found


FILLS = {
    "<!-- commands -->": commands,
    "<!-- layers -->": layers,
    "<!-- rooms -->": rooms,
    "<!-- tree -->": tree,
    "<!-- plan keys -->": plan_keys,
}
"""The markers that pages may hold, and what fills them."""


class PlainDocstrings(griffe.Extension):
    """Rewrites the reStructuredText of docstrings as Markdown while the pages are built."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of one object; griffe calls this."""
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value, obj)


def as_markdown(text: str, scope: griffe.Object) -> str:
    """Return a docstring with roles as links, literal blocks fenced and tables drawn."""
    text = _ROLE.sub(lambda role: _link(role[1], scope), text)
    text = _LITERAL.sub(lambda block: f"{block[1]}:\n\n{_fenced(block[2])}\n\n", text + "\n")
    return "\n".join(_tables(text.splitlines()))


def _link(name: str, scope: griffe.Object) -> str:
    first, dot, rest = name.partition(".")
    try:
        target = scope.resolve(first) + dot + rest
    except griffe.NameResolutionError:
        target = name
    return f'<autoref identifier="{target}" optional><code>{name}</code></autoref>'


def _fenced(block: str) -> str:
    return "```text\n" + dedent(block).strip("\n") + "\n```"


def _tables(lines: list[str]) -> Iterator[str]:
    """Draw a table of three rules, the header between the first two, with bars."""
    columns: list[slice] = []
    rules = 0
    for line in lines:
        if _RULE.fullmatch(line.strip()) and not columns:
            ends = [match.end() for match in re.finditer(r"=+ *", line)]
            columns = [
                slice(a, b) for a, b in zip([0, *ends[:-1]], [*ends[:-1], None], strict=True)
            ]
            rules = 1
        elif columns and _RULE.fullmatch(line.strip()):
            rules += 1
            if rules == 2:
                yield "| " + " | ".join("---" for _ in columns) + " |"
            else:
                columns = []
        elif columns:
            yield "| " + " | ".join(line[column].strip() for column in columns) + " |"
        else:
            yield line
