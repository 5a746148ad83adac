"""What an engine owes: the one contract of all that can be sampled and counted.

Knows what is asked of an engine, and what it must answer. Has never heard of how it does so, nor of
divergences.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from kl_drift.engines.declared import declared_type
from kl_drift.errors import SnapshotInvalidError, UsageError

if TYPE_CHECKING:
    import pyarrow as pa

    from kl_drift.counts.counting import Tally
    from kl_drift.counts.profile import LeftOut
    from kl_drift.engines.reading import Columns, Pair, Request, Sample, Step


class Source(ABC):
    """A table that an engine samples and counts.

    Whatever derives from this class can be handed to :func:`kl_drift.fit`,
    :func:`kl_drift.scan` and :func:`kl_drift.compare`. An engine on this machine, whose rows become
    Arrow arrays, derives from :class:`kl_drift.engines.arrow.LocalSource` and says only how its
    parts are read; one that counts elsewhere (a database, a cluster) derives from this class.
    :class:`kl_drift.testing.EngineLaws` proves either.

    Every engine owes:

    - **Sums.** The counts of every tally sum to the rows of the table: no row is lost, none counted
      twice, also where rows come and go meanwhile (then: :exc:`SnapshotInvalidError`).
    - **Cells.** A value lies in the cell whose lower edge is the last one at or below it, compared
      as exactly as the column's type is. NaN has the cell ``bins.nan_cell``, null
      ``bins.null_cell``, the infinities the open ends. The range of a tally is that of the finite
      values; a negative zero is zero.
    - **Levels.** A level is its text, as :func:`kl_drift.counts.arrays.level_dictionary` writes
      it, and two texts are one level only if all their bytes are equal, whatever the collation. A
      level that is not kept counts as ``other`` if ``bins.known`` holds its hash, else as
      ``unseen``, and then its name and rows stand in ``Tally.unseen``:
      :meth:`kl_drift.counts.counting.LevelCounter.count_levels` does all that. More than
      :data:`~kl_drift.engines.reading.LEVEL_LIMIT` levels are :class:`TooManyLevels` in a sample;
      :meth:`tally` may refuse as many where it would have to fetch them.
    - **Errors.** A :exc:`~kl_drift.errors.SnapshotError` that names the source, the column and what
      to do: ``SnapshotNotFoundError`` where nothing is there, ``SnapshotUnreadableError`` where it
      cannot be read, ``SnapshotInvalidError`` where it holds what its schema does not allow. What
      an engine cannot do (pairs, samples) is a :exc:`~kl_drift.errors.UsageError`, before a row is
      read. Never a part of the counts.

    Examples
    --------
    An engine that counts a list of dictionaries:

    >>> import pyarrow as pa
    >>> import kl_drift as kd
    >>> from kl_drift.counts.counting import counter
    >>> from kl_drift.engines.reading import Reading, latest_moment
    >>> from kl_drift.engines.source import Source
    >>> class Records(Source):
    ...     name = "a list of dictionaries"
    ...
    ...     def __init__(self, records, types):
    ...         self.records = records
    ...         self.types = types
    ...
    ...     @property
    ...     def schema(self):
    ...         return self.types
    ...
    ...     def values(self, reading):
    ...         column = reading.column
    ...         found = [record.get(column) for record in self.records]
    ...         return reading(pa.array(found, self.schema[column]))
    ...
    ...     def tally(self, columns, pairs, step=None):
    ...         for pair in pairs:
    ...             raise kd.errors.UsageError(f"{self.name}: pairs are not counted, as {pair!r}")
    ...         tallies = {
    ...             name: counter(bins).count(self.values(reading))
    ...             for name, (reading, bins) in columns.items()
    ...         }
    ...         if step:
    ...             step(len(self.records))
    ...         return len(self.records), tallies
    ...
    ...     def latest(self, columns):
    ...         return {c: latest_moment(self.values(Reading(column=c))) for c in columns}
    >>> reference = kd.fit({"price": [1.0, 2.5, None], "shop": ["a", "b", "b"]})
    >>> types = {"price": pa.float64(), "shop": pa.string()}
    >>> records = Records([{"price": 2.5, "shop": "b"}, {"shop": "c"}], types)
    >>> current = kd.scan(records, like=reference)
    >>> current.rows, current["price"].nulls, dict(current["shop"].unseen)
    (2, 1, {'c': 1})
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """What messages and profiles call it."""

    @property
    @abstractmethod
    def schema(self) -> Mapping[str, pa.DataType]:
        """The columns, and the Arrow types that their values have or would have."""

    @property
    def partition_keys(self) -> frozenset[str]:
        """The columns that tell snapshots apart, as the names of folders do; by default none."""
        return frozenset()

    @property
    def index_columns(self) -> frozenset[str]:
        """The columns that hold the index of a pandas data frame; by default none."""
        return frozenset()

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """Files of the snapshot that are not read; by default none."""
        return ()

    @property
    def rows(self) -> int | None:
        """How many rows there are; ``None``, the default: not known before they are counted.

        An engine that hands out samples knows.
        """
        return None

    @abstractmethod
    def tally(
        self, columns: Columns, pairs: Mapping[str, Pair], step: Step | None = None
    ) -> tuple[int, dict[str, Tally]]:
        """Count columns and pairs, all at once.

        Parameters
        ----------
        columns : mapping of str to (Reading, Bins)
            What to count, under which name.
        pairs : mapping of str to Pair
            What to count together, under which name.
        step : callable, optional
            Told of the rows that are done.

        Returns
        -------
        (int, dict of str to Tally)
            The rows, and the tallies by name; the counts of each sum to the rows.
        """

    @abstractmethod
    def latest(self, columns: Sequence[str]) -> dict[str, int | None]:
        """Return the latest moment in each timestamp column, in microseconds since 1970.

        Ages are counted from it; ``None`` where all are null.
        """

    def sample(self, wanted: Mapping[str, Request], step: Step | None = None) -> dict[str, Sample]:
        """Sample columns, so that bins can be fitted on them.

        Parameters
        ----------
        wanted : mapping of str to NumbersWanted or LevelsWanted
            What to sample, under which name.
        step : callable, optional
            Told of the rows that are done.

        Returns
        -------
        dict of str to NumberSample, LevelSample or TooManyLevels
            Values of the same rows, spread evenly over the table, the same each time; extremes,
            rows and levels are exact.

        Raises
        ------
        UsageError
            By default: bins are fitted on rows, and those of such an engine stay where they are.
        """
        del wanted, step
        raise UsageError(
            f"{self.name}: bins are fitted on rows, and its rows stay where they are; fit to a "
            "Parquet snapshot of it, or to its rows read into a data frame; then scan it"
        )

    def rereadable(self) -> AbstractContextManager[Source]:
        """Give a source that can be read twice: itself, unless its rows come by but once."""
        return nullcontext(self)


def checked_schema(schema: pa.Schema, name: str) -> dict[str, pa.DataType]:
    """Return the columns by name; refuse a name that stands twice."""
    column, times = next(iter(Counter(schema.names).most_common(1)), ("", 0))
    if times > 1:
        raise SnapshotInvalidError(
            f"{name}: column {column!r} occurs {times} times; rename all but one of them"
        )
    return {field.name: declared_type(field) for field in schema}
