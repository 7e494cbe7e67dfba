"""Invariants, determinism, the JSON schema, conversions."""

from __future__ import annotations

import hashlib
import json

import networkx
import pytest

import cpg
from cpg import CodePropertyGraph, GraphFormatError, GraphInvariantError, UnknownFormatError, export, extract
from cpg.graph import BRANCHES, NODE_COLUMNS
from tests.cpg.samples import PROGRAMS

LANGUAGES = sorted(cpg.LANGUAGES)


@pytest.fixture(params=LANGUAGES)
def graph(request: pytest.FixtureRequest) -> CodePropertyGraph:
    return extract(PROGRAMS[request.param], request.param)


def test_every_language_has_a_sample() -> None:
    assert set(PROGRAMS) == set(LANGUAGES)


def test_invariants_hold(graph: CodePropertyGraph) -> None:
    graph.check()
    assert graph.diagnostics == []
    assert set(graph.edges.kind) == set(cpg.EDGE_KINDS)
    assert len(graph.nodes.code) == len(graph.nodes)


# What a language has no construct for.
ABSENT = {"c": {"iterate", "done", "LAMBDA"}}


def test_sample_exercises_the_vocabulary(graph: CodePropertyGraph) -> None:
    absent = ABSENT.get(graph.language, set())
    branches = {"true", "false", "exception", "iterate", "done", "case"}
    assert {b for b in graph.edges.branch if b} >= branches - absent
    assert {b for b in graph.edges.branch if b} <= set(BRANCHES) - absent
    assert set(graph.nodes.label) >= {
        "METHOD", "PARAMETER", "BLOCK", "CALL", "IDENTIFIER", "LITERAL", "CONTROL_STRUCTURE", "RETURN", "LAMBDA",
        "FIELD_IDENTIFIER", "TYPE_DECL", "IMPORT", "FILE", "ENTRY", "EXIT",
    } - absent  # fmt: skip
    assert "UNKNOWN" not in graph.nodes.label


def test_syntax_children_lie_inside_their_parent(graph: CodePropertyGraph) -> None:
    nodes = graph.nodes
    for source, target, kind, _, _ in graph.edges:
        if kind == "AST":
            assert nodes.start_byte[source] <= nodes.start_byte[target] <= nodes.end_byte[target] <= nodes.end_byte[source]


def test_lines_and_columns_agree_with_offsets(graph: CodePropertyGraph) -> None:
    lines = graph.code.encode().split(b"\n")
    nodes = graph.nodes
    for i in range(len(nodes)):
        for side in ("start", "end"):
            line, column = getattr(nodes, f"{side}_line")[i], getattr(nodes, f"{side}_column")[i]
            assert sum(len(text) + 1 for text in lines[: line - 1]) + column == getattr(nodes, f"{side}_byte")[i]


def test_every_branch_of_a_condition_is_labelled(graph: CodePropertyGraph) -> None:
    for source, _, kind, branch, _ in graph.edges:
        if kind == "CFG":
            condition = graph.nodes.point[source] == "condition"
            assert branch is not None if condition else branch in (None, "exception")


def test_each_body_leads_from_entry_to_exit(graph: CodePropertyGraph) -> None:
    nodes = graph.nodes
    flow = networkx.DiGraph((s, t) for s, t, kind, _, _ in graph.edges if kind == "CFG")
    entries = [i for i, point in enumerate(nodes.point) if point == "entry"]
    assert len(entries) == nodes.point.count("exit") >= 4
    for entry in entries:
        assert flow.in_degree(entry) == 0
        assert entry + 1 in networkx.descendants(flow, entry)
        assert flow.out_degree(entry + 1) == 0


def test_same_input_same_bytes(graph: CodePropertyGraph) -> None:
    again = extract(PROGRAMS[graph.language].encode(), graph.language)
    assert again == graph
    assert again.to_json() == graph.to_json()


def test_json_round_trip(graph: CodePropertyGraph) -> None:
    text = graph.to_json()
    back = CodePropertyGraph.from_json(text)
    assert back == graph
    assert back.to_json() == text
    assert CodePropertyGraph.from_dict(json.loads(text.encode())) == graph


def test_schema() -> None:
    data = extract("int f(int x) { return x; ) }", "java").to_dict()
    assert list(data) == ["schema", "language", "code_sha256", "nodes", "edges", "diagnostics"]
    assert data["schema"] == "cpg/1"
    assert data["code_sha256"] == hashlib.sha256(b"int f(int x) { return x; ) }").hexdigest()
    assert list(data["nodes"][0]) == [
        "id", "type", "label", "code", "name", "start_byte", "end_byte", "start_line", "start_column", "end_line",
        "end_column", "point",
    ]  # fmt: skip
    keys = {edge["kind"]: list(edge) for edge in data["edges"]}
    assert keys["AST"] == ["source", "target", "kind"]
    assert keys["DDG"] == ["source", "target", "kind", "variable"]
    assert data["diagnostics"] == [
        {"kind": "error", "message": "cannot parse ')'", "start_byte": 25, "end_byte": 26}
    ]


BROKEN_DATA = {
    "schema": lambda d: d.update(schema="cpg/9"),
    "no nodes": lambda d: d.update(nodes=[]),
    "missing column": lambda d: d["nodes"][1].pop("label"),
    "other text": lambda d: d.update(code_sha256="0" * 64),
    "changed code": lambda d: d["nodes"][2].update(code="?"),
    "ids": lambda d: d["nodes"][1].update(id=7),
    "dangling edge": lambda d: d["edges"][0].update(target=99),
    "edge kind": lambda d: d["edges"][0].update(kind="XYZ"),
    "span": lambda d: d["nodes"][1].update(end_byte=10_000),
    "twice": lambda d: d["edges"].append(d["edges"][-1]),
}


@pytest.mark.parametrize("change", BROKEN_DATA.values(), ids=BROKEN_DATA)
def test_damaged_data_is_refused(change) -> None:
    data = extract("if (a) b(a = 1);", "java").to_dict()
    change(data)
    with pytest.raises((GraphFormatError, GraphInvariantError)) as error:
        CodePropertyGraph.from_dict(data)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"schema": "cpg/1"}'])
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(GraphFormatError):
        CodePropertyGraph.from_json(text)


def test_networkx(graph: CodePropertyGraph) -> None:
    converted = graph.to_networkx()
    assert converted.number_of_nodes() == len(graph.nodes)
    assert converted.number_of_edges() == len(graph.edges)
    assert set(converted.nodes[1]) == {*NODE_COLUMNS, "code"}
    syntax = networkx.DiGraph((s, t) for s, t, kind in converted.edges(data="kind") if kind == "AST")
    assert networkx.is_arborescence(syntax)


def test_dot_has_all_nodes_and_edges(graph: CodePropertyGraph) -> None:
    lines = export(graph, "dot").splitlines()
    assert sum(" -> n" in line for line in lines) == len(graph.edges)
    assert sum("shape=" in line for line in lines) == len(graph.nodes)
    assert all((line.count('"') - line.count('\\"')) % 2 == 0 for line in lines)


def test_unknown_names_print_the_table() -> None:
    with pytest.raises(UnknownFormatError, match="Did you mean 'json'.*dot, graphml, graphson, html, json, neo4jcsv, svg"):
        export(extract("", "java"), "jsn")
    with pytest.raises(cpg.UnknownLanguageError, match="Did you mean 'python'.*java, .*python"):
        extract("", "pyhton")
    with pytest.raises(cpg.CodeTypeError, match="expected str or bytes"):
        extract(None, "java")


NAMES = {
    "go": ("func (r T) f(x int) int { a.b.g(x); return x + 1 }", {"f", "r", "x", "g", "b", "+"}),
    "csharp": ("int f(int x) { a.b.g<U>(x); x += 1; return x ?? y; }", {"f", "int", "x", "g", "b", "+=", "??"}),
    "java": ("int f(int x) { a.b.g(x); return x + 1; }", {"f", "x", "g", "b", "+"}),
    "python": ("def f(x):\n    a.b.g(x)\n    return x not in y", {"f", "x", "g", "b", "not in"}),
    "javascript": ("function f(x) { a.b.g(x); return x ?? y; }", {"f", "x", "g", "b", "??"}),
    "typescript": ("function f(x: T) { a.b!.g<U>(x); return <T>!x; }", {"f", "x", "g", "b", "T", "U", "!"}),
    "c": (
        "struct S { int *m; };\n#define N 1\nunsigned long (*p)[2];\nint *f(char x[]) { a.b->g(x); out: return ++x; }",
        {"S", "m", "N", "p", "f", "x", "g", "b", "++", "out", "unsigned long"},
    ),
    "cpp": (
        "namespace n { ~K::K() { } K::operator bool() { } int& K::operator+=(A<T>& x, int y = 1) { std::g<int>(x); } }",
        {"n", "K", "bool", "operator+=", "A", "x", "y", "g", "int"},
    ),
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_names(language: str) -> None:
    code, expected = NAMES[language]
    assert expected <= set(extract(code, language).nodes.name)
