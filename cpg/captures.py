"""What a function's capture list says: C++'s `[x, &y, z = x + 1, this]`, `[=]`, `[&]`.

A value is copied when the function is made, so it sees the definitions that arrive there. What is taken by
reference, the fields of the receiver among it, is seen when the function is called: later definitions count too.
"""

from __future__ import annotations

from dataclasses import dataclass

from cpg.languages.base import Language
from cpg.parse import SyntaxTree

REFERENCE = "&"
COPY = "="


@dataclass(frozen=True)
class Captures:
    """Names that the list takes by value and by reference, and whether names that it does not mention are copied."""

    values: frozenset[str]
    references: frozenset[str]
    copies: bool

    def by_reference(self, name: str) -> bool:
        """Whether the function sees the variable `name` itself instead of a copy."""
        return name not in self.values and (name in self.references or not self.copies)


def read_captures(tree: SyntaxTree, language: Language, entries: list[int]) -> Captures:
    """The entries of a capture list: names, `&` and a name, `&` or `=` alone; others bind names of their own."""
    values, references, copies = set(), set(), False
    for entry in entries:
        text = tree.code(entry)
        if text == COPY:
            copies = True
        elif tree.types[entry] in language.identifiers:
            values.add(text)
        elif text.startswith(REFERENCE):
            references.add(text[len(REFERENCE) :].strip())
    return Captures(frozenset(values), frozenset(references), copies)
