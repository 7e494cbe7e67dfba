"""The results file: one typed row a line, added whole, read strictly.

Every line carries the schema it was written in. A last line without its end is what a killed run leaves; it counts as not
written.
"""
from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import DataError
from .runs import RESULTS_FILE

if TYPE_CHECKING:
    from .measure import ResultRow


def read_rows(path: Path) -> list[ResultRow]:
    """The rows of a results file or of a folder that holds one.

    Raises:
        DataError: no such file, rows of another schema, or something else than rows.
    """
    from .measure import ROW_SCHEMA, ResultRow

    path = path / RESULTS_FILE if path.is_dir() else path
    rows = []
    remedy = f"give a run folder or its {RESULTS_FILE}"
    for number, line in complete_lines(path, "result", remedy):
        check_schema(path, "result", number, line, ROW_SCHEMA)
        try:
            rows.append(ResultRow(**line))
        except TypeError as error:
            raise DataError(f"{path} holds no result rows of this release (line {number}: {error}); {remedy}") from error
    return rows


def complete_lines(path: Path, kind: str, remedy: str) -> list[tuple[int, dict]]:
    """(line number, object) of every whole line of a file of JSON lines, each a row of a `kind`.

    Raises:
        DataError: no such file, or a line that is no JSON object.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DataError(f"no {kind}s file {path}; {remedy}") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path} holds no {kind} rows of this release ({error}); {remedy}") from error
    found = []
    # Not `splitlines`: within a text JSON leaves the line ends of Unicode, such as U+2028, as they are.
    for number, line in enumerate(text.split("\n")[:-1], start=1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{path} holds no {kind} rows of this release (line {number}: {error}); {remedy}") from error
        if not isinstance(row, dict):
            raise DataError(f"{path} holds no {kind} rows of this release (line {number} is a {type(row).__name__}); {remedy}")
        found.append((number, row))
    return found


def append_row(path: Path, row: dict) -> None:
    """Adds one line in one write that has reached the disk when this returns; half a line from before is cut off."""
    line = (json.dumps(row, ensure_ascii=False) + "\n").encode()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        content_end = _end_of_lines(descriptor)
        os.ftruncate(descriptor, content_end)
        os.pwrite(descriptor, line, content_end)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _end_of_lines(descriptor: int) -> int:
    """The place behind the last line end."""
    end = os.fstat(descriptor).st_size
    while end and os.pread(descriptor, 1, end - 1) != b"\n":
        end -= 1
    return end


def check_schema(path: Path, kind: str, number: int, row: dict, known: int) -> None:
    """Raises DataError where a row is of another schema than the one that this release knows."""
    if "schema" not in row:
        raise DataError(f"{path} holds no {kind} rows of this release (line {number} states no schema); give a file that it wrote")
    if row["schema"] != known:
        newer = isinstance(row["schema"], int) and row["schema"] > known
        raise DataError(f"{path}: line {number} is of schema {row['schema']!r}, this release reads and writes schema {known}; "
                        + ("install a newer release, or " if newer else "") + "make the results anew in another folder")
