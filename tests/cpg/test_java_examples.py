"""The Java examples of SPEC.md are Java: javac takes all of them, in one file.

Each example becomes a class of its own. What it does not declare comes from a common base class, in which a name
always has the same type. Those that the JDK is too old for, and those that no javac takes, are marked on the page.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from cpg import extract
from tests.cpg.test_spec import marked_examples

JAVAC = shutil.which("javac")
needs_javac = pytest.mark.skipif(JAVAC is None, reason="no javac on the PATH: install a JDK to check the Java examples")
MEMBERS = frozenset({"method_declaration"})
TYPES = frozenset({"class_declaration", "enum_declaration", "interface_declaration", "record_declaration"})
RETURNS_VALUE = re.compile(r"^(try \{ )?return [^;]")

BASE = """
import java.util.function.*;

class Base {
  static boolean a, b, c, d;
  static int f, i, j, n, q, x, y, z;
  static int[] v, w;
  static int[][] m;
  static Object o, lock;
  static String s;
  static String[] xs;
  static T t, u;
  static Colour k;
  static final R r = null;
  static final RuntimeException e = null;

  Base(Object... xs) {}

  static boolean a(Object... xs) { return a; }
  static boolean b(Object... xs) { return b; }
  static boolean c(Object... xs) { return c; }
  static boolean d(Object... xs) { return d; }
  static boolean e(Object... xs) { return d; }
  static int f(Object... xs) { return n; }
  static int g(Object... xs) { return n; }
  static int h(Object... xs) { return n; }
  static int i(Object... xs) { return n; }
  static int read() { return n; }
  static R open() { return r; }
  static void run(Supplier<Object> s) {}
  static void run(Function<Integer, Object> f) {}

  enum Colour { RED, GREEN }
  interface F { G apply(int i); }
  interface G { Object apply(int j); }
  interface H { Object apply(int a, int b); }
  static class A extends RuntimeException {}
  static class B extends RuntimeException {}
  static class C extends RuntimeException { C(Object o) {} }
  static class E extends RuntimeException {}
  static class K { static int n; }
  static class List { void add(Object o) {} }
  static class T { int q, size; T p; }
  static class R implements AutoCloseable { void a() {} public void close() {} }
  static class S implements AutoCloseable { S(R r) {} void a() {} public void close() {} }
}
"""


def _class(name: str, code: str) -> str:
    """A class that holds an example: a constructor, members or statements."""
    graph = extract(code, "java")
    kinds = {graph.nodes.type[t] for s, t, kind, _, _ in graph.edges if kind == "AST" and s == 0} - {"entry", "exit"}
    if kinds == {"constructor_declaration"}:
        inner = graph.nodes.name[graph.nodes.type.index("constructor_declaration")]
        return f"class {name} {{ static class {inner} extends Base {{\n{code}}} }}\n"
    if kinds <= MEMBERS | TYPES:
        return f"class {name} extends Base {{\n{code}}}\n"
    if RETURNS_VALUE.search(code):
        return f"class {name} extends Base {{ Object body() throws Exception {{ if (Base.a()) {{\n{code}}} return null; }} }}\n"
    return f"class {name} extends Base {{ void body() throws Exception {{\n{code}}} }}\n"


def _refused(folder: Path, codes: list[str]) -> dict[int, str]:
    """Number of the example (-1: the base class) -> the first error of javac in it."""
    text, first_lines = BASE, []
    for number, code in enumerate(codes):
        first_lines.append(text.count("\n") + 1)
        text += _class(f"Example{number}", code)
    source = folder / "Examples.java"
    source.write_text(text, encoding="utf-8")
    command = [JAVAC, "-proc:none", "-encoding", "UTF-8", "-Xmaxerrs", "1000", "-d", str(folder / "classes"), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    messages: dict[int, str] = {}
    for line, message in re.findall(r"Examples\.java:(\d+): error: (.*)", done.stderr):
        number = sum(first <= int(line) for first in first_lines) - 1
        messages.setdefault(number, message)
    assert done.returncode == 0 or messages, done.stderr
    return messages


def _version() -> int:
    done = subprocess.run([JAVAC, "-version"], capture_output=True, text=True, check=True, timeout=60)
    return int(re.search(r"\d+", done.stdout + done.stderr).group())


def _is_for(mark: str, version: int) -> bool:
    kind, _, number = mark.partition(" ")
    return not mark or (kind == "Java" and version >= int(number))


@needs_javac
def test_examples_are_java(tmp_path: Path) -> None:
    examples, version = marked_examples("java"), _version()
    chosen = [(line, code) for line, mark, code in examples if _is_for(mark, version)]
    assert len(chosen) >= 80
    messages = _refused(tmp_path, [code for _, code in chosen])
    assert not {f"SPEC.md line {chosen[number][0]}" if number >= 0 else "base": m for number, m in messages.items()}


def test_marks_are_few_and_known() -> None:
    marks = [mark for _, mark, _ in marked_examples("java") if mark]
    assert all(re.fullmatch(r"Java 21|not for javac: (unreachable|broken|cases alone)", mark) for mark in marks), marks
    assert len(marks) <= 9


@needs_javac
def test_the_check_can_fail(tmp_path: Path) -> None:
    assert list(_refused(tmp_path, ["f(x);\n", "int x = true;\n", "return x;\n"])) == [1]
