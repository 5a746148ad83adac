"""Why nothing was learned: of a column, or from a snapshot of the history.

Knows a closed set of reasons and their numbers. Has never heard of limits or of sentences: those
are made where they are shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class WhyNot(StrEnum):
    """Why a column has no limit, or why a snapshot was not learned from."""

    TOO_FEW = "too few snapshots"
    OPEN_INCIDENT = "open incident"
    ON_REQUEST = "on request"
    NO_ROWS = "no rows"
    REFERENCE = "is the reference"
    NOTHING_BEFORE = "nothing before"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlearned:
    """Why nothing was learned of one column, or from one snapshot.

    Parameters
    ----------
    kind : WhyNot
        Why.
    snapshots, needed : int
        How many snapshots there are to learn a column from, and how many it takes.
    said : str
        What an older kl-drift said, where that is none of the other kinds.
    """

    kind: WhyNot
    snapshots: int = 0
    needed: int = 0
    said: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types, without what says nothing."""
        counted = {"snapshots": self.snapshots, "needed": self.needed} if self.needed else {}
        said = {"said": self.said} if self.said else {}
        return {"kind": str(self.kind), **counted, **said}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Unlearned:
        """Rebuild it from :meth:`to_dict`.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is none.
        """
        return cls(**{**plain, "kind": WhyNot(plain["kind"])})
