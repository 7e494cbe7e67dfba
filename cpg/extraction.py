"""extract: the passes in order, and their results as one graph."""

from __future__ import annotations

from cpg.chains import nest_chains
from cpg.control_dependence import control_dependence
from cpg.control_flow import control_flow
from cpg.data_flow import data_flow
from cpg.flow_graph import ENTRY, EXIT, FlowGraph
from cpg.graph import CodePropertyGraph, Edges, Nodes
from cpg.languages import get_language
from cpg.languages.base import Language
from cpg.names import Names
from cpg.parse import SyntaxTree, parse

UNKNOWN_LABEL = "UNKNOWN"
OTHER_LABEL = "GROUP"
"""Label of syntax that only holds other syntax together: argument lists, clauses, types' parts."""
NAMED_LABELS = frozenset({"IDENTIFIER", "FIELD_IDENTIFIER", "TYPE", "PARAMETER"})
"""Labels of leaves whose text is their name."""


def extract(code: str | bytes, language: str, calls_define: bool = False) -> CodePropertyGraph:
    """The Code Property Graph of a file or snippet.

    Args:
        code: text, or bytes that should be UTF-8 (others are replaced, with a diagnostic).
        language: a name in `cpg.LANGUAGES`.
        calls_define: a call may change its receiver and its arguments: each is a definition there that replaces
            none. By default they are uses only.

    Broken code never raises: what could not be parsed is an UNKNOWN node and a diagnostic. Same input, same
    graph. Cost: linear in the text for code that people write; about a millisecond for a short method.

    Raises:
        UnknownLanguageError: no such language; the message lists them.
        CodeTypeError: `code` is neither str nor bytes.
    """
    tables = get_language(language)
    tree = parse(code, tables)
    if tables.chains:
        tree = nest_chains(tree, tables.chains)
    flows = control_flow(tree, tables)
    data_edges = data_flow(tree, tables, Names(tree, tables, calls_define), flows)
    nodes = _nodes(tree, tables)
    edges = Edges()
    for node in range(1, len(tree)):
        edges.add(tree.parents[node], node, "AST")
    _add_ends(nodes, edges, flows)
    _add_control_flow(nodes, edges, flows)
    for dependences in data_edges:
        for source, target, variable in dependences:
            edges.add(source, target, "DDG", None, variable)
    for flow in flows:
        for source, target, branch in control_dependence(flow):
            edges.add(source, target, "CDG", branch)
    diagnostics = sorted(tree.diagnostics, key=lambda d: (d.start_byte, d.end_byte, d.kind, d.message))
    return CodePropertyGraph(language, tree.text.decode(), nodes, edges, diagnostics)


def _nodes(tree: SyntaxTree, language: Language) -> Nodes:
    start_lines, start_columns = tree.lines_and_columns(tree.starts)
    end_lines, end_columns = tree.lines_and_columns(tree.ends)
    labels = _labels(tree, language)
    return Nodes(
        text=tree.text,
        type=list(tree.types),
        label=labels,
        name=_names(tree, language, labels),
        start_byte=list(tree.starts),
        end_byte=list(tree.ends),
        start_line=start_lines,
        start_column=start_columns,
        end_line=end_lines,
        end_column=end_columns,
        point=[None] * len(tree),
    )


def _labels(tree: SyntaxTree, language: Language) -> list[str]:
    table, in_field = language.labels, language.labels_in_field
    labels = [table.get(kind, OTHER_LABEL) for kind in tree.types]
    for node in range(1, len(tree)):
        if tree.types[node] not in language.comments:
            place = (tree.types[tree.parents[node]], tree.fields[node] or "")
            labels[node] = in_field.get(place, labels[node])
    for node in tree.broken:
        labels[node] = UNKNOWN_LABEL
    return labels


def _names(tree: SyntaxTree, language: Language, labels: list[str]) -> list[str]:
    """Operators, the text of names, and the name of the child that the table says; else empty."""
    names = [""] * len(tree)
    table = language.names
    for node in range(len(tree) - 1, -1, -1):  # children before parents
        kind = tree.types[node]
        if kind in table:
            child = tree.part(node, table[kind])
            names[node] = names[child] if child >= 0 else ""
        elif node in tree.tokens:
            names[node] = " ".join(tree.tokens[node])
        elif labels[node] in NAMED_LABELS and not tree.children[node]:
            names[node] = tree.code(node)
    return names


def _add_ends(nodes: Nodes, edges: Edges, flows: list[FlowGraph]) -> None:
    """An ENTRY and an EXIT node for each body, with empty spans at its two ends; records their ids."""
    for flow in flows:
        owner = flow.owner
        for point, kind, side in ((ENTRY, "entry", "start"), (EXIT, "exit", "end")):
            flow.nodes[point] = len(nodes)
            edges.add(owner, len(nodes), "AST")
            nodes.type.append(kind)
            nodes.label.append(kind.upper())
            nodes.name.append(nodes.name[owner])
            nodes.point.append(kind)
            for place in ("byte", "line", "column"):
                value = getattr(nodes, f"{side}_{place}")[owner]
                getattr(nodes, f"start_{place}").append(value)
                getattr(nodes, f"end_{place}").append(value)


def _add_control_flow(nodes: Nodes, edges: Edges, flows: list[FlowGraph]) -> None:
    for flow in flows:
        seen = set()
        for point, node in enumerate(flow.nodes):
            if flow.kinds[point] == "join":
                continue
            nodes.point[node] = flow.kinds[point]
            for target, branch, *_ in flow.successors[point]:
                edge = (node, flow.nodes[target], branch)
                if edge not in seen:
                    seen.add(edge)
                    edges.add(node, flow.nodes[target], "CFG", branch)
