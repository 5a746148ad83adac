"""Placeholders in text: ``{{ name }}`` from what the user gives, ``${NAME}`` from the environment.

Knows one text at a time. Has never heard of files, of YAML or of plans.

Either may say what stands for a missing one, ``{{ month:-2013-01 }}``; as in a shell, an empty
variable of the environment is then missing, too. What fills a placeholder is not looked at again.
A literal ``${`` is written ``$${``, and a literal ``{{`` is written ``{{ '{{' }}``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from kl_drift.errors import did_you_mean

_PLACEHOLDER = re.compile(
    r"""
      (?P<dollar> \$\$\{ )
    | (?P<braces> \{\{ \s* (?P<quote>["']) \{\{ (?P=quote) \s* \}\} )
    | \$\{ (?P<variable> [^{}]* ) \}
    | \{\{ (?P<setting> [^{}]* ) \}\}
    | \$\{ | \{\{                          # begun, and not ended
    """,
    re.VERBOSE,
)
_NAME = re.compile(r"[A-Za-z_][\w.-]*")


@dataclass(slots=True, kw_only=True)
class Filled:
    """A text whose placeholders were filled.

    Parameters
    ----------
    text : str
        The text; a placeholder that could not be filled still stands in it.
    placeholders : int
        How many there were.
    secret : bool
        Whether one was of the environment, so that the text is not to be shown.
    mistakes : list of str
        What could not be filled, and what to do.
    """

    text: str
    placeholders: int = 0
    secret: bool = False
    mistakes: list[str] = field(default_factory=list)


def fill(text: str, settings: Mapping[str, str], asked: set[str]) -> Filled:
    """Fill the placeholders of a text.

    Parameters
    ----------
    text : str
        Any text.
    settings : mapping of str to str
        What ``{{ name }}`` stands for.
    asked : set of str
        Is told the names that the text asks of the settings.
    """
    filled = Filled(text="")

    def replacement(found: re.Match[str]) -> str:
        if found["dollar"] or found["braces"]:
            return "${" if found["dollar"] else "{{"
        filled.placeholders += 1
        filled.secret |= found["variable"] is not None
        try:
            return _value(found, settings, asked)
        except ValueError as error:
            filled.mistakes.append(str(error))
            return found[0]

    filled.text = _PLACEHOLDER.sub(replacement, text)
    return filled


def escaped(text: str) -> str:
    """Return what is filled to ``text``, whatever that is."""
    return re.sub(r"\$\{|\{\{", lambda begun: "$${" if begun[0] == "${" else "{{ '{{' }}", text)


def _parted(inside: str) -> tuple[str, str | None]:
    """Return the name in a placeholder, and its default, if it has one."""
    name, given, default = inside.partition(":-")
    return name.strip(), default.strip() if given else None


def _value(found: re.Match[str], settings: Mapping[str, str], asked: set[str]) -> str:
    variable = found["variable"] is not None
    name, default = _parted(found["variable"] or found["setting"] or "")
    if not _NAME.fullmatch(name):
        raise ValueError(_malformed(found[0]))
    if not variable:
        asked.add(name)
    value = os.environ.get(name) if variable else settings.get(name)
    if default is not None and (value is None or (variable and not value)):
        return default
    if value is None:
        raise ValueError(_unset(name) if variable else _not_given(name, settings))
    return value


def _malformed(found: str) -> str:
    if found in ("${", "{{"):
        end = "}" if found == "${" else "}}"
        return f"{found} is not closed by {end}; a literal {found} is written {escaped(found)}"
    return (
        f"{found} is no placeholder: expected ${{NAME}}, {{{{ name }}}} or one with a default, "
        "{{ name:-default }}; expressions are not filled"
    )


def _unset(name: str) -> str:
    return (
        f"the environment has no {name}.{did_you_mean(name, os.environ)} "
        f"Type  export {name}=…  or write ${{{name}:-default}}"
    )


def _not_given(name: str, settings: Mapping[str, str]) -> str:
    known = f"given: {', '.join(settings)}" if settings else "nothing was given"
    return (
        f"nothing fills {{{{ {name} }}}}; {known}.{did_you_mean(name, settings)} "
        f"Type  --set {name}=…  (in Python and DAGs  values={{{name!r}: …}}),  or write  "
        f"{{{{ {name}:-default }}}}"
    )
