"""How often a limit must be exceeded before it is a drift: n of the last m snapshots.

Knows two numbers and how they are written. Has never heard of limits or of columns.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from kl_drift.errors import UsageError

ConfirmationLike: TypeAlias = "Confirmation | str"

_MOST = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """So many of so many snapshots, the current one included.

    Parameters
    ----------
    needed, among : int
        How many of the last ``among`` must exceed a limit; 1 of 1: every one is a drift by itself.

    Raises
    ------
    UsageError
        If not 1 ≤ needed ≤ among ≤ 14, or one of several would do: then each would be confirmed.

    Examples
    --------
    >>> Confirmation.parse("2 of 3")
    Confirmation(needed=2, among=3)
    >>> str(Confirmation.parse("2 of 3"))
    '2 of 3'
    """

    needed: int = 1
    among: int = 1

    def __post_init__(self) -> None:
        numbers = f"{self.needed} of {self.among}"
        if not 1 <= self.needed <= self.among <= _MOST:
            raise UsageError(
                f"confirm: expected n of m with n from 1 to m and m up to {_MOST}, got {numbers}"
            )
        if self.needed == 1 and self.among > 1:
            raise UsageError(
                f"confirm: {numbers} confirms every snapshot; write 1 of 1, or at least 2 of "
                f"{self.among}"
            )

    @classmethod
    def parse(cls, value: ConfirmationLike) -> Confirmation:
        """Read ``"2 of 3"``, or one as it is.

        Raises
        ------
        UsageError
            If it is neither.
        """
        if isinstance(value, Confirmation):
            return value
        found = re.fullmatch(r"\s*(\d{1,3})\s+of\s+(\d{1,3})\s*", str(value))
        if not found:
            raise UsageError(f"confirm: expected n of m such as 2 of 3, got {value!r}")
        needed, among = map(int, found.groups())
        return cls(needed=needed, among=among)

    def __str__(self) -> str:
        """Write it as :meth:`parse` reads it."""
        return f"{self.needed} of {self.among}"

    @property
    def alone(self) -> bool:
        """Whether one snapshot is enough."""
        return self.among == 1


ALONE = Confirmation()
"""Every snapshot by itself."""

IN_A_ROW = Confirmation(needed=3, among=3)
"""What a check with a history asks for by default."""
