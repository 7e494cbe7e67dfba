"""Progress bars: on a terminal only, and only for what takes longer than two seconds."""
from __future__ import annotations

from collections.abc import Iterable

from tqdm import tqdm


def progress_bar(items: Iterable | None = None, *, shown: bool = True, **options) -> tqdm:
    """A tqdm bar on standard error that goes away when done; invisible where that is no terminal."""
    return tqdm(items, delay=2.0, leave=False, dynamic_ncols=True, disable=None if shown else True, **options)
