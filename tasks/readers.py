"""Files of rows: JSON lines, CSV, Parquet, and parallel text files. Each reader yields (place, row) pairs.

A place is `file:line` for people to find the row; a row maps column names to values. Memory does not grow with the file.
"""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from .errors import DataFormatError, MissingPackageError

Rows = Iterator[tuple[str, dict[str, Any]]]
_SHOWN_CHARACTERS = 40


def read_json_lines(path: Path) -> Rows:
    """One JSON object a line, packed or not; blank lines are passed over.

    Raises:
        DataFormatError: unreadable gzip, text that is not UTF-8, a line that is not a JSON object.
    """
    number = 0
    with _packed_or_not(path, lambda: number) as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield f"{path}:{number}", _parse(line, f"{path}:{number}")


def read_csv(path: Path) -> Rows:
    """Comma-separated values with a header line, UTF-8.

    Raises:
        DataFormatError: no header, a row with more or fewer fields, text that is not UTF-8.
    """
    csv.field_size_limit(2 ** 31 - 1)
    with _text_file(path) as file:
        reader = csv.DictReader(file, strict=True)
        try:
            for row in reader:
                where = f"{path}:{reader.line_num}"
                if None in row or None in row.values():
                    raise DataFormatError(f"{where}: the row has not as many fields as the header "
                                          f"({', '.join(reader.fieldnames or ())}); expected one field a column: repair it")
                yield where, row
        except csv.Error as error:
            raise DataFormatError(f"{path}:{reader.line_num}: not CSV ({error}); expected comma-separated values with a "
                                  f"header line: repair the file") from error


def read_parquet(path: Path) -> Rows:
    """The rows of a Parquet file, a batch at a time.

    Raises:
        MissingPackageError: pyarrow is not installed.
        DataFormatError: it is no Parquet file.
    """
    try:
        from pyarrow import ArrowInvalid
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise MissingPackageError(f"{path}: reading Parquet needs the package pyarrow; pip install 'transducer[data]', or "
                                  "store the rows as JSON lines") from error
    try:
        with ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches(1024):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{path}:{number}", row
    except ArrowInvalid as error:
        raise DataFormatError(f"{path}: no Parquet file ({str(error).splitlines()[0]}); store it again") from error


def read_parallel(source: Path, target: Path) -> Rows:
    """Two text files with one example a line in each: line n of one belongs to line n of the other.

    Raises:
        DataFormatError: they have different numbers of lines, or are not UTF-8.
    """
    with _text_file(source) as sources, _text_file(target) as targets:
        number = 0
        while True:
            ours, theirs = sources.readline(), targets.readline()
            if not ours and not theirs:
                return
            number += 1
            if not ours or not theirs:
                short, long = (source, target) if not ours else (target, source)
                raise DataFormatError(f"{short} ends after line {number - 1}, and {long} goes on; expected as many lines in "
                                      f"both: fetch them again")
            yield f"{source}:{number}", {"source": ours.rstrip("\r\n"), "target": theirs.rstrip("\r\n")}


READERS: dict[str, Callable[[Path], Rows]] = {
    ".jsonl": read_json_lines,
    ".jsonl.gz": read_json_lines,
    ".csv": read_csv,
    ".parquet": read_parquet,
}
"""By the end of a file's name."""


@contextmanager
def _packed_or_not(path: Path, line: Callable[[], int]) -> Iterator[Any]:
    opened = gzip.open if path.name.endswith(".gz") else open
    try:
        with opened(path, "rb") as lines:
            yield lines
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataFormatError(f"{path}: unreadable gzip after line {line()} ({error}); expected a whole gzip file: fetch "
                              f"or pack it again, or store it unpacked as .jsonl") from error


@contextmanager
def _text_file(path: Path) -> Iterator[TextIO]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield file
    except UnicodeDecodeError as error:
        raise DataFormatError(f"{path}: not UTF-8 ({error.reason} at byte {error.start} of a block); expected UTF-8 text: "
                              f"convert the file, for instance with iconv -t UTF-8") from error


def _parse(line: bytes, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line.rstrip(b"\r\n").decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataFormatError(f"{where}: not UTF-8 (byte 0x{line[error.start]:02x} at column {error.start + 1}); expected "
                              f"UTF-8 text: convert the file, for instance with iconv -t UTF-8") from error
    except json.JSONDecodeError as error:
        found = shown(line.decode("utf-8-sig"))
        raise DataFormatError(f"{where}: not JSON ({error.msg} at column {error.colno}), found {found}; expected one JSON "
                              f"object a line: repair the line") from error
    except RecursionError as error:
        raise DataFormatError(f"{where}: JSON nested too deeply to read; expected one flat JSON object a line: repair the "
                              f"line") from error
    if not isinstance(row, dict):
        raise DataFormatError(f"{where}: found {kind_of(row)}; expected a JSON object with 'source' and 'target'")
    return row


def kind_of(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "a truth value", type(None): "null"}
    return f"{names.get(type(value), 'a number')} ({shown(json.dumps(value))})"


def shown(text: str) -> str:
    text = " ".join(text.split())
    return repr(text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "...")
