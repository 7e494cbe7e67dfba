"""Which language the sources of a data set are in, where no one says so."""

from __future__ import annotations

import ast
import logging
import re
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from .base import Task
from .errors import TaskLanguageError

LOG = logging.getLogger(__name__)
SAMPLE = 50
NEARLY_ALL = 0.9


def reads_as_python(source: str) -> bool:
    """Whether `source` parses as Python of the running interpreter."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # invalid escapes in other people's strings are no concern here
            ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def reads_as_java(source: str) -> bool:
    """Whether `source` has the look of Java methods: no Python, statements that end in `;`, a body in braces."""
    return bool(re.search(r"\)[^;{]*\{.*[;}]\s*\}", source, re.DOTALL)) and not reads_as_python(source)


DETECTORS: dict[str, Callable[[str], bool]] = {"python": reads_as_python, "java": reads_as_java}


def told_language(sources: Sequence[str], folder: Path, task: Task) -> tuple[str, str]:
    """The language that at least 90 % of the first 50 sources read as, and one line that says so (also logged).

    Raises:
        TaskLanguageError: none fits.
    """
    sample = sources[:SAMPLE]
    shares = {language: sum(map(DETECTORS[language], sample)) / len(sample)
              for language in task.languages if language in DETECTORS}
    fitting = [language for language, share in shares.items() if share >= NEARLY_ALL]
    if len(fitting) != 1:
        shown = ", ".join(f"{100 * share:.0f} % read as {language}" for language, share in shares.items())
        raise TaskLanguageError(f"data folder {folder}: rows have no field 'language' and their sources do not show one "
                                f"({shown} of {len(sample)}); expected one of: {', '.join(task.languages)}: add the field "
                                f"'language' to the rows or pass a language")
    how = (f"{fitting[0]}: rows without field 'language' take it because {100 * shares[fitting[0]]:.0f} % of the first "
           f"{len(sample)} sources read as {fitting[0]}")
    LOG.warning("data folder %s: language %s", folder, how)
    return fitting[0], how
