"""The table of false alarms in the documentation is that of the last long run.

Run this file to print the table for the page.
"""

from __future__ import annotations

import json
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"
FOUND = json.loads((DOCS / "figures" / "false_alarms.json").read_text(encoding="utf-8"))
RULES = {
    "KL > 0.1": "KL > .1",
    "PSI > 0.1": "PSI > .1",
    "p < 0.05": "p < .05",
    "lower limit > 0.05": "lower limit > .05",
    "both gates (kl-drift)": "**both gates**",
}
WORLDS = ("steady", "varied", "heavy-tailed")


def table() -> str:
    lines = [
        f"| days | rows | {' | '.join(RULES.values())} |",
        "| --- | ---: |" + " ---: |" * len(RULES),
    ]
    for world in WORLDS:
        for rows in (500, 5_000, 50_000, 1_000_000):
            cells = [cell(world, rows, rule) for rule in RULES]
            lines.append(f"| {world} | {rows:,} | {' | '.join(cells)} |")
    return "\n".join(lines)


def cell(world: str, rows: int, rule: str) -> str:
    (each,) = [
        e for e in FOUND["alarms"] if (e["world"], e["rows"], e["rule"]) == (world, rows, rule)
    ]
    return f"{each['false_alarms']:,.1f} · {each['power_0.05']:.2f} · {each['power_0.1']:.2f}"


def test_the_page_shows_the_last_long_run() -> None:
    assert table() in (DOCS / "explanation" / "benchmarks.md").read_text(encoding="utf-8")


if __name__ == "__main__":
    print(table())  # noqa: T201 - this is what it is run for
