"""What an engine counts elsewhere: a table whose rows stay in a database or on a cluster.

Knows what is asked of such an engine. Has never heard of how it counts, nor of divergences.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from kl_drift.counts.bins import Bins
    from kl_drift.counts.counting import Tally
    from kl_drift.engines.arrow import Pair, Reading


class Remote(ABC):
    """A table that is counted where it is; of its rows, only the counts are seen here."""

    partition_keys: frozenset[str] = frozenset()
    """None: no folder tells the snapshots of such a table apart."""

    rows: int | None = None
    """Not known before they are counted."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What messages and profiles call it."""

    @property
    @abstractmethod
    def schema(self) -> Mapping[str, pa.DataType]:
        """The columns, and the Arrow types that their values would have."""

    @abstractmethod
    def tally(
        self, wanted: Mapping[str, tuple[Reading, Bins]], pairs: Mapping[str, Pair]
    ) -> tuple[int, dict[str, Tally]]:
        """Count columns and pairs, all at once; as :func:`kl_drift.engines.arrow.tally`."""

    @abstractmethod
    def latest(self, columns: Sequence[str]) -> dict[str, int | None]:
        """Return the latest moment in each timestamp column, in microseconds since 1970."""
