"""What random C# programs do is held against their graphs; `tests.cpg.random_csharp` says how they report."""

from __future__ import annotations

import functools
import re
import shutil
import tempfile
from pathlib import Path

import pytest

from cpg import extract
from tests.cpg.random_csharp import Program, run
from tests.cpg.reported import Reported, innermost, points_of

MCS, MONO = shutil.which("mcs"), shutil.which("mono")
pytestmark = pytest.mark.skipif(not (MCS and MONO), reason="no mcs and mono on the PATH: install mono-mcs to run programs")
SMALL, LARGE = range(60), range(60, 90)
RUNS = 2_000


def _held(program: str, seen: tuple[set, set]) -> Reported:
    graph = extract(program, "csharp")
    points = points_of(graph)
    point_of = {
        int(found.group(1) or found.group(2)): innermost(graph, points, found.start())
        for found in re.finditer(r"\bR\.\w+\(a\d+, (\d+)|\bp(\d+)(?= =>|\) {)", program)
    }
    reporting = {point for point in point_of.values() if graph.nodes.point[point] != "parameter"}
    return Reported(graph, point_of, reporting, seen)


@functools.lru_cache(maxsize=None)
def _reported() -> list[Reported]:
    programs = [Program(seed, depth).text for seeds, depth in ((SMALL, 2), (LARGE, 3)) for seed in seeds]
    with tempfile.TemporaryDirectory() as folder:
        seen = run(MCS, MONO, Path(folder), programs, RUNS)
    return [_held(program, pairs) for program, pairs in zip(programs, seen)]


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
