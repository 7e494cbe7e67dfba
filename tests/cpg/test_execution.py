"""The graph of Python functions holds whatever they are seen to do.

Real functions run under sys.settrace. Every step between points inside a call has to be a way in the CFG, and every
pair of an assignment to a local and a use of that value an edge of the DDG. `benchmarks/cpg_execution.py` does the same
with all test suites of a package.
"""

from __future__ import annotations

import functools
import sys
import warnings

import pytest

from tests.cpg import constructs, nested_constructs, suites
from tests.cpg.execution import Result, judge, recorder
from tests.cpg.file_graph import Body, FileGraph
from tests.cpg.random_programs import Chance, Enough, Writer
from tests.cpg.workloads import MODULES, WORKLOADS

pytestmark = pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="reads the bytecode of CPython 3.11")

SUITES = [
    "classes/tests/test_coreviews.py",
    "classes/tests/test_filters.py",
    "classes/tests/test_reportviews.py",
    "utils/tests/test_decorators.py",
    "utils/tests/test_heaps.py",
    "utils/tests/test_mapped_queue.py",
]
CALLS = 5


@functools.lru_cache(maxsize=None)
def _file_graph(path: str) -> FileGraph:
    return FileGraph(path)


class _Files(dict):
    """Graphs of the files under a folder, made when they are asked for."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.folder = folder

    def get(self, path: str, default: None = None) -> FileGraph | None:
        return _file_graph(path) if path.startswith(self.folder) else default


@functools.lru_cache(maxsize=None)
def _observe(workload) -> dict[Body, Result]:
    watcher = recorder({module.__file__: _file_graph(module.__file__) for module in MODULES})
    with watcher.recording():
        workload()
    return judge(watcher.observed)


@functools.lru_cache(maxsize=None)
def _observe_suite(name: str) -> dict[Body, Result]:
    folder = suites.folder_of("networkx")
    watcher = recorder(_Files(str(folder)), calls=CALLS)
    path = folder / name
    package = ".".join(("networkx", *path.parent.relative_to(folder).parts))
    with warnings.catch_warnings(), watcher.recording():
        warnings.simplefilter("ignore")
        assert suites.run(suites.load(package, path))
    return judge(watcher.observed)


def _misses(results: dict[Body, Result]) -> list[str]:
    return [f"{body} {miss}" for body, result in results.items() for miss in sorted(result.misses)]


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.__name__.strip("_"))
def test_what_library_functions_do_is_in_their_graph(workload) -> None:
    assert not _misses(_observe(workload))


@pytest.mark.parametrize("name", SUITES)
def test_what_tested_functions_do_is_in_their_graph(name: str) -> None:
    assert not _misses(_observe_suite(name))


def test_enough_was_observed() -> None:
    results = [_observe(workload) for workload in WORKLOADS] + [_observe_suite(name) for name in SUITES]
    assert len({body for found in results for body in found}) >= 1_000
    assert sum(len(result.steps) for found in results for result in found.values()) >= 10_000
    assert sum(len(result.flows) for found in results for result in found.values()) >= 10_000


def test_every_construct() -> None:
    files = {module.__file__: _file_graph(module.__file__) for module in (constructs, nested_constructs)}
    watcher = recorder(files, calls=1_000)
    with watcher.recording():
        constructs.run_all()
        nested_constructs.run_all()
    results = judge(watcher.observed)
    assert not _misses(results)
    assert set(results) == {body for file in files.values() for body in file.bodies.values()}, "a function was not called"
    taken = sum(len(result.taken) for result in results.values())
    assert taken > 0.8 * sum(len(body.reachable_edges()) for body in results)


@pytest.mark.parametrize("group", range(10))
def test_random_programs(group: int) -> None:
    """Programs whose conditions and failures are chance: 12 a group, 30 runs each."""
    steps = 0
    for seed in range(group * 12, group * 12 + 12):
        path, code = f"<random {seed}>", Writer(seed).source()
        watcher = recorder({path: FileGraph(path, code.encode())}, calls=1_000)
        program = compile(code, path, "exec")
        with watcher.recording():
            for chances in range(30):
                names = Chance(chances).names()
                exec(program, names)
                try:
                    names["run"](1, 0, 3, None)
                except (Enough, Exception):
                    pass
        results = judge(watcher.observed)
        assert not _misses(results), code
        steps += sum(len(result.steps) for result in results.values())
    assert steps > 100


# ------------------------------------------------------------------------------- the check can fail
def _watched(code: str, graph_of: str) -> list[str]:
    """The misses when `code` runs and is held against the graph of another text with the same places."""
    watcher = recorder({"<code>": FileGraph("<code>", graph_of.encode())})
    names: dict = {}
    exec(compile(code, "<code>", "exec"), names)
    with watcher.recording():
        names["f"](1)
    return _misses(judge(watcher.observed))


def test_a_wrong_graph_is_noticed() -> None:
    code = "def f(a):\n    if a:\n        b = a\n    else:\n        b = 0\n    return b\n"
    assert _watched(code, code) == []
    missed = _watched(code, code.replace("b = a", "break"))
    assert any(miss.endswith("step 3:`break` -> 6:`return b`") for miss in missed), missed
    missed = _watched(code, code.replace("return b", "return c"))
    assert missed == ["<code>:1:f flow b 3:`b = a` -> 6:`return c`"]


def test_values_are_followed_through_nested_functions() -> None:
    code = "def f(a):\n    def g():\n        return [a for i in (1, 2)]\n    a = 2\n    return g()\n"
    watcher = recorder({"<code>": FileGraph("<code>", code.encode())})
    names: dict = {}
    exec(compile(code, "<code>", "exec"), names)
    with watcher.recording():
        names["f"](1)
    flows = {(name, body.file.line[a], body.file.line[b]) for body, r in judge(watcher.observed).items() for name, a, b in r.flows}
    assert flows == {("a", 4, 3), ("g", 2, 5)}
