"""Which of the processes of a launcher this one is."""
from __future__ import annotations

import os


def process_count() -> int:
    """How many processes the launcher has started; 1 without one."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main_process() -> bool:
    """Whether this process is the one that writes; alone, it is."""
    return int(os.environ.get("RANK", "0")) == 0
