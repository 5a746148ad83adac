"""A YAML file becomes plain values, each with the line it stands in.

Knows YAML with its surprises, and placeholders. Has never heard of what a plan may say.

Scalars are read as YAML 1.2 reads them, with fewer surprises: only ``true`` and ``false`` are
booleans (``no`` and ``on`` are text), ``1e-4`` is a number, ``2013-02-28`` is text, and so is what
begins with a needless zero (``01``). Keys are always text. Placeholders are filled after parsing,
so that no value can change the shape of the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from yaml import MappingNode, Node, ScalarNode, SequenceNode

from kl_drift.errors import PlanError, did_you_mean
from kl_drift.plan.mistakes import Document, Key, Mistakes, Value
from kl_drift.plan.placeholders import fill

_MOST_VALUES = 100_000  # aliases of aliases of aliases grow without end,
DEEPEST = 50  # and one that holds itself has no end

_CORE: Mapping[str, str] = {
    "null": r"~|null|Null|NULL|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?(?:0|[1-9][0-9]{0,30})|0o[0-7]{1,40}|0x[0-9a-fA-F]{1,32}",
    "float": r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
}
_TAG = "tag:yaml.org,2002:"
_READ: Mapping[str, Callable[[str], Value]] = {
    "str": str,
    "null": lambda _: None,
    "bool": lambda text: text.lower() == "true",
    "int": lambda text: int(text, 0),
    "float": lambda text: float(re.sub(r"\.(?=[iInN])", "", text)),
}


class _CoreLoader(yaml.SafeLoader):
    """PyYAML follows YAML 1.1; its implicit types are replaced by those of the module's head."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - how PyYAML's classes carry them


for _name, _pattern in _CORE.items():
    _CoreLoader.add_implicit_resolver(_TAG + _name, re.compile(rf"(?:{_pattern})\Z"), None)

NO_TEXT = "holds half of a surrogate pair, which is not valid text"


def read_yaml(
    path: str, settings: Mapping[str, str], *, as_written: Callable[[Key], bool]
) -> Document:
    """Read a file and fill its placeholders.

    Parameters
    ----------
    path : str
        A local file in UTF-8.
    settings : mapping of str to str
        What ``{{ name }}`` stands for; ``${NAME}`` is asked of the environment. Either may state
        what stands for a missing one: ``{{ month:-2013-01 }}``.
    as_written : callable
        Says of which keys a scalar is the text that stands there, whatever it looks like.

    Returns
    -------
    Document
        The values, and the mistakes of placeholders and doubled keys.

    Raises
    ------
    PlanError
        If there is no such file, or it is no YAML mapping.
    """
    text = _text(path)
    reading = _Reading(text=text, settings=settings, as_written=as_written, path=path)
    try:
        root = _composed(path, text)
    except RecursionError:
        raise PlanError(_too_deep(path)) from None
    value = reading.value(root, ()) if root is not None else None
    if not isinstance(value, dict):
        reading.mistakes.refuse()
        found = "nothing" if value is None else "a list" if isinstance(value, list) else repr(value)
        raise PlanError(
            f"{path}:1: expected a mapping that begins with  version: 1, got {found}; "
            "run  kl-drift init SNAPSHOT  for a first plan"
        )
    reading.note_unused()
    return Document(value=value, mistakes=reading.mistakes, filled=reading.filled)


def _too_deep(path: str) -> str:
    return f"{path}: nested too deeply, or by an alias that holds itself; write the values out"


def _text(path: str) -> str:
    try:
        raw = Path(path).read_bytes()
    except FileNotFoundError:
        siblings = [str(each) for each in Path(path).parent.glob("*.y*ml")]
        raise PlanError(f"no plan at {path}.{did_you_mean(path, siblings)}") from None
    except OSError as error:
        raise PlanError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise PlanError(f"{path}:{line}: not UTF-8 text; save the plan as UTF-8") from None


def _composed(path: str, text: str) -> Node | None:
    try:
        return yaml.compose(text, Loader=_CoreLoader)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise PlanError(
            f"{path}:{line}: character U+{error.character:04X} cannot stand in YAML; "
            f'write it in double quotes as "\\u{error.character:04x}"'
        ) from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line if error.problem_mark else 0
        source = [*text.splitlines(), ""][line]
        problem = str(error.problem)
        if problem.startswith("but "):
            problem = f"{error.context}, {problem}"
        hint = _hint(source, problem)
        raise PlanError(f"{path}:{line + 1}: not valid YAML: {problem}.{hint}") from None


def _hint(source: str, problem: str) -> str:
    """Guess what went wrong in a line that is no YAML."""
    if "\\t" in problem or source[: len(source) - len(source.lstrip())].count("\t"):
        return " YAML indents with spaces, not with tabs"
    if "{{" in source or "${" in source:
        return ' Put text with a placeholder in quotes: "{{ name }}"'
    if "alias" in problem:
        return ' Put a pattern that begins with * in quotes: "*_delay"'
    if "mapping values" in problem:
        return " Put text that holds a colon in quotes, and indent keys of one mapping alike"
    return ""


@dataclass(slots=True, kw_only=True)
class _Reading:
    """One walk over the nodes of a file."""

    path: str
    text: str
    settings: Mapping[str, str]
    as_written: Callable[[Key], bool]
    mistakes: Mistakes = field(init=False)
    filled: dict[Key, bool] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    seen: int = 0

    def __post_init__(self) -> None:
        self.mistakes = Mistakes(path=self.path)

    def value(self, node: Node, key: Key) -> Value:
        self.mistakes.lines.setdefault(key, node.start_mark.line + 1)
        self.seen += 1
        if self.seen > _MOST_VALUES:
            raise PlanError(f"{self.path}: more than {_MOST_VALUES:,} values: too many aliases")
        if len(key) > DEEPEST:
            raise PlanError(_too_deep(self.path))
        if node.tag not in {_TAG + name for name in (*_READ, "seq", "map")}:
            self.mistakes.add(key, f"the tag {node.tag!r} is not for plans; remove it")
            return self._source(node)
        if isinstance(node, MappingNode):
            return self._mapping(node, key)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*key, place)) for place, item in enumerate(node.value)]
        return self._scalar(node, key)

    def _source(self, node: Node) -> str:
        return self.text[node.start_mark.index : node.end_mark.index]

    def _mapping(self, node: MappingNode, key: Key) -> Value:
        if not all(isinstance(name, ScalarNode) for name, _ in node.value):
            return self._without_quotes(node, key)
        values: dict[str, Value] = {}
        for name_node, value_node in node.value:
            name, line = whole_text(name_node.value), name_node.start_mark.line + 1
            here = (*key, name or "")
            if name is None:
                self.mistakes.add(key, NO_TEXT)
            elif name in values:
                first = self.mistakes.lines[here]
                lines = f"line {line}" if first == line else f"lines {first} and {line}"
                self.mistakes.add(here, f"stands twice, in {lines}; remove one")
            else:
                self.mistakes.lines[here] = line
                values[name] = self.value(value_node, here)
        return values

    def _without_quotes(self, node: MappingNode, key: Key) -> str:
        """Answer ``{{ name }}`` without quotes, which YAML reads as a mapping in a mapping."""
        source = self._source(node)
        if source.startswith("{{"):
            self.mistakes.add(key, f'put the placeholder in quotes: "{source}"')
        else:
            self.mistakes.add(key, "a key must be text, not a list or a mapping")
        return source

    def _scalar(self, node: Node, key: Key) -> Value:
        kind = node.tag.removeprefix(_TAG)
        if self.as_written(key) and kind != "null":
            kind = "str"
        if kind == "str":
            return self._filled(node.value, key)
        if kind not in _CORE or not re.fullmatch(_CORE[kind], node.value):
            self.mistakes.add(key, f"cannot be read as {kind}; remove the tag")
            return node.value
        return _READ[kind](node.value)

    def _filled(self, text: str, key: Key) -> str:
        filled = fill(text, self.settings, self.asked)
        for mistake in filled.mistakes:
            self.mistakes.add(key, mistake)
        if filled.placeholders:
            self.filled[key] = filled.secret
        joined = whole_text(filled.text)
        if joined is None:
            self.mistakes.add(key, NO_TEXT)
        return joined or ""

    def note_unused(self) -> None:
        """Note the settings that no placeholder asked for, unless one could not be read."""
        if self.mistakes.found:
            return
        for name in sorted(self.settings.keys() - self.asked):
            known = ", ".join(sorted(self.asked)) or "none"
            self.mistakes.elsewhere.append(
                f"--set {name}: there is no {{{{ {name} }}}} in the plan; it has: {known}."
                + did_you_mean(name, self.asked)
            )


def whole_text(text: str) -> str | None:
    """Return the text with surrogate pairs joined, as JSON has them; half a pair is no text."""
    try:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        return None
