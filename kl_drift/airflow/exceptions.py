"""Why a task of kl-drift failed for good: Airflow does not retry what retrying cannot change.

Knows which of kl-drift's errors are mistakes of the author, and which may pass. Has never heard of
what a check does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowNotFoundException,
)

from kl_drift.errors import (
    ArtefactTooNewError,
    BinsError,
    ColumnError,
    DomainError,
    HistoryTooNewError,
    MissingExtraError,
    PlanError,
    SnapshotInvalidError,
    SuiteError,
    UsageError,
)

_MISTAKES = (
    AirflowNotFoundException,
    ArtefactTooNewError,
    BinsError,
    ColumnError,
    DomainError,
    HistoryTooNewError,
    MissingExtraError,
    PlanError,
    SnapshotInvalidError,
    SuiteError,
    UsageError,
)


class _PlannedError(AirflowFailException):
    """A failure that somebody asked for: its message is all there is to say.

    Airflow logs a failure with all the frames through which it came, of which none is news here.
    Its log writes the message first; with that the frames below Airflow's own are forgotten.
    """

    def __str__(self) -> str:
        if self.__traceback__ is not None:
            self.__traceback__.tb_next = None
        return super().__str__()


class DriftDetectedError(_PlannedError):
    """The data has drifted. The check itself went well, so the task fails without a retry."""


class DriftUndecidedError(_PlannedError):
    """Nobody can tell whether the data has drifted: too few rows. Not retried."""


class DriftMistakeError(AirflowFailException):
    """A mistake in a plan, a column or an argument; no retry can mend it."""


class ExpectationsUnmetError(_PlannedError):
    """Expectations of a checkpoint are not met. The task fails without a retry."""


class ExpectationsNotEvaluatedError(AirflowException):
    """Expectations of a checkpoint could not be evaluated, which says nothing about the data."""


@contextmanager
def mistakes_not_retried() -> Iterator[None]:
    """Fail for good where the author must change something; what may pass stays retryable.

    Missing or unreadable snapshots and profiles, and a history that is down, go through as they
    are: Airflow retries them.
    """
    try:
        yield
    except _MISTAKES as error:
        raise DriftMistakeError(str(error)) from error
