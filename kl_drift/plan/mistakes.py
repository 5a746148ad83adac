"""What is wrong in a plan, gathered so that all of it is said at once, and where.

Knows keys, lines and files. Has never heard of YAML or of what a plan may say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from kl_drift.errors import PlanError

Key: TypeAlias = tuple[str | int, ...]
"""The way to a value: names of mappings and places in lists."""

Value: TypeAlias = Any
"""``None``, bool, int, float, str, a list or a dict of these."""


@dataclass(slots=True, kw_only=True)
class Mistakes:
    """What is wrong in one file, gathered so that all of it is said at once.

    Parameters
    ----------
    path : str
        The file.
    lines : dict of Key to int
        Where each value stands, counted from 1; 0 for what stands in no file.
    begin : str
        Of what stands in no file: where relative paths begin; empty: at the working directory.
    """

    path: str
    begin: str = ""
    lines: dict[Key, int] = field(default_factory=dict)
    found: dict[Key, str] = field(default_factory=dict)
    elsewhere: list[str] = field(default_factory=list)

    def add(self, key: Key, message: str) -> None:
        """Note a mistake; the first about a key is the one that counts."""
        self.found.setdefault(key, message)

    def line(self, key: Key) -> int:
        """Return the line of a key, or of what it is missing from."""
        while key and key not in self.lines:
            key = key[:-1]
        return self.lines.get(key, 1)

    def where(self, key: Key) -> str:
        """Return the file and the line of a key, or what stands for a file where there is none."""
        line = self.line(key)
        return f"{self.path}:{line}" if line else self.path

    @property
    def folder(self) -> Path:
        """Where relative paths begin: the file's folder, or else what was said."""
        return Path(self.path).parent if self.line(()) else Path(self.begin)

    def error(self) -> PlanError:
        """Return what was noted: one line per mistake, in the order of the file."""
        messages = [
            f"{self.where(key)}: {spelled(key)}{': ' if key else ''}{message}"
            for key, message in sorted(self.found.items(), key=lambda item: self.line(item[0]))
        ]
        return PlanError("\n".join(messages + [f"{self.path}: {each}" for each in self.elsewhere]))

    def refuse(self) -> None:
        """Raise what was noted, if anything was.

        Raises
        ------
        PlanError
            See :meth:`error`.
        """
        if self.found or self.elsewhere:
            raise self.error()


def spelled(key: Key) -> str:
    """Write a key for a person: ``columns.include[0]``, ``columns.each['a b'].bins``."""
    text = ""
    for step in key:
        if isinstance(step, str) and re.fullmatch(r"[\w*?=-]+", step):
            text += f".{step}" if text else step
        else:
            text += f"[{step!r}]"
    return text


@dataclass(slots=True, kw_only=True)
class Document:
    """What a file says.

    Parameters
    ----------
    value : dict
        Its values, placeholders filled.
    mistakes : Mistakes
        What is wrong so far, and the lines of every key.
    filled : dict of Key to bool
        The values that a placeholder stood in, and whether it was one of the environment.
    """

    value: dict[str, Value]
    mistakes: Mistakes
    filled: Mapping[Key, bool]
