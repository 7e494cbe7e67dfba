"""Single-edit defects in Python functions, in the manner of mutation testing and of studies of real one-line bugs.

An operator looks at one node of the syntax tree and proposes edits of the text, so that all but the edited place stays as it
was written. The operators are those of classical mutation analysis (relational, arithmetic, logical and constant
replacement, statement deletion: Offutt et al., 1996) and of the patterns that repeat in fixes of real programs (wrong
variable, swapped arguments, changed method name, lost argument, negated condition: Karampatsis and Sutton, ManySStuBs4J,
2020; Allamanis et al., BugLab, 2021). A further operator is one function and one line in `OPERATORS`.

A mutant may mean the same as its original (`x * 1` for `x / 1`); what cannot be told without running it is not told.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

COMPARISONS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
ARITHMETIC = {"+": "-", "-": "+", "*": "/", "/": "*", "//": "/", "%": "*", "**": "*", "<<": ">>", ">>": "<<", "&": "|",
              "|": "&", "^": "&", "@": "*"}
MEMBERSHIP = {"in": "not in", "not in": "in"}
IDENTITY = {"is": "is not", "is not": "is"}
LOGIC = {"and": "or", "or": "and"}


@dataclass(frozen=True)
class Mutant:
    """A defect: `text` with bytes `start` to `end` replaced by `replacement`; `line` counts from 1."""

    operator: str
    start: int
    end: int
    replacement: str
    line: int
    text: str


class FunctionSource:
    """A function's text with its tree, for operators to look at.

    Args:
        text: one function and nothing else. SyntaxError where it is none.
    """

    def __init__(self, text: str):
        self.text = text
        self.data = text.encode()
        self.tree = ast.parse(text)
        self.function = self.tree.body[0]
        self._line_starts = [0]
        for line in self.data.splitlines(keepends=True):
            self._line_starts.append(self._line_starts[-1] + len(line))
        arguments = [node.arg for node in ast.walk(self.function.args) if isinstance(node, ast.arg)]
        inside = list(_body_nodes(self.function))
        names = [node for node in inside if isinstance(node, ast.Name)]
        self.bound = [*arguments, *sorted({node.id for node in names if isinstance(node.ctx, ast.Store)})]
        """Names that the function binds; parameters first."""
        self.first_bound = {name: 0 for name in arguments}
        for node in names:
            if isinstance(node.ctx, ast.Store):
                self.first_bound[node.id] = min(node.lineno, self.first_bound.get(node.id, node.lineno))
        self.called = sorted({node.func.attr for node in inside
                              if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)})

    def start(self, node: ast.AST) -> int:
        return self._line_starts[node.lineno - 1] + node.col_offset

    def end(self, node: ast.AST) -> int:
        return self._line_starts[node.end_lineno - 1] + node.end_col_offset

    def code(self, node: ast.AST) -> str:
        return self.data[self.start(node):self.end(node)].decode()

    def lines_of(self, node: ast.AST) -> tuple[int, int]:
        """Start and end of the whole lines of a node."""
        return self._line_starts[node.lineno - 1], self._line_starts[node.end_lineno]


Edit = tuple  # (start byte, end byte, replacement)


def _between(source: FunctionSource, left: ast.AST, right: ast.AST, table: dict[str, str]) -> Iterator[Edit]:
    """The operator between two operands, replaced as the table says; brackets and comments around it make none."""
    start, end = source.end(left), source.start(right)
    gap = source.data[start:end].decode()
    operator = " ".join(gap.strip("() \t\n\\").split())
    if operator in table and gap.count(operator) == 1:
        at = start + len(gap[:gap.index(operator)].encode())
        yield at, at + len(operator.encode()), table[operator]


def _compare(table: dict[str, str]) -> Callable[[FunctionSource, ast.AST], Iterator[Edit]]:
    def operator(source: FunctionSource, node: ast.AST) -> Iterator[Edit]:
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            yield from _between(source, node.left, node.comparators[0], table)
    return operator


def arithmetic(source: FunctionSource, node: ast.AST) -> Iterator[Edit]:
    """`a + b` -> `a - b`."""
    if isinstance(node, ast.BinOp) and not _is_text(node.left) and not _is_text(node.right):
        yield from _between(source, node.left, node.right, ARITHMETIC)


def assignment_operator(source: FunctionSource, node: ast.AST) -> Iterator[Edit]:
    """`a += b` -> `a -= b`."""
    if isinstance(node, ast.AugAssign):
        yield from _between(source, node.target, node.value, {f"{old}=": f"{new}=" for old, new in ARITHMETIC.items()})


def logic(source: FunctionSource, node: ast.AST) -> Iterator[Edit]:
    """`a and b` -> `a or b`."""
    if isinstance(node, ast.BoolOp) and len(node.values) == 2:
        yield from _between(source, *node.values, LOGIC)


def negated_condition(source: FunctionSource, node: ast.AST) -> Iterator[Edit]:
    """`if a:` -> `if not a:`, and the other way round."""
    if isinstance(node, (ast.If, ast.While, ast.IfExp)):
        test = node.test
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            yield source.start(test), source.end(test), source.code(test.operand)
        elif isinstance(test, (ast.Name, ast.Attribute, ast.Call, ast.Subscript)):
            yield source.start(test), source.start(test), "not "
        elif not isinstance(test, ast.Constant) and "\n" not in source.code(test):
            yield source.start(test), source.end(test), f"not ({source.code(test)})"


def off_by_one(source: FunctionSource, node: ast.AST) -> Iterator[Edit]:
    """`1` -> `2`, `1` -> `0`."""
    if isinstance(node, ast.Constant) and type(node.value) is int and source.code(node).isdigit():
        yield source.start(node), source.end(node), str(node.value + 1)
        if node.value > 0:
            yield source.start(node), source.end(node), str(node.value - 1)


def truth_value(source: FunctionSource, node: ast.AST) -> Iterator[Edit]:
    """`True` -> `False`."""
    if isinstance(node, ast.Constant) and type(node.value) is bool:
        yield source.start(node), source.end(node), str(not node.value)


def wrong_variable(source: FunctionSource, node: ast.AST) -> Iterator[Edit]:
    """A name that is read -> another one that the function has bound by then."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in source.first_bound:
        for name in source.bound:
            if name != node.id and name not in ("self", "cls") and source.first_bound[name] < node.lineno:
                yield source.start(node), source.end(node), name


def swapped_arguments(source: FunctionSource, node: ast.AST) -> Iterator[Edit]:
    """`f(a, b)` -> `f(b, a)`, for arguments side by side."""
    if isinstance(node, ast.Call):
        for first, second in zip(node.args, node.args[1:]):
            if not isinstance(first, ast.Starred) and not isinstance(second, ast.Starred):
                gap = source.data[source.end(first):source.start(second)].decode()
                if gap.strip() == "," and source.code(first) != source.code(second):
                    yield source.start(first), source.end(second), source.code(second) + gap + source.code(first)


def lost_argument(source: FunctionSource, node: ast.AST) -> Iterator[Edit]:
    """`f(a, key=b)` -> `f(a)`: a keyword argument that is not the only one of the call."""
    if isinstance(node, ast.Call) and len(node.args) + len(node.keywords) > 1:
        for keyword in node.keywords:
            before = source.data[:source.start(keyword)].decode()
            if keyword.arg and before.rstrip().endswith(","):
                start = len(before.rstrip()[:-1].encode())
                yield start, source.end(keyword), ""


def wrong_method(source: FunctionSource, node: ast.AST) -> Iterator[Edit]:
    """`a.f()` -> `a.g()`, where the function calls some `.g()` too."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        end = source.end(node.func)
        for name in source.called:
            if name != node.func.attr:
                yield end - len(node.func.attr.encode()), end, name


def lost_statement(source: FunctionSource, node: ast.AST) -> Iterator[Edit]:
    """A call or assignment on lines of its own, in a block that has more."""
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if isinstance(block, list) and len(block) > 1:
            for statement in block:
                start, end = source.lines_of(statement)
                whole = source.data[start:end].decode().strip() == source.code(statement)
                if whole and isinstance(statement, (ast.Expr, ast.Assign, ast.AugAssign)):
                    yield start, end, ""


def loop_exit(source: FunctionSource, node: ast.AST) -> Iterator[Edit]:
    """`break` -> `continue`, and the other way round."""
    if isinstance(node, (ast.Break, ast.Continue)):
        yield source.start(node), source.end(node), "continue" if isinstance(node, ast.Break) else "break"


def shifted_index(source: FunctionSource, node: ast.AST) -> Iterator[Edit]:
    """`a[i]` -> `a[i + 1]`, `a[i - 1]`."""
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Name) and isinstance(node.ctx, ast.Load):
        for shift in (" + 1", " - 1"):
            yield source.end(node.slice), source.end(node.slice), shift


def lost_bound(source: FunctionSource, node: ast.AST) -> Iterator[Edit]:
    """`a[i:j]` -> `a[:j]`, `a[i:]`."""
    if isinstance(node, ast.Slice) and node.lower and node.upper:
        for bound in (node.lower, node.upper):
            yield source.start(bound), source.end(bound), ""


def loop_bound(source: FunctionSource, node: ast.AST) -> Iterator[Edit]:
    """`range(n)` -> `range(n - 1)`, `range(n + 1)`: the end of the range."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range" and 0 < len(node.args) < 3:
        end = node.args[-1]
        if not isinstance(end, (ast.Constant, ast.Starred)) and "\n" not in source.code(end):
            for shift in (" - 1", " + 1"):
                yield source.end(end), source.end(end), shift


def lost_sign(source: FunctionSource, node: ast.AST) -> Iterator[Edit]:
    """`-a` -> `a`."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield source.start(node), source.end(node), source.code(node.operand)


def lost_result(source: FunctionSource, node: ast.AST) -> Iterator[Edit]:
    """`return a` -> `return None`."""
    if isinstance(node, ast.Return) and node.value is not None and source.code(node.value) != "None":
        yield source.start(node.value), source.end(node.value), "None"


OPERATORS: dict[str, Callable[[FunctionSource, ast.AST], Iterator[Edit]]] = {
    "lost_bound": lost_bound,
    "loop_exit": loop_exit,
    "loop_bound": loop_bound,
    "assignment_operator": assignment_operator,
    "lost_sign": lost_sign,
    "shifted_index": shifted_index,
    "logic": logic,
    "membership": _compare(MEMBERSHIP),
    "truth_value": truth_value,
    "arithmetic": arithmetic,
    "identity": _compare(IDENTITY),
    "comparison": _compare(COMPARISONS),
    "lost_argument": lost_argument,
    "off_by_one": off_by_one,
    "wrong_method": wrong_method,
    "negated_condition": negated_condition,
    "swapped_arguments": swapped_arguments,
    "lost_statement": lost_statement,
    "wrong_variable": wrong_variable,
    "lost_result": lost_result,
}
"""The rarer what an operator needs is in real functions, the earlier it stands."""


def edits(source: FunctionSource) -> dict[str, list[Edit]]:
    """Operator -> the edits that it proposes, in the order of the tree; operators in the order of `OPERATORS`.

    Decorators, annotations and defaults are left alone: a defect there is another kind of defect.
    """
    found: dict[str, list[Edit]] = {name: [] for name in OPERATORS}
    for node in _body_nodes(source.function):
        for name, operator in OPERATORS.items():
            found[name].extend(operator(source, node))
    return {name: proposed for name, proposed in found.items() if proposed}


def mutant(source: FunctionSource, operator: str, edit: Edit) -> Mutant | None:
    """The function with one edit; None where it would not parse or would have the same syntax tree."""
    start, end, replacement = edit
    changed = (source.data[:start] + replacement.encode() + source.data[end:]).decode()
    try:
        if ast.dump(ast.parse(changed)) == ast.dump(source.tree):
            return None
    except (SyntaxError, ValueError, RecursionError):
        return None
    return Mutant(operator, start, end, replacement, source.data.count(b"\n", 0, start) + 1, changed)


def _body_nodes(function: ast.AST) -> Iterator[ast.AST]:
    yield function
    for statement in function.body:
        yield from ast.walk(statement)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes))
