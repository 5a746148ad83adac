"""Write the golden history of the newest version of the tables, beside this script.

    python tests/golden/make_history.py

A file once released is never written again: it shows that its version can still be read.
"""

from __future__ import annotations

from pathlib import Path

from kl_drift.counts.bins import CategoryBins, NumericBins
from kl_drift.counts.histogram import Histogram
from kl_drift.counts.profile import ColumnProfile, Profile, ValueRange
from kl_drift.history.record import _MIGRATIONS, History
from kl_drift.judging.policy import Status, Verdict
from kl_drift.judging.report import ColumnReport, Report, Side

DELAY = NumericBins(domain="float", edges=(0.0, 15.0))
CARRIER = CategoryBins(domain="string", levels=("AA", "UA"))


def profile(day: int, delays: tuple[int, ...], carriers: tuple[int, ...]) -> Profile:
    return Profile(
        columns={
            "delay": ColumnProfile(
                type="double",
                histogram=Histogram(bins=DELAY, counts=delays),
                range=ValueRange(domain="float", minimum=-3.5, maximum=120.0),
            ),
            "carrier": ColumnProfile(
                type="string", histogram=Histogram(bins=CARRIER, counts=carriers)
            ),
        },
        rows=sum(delays),
        sources=(f"flights/day={day}",),
        as_of=f"2013-02-{day:02}",
        created=f"2013-02-{day + 1:02}T06:00:00+00:00",
        created_by="0.1.0",
    )


def _verdict(status: Status, kl: float) -> Verdict:
    limit = 0.05 if status is Status.DRIFT else 0.02
    return Verdict(status=status, which="stated", statistic="kl", value=kl, limit=limit)


def report(current: Profile, kl: float, status: Status) -> Report:
    return Report(
        current=Side(source=current.sources[0], rows=current.rows, as_of=current.as_of),
        reference=Side(source="flights/month=1", rows=400),
        columns=(
            ColumnReport(name="delay", verdict=_verdict(status, kl), kl=kl),
            ColumnReport(name="carrier", verdict=_verdict(Status.OK, 0.001), kl=0.001),
        ),
        bins_digest=current.bins_digest,
        created=current.created,
        created_by="0.1.0",
    )


FIRST = profile(1, (10, 60, 30, 0, 0), (50, 50, 0, 0, 0))
SECOND = profile(2, (5, 45, 50, 0, 0), (55, 44, 0, 1, 0))
DAYS = ((FIRST, report(FIRST, 0.004, Status.OK)), (SECOND, report(SECOND, 0.08, Status.DRIFT)))


def main() -> None:
    target = Path(__file__).with_name(f"history-{len(_MIGRATIONS)}.sqlite")
    target.unlink(missing_ok=True)
    history = History.open(target)
    for current, found in DAYS:
        history.add("flights", current, found)
    history.acknowledge("flights", "2013-02-02", note="snow", by="ann")
    history.accept("flights", "2013-02-01", note="new planes", by="ann")
    history.miss("flights", "2013-02-02", column="carrier", note="a merger", by="bob")
    history.quiet("flights", until="2013-03-01", column="delay", note="known", by="ann")


if __name__ == "__main__":
    main()
