"""Files, methods and statements parse alike; what makes a snippet parse never shows."""

from __future__ import annotations

import pytest

from cpg import extract

SNIPPETS = {
    "go": {
        "file": 'package p\n\nimport "fmt"\n\nfunc f() int { return 1 }\n',
        "function": "func f(x int) int { return x }",
        "method": "func (t *T) f(x int) (n int) { n = x; return }",
        "two functions": "func f() { g() }\n\nfunc g() {}",
        "statements": "x := 1\nfoo(x)\nif x > 1 { return }",
        "one statement": "x := 1",
        "labelled statement": "l: for { break l }",
        "cases": "case 1: f()\ndefault: g()",
        "tests": "case x > 1 && y: f()",
        "type cases": "case []int, error: f()\ncase nil:",
        "communication cases": "case v := <-ch: f(v)\ncase ch <- x:\ndefault:",
        "fields": "x, y int\n*Base",
        "methods of an interface": "Len() int\nfmt.Stringer",
        "type": "type T[K any] struct { k K }",
        "variables": "var (\n\tx = 1\n\ty int\n)",
        "empty": "",
        "blank": " \n\t ",
        "comment": "// nothing",
        "trailing comment": "f() // no newline after this",
        "import": 'import . "fmt"',
        "carriage returns": "if x {\r\n\ty()\r\n}\r\n",
    },
    "csharp": {
        "file": "using B; namespace C; class K { int F() { return 1; } }",
        "method": "public int F(int x) { return x; }",
        "plain method": "int F(int x) { return x; }",
        "constructor": "Foo(int x) : base(x) { this.x = x; } // end",
        "two methods": "[Test] public void TestF() { Assert.That(F()); } private int F() => 1;",
        "tokens apart": "public virtual void F ( int x ) { base . F ( x ) ; x = x > 1 ? 2 : x ; }",
        "members": "private int x = 1; public event E F; int P { get; set; } = 2; ~K() { } int this[int i] => i;",
        "accessors": "get { return x; } private set => x = value;",
        "operators": "public static K operator +(K b) => b; public static implicit operator int(K b) => 1;",
        "field": "private static readonly int x = 1;",
        "property": "public int P => x;",
        "statements": "int x = 1; Foo(x); if (x > 1) return;",
        "statements and function": "Foo(G(1)); int G(int x) => x; int y = 1;",
        "cases": "case 1: F(); break; case int i when i > 1: default: G(); break;",
        "expression statement": "F(x);",
        "enumeration": "enum E { X, Y = 2 }",
        "directives": "#if X\nF();\n#endif\n#region R\n#endregion",
        "empty": "",
        "blank": " \n\t ",
        "comment": "// nothing",
        "trailing comment": "Foo() { } // no newline after this",
        "import": "using B.C;",
        "carriage returns": "if (x) {\r\n  y();\r\n}\r\n",
        "byte order mark": "\ufeffx = 1;\n",
    },
    "java": {
        "file": "class K { int f() { return 1; } }",
        "method": "public int f(int x) { return x; }",
        "constructor": "Foo(int x) { super(x); this.x = x; } // end",
        "two methods": '@Test public void testF ( ) { "<AssertPlaceHolder>" ; } private int f ( ) { return 1 ; }',
        "members": "private int x = 1; { x = 2; } static { y(); } Foo() {}",
        "statements": "int x = 1; foo(x); if (x > 1) return;",
        "constructor call": "super(x); y();",
        "cases": "case 1: f(); break; default: g();",
        "expression statement": "f(x);",
        "empty": "",
        "blank": " \n\t ",
        "comment": "// nothing",
        "trailing comment": "Foo() { } // no newline after this",
        "import": "import a.b;",
    },
    "python": {
        "file": "import a\n\ndef f():\n    return 1\n",
        "method": "    def f(self):\n        return 1\n",
        "return": "return x",
        "statements": "x = 1; y = x",
        "expression": "f(x)",
        "empty": "",
        "comment": "# nothing",
        "carriage returns": "if x:\r\n    y()\r\n",
        "byte order mark": "\ufeffx = 1\n",
    },
    "javascript": {
        "file": "import b from 'b';\nexport class K extends B { m() { return 1; } }\n",
        "method": "m(x) { return x; }",
        "constructor": "constructor(x) { super(x); this.x = x; } // end",
        "two methods": "async *m() { yield 1; }\n  get #n() { return 1 }",
        "members": "static #x = 1; y; static { z(); } [w]() {}",
        "statements": "let x = 1; foo(x); if (x > 1) return; await y",
        "constructor call": "super(x); y();",
        "cases": "case 1: f(); break; default: g();",
        "function": "async function f(x, ...y) { for await (const z of x); }",
        "arrow": "(x, y) => x + y",
        "element": "<b x={y}>text</b>",
        "no semicolons": "let x = 1\nf(x)\nreturn x",
        "empty": "",
        "blank": " \n\t ",
        "comment": "// nothing",
        "trailing comment": "m() { } // no newline after this",
        "import": "import { x } from 'y'",
        "carriage returns": "if (x)\r\n  y()\r\n",
        "byte order mark": "\ufeffx = 1\n",
        "hash bang": "#!/usr/bin/env node\nx()\n",
    },
    "typescript": {
        "file": "import b from 'b';\nexport class K<T> extends B<T> { m(): T { return 1; } }\n",
        "method": "private async m<T>(x: T): Promise<T> { return x; }",
        "constructor": "constructor(private x: T) { super(x); } // end",
        "members": "private static x: T = 1; readonly y?: T; abstract m(): void; [k: string]: T;",
        "overloads": "m(x: T): void; m(x: U): void; m(x: any) { f(x); }",
        "statements": "let x: T = 1; foo<T>(x as U); if (x! > 1) return;",
        "cases": "case K.a: f(x!); break; default: g(<T>y);",
        "function": "function f(this: T, x?: U): asserts x is V { }",
        "cast": "<T>x",
        "element": "const e = (x: T) => <b x={y}>text</b>;",
        "declarations": "declare const x: T;\nexport type E = B | C;\ninterface D { e(): void }",
        "empty": "",
        "comment": "// nothing",
    },
    "c": {
        "file": "#include <stdio.h>\n\nint f(void) { return 1; }\n",
        "function": "static int f(int x) { return x; }",
        "old function": "int f(x) int x; { return x; }",
        "two functions": "int f(void) { return 1; } int g(void) { return 2; }",
        "members": "int x : 3; struct P *next; union { int a; float b; };",
        "statements": "int x = 1; foo(x); if (x > 1) return;",
        "label": "end: return x;",
        "cases": "case 1: f(); break; default: g();",
        "pointers": "T *p = q; *p = 1; p->f = 2;",
        "types": "typedef int T; enum { ONE };",
        "directives": "#define N 1\n#if N\nf();\n#endif\n",
        "empty": "",
        "blank": " \n\t ",
        "comment": "// nothing",
    },
    "cpp": {
        "file": "#include <vector>\nclass K { int f() { return 1; } };\n",
        "function": "int f(int x) { return x; }",
        "method": "virtual int f() const override { return x; }",
        "outside method": "int K::f() const { return x; }",
        "constructor": "Foo(int x) : a(x), b{1} { f(); } // end",
        "constructor with try": "Foo() try : a(1) { } catch (...) { }",
        "destructor": "~Foo() { delete p; }",
        "operator": "Foo& operator=(const Foo& o) { return *this; }",
        "conversion": "explicit operator bool() const { return x; }",
        "members": "public: int x = 1; Foo() = default; private: friend class F; int y : 3;",
        "template": "template <typename T> T f(T t) { return t; }",
        "statements": "int x = 1; foo(x); for (auto y : ys) g(y); return x;",
        "cases": "case 1: f(); break; default: g();",
        "coroutine": "co_await f(); co_return 1;",
        "assignments in parentheses": "K() : a((b = 1)) { while ((c = f()) != 0 && !(a.b += (d <<= 2))) (*p++ = *q++); }",
        "try": "try { f(); } catch (...) { throw; }",
        "lambda": "auto l = [&](int x) { return x; }; l(1);",
        "empty": "",
        "comment": "// nothing",
    },
}
CASES = [pytest.param(l, code, id=f"{l}-{name}") for l, table in SNIPPETS.items() for name, code in table.items()]


@pytest.mark.parametrize(("language", "code"), CASES)
def test_snippet(language: str, code: str) -> None:
    graph = extract(code, language)
    graph.check()
    assert graph.diagnostics == []
    assert "UNKNOWN" not in graph.nodes.label
    assert graph.code == code
    # The wrappers' names: a class A, a method a, a selector a. Nothing of it is in the text, so in no node.
    assert {"A", "a"} & set(graph.nodes.name) <= {"a"} & set(code)
    assert graph.nodes.text_of(0) == code


def _points(code: str, language: str) -> list[str]:
    graph = extract(code, language)
    return [graph.nodes.text_of(i) for i, point in enumerate(graph.nodes.point) if point not in (None, "entry", "exit")]


@pytest.mark.parametrize("language", ["c", "cpp"])
def test_cases_without_their_switch_are_all_entered(language: str) -> None:
    graph = extract("case 1: f(); break; default: g();", language)
    entry = graph.nodes.point.index("entry")
    entered = [graph.nodes.text_of(t) for s, t, kind, _, _ in graph.edges if kind == "CFG" and s == entry]
    assert sorted(entered) == ["f();", "g();"]


def test_assignments_in_parentheses_are_what_they_are_elsewhere() -> None:
    """The grammar of C++ cannot take them as they stand."""
    text = "void f(int x) { if (@x = g(1)@) h(x, @y[2] -= z.w@); }"
    apart = extract(text.replace("@", " "), "cpp")
    inside = extract(text.replace("@", "(", 1).replace("@", ")", 1).replace("@", "(", 1).replace("@", ")", 1), "cpp")
    assert apart.diagnostics == inside.diagnostics == []
    kept = [i for i, kind in enumerate(inside.nodes.type) if kind != "parenthesized_expression"]
    for column in ("type", "label", "name", "start_byte", "point"):
        assert [getattr(inside.nodes, column)[i] for i in kept] == getattr(apart.nodes, column), column


def test_prototypes_are_points_among_statements_only() -> None:
    assert _points("T x(a); f(x);", "cpp") == ["T x(a);", "f(x);"]
    assert _points("T x(a); int y;", "cpp") == ["int y;"]
    assert _points("void f() { T x(a); }", "cpp") == ["T x(a);"]
    assert _points("struct S { T x(a); int y = 1; virtual int z() = 0; };", "cpp") == ["int y = 1;"]


def test_spans_do_not_move_with_the_wrapper() -> None:
    graph = extract("Foo() {\n  a();\n}", "java")
    call = graph.nodes.type.index("method_invocation")
    assert (graph.nodes.start_byte[call], graph.nodes.start_line[call], graph.nodes.start_column[call]) == (10, 2, 2)
    first = graph.nodes.type.index("constructor_declaration")
    assert (graph.nodes.start_byte[first], graph.nodes.start_line[first], graph.nodes.start_column[first]) == (0, 1, 0)


@pytest.mark.parametrize("code", ["} void f() {", "} }", "} class B {", "}} class A { void a() {", "); f("])
def test_a_snippet_cannot_close_its_wrapper(code: str) -> None:
    graph = extract(code, "java")
    graph.check()
    assert graph.diagnostics
    assert graph.nodes.text_of(0) == code


def test_a_broken_method_leaves_the_other_whole() -> None:
    good = "int f(int x) { if (x > 1) return x; return 2; }"
    graph = extract("int g() { return = ; }\n" + good, "java")
    graph.check()
    assert graph.diagnostics
    alone = extract(good, "java")
    after = [graph.nodes.text_of(t) for _, t, k, _, _ in graph.edges if k == "CFG" and graph.nodes.start_line[t] == 2]
    assert sorted(after) == sorted(alone.nodes.text_of(t) for _, t, k, _, _ in alone.edges if k == "CFG")


# A test method whose assert is replaced by a string, then the method under test; tokens apart by one blank.
PLACEHOLDER_SOURCES = [
    '@ Test public void returnsMessage ( ) { Bean bean = new Bean ( ) ; Field field = bean . getClass ( ) . '
    'getFields ( ) [ 0 ] ; "<AssertPlaceHolder>" ; } public Object getBean ( ) { return bean ; }',
    'public void testSum ( ) throws Exception { for ( int i = 0 ; i < 10 ; i ++ ) { "<AssertPlaceHolder>" ; } } '
    'static < T extends Number > double sum ( final List < ? super T > xs , int ... more ) { double total = 0.0 ; '
    'for ( T x : xs ) total += x . doubleValue ( ) ; return total > 1e3 ? total : ( double ) more [ 0 ] ; }',
    '@ Test ( expected = Error . class ) public void fails ( ) { try { run ( ) ; } finally { "<AssertPlaceHolder>" ; } } '
    'Queue ( int size ) { super ( size ) ; this . items = new Object [ size ] ; }',
    'void testKind ( ) { "<AssertPlaceHolder>" ; } @ Override protected synchronized int kind ( Object o ) { '
    'switch ( o . hashCode ( ) & 0xFF ) { case \'a\' : return 1 ; default : return o instanceof String ? 2 : - 1 ; } }',
    'public void testLambda ( ) { Set < String > seen = new HashSet < > ( ) ; list . forEach ( s -> seen . add ( s ) ) ; '
    '"<AssertPlaceHolder>" ; } public int size ( ) { return Map . Entry :: getKey == null ? 0 : 1 ; }',
]


@pytest.mark.parametrize("source", PLACEHOLDER_SOURCES)
def test_placeholder_source_parses_without_diagnostics(source: str) -> None:
    graph = extract(source, "java")
    graph.check()
    assert graph.diagnostics == []
    assert '"<AssertPlaceHolder>" ;' in {graph.nodes.text_of(i) for i, p in enumerate(graph.nodes.point) if p}
    assert graph.nodes.point.count("entry") >= 2
