"""Parquet files of tests: written, opened as a source, read, damaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kl_drift.engines.parquet import ParquetSource, open_parquet
from kl_drift.snapshot import Snapshot


def write(path: Path, columns: dict[str, Any] | pa.Table | None = None, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = columns if isinstance(columns, pa.Table) else pa.table(columns or {"x": [1, 2, 3]})
    pq.write_table(table, path, **options)
    return path


def source_of(path: str | Path, **stated: Any) -> ParquetSource:
    return open_parquet(Snapshot(path=str(path), **stated))


def values_of(source: ParquetSource, name: str) -> list[object]:
    pieces = [array for part in source.parts() for _, array in part.read([name])]
    return [value for array in pieces for value in array.to_pylist()]


def damage(path: Path, name: str) -> None:
    """Overwrite every data page of a column."""
    metadata = pq.read_metadata(path)
    content = bytearray(path.read_bytes())
    for group in range(metadata.num_row_groups):
        for index in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(index)
            if chunk.path_in_schema == name:
                start = chunk.dictionary_page_offset or chunk.data_page_offset
                size = chunk.total_compressed_size
                content[start : start + size] = b"\xff" * size
    path.write_bytes(content)
