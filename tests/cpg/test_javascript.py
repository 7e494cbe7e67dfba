"""What node says of JavaScript: the examples of its page compile, and random programs do what their graphs say.

The random programs report each step and flow of values themselves (`tests.cpg.random_javascript`). Both
directions are held: what was seen is in the graph, and after enough runs what is in the graph was seen.
"""

from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess
from collections import defaultdict

import pytest

from cpg import CodePropertyGraph, extract
from cpg.languages.javascript import JAVASCRIPT
from tests.cpg.random_javascript import Program, run
from tests.cpg.test_spec import EXAMPLES

NODE = shutil.which("node")
COMPILE = """
const vm = require("vm");
const texts = JSON.parse(require("fs").readFileSync(0));
const ways = [code => new vm.Script(code), code => new vm.SourceTextModule(code)];
function compiles(candidates) {
  for (const code of candidates) for (const way of ways) { try { way(code); return true; } catch { } }
  return false;
}
console.log(JSON.stringify(texts.map(compiles)));
"""
"""Reads a list of lists of texts; for each list, whether some text of it is a script or a module."""


def _candidates(code: str) -> list[str]:
    """The text in each wrapper of the extractor, and as the body of a function, where return and yield may stand."""
    wrapped = [wrapper.prefix + code + wrapper.suffix for wrapper in JAVASCRIPT.wrappers]
    return [*wrapped, "async function* a() {" + code + "\n}", "function a() {" + code + "\n}"]


def _compiles(codes: list[str]) -> list[bool]:
    done = subprocess.run(
        [NODE, "--no-warnings", "--experimental-vm-modules", "-e", COMPILE],
        input=json.dumps([_candidates(code) for code in codes]),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(done.stdout)


needs_node = pytest.mark.skipif(NODE is None, reason="needs node, which is not on this machine")


@needs_node
def test_examples_are_javascript() -> None:
    """All but JSX, which node does not know; what the page calls broken is broken."""
    codes, expected = [], []
    for example in EXAMPLES:
        language, code, _ = example.values
        if language == "javascript" and "jsx_element" not in extract(code, language).nodes.type:
            codes.append(code)
            expected.append("Broken code" not in example.id)
    assert len(codes) >= 80
    wrong = [code for code, held, wanted in zip(codes, _compiles(codes), expected) if held != wanted]
    assert not wrong, "\n\n".join(wrong)


# ------------------------------------------------------------------------------------- random programs
SMALL, LARGE = range(60), range(60, 80)
RUNS = 3_000


class Reported:
    """The graph of a program in terms of its points that report, and what of it was seen."""

    def __init__(self, program: str, steps: set, flows: set) -> None:
        self.graph: CodePropertyGraph = extract(program, "javascript")
        nodes = self.graph.nodes
        self.points = [node for node, point in enumerate(nodes.point) if point not in (None, "entry", "exit")]
        self.point_of: dict[int, int] = {}
        for found in re.finditer(r"(?:[a-z]\(|\(p(?=\d+\) {|\d+, d))(\d+)", program):
            self.point_of[int(found.group(1))] = self._innermost(self.points, found.start(1))
        parameters = {point for point in self.points if nodes.text_of(point).startswith("p")}
        self.reporting = set(self.point_of.values()) - {p for p in parameters if nodes.point[p] == "parameter"}
        functions = [n for n, kind in enumerate(nodes.type) if kind in ("arrow_function", "function_declaration")]
        self.successors: dict[int, set[int]] = defaultdict(set)
        self.flows: set[tuple[int, int]] = set()
        self.local_flows: set[tuple[int, int]] = set()
        """Those within one body, without those of a field: a late capture and a weak definition say what may be."""
        for source, target, kind, _, variable in self.graph.edges:
            if kind == "CFG":
                self.successors[source].add(target)
            elif kind == "DDG" and source != target:
                self.flows.add((source, target))
                bodies = {self._innermost(functions, nodes.start_byte[end]) for end in (source, target)}
                if len(bodies) == 1 and variable != "store.field":
                    self.local_flows.add((source, target))
        self.seen_steps = self._of_points(steps)
        self.seen_flows = self._of_points(flows)

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

    def happens(self, source: int, target: int) -> bool:
        """Whether the flow was seen, or one into a point in the text of its target, whose value depends on it."""
        start, end = self.graph.nodes.start_byte, self.graph.nodes.end_byte
        inside = [p for p in self.points if start[target] <= start[p] and end[p] <= end[target]]
        return any((source, point) in self.seen_flows for point in inside)

    def shown(self, pairs: set) -> list[str]:
        """The texts of pairs of points."""
        text = self.graph.nodes.text_of
        return [f"{text(source)[:60]!r} -> {text(target)[:60]!r}" for source, target in sorted(pairs)]


@functools.lru_cache(maxsize=None)
def _reported() -> list[Reported]:
    programs = [Program(seed, depth).text for seeds, depth in ((SMALL, 2), (LARGE, 3)) for seed in seeds]
    return [Reported(program, *seen) for program, seen in zip(programs, run(NODE, programs, RUNS))]


@needs_node
@pytest.mark.parametrize("seed", [*SMALL, *LARGE])
def test_what_programs_do_is_in_their_graph(seed: int) -> None:
    reported = _reported()[seed]
    assert not reported.graph.diagnostics
    assert not reported.shown(reported.seen_steps - reported.steps())
    assert not reported.shown(reported.seen_flows - reported.flows)


@needs_node
def test_what_is_in_the_graph_of_small_programs_happens() -> None:
    """All but rare ways: ten times the runs show every step of these programs, and all but 16 of 2,169 flows. Those
    leave an array pattern that could throw between its elements, and does not.
    """
    small = [_reported()[seed] for seed in SMALL]
    steps = [step in reported.seen_steps for reported in small for step in reported.steps()]
    flows = [
        reported.happens(source, target)
        for reported in small
        for source, target in reported.local_flows
        if {source, target} <= set(reported.point_of.values())
    ]
    assert len(steps) > 2_000 and sum(steps) > 0.98 * len(steps), (sum(steps), len(steps))
    assert len(flows) > 2_000 and sum(flows) > 0.95 * len(flows), (sum(flows), len(flows))
