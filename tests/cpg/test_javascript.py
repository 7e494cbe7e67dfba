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
SEEDS = range(12)
RUNS = 300


class Reported:
    """The graph of a program in terms of its numbers: which point each belongs to, and what the graph allows."""

    def __init__(self, program: str) -> None:
        self.graph: CodePropertyGraph = extract(program, "javascript")
        nodes = self.graph.nodes
        self.points = [node for node, point in enumerate(nodes.point) if point not in (None, "entry", "exit")]
        self.point_of: dict[int, int] = {}
        for found in re.finditer(r"(?:[a-z]\(|\(p(?=\d+\) {)|p(?=\d+ =>))(\d+)", program):
            place = found.start(1)
            around = [p for p in self.points if nodes.start_byte[p] <= place < nodes.end_byte[p]]
            innermost = min(around, key=lambda point: nodes.end_byte[point] - nodes.start_byte[point])
            self.point_of[int(found.group(1))] = innermost
        self.reporting = set(self.point_of.values())
        self.successors: dict[int, set[int]] = defaultdict(set)
        self.flows: set[tuple[int, int]] = set()
        for source, target, kind, _, _ in self.graph.edges:
            if kind == "CFG":
                self.successors[source].add(target)
            elif kind == "DDG":
                self.flows.add((source, target))

    def inside(self, point: int) -> set[int]:
        """The points in the text of a point, itself too: its value depends on theirs."""
        nodes = self.graph.nodes
        first, last = nodes.start_byte[point], nodes.end_byte[point]
        return {p for p in self.points if first <= nodes.start_byte[p] and nodes.end_byte[p] <= last}

    def steps(self) -> set[tuple[int, int]]:
        """Pairs of reporting points with a path from one to the other through points that do not report."""
        found = set()
        for source in self.reporting:
            seen, queue = set(), [source]
            while queue:
                for target in self.successors[queue.pop()] - seen:
                    seen.add(target)
                    if target in self.reporting:
                        found.add((source, target))
                    else:
                        queue.append(target)
        return found


@functools.lru_cache(maxsize=None)
def _observed() -> list[tuple[Reported, set, set]]:
    programs = [Program(seed).text for seed in SEEDS]
    result = []
    for program, (steps, flows) in zip(programs, run(NODE, programs, RUNS)):
        reported = Reported(program)
        of = reported.point_of
        result.append((reported, {(of[a], of[b]) for a, b in steps}, {(of[a], of[b]) for a, b in flows}))
    return result


def _shown(reported: Reported, edges: set) -> list[str]:
    text = reported.graph.nodes.text_of
    return [f"{text(a)[:60]!r} -> {text(b)[:60]!r}" for a, b in sorted(edges)]


@needs_node
@pytest.mark.parametrize("seed", SEEDS)
def test_what_programs_do_is_in_their_graph(seed: int) -> None:
    reported, steps, flows = _observed()[seed]
    assert not reported.graph.diagnostics
    assert not _shown(reported, {(a, b) for a, b in steps - reported.steps() if a != b})
    assert not _shown(reported, {(a, b) for a, b in flows - reported.flows if a != b})
