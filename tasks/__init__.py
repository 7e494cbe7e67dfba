"""Software tasks for code language models: what goes in, what comes out, where examples come from, how answers are scored.

    from tasks import get_task, load_source
    task = get_task("assert")
    dataset = load_source("embedded", task)

Metrics are in `tasks.metrics`, errors in `tasks.errors`.
"""

from __future__ import annotations

from .base import Example, Task
from .sources import SOURCES, DatasetSplits, load_source
from .table import TASKS, get_task

__all__ = ["SOURCES", "TASKS", "DatasetSplits", "Example", "Task", "get_task", "load_source"]
