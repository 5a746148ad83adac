"""Check every later month of 2013's flights from New York against January.

Fits the reference once, scans each month like it, prints what drifted and why, and writes an HTML
report for each month. Run it with `make demo`.
"""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

import kl_drift as kd
from kl_drift.render.html import render_html
from kl_drift.render.terminal import print_report
from kl_drift.render.words import moved

HERE = Path(__file__).parent
FLIGHTS = HERE / "flights"
OUT = HERE.parent / "out"
MONTHS = [f"2013-{month:02d}" for month in range(2, 13)]
COLOURS = {"drift": "bold red", "warn": "yellow", "undecided": "cyan", "ok": "green"}

console = Console(highlight=False)


def main() -> None:
    # The day of the month says which days the snapshot holds, not how the flights went.
    reference = kd.fit(flights("2013-01"), columns=kd.Selection(exclude=("day",)))
    # Passengers feel delays first: they alarm earlier than other columns.
    policy = kd.Policy(columns={"*_delay": kd.Policy(drift=0.03)})
    reports = {
        month: kd.compare(kd.scan(flights(month), like=reference), reference, policy=policy)
        for month in track(MONTHS, "checking 11 months against January", console=console)
    }
    console.print(overview(reports))
    worst = max(reports, key=lambda month: severity(reports[month]))
    console.rule(f"The month with most drift: {worst}")
    print_report(reports[worst], console)
    console.print()
    for month, report in reports.items():
        write_page(month, report)
    console.print(f"Open the page of {worst}: {OUT / f'flights-{worst}.html'}", soft_wrap=True)
    console.print(f"One for each month: {OUT}/flights-2013-*.html", soft_wrap=True)


def flights(month: str) -> kd.Snapshot:
    return kd.Snapshot(path=f"{FLIGHTS}/month={month}", label=f"flights of {month}")


def severity(report: kd.Report) -> tuple[int, float]:
    return len(report.drifted), sum(report[name].kl or 0 for name in report.drifted)


def overview(reports: dict[str, kd.Report]) -> Table:
    table = Table(title="Flights from New York, 2013: each month against January")
    table.add_column("month", no_wrap=True)
    table.add_column("rows", justify="right")
    table.add_column("status", no_wrap=True)
    table.add_column("what drifted, and why", ratio=1)
    for month, report in reports.items():
        status = str(report.status)
        table.add_row(
            month,
            f"{report.current.rows:,}",
            Text(status, COLOURS[status]),
            "\n".join(phrase(report[name]) for name in report.drifted)
            or Text(f"nothing; {len(report.with_status(kd.Status.WARN))} warnings", "dim"),
            end_section=True,
        )
    return table


def phrase(column: kd.ColumnReport) -> str:
    return f"{column.name} (KL {column.kl:.3f}): {moved(column, most=1)[0]}"


def write_page(month: str, report: kd.Report) -> None:
    OUT.mkdir(exist_ok=True)
    page = OUT / f"flights-{month}.html"
    page.write_text(render_html(report), encoding="utf-8")


if __name__ == "__main__":
    main()
