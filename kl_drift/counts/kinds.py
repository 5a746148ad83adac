"""Why a column is not counted: a value of a closed set, and the details that explain it.

What decides is always the kind, never a sentence: those are made where they are shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """Why a column is not counted."""

    NOT_SELECTED = "not selected"
    PARTITION_KEY = "partition key"
    INDEX = "index"
    CLUSTER_KEY = "cluster key"
    MOVES = "moves by construction"
    JUDGED_AS = "judged as its parts"
    NESTED = "nested type"
    UNKNOWN_TYPE = "unknown type"
    IDENTIFIER = "identifier"
    TOO_MANY_LEVELS = "too many levels"
    TYPE_CHANGED = "type changed"
    NEW = "new"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Uncounted:
    """Why one column is not counted.

    Parameters
    ----------
    kind : Kind
        Why.
    parts : tuple of str
        As what it is judged instead (``hour``, ``weekday``, ``age``).
    most : int
        How many levels are counted at most, where it has more.
    reference_type : str
        The Arrow type in the reference, where it has changed.
    column : str
        Of two columns together: the one that changed its type.
    """

    kind: Kind
    parts: tuple[str, ...] = ()
    most: int = 0
    reference_type: str = ""
    column: str = ""

    def __str__(self) -> str:
        """Name the kind, for messages."""
        return str(self.kind)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types, without what is empty."""
        plain = {**asdict(self), "kind": str(self.kind), "parts": list(self.parts)}
        return {name: value for name, value in plain.items() if value}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Uncounted:
        """Rebuild it from :meth:`to_dict`.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is none.
        """
        known = {**plain, "kind": Kind(plain["kind"]), "parts": tuple(plain.get("parts", ()))}
        return cls(**known)
