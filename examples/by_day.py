"""Write a year of flights as one snapshot a day: FOLDER/date=2013-01-01/part-0.parquet and so on.

python examples/by_day.py [FOLDER]        # out/flights-by-day, 365 snapshots, 10 MB
"""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

HERE = Path(__file__).parent
FLIGHTS = HERE / "flights"
OUT = HERE.parent / "out" / "flights-by-day"


def write_days(folder: Path, flights: Path = FLIGHTS) -> dict[str, Path]:
    """Write one snapshot a day; return where each is."""
    written = {}
    for month in sorted(flights.glob("month=*")):
        table = pq.read_table(month / "part-0.parquet", partitioning=None)
        for day in sorted(pc.unique(table["day"]).to_pylist()):
            date = f"{month.name.removeprefix('month=')}-{day:02}"
            written[date] = folder / f"date={date}"
            written[date].mkdir(parents=True, exist_ok=True)
            pq.write_table(of_day(table, day), written[date] / "part-0.parquet")
    return written


def of_day(table: pa.Table, day: int) -> pa.Table:
    """Return the flights of one day, without the column that says which day it is."""
    return table.filter(pc.equal(table["day"], day)).drop_columns("day")


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else OUT
    written = write_days(folder)
    sys.stdout.write(f"{len(written)} snapshots in {folder}\n")
