"""The graph as a DGL heterograph. DGL brings torch, so it is imported when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpg.graph import BRANCHES, EDGE_KINDS, POINT_KINDS, CodePropertyGraph

if TYPE_CHECKING:
    import dgl

NODE = "node"
NUMBERS = ("start_byte", "end_byte", "start_line", "start_column", "end_line", "end_column")


def to_dgl(graph: CodePropertyGraph) -> dgl.DGLGraph:
    """One type of node, one relation a kind of edge, all four kinds always there; see `CodePropertyGraph.to_dgl`.

    Raises:
        ImportError: DGL is not installed.
    """
    import dgl
    from dgl import backend

    columns: dict[str, tuple[list[int], list[int], list[int]]] = {kind: ([], [], []) for kind in EDGE_KINDS}
    for source, target, kind, branch, _ in graph.edges:
        for column, value in zip(columns[kind], (source, target, BRANCHES.index(branch) if branch else -1)):
            column.append(value)
    integer = backend.int64

    def tensor(values: list[int]) -> object:
        return backend.tensor(values, dtype=integer)

    ends = {(NODE, kind, NODE): (tensor(sources), tensor(targets)) for kind, (sources, targets, _) in columns.items()}
    result = dgl.heterograph(ends, num_nodes_dict={NODE: len(graph.nodes)})
    for name in NUMBERS:
        result.ndata[name] = tensor(getattr(graph.nodes, name))
    result.ndata["point"] = tensor([POINT_KINDS.index(point) if point else -1 for point in graph.nodes.point])
    for kind, (_, _, branches) in columns.items():
        result.edges[kind].data["branch"] = tensor(branches)
    return result
