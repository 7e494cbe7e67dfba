"""What a language gives to the source `mine:`, and what it is given.

A miner sees one file at a time, in worker processes, in any order: nothing that it keeps between files may change what a
file gives. It is asked twice. First, for every file, for its declarations; all of them together are the `tree_index.TreeIndex`. Then,
for the rows of a task, with the index: `assertions` is asked for the files that declare a test, `summaries` for every file.
A further language is one module and one line in `MINERS`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import AccountingError, TaskLanguageError, unknown_name

if TYPE_CHECKING:
    from .tree_index import TreeIndex

FUNCTION_KINDS = ("function", "method", "constructor")

MINERS: dict[str, str] = {
    "python": ".python_miner:PythonMiner",
    "java": ".java_miner:JavaMiner",
    "csharp": ".csharp_miner:CSharpMiner",
}
"""Language -> module and class of its miner, imported when first used."""


@dataclass(frozen=True)
class SourceFile:
    """A file as a miner sees it.

    Attributes:
        path: the name of its tree, a slash, and its place in the tree, with slashes: unique over all trees.
        tree: the name of the tree.
        text: its text, line ends as `\\n`, no byte order mark (`read_text`).
    """

    path: str
    tree: str
    text: str


@dataclass(frozen=True)
class Declaration:
    """A function or class of a file, without its body: small, and safe to send between processes.

    Attributes:
        file: the `path` of its file.
        name: simple name.
        kind: `function`, `method`, `constructor` or `class` (interfaces, enums, records and structs too); `module` for a
            file as a whole, where the rules of the language need one.
        owner: qualified name of the enclosing class, empty for none.
        qualified_name: package or module, owner and name, with dots.
        signature: one line, without body.
        start, end: byte range in the UTF-8 form of the file's text; with decorators or annotations, and with the
            documentation in front where the language has it there.
        parameters: how many it takes, without the receiver; None where the number varies.
        is_test: whether a test runner would run it (a class or module: whether it holds such).
        extra: what the language's own rules need: supertypes, return type, imports. Only what JSON holds; a tuple comes back
            from the index as a list. `fields` of a class: its fields, one line each, for the context of its methods. `tests` of a
            module that is a test: how many it holds.
    """

    file: str
    name: str
    kind: str
    owner: str
    qualified_name: str
    signature: str
    start: int
    end: int
    parameters: int | None = None
    is_test: bool = False
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass
class Mined:
    """What one file gave to a task.

    Attributes:
        rows: dictionaries with `source`, `target`, `language`, `context` (`tasks.mine.context`) and `metadata`. Metadata of
            every row: `file`, `line` (from 1), `tree`. Of an assertion also: `test` (class and test with a dot), `kind` (the
            assertion's name), `focal` (qualified name), `focal_file`, `focal_by` (the rule that found it) and `confidence`
            (`high`, `medium`, `low`). Of a summary also: `function` (qualified name). Ids are given later, to all languages alike.
        found: assertions or documented functions that were looked at.
        drops: reason -> how many of them became no row.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    found: int = 0
    drops: Counter[str] = field(default_factory=Counter)

    def check(self, where: str) -> Mined:
        """Itself.

        Raises:
            AccountingError: something found is neither a row nor a drop.
        """
        if self.found != len(self.rows) + sum(self.drops.values()):
            raise AccountingError(f"{where}: {self.found} found, but {len(self.rows)} rows and {sum(self.drops.values())} "
                                  f"dropped; expected the sums to agree: report this as a defect of tasks.mine")
        return self


class Unparsable(Exception):
    """A file that the language's parser makes nothing of; raised by a miner, counted by `build`, never fatal."""


class LanguageMiner(Protocol):
    """What a language provides. Any of the methods may raise `Unparsable`."""

    language: str
    suffixes: tuple[str, ...]
    looked_for: str
    """One line: what makes a test here, for the error of a tree without tests."""

    def declarations(self, file: SourceFile) -> list[Declaration]:
        """What the file declares, in its order; all of it, tests included, or of a file of tests its module alone."""

    def assertions(self, file: SourceFile, index: TreeIndex) -> Mined:
        """Rows of the task `assert` from the tests of the file."""

    def summaries(self, file: SourceFile, index: TreeIndex) -> Mined:
        """Rows of the task `summarize` from the documented functions of the file."""

    def functions(self, text: str) -> list[tuple[str, int, int]]:
        """(qualified name within the file, first byte, end) of each function with a body, outermost only, in the file's
        order; for the history, which compares two versions of a file. Documentation in front is not part of it."""

    def bare(self, function: str) -> str:
        """The text of one function (from the beginning of its first line) without comments and documentation, indented
        from column 0."""


def read_text(path: Path) -> str:
    """The text of a file, line ends as `\\n`, without a byte order mark.

    Raises:
        OSError: it cannot be read.
        UnicodeDecodeError: it is not UTF-8.
    """
    return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")


def miner_of(language: str) -> LanguageMiner:
    """A miner of `language`.

    Raises:
        TaskLanguageError: there is none.
    """
    if language not in MINERS:
        raise TaskLanguageError(unknown_name("language of the source 'mine'", language, MINERS))
    module, _, name = MINERS[language].partition(":")
    return getattr(import_module(module, __package__), name)()
