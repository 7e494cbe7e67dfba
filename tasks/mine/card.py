"""A mined data set as a folder: three files of rows, the facts as JSON, and the card that people read.

The folder is an ordinary `file:` data set. It is written whole or not at all.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..base import Example
from ..datasets import DatasetSplits
from ..errors import MiningError

SCHEMA = "mined/1"
FACTS = "dataset.json"
CARD = "README.md"


def check_output(folder: Path) -> None:
    """Raises `MiningError` where `folder` holds anything: nothing is overwritten."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise MiningError(f"output {folder}: found {'a folder that is not empty' if folder.is_dir() else 'a file'}; expected a new "
                          f"or an empty folder: give another one, or remove it")


def write_folder(folder: Path, dataset: DatasetSplits, facts: Mapping[str, Any]) -> None:
    """Writes the data set beside `folder` and renames it.

    Args:
        facts: what `dataset.json` holds beside the description and the hash of the contents.

    Raises:
        MiningError: the folder is not empty, or cannot be written.
    """
    check_output(folder)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        temporary.mkdir(parents=True)
        for split, examples in dataset.items():
            _write_rows(temporary / f"{split}.jsonl.gz", examples)
        written = {"schema": SCHEMA, **facts, "content_hash": dataset.content_hash, "description": dataset.description}
        (temporary / FACTS).write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        (temporary / CARD).write_text(card(dataset), encoding="utf-8")
        if folder.is_dir():
            folder.rmdir()
        temporary.replace(folder)
    except OSError as error:
        raise MiningError(f"output {folder}: cannot be written ({error.strerror}); expected a folder in a place that can be written "
                          f"to: give another one") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_rows(path: Path, examples: Iterable[Example]) -> None:
    """One row a line; the same rows give the same bytes."""
    with path.open("wb") as file, gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
        for example in examples:
            row = {"id": example.id, "source": example.source, "target": example.target, "language": example.language,
                   **example.metadata}
            packed.write(json.dumps(row).encode("ascii") + b"\n")


def read_facts(folder: Path) -> dict[str, Any] | None:
    """What `dataset.json` of a folder holds; None where it is not there or is none."""
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return facts if isinstance(facts, dict) and facts.get("schema") == SCHEMA and "description" in facts else None


def card(dataset: DatasetSplits) -> str:
    """The data set card, in Markdown."""
    facts = dataset.description
    counts = facts["counts"]
    kept = sum(counts.values())
    lines = [f"# Examples of the task `{facts['task']}`", "",
             f"Mined from {', '.join(tree['name'] for tree in facts['trees'])}. Load it with `file:` and the path of this folder. "
             f"SHA-256 of the contents: `{dataset.content_hash}`.", "",
             *_table("Split", "Examples", counts), *_table("Language", "Examples", facts["languages"]),
             "## What was found", "",
             f"{facts['found']} {facts['found_are']} = {kept} examples + {sum(facts['drops'].values())} dropped.", "",
             *_table("Reason", "Dropped", facts["drops"])]
    if facts.get("limit") is not None:
        lines += [f"Mining stopped after {facts['limit']} examples.", ""]
    for field, title in (("focal_by", "Focal function found by"), ("confidence", "Confidence")):
        if field in facts:
            lines += _table(title, "Examples", facts[field])
    if "focal_by" in facts:
        lines += ["Each row says in `focal_by` which rule found its focal function and in `confidence` how direct the rule is.", ""]
    if "fix_words" in facts:
        lines += [f"A commit is a fix where its message holds one of these words: {', '.join(facts['fix_words'])}.", ""]
    lines += ["## Files", ""]
    for language, account in facts["accounts"].items():
        if account["files"]:
            lines += _table(f"Files of {language}", "Number", account["files"])
    lines += ["## Source trees and licences", ""]
    for tree in facts["trees"]:
        at = f", commit `{tree['commit']}`" if tree["commit"] else ""
        licences = ", ".join(f"`{path}`" for path in tree["licence_files"]) or "none seen: ask whoever wrote the code"
        lines += [f"- `{tree['name']}`: {tree['files']} files{at}, {tree['examples']} examples. Licence files: {licences}."
                  + (f" Left out: {_listed(tree['skipped'])}." if tree["skipped"] else "")]
    lines += ["", "The examples are code of these trees and stay under their licences.", "", "## Rows", "",
              "`id`, `source`, `target`, `language`; `context`: what lies around the function (enclosing class, signatures of what "
              "it calls, imports), never shown to a model; further fields say where a row comes from.", "",
              f"Splits: {facts['split_by']}. Sources with a Jaccard index of token 5-grams of {facts['near_duplicate_threshold']} or "
              f"more are in one split only.", ""]
    return "\n".join(lines)


def _table(left: str, right: str, counts: Mapping[str, int]) -> list[str]:
    if not counts:
        return []
    return [f"| {left} | {right} |", "|---|---|", *(f"| {name.replace('_', ' ')} | {count} |" for name, count in counts.items()), ""]


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in counts.items())
