"""The operators: each stores what it was given and makes one call.

Importing this module imports Airflow's task SDK and nothing heavy: what reads data is imported when
a task runs.

Wherever an operator takes a snapshot or a profile, it takes a path, a URI
(``s3://connection@bucket/key``), a mapping (``path``, ``where``, ``label``, ``as_of``), a
:class:`~kl_drift.Snapshot`, or what another operator of kl-drift returned (``fit.output``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from airflow.sdk import Asset, BaseBranchOperator, BaseOperator

from kl_drift.airflow import _alerts, _check, _lineage, _outcome, _plans, _work
from kl_drift.airflow._alerts import LOUD, Notifier
from kl_drift.airflow._arguments import as_named, as_text, check_filled, check_stated
from kl_drift.airflow._mapped import refuse_one_file
from kl_drift.airflow._summary import Findings, Summary
from kl_drift.airflow.exceptions import mistakes_not_retried
from kl_drift.airflow.links import DriftReportLink

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.definitions.mappedoperator import OperatorPartial

    from kl_drift.plan.plan import Plan
    from kl_drift.snapshot import Snapshot

Where: TypeAlias = "str | Mapping[str, Any] | Snapshot"
Action: TypeAlias = Literal["fail", "warn", "skip"]


class FitReferenceOperator(BaseOperator):
    """Fit bins to a snapshot that is known to be good, and save its profile: the reference.

    Parameters
    ----------
    snapshot : path, URI, mapping or Snapshot
        The rows.
    profile : str
        Where the reference profile is saved; ends in ``.json``.
    columns : list of str or mapping, optional
        Which columns, or all that ``columns:`` may say in a plan.
    plan : str, optional
        A plan file that says the columns and how they are binned, instead of `columns`.
    values : mapping of str to str, optional
        What the placeholders of the plan stand for.
    conn_id : str, optional
        The Airflow connection of an object store, for URIs that name none.

    Returns
    -------
    dict
        ``profile`` (where it is), ``rows``, ``columns``, ``sources``, ``digest``.

    Examples
    --------
    ::

        fit = FitReferenceOperator(
            task_id="fit",
            snapshot="s3://lake@flights/month=2013-01",
            profile="s3://lake@drift/january.json",
        )
        check = DriftCheckOperator(task_id="check", reference=fit.output, current="…")
    """

    template_fields: Sequence[str] = ("snapshot", "profile", "columns", "plan", "values", "conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "snapshot": "json",
        "columns": "json",
        "values": "json",
    }

    def __init__(
        self,
        *,
        snapshot: Where,
        profile: str,
        columns: Sequence[str] | Mapping[str, Any] | None = None,
        plan: str | PathLike[str] | Mapping[str, Any] | None = None,
        values: Mapping[str, str] | None = None,
        conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.snapshot = as_named(snapshot)
        self.profile = as_text(profile)
        self.columns = as_text(columns)
        self.plan = as_text(plan)
        self.values = as_text(values)
        self.conn_id = conn_id
        check_stated(self, FitReferenceOperator.template_fields)

    @classmethod
    def partial(cls, **kwargs: Any) -> OperatorPartial:
        """State what mapped tasks have in common: never a file that all of them write."""
        refuse_one_file(cls.__name__, kwargs, ("profile",))
        return super().partial(**kwargs)

    def execute(self, context: Context) -> Summary:
        """Fit and save."""
        with mistakes_not_retried():
            check_filled(self, FitReferenceOperator.template_fields)
            return _work.fit_reference(self, context)

    def get_openlineage_facets_on_complete(self, ti: Any) -> Any:
        """Tell OpenLineage what was read and written."""
        return _lineage.facets(self)

    def get_openlineage_facets_on_failure(self, ti: Any) -> Any:
        """Tell the same of a task that failed."""
        return _lineage.facets(self)


class ScanSnapshotOperator(BaseOperator):
    """Count one snapshot, or one part of it, over the bins of a reference, and save the profile.

    Made for dynamic mapping: each part is counted by its own worker, and
    :class:`MergeProfilesOperator` adds the counts up, which gives what one scan of the whole would
    have given.

    Parameters
    ----------
    snapshot : path, URI, mapping or Snapshot
        The rows.
    reference : str or mapping
        The reference profile, or what :class:`FitReferenceOperator` returned.
    profile : str
        Where the profile is saved; of mapped tasks each needs its own:
        ``".../{{ run_id }}/{{ ti.map_index }}.json"``.
    conn_id : str, optional
        The Airflow connection of an object store, for URIs that name none.

    Returns
    -------
    dict
        ``profile`` (where it is), ``rows``, ``columns``, ``sources``, ``digest``.

    Examples
    --------
    ::

        parts = ScanSnapshotOperator.partial(
            task_id="scan",
            reference=fit.output,
            profile="/data/drift/{{ run_id }}/{{ ti.map_index }}.json",
            map_index_template="{{ task.snapshot }}",
        ).expand(snapshot=["/data/day=01", "/data/day=02"])
    """

    template_fields: Sequence[str] = ("snapshot", "reference", "profile", "conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"snapshot": "json", "reference": "json"}

    def __init__(
        self,
        *,
        snapshot: Where,
        reference: Where,
        profile: str,
        conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.snapshot = as_named(snapshot)
        self.reference = as_named(reference)
        self.profile = as_text(profile)
        self.conn_id = conn_id
        check_stated(self, ScanSnapshotOperator.template_fields)

    @classmethod
    def partial(cls, **kwargs: Any) -> OperatorPartial:
        """State what mapped tasks have in common: never a file that all of them write."""
        refuse_one_file(cls.__name__, kwargs, ("profile",))
        return super().partial(**kwargs)

    def execute(self, context: Context) -> Summary:
        """Count and save."""
        with mistakes_not_retried():
            check_filled(self, ScanSnapshotOperator.template_fields)
            return _work.scan_snapshot(self, context)

    def get_openlineage_facets_on_complete(self, ti: Any) -> Any:
        """Tell OpenLineage what was read and written."""
        return _lineage.facets(self)

    def get_openlineage_facets_on_failure(self, ti: Any) -> Any:
        """Tell the same of a task that failed."""
        return _lineage.facets(self)


class MergeProfilesOperator(BaseOperator):
    """Add up the profiles of parts to the profile of the whole, and save it.

    Parameters
    ----------
    profiles : list
        Paths of profiles, or what the mapped :class:`ScanSnapshotOperator` returned.
    profile : str
        Where the sum is saved; ends in ``.json``.
    conn_id : str, optional
        The Airflow connection of an object store, for URIs that name none.

    Returns
    -------
    dict
        ``profile`` (where it is), ``rows``, ``columns``, ``sources``, ``digest``.

    Examples
    --------
    ::

        merge = MergeProfilesOperator(
            task_id="merge", profiles=parts.output, profile="/data/drift/{{ run_id }}.json"
        )
        DriftCheckOperator(task_id="check", reference=fit.output, current=merge.output)
    """

    template_fields: Sequence[str] = ("profiles", "profile", "conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"profiles": "json"}

    def __init__(
        self,
        *,
        profiles: Sequence[Where],
        profile: str,
        conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.profiles = as_text(profiles)
        self.profile = as_text(profile)
        self.conn_id = conn_id
        check_stated(self, MergeProfilesOperator.template_fields)

    @classmethod
    def partial(cls, **kwargs: Any) -> OperatorPartial:
        """State what mapped tasks have in common: never a file that all of them write."""
        refuse_one_file(cls.__name__, kwargs, ("profile",))
        return super().partial(**kwargs)

    def execute(self, context: Context) -> Summary:
        """Merge and save."""
        with mistakes_not_retried():
            check_filled(self, MergeProfilesOperator.template_fields)
            return _work.merge_profiles(self, context)

    def get_openlineage_facets_on_complete(self, ti: Any) -> Any:
        """Tell OpenLineage what was read and written."""
        return _lineage.facets(self)

    def get_openlineage_facets_on_failure(self, ti: Any) -> Any:
        """Tell the same of a task that failed."""
        return _lineage.facets(self)


class DriftCheckOperator(BaseOperator):
    """Check a snapshot against a reference: by a plan, or by what is said here.

    The report is saved in the folder of reports, where the extra link *Drift report* leads, and its
    table is logged. A summary goes to XCom, also when the task fails, and into the events of the
    task's outlets. Gauges per column and a counter per status go to Airflow's metrics.

    Parameters
    ----------
    plan : str, optional
        The plan file. It is read as it stands: its ``{{ name }}`` are its own, filled by `values`.
    values : mapping of str to str, optional
        What the placeholders of the plan stand for; templated.
    reference : path, URI, mapping or Snapshot, optional
        Instead of a plan: the rows that are known to be good, or their profile. A mapping may
        choose from the history what is compared with, as a plan does: ``{"path": …, "choose":
        "previous"}`` is the previous run's snapshot, ``{"window": 7}`` the last seven.
    current : path, URI, mapping or Snapshot, optional
        The rows to judge, or their profile; instead of the plan's, too.
    as_of : str, optional
        The day that the current snapshot stands for, ISO 8601, unless it says so itself.
    columns : list of str or mapping, optional
        Without a plan: which columns, or all that ``columns:`` may say in one.
    limits : mapping, optional
        Without a plan: ``warn``, ``drift`` and what else ``limits:`` may say in one.
    check : str, optional
        What the check is called in the history and in alerts; by default as in the plan, or the
        ids of DAG and task.
    on_drift : {"fail", "warn", "skip"}
        Whether drift fails the task (without a retry), only alerts, or skips what comes next.
    on_undecided : {"fail", "warn", "skip"}
        The same where nobody can tell. Nothing that could not be judged is green by default.
    notifiers : sequence of BaseNotifier
        Any of Airflow's. Their templates may use ``drift_report`` and ``drift_message``.
    notify_on : sequence of str
        What is worth an alert: statuses, ``error`` (the check could not run, and is not tried
        again) and, with a history, ``recovered``. By default all but ``ok``.
    remind_after : timedelta, optional
        With a history: while a check stays as it was, it is told again only when so much time has
        passed since it became so, and then every so often. By default at every run.
    report, html, profile : str, optional
        Where the report, the page and the current profile are written besides; by default as in
        the plan.
    history : str, optional
        Where checks are recorded: a SQLite file or the URL of a database without a password.
    history_conn_id : str, optional
        The same as an Airflow connection: PostgreSQL, SQLite or ``kl_drift``.
    history_required : bool
        Whether a history that is down is an error also where the check can do without it: where
        its reference is fixed and its limits are stated. By default the check goes on then, and
        log and summary say that it was not recorded.
    pointer : Asset or str, optional
        Where :class:`PromoteReferenceOperator` keeps which profile is the reference now: an asset
        (Airflow 3.3), or a small JSON file. Until one was promoted, the reference is that of the
        plan or of `reference`.
    conn_id : str, optional
        The Airflow connection of an object store, for URIs that name none.

    Returns
    -------
    dict
        The summary: ``version``, ``status``, ``summary``, ``counts``, ``drifted``, ``columns``,
        ``report`` (where it is), ``link``.

    Raises
    ------
    DriftDetectedError, DriftUndecidedError
        Where drift, or not being able to tell, is to fail the task.
    DriftMistakeError
        If the plan, a column or an argument is wrong. None of these is retried.
    SnapshotError, ArtefactError, HistoryError
        What may pass, and is retried: something is missing, unreadable or down.

    Examples
    --------
    ::

        DriftCheckOperator(
            task_id="check",
            plan="configs/flights.yaml",
            values={"month": "{{ data_interval_start.strftime('%Y-%m') }}"},
            notifiers=[DriftNotifier(SmtpNotifier(from_email="a@x.org", to="b@x.org"))],
        )
        DriftCheckOperator(
            task_id="check_inline",
            reference="s3://lake@flights/month=2013-01",
            current={"path": "s3://lake@flights", "where": {"month": "2013-02"}},
            columns=["dep_*", "carrier"],
            limits={"warn": 0.05, "drift": 0.1},
            on_drift="warn",
        )
    """

    template_fields: Sequence[str] = (
        "plan", "values", "reference", "current", "as_of", "columns", "limits", "check", "report",
        "html", "profile", "history", "history_conn_id", "pointer", "conn_id",
    )  # fmt: skip
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "values": "json", "reference": "json", "current": "json", "columns": "json",
        "limits": "json",
    }  # fmt: skip
    operator_extra_links = (DriftReportLink(),)
    states_all: ClassVar[bool] = True
    """Whether all arguments are there when the operator is made; a function brings some later."""

    def __init__(
        self,
        *,
        plan: str | PathLike[str] | Mapping[str, Any] | None = None,
        values: Mapping[str, str] | None = None,
        reference: Where | None = None,
        current: Where | None = None,
        as_of: str | None = None,
        columns: Sequence[str] | Mapping[str, Any] | None = None,
        limits: Mapping[str, Any] | None = None,
        check: str | None = None,
        on_drift: Action = "fail",
        on_undecided: Action = "fail",
        notifiers: Sequence[Notifier] = (),
        notify_on: Collection[str] = LOUD,
        remind_after: timedelta | None = None,
        report: str | None = None,
        html: str | None = None,
        profile: str | None = None,
        history: str | None = None,
        history_conn_id: str | None = None,
        history_required: bool = False,
        pointer: Asset | str | None = None,
        conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**_with_inlet(kwargs, pointer))
        self.plan = as_text(plan)
        self.values = as_text(values)
        self.reference = as_named(reference)
        self.current = as_named(current)
        self.as_of = as_text(as_of)
        self.columns = as_text(columns)
        self.limits = as_text(limits)
        self.check = check
        self.on_drift = on_drift
        self.on_undecided = on_undecided
        self.notifiers = notifiers
        self.notify_on = _alerts.checked_events(notify_on)
        self.remind_after = remind_after
        self.report = as_text(report)
        self.html = as_text(html)
        self.profile = as_text(profile)
        self.history = as_text(history)
        self.history_conn_id = history_conn_id
        self.history_required = history_required
        self.pointer = pointer if isinstance(pointer, Asset) else as_text(pointer)
        self.conn_id = conn_id
        self.saved_report = ""
        self.plan_checked: Plan | None = None
        self.findings: Findings | None = None
        check_stated(self, DriftCheckOperator.template_fields)
        with mistakes_not_retried():
            _outcome.check_actions(
                on_drift=on_drift, on_undecided=on_undecided, notify_on=notify_on
            )
            if self.states_all:
                _plans.check_sources(self)

    @classmethod
    def partial(cls, **kwargs: Any) -> OperatorPartial:
        """State what mapped tasks have in common: never a file that all of them write."""
        refuse_one_file(cls.__name__, kwargs, ("report", "html", "profile"))
        return super().partial(**kwargs)

    def execute(self, context: Context) -> Summary:
        """Check, save, tell, and let the status decide."""
        try:
            with mistakes_not_retried():
                check_filled(self, DriftCheckOperator.template_fields)
                summary = _check.check_drift(self, context)
        except Exception as error:
            _check.tell_failure(self, error, context)
            raise
        _alerts.alert(self, summary, context, remind=self.remind_after)
        return _outcome.conclude(summary, self.on_drift, self.on_undecided)

    def get_openlineage_facets_on_complete(self, ti: Any) -> Any:
        """Tell OpenLineage what was compared and found."""
        return _lineage.facets(self, self.findings)

    def get_openlineage_facets_on_failure(self, ti: Any) -> Any:
        """Tell the same of a task that failed because of what it found."""
        return _lineage.facets(self, self.findings)


class DriftGateOperator(BaseOperator):
    """Let a check that succeeded decide: fail, warn or skip what comes after.

    Compute, then gate: the check runs with ``on_drift="warn"``, so that it stays green and its
    assets are updated, and the gate stops what must not run on drifted data.

    Parameters
    ----------
    report : mapping
        What a drift check returned: ``check.output``.
    on_drift, on_undecided : {"fail", "warn", "skip"}
        As for :class:`DriftCheckOperator`.
    notifiers : sequence of BaseNotifier
        Any of Airflow's.
    notify_on : sequence of str
        The statuses that are worth an alert.

    Returns
    -------
    dict
        The summary, handed on.

    Examples
    --------
    ::

        check = DriftCheckOperator(task_id="check", plan="…", on_drift="warn")
        DriftGateOperator(task_id="gate", report=check.output) >> train
    """

    template_fields: Sequence[str] = ("report",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"report": "json"}
    operator_extra_links = (DriftReportLink(),)

    def __init__(
        self,
        *,
        report: Mapping[str, Any],
        on_drift: Action = "fail",
        on_undecided: Action = "fail",
        notifiers: Sequence[Notifier] = (),
        notify_on: Collection[str] = LOUD,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.report = report
        self.on_drift = on_drift
        self.on_undecided = on_undecided
        self.notifiers = notifiers
        self.notify_on = _alerts.checked_events(notify_on)
        self.linked_report = ""
        check_stated(self, ())
        with mistakes_not_retried():
            _outcome.check_actions(
                on_drift=on_drift, on_undecided=on_undecided, notify_on=notify_on
            )

    def execute(self, context: Context) -> Summary:
        """Let the status decide."""
        with mistakes_not_retried():
            _outcome.check_actions(
                on_drift=self.on_drift, on_undecided=self.on_undecided, notify_on=self.notify_on
            )
            summary = _outcome.taken_over(self.report, context, self.log)
        self.linked_report = summary.get("link", "")
        _alerts.alert(self, summary, context)
        return _outcome.conclude(summary, self.on_drift, self.on_undecided)


class DriftBranchOperator(BaseBranchOperator):
    """Go on with other tasks where the data has drifted.

    Parameters
    ----------
    report : mapping
        What a drift check returned: ``check.output``.
    if_ok, if_drift : str or list of str
        The tasks, or task groups, to go on with.
    if_warn : str or list of str, optional
        By default as `if_ok`.
    if_undecided : str or list of str, optional
        By default as `if_drift`: what could not be judged is not taken for good.

    Examples
    --------
    ::

        DriftBranchOperator(
            task_id="branch", report=check.output, if_ok="publish", if_drift="quarantine"
        ) >> [publish, quarantine]
    """

    template_fields: Sequence[str] = ("report", "if_ok", "if_warn", "if_undecided", "if_drift")
    template_fields_renderers: ClassVar[dict[str, str]] = {"report": "json"}
    operator_extra_links = (DriftReportLink(),)

    def __init__(
        self,
        *,
        report: Mapping[str, Any],
        if_ok: str | Sequence[str],
        if_drift: str | Sequence[str],
        if_warn: str | Sequence[str] | None = None,
        if_undecided: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.report = report
        self.if_ok = if_ok
        self.if_drift = if_drift
        self.if_warn = if_warn
        self.if_undecided = if_undecided

    def choose_branch(self, context: Context) -> str | Sequence[str]:
        """Return the tasks to go on with."""
        with mistakes_not_retried():
            summary = _outcome.taken_over(self.report, context, self.log)
        self.linked_report = summary.get("link", "")
        chosen = {
            "ok": self.if_ok,
            "warn": self.if_ok if self.if_warn is None else self.if_warn,
            "undecided": self.if_drift if self.if_undecided is None else self.if_undecided,
            "drift": self.if_drift,
        }
        return chosen[summary["status"]]


class PromoteReferenceOperator(BaseOperator):
    """Make a profile the reference from now on: move the pointer that checks look at.

    Parameters
    ----------
    profile : str or mapping
        The profile, or what a task of kl-drift returned that names one.
    pointer : Asset or str
        An asset, whose state Airflow 3.3 keeps between runs, or a small JSON file. Checks with the
        same `pointer` compare with the promoted profile. An asset is an outlet of the task, so
        that promoting triggers what is scheduled on it.
    note : str, optional
        Why, for those who look the pointer up.
    conn_id : str, optional
        The Airflow connection of an object store, for URIs that name none.

    Returns
    -------
    dict
        The new pointer: ``profile``, ``previous``, ``promoted`` (when), ``by`` (which run),
        ``note``.

    Examples
    --------
    ::

        flights = Asset("flights_reference")
        check = DriftCheckOperator(
            task_id="check", plan="…", profile="/data/drift/{{ run_id }}.json", pointer=flights,
            on_drift="warn",
        )
        approve = ApprovalOperator(task_id="approve", subject="Is this the new normal?")
        promote = PromoteReferenceOperator(
            task_id="promote", profile=check.output, pointer=flights
        )
        check >> approve >> promote
    """

    template_fields: Sequence[str] = ("profile", "pointer", "note", "conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"profile": "json"}

    def __init__(
        self,
        *,
        profile: str | Mapping[str, Any],
        pointer: Asset | str,
        note: str = "",
        conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**_with_outlet(kwargs, pointer))
        self.profile = as_text(profile)
        self.pointer = pointer if isinstance(pointer, Asset) else as_text(pointer)
        self.note = note
        self.conn_id = conn_id
        check_stated(self, PromoteReferenceOperator.template_fields)

    def execute(self, context: Context) -> dict[str, Any]:
        """Move the pointer."""
        with mistakes_not_retried():
            check_filled(self, PromoteReferenceOperator.template_fields)
            return _work.promote_reference(self, context)

    def get_openlineage_facets_on_complete(self, ti: Any) -> Any:
        """Tell OpenLineage what was read and written."""
        return _lineage.facets(self)

    def get_openlineage_facets_on_failure(self, ti: Any) -> Any:
        """Tell the same of a task that failed."""
        return _lineage.facets(self)


def _with_inlet(kwargs: dict[str, Any], pointer: Asset | str | None) -> dict[str, Any]:
    """Add an asset to the inlets: only so does Airflow let a task read its state."""
    return _with(kwargs, "inlets", pointer) if isinstance(pointer, Asset) else kwargs


def _with_outlet(kwargs: dict[str, Any], pointer: Asset | str) -> dict[str, Any]:
    return _with(kwargs, "outlets", pointer) if isinstance(pointer, Asset) else kwargs


def _with(kwargs: dict[str, Any], where: str, asset: Asset) -> dict[str, Any]:
    known = list(kwargs.get(where) or [])
    return kwargs | {where: known if asset in known else [*known, asset]}
