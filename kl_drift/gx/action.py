"""The action of a checkpoint that alerts: which column, how far, what moved, in which batch.

Knows Great Expectations' actions and their configuration variables. Has never heard of how a text
is sent, or of how a divergence is judged.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from great_expectations.checkpoint.actions import ActionContext, ValidationAction
from great_expectations.compatibility import pydantic
from great_expectations.data_context.data_context.context_factory import project_manager
from great_expectations.datasource.fluent.config_str import ConfigStr
from great_expectations.exceptions.exceptions import MissingConfigVariableError

from kl_drift.alerts.channels import deliver
from kl_drift.errors import KLDriftError
from kl_drift.gx.memory import Memory
from kl_drift.gx.outcome import Outcome, outcomes
from kl_drift.gx.registration import check_results, check_suite
from kl_drift.render.notice import Block, Notice, to_text

if TYPE_CHECKING:
    from great_expectations.checkpoint.checkpoint import CheckpointResult

_log = logging.getLogger(__name__)

Severity = Literal["info", "warning", "critical"]
_SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")


class KLDriftAction(ValidationAction):
    """Alert where kl-drift expectations fail: column, KL, interval, limit, what moved, batch.

    A checkpoint that holds it cannot be loaded by a process that does not know kl-drift, and it
    refuses suites that lost their kl-drift expectations: no silent green.

    Parameters
    ----------
    name : str
        Of the action.
    urls : list of str
        Where to, as apprise writes it. Each must be, or hold, a configuration variable
        (``${DRIFT_ALERTS}``): a URL holds secrets, which are never stored.
    minimum_severity : {"info", "warning", "critical"}
        Expectations of at least this severity alert; route by several actions.
    times : int
        Alert from the n-th failure in a row on; needs ``state`` if above 1.
    cooldown_hours : float
        Do not alert of the same expectation again within this time, unless its status is another;
        needs ``state`` if above 0.
    state : str
        A small JSON file, a path or a URI, where failures in a row and the last alerts are kept;
        one for each action.
    """

    type: Literal["kl_drift"] = "kl_drift"
    urls: list[ConfigStr]
    minimum_severity: Severity = "info"
    times: int = pydantic.Field(default=1, ge=1)
    cooldown_hours: float = pydantic.Field(default=0.0, ge=0)
    state: str = ""

    @pydantic.validator("urls")
    @classmethod
    def _refuse_none(cls, urls: list[ConfigStr]) -> list[ConfigStr]:
        if not urls:
            raise ValueError("expected at least one URL, such as ${DRIFT_ALERTS}")
        return urls

    @pydantic.root_validator(skip_on_failure=True)
    @classmethod
    def _refuse_forgetting(cls, values: dict[str, Any]) -> dict[str, Any]:
        if (values["times"] > 1 or values["cooldown_hours"] > 0) and not values["state"]:
            raise ValueError("times and cooldown_hours need a memory: state: path of a JSON file")
        return values

    def run(
        self, checkpoint_result: CheckpointResult, action_context: ActionContext | None = None
    ) -> dict[str, Any]:
        """Alert of what failed and is due.

        Returns
        -------
        dict
            ``due``: the expectations alerted of; ``held``: those that failed and were not due;
            ``delivered``: whether every URL took it, ``None`` if there was nothing to send.

        Raises
        ------
        SuiteError
            If a suite of the checkpoint lost its kl-drift expectations, or a validation definition
            lost its results.
        """
        for definition in checkpoint_result.checkpoint_config.validation_definitions:
            check_suite(definition.suite)
        check_results(checkpoint_result)
        found = [each for each in outcomes(checkpoint_result) if self._heard(each)]
        now = datetime.now(UTC)
        memory = Memory.load(self.state)
        for each in found:
            memory.note(each.key, each.success)
        failed = [each for each in found if not each.success]
        due = [each for each in failed if self._is_due(memory, each, now)]
        delivered = self._deliver(checkpoint_result.name, due) if due else None
        if delivered:
            for each in due:
                memory.alerted(each.key, each.status, now)
        memory.save()
        held = [each for each in failed if each not in due]
        return {"due": _named(due), "held": _named(held), "delivered": delivered}

    def _heard(self, outcome: Outcome) -> bool:
        return _SEVERITIES.index(outcome.severity) >= _SEVERITIES.index(self.minimum_severity)

    def _is_due(self, memory: Memory, outcome: Outcome, now: datetime) -> bool:
        if memory.in_a_row(outcome.key) < self.times:
            return False
        last = memory.last_alert(outcome.key, outcome.status)
        return last is None or now - last >= timedelta(hours=self.cooldown_hours)

    def _deliver(self, checkpoint: str, due: Sequence[Outcome]) -> bool:
        title, text = message(checkpoint, due)
        try:
            return deliver(self._addresses(), title, text)
        except MissingConfigVariableError as error:
            lost = error.missing_config_variable
            _log.error("alert %r could not be sent: configure the variable %s", title, lost)
            return False
        except KLDriftError as error:
            _log.error("alert %r could not be sent: %s", title, error)
            return False

    def _config_provider(self) -> Any:
        """Return what knows the variables: of the action's context; in 1.20, of the current one."""
        resolve = getattr(self, "_resolve_context", None)
        return (
            resolve().context.config_provider if resolve else project_manager.get_config_provider()
        )

    def _addresses(self) -> list[str]:
        provider = self._config_provider()
        return [str(provider.substitute_config(url.template_str)) for url in self.urls]


def message(checkpoint: str, due: Sequence[Outcome]) -> tuple[str, str]:
    """Return the title and the text of an alert."""
    statuses = [
        each for each in ("drift", "undecided", "error") if any(o.status == each for o in due)
    ]
    columns = list(dict.fromkeys(name for each in due for name in _columns(each)))
    shown = ", ".join(columns[:6]) + (" …" if len(columns) > 6 else "")
    title = f"{' and '.join(statuses)} in {checkpoint}: {shown}"
    blocks = tuple(
        _block(batch, [each for each in due if (each.suite, each.batch) == batch])
        for batch in dict.fromkeys((each.suite, each.batch) for each in due)
    )
    notice = Notice(subject=title, summary=title, status=statuses[0], blocks=blocks)
    return notice.subject, to_text(notice)


def _block(batch: tuple[str, str], outcomes: Sequence[Outcome]) -> Block:
    suite, name = batch
    lines = tuple(
        replace(line, status=f"{line.status} ({each.severity})")
        for each in outcomes
        for line in each.told
    )
    return Block(heads=(f"suite {suite}, batch {name or 'unnamed'}:",), lines=lines)


def _columns(outcome: Outcome) -> list[str]:
    if outcome.column:
        return [outcome.column]
    loud = [str(each["name"]) for each in outcome.columns if each.get("status") != "ok"]
    return loud or [outcome.expectation]


def _named(found: Sequence[Outcome]) -> list[str]:
    return [each.key for each in found]
