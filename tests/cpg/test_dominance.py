"""Control dependence against networkx: the frontiers of post-dominators, on real and on random functions.

Y depends on the condition X with branch b if X lies in the post-dominance frontier of Y, and Y post-dominates the
target of an edge of X labelled b. networkx finds dominators and frontiers in the reversed graph.
"""

from __future__ import annotations

import asyncio.base_events
import random
import subprocess
import tarfile
import tempfile
import threading
import unittest.case
import zipfile
from collections import Counter
from pathlib import Path

import networkx
import pytest

import cpg
from cpg.control_dependence import control_dependence, post_dominators
from cpg.control_flow import control_flow
from cpg.flow_graph import EXIT, FlowGraph
from cpg.languages import get_language
from cpg.parse import parse
from tests.cpg.mutants import seeds
from tests.cpg.random_programs import Writer
from tests.cpg.samples import PROGRAMS
from tests.cpg.workloads import MODULES

WITH_FINALIZERS = [asyncio.base_events, subprocess, tarfile, tempfile, threading, unittest.case, zipfile]

Dependence = tuple[int, int, str]


def _flows(code: str | bytes, language: str) -> list[FlowGraph]:
    tables = get_language(language)
    return control_flow(parse(code, tables), tables)


def _reversed(flow: FlowGraph) -> networkx.DiGraph:
    """The explicit edges backwards."""
    graph = networkx.DiGraph()
    graph.add_nodes_from(point for point, kind in enumerate(flow.kinds) if kind != "join")
    graph.add_edges_from((edge.target, point) for point, edges in enumerate(flow.successors) for edge in edges if not edge.implicit)
    return graph


def _always_ends(flow: FlowGraph) -> bool:
    """Whether EXIT can be reached from everywhere: what else is done with a loop that never ends is no definition."""
    graph = _reversed(flow)
    return len(networkx.descendants(graph, EXIT)) == len(graph) - 1


def _by_definition(flow: FlowGraph) -> set[Dependence]:
    """Dependences between nodes; of a node that has several points, some of which has to be passed."""
    graph = _reversed(flow)
    copies: dict[int, set[int]] = {}
    for point in graph:
        copies.setdefault(flow.nodes[point], set()).add(point)
    found = set()
    for condition, point, branch in _between_points(flow, graph):
        if len(copies[flow.nodes[point]]) == 1:
            found.add((flow.nodes[condition], flow.nodes[point], branch))
    for node, points in copies.items():
        if node >= 0 and len(points) > 1:
            passes = _passing(graph, points)
            for condition, kind in enumerate(flow.kinds):
                explicit = [edge for edge in flow.successors[condition] if not edge.implicit and kind == "condition"]
                if any(edge.target not in passes for edge in explicit):
                    found |= {(flow.nodes[condition], node, edge.branch) for edge in explicit if edge.target in passes}
    return found


def _between_points(flow: FlowGraph, graph: networkx.DiGraph) -> set[Dependence]:
    """Dependences by frontiers. What depends on a fork, which decides nothing, depends on what the fork does."""
    immediate = dict(networkx.immediate_dominators(graph, EXIT))
    found = set()
    for point, frontier in networkx.dominance_frontiers(graph, EXIT).items():
        for condition in frontier:
            for edge in flow.successors[condition]:
                if not edge.implicit and _dominates(immediate, point, edge.target):
                    found.add((condition, point, edge.branch))
    reasons = networkx.DiGraph((point, condition) for condition, point, _ in found if condition in flow.forks)
    for point in list(reasons):
        for fork in networkx.descendants(reasons, point):
            found |= {(condition, point, branch) for condition, other, branch in found if other == fork}
    kinds = flow.kinds
    return {each for each in found if kinds[each[0]] == "condition" and kinds[each[1]] != "fork"}


def _passing(graph: networkx.DiGraph, points: set[int]) -> set[int]:
    """The points from which no way leads to EXIT around all of `points`."""
    rest = graph.subgraph(set(graph) - points)
    return set(graph) - {EXIT} - networkx.descendants(rest, EXIT)


def _dominates(immediate: dict, above: int, point: int) -> bool:
    while point != above:
        if immediate.get(point) in (None, point):
            return False
        point = immediate[point]
    return True


def _check(flows: list[FlowGraph]) -> Counter:
    """Compare; how many functions and dependences were compared."""
    counts = Counter()
    for flow in flows:
        if not _always_ends(flow):
            counts["endless"] += 1
            continue
        found = control_dependence(flow)
        assert len(found) == len(set(found))
        assert set(found) == _by_definition(flow)
        counts["functions"] += 1
        counts["dependences"] += len(found)
        counts["copied"] += len({n for n in flow.nodes if n >= 0}) < sum(n >= 0 for n in flow.nodes)
    return counts


def test_real_functions() -> None:
    counts = Counter()
    for module in [*MODULES, *WITH_FINALIZERS]:
        counts += _check(_flows(Path(module.__file__).read_bytes(), "python"))
    assert counts["functions"] > 2_000 and counts["dependences"] > 10_000 and counts["copied"] >= 5
    assert counts["endless"] < 40


@pytest.mark.parametrize("language", sorted(cpg.LANGUAGES))
def test_examples_of_every_language(language: str) -> None:
    counts = Counter()
    for code in [*seeds(language), PROGRAMS[language]]:
        counts += _check(_flows(code, language))
    assert counts["functions"] > 20 and counts["dependences"] > 30


@pytest.mark.parametrize("group", range(4))
def test_random_functions(group: int) -> None:
    counts = Counter()
    for seed in range(group * 40, group * 40 + 40):
        counts += _check(_flows(Writer(seed).source(), "python"))
    assert counts["functions"] > 60 and counts["dependences"] > 300


@pytest.mark.parametrize("seed", range(40))
def test_post_dominators_of_random_graphs(seed: int) -> None:
    """Any graph, not only those of structured programs."""
    generator = random.Random(seed)
    size = generator.randint(3, 30)
    successors = [[] if point == EXIT else sorted({generator.randrange(size) for _ in range(generator.randint(1, 3))}) for point in range(size)]
    graph = networkx.DiGraph((target, source) for source, targets in enumerate(successors) for target in targets)
    graph.add_node(EXIT)
    immediate = dict(networkx.immediate_dominators(graph, EXIT))
    immediate[EXIT] = EXIT
    assert post_dominators(successors) == [immediate.get(point, -1) for point in range(size)]
