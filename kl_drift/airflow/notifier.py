"""A notifier that words what drifted, and lets any other notifier deliver it.

Knows which fields other notifiers keep their words in. Has never heard of limits.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseNotifier

from kl_drift.airflow._alerts import failure_of, with_message
from kl_drift.airflow._summary import checked_summary
from kl_drift.errors import UsageError

if TYPE_CHECKING:
    from airflow.sdk import Context

_WORDS = {
    "subject": "{{ drift_message.subject }}",
    "title": "{{ drift_message.subject }}",
    "html_content": "{{ drift_message.html }}",
    "body": "{{ drift_message.text }}",
    "message": "{{ drift_message.text }}",
    "text": "{{ drift_message.text }}",
}
"""Where notifiers keep their words, and what stands there if the author wrote nothing."""


class DriftNotifier(BaseNotifier):
    """Say what drifted through another notifier.

    The message names the columns, KL with its interval, the limit, what moved, and links to the
    report. It fills what `via` leaves empty: subject and HTML of an e-mail, text of a chat.

    Parameters
    ----------
    via : BaseNotifier
        Who delivers: ``SmtpNotifier``, ``SlackWebhookNotifier``, ``AppriseNotifier``, …
    **words
        Templates for fields of `via`, such as ``text="{{ drift_message.slack }}"``.
        ``drift_message`` has ``subject``, ``text``, ``slack`` and ``html``; ``drift_report`` is the
        summary.

    Examples
    --------
    As an alert of a check, or as a callback of any of kl-drift's tasks::

        mail = SmtpNotifier(from_email="airflow@example.org", to="data@example.org")
        DriftCheckOperator(
            task_id="check", plan="configs/flights.yaml", notifiers=[DriftNotifier(mail)]
        )
    """

    template_fields = ()

    def __init__(self, via: BaseNotifier, **words: str) -> None:
        super().__init__()
        self.via = via
        self.words = words

    def notify(self, context: Context) -> None:
        """Deliver the message."""
        known: Mapping[str, Any] = context
        if "drift_message" not in known:
            known = with_message(known, _left_behind(known))
        worded = copy.copy(self.via)
        for name, template in (self._defaults() | self.words).items():
            setattr(worded, name, template)
        worded(dict(known))

    def _defaults(self) -> dict[str, str]:
        """Return templates for the fields that the author of `via` left empty."""
        return {
            name: template
            for name, template in _WORDS.items()
            if name in self.via.template_fields and not getattr(self.via, name, None)
        }


def _left_behind(context: Mapping[str, Any]) -> dict[str, Any]:
    """Return the summary that the task itself left, for callbacks; else that it could not run."""
    ti = context["ti"]
    found = ti.xcom_pull(task_ids=ti.task_id, map_indexes=ti.map_index)
    try:
        return checked_summary(found)
    except UsageError:
        error = context.get("exception") or "nobody knows why; the log may"
        return failure_of(f"{ti.dag_id}.{ti.task_id}", error, context)
