"""What functions really do, line by line: recorded with sys.settrace, to hold graphs against.

`record` runs a workload and returns, for every function of the given files that ran, the line steps inside one
call and the triples (variable, line of its last assignment, line of its use).
"""

from __future__ import annotations

import dis
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import CodeType, FrameType


@dataclass
class Observed:
    """`steps`: (line, next line). `flows`: (variable, defining line, using line); a parameter's line is 0."""

    steps: set[tuple[int, int]] = field(default_factory=set)
    flows: set[tuple[str, int, int]] = field(default_factory=set)


@dataclass
class _Call:
    line: int | None = None
    defined: dict[str, int] = field(default_factory=dict)


def record(
    files: set[str],
    workload: Callable[[], object],
    stops: Callable[[CodeType], Callable[[int, int | None], bool]],
    logical: Callable[[CodeType, int], int],
) -> dict[CodeType, Observed]:
    """Trace the workload. `stops(code)(line, previous)`: whether to count an event on that line after the
    previous counted one. `logical(code, line)`: the line by which events are known."""
    seen: dict[CodeType, Observed] = {}
    calls: dict[FrameType, _Call] = {}
    instructions: dict[CodeType, dict[int, tuple[str, object]]] = {}

    def local(frame: FrameType, event: str, argument: object) -> Callable:
        code, call = frame.f_code, calls[frame]
        observed = seen[code]
        if event == "line":
            line = logical(code, frame.f_lineno)
            if stops(code)(line, call.line):
                if call.line is not None:
                    observed.steps.add((call.line, line))
                call.line = line
        elif event == "opcode":
            name, value = instructions[code].get(frame.f_lasti, ("", None))
            names = value if isinstance(value, tuple) else (value,)
            if name.startswith("LOAD_FAST"):
                for variable in names:
                    if variable in call.defined:
                        observed.flows.add((variable, call.defined[variable], logical(code, frame.f_lineno)))
            elif name == "STORE_FAST":
                call.defined[names[0]] = logical(code, frame.f_lineno)
            elif "_FAST" in name and name != "DELETE_FAST":
                # Fused instructions of newer versions load and store at once; order cannot be told apart.
                for variable in names:
                    call.defined.pop(variable, None)
        return local

    def start(frame: FrameType, event: str, argument: object) -> Callable | None:
        code = frame.f_code
        is_function = code.co_flags & inspect.CO_OPTIMIZED and not code.co_name.startswith("<")
        if code.co_filename not in files or not is_function:
            return None
        if frame not in calls:
            calls[frame] = _Call()
            if code not in seen:
                seen[code] = Observed()
                instructions[code] = {
                    i.offset: (i.opname, i.argval) for i in dis.get_instructions(code) if "_FAST" in i.opname
                }
            count = code.co_argcount + code.co_kwonlyargcount
            count += bool(code.co_flags & 4) + bool(code.co_flags & 8)
            calls[frame].defined = dict.fromkeys(code.co_varnames[:count], 0)
        frame.f_trace_opcodes = True
        return local

    previous = sys.gettrace()
    sys.settrace(start)
    try:
        workload()
    finally:
        sys.settrace(previous)
    return seen
