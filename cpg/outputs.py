"""Files and folders written whole or not at all: under another name first, then renamed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from cpg.errors import OutputError


def write_file(path: Path, text: str) -> None:
    """Replace the file by this text, in UTF-8 with line ends as they are. Folders on the way are made.

    A link stays and what it names is replaced; a device or pipe is written to.

    Raises:
        OSError: it cannot be written; a file that was there stays as it was.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file() and not path.is_dir():
        path.write_bytes(text.encode())
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path)
    try:
        temporary.write_bytes(text.encode())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_folder(path: Path, files: dict[str, str]) -> None:
    """Replace the folder by one with these files.

    Raises:
        OutputError: something else is there: a file, or a folder with other files than CSV, which is left alone.
        OSError: it cannot be written; a folder that was there stays as it was.
    """
    path = Path(os.path.realpath(path))
    if path.exists():
        others = [other.name for other in path.iterdir() if other.suffix != ".csv"] if path.is_dir() else [path.name]
        if others:
            raise OutputError(f"{path} holds {sorted(others)[0]!r}, which is no CSV file; name a new or empty folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, old = _beside(path), _beside(path, "old")
    try:
        temporary.mkdir()
        for name, text in files.items():
            (temporary / name).write_bytes(text.encode())
        if path.exists():
            os.replace(path, old)
        os.replace(temporary, path)
    except BaseException:
        if old.exists() and not path.exists():
            os.replace(old, path)
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _beside(path: Path, word: str = "tmp") -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.{word}")


def target_names(sources: list[str], extension: str) -> list[str]:
    """For each source a name below the output folder: its path from the folder that all have in common.

    `-` is called stdin. The same source twice has one name.
    """
    paths = [os.path.abspath("stdin" if source == "-" else source) for source in sources]
    common = os.path.commonpath([os.path.dirname(path) for path in paths])
    return [f"{os.path.relpath(path, common)}.{extension}" for path in paths]
