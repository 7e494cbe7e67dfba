"""CodePropertyGraph: syntax, control flow, data and control dependence over the same nodes.

Nodes and edges are columnar: `graph.nodes.type[i]` is the type of node `i`, `graph.edges.source[e]` the source
of edge `e`. Node 0 is the root and spans the whole text; the syntax nodes follow in preorder, then one ENTRY
and one EXIT node for each body. AST edges form a tree over all nodes. Byte offsets count in the UTF-8 text;
lines count from 1, columns from 0 in bytes, as in Python's `ast`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cpg.errors import GraphFormatError, GraphInvariantError
from cpg.parse import Diagnostic

if TYPE_CHECKING:
    import dgl
    import networkx

SCHEMA = "cpg/1"
EDGE_KINDS = ("AST", "CFG", "DDG", "CDG")
POINT_KINDS = ("entry", "exit", "parameter", "statement", "condition")
BRANCHES = ("true", "false", "case", "default", "exception", "iterate", "done")

NODE_COLUMNS = (
    "type",
    "label",
    "name",
    "start_byte",
    "end_byte",
    "start_line",
    "start_column",
    "end_line",
    "end_column",
    "point",
)
EDGE_COLUMNS = ("source", "target", "kind", "branch", "variable")


@dataclass
class Nodes:
    """Columns of equal length; `code` is cut from the text."""

    text: bytes = field(repr=False)
    type: list[str] = field(default_factory=list)
    label: list[str] = field(default_factory=list)
    name: list[str] = field(default_factory=list)
    start_byte: list[int] = field(default_factory=list)
    end_byte: list[int] = field(default_factory=list)
    start_line: list[int] = field(default_factory=list)
    start_column: list[int] = field(default_factory=list)
    end_line: list[int] = field(default_factory=list)
    end_column: list[int] = field(default_factory=list)
    point: list[str | None] = field(default_factory=list)
    """One of POINT_KINDS, None for nodes that control does not flow through."""

    def __len__(self) -> int:
        return len(self.type)

    def text_of(self, node: int) -> str:
        """The text of one node."""
        return self.text[self.start_byte[node] : self.end_byte[node]].decode(errors="replace")

    @property
    def code(self) -> list[str]:
        """The text of every node. Made anew on each access; for one node use `text_of`."""
        return [self.text_of(node) for node in range(len(self))]


@dataclass
class Edges:
    """Columns of equal length."""

    source: list[int] = field(default_factory=list)
    target: list[int] = field(default_factory=list)
    kind: list[str] = field(default_factory=list)
    """One of EDGE_KINDS."""
    branch: list[str | None] = field(default_factory=list)
    """One of BRANCHES on CFG and CDG edges that leave a condition or raise, else None."""
    variable: list[str | None] = field(default_factory=list)
    """Name of the variable on DDG edges, as the use spells it."""

    def __len__(self) -> int:
        return len(self.source)

    def __iter__(self) -> Iterator[tuple[int, int, str, str | None, str | None]]:
        return zip(self.source, self.target, self.kind, self.branch, self.variable)

    def add(self, source: int, target: int, kind: str, branch: str | None = None, variable: str | None = None) -> None:
        """Append one edge."""
        self.source.append(source)
        self.target.append(target)
        self.kind.append(kind)
        self.branch.append(branch)
        self.variable.append(variable)

    def extend(
        self,
        kind: str,
        source: Sequence[int],
        target: Sequence[int],
        branch: Sequence[str | None] | None = None,
        variable: Sequence[str] | None = None,
    ) -> None:
        """Append edges of one kind, given as columns."""
        nothing = [None] * len(source)
        self.source += source
        self.target += target
        self.kind += [kind] * len(source)
        self.branch += nothing if branch is None else branch
        self.variable += nothing if variable is None else variable


@dataclass
class CodePropertyGraph:
    """The graph of one text. Equality compares everything."""

    language: str
    code: str = field(repr=False)
    nodes: Nodes
    edges: Edges
    diagnostics: list[Diagnostic] = field(default_factory=list)

    # ---------------------------------------------------------------------------------------- checks
    def check(self) -> None:
        """Verify the invariants.

        Raises:
            GraphInvariantError: naming the first node or edge that breaks one.
        """
        nodes, edges = self.nodes, self.edges
        _check_columns("node", nodes, NODE_COLUMNS)
        _check_columns("edge", edges, EDGE_COLUMNS)
        size = len(self.code.encode())
        for i, (start, end) in enumerate(zip(nodes.start_byte, nodes.end_byte)):
            _require(0 <= start <= end <= size, f"node {i} spans {start}..{end}, expected within 0..{size}")
            _require(nodes.point[i] in (None, *POINT_KINDS), f"node {i} has point {nodes.point[i]!r}")
        parents = [-1] * len(nodes)
        seen = set()
        for e, (source, target, kind, branch, variable) in enumerate(edges):
            where = f"edge {e} ({source} -{kind}-> {target})"
            _require(0 <= source < len(nodes) and 0 <= target < len(nodes), f"{where} has an end that is no node")
            _require(kind in EDGE_KINDS, f"{where} has an unknown kind")
            _require((source, target, kind, branch, variable) not in seen, f"{where} is there twice")
            seen.add((source, target, kind, branch, variable))
            _require((variable is not None) == (kind == "DDG"), f"{where} has variable {variable!r}")
            _require(branch is None or (kind in ("CFG", "CDG") and branch in BRANCHES), f"{where}: branch {branch!r}")
            if kind == "AST":
                _require(parents[target] == -1 and source < target, f"{where} makes the syntax no tree in preorder")
                parents[target] = source
            else:
                _require(nodes.point[source] is not None, f"{where} starts at no point")
                _require(nodes.point[target] is not None, f"{where} ends at no point")
            if kind == "CDG":
                _require(nodes.point[source] == "condition" and branch is not None, f"{where} starts at no condition")
        orphans = [i for i in range(1, len(nodes)) if parents[i] == -1]
        _require(not orphans, f"node {orphans[:1]} has no parent")
        _require(not nodes or (nodes.start_byte[0], nodes.end_byte[0]) == (0, size), "the root does not span the text")

    # --------------------------------------------------------------------------------- dict and JSON
    def to_dict(self) -> dict[str, Any]:
        """The graph as plain data in schema "cpg/1", see DESIGN. Each node carries its text."""
        nodes, edges = self.nodes, self.edges
        columns = [getattr(nodes, name) for name in NODE_COLUMNS]
        node_rows = []
        for i, row in enumerate(zip(*columns)):
            record: dict[str, Any] = {"id": i, "type": row[0], "label": row[1], "code": nodes.text_of(i)}
            record.update(zip(NODE_COLUMNS[2:], row[2:]))
            node_rows.append(record)
        edge_rows = []
        for source, target, kind, branch, variable in edges:
            record = {"source": source, "target": target, "kind": kind}
            if branch is not None:
                record["branch"] = branch
            if variable is not None:
                record["variable"] = variable
            edge_rows.append(record)
        return {
            "schema": SCHEMA,
            "language": self.language,
            "code_sha256": hashlib.sha256(self.code.encode()).hexdigest(),
            "nodes": node_rows,
            "edges": edge_rows,
            "diagnostics": [vars(diagnostic).copy() for diagnostic in self.diagnostics],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> CodePropertyGraph:
        """The graph of `to_dict`, checked.

        Raises:
            GraphFormatError: not that schema, a field is missing or of the wrong type, or the text was changed.
            GraphInvariantError: the parts contradict each other.
        """
        schema = data.get("schema") if isinstance(data, dict) else type(data).__name__
        if schema != SCHEMA:
            raise GraphFormatError(f"schema is {schema!r}, expected {SCHEMA!r}; write the graph again with to_json()")
        try:
            graph = cls._from_rows(data)
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise GraphFormatError(f"not a {SCHEMA} graph: {type(error).__name__} {error}") from error
        digest = hashlib.sha256(graph.code.encode()).hexdigest()
        if digest != data.get("code_sha256"):
            raise GraphFormatError(f"the text's sha256 is {digest}, the file says {data.get('code_sha256')}")
        graph.check()
        for i, record in enumerate(data["nodes"]):
            if record["code"] != graph.nodes.text_of(i):
                raise GraphFormatError(f"the code of node {i} is not the text of its span")
        return graph

    @classmethod
    def _from_rows(cls, data: dict[str, Any]) -> CodePropertyGraph:
        code = data["nodes"][0]["code"]
        nodes = Nodes(code.encode())
        for i, record in enumerate(data["nodes"]):
            if record["id"] != i:
                raise GraphFormatError(f"node {i} has id {record['id']!r}; ids count from 0 in order")
            for name in NODE_COLUMNS:
                getattr(nodes, name).append(record[name])
        edges = Edges()
        for record in data["edges"]:
            edges.add(record["source"], record["target"], record["kind"], record.get("branch"), record.get("variable"))
        diagnostics = [Diagnostic(**record) for record in data["diagnostics"]]
        return cls(data["language"], code, nodes, edges, diagnostics)

    def to_json(self, indent: int | None = None) -> str:
        """`to_dict` as text: the same graph gives the same bytes."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=indent)

    @classmethod
    def from_json(cls, text: str | bytes) -> CodePropertyGraph:
        """The graph of `to_json`. Raises as `from_dict`, and GraphFormatError where the text is no JSON."""
        try:
            data = json.loads(text)
        except ValueError as error:
            raise GraphFormatError(f"not JSON: {error}") from error
        return cls.from_dict(data)

    def to_networkx(self) -> networkx.MultiDiGraph:
        """A `networkx.MultiDiGraph` whose nodes and edges carry the columns as attributes."""
        import networkx

        graph = networkx.MultiDiGraph(language=self.language)
        for i in range(len(self.nodes)):
            attributes = {name: getattr(self.nodes, name)[i] for name in NODE_COLUMNS}
            graph.add_node(i, code=self.nodes.text_of(i), **attributes)
        for source, target, kind, branch, variable in self.edges:
            graph.add_edge(source, target, kind=kind, branch=branch, variable=variable)
        return graph

    def to_dgl(self) -> dgl.DGLGraph:
        """A `dgl` heterograph: relations ("node", kind, "node") for every kind of edge, node ids as here.

        Node data, all int64: start and end as byte, line and column; `point`, the index in POINT_KINDS or -1. Edge
        data: `branch`, the index in BRANCHES or -1. The edges of a kind keep their order, so texts (types, labels,
        variables) can be looked up here by position.

        Raises:
            ImportError: DGL is not installed.
        """
        from cpg.exports.dgl_graph import to_dgl

        return to_dgl(self)


def _check_columns(what: str, table: Any, names: tuple[str, ...]) -> None:
    lengths = {name: len(getattr(table, name)) for name in names}
    _require(len(set(lengths.values())) == 1, f"{what} columns differ in length: {lengths}")


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise GraphInvariantError(message)
