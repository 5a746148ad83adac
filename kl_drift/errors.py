"""Every error kl-drift raises on purpose.

The tree; each class is also the closest builtin, so ``except ValueError`` keeps working::

    KLDriftError
    ├── SnapshotError
    │   ├── SnapshotNotFoundError        (FileNotFoundError)  no such path, or no rows behind it
    │   │   └── SnapshotGoneError                             a version whose files were removed
    │   ├── SnapshotUnreadableError      (OSError)            damaged, refused, out of reach
    │   └── SnapshotInvalidError         (ValueError)         can be read, but not as one table
    ├── ColumnError
    │   ├── ColumnNotFoundError          (LookupError)        asked for by name, not there
    │   ├── ColumnTypeError              (TypeError)          there, but its type forbids that
    │   └── PairError                    (LookupError)        two columns not to be had together
    ├── BinsError                        (ValueError)         edges or levels that make no bins
    │   └── BinsMismatchError                                 two histograms over different bins
    ├── DomainError                      (ValueError)         arrays outside a formula's domain
    ├── ArtefactError
    │   ├── ArtefactNotFoundError        (FileNotFoundError)
    │   ├── ArtefactCorruptError         (ValueError)         not what it says it is
    │   └── ArtefactTooNewError          (ValueError)         written by a later kl-drift
    ├── HistoryError                     (OSError)            down, read-only, or damaged
    │   └── HistoryTooNewError                                written by a later kl-drift
    ├── PlanError                        (ValueError)         a mistake in a plan, with file and key
    ├── SuiteError                       (LookupError)        a suite lost its expectations
    ├── UsageError                       (ValueError)         arguments that contradict each other
    └── MissingExtraError                (ImportError)        an optional dependency is missing

A message says what happened, where (file, column, key), what was expected and what to type next.
This room knows nothing of the others.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class KLDriftError(Exception):
    """The root: ``except KLDriftError`` catches whatever kl-drift raises on purpose."""


class SnapshotError(KLDriftError):
    """Something about the rows that were to be read."""


class SnapshotNotFoundError(SnapshotError, FileNotFoundError):
    """No such file, folder, glob match or partition."""


class SnapshotGoneError(SnapshotNotFoundError):
    """A version of a table is known, but its files were removed, as by a vacuum."""


class SnapshotUnreadableError(SnapshotError, OSError):
    """The snapshot is there but cannot be read: damaged, refused, or out of reach."""


class SnapshotInvalidError(SnapshotError, ValueError):
    """The snapshot can be read but is not one table: clashing schemas, no columns."""


class ColumnError(KLDriftError):
    """Something about one column."""


class ColumnNotFoundError(ColumnError, LookupError):
    """A column that was asked for by name is not there."""

    def __init__(self, message: str, *, column: str = "") -> None:
        super().__init__(message)
        self.column = column


class ColumnTypeError(ColumnError, TypeError):
    """A column's type does not allow what was asked of it."""


class PairError(ColumnError, LookupError):
    """Two columns cannot be compared together: one of them is not there or not counted."""

    def __init__(self, pair: tuple[str, str], message: str) -> None:
        super().__init__(message)
        self.pair = pair


class BinsError(KLDriftError, ValueError):
    """Edges or levels that do not make bins; of a column, where one is known."""

    def __init__(self, message: str, *, column: str = "") -> None:
        super().__init__(message)
        self.column = column


class BinsMismatchError(BinsError):
    """Two histograms or profiles that were counted over different bins."""


class DomainError(KLDriftError, ValueError):
    """Numbers outside the domain of a formula."""


class ArtefactError(KLDriftError):
    """Something about a saved profile or report."""


class ArtefactNotFoundError(ArtefactError, FileNotFoundError):
    """No profile or report at that path."""


class ArtefactCorruptError(ArtefactError, ValueError):
    """The file is not the artefact it should be: truncated, edited, or something else."""


class ArtefactTooNewError(ArtefactError, ValueError):
    """The file's format is newer than this kl-drift reads."""


class HistoryError(KLDriftError, OSError):
    """The history cannot be reached, read or written; the message names it without its password."""


class HistoryTooNewError(HistoryError):
    """The history's tables, or something in them, are newer than this kl-drift reads."""


class PlanError(KLDriftError, ValueError):
    """A mistake in a plan; the message names file, line and key."""


class SuiteError(KLDriftError, LookupError):
    """A suite of Great Expectations has not the kl-drift expectations that it should have."""


class UsageError(KLDriftError, ValueError):
    """Arguments that are wrong in themselves or contradict each other."""


class MissingExtraError(KLDriftError, ImportError):
    """An optional dependency is needed and not installed; the message is the command to run."""

    def __init__(self, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs an extra: run  pip install 'kl-drift[{extra}]'")


def first_line(error: object) -> str:
    """Return the first line of what a library says: an error is one line, whatever follows it."""
    return str(error).partition("\n")[0].rstrip(".: ")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the nearest known name, or nothing.

    Names that differ from it by case only are all named.
    """
    names = list(known)
    near = [each for each in names if each.casefold() == name.casefold()]
    near = near or get_close_matches(name, names, n=1, cutoff=0.6)
    return f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
