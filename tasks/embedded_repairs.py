"""Embedded examples of the task `repair`: functions of installed packages with one defect made by `tasks.mutation`; the
function as it was is the answer."""

from __future__ import annotations

import hashlib
from collections import Counter

from .base import Example
from .datasets import DatasetSplits
from .library_functions import LibraryFunction, as_data_set, library_functions
from .mutation import FunctionSource, Mutant, edits, mutant

FILES = ("embedded_repairs.py", "library_functions.py", "mutation.py")
"""What the data depends on, beside the files that all embedded sources share."""

MAX_CHARACTERS = 450
"""Of a function: about the 150 tokens that an answer may have."""

MUTANTS_PER_FUNCTION = 3


def chosen(function: LibraryFunction) -> list[Mutant]:
    """At most `MUTANTS_PER_FUNCTION` of a function's mutants, each by another operator, rare operators first.

    Of one operator's edits the hash of the place decides: the same on every machine, whatever else is in the data.
    """
    def rank(edit: tuple) -> bytes:
        return hashlib.sha256(f"{function.path}:{function.name}:{edit[0]}:{edit[2]}".encode()).digest()

    source = FunctionSource(function.text)
    made = []
    for operator, proposed in edits(source).items():
        tried = (mutant(source, operator, edit) for edit in sorted(proposed, key=rank))
        made += [first for first in [next(filter(None, tried), None)] if first]
        if len(made) == MUTANTS_PER_FUNCTION:
            break
    return made


def mine(specification: str, versions: dict[str, str], progress: bool) -> DatasetSplits:
    """The data set made anew. Counts are of functions without examples and of mutants."""
    examples: list[Example] = []
    drops: Counter[str] = Counter()
    operators: Counter[str] = Counter()
    found = 0
    for package in versions:
        for function in library_functions(package, progress):
            reason = function.problem or ("long_function" if len(function.text) > MAX_CHARACTERS else "")
            made = [] if reason else chosen(function)
            found += max(1, len(made))
            if not made:
                drops[reason or "nothing_to_mutate"] += 1
            context = function.context() if made else {}
            for mutant in made:
                operators[mutant.operator] += 1
                identity = hashlib.sha256(f"{function.path}:{function.name}:{function.line}:{mutant.text}".encode()).hexdigest()
                examples.append(Example(f"repair-{package}-{identity[:10]}", mutant.text, function.text, "python", {
                    "package": package, "module": function.module, "function": function.name, "file": function.path,
                    "line": function.line, "operator": mutant.operator, "defect_line": mutant.line, "context": context}))
    return as_data_set(specification, examples, drops, found,
                       {"packages": versions, "operators": dict(operators.most_common())}, progress)
