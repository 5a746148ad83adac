"""The engine of a cluster: Spark hands its rows to kl-drift's own counting, in one job.

Knows Spark DataFrames. Has never heard of divergences, limits or reports. The executors need
kl-drift itself, with NumPy and pyarrow; pandas is not used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from kl_drift.counts.counting import Tally
from kl_drift.counts.profile import ValueRange
from kl_drift.engines.parts import Part, PartCounter, latest_of_part, part_of
from kl_drift.engines.reading import Columns, Pair, Step, later
from kl_drift.engines.source import Source, checked_schema
from kl_drift.errors import SnapshotUnreadableError
from kl_drift.version import __version__

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import DataType

_RESULT = "result string"
_MISSING = re.compile(r"No module named '((?:kl_drift|pyarrow|numpy)\b[^']*)'")
_ROWS = 131_072  # Spark's own batches are small; joined they count faster

PartResult = Callable[[Part], dict[str, Any]]


class SparkTable(Source):
    """A Spark DataFrame, classic or Connect.

    Parameters
    ----------
    frame : pyspark.sql.DataFrame
        Its rows are read once by each job; cache it where they are dear.
    name : str
        What messages and profiles call it.
    """

    def __init__(self, frame: DataFrame, name: str = "a Spark table") -> None:
        self._frame = frame
        self._name = name

    @property
    def name(self) -> str:
        """What messages and profiles call it."""
        return self._name

    @cached_property
    def schema(self) -> Mapping[str, pa.DataType]:
        """The columns and the Arrow types of their values; moments are in UTC."""
        fields = self._frame.schema.fields
        return checked_schema(
            pa.schema([(field.name, _arrow_type(field.dataType)) for field in fields]), self.name
        )

    def tally(
        self, columns: Columns, pairs: Mapping[str, Pair], step: Step | None = None
    ) -> tuple[int, dict[str, Tally]]:
        """Count columns and pairs in one job."""
        needed = sorted({reading.column for reading, _ in columns.values()})
        rows, totals = 0, PartCounter(columns, pairs).empty()
        for found in self._map(needed, _Counting(columns, pairs)):
            rows += found["rows"]
            if step:
                step(found["rows"])
            for name, plain in found["tallies"].items():
                totals[name] += _tally(plain)
        return rows, totals

    def latest(self, columns: Sequence[str]) -> dict[str, int | None]:
        """Return the latest moment in each timestamp column, in one job."""
        moments: dict[str, int | None] = dict.fromkeys(columns)
        for found in self._map(columns, _Latest(tuple(columns))):
            for name, moment in found["latest"]:
                moments[name] = later(moments[name], moment)
        return moments

    def _map(self, columns: Sequence[str], result: PartResult) -> Iterator[dict[str, Any]]:
        """Run ``result`` over all rows where they are, and yield what it says of them."""
        from pyspark.sql import functions

        # Names of our own, since Spark splits a name at its dots and tells no case apart.
        order = list(self.schema)
        renamed = self._frame.toDF(*(f"c{place}" for place in range(len(order))))
        needed = [functions.col(f"c{order.index(name)}") for name in columns]
        frame = renamed.select(*needed, functions.lit(True).alias("row"))  # a row without columns
        mapped = frame.mapInArrow(_Mapper((*columns, ""), result), _RESULT)
        with _explained(self.name):
            lines = mapped.collect()
        return (json.loads(line[0]) for line in lines)


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Say in one line where a worker lacks what counting needs."""
    from pyspark.errors import PySparkException

    try:
        yield
    except PySparkException as error:
        if missing := _MISSING.search(str(error)):
            raise SnapshotUnreadableError(
                f"{name}: the Spark workers cannot count, they have no module "
                f"{missing[1]!r}; install kl-drift {__version__} where the executors run, or ship "
                "it with spark.archives"
            ) from error
        raise


class _Mapper:
    """Runs on the executors: batches of rows become one line of JSON for each few of them."""

    def __init__(self, names: tuple[str, ...], result: PartResult) -> None:
        self._names = names
        self._result = result

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for table in _joined(batches):
            found = self._result(part_of(table.rename_columns(list(self._names))))
            yield pa.RecordBatch.from_pydict({"result": [json.dumps(found)]})


def _joined(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(each.num_rows for each in waiting) >= _ROWS:
            yield pa.Table.from_batches(waiting).combine_chunks()
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting).combine_chunks()


class _Counting:
    """Counts a part; travels to the executors as the bins, not as what is made of them."""

    def __init__(self, columns: Columns, pairs: Mapping[str, Pair]) -> None:
        self._columns = dict(columns)
        self._pairs = dict(pairs)
        self._counter: PartCounter | None = None

    def __call__(self, part: Part) -> dict[str, Any]:
        self._counter = self._counter or PartCounter(self._columns, self._pairs)
        tallies = self._counter(part)
        return {"rows": part.rows, "tallies": {n: _plain(each) for n, each in tallies.items()}}


class _Latest:
    """Finds the latest moments of a part."""

    def __init__(self, columns: tuple[str, ...]) -> None:
        self._columns = columns

    def __call__(self, part: Part) -> dict[str, Any]:
        return {"latest": latest_of_part(part, self._columns)}


def _plain(tally: Tally) -> dict[str, Any]:
    return {
        "counts": tally.counts.tolist(),
        "range": asdict(tally.range) if tally.range else None,
        "unseen": dict(tally.unseen),
    }


def _tally(plain: Mapping[str, Any]) -> Tally:
    return Tally(
        counts=np.array(plain["counts"], np.int64),
        range=ValueRange(**plain["range"]) if plain["range"] else None,
        unseen=plain["unseen"],
    )


def _arrow_type(kind: DataType) -> pa.DataType:
    """Return the Arrow type of a column; one that Arrow has not is nested: never counted."""
    from pyspark.errors import PySparkException
    from pyspark.sql.pandas.types import to_arrow_type
    from pyspark.sql.types import TimestampType

    if isinstance(kind, TimestampType):
        return pa.timestamp("us", "UTC")
    try:
        return to_arrow_type(kind)
    except PySparkException:
        return pa.struct([(kind.simpleString(), pa.null())])
