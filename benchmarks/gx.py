"""The drift of ten columns as an expectation: kl-drift's beside Great Expectations' own.

Makes a table of 10 columns, fits kl-drift's bins to one like it and gives the same bins and weights
to Great Expectations' `ExpectColumnKLDivergenceToBeLessThan`, once for each column. Both run on
pandas, SQLite, PostgreSQL and Spark; prints the fastest of several runs, and how many queries or
jobs read the rows. kl-drift's counts must give Great Expectations' divergence, or the run fails.

    python benchmarks/gx.py [--rows 200000] [--repeat 3]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

os.environ["GX_ANALYTICS_ENABLED"] = "False"  # read once, as it is imported
import great_expectations as gx
import numpy as np
import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

import kl_drift as kd
from kl_drift.gx import ExpectTableKLDriftToBeLessThan

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # for the servers of the tests

COLUMNS = [f"c{place}" for place in range(10)]
PSEUDO = 0.5  # in each cell of the reference: Great Expectations gives None where one is empty
ENOUGH = 10.0  # nats; nothing is to fail, all is to be computed


def make_rows(rows: int, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame({name: random.normal(0, 1 + seed / 20, rows) for name in COLUMNS})


def theirs(reference: kd.Profile) -> gx.ExpectationSuite:
    """Return Great Expectations' own expectations, over the same bins and weights."""
    suite = gx.ExpectationSuite(name="theirs")
    for name in COLUMNS:
        weights = weights_of(reference, name, PSEUDO)
        suite.add_expectation(
            gx.expectations.ExpectColumnKLDivergenceToBeLessThan(
                column=name,
                partition_object={
                    "bins": list(reference.counted[name].bins.edges),
                    "weights": weights[1:-1].tolist(),
                    "tail_weights": weights[[0, -1]].tolist(),
                },
                threshold=ENOUGH,
            )
        )
    return suite


def weights_of(profile: kd.Profile, name: str, pseudo: float = 0.0) -> np.ndarray:
    histogram = profile.counted[name]
    counts = np.array(histogram.counts[: histogram.bins.value_cells]) + pseudo
    return counts / counts.sum()


def ours(path: Path) -> gx.ExpectationSuite:
    suite = gx.ExpectationSuite(name="ours")
    suite.add_expectation(ExpectTableKLDriftToBeLessThan(reference=str(path), threshold=ENOUGH))
    return suite


@contextmanager
def pandas_batch(context: Any, rows: pd.DataFrame) -> Iterator[tuple[Any, Callable[[], int]]]:
    asset = context.data_sources.add_pandas("pandas").add_dataframe_asset("rows")
    definition = asset.add_batch_definition_whole_dataframe("all")
    yield definition.get_batch({"dataframe": rows}), lambda: 0


@contextmanager
def sql_batch(
    context: Any, rows: pd.DataFrame, kind: str, url: str
) -> Iterator[tuple[Any, Callable[[], int]]]:
    engine = sa.create_engine(url)
    rows.to_sql("rows_of_today", engine, index=False, chunksize=1_000, method="multi")
    engine.dispose()
    source = getattr(context.data_sources, f"add_{kind}")(kind, connection_string=url)
    asset = source.add_table_asset("rows", table_name="rows_of_today")
    seen: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if "FROM rows_of_today" in statement:
            seen.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    yield asset.add_batch_definition_whole_table("all").get_batch(), lambda: len(seen)
    sa.event.remove(sa.Engine, "before_cursor_execute", note)


@contextmanager
def spark_batch(context: Any, rows: pd.DataFrame) -> Iterator[tuple[Any, Callable[[], int]]]:
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    settings = {"spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1"}
    session = SparkSession.builder.master("local[2]").config(map=settings).getOrCreate()
    frame = session.createDataFrame(pa.Table.from_pandas(rows, preserve_index=False)).cache()
    frame.count()
    asset = context.data_sources.add_spark("spark").add_dataframe_asset("rows")
    definition = asset.add_batch_definition_whole_dataframe("all")
    group = uuid4().hex
    session.sparkContext.setJobGroup(group, "benchmark")
    tracker = session.sparkContext.statusTracker()
    batch = definition.get_batch({"dataframe": frame})
    yield batch, lambda: len(tracker.getJobIdsForGroup(group))
    session.stop()


def measured(batch: Any, suite: Any, reads: Callable[[], int], repeat: int) -> tuple[Any, ...]:
    """Return the fastest run's seconds, the reads of one run, and what was found."""
    fastest = float("inf")
    for _ in range(repeat):
        before, start = reads(), time.perf_counter()
        result = batch.validate(suite)
        fastest = min(fastest, time.perf_counter() - start)
        done = reads() - before
    return fastest, done, result


def check(result: Any, current: kd.Profile, reference: kd.Profile) -> None:
    """Great Expectations' divergence is that of kl-drift's counts, not smoothed further."""
    for each in result.results:
        name = each.expectation_config.kwargs["column"]
        counted = kd.kl_divergence(weights_of(current, name), weights_of(reference, name, PSEUDO))
        assert abs(each.result["observed_value"] - counted) < 1e-9, (name, each.result)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    from servers import postgresql

    warnings.simplefilter("ignore")  # Great Expectations' and Spark's about each other
    rows, then = make_rows(options.rows, 1), make_rows(options.rows, 0)
    reference = kd.fit(then)
    current = kd.scan(rows, like=reference)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    print("| engine | Great Expectations, s | reads | kl-drift, s | reads | ratio |")
    print("| --- | --- | --- | --- | --- | --- |")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kd.save(reference, folder / "reference.json")
        server = stack.enter_context(postgresql()).set(
            drivername="postgresql+psycopg", host="localhost"
        )
        batches = {
            "pandas": pandas_batch(context, rows),
            "SQLite": sql_batch(context, rows, "sqlite", f"sqlite:///{folder}/rows.db"),
            "PostgreSQL": sql_batch(
                context, rows, "postgres", server.render_as_string(hide_password=False)
            ),
            "Spark": spark_batch(context, rows),
        }
        for engine, opened in batches.items():
            with opened as (batch, reads):
                slow, their_reads, result = measured(
                    batch, theirs(reference), reads, options.repeat
                )
                check(result, current, reference)
                suite = ours(folder / "reference.json")
                fast, our_reads, judged = measured(batch, suite, reads, options.repeat)
                assert judged.results[0].result["details"]["current"]["rows"] == options.rows
            print(
                f"| {engine} | {slow:.2f} | {their_reads or '–'} | {fast:.2f} | {our_reads or '–'} "
                f"| {slow / fast:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
