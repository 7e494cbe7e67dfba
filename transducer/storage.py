"""Files that are written whole or not at all, and the cache folder."""
from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from checkpoints.cache import cache_place


def cache_folder() -> Path:
    """`$TRANSDUCER_CACHE`, else `~/.cache/transducer`; made when first asked for."""
    folder = cache_place()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def write_text(path: Path, text: str) -> None:
    """Replaces `path` by `text` in one step, so that a reader or a killed run never sees half a file.

    Line ends are written as they are; a file that was there keeps its permissions.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8", newline="")
    if path.exists():
        shutil.copymode(path, temporary)
    temporary.replace(path)


def write_json(path: Path, content: object) -> None:
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def write_json_lines(path: Path, rows: list[dict]) -> None:
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
