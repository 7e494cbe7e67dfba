"""How a data set lies in a folder: which files hold train, valid and test. A further layout is one line here.

* `train`, `valid` and `test` as `.jsonl`, `.jsonl.gz`, `.csv` or `.parquet`, `validation` and `dev` for `valid` as well;
* parallel text files, one example a line, as CodeXGLUE's translation and refinement sets, bugs2fix and ATLAS have them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from .datasets import SPLITS
from .errors import DataFormatError, MissingDataError
from .readers import READERS, Rows, read_parallel

SPLIT_NAMES = {"train": ("train",), "valid": ("valid", "validation", "dev"), "test": ("test",)}


@dataclass(frozen=True)
class Layout:
    """A layout found in a folder: its name, and for each split what reads its rows."""

    name: str
    splits: Mapping[str, Callable[[], Rows]]


PARALLEL: dict[str, dict[str, tuple[str, str]]] = {
    "CodeXGLUE translation (Java to C#)": {
        split: (f"{split}.java-cs.txt.java", f"{split}.java-cs.txt.cs") for split in SPLITS},
    "CodeXGLUE refinement": {
        split: (f"{split}.buggy-fixed.buggy", f"{split}.buggy-fixed.fixed") for split in SPLITS},
    "bugs2fix": {
        split: (f"{folder}/buggy.txt", f"{folder}/fixed.txt")
        for split, folder in (("train", "train"), ("valid", "eval"), ("test", "test"))},
    "ATLAS": {
        split: (f"{folder}/testMethods.txt", f"{folder}/assertLines.txt")
        for split, folder in (("train", "Training"), ("valid", "Eval"), ("test", "Testing"))},
}
"""Name -> split -> (file of sources, file of targets)."""


def find_layout(folder: Path) -> Layout:
    """The layout of `folder`.

    Raises:
        MissingDataError: the folder or a split is not there.
        DataFormatError: a split is there in several files.
    """
    if not folder.is_dir():
        found = "a file" if folder.exists() else "nothing"
        raise MissingDataError(f"data folder {folder}: found {found}; expected a folder with {_expected('train')} and the "
                               f"like: give file:FOLDER")
    for name, splits in PARALLEL.items():
        files = [folder / file for pair in splits.values() for file in pair]
        if any(file.is_file() for file in files):
            missing = [str(file.relative_to(folder)) for file in files if not file.is_file()]
            if missing:
                raise MissingDataError(f"data folder {folder}: it has the layout of {name}, and {', '.join(missing)} "
                                       f"{'is' if len(missing) == 1 else 'are'} not there: add the file")
            return Layout(name, {split: partial(read_parallel, folder / source, folder / target)
                                 for split, (source, target) in splits.items()})
    paths = {split: _split_file(folder, split) for split in SPLITS}
    return Layout("one file a split", {split: partial(READERS[suffix], path) for split, (path, suffix) in paths.items()})


def _split_file(folder: Path, split: str) -> tuple[Path, str]:
    present = [(folder / (name + suffix), suffix) for name in SPLIT_NAMES[split] for suffix in READERS
               if (folder / (name + suffix)).is_file()]
    if not present:
        held = ", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "nothing"
        raise MissingDataError(f"data folder {folder}: no {split} split; it holds {held}; expected {_expected(split)}: add "
                               f"the file")
    if len(present) > 1:
        names = " and ".join(path.name for path, _ in present)
        raise DataFormatError(f"data folder {folder}: both {names} are there; expected one file for the {split} split: "
                              f"remove one of them")
    return present[0]


def _expected(split: str) -> str:
    return " or ".join(split + suffix for suffix in READERS)
