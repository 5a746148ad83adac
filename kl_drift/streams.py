"""Standard output and standard error, which never decide an exit code.

Knows file descriptors that are closed, full or read by nobody any more. Has never heard of commands
or of what is printed.

What cannot be printed because its reader has gone is dropped: whoever closed the pipe did not want
it. What cannot be printed because there is no room is remembered, and :func:`lost` says so.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Any, TextIO

_GONE = frozenset({errno.EPIPE, errno.EBADF, errno.EIO, errno.ECONNRESET})


class _Descriptor(io.RawIOBase):
    """Bytes to a file descriptor; no error leaves it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.error: OSError | None = None

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override] # bytes are what a buffer writes
        if self.error is not None:
            return len(data)
        try:
            return os.write(self._descriptor, data)
        except OSError as error:
            self.error = error
            return len(data)


def steady_streams() -> None:
    """Put streams in the place of both standard ones that take whatever is printed, and never fail.

    What a terminal's encoding lacks is replaced. Descriptors that are closed are opened to nothing,
    lest the next file that is opened take their place and what is printed end up in it.
    """
    _fill_descriptors()
    sys.stdout = _steady(sys.stdout, 1)
    sys.stderr = _steady(sys.stderr, 2)


def lost(stream: TextIO) -> OSError | None:
    """Return why something printed did not arrive although somebody wanted it; flushes first."""
    stream.flush()
    error = getattr(_raw(stream), "error", None)
    return None if error is None or error.errno in _GONE else error


def _raw(stream: TextIO) -> object:
    return getattr(getattr(stream, "buffer", None), "raw", None)


def _fill_descriptors() -> None:
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest that is free: this one


def _steady(stream: TextIO | None, descriptor: int) -> TextIO:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    raw: Any = _Descriptor(descriptor)
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding, errors="replace", line_buffering=raw.isatty()
    )
