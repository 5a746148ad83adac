"""Rows that belong together: how often customers who are alike within look like drift.

    python benchmarks/clusters.py          print the table; fail if the key does not help

Nothing drifts: the customers of the current snapshot and of the reference are drawn from one
population. Each has its own taste over 20 levels, a Dirichlet draw by which two rows of one
customer are the same choice with chance ρ beyond that of any two. A column is a false drift where
its status is ``drift``, without the key and with it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

import kl_drift as kd

LEVELS, REPETITIONS = 20, 200
MOST = 0.08


class World(NamedTuple):
    """How many customers there are, with how many rows each, and how alike these are."""

    current: int
    reference: int
    rows: int
    alike: float


WORLDS = (World(20, 20, 50, 0.5), World(20, 400, 50, 0.5), World(100, 100, 50, 0.1))


def draw(generator: np.random.Generator, customers: int, world: World) -> pa.Table:
    """Return the rows of so many customers."""
    concentration = (1 - world.alike) / world.alike
    tastes = generator.dirichlet(np.full(LEVELS, concentration / LEVELS), size=customers)
    counts = np.array([generator.multinomial(world.rows, taste) for taste in tastes])
    levels = np.repeat(np.tile(np.arange(LEVELS), customers), counts.ravel())
    keys = np.repeat(generator.integers(2**40, size=customers), world.rows)
    return pa.table({"customer": keys, "level": levels.astype(str)})


def judge(generator: np.random.Generator, world: World) -> tuple[bool, bool, float]:
    """Return whether it drifts without the key, whether with it, and the design effect."""
    reference = draw(generator, world.reference, world)
    current = draw(generator, world.current, world)
    alone = kd.compare(current.select(["level"]), reference.select(["level"]))["level"]
    profile = kd.fit(reference, columns=["level"], cluster="customer")
    together = kd.compare(kd.scan(current, like=profile), profile)["level"]
    return alone.status == "drift", together.status == "drift", together.design_effect


def main() -> None:
    """Print how often each world drifts falsely, with and without the key."""
    print("customers  rows each  alike  | without the key  with it | true effect  estimated")
    for world in WORLDS:
        generator = np.random.default_rng(1)
        found = np.array([judge(generator, world) for _ in range(REPETITIONS)], float)
        without, with_it, effect = found.mean(axis=0)
        expected = 1 + (world.rows - 1) * world.alike
        sides = f"{world.current} / {world.reference}"
        print(
            f"{sides:>9}  {world.rows:>9}  {world.alike:>5}  | {without:>15.2f}  {with_it:>7.3f} |"
            f" {expected:>11.1f}  {effect:>6.1f} ± {found[:, 2].std():.1f}"
        )
        if with_it > MOST:
            raise SystemExit(f"{world}: {with_it:.3f} false drifts, expected {MOST} at most")


if __name__ == "__main__":
    main()
