"""The checks of the history as a user of Airflow may see them, and what they may say of them.

Knows the configured history, and which DAG a run belongs to. Has never heard of HTTP or of how a
page is drawn.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, assert_never

from airflow.sdk.configuration import conf

from kl_drift.airflow import _storage
from kl_drift.airflow._reports import SECTION
from kl_drift.airflow._whereabouts import tab_path
from kl_drift.errors import UsageError
from kl_drift.history import overview
from kl_drift.history.feedback import Verb
from kl_drift.history.record import History
from kl_drift.history.runs import Run
from kl_drift.render.checks import CheckLine, CheckPage, RunLine

SHOWN = 30
"""Runs of each check in the list."""
_LATEST = 365
"""Runs on the page of a check."""

Runs = dict[str, tuple[Run, ...]]
"""By the names of the checks."""
May = Callable[[str], bool]
"""Whether a user may do something with a DAG; ``""`` stands for runs of no DAG."""


def opened() -> History:
    """Open the history that the pages read."""
    return History.open(_location(), create=False, timeout=10)


def _location() -> str:
    where = str(conf.get(SECTION, "history", fallback=""))
    conn_id = str(conf.get(SECTION, "history_conn_id", fallback=""))
    if conn_id:
        where = _storage.history_url(conn_id)
    if not where:
        raise UsageError(
            "no history is configured: set history_conn_id, or history, in the section [kl_drift] "
            "of Airflow's configuration, where the API server runs"
        )
    return where


def dags_of(runs: Iterable[Run]) -> set[str]:
    """Return the DAGs to which runs belong; empty text for none."""
    return {str(run.place.get("dag_id") or "") for run in runs}


def lines(history: History, may_read: May, *, dag_id: str = "") -> list[CheckLine]:
    """Return how every check stands that a user may read; of one DAG, if it is named."""
    found, latest = _recent(_location(), history.newest_run())
    known = {(each.check, each.digest): each for each in history.acknowledgements()}
    now = datetime.now(UTC)
    return [
        overview.line_of(
            runs,
            latest[name][-1].columns or (),
            now=now,
            acknowledged=known.get((name, runs[-1].profile)),
        )
        for name, runs in found.items()
        if all(map(may_read, dags_of(runs))) and (not dag_id or dag_id in dags_of(runs[-1:]))
    ]


@lru_cache(maxsize=2)
def _recent(location: str, newest: int) -> tuple[Runs, Runs]:
    """Return the last runs of each check, and what the last found: read once for all readers."""
    history = History.open(location, create=False, timeout=10)
    found = overview.by_check(history.runs(last=SHOWN))
    return found, overview.by_check(history.runs(last=1, columns=True))


def runs_of(history: History, check: str) -> tuple[Run, ...]:
    """Return the runs of a check, or refuse one that there is none of."""
    runs = _runs(_location(), check, history.newest_run())
    if not runs:
        raise LookupError(f"no check {check!r} in this history")
    return runs


@lru_cache(maxsize=16)
def _runs(location: str, check: str, newest: int) -> tuple[Run, ...]:
    return History.open(location, create=False, timeout=10).runs_of(check, last=_LATEST)


def page_of(
    history: History, runs: Sequence[Run], *, column: str, base: str, may_acknowledge: bool
) -> CheckPage:
    """Return what the page of a check shows."""
    acknowledged = history.acknowledgements(runs[-1].check)
    last = [each for each in acknowledged if each.digest == runs[-1].profile]
    return CheckPage(
        line=overview.line_of(
            runs, runs[-1].columns or (), now=datetime.now(UTC),
            acknowledged=last[0] if last else None,
        ),
        runs=[_run(run, base) for run in runs],
        columns=overview.columns_of(runs),
        notes=overview.notes_of(history.feedback(runs[-1].check)),
        chosen=column,
        may_acknowledge=may_acknowledge,
    )  # fmt: skip


def _run(run: Run, base: str) -> RunLine:
    return RunLine(
        day=run.day,
        created=run.created,
        status=run.status,
        rows=run.rows,
        said=run.said,
        profile=run.profile,
        link=f"{base}/{tab_path(run.place)}" if run.place.get("dag_id") else "",
    )


def record(history: History, said: Mapping[str, Any], *, by: str) -> None:
    """Record what somebody says of a check, by its verb."""
    check, which, note = said["check"], said["profile"], said["note"]
    verb: Verb = said["verb"]
    match verb:
        case "incident":
            history.acknowledge(check, which, note=note, by=by)
        case "normal":
            history.accept(check, which, note=note, by=by)
        case "missed":
            history.miss(check, which, column=said["column"], note=note, by=by)
        case "quiet":
            history.quiet(check, until=said["until"], column=said["column"], note=note, by=by)
        case _:
            assert_never(verb)
