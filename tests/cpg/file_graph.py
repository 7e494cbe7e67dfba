"""The graph of a Python source file, asked by places in the text: which point lies there, what may follow it."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from pathlib import Path

from cpg import extract
from cpg.languages import get_language

Span = tuple[int, int]
"""First place and the place behind the last one, see `place`."""

FUNCTIONS = frozenset({"function_definition", "lambda"})
COMPREHENSIONS = frozenset({
    "list_comprehension", "set_comprehension", "dictionary_comprehension", "generator_expression",
})  # fmt: skip
_CONDITIONAL = frozenset({"boolean_operator", "conditional_expression", "not_operator", "parenthesized_expression"})
_COMPARISON = "comparison_operator"
_HANDLERS = frozenset({"except_clause", "except_group_clause"})
_MARKED = FUNCTIONS | COMPREHENSIONS | _HANDLERS | {"block", "class_definition"}


def place(line: int, column: int) -> int:
    """A line (from 1) and a column in bytes (from 0) as one number that grows with the text."""
    return line << 24 | column


class FileGraph:
    """Holds only what questions about execution need: points, blocks, functions and comprehensions."""

    def __init__(self, path: str, code: bytes | None = None) -> None:
        graph = extract(Path(path).read_bytes() if code is None else code, "python")
        nodes = graph.nodes
        self.path = path
        self.nodes = nodes
        self.text_of = nodes.text_of
        self.line = nodes.start_line
        self.size = sum(point not in ("entry", "exit") for point in nodes.point)
        """Number of nodes of the syntax tree."""
        self.successors: dict[int, list[tuple[int, str]]] = {}
        self.flows: dict[str, set[tuple[int, int]]] = {}
        children: dict[int, list[int]] = {}
        around: dict[int, list[int]] = {}
        for source, target, kind, branch, variable in graph.edges:
            if kind == "AST":
                children.setdefault(source, []).append(target)
            elif kind == "CFG":
                self.successors.setdefault(source, []).append((target, branch or ""))
                around.setdefault(source, []).append(target)
                around.setdefault(target, []).append(source)
            elif kind == "DDG":
                self.flows.setdefault(variable, set()).add((source, target))
        self.only_conditions = {
            node
            for node, kind in enumerate(nodes.type)
            if kind in ("expression_statement", "return_statement")
            and any(nodes.type[child] in _CONDITIONAL for child in children.get(node, ())[:1])
        }
        self.first_operand = {
            node: children[node][0] for node, kind in enumerate(nodes.type)
            if kind == _COMPARISON and nodes.type[children[node][0]] == _COMPARISON
        }  # fmt: skip
        """Comparison in a chain -> the one before it."""
        self._mark(children)
        self.bodies: dict[int, Body] = {}
        self.body_of: dict[int, Body] = {}
        """Point -> the body that it belongs to."""
        self.body_of_node: dict[int, Body] = {}
        """Function -> its body."""
        self._named: dict[tuple[int, str], list[int]] = {}
        self._lambdas: dict[int, int] = {}
        """Mark of a lambda -> the place where its body begins."""
        for mark, node in enumerate(self.marked):
            if nodes.type[node] in FUNCTIONS:
                self._add_function(mark, node, children, around)

    def _mark(self, children: dict[int, list[int]]) -> None:
        nodes = self.nodes
        self.marked: list[int] = []
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.up: list[int] = []
        """Mark -> the mark around it, -1 for none."""
        open_marks: list[int] = []
        self.finalizers: list[Span] = []
        self.filters: set[int] = set()
        """The points of except clauses."""
        self.managed: list[Span] = []
        """The with statements."""
        self.guarded: list[Span] = []
        """Where leaving runs something first: with statements, and try statements that have a finalizer."""
        for node, kind in enumerate(nodes.type):
            point = nodes.point[node]
            start = place(nodes.start_line[node], nodes.start_column[node])
            end = place(nodes.end_line[node], nodes.end_column[node])
            if kind == "finally_clause":
                self.finalizers.append((start, end))
            if kind == "with_statement":
                self.managed.append((start, end))
            if kind == "with_statement" or (kind == "try_statement" and self._has(node, "finally_clause", children)):
                self.guarded.append((start, end))
            if point in ("entry", "exit") or not (point or kind in _MARKED):
                continue
            while open_marks and self.ends[open_marks[-1]] <= start:
                open_marks.pop()
            outer = open_marks[-1] if open_marks else -1
            if outer >= 0 and outer == len(self.marked) - 1 and point and nodes.type[self.marked[outer]] in _HANDLERS:
                self.filters.add(node)
            self.up.append(outer)
            open_marks.append(len(self.marked))
            self.marked.append(node)
            self.starts.append(start)
            self.ends.append(end)

    def _has(self, node: int, kind: str, children: dict[int, list[int]]) -> bool:
        return any(self.nodes.type[child] == kind for child in children.get(node, ()))

    def _add_function(self, mark: int, node: int, children: dict, around: dict) -> None:
        nodes = self.nodes
        entry, exit_ = (child for child in children[node] if nodes.point[child] in ("entry", "exit"))
        points = {entry, exit_}
        queue = [entry, exit_]
        while queue:
            for other in around.get(queue.pop(), ()):
                if other not in points:
                    points.add(other)
                    queue.append(other)
        body = self.bodies[mark] = Body(self, node, entry, exit_, points)
        outer = self.up[mark]
        while outer >= 0:
            if outer in self.bodies:
                body.around.add(self.bodies[outer])
            outer = self.up[outer]
        self.body_of_node[node] = body
        self.body_of.update(dict.fromkeys(points, body))
        if nodes.type[node] == "lambda":
            last = [child for child in children[node] if nodes.point[child] != "exit"][-1]
            self._lambdas[mark] = place(nodes.start_line[last], nodes.start_column[last])
            return
        first = nodes.start_line[node]
        outer = self.up[mark]
        if outer >= 0 and nodes.type[self.marked[outer]] == "decorated_definition":
            first = nodes.start_line[self.marked[outer]]
        self._named.setdefault((first, nodes.name[node]), []).append(mark)

    # -------------------------------------------------------------------------------------- questions
    def around(self, span: Span) -> Iterator[int]:
        """The marks that hold a span, innermost first."""
        mark = bisect.bisect_right(self.starts, span[0]) - 1
        while mark >= 0:
            if self.ends[mark] >= span[1]:
                yield mark
            mark = self.up[mark]

    def function(self, name: str, first_line: int, spans: list[Span]) -> Body | None:
        """The body of the function whose code starts on a line and holds the spans."""
        if not spans:
            return None
        whole = (min(span[0] for span in spans), max(span[1] for span in spans))
        if name != "<lambda>":
            found = self._named.get((first_line, name), ())
            fitting = [mark for mark in found if self.starts[mark] <= whole[0] and whole[1] <= self.ends[mark]]
            return self.bodies[fitting[0]] if fitting else None
        for mark in self.around(whole):
            if mark in self._lambdas and self._lambdas[mark] <= whole[0]:
                return self.bodies[mark]
        return None

    def comprehension(self, span: Span) -> tuple[Body | None, int]:
        """The body that a comprehension belongs to, and the comprehension's mark."""
        for mark in self.around(span):
            if self.nodes.type[self.marked[mark]] in COMPREHENSIONS:
                inside = range(mark + 1, bisect.bisect_left(self.starts, self.ends[mark]))
                points = (self.marked[m] for m in inside if self.nodes.type[self.marked[m]] == "for_in_clause")
                return self.body_of.get(next(points, -1)), mark
        return None, -1

    def point(self, span: Span, body: Body, limit: int = -1) -> int:
        """The innermost point of the body that holds a span outside blocks, -1 if none; `limit`: within a mark."""
        for mark in self.around(span):
            node = self.marked[mark]
            if mark == limit or self.nodes.type[node] == "block":
                return -1
            if node in body.points:
                return node
        return -1

    def handler(self, span: Span, body: Body) -> int:
        """The point of the except clause that is exactly a span, -1 if none."""
        mark = next(self.around(span), -1)
        if mark >= 0 and self.nodes.type[self.marked[mark]] in _HANDLERS and self.starts[mark] == span[0]:
            point = self.marked[mark + 1]
            return point if point in self.filters and point in body.points else -1
        return -1

    def link(self, span: Span, number: int) -> Span:
        """The span of the comparison of that number, from 1, in the chain that a span holds."""
        nodes = self.nodes
        node = next((self.marked[mark] for mark in self.around(span) if nodes.type[self.marked[mark]] == _COMPARISON), -1)
        chain = []
        while node >= 0:
            chain.append(node)
            node = self.first_operand.get(node, -1)
        if number > len(chain):
            return span
        return span[0], place(nodes.end_line[chain[-number]], nodes.end_column[chain[-number]])

    def inside(self, point: int) -> set[int]:
        """The points inside a point's own text, without those of blocks and nested functions."""
        found: set[int] = set()
        mark = bisect.bisect_left(self.marked, point)
        if mark == len(self.marked) or self.marked[mark] != point:
            return found  # ENTRY and EXIT
        body = self.body_of[point]
        for inner in range(mark + 1, len(self.marked)):
            if self.starts[inner] >= self.ends[mark]:
                break
            outer = inner
            while outer != mark and self.nodes.type[self.marked[outer]] != "block":
                outer = self.up[outer]
            if outer == mark and self.marked[inner] in body.points:
                found.add(self.marked[inner])
        return found

    def in_finalizer(self, point: int) -> bool:
        """Whether a point lies in a finally clause."""
        return self._within(point, self.finalizers)

    def is_guarded(self, point: int) -> bool:
        """Whether leaving a point's statement by `return` runs something first."""
        return self._within(point, self.guarded)

    def leaves_with(self, source: int, target: int) -> bool:
        """Whether a step leads out of a with statement."""
        around = [span for span in self.managed if self._within(source, [span])]
        return any(self.nodes.point[target] == "exit" or not self._within(target, [span]) for span in around)

    def only_names(self, point: int) -> bool:
        """Whether nothing in a point's text throws by the table of the language."""
        nodes = self.nodes
        last = bisect.bisect_left(nodes.start_byte, nodes.end_byte[point], point, self.size)
        return get_language("python").throwing.keys().isdisjoint(nodes.type[point:last])

    def _within(self, point: int, spans: list[Span]) -> bool:
        mark = bisect.bisect_left(self.marked, point)
        return any(start <= self.starts[mark] and self.ends[mark] <= end for start, end in spans)


class Body:
    """The points of one function and the ways between them."""

    def __init__(self, file: FileGraph, node: int, entry: int, exit_: int, points: set[int]) -> None:
        nodes = file.nodes
        self.file = file
        self.node = node
        self.entry = entry
        self.exit = exit_
        self.points = points
        self.around: set[Body] = set()
        """The bodies of the functions around it."""
        self.parameters = {nodes.name[point]: point for point in points if nodes.point[point] == "parameter"}
        self.always_silent = {p for p in points if nodes.type[p] in self.SILENT or p in file.only_conditions}
        self.always_silent.update(self.parameters.values())

    SILENT = frozenset({"assert_statement", "break_statement", "continue_statement", "pass_statement"})
    """The compiler may leave nothing of these to execute (an assertion that holds ends in its conditions), nor of
    a statement that is nothing but conditions."""

    def __repr__(self) -> str:
        name = self.file.nodes.name[self.node] or "<lambda>"
        return f"{Path(self.file.path).name}:{self.file.line[self.node]}:{name}"

    def reachable_edges(self) -> set[tuple[int, int, str]]:
        """The CFG edges (point, following point, branch) that lead on from ENTRY."""
        seen, queue = {self.entry}, [self.entry]
        for point in queue:
            for target, _ in self.file.successors.get(point, ()):
                if target not in seen:
                    seen.add(target)
                    queue.append(target)
        return {(point, target, branch) for point in seen for target, branch in self.file.successors.get(point, ())}

    def path(self, source: int, target: int, exceptional: bool, silent: set[int]) -> list[tuple[int, int, str]] | None:
        """The edges of a shortest way from one point to another through silent points, None if there is none.

        The first edge of a way is an `exception` edge where `exceptional`, and only there; an exception that goes
        on behind a finalizer or a handler that does not take it follows edges with other labels.
        """
        successors = self.file.successors
        starts = [source]
        if exceptional:
            # A comprehension runs in a frame of its own: what its points throw arrives at the statement.
            starts += [point for point in self.file.inside(source) if point in silent]
        loose = exceptional and (source in self.file.filters or self.file.in_finalizer(source))
        came: dict[int, tuple[int, str]] = {}
        queue: list[int] = []
        for start in starts:
            for following, branch in successors.get(start, ()):
                if loose or (branch == "exception") == exceptional:
                    if following not in came:
                        came[following] = (start, branch)
                        queue.append(following)
        for point in queue:
            if point == target:
                break
            if point in silent:
                for following, branch in successors.get(point, ()):
                    if (exceptional or branch != "exception") and following not in came:
                        came[following] = (point, branch)
                        queue.append(following)
        else:
            return None
        way = []
        while True:
            before, branch = came[point]
            way.append((before, point, branch))
            if before in starts:
                return way[::-1]
            point = before

    def handles(self, point: int) -> bool:
        """Whether exceptions of a point go anywhere in particular."""
        return any(branch == "exception" for _, branch in self.file.successors.get(point, ()))

    def allows_flow(self, variable: str, defined: int, used: int) -> bool:
        """Whether the DDG has an edge for the variable."""
        return (defined, used) in self.file.flows.get(variable, ())
