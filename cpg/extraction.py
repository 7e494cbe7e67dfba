"""extract: the passes in order, and their results as one graph."""

from __future__ import annotations

import functools
import itertools
from operator import itemgetter

from cpg.chains import nest_chains
from cpg.control_dependence import control_dependence
from cpg.control_flow import control_flow
from cpg.data_flow import DataEdge, data_flow
from cpg.defining import may_define
from cpg.flow_graph import ENTRY, EXIT, FlowGraph, evaluated_texts, handle_exceptions
from cpg.graph import CodePropertyGraph, Edges, Nodes
from cpg.languages import get_language
from cpg.languages.base import Language
from cpg.names import Names
from cpg.parse import SyntaxTree, parse

UNKNOWN_LABEL = "UNKNOWN"
OTHER_LABEL = "GROUP"
"""Label of syntax that only holds other syntax together: argument lists, clauses, types' parts."""
SEPARATORS = frozenset({";", ":", ","})
"""Tokens that are no part of a name."""
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
    data_edges: list[list[DataEdge]] = []
    if calls_define or may_define(tree, tables):
        names = Names(tree, tables, evaluated_texts(flows), handle_exceptions(flows), calls_define)
        data_edges = data_flow(tree, tables, names, flows)
    nodes = _nodes(tree, tables)
    edges = Edges()
    edges.extend("AST", tree.parents[1:], range(1, len(tree)))
    _add_ends(nodes, edges, flows)
    _add_control_flow(nodes, edges, flows)
    for dependences in data_edges:
        if dependences:
            # (`zip(*dependences)` has an argument an edge, which is slow for the many that a long body may have.)
            sources, targets, variables = (list(map(itemgetter(place), dependences)) for place in range(3))
            edges.extend("DDG", sources, targets, variable=variables)
    for flow in flows:
        dependences = control_dependence(flow)
        if dependences:
            edges.extend("CDG", *zip(*dependences))
    diagnostics = sorted(tree.diagnostics, key=lambda d: (d.start_byte, d.end_byte, d.kind, d.message))
    return CodePropertyGraph(language, tree.source, nodes, edges, diagnostics)


def _nodes(tree: SyntaxTree, language: Language) -> Nodes:
    """The nodes of the graph. They take over the columns of the tree."""
    start_lines, start_columns = tree.lines_and_columns(tree.starts)
    end_lines, end_columns = tree.lines_and_columns(tree.ends)
    labels = _labels(tree, language)
    return Nodes(
        text=tree.text,
        type=tree.types,
        label=labels,
        name=_names(tree, language, labels),
        start_byte=tree.starts,
        end_byte=tree.ends,
        start_line=start_lines,
        start_column=start_columns,
        end_line=end_lines,
        end_column=end_columns,
        point=[None] * len(tree),
    )


LabelOf = dict["str | None", str]


@functools.lru_cache(maxsize=None)
def _labels_below(language: Language) -> dict[str, tuple[LabelOf, LabelOf]]:
    """Type of a parent -> the labels of nodes there: field -> label, and type -> label."""
    below: dict[str, tuple[LabelOf, LabelOf]] = {}
    for (parent, place), label in language.labels_in_field.items():
        below.setdefault(parent, ({}, {}))[0][place or None] = label
    for (parent, kind), label in language.labels_under.items():
        below.setdefault(parent, ({}, {}))[1][kind] = label
    return below


def _labels(tree: SyntaxTree, language: Language) -> list[str]:
    types, fields, children, table = tree.types, tree.fields, tree.children, language.labels
    labels = list(map(table.get, types, itertools.repeat(OTHER_LABEL)))
    below = _labels_below(language)
    for parent in tree.of_types(below):
        places, kinds = below[types[parent]]
        for node in children[parent]:
            label = places.get(fields[node]) or kinds.get(types[node])
            if label:
                labels[node] = label
    if language.labels_without:
        for node in tree.of_types(language.labels_without):
            part, label = language.labels_without[types[node]]
            if not tree.parts(node, part):
                labels[node] = label
    for node in tree.broken:
        labels[node] = UNKNOWN_LABEL
    return labels


def _names(tree: SyntaxTree, language: Language, labels: list[str]) -> list[str]:
    """Operators, the text of names, and the name of the child that the table says; else empty."""
    children, table = tree.children, language.names
    names = [""] * len(labels)
    leaves = [node for node, label in enumerate(labels) if label in NAMED_LABELS and not children[node]]
    for node, text in zip(leaves, tree.codes(leaves)):
        names[node] = text
    for node, tokens in tree.tokens.items():
        if len(tokens) == 1 and tokens[0] not in SEPARATORS:
            names[node] = tokens[0]
        else:
            names[node] = " ".join([token for token in tokens if token not in SEPARATORS])
    for node in reversed(tree.of_types(table)):  # children before parents
        part = table[tree.types[node]]
        if part is None:
            names[node] = tree.code(node)
        else:
            child = tree.part(node, part)
            names[node] = names[child] if child >= 0 else ""
    return names


def _add_ends(nodes: Nodes, edges: Edges, flows: list[FlowGraph]) -> None:
    """An ENTRY and an EXIT node for each body, with empty spans at its two ends; records their ids."""
    spans = [getattr(nodes, f"{end}_{place}") for place in ("byte", "line", "column") for end in ("start", "end")]
    first = len(nodes)
    for number, flow in enumerate(flows):
        flow.nodes[ENTRY], flow.nodes[EXIT] = first + 2 * number, first + 2 * number + 1
    owners = [owner for flow in flows for owner in (flow.owner, flow.owner)]
    edges.extend("AST", owners, range(first, first + len(owners)))
    nodes.name += [nodes.name[owner] for owner in owners]
    nodes.type += ("entry", "exit") * len(flows)
    nodes.label += ("ENTRY", "EXIT") * len(flows)
    nodes.point += ("entry", "exit") * len(flows)
    for starts, ends in zip(spans[::2], spans[1::2]):
        both = [place for flow in flows for place in (starts[flow.owner], ends[flow.owner])]
        starts += both
        ends += both


def _add_control_flow(nodes: Nodes, edges: Edges, flows: list[FlowGraph]) -> None:
    for flow in flows:
        found: dict[tuple[int, int, str | None], None] = {}
        for node, kind, successors in zip(flow.nodes, flow.kinds, flow.between_points()):
            if node >= 0:
                nodes.point[node] = kind
                for target, branch, *_ in successors:
                    found[node, flow.nodes[target], branch] = None
        if found:
            edges.extend("CFG", *zip(*found))
