"""The examples of the page of C# are C#: the Mono compiler takes all of them, in one file.

Each example becomes a class of its own. What it does not declare comes from a common base class, where most names are
dynamic: they can be called, and stand for any value. Examples that are newer than the compiler are marked on the page,
and are checked to be just that: the compiler does not take them.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from cpg import extract
from tests.cpg.test_spec import LANGUAGE_PAGES, marked_examples

MCS = shutil.which("mcs")
needs_mcs = pytest.mark.skipif(MCS is None, reason="no mcs on the PATH: install mono-mcs to check the C# examples")
PAGE = next(page for page in LANGUAGE_PAGES if page.stem == "csharp")
RETURNS_VALUE = re.compile(r"\breturn [^;]")

BASE = """
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Threading.Tasks;

class E : Exception { public int Code; public E(params object[] xs) {} }
class A : Exception {}
class B : IDisposable { public void Dispose() {} }
class P { public int A; public P B; public int C; public int this[int i] { get { return i; } set {} } }
class T { public int b; }
struct S { public int a; }

unsafe class Base {
  protected dynamic a, b, c, d, e, f, g, h, n, o, r, F, G, H, I;
  protected int i, j, x, y, z;
  protected int[,] m;
  protected string s;
  protected T t;
  protected S* p;
  protected int* q;
  protected List<dynamic> xs, ys, ks;

  public Base(params object[] xs) {}

  protected static dynamic Open() { return null; }
  protected static void Run(Action f) {}
  protected static void Run(Func<int> f) {}
  protected static bool TryGet(out int a, out int b, out int c, out int name) { return (a = b = c = name = 0) > 0; }
}
"""


def _class(number: int, code: str) -> str:
    """The example as a class: its members, or the statements of its only method."""
    graph = extract(code, "csharp")
    types = {graph.nodes.type[target] for source, target, kind, _, _ in graph.edges if kind == "AST" and source == 0}
    name, members = f"Example{number}", code
    if not any(kind.endswith("_declaration") for kind in types):
        result = "async Task<object>" if "await " in code else "dynamic" if RETURNS_VALUE.search(code) else "void"
        members = f"{result} Main() {{\n{code}{'' if result == 'void' else 'return null;'}\n}}"
    elif "constructor_declaration" in types:
        members = f"class K : Base {{\n{code}\n}}"
    unsafe = "" if "async " in members else "unsafe "
    return f"{unsafe}class {name} : Base {{\n{members}\n}}\n"


def _errors(folder: Path, codes: dict[int, str]) -> dict[int, list[str]]:
    """Line of an example -> what the compiler says of it, of those that it does not take."""
    text, first = BASE, {}
    for line, code in codes.items():
        first[line] = text.count("\n") + 1
        text += _class(line, code)
    source = folder / "examples.cs"
    source.write_text(text, encoding="utf-8")
    options = ["-target:library", "-unsafe", "-warn:0", "-langversion:experimental", "-r:Microsoft.CSharp", f"-out:{folder}/examples.dll"]
    done = subprocess.run([MCS, *options, str(source)], capture_output=True, text=True, check=False, timeout=120)
    found: dict[int, list[str]] = {0: ["failed"]} if done.returncode else {}
    for place, message in re.findall(r"\((\d+),\d+\): error (.*)", done.stdout + done.stderr):
        line = max((line for line in first if first[line] <= int(place)), default=0)
        found.pop(0, None)
        found.setdefault(line, []).append(message)
    return found


@needs_mcs
def test_examples_are_csharp(tmp_path: Path) -> None:
    codes = {line: code for line, mark, code in marked_examples("csharp", PAGE) if not mark}
    assert len(codes) >= 80
    assert _errors(tmp_path, codes) == {}


@needs_mcs
def test_marked_examples_are_newer_than_the_compiler(tmp_path: Path) -> None:
    marked = [(line, mark, code) for line, mark, code in marked_examples("csharp", PAGE) if mark]
    assert len(marked) >= 10
    assert {mark.split(":")[0] for _, mark, _ in marked} == {"not for mcs"}
    taken = [line for line, _, code in marked if not _errors(tmp_path, {line: code})]
    assert not taken, "these lines need no mark"
