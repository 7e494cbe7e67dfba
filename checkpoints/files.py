"""Text files that are written whole or not at all."""
from __future__ import annotations

from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
