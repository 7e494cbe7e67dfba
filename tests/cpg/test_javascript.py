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

import pytest

from cpg import extract
from cpg.languages.javascript import JAVASCRIPT
from tests.cpg.random_javascript import Program, run
from tests.cpg.reported import Reported, innermost, points_of
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


def _held(program: str, seen: tuple[set, set]) -> Reported:
    graph = extract(program, "javascript")
    nodes, points = graph.nodes, points_of(graph)
    point_of = {
        int(found.group(1)): innermost(graph, points, found.start(1))
        for found in re.finditer(r"(?:[a-z]\(|\(p(?=\d+\) {|\d+, d))(\d+)", program)
    }
    parameters = {p for p in points if nodes.text_of(p).startswith("p") and nodes.point[p] == "parameter"}
    bodies = [n for n, kind in enumerate(nodes.type) if kind in ("arrow_function", "function_declaration")]
    reporting = set(point_of.values()) - parameters
    return Reported(graph, point_of, reporting, seen, bodies, lambda variable: variable != "store.field")


@functools.lru_cache(maxsize=None)
def _reported() -> list[Reported]:
    programs = [Program(seed, depth).text for seeds, depth in ((SMALL, 2), (LARGE, 3)) for seed in seeds]
    return [_held(program, seen) for program, seen in zip(programs, run(NODE, programs, RUNS))]


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
    flows = [reported.happens(*flow) for reported in small for flow in reported.reported_flows()]
    assert len(steps) > 2_000 and sum(steps) > 0.98 * len(steps), (sum(steps), len(steps))
    assert len(flows) > 2_000 and sum(flows) > 0.95 * len(flows), (sum(flows), len(flows))
