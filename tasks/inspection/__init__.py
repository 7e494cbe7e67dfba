"""Pictures of data: what a data set holds, as figures, as tables in the terminal and as one HTML page.

    from tasks import get_task, load_source
    from tasks.inspection import inspect_dataset
    task = get_task("repair")
    figures = inspect_dataset(load_source("file:data/repair", task), task)

`figures.py` makes the figures, each part in a module of its own; `terminal.py` and `page.py` show them and count nothing.
The command is `python -m tasks inspect`, see `command.py`.
"""

from __future__ import annotations

from .figures import SCHEMA, Figures, inspect_dataset

__all__ = ["SCHEMA", "Figures", "inspect_dataset"]
