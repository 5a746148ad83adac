"""Rows that belong together, asked of an engine: the keys, and every column by group of keys.

Knows which columns and pairs to ask for, and what the answers say. Has never heard of how they are
counted, nor of what is told by groups.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pyarrow as pa

from kl_drift.counts.bins import CategoryBins
from kl_drift.counts.clusters import GroupedBins, KeyBins, key_domain
from kl_drift.counts.counting import Tally
from kl_drift.counts.profile import Cluster, ColumnProfile
from kl_drift.engines.reading import Columns, Pair, Reading


class ByKey:
    """What is counted besides: nothing, where no key says which rows belong together.

    Parameters
    ----------
    key : str
        The column of keys; empty: there is none.
    schema : mapping of str to DataType
        The columns of the source.
    wanted : mapping of str to (Reading, Bins)
        The columns that are counted.

    Raises
    ------
    ColumnTypeError
        If the column holds no keys.
    """

    def __init__(self, key: str, schema: Mapping[str, pa.DataType], wanted: Columns) -> None:
        self._key, self._mark = key, f" by {key}"
        while any(name.endswith(self._mark) for name in schema):
            self._mark += "'"
        self._bins = {
            name: GroupedBins(sides=(KeyBins(), bins)) for name, (_, bins) in wanted.items() if key
        }
        reading = Reading(column=key)
        self.columns: Columns = {}
        if key:
            all_keys = CategoryBins(domain=key_domain(schema[key], key), levels=())
            self.columns = {self._mark: (reading, all_keys)}
        self.pairs = {
            name + self._mark: Pair((reading, wanted[name][0]), bins)
            for name, bins in self._bins.items()
        }

    def cluster(self, tallies: Mapping[str, Tally]) -> Cluster | None:
        """Return what is known of the keys."""
        return Cluster.of(self._key, tallies[self._mark].unseen) if self._key else None

    def group(
        self, columns: Mapping[str, ColumnProfile], tallies: Mapping[str, Tally]
    ) -> dict[str, ColumnProfile]:
        """Return the columns with their rows by group of keys, where there is a key."""
        return {name: self._grouped(name, column, tallies) for name, column in columns.items()}

    def _grouped(
        self, name: str, column: ColumnProfile, tallies: Mapping[str, Tally]
    ) -> ColumnProfile:
        if name not in self._bins:
            return column
        groups = self._bins[name].groups(tallies[name + self._mark].counts)
        return replace(column, groups=groups)
