"""Whatever the text, extract returns a graph that passes its checks."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cpg
from cpg import extract
from tests.cpg.samples import PROGRAMS

LANGUAGES = sorted(cpg.LANGUAGES)
SETTINGS = settings(
    derandomize=True, deadline=None, max_examples=60, database=None, suppress_health_check=list(HealthCheck)
)


def _holds(code: str | bytes, language: str) -> None:
    graph = extract(code, language)
    graph.check()
    for diagnostic in graph.diagnostics:
        assert 0 <= diagnostic.start_byte <= diagnostic.end_byte <= len(graph.code.encode())
        assert diagnostic.kind in ("error", "missing", "encoding")


@pytest.mark.parametrize("language", LANGUAGES)
def test_truncated(language: str) -> None:
    program = PROGRAMS[language].encode()
    for end in range(0, len(program), 41):
        _holds(program[:end], language)
        _holds(program[end:], language)


@pytest.mark.parametrize("language", LANGUAGES)
@SETTINGS
@given(data=st.data())
def test_mutated(language: str, data: st.DataObject) -> None:
    program = PROGRAMS[language]
    start = data.draw(st.integers(0, len(program)))
    end = data.draw(st.integers(start, min(len(program), start + 30)))
    other = data.draw(st.integers(0, len(program) - 30))
    inserted = data.draw(st.sampled_from(["", "{", "}", "(", ")", ";", ":", "\n", "\x00", "'", '"', "=", "\ufeff", "else"]))
    _holds(program[:start] + inserted + program[other : other + 20] + program[end:], language)


@pytest.mark.parametrize("language", LANGUAGES)
@SETTINGS
@given(code=st.binary(max_size=80))
def test_random_bytes(language: str, code: bytes) -> None:
    _holds(code, language)


@pytest.mark.parametrize("language", LANGUAGES)
@SETTINGS
@given(words=st.lists(st.sampled_from(
    "if else for while do try catch finally except switch match case default : ; { } ( ) [ ] = x 1 -> , . return "
    "break continue throw raise yield def class lambda with as and or not in ? && || ! ++ \n \t import int let function => ?. ?? ` of "
    "export <a> func defer go select chan range fallthrough goto := <- * type struct interface var".split(" ")
), max_size=40))  # fmt: skip
def test_random_words(language: str, words: list[str]) -> None:
    _holds(" ".join(words), language)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "code",
    [b"\x00", b"x = 1;\x00 y = 2;", b"\xff\xfe", b"x = '\xe4';", "\ud800", "x = '\U0001f600'", b"\xf0\x9f\x98", "\r", "\u2028"],
)
def test_odd_characters(language: str, code: str | bytes) -> None:
    _holds(code, language)


def test_bytes_that_are_not_utf8_are_reported() -> None:
    graph = extract(b"x = '\xe4'", "python")
    assert [d.kind for d in graph.diagnostics] == ["encoding"]
    assert graph.code == "x = '\ufffd'"


def test_mismatched_languages() -> None:
    for language in LANGUAGES:
        for program in PROGRAMS.values():
            _holds(program, language)


# Each makes a text nested (or long) n times. All are linear, so 10,000 take a second or so.
DEEP = {
    "parentheses": ("java", 10_000, lambda n: "int x = " + "(" * n + "1" + ")" * n + ";"),
    "blocks": ("java", 5_000, lambda n: "void f() {" + "{x = 1;" * n + "}" * n + "}"),
    "declarations": ("java", 5_000, lambda n: "void f() {" + "".join(f"{{int x{i}; y = z;" for i in range(n)) + "}" * n + "}"),
    "ifs": ("java", 5_000, lambda n: "if (a) { x = y;" * n + "}" * n),
    "else ifs": ("java", 5_000, lambda n: "if (a) x = 1; else " * n + ";"),
    "loops": ("java", 3_000, lambda n: "while (a) { x = y;" * n + "}" * n),
    "tries": ("java", 2_000, lambda n: "try { f();" * n + "} finally { g(); }" * n),
    "finalizers": ("java", 2_000, lambda n: "try { f(); } finally {" * n + "}" * n),
    "conjunction": ("java", 5_000, lambda n: "x = " + " && ".join(["a"] * n) + ";"),
    "ternaries": ("java", 5_000, lambda n: "x = " + "a ? 1 : " * n + "2;"),
    "lambdas": ("java", 3_000, lambda n: "x = " + "() -> " * n + "1;"),
    "calls": ("java", 10_000, lambda n: "x" + ".f()" * n + ";"),
    "statements": ("java", 5_000, lambda n: "x = x + 1;" * n),
    "python parentheses": ("python", 10_000, lambda n: "x = " + "(" * n + "1" + ")" * n),
    "python lists": ("python", 10_000, lambda n: "x = " + "[" * n + "1" + "]" * n),
    "python elifs": ("python", 5_000, lambda n: "if a: b\n" + "elif c: d\n" * n),
    "python ifs": ("python", 500, lambda n: "\n".join(" " * i + "if a:" for i in range(n)) + "\n" + " " * n + "b"),
    "python lambdas": ("python", 3_000, lambda n: "x = " + "lambda: " * n + "1"),
    "python attributes": ("python", 10_000, lambda n: "x" + ".f" * n + " = 1"),
    "python functions": ("python", 10_000, lambda n: "".join(f"def f{i}(a): return f{i // 2}(a)\n" for i in range(n))),
    "python functions between branches": (
        "python", 3_000, lambda n: "".join(f"if a: b = c\ndef f{i}(a): return f{i // 2}(a)\n" for i in range(n)),
    ),
    "javascript arrows": ("javascript", 3_000, lambda n: "x = " + "() => " * n + "1;"),
    "javascript blocks": ("javascript", 3_000, lambda n: "".join(f"{{ f(x); let x{i} = y; " for i in range(n)) + "}" * n),
    "javascript functions": ("javascript", 3_000, lambda n: "function f(a) { g(a); " * n + "}" * n),
    "javascript chains": ("javascript", 10_000, lambda n: "x" + "?.f" * n + ";"),
    "javascript coalescing": ("javascript", 5_000, lambda n: "x = " + " ?? ".join(["a"] * n) + ";"),
    "javascript patterns": ("javascript", 5_000, lambda n: "let " + "[" * n + "a" + "]" * n + " = b;"),
    "javascript elements": ("javascript", 3_000, lambda n: "x = " + "<a>" * n + "</a>" * n + ";"),
    "typescript types": ("typescript", 5_000, lambda n: "let x: " + "A<" * n + "B" + ">" * n + ";"),
    "typescript namespaces": ("typescript", 2_000, lambda n: "namespace N { let x = y; " * n + "}" * n),
    "go blocks": ("go", 5_000, lambda n: "func f() {" + "{x := 1;" * n + "}" * n + "}"),
    "go else ifs": ("go", 3_000, lambda n: "func f() {" + "if x := a; b { c() } else " * n + "{ d() } }"),
    "go literals": ("go", 3_000, lambda n: "x := T{" + "a: {" * n + "b: c" + "}" * n + "}"),
    "go functions": ("go", 3_000, lambda n: "func f() {" + "x = func() { y();" * n + "}" * n + "}"),
    "go defers": ("go", 3_000, lambda n: "func f() {\n" + "defer f(x)\n" * n + "}"),
    "go conditional defers": ("go", 2_000, lambda n: "func f() {\n" + "if a { defer f(x) }\n" * n + "}"),
    "go defers in a loop": ("go", 2_000, lambda n: "func f() {\nfor a {\n" + "defer f(x)\n" * n + "}\n}"),
    "go defers and returns": ("go", 1_000, lambda n: "func f() {\n" + "defer f(x)\nif a { return }\n" * n + "}"),
    "go cases": ("go", 3_000, lambda n: "switch {\n" + "case a: b()\n" * n + "}"),
    "c blocks": ("c", 5_000, lambda n: "void f() {" + "{x = 1;" * n + "}" * n + "}"),
    "c else ifs": ("c", 5_000, lambda n: "if (a) x = 1; else " * n + ";"),
    "c cases": ("c", 5_000, lambda n: "switch (a) {" + "".join(f"case {i}: x = y;" for i in range(n)) + "}"),
    "c switches": ("c", 2_000, lambda n: "switch (a) { case 1: x = y; " * n + "}" * n),
    "c gotos": ("c", 5_000, lambda n: "".join(f"l{i}: if (a) goto l{n - i - 1};" for i in range(n)) + ";"),
    # Every definition reaches every later use: the edges themselves are quadratic.
    "c alternatives": ("c", 700, lambda n: "#if A\nx = y;\n#else\ny = x;\n#endif\n" * n),
    "c nested alternatives": ("c", 1_000, lambda n: "#if A\nx = y;\n" * n + "#endif\n" * n),
    "c stars": ("c", 5_000, lambda n: "x = " + "*" * n + "p;"),
    "c declarators": ("c", 5_000, lambda n: "int " + "*" * n + "p = q;"),
    "c prototypes": ("c", 5_000, lambda n: "".join(f"int f{i}(int a, T b);\n" for i in range(n))),
    "cpp lambdas": ("cpp", 1_000, lambda n: "x = " + "[&] { return " * n + "1" + "; }" * n + ";"),
    "cpp catches": ("cpp", 2_000, lambda n: "try { f();" * n + "} catch (...) { g(); }" * n),
    "cpp scopes": ("cpp", 3_000, lambda n: "".join(f"namespace a{i} {{ int x{i} = y;" for i in range(n)) + "}" * n),
    "csharp chains": ("csharp", 3_000, lambda n: "x" + "?.F(a)" * n + ";"),
    "csharp calls": ("csharp", 10_000, lambda n: "x" + ".F()" * n + ";"),
    "csharp arms": ("csharp", 500, lambda n: "x = " + "a switch { 1 => " * n + "2" + ", _ => 3 }" * n + ";"),
    "csharp lambdas": ("csharp", 3_000, lambda n: "x = " + "() => " * n + "1;"),
    "csharp functions": ("csharp", 2_000, lambda n: "void F() { a = b; " * n + "}" * n),
    "csharp tries": ("csharp", 400, lambda n: "try { F();" * n + "} catch when (a) { } finally { G(); }" * n),
    "csharp queries": ("csharp", 2_000, lambda n: "x = from a in " * n + "b" + " select a" * n + ";"),
    "csharp directives": ("csharp", 3_000, lambda n: "#if A\nx = y;\n" * n + "#endif\n" * n),
    "csharp patterns": ("csharp", 3_000, lambda n: "x = a is " + "{ B: " * n + "var b" + " }" * n + ";"),
    "unclosed": ("java", 10_000, lambda n: "(" * n),
    "unopened": ("python", 10_000, lambda n: ")" * n),
}


@pytest.mark.parametrize(("language", "size", "make"), DEEP.values(), ids=DEEP)
def test_deep_nesting_neither_recurses_nor_explodes(language: str, size: int, make) -> None:
    started = time.process_time()
    graph = extract(make(size), language)
    assert time.process_time() - started < 10  # linear work needs about one second; quadratic work minutes
    graph.check()
    assert len(graph.nodes) > size or graph.diagnostics
