"""Tables of other libraries that are read batch by batch, and never as a whole.

Knows lazy frames, datasets, relations and batches from a generator by their library and their type.
Imports none of the libraries: whoever hands in an object has. Has never heard of bins or counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import dataset as ds

from kl_drift.engines.arrow import LocalSource
from kl_drift.engines.tables import ReopenedSource, StreamSource
from kl_drift.errors import SnapshotInvalidError

_ROWS = 131_072


def open_lazily(data: Any, library: str) -> LocalSource | None:
    """Return the source behind what is read batch by batch; ``None``: it is no such thing.

    Parameters
    ----------
    data : object
        A polars LazyFrame, a pyarrow Dataset, Scanner, Fragment or ParquetFile, a DuckDB relation,
        an Ibis table, a dask DataFrame, or an iterator of RecordBatches or Tables.
    library : str
        Where its type comes from.
    """
    if isinstance(data, pa.RecordBatchReader):
        return StreamSource(data)
    if isinstance(data, ds.Dataset | ds.Fragment):
        return ReopenedSource(lambda: _scanned(data), data.count_rows(), "a pyarrow dataset")
    if isinstance(data, pq.ParquetFile):
        return ReopenedSource(lambda: _of_file(data), data.metadata.num_rows, "a Parquet file")
    reader = _READERS.get((library, type(data).__name__))
    if reader is not None:
        return StreamSource(reader(data), f"a {library} {_NAMES.get(library, 'query')}")
    if isinstance(data, Iterator):
        return StreamSource(_of_tables(data), "a stream of batches")
    return None


def _scanned(data: ds.Dataset | ds.Fragment) -> pa.RecordBatchReader:
    """Scan on one thread, which waits to be asked: others would read a gigabyte ahead."""
    options = ds.ParquetFragmentScanOptions(pre_buffer=False)
    return data.scanner(
        batch_size=_ROWS,
        batch_readahead=1,
        fragment_readahead=1,
        fragment_scan_options=options if _is_parquet(data) else None,
        use_threads=False,
    ).to_reader()


def _is_parquet(data: ds.Dataset | ds.Fragment) -> bool:
    return isinstance(getattr(data, "format", None), ds.ParquetFileFormat)


def _of_file(data: pq.ParquetFile) -> pa.RecordBatchReader:
    """Read one row group after the other: Arrow keeps what it has buffered for a call."""
    batches = (
        batch
        for group in range(data.num_row_groups)
        for batch in data.iter_batches(_ROWS, row_groups=[group], use_threads=False)
    )
    return pa.RecordBatchReader.from_batches(data.schema_arrow, batches)


def _of_lazy_frame(data: Any) -> pa.RecordBatchReader:
    """Stream a polars query in batches; its schema is known before it runs."""
    schema = data.limit(0).collect().to_arrow().schema
    frames = data.collect_batches(chunk_size=_ROWS)
    return _cast(schema, (frame.to_arrow() for frame in frames))


def _of_relation(data: Any) -> pa.RecordBatchReader:
    """Stream a DuckDB relation; younger ones call it by another name."""
    read = getattr(data, "to_arrow_reader", None) or data.fetch_record_batch
    reader: pa.RecordBatchReader = read(_ROWS)
    return reader


def _of_partitions(data: Any) -> pa.RecordBatchReader:
    """Compute a dask frame partition by partition; the first tells the types of all."""
    frames = (data.get_partition(place).compute() for place in range(data.npartitions))
    return _of_tables(pa.Table.from_pandas(frame, preserve_index=False) for frame in frames)


def _of_tables(tables: Iterable[Any]) -> pa.RecordBatchReader:
    """Read tables or batches as they come; the first one's schema is that of all."""
    found = iter(tables)
    first = next(found, None)
    if not isinstance(first, pa.Table | pa.RecordBatch):
        what = "nothing" if first is None else f"a {type(first).__name__}"
        raise SnapshotInvalidError(
            f"an iterator is read as batches of a table, and it yields {what}; "
            "yield pyarrow RecordBatches or Tables"
        )
    return _cast(first.schema, chain([first], found))


def _cast(schema: pa.Schema, tables: Iterable[Any]) -> pa.RecordBatchReader:
    return pa.RecordBatchReader.from_batches(schema, _batches(schema, tables))


def _batches(schema: pa.Schema, tables: Iterable[Any]) -> Iterator[pa.RecordBatch]:
    for each in tables:
        table = pa.Table.from_batches([each]) if isinstance(each, pa.RecordBatch) else each
        yield from table.cast(schema).to_batches(_ROWS)


_READERS: dict[tuple[str, str], Callable[[Any], pa.RecordBatchReader]] = {
    ("polars", "LazyFrame"): _of_lazy_frame,
    ("pyarrow", "Scanner"): lambda data: data.to_reader(),
    ("duckdb", "DuckDBPyRelation"): _of_relation,
    ("_duckdb", "DuckDBPyRelation"): _of_relation,
    ("ibis", "Table"): lambda data: data.to_pyarrow_batches(chunk_size=_ROWS),
    ("dask", "DataFrame"): _of_partitions,
}
"""How a type of a library becomes a stream of batches."""

_NAMES = {"polars": "lazy frame", "pyarrow": "scanner", "duckdb": "relation", "dask": "data frame"}
