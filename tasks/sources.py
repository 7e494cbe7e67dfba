"""Where examples come from: `load_source("embedded" | "file:PATH" | "mine:PATH" | "hub:ID", task)`.

A specification is the name of a source, then for those that need one a colon and their argument. A further source is one
file and one line in `SOURCES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from .base import Task
from .datasets import DatasetSplits
from .errors import UnknownSourceError, unknown_name


@dataclass(frozen=True)
class Request:
    """What a source is asked for; the arguments of `load_source`, taken apart."""

    specification: str
    argument: str
    task: Task
    cache_dir: Path | None
    progress: bool
    language: str | None
    columns: Mapping[str, str]


@dataclass(frozen=True)
class Source:
    """A place that examples come from.

    Attributes:
        usage: how its specification is written.
        summary: one line for listings.
        module: where its `load(request) -> DatasetSplits` is; imported when first used.
        needs_argument: whether something has to follow the colon.
    """

    usage: str
    summary: str
    module: str
    needs_argument: bool

    def loader(self) -> Callable[[Request], DatasetSplits]:
        return import_module(self.module, __package__).load


SOURCES: dict[str, Source] = {
    "embedded": Source("embedded", "mined from the tests inside the installed networkx and numpy", ".embedded", False),
    "file": Source("file:PATH", "a folder with train, valid and test: JSON lines, CSV, Parquet, or the parallel text files "
                   "of CodeXGLUE, bugs2fix and ATLAS", ".files", True),
    "mine": Source("mine:PATH[,PATH...]", "your own source trees: tests, documentation, git history", ".mine.source", True),
    "hub": Source("hub:ID[:CONFIGURATION][@REVISION]", "a data set of the Hugging Face hub, or a folder of one", ".hub", True),
}


def load_source(specification: str, task: Task, cache_dir: str | Path | None = None, progress: bool = True,
                language: str | None = None, columns: Mapping[str, str] | None = None) -> DatasetSplits:
    """The data set that `specification` names.

    Args:
        specification: `embedded`, `file:PATH`, `mine:PATH` or `hub:ID[:CONFIGURATION][@REVISION]`.
        task: what the examples are for.
        cache_dir: where mined data is kept; default `$TRANSDUCER_CACHE`, else `~/.cache/transducer`.
        progress: whether to show a bar for what takes over two seconds.
        language: the language of the rows that do not name theirs. Without it `file:` tells it from the sources
            themselves, says in a log line and in the description what it took, and refuses where that is unclear.
            `embedded` is Python; `mine:` takes it for the only language to mine.
        columns: own field (`source`, `target`, `id`, `language`) -> the column of a file or hub data set that holds it.

    Raises:
        UnknownSourceError: no such source, or its argument is missing or one too many.
        TaskLanguageError: the language is none of the task's, or cannot be told.
        MissingDataError: a file, folder or package is not there.
        DataFormatError: a file cannot be read; names file, line and field.
        MiningError: no data set can be made of source trees.
    """
    name, _, argument = specification.partition(":")
    usages = [source.usage for source in SOURCES.values()]
    if name not in SOURCES:
        hint = " A folder is given as file:PATH." if Path(specification).exists() else ""
        raise UnknownSourceError(unknown_name("source of data", specification, usages) + hint)
    source = SOURCES[name]
    if source.needs_argument != bool(argument):
        raise UnknownSourceError(f"the source of data {specification!r} "
                                 f"{'lacks what follows the colon' if source.needs_argument else 'takes no argument'}; "
                                 f"expected {source.usage!r}")
    if name == "embedded" and not task.embedded:
        raise UnknownSourceError(f"task {task.name!r} has no embedded examples; give data of your own with file:PATH")
    if language is not None:
        task.check_language(language)
    if columns and name in ("embedded", "mine"):
        raise UnknownSourceError(f"the source of data {name!r} has no columns to choose from; leave them out")
    folder = Path(cache_dir) if cache_dir is not None else None
    return source.loader()(Request(specification, argument, task, folder, progress, language, columns or {}))
