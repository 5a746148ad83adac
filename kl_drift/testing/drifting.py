"""A check as one line of a test: no drift, or the report as the message.

Knows how to compare, and which statuses fail. Has never heard of what is drawn at random.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kl_drift.api import compare
from kl_drift.render.terminal import to_text

if TYPE_CHECKING:
    from kl_drift.api import Columns
    from kl_drift.counts.profile import Profile
    from kl_drift.engines.opening import Readable
    from kl_drift.judging.policy import Policy
    from kl_drift.judging.report import Report


def assert_no_drift(
    current: Profile | Readable,
    reference: Profile | Readable,
    *,
    columns: Columns = None,
    policy: Policy | None = None,
    undecided: bool = False,
) -> Report:
    """Pass if no column has drifted; else fail with the report as the message.

    Parameters
    ----------
    current, reference : Profile, path of a saved profile, or what :func:`kl_drift.compare` takes
        The two.
    columns : sequence of str or Selection, optional
        Which columns are judged; only where the reference is no profile yet.
    policy : Policy, optional
        The limits.
    undecided : bool
        Whether too few rows to tell pass, too. By default they do not: what could not be judged is
        not green.

    Returns
    -------
    Report
        Warnings are in it, and pass.

    Raises
    ------
    AssertionError
        If the report is ``drift``, or ``undecided`` and that does not pass.

    Examples
    --------
    >>> january = {"x": list(range(100)) * 20}
    >>> assert_no_drift(january, january).status.value
    'ok'
    """
    report = compare(current, reference, columns=columns, policy=policy)
    if report.status == "drift" or (report.status == "undecided" and not undecided):
        raise AssertionError(to_text(report))
    return report
