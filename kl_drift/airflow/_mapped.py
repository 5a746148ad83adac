"""What mapped tasks write: each of them its own file.

Knows the arguments that an operator is mapped with. Has never heard of what is in the files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kl_drift.airflow.exceptions import mistakes_not_retried
from kl_drift.errors import UsageError

_OF_ONE_TASK = re.compile(r"\{[{%][^}]*\b(map_index|ti|task|task_instance)\b")


def refuse_one_file(operator: str, stated: Mapping[str, Any], files: tuple[str, ...]) -> None:
    """Refuse a file that all mapped tasks would write, each over the one before.

    Parameters
    ----------
    operator : str
        What the message calls the operator.
    stated : mapping
        The arguments that the mapped tasks have in common.
    files : tuple of str
        Which of them name a file that is written.

    Raises
    ------
    DriftMistakeError
        While the DAG file is read.
    """
    for name in files:
        where = stated.get(name)
        if isinstance(where, str) and where and not _OF_ONE_TASK.search(where):
            with mistakes_not_retried():
                raise UsageError(
                    f"{operator}: {name}: every mapped task would write {where}, over the one "
                    'before; name it by the task, such as "…/{{ run_id }}/{{ ti.map_index }}.json"'
                )
