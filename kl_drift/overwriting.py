"""What no output may take the place of: whatever a check reads or keeps.

Knows when two locations are one file, however they are spelt. Has never heard of formats, of plans
or of what is written.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from kl_drift.errors import UsageError
from kl_drift.storage import place_of

_MAGIC = re.compile(r"[*?[]")
_PARQUET = (b"PAR1", b"PARE")
_SUFFIXES = (".parquet", ".parq", ".pq", ".pqt")
_OF_TABLES = frozenset({"_delta_log", "metadata", ".hoodie"})
_OF_DATABASES = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside its file."""


def refuse_overwriting(outputs: Mapping[str, str], inputs: Mapping[str, str]) -> None:
    """Refuse outputs that would take the place of an input, or of one another.

    Parameters
    ----------
    outputs : mapping of str to str
        Where each output goes, by what the user calls it: ``--output``, ``output.html``. Empty:
        nowhere.
    inputs : mapping of str to str
        Where each input lies, by what it is in words: ``the reference``. A file, a folder, a glob
        or a URI; a history may be the URL of its database.

    Raises
    ------
    UsageError
        Names the first such output and what it would overwrite.
    """
    for name, what in find_overwriting(outputs, inputs).items():
        raise UsageError(f"{name} {outputs[name]}: {would_overwrite(what)}")


def would_overwrite(what: str) -> str:
    """Return what is said of an output that would take the place of something."""
    return f"would overwrite {what}; give it its own name"


def find_overwriting(outputs: Mapping[str, str], inputs: Mapping[str, str]) -> dict[str, str]:
    """Return the outputs that would overwrite something, each with what that is.

    Parameters as of :func:`refuse_overwriting`. Judged by the file itself: links, hard links and
    other spellings of a path are the same, and so is a part of a snapshot.
    """
    found: dict[str, str] = {}
    taken = {what: where for what, where in inputs.items() if where}
    for name, where in outputs.items():
        hits = (what for what, place in taken.items() if where and _is_part(where, place))
        if what := next(hits, ""):
            found[name] = what
        else:
            taken[name] = where
    return found


def _is_part(output: str, place: str) -> bool:
    """Say whether an output is a file, or one of the files below a folder."""
    if not place:
        return False
    stores, paths = zip(place_of(output), place_of(place), strict=True)
    if stores[0] != stores[1]:
        return False
    path, whole = paths
    if path == whole or any(path == whole + suffix for suffix in _OF_DATABASES):
        return True
    if stores[0]:
        return path.startswith(_folder(whole) + "/") and path.lower().endswith(_SUFFIXES)
    return _is_same_file(path, whole) or any(
        _is_same_file(path, each) for each in _data_below(path, _folder(whole))
    )


def _is_same_file(one: str, other: str) -> bool:
    try:
        return Path(one).samefile(other)
    except OSError:  # one of them is not there yet
        return False


def _folder(path: str) -> str:
    """Return the folder that a glob begins in; of any other path, the path itself."""
    magic = None if Path(path).exists() else _MAGIC.search(path)
    return path[: magic.start()].rpartition("/")[0] if magic else path


def _data_below(output: str, folder: str) -> Iterator[str]:
    """Yield what an output that is there already might be of the data in a local folder."""
    target = Path(output)
    if not target.is_file() or not Path(folder).is_dir():
        return
    if _is_data(target, folder):
        yield output
    if target.stat().st_nlink > 1:
        for above, _, names in os.walk(folder):
            yield from (os.path.join(above, name) for name in names)  # noqa: PTH118 - many


def _is_data(target: Path, folder: str) -> bool:
    """Say whether a file below a folder is Parquet, or belongs to a lake table."""
    real = target.resolve()
    if not real.is_relative_to(Path(folder).resolve()):
        return False
    if _OF_TABLES & set(real.relative_to(Path(folder).resolve()).parts[:-1]):
        return True
    with real.open("rb") as stream:
        return stream.read(len(_PARQUET[0])) in _PARQUET
