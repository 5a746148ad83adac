"""The operator that removes old reports from the folder of reports.

Knows how many or how old. Has never heard of what is in a report.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from kl_drift.airflow._arguments import check_filled, check_stated
from kl_drift.airflow._reports import kept, prune_reports
from kl_drift.airflow.exceptions import mistakes_not_retried

if TYPE_CHECKING:
    from airflow.sdk import Context


class PruneReportsOperator(BaseOperator):
    """Remove reports that are too old, or too many, from the folder of reports.

    Every try of a check leaves a report there, and nothing else removes one. What the history
    recorded stays.

    Parameters
    ----------
    keep : int or str or timedelta
        How many reports of each task are kept, the latest; or how old they may be: ``"90 days"``.

    Returns
    -------
    dict
        ``removed`` and ``left``: how many.

    Examples
    --------
    ::

        @dag(schedule="@daily")
        def drift_housekeeping():
            PruneReportsOperator(task_id="prune", keep="90 days")
    """

    template_fields: Sequence[str] = ("keep",)

    def __init__(self, *, keep: int | str | timedelta, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.keep = keep
        check_stated(self, PruneReportsOperator.template_fields)
        if not (isinstance(keep, str) and "{" in keep):
            with mistakes_not_retried():
                kept(keep)

    def execute(self, context: Context) -> dict[str, int]:
        """Remove them."""
        with mistakes_not_retried():
            check_filled(self, PruneReportsOperator.template_fields)
            removed, left = prune_reports(self.keep)
        self.log.info("%d reports removed, %d left", removed, left)
        return {"removed": removed, "left": left}
