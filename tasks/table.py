"""The table of tasks. A further task is one file and one line here."""

from __future__ import annotations

from .assertion import ASSERTION
from .base import Task
from .errors import UnknownTaskError, unknown_name
from .repair import REPAIR
from .summarization import SUMMARIZATION
from .translation import TRANSLATION

TASKS: dict[str, Task] = {task.name: task for task in (ASSERTION, SUMMARIZATION, TRANSLATION, REPAIR)}


def get_task(name: str) -> Task:
    """The task called `name`.

    Raises:
        UnknownTaskError: there is none; the message lists them and names the nearest.
    """
    if name not in TASKS:
        raise UnknownTaskError(unknown_name("task", name, TASKS))
    return TASKS[name]
