"""Embedded examples of the task `summarize`: functions of installed packages and the first sentence of their documentation."""

from __future__ import annotations

import hashlib
import re
from collections import Counter

from .base import Example
from .datasets import DatasetSplits
from .library_functions import LibraryFunction, as_data_set, library_functions

FILES = ("embedded_summaries.py", "library_functions.py")
"""What the data depends on, beside the files that all embedded sources share."""

SHORTEST, LONGEST = 3, 40
"""Words of a sentence."""

MAX_SOURCE_CHARACTERS = 1600

_SENTENCE_END = re.compile(r"(?<=[^.\s])\.(?:\s+(?=[A-Z`*(])|\s*$)")
_MARKUP = re.compile(r":\w+:`|`|\$|::|>>>|\\|\.\. ")
_ROLE = re.compile(r"`{1,2}([^`]+)`{1,2}|\*{1,2}(\w[^*]*)\*{1,2}")


def first_sentence(documentation: str) -> str:
    """The first sentence of the first paragraph on one line, quotes of code and stress taken off."""
    paragraph = " ".join(documentation.strip().split("\n\n")[0].split())
    sentence = _SENTENCE_END.split(paragraph, maxsplit=1)[0].strip()
    if sentence and not sentence.endswith((".", "!", "?", ":")):
        sentence += "."
    return sentence if re.search(r":\w+:`", sentence) else _ROLE.sub(lambda match: match.group(1) or match.group(2), sentence)


def why_not(function: LibraryFunction, sentence: str) -> str:
    """The reason for which a function makes no example; empty where it makes one."""
    if not function.documentation:
        return "no_documentation"
    if function.problem:
        return function.problem
    problem = sentence_problem(sentence)
    if problem:
        return problem
    if len(function.text) > MAX_SOURCE_CHARACTERS:
        return "long_source"
    return ""


def sentence_problem(sentence: str) -> str:
    """The reason for which a first sentence makes no summary; empty where it makes one."""
    if _MARKUP.search(sentence):
        return "markup"
    if not sentence.isascii():
        return "not_ascii"
    if not SHORTEST <= len(sentence.split()) <= LONGEST:
        return "too_short_or_long"
    if sentence.endswith(":"):
        return "no_sentence"
    return ""


def mine(specification: str, versions: dict[str, str], progress: bool) -> DatasetSplits:
    """The data set made anew."""
    examples: list[Example] = []
    drops: Counter[str] = Counter()
    found = 0
    for package in versions:
        for function in library_functions(package, progress):
            found += 1
            sentence = first_sentence(function.documentation)
            reason = why_not(function, sentence)
            if reason:
                drops[reason] += 1
                continue
            identity = hashlib.sha256(f"{function.path}:{function.name}:{function.line}".encode()).hexdigest()[:10]
            examples.append(Example(f"summarize-{package}-{identity}", function.text, sentence, "python", {
                "package": package, "module": function.module, "function": function.name, "file": function.path,
                "line": function.line, "context": function.context()}))
    return as_data_set(specification, examples, drops, found, {"packages": versions}, progress)
