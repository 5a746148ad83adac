"""The command line: one command for each step of the walk.

A door: it turns words into calls of :mod:`kl_drift.api` and statuses into exit codes. It holds no
arithmetic.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from kl_drift.errors import KLDriftError, UsageError
from kl_drift.streams import lost, steady_streams
from kl_drift.version import __version__

if TYPE_CHECKING:
    from kl_drift.counts.profile import Profile
    from kl_drift.engines.profiling import Progress
    from kl_drift.judging.policy import Policy, Status
    from kl_drift.judging.report import Report
    from kl_drift.snapshot import Snapshot

_FAILED = 3
_SIGNALS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
_CommandLineError: type[Exception] = typer.BadParameter.__mro__[2]
"""Click's root of usage errors, wherever this typer keeps it."""

app = typer.Typer(
    name="kl-drift",
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Find out which columns of a Parquet snapshot drifted, how far, and where.\n\n"
    "Exit codes: 0 ok (or warnings only), 1 drift, 2 undecided, 3 the check itself failed; "
    "130 interrupted, 143 terminated.",
)


class Format(StrEnum):
    """How a report is written."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"


class RuleName(StrEnum):
    """How limits are applied."""

    GATES = "gates"
    POINT = "point"


_ITEM = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^,"]*?))\s*(?:,|\Z)')
"""A name or pattern of a list, or exactly a name, in double quotes."""

SchemaKind = Literal["plan", "profile", "report", "limits"]
"""What has a JSON Schema."""


Where = Annotated[
    list[str] | None,
    typer.Option("--where", metavar="KEY=VALUE", help="Read only this hive partition. Repeatable."),
]
Columns = Annotated[
    str | None,
    typer.Option(
        help="Judge these columns: names or patterns, as in [cyan]'dep_*,carrier'[/cyan]; "
        "in double quotes exactly a name."
    ),
]
Together = Annotated[
    str | None,
    typer.Option(
        help="Judge these pairs together, too: [cyan]dep_delay:distance,carrier:origin[/cyan]."
    ),
]
ClusterKey = Annotated[
    str,
    typer.Option(metavar="COLUMN", help="Rows with one value of it belong together: customer_id."),
]
OutFile = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write to this file, not to the screen."),
]
OutName = Annotated[
    str,
    typer.Option("--output", "-o", metavar="FILE", help="Save the profile here: a path or a URI."),
]
ReportFormat = Annotated[Format, typer.Option("--format", "-f", help="The format of the report.")]


@app.command(epilog="kl-drift compare --reference flights/month=01 --current flights/month=02")
def compare(
    *,
    reference: Annotated[
        str, typer.Option(metavar="A", help="The reference: a snapshot or a saved profile.")
    ],
    current: Annotated[
        str, typer.Option(metavar="B", help="The current snapshot, or its saved profile.")
    ],
    columns: Columns = None,
    pairs: Together = None,
    cluster: ClusterKey = "",
    reference_where: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Read only this partition of A. Repeatable."),
    ] = None,
    current_where: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Read only this partition of B. Repeatable."),
    ] = None,
    warn: Annotated[
        float | None, typer.Option(help="Warn above this KL, in nats.", show_default="0.02")
    ] = None,
    drift: Annotated[
        float | None,
        typer.Option(help="Call it drift above this KL, in nats.", show_default="0.05"),
    ] = None,
    rule: Annotated[
        RuleName,
        typer.Option(
            help="gates: chance must not explain what is above a limit; point: KL itself counts."
        ),
    ] = RuleName.GATES,
    smoothing: Annotated[
        str, typer.Option(help="How counts become probabilities: jeffreys, laplace or none.")
    ] = "jeffreys",
    format: ReportFormat = Format.TABLE,  # noqa: A002 - typer takes the option's name from it
    output: OutFile = None,
) -> None:
    """Compare a current snapshot with a reference and report which columns drifted."""
    from kl_drift import api

    _refuse_overwriting(output, {"the reference": reference, "the current snapshot": current})
    with _progress("comparing") as progress:
        report = api.compare(
            _snapshot(current, current_where),
            _snapshot(reference, reference_where),
            columns=_names(columns),
            pairs=_together(pairs),
            cluster=cluster,
            policy=_policy(warn, drift, rule),
            smoothing=smoothing,
            progress=progress,
        )
    _write_report(report, format, output)
    raise typer.Exit(_exit_code(report.status))


@app.command(epilog="kl-drift check configs/flights.yaml --set month=2013-02")
def check(
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="The plan's YAML file.")],
    *,
    current: Annotated[
        str | None,
        typer.Option(metavar="B", help="Check this snapshot or profile, not the plan's."),
    ] = None,
    current_where: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Read only this partition of B. Repeatable."),
    ] = None,
    as_of: Annotated[
        str, typer.Option(metavar="MOMENT", help="The date or time it stands for: 2013-02-28.")
    ] = "",
    values: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Fill {{ KEY }} in the plan. Repeatable."),
    ] = None,
    pretend: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CHANGE",
            help="Plant a drift to see what would alarm, and record nothing: "
            "[cyan]'dep_delay +20 %'[/cyan]; repeatable.",
        ),
    ] = None,
    format: ReportFormat = Format.TABLE,  # noqa: A002 - typer takes the option's name from it
    output: OutFile = None,
) -> None:
    """Check a snapshot by a plan."""
    from kl_drift import api
    from kl_drift.plan.plan import load_plan

    if current_where and current is None:
        raise UsageError("--current-where goes with --current; the plan states its own partitions")
    loaded = load_plan(plan, values=dict(_pairs("--set", values)))
    _refuse_overwriting(
        output, {**loaded.reads, **loaded.writes, "the current snapshot": current or ""}
    )
    with _progress("checking") as progress:
        report = api.check(
            loaded,
            current=None if current is None else _snapshot(current, current_where),
            as_of=as_of,
            pretend=pretend or (),
            progress=progress,
        )
    if pretend:
        _note(f"a rehearsal: {', '.join(pretend)} was planted, and nothing was recorded")
    _write_report(report, format, output)
    raise typer.Exit(_exit_code(report.status))


@app.command(
    epilog="kl-drift closest may.json --reference winter=jan.json --reference summer=jul.json"
)
def closest(
    current: Annotated[
        str, typer.Argument(metavar="CURRENT", help="The snapshot, or its profile.")
    ],
    *,
    reference: Annotated[
        list[str],
        typer.Option(metavar="NAME=A", help="A reference and its name. Repeatable."),
    ],
    where: Where = None,
    columns: Columns = None,
    confidence: Annotated[float, typer.Option(help="How sure all intervals together are.")] = 0.95,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell which of several references a snapshot resembles most, or that it is a tie.

    All are counted over the bins of the first saved profile, or else of the first reference.
    """
    from kl_drift import api
    from kl_drift.render.closest import closest_to_dict, closest_to_text

    with _progress("comparing") as progress:
        found = api.closest_reference(
            _snapshot(current, where),
            {name: _snapshot(path, None) for name, path in _pairs("--reference", reference)},
            columns=_names(columns),
            confidence=confidence,
            progress=progress,
        )
    if as_json:
        _print(json.dumps(closest_to_dict(found), ensure_ascii=False) + "\n")
    else:
        typer.echo(closest_to_text(found), nl=False)


@app.command(epilog="kl-drift fit flights/month=01 -o reference.json")
def fit(
    snapshot: Annotated[str, typer.Argument(help="The reference: a file, folder, glob or URI.")],
    output: OutName,
    *,
    columns: Columns = None,
    pairs: Together = None,
    cluster: ClusterKey = "",
    where: Where = None,
) -> None:
    """Fit bins to a reference snapshot and save its profile."""
    from kl_drift import api

    _check_profile_name(output)
    _refuse_overwriting(output, {"the reference": snapshot})
    with _progress("fitting") as progress:
        profile = api.fit(
            _snapshot(snapshot, where),
            columns=_names(columns),
            pairs=_together(pairs),
            cluster=cluster,
            progress=progress,
        )
    _save_profile(profile, output)


@app.command(epilog="kl-drift scan flights/month=02 --like reference.json -o february.json")
def scan(
    snapshot: Annotated[str, typer.Argument(help="The snapshot: a file, folder, glob or URI.")],
    like: Annotated[str, typer.Option(metavar="PROFILE", help="The saved reference profile.")],
    output: OutName,
    where: Where = None,
) -> None:
    """Count a snapshot over the bins of a saved reference profile."""
    from kl_drift import api
    from kl_drift.artefact import load_profile

    _check_profile_name(output)
    _refuse_overwriting(output, {"the current snapshot": snapshot, "the reference": like})
    with _progress("scanning") as progress:
        profile = api.scan(_snapshot(snapshot, where), like=load_profile(like), progress=progress)
    _save_profile(profile, output)


@app.command(epilog="kl-drift merge part-1.json part-2.json -o whole.json")
def merge(
    profiles: Annotated[list[str], typer.Argument(help="The saved profiles of the parts.")],
    output: OutName,
    *,
    repeated: Annotated[
        bool, typer.Option("--repeated", help="Count a part twice that is given twice.")
    ] = False,
) -> None:
    """Merge the profiles of parts into the profile of the whole, exactly."""
    from kl_drift.artefact import load_profile
    from kl_drift.counts.profile import merge as merge_profiles

    _check_profile_name(output)
    _refuse_overwriting(output, {f"the part {path}": path for path in profiles})
    parts = [load_profile(path) for path in profiles]
    _save_profile(merge_profiles(parts, repeated=repeated), output)


@app.command(epilog="kl-drift calibrate plan.yaml day-*.json -o limits.json --leave-out 2013-02-08")
def calibrate(
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="The plan's YAML file.")],
    snapshots: Annotated[
        list[str], typer.Argument(help="Past snapshots or their saved profiles, 14 or more.")
    ],
    *,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="Save the limits here (….json).")
    ],
    leave_out: Annotated[
        list[str] | None,
        typer.Option(metavar="SNAPSHOT", help="Leave out this incident. Repeatable."),
    ] = None,
    values: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Fill {{ KEY }} in the plan. Repeatable."),
    ] = None,
) -> None:
    """Learn limits from past snapshots, and show which of those they would have flagged."""
    from kl_drift import api
    from kl_drift.artefact import is_profile_path, save
    from kl_drift.plan.plan import LEARNED_LIMITS, load_plan
    from kl_drift.render.limits import limits_to_text

    if not is_profile_path(output):
        raise UsageError(
            f"--output {output}: limits are saved as JSON; give a name that ends in .json"
        )
    loaded = load_plan(plan, values=dict(_pairs("--set", values)))
    kept = {what: where for what, where in loaded.reads.items() if what != LEARNED_LIMITS}
    _refuse_overwriting(output, kept | {f"the past snapshot {each}": each for each in snapshots})
    with _progress("calibrating") as progress:
        learned, said = api.calibrate(
            loaded, snapshots, leave_out=leave_out or (), progress=progress
        )
    save(learned, output)
    typer.echo(limits_to_text(learned, said), nl=False)
    _note(f"wrote {output}; name it in the plan as  calibration: {{limits: …}}")


@app.command(epilog="kl-drift history flights.sqlite --check flights")
def history(
    location: Annotated[str, typer.Argument(metavar="HISTORY", help="A SQLite file or a URL.")],
    check: Annotated[
        str | None, typer.Option(help="The check's name. Without it, checks are listed.")
    ] = None,
    last: Annotated[int, typer.Option(min=1, help="How many reports to list.")] = 30,
) -> None:
    """List the reports of a check, oldest first, or the checks of a history."""
    from kl_drift.history.record import History

    record = History.open(location, create=False)
    if check is None:
        for name in record.checks():
            typer.echo(name)
        return
    for entry in record.reports(check, last=last):
        typer.echo(f"{entry.digest[:12]}  {entry.status:<9}  {entry.label}  {entry.created}")


@app.command(epilog="kl-drift acknowledge flights.sqlite flights 2013-02-08 --note 'storm Nemo'")
def acknowledge(
    location: Annotated[str, typer.Argument(metavar="HISTORY", help="A SQLite file or a URL.")],
    check: Annotated[str, typer.Argument(help="The name of the check.")],
    snapshot: Annotated[str, typer.Argument(help="Its label, date (as_of), or digest.")],
    note: Annotated[str, typer.Option(help="What happened, in a few words.")],
    by: Annotated[str, typer.Option(help="Your name.", envvar="USER")] = "",
) -> None:
    """Acknowledge an incident, so that limits are not learned from it."""
    from kl_drift.history.record import History

    done = History.open(location, create=False).acknowledge(check, snapshot, note=note, by=by)
    _note(f"acknowledged {done.digest[:12]}: {note}")


HistoryPlace = Annotated[str, typer.Argument(metavar="HISTORY", help="A SQLite file or a URL.")]
CheckName = Annotated[str, typer.Argument(metavar="CHECK", help="The check.")]
WhichSnapshot = Annotated[
    str,
    typer.Argument(metavar="SNAPSHOT", help="Its label, as_of, or 8 digits of its digest."),
]
Note = Annotated[str, typer.Option(help="Why.")]
By = Annotated[str, typer.Option(help="Who says so.", envvar="USER")]


@app.command(epilog="kl-drift accept flights.sqlite flights 2013-06-01 --note 'new carrier'")
def accept(
    location: HistoryPlace,
    check: CheckName,
    snapshot: WhichSnapshot,
    note: Note,
    by: By = "",
    *,
    reference: Annotated[
        str, typer.Option(metavar="FILE", help="Save it here, to be the plan's reference.")
    ] = "",
) -> None:
    """Accept a snapshot as the new normal: limits are learned from it on."""
    from kl_drift.artefact import save
    from kl_drift.history.record import History

    if reference:
        _refuse_foreign_name(reference)
    record = History.open(location, create=False)
    done = record.accept(check, snapshot, note=note, by=by)
    _note(f"accepted {done.digest[:12]} as the new normal: {note}")
    if reference:
        found = {each.digest: each.profile for each in record.profiles(check, acknowledged=True)}
        save(found[done.digest], reference)
        _note(f"wrote {reference}; name it in the plan as  reference: {reference}")


def _refuse_foreign_name(reference: str) -> None:
    from kl_drift.artefact import is_profile_path

    if not is_profile_path(reference):
        raise UsageError(f"--reference {reference}: a profile has a name that ends in .json")


@app.command(epilog="kl-drift missed flights.sqlite flights 2013-06-01 dest --note 'no JFK'")
def missed(
    location: HistoryPlace,
    check: CheckName,
    snapshot: WhichSnapshot,
    column: Annotated[str, typer.Argument(metavar="COLUMN", help="What should have alarmed.")],
    *,
    note: Note,
    by: By = "",
) -> None:
    """Say that a column should have alarmed; the snapshot is not learned from."""
    from kl_drift.history.record import History

    done = History.open(location, create=False).miss(
        check, snapshot, column=column, note=note, by=by
    )
    _note(f"{column} of {done.digest[:12]} should have alarmed: {note}")


@app.command(epilog="kl-drift quiet flights.sqlite flights --until 2013-07-01 --column dest")
def quiet(
    location: HistoryPlace,
    check: CheckName,
    *,
    until: Annotated[str, typer.Option(metavar="DAY", help="When it is heard again.")],
    note: Note,
    column: Annotated[str, typer.Option(help="Which column; all of them without it.")] = "",
    by: By = "",
) -> None:
    """Send no alert until a day; the verdict and its exit code stay."""
    from kl_drift.history.record import History

    History.open(location, create=False).quiet(check, until=until, column=column, note=note, by=by)
    _note(f"no alert about {column or 'any column'} of {check} until {until}: {note}")


@app.command(epilog="kl-drift feedback flights.sqlite flights")
def feedback(location: HistoryPlace, check: CheckName) -> None:
    """List what was said of a check: incidents, new normals, what was missed, what is quiet."""
    from kl_drift.history.record import History

    for each in History.open(location, create=False).feedback(check):
        about = " ".join(filter(None, [each.as_of or each.label, each.column]))
        until = f"until {each.until}" if each.until else ""
        typer.echo("  ".join(filter(None, [f"{each.verb:<8}", about, until, each.note, each.by])))


@app.command(epilog="kl-drift init flights/month=01 -o drift.yaml")
def init(
    snapshot: Annotated[str, typer.Argument(help="The reference: a file, folder, glob or URI.")],
    output: OutFile = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Write a commented plan for a snapshot."""
    from kl_drift import api

    if output and output.exists() and not force:
        raise UsageError(f"{output} exists; choose another name, or add --force to overwrite it")
    _refuse_overwriting(output, {"the reference": snapshot})
    _write_text(api.draft(snapshot, plan=output or "plan.yaml"), output)


@app.command(epilog="kl-drift schema plan -o plan.schema.json")
def schema(
    kind: Annotated[SchemaKind, typer.Argument(help="Which schema to print.")],
    output: OutFile = None,
) -> None:
    """Print the JSON Schema of plans, profiles, reports or learned limits."""
    _write_text(json.dumps(_schema(kind), indent=2, ensure_ascii=False) + "\n", output)


def _schema(kind: SchemaKind) -> dict[str, Any]:
    if kind == "plan":
        from kl_drift.plan.plan import plan_schema

        return plan_schema()
    from kl_drift import artefact

    return artefact.schema(kind)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"kl-drift {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show a traceback when the check itself fails.")
    ] = False,
) -> None:
    """Find out which columns of a Parquet snapshot drifted, how far, and where."""
    if debug:
        os.environ["KL_DRIFT_DEBUG"] = "1"


class _Stopped(BaseException):
    """Somebody pressed Ctrl-C, or sent SIGTERM."""


def main() -> None:
    """Run the command line and leave with its exit code, whatever becomes of its streams."""
    steady_streams()
    for sent in _SIGNALS:
        signal.signal(sent, _stop)
    sys.exit(_printed(_run(sys.argv[1:])))


def _stop(sent: int, _: object) -> None:
    signal.signal(sent, signal.SIG_DFL)  # who asks twice is not kept waiting
    raise _Stopped(sent)


def _run(arguments: list[str]) -> int:
    try:
        return int(app(arguments or ["--help"], prog_name="kl-drift", standalone_mode=False) or 0)
    except (_Stopped, KeyboardInterrupt, typer.Abort) as stopped:
        sent = stopped.args[0] if isinstance(stopped, _Stopped) else signal.SIGINT
        _note(f"kl-drift: {_SIGNALS[sent]}")
        return 128 + sent
    except BaseException as error:  # noqa: BLE001 - the last door: nothing but a verdict is 0, 1, 2
        return _failed(_explained(error))


def _explained(error: BaseException) -> str:
    """Say in a line why the check itself failed."""
    if isinstance(error, _CommandLineError):
        return _usage(error)
    if isinstance(error, SystemExit):  # how Click ends where a pipe or a connection breaks
        return "a connection broke off (Broken pipe); check again"
    if isinstance(error, MemoryError):
        return "out of memory; give it more, or write smaller row groups"
    if isinstance(error, KLDriftError | OSError):
        return str(error)
    return f"internal error: {type(error).__name__}: {error}; --debug shows where"


def _printed(code: int) -> int:
    """Return the exit code, or that of a failure if what was printed found no room."""
    if error := lost(sys.stdout):
        return _failed(f"standard output cannot be written: {error.strerror}")
    return code


def _usage(error: Any) -> str:
    """Write a usage error on one line, with the help that answers it."""
    command = error.ctx.command_path if error.ctx else "kl-drift"
    message = " ".join(error.format_message().split()).rstrip(".")
    return f"{message}; see  {command} --help"


def _failed(message: str) -> int:
    if "KL_DRIFT_DEBUG" in os.environ:
        import traceback

        traceback.print_exc()
    _note(f"kl-drift: {message}")
    return _FAILED


def _exit_code(status: Status) -> int:
    """Return 0 for ``ok`` and ``warn``, 1 for ``drift``, 2 for ``undecided``."""
    return {"drift": 1, "undecided": 2}.get(str(status), 0)


def _pairs(option: str, items: list[str] | None) -> Iterator[tuple[str, str]]:
    for item in items or []:
        key, equals, value = item.partition("=")
        if not (key and equals):
            raise UsageError(f"{option}: expected KEY=VALUE, got {item!r}")
        yield key, value


def _names(columns: str | None, option: str = "--columns") -> list[str] | None:
    """Return the names and patterns of a list; what stands in double quotes is exactly a name."""
    if columns is None:
        return None
    found = list(_items(columns, option))
    if not found:
        raise UsageError(f"{option}: names no column; name some, or leave it out")
    return found


def _items(text: str, option: str) -> Iterator[str]:
    from kl_drift.counts.selection import ExactName

    place = 0
    while place < len(text):
        item = _ITEM.match(text, place)
        if item is None:
            raise UsageError(
                f"{option}: a quotation mark is not closed in {text!r}; a name with commas, blanks "
                'or quotation marks is written in double quotes: "a,b" or "say ""x"""'
            )
        place = item.end()
        if item[1] is not None:
            yield ExactName(item[1].replace('""', '"'))
        elif item[2]:
            yield item[2]


def _together(pairs: str | None) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for pair in _names(pairs, "--pairs") or []:
        names = pair.split(":")
        if len(names) != 2 or not all(names):
            raise UsageError(
                f"--pairs: expected FIRST:SECOND, got {pair!r}; a plan takes any names"
            )
        found.append((names[0], names[1]))
    return found


def _snapshot(path: str, where: list[str] | None) -> Snapshot:
    from kl_drift.snapshot import Snapshot

    partitions: dict[str, tuple[str, ...]] = {}
    for key, value in _pairs("--where", where):
        partitions[key] = (*partitions.get(key, ()), value)
    return replace(Snapshot.at(path), where=partitions)


def _policy(warn: float | None, drift: float | None, rule: RuleName) -> Policy:
    from kl_drift.judging.policy import Policy

    default = Policy()
    return Policy(
        warn=default.warn if warn is None else warn,
        drift=default.drift if drift is None else drift,
        rule=rule.value,
    )


def _check_profile_name(output: str) -> None:
    from kl_drift.artefact import is_profile_path

    if not is_profile_path(output):
        raise UsageError(
            f"--output {output}: profiles are saved as JSON; give a name that ends in .json"
        )


def _refuse_overwriting(output: str | Path | None, inputs: Mapping[str, str]) -> None:
    from kl_drift.overwriting import refuse_overwriting

    refuse_overwriting({"--output": str(output or "")}, inputs)


def _save_profile(profile: Profile, output: str) -> None:
    from kl_drift.artefact import save

    save(profile, output)
    _note(
        f"wrote {output}: {profile.rows:,} rows, {len(profile.counted)} columns counted, "
        f"{len(profile.columns) - len(profile.counted)} not"
    )


def _write_report(report: Report, format: Format, output: Path | None) -> None:  # noqa: A002 - as the option
    if format is Format.TABLE and output is None:
        _print_table(report)
        return
    _write_text(_rendered(report, format), output)
    if output is not None:
        from kl_drift.render.words import summary

        _note(f"{summary(report)}\nwrote {output}")


def _print_table(report: Report) -> None:
    from rich.console import Console

    from kl_drift.render.terminal import print_report, to_text

    console = Console(highlight=False)
    if console.is_terminal:
        print_report(report, console)
    else:
        typer.echo(to_text(report), nl=False)


def _rendered(report: Report, format: Format) -> str:  # noqa: A002 - as the option
    from kl_drift.artefact import report_to_dict

    if format is Format.JSON:
        return (
            json.dumps(report_to_dict(report), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        )
    if format is Format.MARKDOWN:
        from kl_drift.render.markdown import to_markdown

        return to_markdown(report)
    if format is Format.HTML:
        from kl_drift.render.html import render_html

        return render_html(report)
    from kl_drift.render.terminal import to_text

    return to_text(report)


def _write_text(text: str, output: Path | None) -> None:
    if output is None:
        _print(text)
        return
    from kl_drift.storage import write_bytes

    write_bytes(str(output), text.encode())


def _print(document: str) -> None:
    """Print a document in UTF-8, whatever the terminal's encoding is."""
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None:  # text is all it takes
        sys.stdout.write(document)
        return
    sys.stdout.flush()
    buffer.write(document.encode("utf-8", "replace"))
    buffer.flush()


def _note(text: str) -> None:
    """Tell a person something that is not the result."""
    typer.echo(text, err=True)


@contextmanager
def _progress(doing: str) -> Iterator[Progress | None]:
    """Show how far the work is while a person is watching; never in a pipe."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as ProgressBar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,} rows"),
        TimeRemainingColumn(),
    )
    with ProgressBar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(doing, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
