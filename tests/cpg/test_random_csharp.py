"""What random C# programs do is held against their graphs; `tests.cpg.random_csharp` says how they report."""

from __future__ import annotations

import functools
import re
import shutil
import tempfile
from collections import defaultdict
from pathlib import Path

import pytest

from cpg import CodePropertyGraph, extract
from tests.cpg.random_csharp import Program, run

MCS, MONO = shutil.which("mcs"), shutil.which("mono")
pytestmark = pytest.mark.skipif(not (MCS and MONO), reason="no mcs and mono on the PATH: install mono-mcs to run programs")
SMALL, LARGE = range(60), range(60, 90)
RUNS = 2_000


class Reported:
    """The graph of a program in terms of its points that report, and what of it was seen."""

    def __init__(self, program: str, steps: set, flows: set) -> None:
        self.graph: CodePropertyGraph = extract(program, "csharp")
        nodes = self.graph.nodes
        points = [node for node, point in enumerate(nodes.point) if point not in (None, "entry", "exit")]
        self.point_of: dict[int, int] = {}
        for found in re.finditer(r"\bR\.\w+\(a\d+, (\d+)|\bp(\d+)(?= =>|\) {)", program):
            self.point_of[int(found.group(1) or found.group(2))] = self._innermost(points, found.start())
        self.reporting = {point for point in self.point_of.values() if nodes.point[point] != "parameter"}
        self.successors: dict[int, set[int]] = defaultdict(set)
        self.flows: set[tuple[int, int]] = set()
        for source, target, kind, _, _ in self.graph.edges:
            if kind == "CFG":
                self.successors[source].add(target)
            elif kind == "DDG" and source != target:
                self.flows.add((source, target))
        self.seen_steps, self.seen_flows = self._of_points(steps), self._of_points(flows)

    def _innermost(self, nodes: list[int], place: int) -> int:
        start, end = self.graph.nodes.start_byte, self.graph.nodes.end_byte
        return min((n for n in nodes if start[n] <= place < end[n]), key=lambda node: end[node] - start[node])

    def _of_points(self, pairs: set) -> set[tuple[int, int]]:
        found = {(self.point_of[source], self.point_of[target]) for source, target in pairs}
        return {(source, target) for source, target in found if source != target}

    def steps(self) -> set[tuple[int, int]]:
        """Pairs of reporting points with a path from one to the other through points that do not report."""
        found = set()
        for source in self.reporting:
            seen, queue = set(), [source]
            while queue:
                for target in self.successors[queue.pop()] - seen:
                    seen.add(target)
                    if target not in self.reporting:
                        queue.append(target)
                    elif target != source:
                        found.add((source, target))
        return found

    def shown(self, pairs: set) -> list[str]:
        """The texts of pairs of points."""
        text = self.graph.nodes.text_of
        return [f"{text(source)[:60]!r} -> {text(target)[:60]!r}" for source, target in sorted(pairs)]


@functools.lru_cache(maxsize=None)
def _reported() -> list[Reported]:
    programs = [Program(seed, depth).text for seeds, depth in ((SMALL, 2), (LARGE, 3)) for seed in seeds]
    with tempfile.TemporaryDirectory() as folder:
        seen = run(MCS, MONO, Path(folder), programs, RUNS)
    return [Reported(program, *pairs) for program, pairs in zip(programs, seen)]


@pytest.mark.parametrize("seed", [*SMALL, *LARGE])
def test_what_programs_do_is_in_their_graph(seed: int) -> None:
    reported = _reported()[seed]
    assert not reported.graph.diagnostics
    assert not reported.shown(reported.seen_steps - reported.steps())
    assert not reported.shown(reported.seen_flows - reported.flows)


def test_what_is_in_the_graph_of_small_programs_happens() -> None:
    """All steps but rare ways. (Flows are more than these programs can report: a statement with `??` or `?.` uses the
    variables of its left side, which report at the condition.)
    """
    small = [_reported()[seed] for seed in SMALL]
    steps = [step in reported.seen_steps for reported in small for step in reported.steps()]
    assert len(steps) > 1_000 and sum(steps) > 0.95 * len(steps), (sum(steps), len(steps))
