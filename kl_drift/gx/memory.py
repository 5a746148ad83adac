"""What an action remembers from one run to the next: failures in a row, and when it alerted.

Knows one small JSON file. Has never heard of checkpoints or of how an alert is sent. A memory that
is lost or damaged must not keep an alert from being sent, so it is then an empty one, said in the
log; nor may it fail a checkpoint that it cannot be written.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from kl_drift import canonical
from kl_drift.errors import KLDriftError
from kl_drift.storage import read_bytes, redacted, write_bytes

_log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Memory:
    """Failures in a row and the last alerts, by expectation.

    Parameters
    ----------
    path : str
        The file; empty: nothing is kept.
    entries : dict
        By expectation: ``failures``, and ``status`` and ``alerted`` of its last alert.
    """

    path: str = ""
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: str) -> Memory:
        """Read the file; an empty memory if it is not there or damaged."""
        if not path:
            return cls()
        try:
            content = read_bytes(path)
            if _is_foreign(content):
                _log.error("%s: is no memory of alerts and is left as it is", redacted(path))
                return cls()
            document = json.loads(content)
            return cls(path=path, entries=_checked(document["expectations"]))
        except FileNotFoundError:
            return cls(path=path)
        except (KLDriftError, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            _log.warning(
                "%s: no memory of earlier alerts (%s); begun anew",
                redacted(path),
                type(error).__name__,
            )
            return cls(path=path)

    def note(self, key: str, success: bool) -> None:
        """Count a failure in a row; a success ends the row and forgets its alerts."""
        if success:
            self.entries.pop(key, None)
        else:
            entry = self.entries.setdefault(key, {"failures": 0})
            entry["failures"] += 1

    def in_a_row(self, key: str) -> int:
        """Return how many failures there were in a row."""
        return int(self.entries.get(key, {}).get("failures", 0))

    def alerted(self, key: str, status: str, when: datetime) -> None:
        """Note that an alert was delivered."""
        self.entries[key] |= {"status": status, "alerted": when.isoformat(timespec="seconds")}

    def last_alert(self, key: str, status: str) -> datetime | None:
        """Return when the last alert of that status in this row of failures was delivered."""
        entry = self.entries.get(key, {})
        if entry.get("status") != status:
            return None
        return datetime.fromisoformat(entry["alerted"])

    def save(self) -> None:
        """Write the file, whole or not at all."""
        if not self.path:
            return
        document = {"kl_drift": "alerts", "version": 1, "expectations": self.entries}
        try:
            write_bytes(self.path, (canonical.dumps(document) + "\n").encode())
        except (KLDriftError, OSError) as error:
            _log.error(
                "%s: what was alerted cannot be kept (%s)",
                redacted(self.path),
                type(error).__name__,
            )


def _checked(entries: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Refuse what this module would not have written."""
    for entry in entries.values():
        int(entry["failures"])
        if "alerted" in entry:
            datetime.fromisoformat(entry["alerted"]).astimezone(UTC)
    return entries


def _is_foreign(content: bytes) -> bool:
    """Say whether a file is neither a memory nor what may have been one."""
    text = content.strip()
    if not text.startswith((b"{", b"[")):
        return bool(text)
    try:
        document = json.loads(text)
    except ValueError:
        return False
    return isinstance(document, dict) and document.get("kl_drift", "alerts") != "alerts"
