"""Mined data sets on disk: one file each, written whole or not at all, and not trusted unless its hash agrees.

The first line is a JSON object with the schema, the key that the data was made under, the description and the
hash of it and the rest; every further line is an example with its split.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from pathlib import Path
from typing import Any

from .base import Example
from .datasets import SPLITS, DatasetSplits

SCHEMA = "tasks-cache/1"
LOG = logging.getLogger(__name__)


def cache_folder(given: Path | None = None) -> Path:
    """`given`, else `$TRANSDUCER_CACHE`, else `~/.cache/transducer`; not made here."""
    return given or Path(os.environ.get("TRANSDUCER_CACHE") or Path.home() / ".cache" / "transducer")


def write_cached(path: Path, key: str, dataset: DatasetSplits) -> None:
    """Writes `dataset` to a temporary file beside `path` and renames it.

    A folder that cannot be written to costs the cache, not the run: it is logged.
    """
    rows = "".join(json.dumps({"split": split, "id": example.id, "source": example.source, "target": example.target,
                               "language": example.language, "metadata": example.metadata}) + "\n"
                   for split, examples in dataset.items() for example in examples)
    description = {name: value for name, value in dataset.description.items() if name != "counts"}
    header = {"schema": SCHEMA, "key": key, "sha256": _hash(description, rows), "description": description}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(header) + "\n" + rows, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        LOG.warning("mined data is not kept: %s (%s); it will be mined again: set TRANSDUCER_CACHE to a folder that can be "
                    "written to", path, error.strerror)


def read_cached(path: Path, key: str, name: str) -> DatasetSplits | None:
    """The data set in `path`; None where there is none, or where it is damaged or of another key (logged)."""
    if not path.is_file():
        return None
    try:
        header_line, _, rows = path.read_bytes().decode("utf-8").partition("\n")
        header = json.loads(header_line)
        description = header["description"]
        expected = {"schema": SCHEMA, "key": key, "sha256": _hash(description, rows)}
        if any(header.get(field) != value for field, value in expected.items()):
            raise ValueError("its hash or key differs")
        return _dataset(rows, description, name)
    except (ValueError, KeyError, TypeError, OSError) as error:
        LOG.warning("cached data %s is damaged (%s); it is mined again", path, error)
        return None


def _dataset(rows: str, description: dict[str, Any], name: str) -> DatasetSplits:
    splits: dict[str, list[Example]] = {split: [] for split in SPLITS}
    for line in rows.splitlines():
        row = json.loads(line)
        splits[row.pop("split")].append(Example(**row))
    return DatasetSplits.of(splits, name, description)


def _hash(description: dict[str, Any], rows: str) -> str:
    return hashlib.sha256((json.dumps(description, sort_keys=True) + "\n" + rows).encode("utf-8")).hexdigest()
