"""Input that is no code, or hardly: a graph with diagnostics within a time bound, never an exception.

`test_robustness.py` holds damaged code, `benchmarks/cpg_fuzz.py` very much of it.
"""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cpg
from cpg import CodePropertyGraph, extract, parse
from tests.cpg.mutants import OPERATIONS, RANGE, mutant, seeds
from tests.cpg.samples import PROGRAMS

LANGUAGES = sorted(cpg.LANGUAGES)
SECONDS = 10
"""Processor time that any of these may take. Most take milliseconds, the largest about a second."""
TEN_MEGABYTES = 10_000_000


def hold(code: str | bytes, language: str) -> CodePropertyGraph:
    """The graph, checked."""
    started = time.process_time()
    graph = extract(code, language)
    assert time.process_time() - started < SECONDS
    graph.check()
    length = len(graph.code.encode())
    for diagnostic in graph.diagnostics:
        assert 0 <= diagnostic.start_byte <= diagnostic.end_byte <= length
        assert diagnostic.kind in ("error", "missing", "encoding")
    return graph


def _comment(language: str) -> bytes:
    return b"#" if language == "python" else b"//"


NOTHING = {
    "empty": lambda language: b"",
    "blank": lambda language: b" \t\n\n  \r\n",
    "a comment": lambda language: _comment(language) + b" nothing",
    "comments": lambda language: (_comment(language) + b" nothing\n") * 500,
    "10 MB of blanks": lambda language: b" " * TEN_MEGABYTES,
    "lines": lambda language: b"\n" * 200_000,
    "10 MB of comment": lambda language: _comment(language) + b"x" * TEN_MEGABYTES,
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("make", NOTHING.values(), ids=NOTHING)
def test_nothing_is_a_graph_without_points(language: str, make) -> None:
    graph = hold(make(language), language)
    assert not graph.diagnostics
    assert set(graph.nodes.point) == {None}
    assert set(graph.edges.kind) <= {"AST"}


NO_CODE = {
    "invalid UTF-8": bytes(range(128, 256)) * 4,
    "Latin-1": "größer = 'ä';\n".encode("latin-1") * 20,
    "a cut-off character": b"x = '\xf0\x9f\x98",
    "UTF-16": "x = 1;\n".encode("utf-16") * 20,
    "NUL bytes": b"\x00" * 1_000,
    "NUL bytes in code": b"x = 1;\x00 y\x00 = 2;\n" * 20,
    "binary": random.Random(7).randbytes(15_000),
    "an ELF header": b"\x7fELF\x02\x01\x01" + bytes(9) + random.Random(8).randbytes(1_000),
    "control characters": bytes(range(1, 32)) * 50,
    "lone surrogates": "x = '\ud800'; y = '\udfff\udc00';\n" * 10,
    "quotes": b"'" * 3_001,
    "backslashes": b"\\" * 3_001,
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", NO_CODE.values(), ids=NO_CODE)
def test_what_is_no_code_is_reported(language: str, code: str | bytes) -> None:
    assert hold(code, language).diagnostics


LONG = {
    "an identifier": b"x" * TEN_MEGABYTES + b" = 1;",
    "a string": b'x = "' + b"y" * TEN_MEGABYTES + b'";',
    "a number": b"x = " + b"9" * 100_000 + b";",
    "a list": b"f(" + b"1, " * 30_000 + b"1);",
    "a sum": b"x = " + b"a + " * 10_000 + b"a;",
    "statements": b"x = y; " * 5_000,
    "names": b"".join(b"x%d = y%d; " % (i, i) for i in range(3_000)),
    "long names": (b"x" * 10_000 + b" = f(" + b"x" * 10_000 + b");\n") * 100,
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", LONG.values(), ids=LONG)
def test_long_lines(language: str, code: bytes) -> None:
    assert len(hold(code, language).nodes) > 1


DEEP = {
    "parentheses": ("(", "a", ")"),
    "brackets": ("[", "a", "]"),
    "braces": ("{", "a", "}"),
    "calls": ("f(", "a", ")"),
    "subscripts": ("a[", "a", "]"),
    "generics": ("A<", "B", ">"),
    "members": ("a.", "b", ""),
    "negations": ("!", "a", ""),
    "signs": ("- ", "a", ""),
    "stars": ("*", "a", ""),
    "conditionals": ("a ? b : ", "c", ""),
    "sums": ("a + (", "b", ")"),
    "assignments": ("a = ", "b", ""),
    "arrows": ("a => ", "b", ""),
    "lambdas": ("lambda: ", "a", ""),
    "ifs": ("if (a) ", "b;", ""),
    "else ifs": ("if (a) b; else ", "c;", ""),
    "blocks": ("if (a) { b; ", "c;", "}"),
    "loops": ("while (a) { b; ", "c;", "}"),
    "switches": ("switch (a) { case 1: ", "b;", "}"),
    "tries": ("try { ", "a();", "} finally { b(); }"),
    "functions": ("function f(a) { ", "b;", "}"),
    "classes": ("class A { ", "int a;", "}"),
    "templates": ("`${", "a", "}`"),
    "comments": ("/*", "a", "*/"),
    "tags": ("<a>", "b", "</a>"),
    "colons": ("a: ", "b", ""),
    "quotes": ("\"'", "a", "'\""),
    "preprocessor": ("#if A\n", "b;\n", "#endif\n"),
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("parts", DEEP.values(), ids=DEEP)
def test_deep_nesting_whole_and_cut_off(language: str, parts: tuple[str, str, str]) -> None:
    before, inside, after = parts
    hold(before * 500 + inside + after * 500, language)
    hold("x = " + before * 300 + inside, language)
    hold(inside + after * 300, language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_byte_order_mark_changes_nothing_else(language: str) -> None:
    plain, marked = extract(PROGRAMS[language], language), hold("\ufeff" + PROGRAMS[language], language)
    assert marked.nodes.type == plain.nodes.type and not marked.diagnostics
    assert list(marked.edges) == list(plain.edges)


@pytest.mark.parametrize("language", LANGUAGES)
def test_ends_of_lines_change_nothing_else(language: str) -> None:
    plain = extract(PROGRAMS[language], language)
    windows = hold(PROGRAMS[language].replace("\n", "\r\n"), language)
    assert windows.nodes.type == plain.nodes.type and windows.diagnostics == []
    assert list(windows.edges) == list(plain.edges)
    assert windows.nodes.start_line == plain.nodes.start_line


@pytest.mark.parametrize("language", LANGUAGES)
def test_form_feeds_between_lines(language: str) -> None:
    hold(PROGRAMS[language].replace("\n\n", "\n\f\n"), language)
    hold(PROGRAMS[language].replace(" ", " \v\f"), language)


STEPS = st.lists(
    st.tuples(st.sampled_from(sorted(OPERATIONS)), *[st.integers(0, RANGE - 1)] * 3), min_size=1, max_size=6
)  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
@settings(derandomize=True, deadline=None, max_examples=100, database=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damaged_code(language: str, data: st.DataObject) -> None:
    """Deletions, swaps, duplications, moves, random bytes, cut-offs, splices of two texts, in any combination."""
    texts = seeds(language)
    first, second = (texts[data.draw(st.integers(0, len(texts) - 1))] for _ in range(2))
    hold(mutant(first, second, data.draw(STEPS)), language)


def test_what_was_parsed_before_makes_no_difference() -> None:
    """An f-string without an end leaves a mark in the scanner of Python's grammar, by which the next text is read otherwise."""
    code = ":\n d"
    fresh = extract(code, "python")
    extract("f'", "python")
    assert extract(code, "python") == fresh


ENDLESS = "cost x = <T>(a = <T>(a = <T>(a "
"""TypeScript's grammar goes on for ever on it within `class A {}`, one of the wrappers."""


def test_a_wrapper_that_the_grammar_never_ends_with_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse, "SECONDS", 0.2)
    roots = []
    root = parse._root
    monkeypatch.setattr(parse, "_root", lambda grammar, text: roots.append(root(grammar, text)) or roots[-1])
    graph = hold(ENDLESS, "typescript")
    assert None in roots
    assert graph.code == ENDLESS and len(graph.nodes) > 3
    assert "time limit" not in " ".join(d.message for d in graph.diagnostics)


def test_a_text_that_the_grammar_never_ends_with_is_a_root_with_a_diagnostic(monkeypatch: pytest.MonkeyPatch) -> None:
    root = parse._root
    # No text is known on which all wrappers fail, so here the limit is passed by every text.
    monkeypatch.setattr(parse, "_root", lambda grammar, text: None if text else root(grammar, text))
    for language in LANGUAGES:
        graph = hold("a = b", language)
        assert graph.code == "a = b" and len(graph.nodes) == 1 and set(graph.nodes.point) == {None}
        assert [(d.kind, d.start_byte, d.end_byte) for d in graph.diagnostics] == [("error", 0, 5)]
        assert "no end within its time limit" in graph.diagnostics[0].message
