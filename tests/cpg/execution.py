"""Holds what functions were seen to do against their graphs."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

from tests.cpg.bytecode import CodePoints, code_points
from tests.cpg.file_graph import Body, FileGraph
from tests.cpg.tracing import Observed, Recorder


@dataclass
class Result:
    """What one function, with its comprehensions, was seen to do, in nodes of its file's graph."""

    steps: set[tuple[int, int]] = field(default_factory=set)
    exceptional: set[tuple[int, int]] = field(default_factory=set)
    """Those of `steps` to which an exception led."""
    flows: set[tuple[str, int, int]] = field(default_factory=set)
    taken: set[tuple[int, int, str]] = field(default_factory=set)
    """CFG edges that were followed."""
    misses: set[str] = field(default_factory=set)
    """Steps and flows that are not in the graph."""
    explained: set[str] = field(default_factory=set)
    """Those that are left out on purpose, see "What is simplified" in SPEC.md."""


def recorder(files: dict[str, FileGraph], calls: int = 50, instructions: int = 20_000) -> Recorder:
    """A recorder for the functions of some files, by the path that their code objects have."""

    def find(code):
        file = files.get(code.co_filename)
        return code_points(file, code) if file is not None else None

    return Recorder(find, calls, instructions)


def judge(observed: dict[CodePoints, Observed]) -> dict[Body, Result]:
    """Every step has to be a way in the CFG and every flow an edge of the DDG."""
    results: dict[Body, Result] = {}
    for code, seen in observed.items():
        result = results.setdefault(code.body, Result())
        inside = functools.lru_cache(maxsize=None)(code.file.inside)
        for source, target, exceptional, cut in seen.steps:
            result.steps.add((source, target))
            if exceptional:
                result.exceptional.add((source, target))
            # A statement that fails before its conditions are evaluated is reached past them.
            silent = code.silent | inside(target) if cut else code.silent
            way = code.body.path(source, target, exceptional, silent)
            if way is not None:
                result.taken.update(way)
                continue
            reason = _reason(code.file, source, target) if exceptional else ""
            kind = "exception" if exceptional else "step"
            found = result.explained if reason else result.misses
            found.add(f"{kind} {_where(code, source)} -> {_where(code, target)} {reason}".strip())
        for variable, defined, used in seen.flows:
            result.flows.add((variable, defined, used))
            if not code.body.allows_flow(code.spelled(variable), defined, used):
                result.misses.add(f"flow {variable} {_where(code, defined)} -> {_where(code, used)}")
    return results


def _reason(file: FileGraph, source: int, target: int) -> str:
    """Why the graph leaves out where an exception led on purpose, empty where it should not."""
    if file.leaves_with(source, target):
        return "(a with that swallows, or fails when it is left)"
    if file.only_names(source):
        return "(a name that fails)"
    return ""


def _where(code: CodePoints, point: int) -> str:
    kind = code.file.nodes.point[point]
    if kind in ("entry", "exit"):
        return kind.upper()
    text = " ".join(code.file.text_of(point).split())
    return f"{code.file.line[point]}:`{text if len(text) < 60 else text[:57] + '...'}`"
