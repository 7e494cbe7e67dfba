"""Which point of the graph each instruction of a code object belongs to (CPython 3.11).

Every instruction carries the span of the expression that it was compiled from. The point whose own text holds that
span is the one that runs. Jumps and the bookkeeping of exceptions carry spans too, but happen when control has
already left the statement, so they count for nothing.
"""

from __future__ import annotations

import dis
import inspect
import re
from types import CodeType
from typing import NamedTuple

from tests.cpg.file_graph import Body, FileGraph, Span, place

LOAD, STORE, DELETE = range(3)
COMPREHENSION_NAMES = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"})

_ACTIONS = {
    "LOAD_FAST": LOAD, "LOAD_DEREF": LOAD, "STORE_FAST": STORE, "STORE_DEREF": STORE,
    "DELETE_FAST": DELETE, "DELETE_DEREF": DELETE,
}  # fmt: skip
_BOOKKEEPING = frozenset({
    "CHECK_EG_MATCH", "CHECK_EXC_MATCH", "COPY", "COPY_FREE_VARS", "MAKE_CELL", "POP_EXCEPT", "PREP_RERAISE_STAR",
    "PUSH_EXC_INFO", "RERAISE", "RESUME", "RETURN_GENERATOR", "RETURN_VALUE", "SEND", "SWAP",
})  # fmt: skip
_COMPARISONS = frozenset({"COMPARE_OP", "CONTAINS_OP", "IS_OP"})


class Action(NamedTuple):
    """What an instruction does to a variable, and at which point (-1: at none)."""

    kind: int
    variable: str
    in_cell: bool
    point: int


class CodePoints:
    """The instructions of one code object. Lists are indexed by half of the offset."""

    def __init__(self, file: FileGraph, code: CodeType, body: Body, whole: int) -> None:
        """`whole`: the mark of the comprehension whose code it is, -1 for a function."""
        size = len(code.co_code) // 2 + 1
        self.file = file
        self.body = body
        self.is_comprehension = whole >= 0
        self.is_lambda = code.co_name == "<lambda>"
        self.points = [-1] * size
        self.unseen: set[int] = set()
        self.actions: list[Action | None] = [None] * size
        self.enters_handler = [False] * size
        """Where control comes by an exception only."""
        self.suspends = [False] * size
        self.returns = [False] * size
        self.own_cells = frozenset(code.co_cellvars)
        spans = _spans(code)
        instructions = _without_prefixes(code)
        at = {}
        links: dict[Span, int] = {}
        compared = {spans.get(instruction.offset) for _, instruction in instructions if _compares(instruction)}
        for number, (offset, instruction) in enumerate(instructions):
            at[instruction.offset] = at[offset] = instruction.opname
            following = instructions[number + 1][1] if number + 1 < len(instructions) else instruction
            span = spans.get(instruction.offset)
            index = offset // 2
            place_of = span
            if instruction.opname == "YIELD_VALUE" and instructions[number - 1][1].opname == "SEND":
                place_of = None  # `await` and `yield from` go round until the other is done
            if instruction.opname == "FOR_ITER" and whole >= 0:
                place_of = spans.get(following.offset)
            if span is not None and instruction.opname in _COMPARISONS:
                # Every comparison of a chain has the span of the whole; all but the last keep a copy of their operand.
                links[span] = links.get(span, 0) + 1
                if instructions[number - 1][1].opname == "COPY":
                    place_of = file.link(span, links[span])
                else:
                    links[span] = 0
            if place_of is not None and _counts(instruction):
                self.points[index] = self._point(place_of, whole, instruction, following, compared)
            self.actions[index] = self._action(instruction, following, span, self.points[index])
            self.suspends[index] = instruction.opname == "YIELD_VALUE"
            self.returns[index] = instruction.opname == "RETURN_VALUE"
        for entry in dis.Bytecode(code).exception_entries:
            # The end of an `async for` is an exception to the interpreter only.
            self.enters_handler[entry.target // 2] = at[entry.target] != "END_ASYNC_FOR"
        executed = set(self.points) - self.unseen
        self.silent = {p for p in body.points if p not in executed and p != body.exit} | body.always_silent
        self.parameters = self._parameters(code)
        self._inside: dict[int, set[int]] = {}

    def inside(self, point: int) -> set[int]:
        """The points inside a point's own text."""
        if point not in self._inside:
            self._inside[point] = self.file.inside(point)
        return self._inside[point]

    def _point(
        self, span: Span, whole: int, instruction: dis.Instruction, following: dis.Instruction, compared: set
    ) -> int:
        point = self.file.point(span, self.body, whole)
        if point < 0:
            return point
        if instruction.opname == "LOAD_CONST" and following.opname == "RETURN_VALUE" and not self.is_lambda:
            # The end of a function has no place of its own; `return 1` loads its constant behind the finalizer.
            if self.file.nodes.type[point] != "return_statement":
                return -1
            if self.file.is_guarded(point):
                self.unseen.add(point)
                return -1
        if self.file.nodes.type[point] == "case_pattern":
            return -1 if instruction.opname == "POP_TOP" else point  # the subject is dropped when the guard has held
        if span in compared and not _compares(instruction):
            return -1  # the compiler leaves the span of a comparison on what it writes next
        return point

    def _action(self, instruction: dis.Instruction, following: dis.Instruction, span: Span | None, point: int) -> Action | None:
        kind, variable = _ACTIONS.get(instruction.opname), instruction.argval
        if kind is None or variable.startswith("."):
            return None
        if kind == STORE and following.opname.startswith("DELETE_") and following.argval == variable:
            return Action(DELETE, variable, instruction.opname.endswith("_DEREF"), -1)  # the end of an except clause
        if kind == DELETE and (point < 0 or self.file.nodes.type[point] != "delete_statement"):
            point = -1
        elif kind == STORE and span is not None and point < 0:
            point = self.file.handler(span, self.body)
        return Action(kind, variable, instruction.opname.endswith("_DEREF"), point)

    def _parameters(self, code: CodeType) -> dict[str, int]:
        count = code.co_argcount + code.co_kwonlyargcount
        count += bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
        names = () if self.is_comprehension else code.co_varnames[:count]
        points = {name: self.body.parameters.get(self.spelled(name)) for name in names}
        return {name: point for name, point in points.items() if point is not None}

    def spelled(self, name: str) -> str:
        """The name as the text has it: a private name of a class is stored mangled."""
        if name.startswith("_") and name.encode() not in self.file.nodes.text:
            return re.sub(r"^_\w+?(?=__)", "", name)
        return name


def code_points(file: FileGraph, code: CodeType) -> CodePoints | None:
    """The points of a function's or comprehension's code, None where the graph has no body for it."""
    spans = _spans(code)
    if code.co_name in COMPREHENSION_NAMES:
        body, whole = file.comprehension(_first_argument(code, spans))
    else:
        skipped = {i.offset for i in dis.get_instructions(code) if i.opname in _BOOKKEEPING}
        held = [span for offset, span in spans.items() if offset not in skipped]
        body, whole = file.function(code.co_name, code.co_firstlineno, held), -1
    return None if body is None else CodePoints(file, code, body, whole)


def _compares(instruction: dis.Instruction) -> bool:
    name = instruction.opname
    return name in _COMPARISONS or name.endswith("_NONE")  # `is None` and its jump are one instruction


def _counts(instruction: dis.Instruction) -> bool:
    return instruction.opname not in _BOOKKEEPING and "JUMP" not in instruction.opname


def _first_argument(code: CodeType, spans: dict[int, Span]) -> Span:
    """The span of `.0`, the iterable that a comprehension's code is called with: the whole comprehension."""
    return next(spans[i.offset] for i in dis.get_instructions(code) if i.argval == ".0")


def _spans(code: CodeType) -> dict[int, Span]:
    result = {}
    for instruction in dis.get_instructions(code):
        p = instruction.positions
        if p is not None and None not in (p.lineno, p.col_offset, p.end_lineno, p.end_col_offset):
            result[instruction.offset] = place(p.lineno, p.col_offset), place(p.end_lineno, p.end_col_offset)
    return result


def _without_prefixes(code: CodeType) -> list[tuple[int, dis.Instruction]]:
    """(offset at which the interpreter reports it, instruction): that of the first EXTENDED_ARG in front of it."""
    found = []
    first = None
    for instruction in dis.get_instructions(code):
        first = instruction.offset if first is None else first
        if instruction.opname != "EXTENDED_ARG":
            found.append((first, instruction))
            first = None
    return found
