"""The extractor version follows the graphs."""

from __future__ import annotations

import pytest

import cpg
from cpg.version import EXTRACTOR_VERSIONS, extractor_version, grammar_version
from tests.cpg import fingerprints


@pytest.mark.parametrize("language", sorted(cpg.LANGUAGES))
def test_graphs_change_only_with_the_version(language: str) -> None:
    number, known = EXTRACTOR_VERSIONS.get(language, (0, "nothing"))
    found = fingerprints.fingerprint(language)
    assert number >= 1 and known == found, (
        f"the graphs of {language} hash to {found}, cpg/version.py has {known}; "
        "if the change is meant, run `python -m tests.cpg.fingerprints` and commit cpg/version.py"
    )


def test_the_programs_parse_in_their_language() -> None:
    for language in cpg.LANGUAGES:
        graph = cpg.extract(fingerprints.PROGRAMS[language], language)
        assert not graph.diagnostics, (language, graph.diagnostics)
        assert {"AST", "CFG", "DDG", "CDG"} == set(graph.edges.kind)


def test_a_changed_graph_raises_the_version_of_its_language_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    text = fingerprints.TABLE.read_text(encoding="utf-8")
    assert fingerprints.renewed(text) == text
    java, python = EXTRACTOR_VERSIONS["java"], EXTRACTOR_VERSIONS["python"]
    true = fingerprints.fingerprint
    monkeypatch.setattr(fingerprints, "fingerprint", lambda language: "0ff" if language == "java" else true(language))
    entries = fingerprints.recorded(fingerprints.renewed(text))
    assert entries["java"] == [(java[0] + 1, "0ff")] and entries["python"] == [python]


def test_a_change_that_no_program_shows_can_be_recorded() -> None:
    text = fingerprints.TABLE.read_text(encoding="utf-8")
    number, known = EXTRACTOR_VERSIONS["java"]
    assert fingerprints.recorded(fingerprints.renewed(text, "java"))["java"] == [(number + 1, known)]


def test_a_table_with_both_sides_of_a_merge_is_taken() -> None:
    text = fingerprints.TABLE.read_text(encoding="utf-8")
    number, known = EXTRACTOR_VERSIONS["java"]
    line = f'    "java": ({number}, "{known}"),\n'
    sides = '<<<<<<< HEAD\n    "java": ({}, "{}"),\n=======\n    "java": ({}, "{}"),\n>>>>>>> other\n'
    for ours, theirs, expected in (
        ((number, known), (number + 3, "abc"), number + 3),  # merged graphs are those of one side
        ((number + 1, "def"), (number + 3, "abc"), number + 4),  # or of neither
    ):
        merged = text.replace(line, sides.format(*ours, *theirs))
        assert fingerprints.recorded(fingerprints.renewed(merged))["java"] == [(expected, known)]


def test_versions_name_the_grammar_packages() -> None:
    assert extractor_version("java") == "{}-{}".format(*EXTRACTOR_VERSIONS["java"])
    assert extractor_version("klingon") == "0-unrecorded"
    assert "tree-sitter-languages=" in grammar_version()
