"""Source `hub:ID[:CONFIGURATION][@REVISION]`: a data set of the Hugging Face hub through the library `datasets`.

ID may also be a local folder of such a data set, or one that `datasets` has in its cache. The columns of the CodeXGLUE sets
for translation, refinement and summarization are known by name; other data sets need `columns`, unless theirs are called
`source` and `target`. Splits are train, validation (or valid, dev) and test; a data set without one of them is refused, since
splits made here would be nobody else's.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .base import Example
from .datasets import DatasetSplits
from .errors import DataFormatError, MissingDataError, MissingPackageError
from .layouts import SPLIT_NAMES
from .python_names import FunctionNode
from .python_text import CannotCut, FunctionText
from .rows import RowReader, language_of_rows


@dataclass(frozen=True)
class KnownDataset:
    """What has to be known of a data set: its columns, its language, and what makes a row fit for the task.

    Attributes:
        columns: own field -> column.
        language: of the rows without a language column.
        configuration: taken where none is named.
        prepare: row -> row, or None for one that has to be dropped (counted under the second of the pair).
    """

    columns: Mapping[str, str]
    language: str | None = None
    configuration: str | None = None
    prepare: tuple[Callable[[dict[str, Any]], dict[str, Any] | None], str] | None = None


def without_docstring(row: dict[str, Any]) -> dict[str, Any] | None:
    """The row of a Python function without its documentation, which is the answer; None where it cannot be taken out.

    CodeXGLUE's `code` holds it for Python, and its `code_tokens` have lost the layout that Python needs.
    """
    if row["language"] != "python":
        return row
    try:
        tree = ast.parse(row["code"])
        node = next((node for node in tree.body if isinstance(node, FunctionNode)), None)
        return None if node is None else row | {"code": FunctionText(node, row["code"].split("\n")).cut()}
    except (SyntaxError, ValueError, RecursionError, CannotCut):
        return None


KNOWN: dict[str, KnownDataset] = {
    "google/code_x_glue_cc_code_to_code_trans": KnownDataset({"source": "java", "target": "cs"}, "java"),
    "google/code_x_glue_cc_code_refinement": KnownDataset({"source": "buggy", "target": "fixed"}, "java", "small"),
    "google/code_x_glue_ct_code_to_text": KnownDataset(
        {"source": "code", "target": "docstring_tokens", "language": "language"}, None, "java",
        (without_docstring, "docstring_cannot_be_taken_out")),
}


def load(request: Any) -> DatasetSplits:
    """The data set that `request.argument` names; see `tasks.sources.load_source`.

    Raises:
        MissingPackageError: the library `datasets` is not installed.
        MissingDataError: the data set cannot be had, or lacks a split.
    """
    identity, configuration, revision = parse_argument(request.argument)
    known = KNOWN.get(identity) or KNOWN.get(f"google/{identity}") or KnownDataset({})
    tables = _tables(identity, configuration or known.configuration, revision, request)
    reader = RowReader(request.task, request.columns or known.columns)
    rows: dict[str, list[Example]] = {}
    drops: Counter[str] = Counter()
    for split, table in tables.items():
        rows[split] = []
        for number, row in enumerate(table):
            if isinstance(row.get("id"), int):  # counted anew in each split
                row = row | {"id": f"{split}-{row['id']}"}
            if known.prepare:
                prepare, reason = known.prepare
                row = prepare(row)
                if row is None:
                    drops[reason] += 1
                    continue
            rows[split].append(reader.example(row, f"{identity}[{split}]:{number}", f"{split}-{number}"))
        if not rows[split]:
            raise DataFormatError(f"data set {identity}: no usable row in the {split} split; choose another")
    splits, how = language_of_rows(rows, Path(identity), request.task, request.language or known.language)
    languages = Counter(example.language for examples in splits.values() for example in examples)
    return DatasetSplits.of(splits, request.specification, {
        "source": "hub", "dataset": identity, "configuration": configuration or known.configuration, "revision": revision,
        "fingerprints": {split: table._fingerprint for split, table in tables.items()},
        "languages": dict(sorted(languages.items())), "language_rule": how, "drops": dict(drops)})


def parse_argument(argument: str) -> tuple[str, str | None, str | None]:
    """(id, configuration, revision) of `ID[:CONFIGURATION][@REVISION]`."""
    rest, _, revision = argument.partition("@")
    identity, _, configuration = rest.partition(":")
    return identity, configuration or None, revision or None


def _tables(identity: str, configuration: str | None, revision: str | None, request: Any) -> dict[str, Any]:
    try:
        import datasets
    except ImportError as error:
        raise MissingPackageError("data from the hub needs the package datasets; pip install 'transducer[data]', or give "
                                  "data with file:PATH") from error
    if not request.progress:
        datasets.disable_progress_bars()
    try:
        found = datasets.load_dataset(identity, configuration, revision=revision)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise MissingDataError(f"data set {identity!r} cannot be had from the hub: {reason}; check its name and the network, "
                               f"or give data with file:PATH"
                               + (", or take embedded" if request.task.embedded else "")) from error
    tables = {split: next((found[name] for name in names if name in found), None) for split, names in SPLIT_NAMES.items()}
    missing = [split for split, table in tables.items() if table is None]
    if missing:
        raise MissingDataError(f"data set {identity!r} has the splits {', '.join(found)}, none for {', '.join(missing)}; "
                               f"store it as a folder with train, valid and test and give file:PATH")
    return tables
