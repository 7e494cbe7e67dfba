"""Rows of any origin -> examples: names of columns, checks of every field, ids, languages.

The first wrong row ends the reading with its place and field: nothing is dropped in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .base import Example, Task
from .errors import DataFormatError, PlaceholderError, TaskLanguageError, unknown_name
from .languages import told_language
from .readers import kind_of

OWN_FIELDS = ("id", "source", "target", "language")


class RowReader:
    """Makes examples of the rows of one data set.

    Args:
        task: what the examples are for.
        columns: own field -> the column that holds it, for data whose columns are called otherwise.
    """

    def __init__(self, task: Task, columns: Mapping[str, str]):
        for field in columns:
            if field not in OWN_FIELDS:
                raise DataFormatError(unknown_name("field in the columns", field, OWN_FIELDS))
        self._task = task
        self._columns = columns
        self._owners: dict[str, str] = {}

    def example(self, row: Mapping[str, Any], where: str, default_id: str) -> Example:
        """The example of `row`, whose language is empty where the row names none.

        Raises:
            DataFormatError: a field is missing, no text or blank, or the id is that of another row.
        """
        task = self._task
        row = self._renamed(row, where)
        source, target = _text(row, "source", where), _text(row, "target", where)
        problem = task.placeholder_problem(source)
        if problem:
            raise PlaceholderError(f"{where}: field 'source' {problem}")
        identity = default_id if row.get("id") is None else _text(row, "id", where)
        if identity in self._owners:
            raise DataFormatError(f"{where}: field 'id' is {identity!r}, which {self._owners[identity]} has already; expected "
                                  f"an id that no other row of the folder has: rename one, or leave ids out")
        self._owners[identity] = where
        language = _text(row, "language", where) if row.get("language") is not None else ""
        if language and language not in task.languages:
            raise TaskLanguageError(f"{where}: " + unknown_name(f"language of task {task.name!r}", language, task.languages))
        return Example(identity, source, target, language, {key: row[key] for key in row if key not in OWN_FIELDS})

    def _renamed(self, row: Mapping[str, Any], where: str) -> dict[str, Any]:
        renamed = dict(row)
        for field, column in self._columns.items():
            if column not in row:
                raise DataFormatError(f"{where}: column {column!r}, which is to be {field!r}, is missing; found "
                                      f"{', '.join(map(repr, row)) or 'no columns'}")
            if field != column:
                renamed.pop(column, None)
            value = row[column]
            if isinstance(value, list) and all(isinstance(part, str) for part in value):
                value = " ".join(value)  # a column of tokens
            renamed[field] = value
        return renamed


def _text(row: Mapping[str, Any], field: str, where: str) -> str:
    if field not in row:
        raise DataFormatError(f"{where}: field {field!r} is missing; found {', '.join(map(repr, row)) or 'no fields'}; "
                              f"expected at least 'source' and 'target': add it, or say which column holds it (--columns {field}=NAME)")
    value = row[field]
    if not isinstance(value, str):
        raise DataFormatError(f"{where}: field {field!r} is {kind_of(value)}; expected a text: store it as a string")
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
