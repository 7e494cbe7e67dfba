"""Source `file:PATH`: a folder of train, valid and test, in any of the layouts of `tasks.layouts`.

`source` and `target` are needed, texts that are not blank; in files with columns of other names the caller says which
they are. `id` is optional and unique in the folder; a row without one is called by its split and line. `language` is
optional; see `tasks.rows.language_of_rows` for rows without it. Other columns become metadata.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from tqdm import tqdm

from .base import Example
from .datasets import DatasetSplits
from .errors import DataFormatError
from .layouts import find_layout
from .rows import RowReader, language_of_rows


def load(request: Any) -> DatasetSplits:
    """The data set of the folder that `request.argument` names; see `tasks.sources.load_source`."""
    folder = Path(request.argument).expanduser()
    layout = find_layout(folder)
    reader = RowReader(request.task, request.columns)
    rows: dict[str, list[Example]] = {}
    for split, split_rows in layout.splits.items():
        lines = tqdm(split_rows(), desc=f"reading {split}", unit="row", delay=2.0, leave=False,
                     disable=None if request.progress else True)
        rows[split] = [reader.example(row, where, f"{split}-{where.rpartition(':')[2]}") for where, row in lines]
        if not rows[split]:
            raise DataFormatError(f"{folder}: the {split} split is empty; expected at least one row with 'source' and "
                                  f"'target': fill the file or point to another folder")
    splits, how = language_of_rows(rows, folder, request.task, request.language)
    languages = Counter(example.language for examples in splits.values() for example in examples)
    return DatasetSplits.of(splits, request.specification, {"source": "file", "folder": str(folder), "layout": layout.name,
                                                            "languages": dict(sorted(languages.items())),
                                                            "language_rule": how, "drops": {}})
