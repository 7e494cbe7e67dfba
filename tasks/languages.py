"""Which language the sources of a data set are in, where no one says so."""

from __future__ import annotations

import ast
import logging
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from .base import Task
from .errors import TaskLanguageError

LOG = logging.getLogger(__name__)
SAMPLE = 200
NEARLY_ALL = 0.9
ENOUGH = 0.2
"""Part of the sample that has to show a language at all: short snippets in braces often show none."""

MARKS: dict[str, re.Pattern[str]] = {language: re.compile(pattern) for language, pattern in {
    "java": r"\b(?:final|boolean|String|throws|extends|implements|instanceof|super|Override|Integer|java)\b",
    "csharp": r"\b(?:string|bool|foreach|using|namespace|override|virtual|readonly|internal|params|Console|Task)\b|\bget;|\bset;",
    "javascript": r"\b(?:function|let|const|undefined|require|prototype|typeof|var)\b|===|!==|=>",
    "typescript": r":\s*(?:string|number|boolean|void|any|unknown)\b|\b(?:readonly|keyof|as const)\b",
    "c": r"#include\s*<\w+\.h>|\b(?:struct|NULL|sizeof|unsigned|typedef|malloc|printf|size_t)\b|\bchar\s*\*|->",
    "cpp": r"\w::\w|\b(?:template|nullptr|std|typename|constexpr|auto|virtual|delete)\b|#include\s*<\w+>",
    "go": r"\bfunc\b|:=|\b(?:nil|chan|defer|range|package|interface\s*\{\})\b",
}.items()}
"""What is common in one language and rare or wrong in the others."""


def reads_as_python(source: str) -> bool:
    """Whether `source` parses as Python of the running interpreter."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # invalid escapes in other people's strings are no concern here
            ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def shown_language(source: str) -> str | None:
    """The language that `source` shows: Python where it parses as such, else the one with the most marks; None where
    no language has any or two have as many."""
    if reads_as_python(source):
        return "python"
    counts = Counter({language: len(pattern.findall(source)) for language, pattern in MARKS.items()})
    (first, most), (_, second) = counts.most_common(2)
    return first if most > second else None


def told_language(sources: Sequence[str], folder: Path, task: Task) -> tuple[str, str]:
    """The language that nearly all of the first sources show that show any, and one line that says so (also logged).

    A task with a single language has that one.

    Raises:
        TaskLanguageError: they show none, more than one, or one that the task does not have.
    """
    if len(task.languages) == 1:
        return task.languages[0], f"{task.languages[0]}: the only one of task {task.name!r}"
    sample = sources[:SAMPLE]
    shown = Counter(filter(None, map(shown_language, sample)))
    (language, count), total = (shown.most_common(1) or [("", 0)])[0], sum(shown.values())
    if total < ENOUGH * len(sample) or count < NEARLY_ALL * total or language not in task.languages:
        found = ", ".join(f"{number} read as {name}" for name, number in shown.most_common()) or "none reads as any"
        raise TaskLanguageError(f"data folder {folder}: rows have no field 'language' and their sources do not show one "
                                f"(of {len(sample)}, {found}); expected one of: {', '.join(task.languages)}: add the field "
                                f"'language' to the rows or pass a language")
    how = (f"{language}: rows without field 'language' take it because {count} of the first {len(sample)} sources read as "
           f"{language} and {total - count} as another")
    LOG.warning("data folder %s: language %s", folder, how)
    return language, how
