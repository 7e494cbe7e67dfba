"""Whether a text defines anything: many short methods do not, and then no data flows in them."""

from __future__ import annotations

import functools

from cpg.languages.base import Language
from cpg.parse import SyntaxTree


def may_define(tree: SyntaxTree, language: Language) -> bool:
    """Whether a name in the text may be given a value; calls are taken to change nothing that they are passed."""
    if not _defining(language).isdisjoint(tree.types):
        return True
    parameters = _parameters(language)
    for node in tree.of_types(parameters):
        for group in tree.parts(node, parameters[tree.types[node]]):
            if tree.children[group] or tree.types[group] in language.identifiers:
                return True
    return False


@functools.lru_cache(maxsize=None)
def _defining(language: Language) -> frozenset[str]:
    """The types of nodes that give names values, but for parameters."""
    functions = [kind for kind, rule in language.functions.items() if (rule.binds, rule.results) != (None, None)]
    classes = [kind for kind, rule in language.classes.items() if rule.binds is not None]
    return frozenset({*language.bindings, *language.hoisting, *language.confined, *functions, *classes})


@functools.lru_cache(maxsize=None)
def _parameters(language: Language) -> dict[str, object]:
    """Type of a function or class -> the part that holds its parameters."""
    rules = {**language.classes, **language.functions}
    return {kind: rule.parameters for kind, rule in rules.items() if rule.parameters is not None}
