"""The shape of a plan file: its keys, their types and what each is for.

Knows what may be written; the JSON Schema that editors use comes from here, and the words of every
mistake come from that schema. Has never heard of YAML, of placeholders or of where a path leads.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from inspect import cleandoc
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from kl_drift.counts import binning
from kl_drift.counts.binning import Binning, Categories, Edges, Quantiles, Uniform
from kl_drift.counts.selection import Aspect, TypeName
from kl_drift.errors import UsageError
from kl_drift.judging.confirmation import Confirmation
from kl_drift.judging.policy import Policy, Rule, Statistic
from kl_drift.judging.seasons import SeasonChoice
from kl_drift.moments import parse_moment

VERSION = 1
"""The newest format of plans: the one described here."""

Schema: TypeAlias = dict[str, Any]

_DEFAULTS = Policy()

Name: TypeAlias = Annotated[str, Field(min_length=1)]
Scalar: TypeAlias = Annotated[
    Name, WithJsonSchema({"type": ["string", "number", "boolean"], "minLength": 1})
]
"""Text that may be written as a number or a boolean, and is then what stands in the file."""

OrderedBins: TypeAlias = Annotated[
    Quantiles | Uniform | Edges,
    Field(discriminator="kind", json_schema_extra={"required": ["kind"]}),
]
AnyBins: TypeAlias = Annotated[
    Binning, Field(discriminator="kind", json_schema_extra={"required": ["kind"]})
]


def _moment(text: str) -> str:
    try:
        parse_moment(text)
    except UsageError:
        expected = "a date or time such as 2013-02-28 or 2013-02-28T12:00:00+00:00"
        raise ValueError(expected) from None
    return text


def _json_name(text: str) -> str:
    if not text.endswith(".json"):
        raise ValueError("a name that ends in .json")
    return text


JsonName: TypeAlias = Annotated[
    str, AfterValidator(_json_name), WithJsonSchema({"type": "string", "pattern": r"\.json$"})
]


def _n_of_m(text: str) -> str:
    try:
        Confirmation.parse(text)
    except UsageError:
        raise ValueError("n of m such as 2 of 3, n from 2 to m, or 1 of 1") from None
    return text


NofM: TypeAlias = Annotated[
    str, AfterValidator(_n_of_m), WithJsonSchema({"type": "string", "pattern": r"^\d+ of \d+$"})
]


def _two_names(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(names) != 2:
        raise ValueError("a list of two names, e.g. [dep_delay, distance]")
    return names


PairOfNames: TypeAlias = Annotated[
    tuple[Name, ...],
    AfterValidator(_two_names),
    WithJsonSchema(
        {
            "type": "array",
            "items": {"type": "string", "minLength": 1},
            "minItems": 2,
            "maxItems": 2,
            "uniqueItems": True,
        }
    ),
]


class _Keys(BaseModel):
    """A mapping of the file: other keys are mistakes, and nothing is converted."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class SnapshotKeys(_Keys):
    """Which rows are meant."""

    path: Name = Field(
        description="A file, a folder (read recursively), a glob, a URI such as "
        "s3://bucket/flights, or a saved profile (….json). Relative to the plan.",
        examples=["flights/month=2013-01"],
    )
    where: Mapping[str, Scalar | Annotated[tuple[Scalar, ...], Field(min_length=1)]] = Field(
        default_factory=dict,
        description="Which partitions of a folder (month=2013-01/…) belong to it: key to value, "
        "or to a list of values. Numbers are taken as they are written.",
        examples=[{"month": "2013-01"}],
    )
    label: str = Field(
        default="", description="What reports call it; by default its path and partitions."
    )
    as_of: Annotated[str, AfterValidator(_moment)] = Field(
        default="",
        description="The date or time that the snapshot stands for, ISO 8601. The age of "
        "timestamps is counted from it; by default from the latest one in the column.",
        examples=["2013-02-28"],
    )
    version: Name | int = Field(
        default="",
        description="Which version of a Delta or Iceberg table: its number, the id of a snapshot, "
        "a branch or a tag, or previous, the last one before the newest that holds other rows. "
        "Instead of it as_of may say as of when. By default the newest.",
        examples=[12],
    )
    options: Mapping[str, Scalar] = Field(
        default_factory=dict,
        description="Options of the object store: endpoint_override, region, access_key, … "
        "Never printed, never saved.",
        examples=[{"endpoint_override": "${S3_ENDPOINT}"}],
    )
    checksums: bool = Field(
        default=True,
        description="Whether the checksums of pages are verified, where the files have them.",
    )


class ChooseKeys(_Keys):
    """A choice that says more: one of these."""

    window: int | None = Field(
        default=None, ge=1, description="The last few snapshots, merged.", examples=[7]
    )
    same_weekday: int | None = Field(
        default=None,
        ge=1,
        description="The last few snapshots of the current one's weekday, merged.",
        examples=[4],
    )
    closest: Annotated[Mapping[Name, Name | SnapshotKeys], Field(min_length=2)] | None = Field(
        default=None,
        description="Several references by name, snapshots or saved profiles: the one that the "
        "current snapshot resembles most is taken. Needs no history.",
        examples=[{"winter": "flights/month=2013-01", "summer": "flights/month=2013-07"}],
    )


class ReferenceKeys(SnapshotKeys):
    """Which rows the bins are fitted on, and what is compared with."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    path: Name = Field(
        default="",
        description="As that of current. Left out beside version or as_of: another version of "
        "the current snapshot's Delta or Iceberg table, {version: previous} say.",
        examples=["flights/month=2013-01"],
    )

    choose: Literal["previous", "same_month_last_year"] | ChooseKeys | None = Field(
        default=None,
        description="Which earlier snapshots of the history the current one is compared with, over "
        "the bins of these rows: the previous one, {window: 7} the last seven, {same_weekday: 4} "
        "the last four of the same weekday, or same_month_last_year. Acknowledged incidents are "
        "left out; while the history is too short, these rows are taken. {closest: …} takes the "
        "most similar of several other references. By default, always these rows.",
        examples=["previous", {"window": 7}],
    )


class LimitKeys(_Keys):
    """When a column is a warning, when a drift, and when nobody can tell."""

    warn: float = Field(
        default=_DEFAULTS.warn,
        gt=0,
        description="KL(current‖reference) in nats above which a column is a warning. "
        "0.02 is what a normal shift of 0.2 standard deviations makes.",
    )
    drift: float = Field(
        default=_DEFAULTS.drift,
        gt=0,
        description="KL(current‖reference) in nats above which a column is a drift. "
        "0.05 is what a normal shift of 0.32 standard deviations makes.",
    )
    null_drift: float = Field(
        default=_DEFAULTS.null_drift,
        gt=0,
        description="KL of the share of nulls alone, in nats, above which a column is a drift.",
    )
    rule: Rule = Field(
        default=_DEFAULTS.rule,
        description="gates: a limit is exceeded where the lower confidence limit of KL exceeds it, "
        "and a column is undecided where noise alone reaches the warning limit. "
        "point: KL itself is compared, whatever the rows.",
    )
    confidence: float = Field(
        default=_DEFAULTS.confidence,
        ge=0.5,
        lt=1,
        description="How sure the lower confidence limit of KL is.",
    )
    design_effect: float = Field(
        default=_DEFAULTS.design_effect,
        ge=1,
        description="How many rows carry the information of one independent row, where rows come "
        "in groups, such as many of one customer; at least so many, where `cluster` says in which.",
    )
    min_rows: int = Field(
        default=_DEFAULTS.min_rows,
        ge=0,
        description="With fewer rows than this on either side, a column is undecided.",
    )
    statistic: Statistic = Field(
        default=_DEFAULTS.statistic,
        description="Which statistic warn and drift are limits of: KL(current‖reference), its "
        "reverse, Jeffreys' divergence (PSI), or Jensen–Shannon's.",
    )


class EachKeys(_Keys):
    """What is special about a column, or about those that fit a pattern."""

    bins: AnyBins | None = Field(default=None, description="How the column is binned.")
    judge: Aspect | Annotated[tuple[Aspect, ...], Field(min_length=1)] | None = Field(
        default=None,
        description="What is judged of a date or a timestamp, since dates always move: its hour, "
        "weekday, age or value; one of them, or a list. Name the column in full.",
    )
    limits: LimitKeys | None = Field(
        default=None,
        description="The limits of the column; for those not stated, the plan's hold.",
        json_schema_extra={"examples": [{"drift": 0.08}]},
    )


class ColumnKeys(_Keys):
    """Which columns are judged, and how they are binned."""

    include: tuple[Name, ...] = Field(
        default=(),
        description="Names or patterns of the columns to judge; by default every column but "
        "identifiers, partition keys, dates and timestamps.",
        examples=[["dep_*", "carrier"]],
    )
    exclude: tuple[Name, ...] = Field(
        default=(), description="Names or patterns of columns that are left out again."
    )
    types: tuple[TypeName, ...] = Field(
        default=(), description="Only columns of these types; by default of every type."
    )
    numeric: OrderedBins = Field(
        default_factory=Quantiles, description="How ordered columns are binned."
    )
    categories: Categories = Field(
        default_factory=Categories, description="How categorical columns are binned."
    )
    pairs: tuple[PairOfNames, ...] = Field(
        default=(),
        description="Pairs of columns that are judged together as well, over 5 × 5 cells: a change "
        "of their dependence shows in neither alone. Limits of a pair stand in `each`, under its "
        "name: first × second.",
        examples=[[["dep_delay", "distance"]]],
    )
    each: Mapping[str, EachKeys] = Field(
        default_factory=dict,
        description="Columns with settings of their own, by name or pattern. A full name "
        "goes before any pattern; of several patterns the first that fits is taken.",
    )


class FloorKeys(_Keys):
    """Shares below the floor are raised to it, and all are rescaled."""

    floor: float = Field(gt=0, lt=1, description="The smallest share of a cell.", examples=[1.0e-4])


class OutputKeys(_Keys):
    """Where the results are written. Relative to the plan."""

    report: JsonName | None = Field(
        default=None,
        description="The report as JSON; its name ends in .json.",
        examples=["out/report.json"],
    )
    html: Name | None = Field(
        default=None, description="The report as a page to read.", examples=["out/report.html"]
    )
    profile: JsonName | None = Field(
        default=None,
        description="The profile of the current snapshot; its name ends in .json.",
        examples=["out/current.json"],
    )


class CalibrationKeys(_Keys):
    """Limits from what the columns' own snapshots do to each other."""

    limits: JsonName | None = Field(
        default=None,
        description="A file of learned limits, made by `kl-drift calibrate`; its name ends in "
        ".json. Without it they are learned from the history, once it is long enough.",
        examples=["flights-limits.json"],
    )
    false_alarms: float = Field(
        default=1.0,
        gt=0,
        description="How many false alarms are acceptable a month, over all columns.",
    )
    checks_per_month: float = Field(
        default=30.0, gt=0, description="How often the plan is checked in a month."
    )


class TrendKeys(_Keys):
    """Slow drift that no single snapshot shows, found in the history."""

    snapshots: int = Field(
        default=20,
        ge=2,
        description="How many snapshots are looked at, the current one included; what is ordinary "
        "is learned from those before.",
    )
    weight: float = Field(
        default=0.2,
        gt=0,
        le=1,
        description="How much the last snapshot weighs in the mean; with 0.2 about ten count.",
    )


class PlanFile(_Keys):
    """What `kl-drift check` compares, how, and when it alerts."""

    version: int = Field(
        ge=VERSION,
        le=VERSION,
        description="The format of the plan.",
        json_schema_extra={"const": VERSION},
    )
    reference: Name | ReferenceKeys = Field(
        description="The rows known to be good, or a saved profile of them: a path, a URI, or a "
        "mapping that says more. Bins are fitted on them, once.",
        examples=["flights/month=2013-01"],
    )
    current: Name | SnapshotKeys | None = Field(
        default=None,
        description="The rows to judge. May be left out and named on the command line.",
        examples=["flights/month=2013-02"],
    )
    name: Name | None = Field(
        default=None,
        description="What the check is called in the history; by default the plan's file name.",
        examples=["flights"],
    )
    history: Name | None = Field(
        default=None,
        description="Where checks are recorded: a SQLite file, or the URL of a database. Read to "
        "learn what is ordinary, and added to.",
        examples=["flights.sqlite", "postgresql://monitor@db/drift"],
    )
    calibration: CalibrationKeys = Field(
        default_factory=CalibrationKeys, description="How limits are learned from the past."
    )
    season: SeasonChoice = Field(
        default="auto",
        description="Which calendar limits may be learned by, from 28 snapshots on: auto (the one "
        "that a column is found to follow), none, or one for every column: weekday, hour, or "
        "month_start (the first of the month is another day).",
    )
    confirm: NofM | None = Field(
        default=None,
        description="How often a learned limit must be exceeded before it is a drift: n of the "
        "last m snapshots, the current one included; until then it is a warning. What is far "
        "beyond its limit is a drift at once. By default 3 of 3 where there is a history, and "
        "1 of 1, each snapshot by itself, where there is none.",
        examples=["2 of 3"],
    )
    trend: TrendKeys | None = Field(
        default=None,
        description="Warn of slow drift that no single snapshot shows, measured against the "
        "reference itself. Needs a history; {} takes the defaults.",
        examples=[{"snapshots": 20}],
    )
    columns: ColumnKeys = Field(
        default_factory=ColumnKeys, description="Which columns are judged, and how."
    )
    cluster: Name | None = Field(
        default=None,
        description="The column whose value rows that belong together share: fifty rows of one "
        "customer tell less than fifty of fifty, and limits count despite that. Not judged itself "
        "unless `columns` names it.",
        examples=["customer_id"],
    )
    limits: LimitKeys = Field(default_factory=LimitKeys, description="The limits of every column.")
    smoothing: Literal["jeffreys", "laplace", "none"] | FloorKeys = Field(
        default="jeffreys",
        description="How counts become positive probabilities: jeffreys (½ a row per cell of the "
        "reference), laplace (1 row), a floor for parity with other tools, or none.",
    )
    output: OutputKeys = Field(
        default_factory=OutputKeys, description="Where the results are written; by default nowhere."
    )


def plan_schema() -> Schema:
    """Return the JSON Schema of a plan, for editors: what may be written, and what it is for.

    Returns
    -------
    dict
        Draft 2020-12, without ``null``: what is not wanted is left out.
    """
    schema: Schema = _without_null(PlanFile.model_json_schema())
    for name, definition in schema["$defs"].items():
        definition["title"] = name.removesuffix("Keys")
        if documented := getattr(binning, name, None):
            _describe(definition, cleandoc(documented.__doc__ or ""))
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "kl-drift plan"}
    return {**schema, **head}


def _without_null(value: Any) -> Any:
    """Take out every null: as an alternative, as a default, and in defaults."""
    if isinstance(value, list):
        return [_without_null(item) for item in value if item != {"type": "null"}]
    if not isinstance(value, dict):
        return value
    plain = {name: _without_null(item) for name, item in value.items() if item is not None}
    for union in ("anyOf", "allOf"):
        if len(plain.get(union, ())) == 1:
            plain = plain.pop(union)[0] | plain
    return plain


def _describe(definition: Schema, documentation: str) -> None:
    """Describe a mapping and its keys by the docstring of its class, so that both say the same."""
    summary = _plain(documentation.partition("\n\nParameters\n")[0])
    described = {name: text for names, text in _parameters(documentation) for name in names}
    definition["description"] = summary
    for name, key in definition["properties"].items():
        key["description"] = described.get(name, summary)


def _parameters(documentation: str) -> Iterable[tuple[list[str], str]]:
    for names, text in re.findall(
        r"^(\w[\w, ]*) : .*\n((?:    .*\n?)+)", documentation, re.MULTILINE
    ):
        yield names.split(", "), _plain(text)


def _plain(text: str) -> str:
    return " ".join(text.replace("``", "").split())
