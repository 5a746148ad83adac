"""A batch from Parquet without the traps: every part file of a snapshot, only the columns needed.

Knows snapshots and data frames. Has never heard of divergences, suites or checkpoints.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from os import PathLike, fspath
from typing import TYPE_CHECKING

from kl_drift.counts.bins import PairBins
from kl_drift.engines.arrow import LocalSource
from kl_drift.engines.opening import open_snapshot
from kl_drift.errors import SnapshotInvalidError
from kl_drift.gx.reference import load_reference

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from kl_drift.counts.profile import Profile
    from kl_drift.snapshot import Snapshot


def parquet_batch(
    snapshot: Snapshot | str | PathLike[str],
    reference: str | PathLike[str],
    *,
    columns: Sequence[str] | None = None,
    besides: Sequence[str] = (),
) -> pd.DataFrame:
    """Read a snapshot as the data frame of a batch: all its part files, only the columns needed.

    Parameters
    ----------
    snapshot : Snapshot, str or path
        A file, a folder, a glob, a hive-partitioned dataset or a URI.
    reference : str or path
        The expectation's reference: its columns are read.
    columns : sequence of str, optional
        Only these of the reference's columns.
    besides : sequence of str
        Further columns of the snapshot, for row conditions and other expectations.

    Returns
    -------
    DataFrame
        With the types of Arrow, so that no number becomes another on the way; for
        ``batch_parameters={"dataframe": …}``. A column that the snapshot does not have is left out,
        and the expectation says so; one that the reference does not have is not read.

    Raises
    ------
    SnapshotError
        If there are no rows to read.
    """
    import pandas as pd

    source = open_snapshot(snapshot)
    wanted = [*_needed(load_reference(fspath(reference), columns)), *besides]
    names = [name for name in dict.fromkeys(wanted) if name in source.schema]
    if not names:
        raise SnapshotInvalidError(f"{source.name}: has none of the columns {', '.join(wanted)}")
    frame: pd.DataFrame = _table(source, names).to_pandas(types_mapper=pd.ArrowDtype)
    return frame


def _needed(like: Profile) -> Iterator[str]:
    for name, column in like.columns.items():
        if column.histogram is not None and isinstance(column.histogram.bins, PairBins):
            yield from column.histogram.bins.columns
        elif column.histogram is not None or column.range is not None:
            yield column.derived_from or name


def _table(source: LocalSource, names: Sequence[str]) -> pa.Table:
    import pyarrow as pa

    chunks: dict[str, list[pa.Array]] = {name: [] for name in names}
    for part in source.parts():
        for name, array in part.read(names):
            chunks[name].append(_plain(array).cast(_plain_type(source.schema[name])))
    return pa.table(
        {
            name: pa.chunked_array(arrays, type=_plain_type(source.schema[name]))
            for name, arrays in chunks.items()
        }
    )


def _plain(array: pa.Array) -> pa.Array:
    """Return the values themselves where each is kept as a place in a dictionary."""
    decode = getattr(array, "dictionary_decode", None)
    return array if decode is None else decode()


def _plain_type(kind: pa.DataType) -> pa.DataType:
    return getattr(kind, "value_type", kind) if str(kind).startswith("dictionary") else kind
