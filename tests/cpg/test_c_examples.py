"""gcc and g++ take every example of the pages of C and C++: what the graphs are shown for is valid code.

All examples of a page are one file, compiled once. An example is the inside of a function of its own (GNU C has
functions in functions), or in C++, where it holds functions or no statements, of a namespace. The free names of the examples are
declared in front: in C as numbers, functions and a struct by convention of the page, in C++ as objects of one class
that takes part in every expression.
"""

from __future__ import annotations

import shutil
import subprocess

import pytest

from cpg import extract
from tests.cpg.test_spec import EXAMPLES, LANGUAGE_PAGES

COMPILERS = {"c": ("gcc", "-std=gnu17"), "cpp": ("g++", "-std=gnu++20")}
PRELUDES = {
    "c": """\
#include <stdlib.h>
int a, b, c, d, e, i, j, n, x, y, z, xs[9], *p, *q;
int f(), g(), h(), k(), m();
struct P { int v, xs[4]; struct P *next; } s, t, *r;
/* What gcc has no word for. */
#define __try if (1)
#define __except(filter) else if (filter)
#define __finally if (1)
#define __leave ((void) 0)
""",
    "cpp": """\
#include <cassert>
#include <concepts>
#include <coroutine>
#include <cstdlib>
#include <utility>
struct Any {
    struct promise_type {
        Any get_return_object();
        std::suspend_never initial_suspend();
        std::suspend_never final_suspend() noexcept;
        void unhandled_exception();
        template <typename T> void return_value(T&&);
        template <typename T> std::suspend_never yield_value(T&&);
    };
    int first, second;
    template <typename... T> Any(T&&...) { }
    template <typename T> operator T() const;
    template <typename... T> Any operator()(T&&...) const { return 1; }
    template <typename T> Any& operator=(T&&);
    template <typename T> Any& operator+=(T&&);
    template <typename T> Any& operator[](T&&) const;
    Any& operator++();
    Any operator++(int);
    Any* begin() const;
    Any* end() const;
    bool await_ready();
    void await_suspend(std::coroutine_handle<>);
    Any await_resume();
};
template <typename L, typename R>
concept Has = std::same_as<std::remove_cvref_t<L>, Any> || std::same_as<std::remove_cvref_t<R>, Any>;
template <typename L, typename R> requires Has<L, R> bool operator>(const L&, const R&);
template <typename L, typename R> requires Has<L, R> Any operator+(const L&, const R&);
template <typename L, typename R> requires Has<L, R> Any operator-(const L&, const R&);
template <typename L, typename R> requires Has<L, R> Any operator/(const L&, const R&);
Any operator""_km(unsigned long long);
Any operator""_t(const char*, std::size_t);
extern Any a, b, c, d, f, g, h, k, xs;
struct Base { Base(int); };
struct E { template <typename T> E(T&&); };
struct S { static Any count; template <typename T> void add(const Any&); };
template <bool> struct Flag { };
using T = Any;
""",
}
WRAPPERS = {"c": ("int example_{0}(void) {{", "}}"), "cpp": ("namespace example_{0} {{ Any example() {{", "}} }}")}
AROUND_FUNCTIONS = ("namespace example_{0} {{", "}}")
HOLDING_FUNCTIONS = {"function_definition", "namespace_definition", "template_declaration"}


def _examples(language: str, broken: bool) -> list[tuple[int, str]]:
    """(line on the page, code) of the examples that should be valid, or of those that should not."""
    found = []
    for example in EXAMPLES:
        page, section, line = example.id.split("-")[:3]
        if page == language and (section == "Broken code") == broken:
            found.append((int(line.removeprefix("line")), example.values[1]))
    return found


def _wrapped(number: int, line: int, code: str, language: str) -> str:
    before, behind = WRAPPERS[language]
    graph = extract(code, language)
    of_root = {graph.nodes.type[t] for s, t, kind, _, _ in graph.edges if kind == "AST" and s == 0}
    if language == "cpp" and (of_root & HOLDING_FUNCTIONS or "entry" not in of_root):
        before, behind = AROUND_FUNCTIONS
    page = next(page for page in LANGUAGE_PAGES if page.stem == language).name
    return f'{before.format(number)}\n#line {line + 1} "{page}"\n{code}\n{behind.format(number)}\n'


def _errors(language: str, examples: list[tuple[int, str]]) -> str:
    text = PRELUDES[language]
    for number, (line, code) in enumerate(examples):
        text += _wrapped(number, line, code, language)
    command = [*COMPILERS[language], "-w", "-fsyntax-only", "-x", "c" if language == "c" else "c++", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120)
    return done.stderr if done.returncode else ""


@pytest.mark.parametrize("language", COMPILERS)
def test_examples_compile(language: str) -> None:
    if shutil.which(COMPILERS[language][0]) is None:
        pytest.skip(f"{COMPILERS[language][0]} is not installed")
    valid, broken = _examples(language, broken=False), _examples(language, broken=True)
    assert len(valid) >= 45 and broken
    assert _errors(language, valid) == ""
    assert _errors(language, broken)
