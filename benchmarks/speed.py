"""Time and peak memory of `fit`, `scan` and a whole comparison, beside what a user would write.

Makes two snapshots of 10 million rows and 8 columns (--rows for fewer), runs every task in a fresh
process, in turn and several times, and prints the fastest run of each with its ratio to reading the
file with pyarrow. The rivals' counts and divergences must equal kl-drift's, or the run fails.

    python benchmarks/speed.py [--rows 10000000] [--repeat 3]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROW_GROUPS = 10
TASKS = (
    "read_table",
    "kl-drift scan",
    "kl-drift fit",
    "kl-drift compare",
    "pandas + scipy compare",
)


def write_snapshot(path: Path, rows: int, seed: int, shift: float) -> None:
    generator = np.random.default_rng(seed)
    group = rows // ROW_GROUPS
    writer = None
    for _ in range(ROW_GROUPS):
        table = make_table(generator, group, shift)
        writer = writer or pq.ParquetWriter(path, table.schema, compression="snappy")
        writer.write_table(table, row_group_size=group)
    assert writer is not None
    writer.close()


def make_table(generator: np.random.Generator, rows: int, shift: float) -> pa.Table:
    missing = generator.random(rows) < 0.05
    levels = np.array([f"level-{i:02d}" for i in range(50)])
    return pa.table(
        {
            "normal": generator.normal(shift, 1, rows),
            "lognormal": generator.lognormal(0, 2, rows),
            "uniform": generator.random(rows),
            "single": generator.normal(0, 1, rows).astype(np.float32),
            "delay": np.round(generator.gamma(1, 40, rows)).astype(np.float32),
            "count": generator.poisson(30, rows),
            "nullable": pa.array(generator.normal(0, 1, rows), mask=missing),
            "level": levels[np.minimum(generator.geometric(0.1, rows), 50) - 1],
        }
    )


def run_task(task: str, reference: str, current: str, profile: str) -> dict[str, Any]:
    start = time.perf_counter()
    result: dict[str, Any] = {}
    if task == "read_table":
        pq.read_table(current)
    elif task == "pandas + scipy compare":
        result = rival_compare(reference, current, profile)
    else:
        result = our_task(task, reference, current, profile)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1024 if sys.platform == "linux" else 1024**2
    )
    return {"seconds": seconds, "peak_mb": peak, "result": result}


def our_task(task: str, reference: str, current: str, profile: str) -> dict[str, Any]:
    import kl_drift as kd

    if task == "kl-drift fit":
        kd.fit(reference)
        return {}
    if task == "kl-drift scan":
        kd.scan(current, like=kd.load_profile(profile))
        return {}
    then = kd.fit(reference)
    now = kd.scan(current, like=then)
    report = kd.compare(now, then)
    return {
        column.name: {"kl": column.kl, "counts": now[column.name].histogram.counts}
        for column in report
    }


def rival_compare(reference: str, current: str, profile: str) -> dict[str, Any]:
    """Do what a careful user would: read both with pandas, bin with NumPy, take scipy's entropy.

    The edges are those of the saved profile, so that the answers can be compared; a user would
    spend further time on quantiles.
    """
    import pandas as pd
    from scipy.stats import entropy

    edges = {
        name: column["bins"]
        for name, column in json.loads(Path(profile).read_text())["columns"].items()
    }
    frames = [pd.read_parquet(path) for path in (reference, current)]
    answer = {}
    for name, bins in edges.items():
        then, now = (rival_counts(frame[name], bins) for frame in frames)
        expected = (then + 0.5) / (then.sum() + len(then) / 2)
        found = (now + expected) / (now.sum() + 1)
        answer[name] = {"kl": float(entropy(found, expected)), "counts": now.tolist()}
    return answer


def rival_counts(column: Any, bins: dict[str, Any]) -> np.ndarray:
    nulls = int(column.isna().sum())
    if bins["kind"] == "categories":
        counted = column.value_counts()
        kept = [int(counted.get(level, 0)) for level in bins["levels"]]
        return np.array([*kept, 0, int(counted.sum()) - sum(kept), nulls])
    values = column.dropna().to_numpy()
    places = np.searchsorted(np.array(bins["edges"]), values, side="right")
    counts = np.bincount(places, minlength=len(bins["edges"]) + 1)
    return np.array([*counts, *([0] if bins["domain"] == "float" else []), nulls])


def measure(task: str, paths: list[str]) -> dict[str, Any]:
    command = [sys.executable, __file__, "--task", task, *paths]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def check_answers(best: dict[str, dict[str, Any]]) -> None:
    ours, rival = (best[task]["result"] for task in TASKS[-2:])
    assert ours.keys() == rival.keys()
    for name, answer in ours.items():
        assert list(answer["counts"]) == rival[name]["counts"], name
        assert abs(answer["kl"] - rival[name]["kl"]) < 1e-12, name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--task", choices=TASKS)
    parser.add_argument("paths", nargs="*")
    options = parser.parse_args()
    if options.task:
        print(json.dumps(run_task(options.task, *options.paths)))
        return
    with tempfile.TemporaryDirectory() as folder:
        compare_all(Path(folder), options.rows, options.repeat)


def compare_all(folder: Path, rows: int, repeat: int) -> None:
    import kl_drift as kd

    reference, current = folder / "reference.parquet", folder / "current.parquet"
    write_snapshot(reference, rows, seed=1, shift=0.0)
    write_snapshot(current, rows, seed=2, shift=0.3)
    kd.save(kd.fit(reference), folder / "reference.json")
    paths = [str(reference), str(current), str(folder / "reference.json")]
    runs: dict[str, list[dict[str, Any]]] = {task: [] for task in TASKS}
    for _ in range(repeat):
        for task in TASKS:
            runs[task].append(measure(task, paths))
    best = {task: min(done, key=lambda run: run["seconds"]) for task, done in runs.items()}
    check_answers(best)
    size = current.stat().st_size / 1024**2
    print(
        f"{rows:,} rows × 8 columns, {size:.0f} MB a snapshot, best of {repeat}, imports included"
    )
    print(f"{'task':<24}{'seconds':>9}{'× read_table':>14}{'peak MB':>9}")
    for task, run in best.items():
        ratio = run["seconds"] / best["read_table"]["seconds"]
        print(f"{task:<24}{run['seconds']:>9.2f}{ratio:>14.2f}{run['peak_mb']:>9.0f}")
    print("counts and divergences of kl-drift and of pandas + scipy are equal")


if __name__ == "__main__":
    main()
