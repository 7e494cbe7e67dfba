"""Where this toolkit keeps what it can make again."""
from __future__ import annotations

import os
from pathlib import Path


def cache_place() -> Path:
    """`$TRANSDUCER_CACHE`, else `~/.cache/transducer`; not made here."""
    return Path(os.environ.get("TRANSDUCER_CACHE") or Path.home() / ".cache" / "transducer")
