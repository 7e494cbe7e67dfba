"""Source `file:PATH`: a folder with `train`, `valid` and `test`, each as `.jsonl` or `.jsonl.gz`.

One JSON object a line, UTF-8. `source` and `target` are needed, texts that are not blank. `id` is optional and unique in
the folder; a row without one is called by its split and line. `language` is optional; see `language_of_rows` for the rule
for rows without it. Other fields become metadata. Blank lines are skipped. The first wrong row ends the reading with its
file, line and field: nothing is dropped in silence.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from .base import Example, Task
from .datasets import SPLITS, DatasetSplits
from .errors import DataFormatError, MissingDataError, PlaceholderError, TaskLanguageError, unknown_name
from .languages import told_language

SUFFIXES = (".jsonl", ".jsonl.gz")
OWN_FIELDS = ("id", "source", "target", "language")
_SHOWN_CHARACTERS = 40


def load(request: Any) -> DatasetSplits:
    """The data set of the folder that `request.argument` names; see `tasks.sources.load_source`."""
    folder = Path(request.argument).expanduser()
    paths = {split: split_file(folder, split) for split in SPLITS}
    rows: dict[str, list[Example]] = {}
    owners: dict[str, str] = {}
    for split, path in paths.items():
        lines = tqdm(read_lines(path), desc=f"reading {path.name}", unit="row", delay=2.0, leave=False,
                     disable=None if request.progress else True)
        rows[split] = [_example(row, f"{path}:{number}", f"{split}-{number}", request.task, owners)
                       for number, row in lines]
        if not rows[split]:
            raise DataFormatError(f"{path}: the {split} split is empty; expected at least one row with 'source' and "
                                  f"'target': fill the file or point to another folder")
    splits, how = language_of_rows(rows, folder, request.task, request.language)
    languages = Counter(example.language for examples in splits.values() for example in examples)
    return DatasetSplits.of(splits, request.specification, {"source": "file", "folder": str(folder),
                                                            "languages": dict(sorted(languages.items())),
                                                            "language_rule": how, "drops": {}})


def split_file(folder: Path, split: str) -> Path:
    """The one file of `split` in `folder`.

    Raises:
        MissingDataError: the folder or the file is not there.
        DataFormatError: both the plain and the packed file are there.
    """
    names = " or ".join(split + suffix for suffix in SUFFIXES)
    if not folder.is_dir():
        found = "a file" if folder.exists() else "nothing"
        raise MissingDataError(f"data folder {folder}: found {found}; expected a folder with {names} and the like: "
                               f"give file:FOLDER")
    present = [folder / (split + suffix) for suffix in SUFFIXES if (folder / (split + suffix)).is_file()]
    if not present:
        held = ", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "nothing"
        raise MissingDataError(f"data folder {folder}: no {split} split; it holds {held}; expected {names}: add the file")
    if len(present) > 1:
        raise DataFormatError(f"data folder {folder}: both {present[0].name} and {present[1].name} are there; expected "
                              f"one file for the {split} split: remove one of them")
    return present[0]


def read_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number from 1, object) of each line that is not blank; memory does not grow with the file.

    Raises:
        DataFormatError: unreadable gzip, text that is not UTF-8, a line that is not a JSON object.
    """
    number = 0
    opened = gzip.open if path.name.endswith(".gz") else open
    try:
        with opened(path, "rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, _parse(line, f"{path}:{number}")
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataFormatError(f"{path}: unreadable gzip after line {number} ({error}); expected a whole gzip file: fetch "
                              f"or pack it again, or store it unpacked as .jsonl") from error


def _parse(line: bytes, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line.rstrip(b"\r\n").decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataFormatError(f"{where}: not UTF-8 (byte 0x{line[error.start]:02x} at column {error.start + 1}); expected "
                              f"UTF-8 text: convert the file, for instance with iconv -t UTF-8") from error
    except json.JSONDecodeError as error:
        found = _shown(line.decode("utf-8-sig"))
        raise DataFormatError(f"{where}: not JSON ({error.msg} at column {error.colno}), found {found}; expected one JSON "
                              f"object a line: repair the line") from error
    except RecursionError as error:
        raise DataFormatError(f"{where}: JSON nested too deeply to read; expected one flat JSON object a line: repair the "
                              f"line") from error
    if not isinstance(row, dict):
        raise DataFormatError(f"{where}: found {_kind(row)}; expected a JSON object with 'source' and 'target'")
    return row


def _example(row: dict[str, Any], where: str, default_id: str, task: Task, owners: dict[str, str]) -> Example:
    """The example of `row`, whose language is empty where the row names none; records its id in `owners`."""
    source, target = _text(row, "source", where), _text(row, "target", where)
    problem = task.placeholder_problem(source)
    if problem:
        raise PlaceholderError(f"{where}: field 'source' {problem}")
    identity = _text(row, "id", where) if "id" in row else default_id
    if identity in owners:
        raise DataFormatError(f"{where}: field 'id' is {identity!r}, which {owners[identity]} has already; expected an id "
                              f"that no other row of the folder has: rename one, or leave ids out")
    owners[identity] = where
    language = _text(row, "language", where) if row.get("language") is not None else ""
    if language and language not in task.languages:
        raise TaskLanguageError(f"{where}: " + unknown_name(f"language of task {task.name!r}", language, task.languages))
    return Example(identity, source, target, language, {key: row[key] for key in row if key not in OWN_FIELDS})


def _text(row: dict[str, Any], field: str, where: str) -> str:
    if field not in row:
        raise DataFormatError(f"{where}: field {field!r} is missing; found {', '.join(map(repr, row)) or 'no fields'}; "
                              f"expected at least 'source' and 'target': add it or rename the field that holds it")
    value = row[field]
    if not isinstance(value, str):
        raise DataFormatError(f"{where}: field {field!r} is {_kind(value)}; expected a text: store it as a string")
    if not value.strip():
        raise DataFormatError(f"{where}: field {field!r} is {'empty' if not value else 'blank'}; expected a text: fill it "
                              f"or remove the row")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise DataFormatError(f"{where}: field {field!r} holds half of a surrogate pair, which no encoding can write; "
                              f"expected whole characters: replace it")
    return value


def language_of_rows(rows: dict[str, list[Example]], folder: Path, task: Task,
                     language: str | None) -> tuple[dict[str, list[Example]], str]:
    """Examples that all have a language, and one line that says how it was decided.

    The rule: a row's own `language` field counts first; then the `language` given by the caller; then, when neither is
    there, the one language of the task that nearly all sources of the train split read as (`tasks.languages`), which is
    also logged. Where no or more than one language fits, nothing is assumed.

    Raises:
        TaskLanguageError: no language is given and the sources do not show one.
    """
    silent = [example.source for example in rows["train"] if not example.language]
    silent = silent or [example.source for examples in rows.values() for example in examples if not example.language]
    if not silent:
        return rows, "each row names its language"
    how = "given by the caller for rows that do not name theirs"
    if language is None:
        language, how = told_language(silent, folder, task)
    return {split: [example if example.language else
                    Example(example.id, example.source, example.target, language, example.metadata)
                    for example in examples] for split, examples in rows.items()}, how


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "a truth value", type(None): "null"}
    return f"{names.get(type(value), 'a number')} ({_shown(json.dumps(value))})"


def _shown(text: str) -> str:
    text = " ".join(text.split())
    return repr(text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "...")
