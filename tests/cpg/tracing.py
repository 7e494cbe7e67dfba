"""What functions really do, point by point: recorded with sys.settrace, to hold graphs against (CPython 3.11).

Every instruction of a traced call is reported; `tests.cpg.bytecode` says which point it belongs to. From that come
the steps between points inside one call, and the pairs of a point that assigns a local and a point that reads that
value. Variables that nested functions capture live in cells; a cell is followed through all functions that hold it.

A statement whose text holds points of its own (conditions, comprehensions) counts as executed when it ends, as in the
graph: what it does in front of them is put behind them.

Tracing a call costs about a microsecond an instruction. A code object is traced for its first `calls` calls, and each
call for its first `instructions` instructions.
"""

from __future__ import annotations

import ctypes
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import CellType, CodeType, FrameType
from typing import NamedTuple

from tests.cpg.bytecode import LOAD, STORE, CodePoints
from tests.cpg.file_graph import Body

_EVENT_BITS = 20
_RESUME, _LEAVE, _CUT = (1 << _EVENT_BITS) - 3, (1 << _EVENT_BITS) - 2, (1 << _EVENT_BITS) - 1
"""Entries of the log that are no offsets: a generator goes on, a frame is left, its recording ends here."""
_LOG_LIMIT = 1_000_000

Step = tuple[int, int, bool, bool]
"""(point, next point, whether an exception led there, whether the next point ended by an exception)."""


@dataclass
class Observed:
    """What one code object was seen to do. `flows`: (variable, defining point, using point)."""

    calls: int = 0
    steps: set[Step] = field(default_factory=set)
    flows: set[tuple[str, int, int]] = field(default_factory=set)


class _Definition(NamedTuple):
    """A value's origin: the point, which visit of it, in which call, of which body."""

    point: int
    visit: int
    serial: int
    body: Body


class _Frame:
    """One call: where it is, and what its variables hold."""

    def __init__(self, code: CodePoints, observed: Observed, cells: dict[str, int], serial: int) -> None:
        self.code = code
        self.observed = observed
        self.cells = cells
        self.serial = serial
        self.started = self.suspended = self.returning = False
        self.before = -1
        self.current = -1 if code.is_comprehension else code.body.entry
        self.by_exception = False
        """How `current` was reached."""
        self.raised = False
        """An exception was handled since the last instruction that belongs to a point."""
        self.offset = -1
        self.visits = self.visit = 0
        self.interrupted: dict[int, int] = {}
        """Point -> its visit, where control is at points inside it."""
        self.defined: dict[object, _Definition] = {}

    def arrive(self, point: int, offset: int) -> None:
        """An instruction of a point is about to run."""
        exceptional, self.raised = self.raised, False
        previous, self.offset = self.offset, offset
        if point == self.current and not exceptional and offset > previous:
            return
        if point in self.code.inside(self.current) and not exceptional:
            self.interrupted[self.current] = self.visit
        else:
            if self.current not in self.code.inside(point):
                self.interrupted.clear()
            self._confirm(exceptional)
            self.before = self.current
            self.by_exception = exceptional
        self.current = point
        self.visits += 1
        self.visit = self.interrupted.pop(point, self.visits)

    def _confirm(self, ended_by_exception: bool) -> None:
        if self.before >= 0:
            self.observed.steps.add((self.before, self.current, self.by_exception, ended_by_exception))

    def leave(self) -> None:
        """The call is over."""
        exceptional = self.raised or not self.returning
        self._confirm(exceptional)
        if not self.code.is_comprehension and (not exceptional or self.code.body.handles(self.current)):
            self.observed.steps.add((self.current, self.code.body.exit, exceptional, False))


class Recorder:
    """Records the calls of code objects for which `find` gives points."""

    def __init__(
        self, find: Callable[[CodeType], CodePoints | None], calls: int = 50, instructions: int = 20_000
    ) -> None:
        self.find = find
        self.calls = calls
        self.instructions = instructions
        self.observed: dict[CodePoints, Observed] = {}
        self._codes: dict[int, tuple[CodeType, CodePoints | None]] = {}
        """By id; the code object is kept so that no other gets its id."""
        self._log: list[int] = []
        self._frames: dict[int, _Frame] = {}
        self._serial = 0
        self._cells: dict[int, CellType] = {}
        """By id, kept for the same reason."""
        self._contents: dict[object, _Definition] = {}
        """Cell -> what it holds."""
        self._owners: dict[int, Body] = {}
        """Cell -> the body whose variable it is."""
        self._unknown: set[int] = set()
        """Cells that calls may have written which were not recorded."""

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Trace what runs in the block."""
        previous = sys.gettrace()
        sys.settrace(self._start)
        try:
            yield
        finally:
            sys.settrace(previous)
            self._play()

    # ------------------------------------------------------------------------------------ trace functions
    def _start(self, frame: FrameType, event: str, argument: object) -> Callable | None:
        code = frame.f_code
        known = self._codes.get(id(code))
        if known is None:
            known = self._codes[id(code)] = code, self._points(code)
        points = known[1]
        if points is None:
            return None
        if frame.f_trace is not None:
            self._log.append(frame.f_trace.base | _RESUME)
            return frame.f_trace
        observed = self.observed.setdefault(points, Observed())
        cells = self._hold(frame) if code.co_cellvars or code.co_freevars else {}
        if observed.calls >= self.calls:
            self._unknown.update(cells.values())
            return None
        observed.calls += 1
        self._serial += 1
        self._frames[self._serial] = _Frame(points, observed, cells, self._serial)
        frame.f_trace_lines = False
        frame.f_trace_opcodes = True
        return self._local(self._serial << _EVENT_BITS, cells)

    def _points(self, code: CodeType) -> CodePoints | None:
        return self.find(code) if code.co_flags & inspect.CO_OPTIMIZED else None

    def _hold(self, frame: FrameType) -> dict[str, int]:
        cells = _cells(frame)
        self._cells.update((id(cell), cell) for cell in cells.values())
        return {name: id(cell) for name, cell in cells.items()}

    def _local(self, base: int, cells: dict[str, int]) -> Callable:
        append, left = self._log.append, self.instructions

        def local(frame: FrameType, event: str, argument: object) -> None:
            nonlocal left
            if event == "opcode":
                append(base | frame.f_lasti)
                left -= 1
                if not left:
                    append(base | _CUT)
                    frame.f_trace_opcodes = False
                    self._unknown.update(cells.values())
            elif event == "return":
                append(base | _LEAVE)
                if len(self._log) > _LOG_LIMIT:
                    self._play()

        local.base = base
        return local

    # ------------------------------------------------------------------------------------------ the log
    def _play(self) -> None:
        """Go through the log: all calls in the order in which their instructions ran."""
        frames, mask = self._frames, (1 << _EVENT_BITS) - 1
        for entry in self._log:
            frame, event = frames.get(entry >> _EVENT_BITS), entry & mask
            if frame is None:
                continue
            if event < _RESUME:
                self._instruction(frame, event)
            elif event == _RESUME:
                frame.suspended = False
            elif event == _CUT or not frame.suspended:
                if event == _LEAVE:
                    frame.leave()
                del frames[frame.serial]
        self._log.clear()

    def _instruction(self, frame: _Frame, offset: int) -> None:
        code, index = frame.code, offset >> 1
        if not frame.started:
            self._begin(frame)
        if code.enters_handler[index]:
            frame.raised = True
        frame.suspended, frame.returning = code.suspends[index], code.returns[index]
        if code.points[index] >= 0:
            frame.arrive(code.points[index], offset)
        action = code.actions[index]
        if action is None:
            return
        kind, name, in_cell, point = action
        values, key = (self._contents, frame.cells[name]) if in_cell else (frame.defined, name)
        if kind != STORE and point >= 0 and key in values and key not in self._unknown:
            if self._is_new(values[key], frame, point, key):
                frame.observed.flows.add((name, values[key].point, point))
        if kind == STORE and point >= 0:
            values[key] = _Definition(point, frame.visit, frame.serial, code.body)
        elif kind != LOAD:
            values.pop(key, None)

    def _begin(self, frame: _Frame) -> None:
        frame.started = True
        code = frame.code
        for name in code.own_cells:
            self._owners[frame.cells[name]] = code.body
        for name, point in code.parameters.items():
            values, key = (self._contents, frame.cells[name]) if name in frame.cells else (frame.defined, name)
            values[key] = _Definition(point, 0, frame.serial, code.body)

    def _is_new(self, definition: _Definition, frame: _Frame, point: int, key: object) -> bool:
        """Whether the graph has to have the edge: nothing comes out of a nested function, and a value that the
        same visit of the same point has made is none that reaches it."""
        if definition.serial == frame.serial:
            return (definition.point, definition.visit) != (point, frame.visit)
        body = frame.code.body
        if definition.body is body:
            return self._owners.get(key) is body
        return definition.body in body.around


def _cells(frame: FrameType) -> dict[str, CellType]:
    """The cells of a frame by name. Python code cannot ask for them, so they are read from the frame's memory."""
    code = frame.f_code
    word = ctypes.sizeof(ctypes.c_void_p)
    inner = ctypes.c_void_p.from_address(id(frame) + 3 * word).value  # PyFrameObject.f_frame
    if ctypes.c_void_p.from_address(inner + 4 * word).value != id(code):  # _PyInterpreterFrame.f_code
        raise RuntimeError("frames lie in memory otherwise than in CPython 3.11; run these tests there")
    wanted = {*code.co_cellvars, *code.co_freevars}
    found = {}
    for index in range(len({*code.co_varnames, *code.co_cellvars}) + len(code.co_freevars)):
        name = code._varname_from_oparg(index)
        if name in wanted:
            address = ctypes.c_void_p.from_address(inner + 9 * word + index * word).value  # localsplus
            found[name] = ctypes.cast(address, ctypes.py_object).value
    return found
