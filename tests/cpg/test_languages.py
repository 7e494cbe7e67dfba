"""The tables of the languages: they name what the grammars have, and label what the passes look at."""

from __future__ import annotations

import warnings
from collections import Counter

import pytest

import cpg
from cpg.languages.base import Language

LANGUAGES = sorted(cpg.LANGUAGES)
BUILT_ON = {"cpp": "c", "typescript": "javascript"}
"""Language -> the one whose tables it extends: types of that one's grammar may be in them."""
OF_TYPES = (
    "bindings", "calls", "classes", "comments", "comprehensions", "dotted", "empty", "expressions", "functions",
    "hoisting", "identifiers", "ignored", "ignored_parts", "intrinsic", "labels", "labels_in_field", "literals",
    "names", "omitted", "parameter_types", "parentheses", "passing", "paths", "receivers", "redirects", "scopes",
    "statements", "targets", "throwing", "tokens",
)  # fmt: skip
"""The tables whose keys are types of nodes, or pairs that begin with one."""


def _grammar_types(language: Language) -> set[str]:
    with warnings.catch_warnings():
        # tree-sitter-languages builds its Language the way tree-sitter 0.21 warns about.
        warnings.simplefilter("ignore", FutureWarning)
        from tree_sitter_languages import get_language

        grammars = [get_language(name) for name in {language.grammar, *(w.grammar for w in language.wrappers)} if name]
    return {grammar.node_kind_for_id(number) for grammar in grammars for number in range(grammar.node_kind_count)}


@pytest.mark.parametrize("name", LANGUAGES)
def test_tables_name_types_of_the_grammar(name: str) -> None:
    language = cpg.LANGUAGES[name]
    known = _grammar_types(language)
    if name in BUILT_ON:
        known |= _grammar_types(cpg.LANGUAGES[BUILT_ON[name]])
    assert len(known) > 100
    for table in OF_TYPES:
        types = {key[0] if isinstance(key, tuple) else key for key in getattr(language, table)}
        assert types <= known, f"{table}: {sorted(types - known)}"


def test_an_extension_belongs_to_one_language() -> None:
    counts = Counter(extension for name in LANGUAGES for extension in cpg.LANGUAGES[name].extensions)
    assert set(counts.values()) == {1}
    assert all(extension.startswith(".") for extension in counts)


@pytest.mark.parametrize("name", LANGUAGES)
def test_what_the_passes_look_at_has_a_label(name: str) -> None:
    language = cpg.LANGUAGES[name]
    wanted = {*language.identifiers, *language.functions, *language.calls, *language.comments, *language.literals}
    assert len(wanted) > 5
    assert wanted <= set(language.labels)
