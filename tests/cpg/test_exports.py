"""The interchange formats: each read back gives the same graph."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path

import networkx
import pytest

import cpg
from cpg import CodePropertyGraph, EdgeKindError, UnknownFormatError, export, extract
from cpg.export import FORMATS
from cpg.exports.joern import NODE_LABELS, arcs, vertices
from tests.cpg.readers import LABELS, by_kind, read_graphson, read_neo4j, restored
from tests.cpg.samples import PROGRAMS

ROOT = Path(__file__).resolve().parents[2]

SNIPPETS = {
    "java method": ("java", 'int f(int a) {\n  if (a > 0 && g("x,\\"y\\"")) a = a + a;\r\n  return a; // ä €\n}'),
    "python function": ("python", "def f(a):\n    while a:\n        a -= 1 if a > 2 else 2\n    return f'{a}\"'\n"),
    "broken": ("java", "int f( { return 1; ) }"),
    "odd characters": ("python", "x = '\t\x0b\x00'\ry = x  # \u2028 \U0001f600\n"),
    "leading blanks": ("python", "\n\n  x = 1\n"),
    "empty": ("java", ""),
} | {f"program {language}": (language, text) for language, text in PROGRAMS.items()}


@pytest.fixture(params=SNIPPETS, ids=lambda name: name.replace(" ", "-"))
def graph(request: pytest.FixtureRequest) -> CodePropertyGraph:
    language, code = SNIPPETS[request.param]
    return extract(code, language)


def test_json_to_graph_to_json(graph: CodePropertyGraph) -> None:
    text = export(graph, "json")
    back = CodePropertyGraph.from_json(text)
    assert back == graph
    assert export(back, "json") == text


def test_graphson_gives_the_graph_back(graph: CodePropertyGraph) -> None:
    assert restored(read_graphson(export(graph, "graphson"))) == by_kind(graph)


def test_neo4j_csv_gives_the_graph_back(graph: CodePropertyGraph) -> None:
    assert restored(read_neo4j(export(graph, "neo4jcsv"))) == by_kind(graph)


def test_networkx_reads_graphml(graph: CodePropertyGraph) -> None:
    text = export(graph, "graphml")
    read = networkx.read_graphml(io.BytesIO(text.encode()), node_type=int, force_multigraph=True)
    expected = {v.id: _allowed({"labelV": v.label, **v.properties}) for v in vertices(graph)}
    assert dict(read.nodes(data=True)) == expected
    found = sorted((int(key), s, t, data) for s, t, key, data in read.edges(keys=True, data=True))
    wanted = [(i, a.source, a.target, {"labelE": a.label, **a.properties}) for i, a in enumerate(arcs(graph))]
    assert found == [(i, s, t, _allowed(data)) for i, s, t, data in wanted]


def _allowed(properties: dict[str, object]) -> dict[str, object]:
    """What XML 1.0 cannot hold is U+FFFD."""
    table = {code: "\ufffd" for code in range(32) if chr(code) not in "\t\n\r"}
    return {name: value.translate(table) if isinstance(value, str) else value for name, value in properties.items()}


def test_the_words_are_joerns() -> None:
    graph = extract("package p; int f(int a) { if (a > 0) return a; return 1; }", "java")
    nodes, edges = read_graphson(export(graph, "graphson"))
    labels = {label for label, _ in nodes.values()}
    assert {"FILE", "NAMESPACE_BLOCK", "METHOD", "METHOD_PARAMETER_IN", "METHOD_RETURN", "BLOCK", "TYPE_REF"} <= labels
    assert {label for *_, label, _ in edges} == {"AST", "CFG", "REACHING_DEF", "CDG"}
    parameter = next(properties for label, properties in nodes.values() if label == "METHOD_PARAMETER_IN")
    assert parameter == {
        "CODE": "int a", "NAME": "a", "PARSER_TYPE_NAME": "formal_parameter", "POINT": "parameter", "ORDER": 1,
        "LINE_NUMBER": 1, "LINE_NUMBER_END": 1, "COLUMN_NUMBER": 17, "COLUMN_NUMBER_END": 22,
        "START_BYTE": 17, "END_BYTE": 22,
    }  # fmt: skip
    uses = [(nodes[s][1], nodes[t][1], p["VARIABLE"]) for s, t, label, p in edges if label == "REACHING_DEF"]
    flows = {(source["CODE"], target["CODE"], variable) for source, target, variable in uses}
    assert flows == {("int a", "a > 0", "a"), ("int a", "return a;", "a")}
    assert ("a > 0", "true") in {(nodes[s][1]["CODE"], p["BRANCH"]) for s, _, label, p in edges if label == "CDG"}
    digest = hashlib.sha256(graph.code.encode()).hexdigest()
    assert nodes[len(graph.nodes)] == ("META_DATA", {"LANGUAGE": "java", "HASH": digest, "VERSION": "cpg/1"})


def test_renamed_labels_stay_apart() -> None:
    assert {there: here for here, there in NODE_LABELS.items()} == LABELS
    ours = {label for language, text in PROGRAMS.items() for label in extract(text, language).nodes.label}
    assert len(ours) > 20
    assert not ours & set(LABELS), "a renamed label must not be one that is there already"


def test_order_counts_the_children_of_one_parent() -> None:
    graph = extract(PROGRAMS["python"], "python")
    orders = [vertex.properties.get("ORDER") for vertex in vertices(graph)]
    families: dict[int, list[int]] = {}
    for source, target, kind, _, _ in graph.edges:
        if kind == "AST":
            families.setdefault(source, []).append(orders[target])
    assert len(families) > 50
    assert all(family == list(range(1, len(family) + 1)) for family in families.values())


@pytest.mark.parametrize("name", FORMATS)
def test_same_graph_same_bytes(name: str) -> None:
    first, second = (export(extract(PROGRAMS["java"], "java"), name) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_takes_every_text(name: str) -> None:
    for language, code in SNIPPETS.values():
        result = export(extract(code, language), name)
        texts = list(result.values()) if FORMATS[name].folder else [result]
        assert texts
        for text in texts:
            text.encode()
            assert text.endswith("\n")


def test_dot_says_the_kind_of_each_edge() -> None:
    graph = extract("int f(int a) { return a; }", "java")
    lines = export(graph, "dot").splitlines()
    for kind in cpg.EDGE_KINDS:
        assert sum(f"class={kind}," in line for line in lines) == graph.edges.kind.count(kind)
    lines = export(graph, "dot", edges=["ddg"]).splitlines()
    assert sum(" -> n" in line for line in lines) == graph.edges.kind.count("DDG") == 1
    assert sum("[label=" in line and "shape=" in line for line in lines) == 4  # entry, a, return a, exit
    assert not any("TYPE" in line for line in lines)


def test_kinds_can_be_chosen_where_that_makes_sense() -> None:
    graph = extract("x = 1", "python")
    with pytest.raises(EdgeKindError, match="'CGF'.*AST, CDG, CFG, DDG"):
        export(graph, "svg", edges=["CGF"])
    with pytest.raises(EdgeKindError, match="at least one"):
        export(graph, "svg", edges=[])
    with pytest.raises(EdgeKindError, match="dot, svg, html"):
        export(graph, "json", edges=["CFG"])
    with pytest.raises(UnknownFormatError, match="Did you mean 'graphml'"):
        export(graph, "grapml")


def test_dgl() -> None:
    graph = extract(PROGRAMS["java"], "java")
    code = (
        "import sys, json, warnings; warnings.simplefilter('ignore')\n"
        "from cpg import CodePropertyGraph\n"
        "from cpg import extract\n"
        "empty = extract('', 'java').to_dgl()\n"
        "assert (empty.num_nodes(), empty.num_edges('DDG')) == (1, 0), empty\n"
        "graph = CodePropertyGraph.from_json(sys.stdin.read())\n"
        "made = graph.to_dgl()\n"
        "print(json.dumps({'nodes': made.num_nodes(), 'line': made.ndata['start_line'].tolist(),\n"
        " 'point': made.ndata['point'].tolist(), 'relations': made.canonical_etypes,\n"
        " 'edges': {r: [e.tolist() for e in made.edges(etype=r, order='eid')] for r in made.etypes},\n"
        " 'branch': {r: made.edges[r].data['branch'].tolist() for r in made.etypes}}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=graph.to_json(), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout.splitlines()[-1])
    assert made["nodes"] == len(graph.nodes)
    assert made["line"] == graph.nodes.start_line
    assert [cpg.graph.POINT_KINDS[p] if p >= 0 else None for p in made["point"]] == graph.nodes.point
    assert made["relations"] == [["node", kind, "node"] for kind in sorted(cpg.EDGE_KINDS)]
    for kind in cpg.EDGE_KINDS:
        rows = [(s, t, b) for s, t, k, b, _ in graph.edges if k == kind]
        assert made["edges"][kind] == [[s for s, _, _ in rows], [t for _, t, _ in rows]]
        branches = [cpg.graph.BRANCHES[b] if b >= 0 else None for b in made["branch"][kind]]
        assert branches == [b for _, _, b in rows]
