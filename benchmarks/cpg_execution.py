"""Python graphs against execution: the test suites inside an installed package are run and watched.

    PYTHONPATH=. python benchmarks/cpg_execution.py [--package networkx] [--part 1/10] [--jobs 2] [--limit 120]

Every step between two points inside a call of a function of the package has to be a way in its CFG, and every pair of
an assignment to a local variable and a read of that value an edge of its DDG (`tests/cpg/tracing.py`). Each test module
runs under pytest in a process of its own; at the time limit it is interrupted, and what was seen until then counts. What
is observed of a call is bounded by `--calls` and `--instructions`. The last figures say which part of the CFG edges of the
observed functions was ever taken: what is never taken was not needed by these tests, or is never possible.

Exit code 1 where a step or flow is in no graph. Needs CPython 3.11 and os.fork.
"""
from __future__ import annotations

import argparse
import gc
import importlib
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.cpg.execution import Result, judge, recorder
from tests.cpg.file_graph import Body, FileGraph
from tests.cpg.suites import folder_of

COLUMNS = ("steps", "exceptional", "flows", "taken", "misses", "explained")
BRANCHES = ("", "true", "false", "iterate", "done", "case", "exception")


def _watch(package: str, files: dict[str, FileGraph], module: Path | None, arguments: argparse.Namespace, output: Path) -> None:
    """Run one test module (None: only the import of the package) and write down what was seen."""
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    watcher = recorder(files, arguments.calls, arguments.instructions)
    options = ["-q", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:xdist", "-c", os.devnull]
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, arguments.limit)
    cut = False
    with watcher.recording():
        if module is None:
            importlib.import_module(package)
        else:
            cut = pytest.main([str(module), *options]) == pytest.ExitCode.INTERRUPTED
    signal.setitimer(signal.ITIMER_REAL, 0)
    rows = []
    for body, result in judge(watcher.observed).items():
        columns = {name: sorted(getattr(result, name)) for name in COLUMNS}
        rows.append({"path": body.file.path, "node": body.node, **columns})
    partial = output.with_suffix(".part")
    partial.write_text(json.dumps({"rows": rows, "cut": cut}))
    partial.rename(output)


class Totals:
    """The results of all modules together."""

    def __init__(self) -> None:
        self.results: dict[Body, Result] = {}
        self.failed: list[str] = []
        self.done = self.cut = 0

    def add(self, output: Path, files: dict[str, FileGraph]) -> None:
        found = json.loads(output.read_text())
        self.cut += found["cut"]
        for row in found["rows"]:
            file = files[row["path"]]
            result = self.results.setdefault(file.body_of_node[row["node"]], Result())
            for text in sorted(set(row["misses"]) - result.misses):
                print(f"MISS {row['path']} {text}", flush=True)
            for name in COLUMNS:
                getattr(result, name).update(tuple(item) if isinstance(item, list) else item for item in row[name])

    def report(self) -> None:
        results = self.results
        kinds = Counter(body.file.nodes.type[body.node] for body in results)
        nested = sum(bool(body.around) for body in results)
        print(f"functions observed: {len(results)} in {len({body.file.path for body in results})} files")
        print(f"  of which lambdas: {kinds['lambda']}, nested in functions (lambdas too): {nested}")
        steps = sum(len(result.steps) for result in results.values())
        lines = {
            (body.file.path, body.file.line[a], body.file.line[b])
            for body, result in results.items() for a, b in result.steps if body.file.line[a] != body.file.line[b]
        }  # fmt: skip
        print(f"distinct steps between points: {steps}, between lines: {len(lines)}")
        print(f"  of which led by exceptions: {sum(len(result.exceptional) for result in results.values())}")
        across = sum(
            not {body.file.body_of[a], body.file.body_of[b]} <= {body}
            for body, result in results.items() for _, a, b in result.flows
        )  # fmt: skip
        flows = sum(len(result.flows) for result in results.values())
        print(f"distinct pairs of definition and use: {flows}, of which into nested functions: {across}")
        self._report_precision()
        for title, name in (("left out on purpose", "explained"), ("MISSES", "misses")):
            found = [(body, text) for body, result in results.items() for text in sorted(getattr(result, name))]
            print(f"{title}: {len(found)} in {len({body for body, _ in found})} functions")
            for body, text in sorted(found, key=str):
                print(f"  {body} {text}")
        print(f"interrupted at the time limit: {self.cut} test modules")
        for text in self.failed:
            print(f"failed: {text}")

    def _report_precision(self) -> None:
        """Which edges were taken. Edges out of parameters and into what nothing reaches are not counted."""
        there, taken = Counter(), Counter()
        lines_there, lines_taken = set(), set()
        for body, result in self.results.items():
            line = body.file.line
            for source, target, branch in body.reachable_edges():
                there[branch] += 1
                taken[branch] += (source, target, branch) in result.taken
                if line[source] != line[target]:
                    lines_there.add((body.file.path, line[source], line[target]))
                    if (source, target, branch) in result.taken:
                        lines_taken.add((body.file.path, line[source], line[target]))
        total, used = sum(there.values()), sum(taken.values())
        print(f"CFG edges of these functions: {total}, ever taken {used} ({used / max(total, 1):.1%})")
        for branch in BRANCHES:
            if there[branch]:
                print(f"  {branch or 'without a branch'}: {taken[branch]} of {there[branch]} ({taken[branch] / there[branch]:.1%})")
        share = len(lines_taken) / max(len(lines_there), 1)
        print(f"  between lines: {len(lines_taken)} of {len(lines_there)} ({share:.1%})")


def part(text: str) -> tuple[int, int]:
    """`2/10` as numbers."""
    number, _, parts = text.partition("/")
    if not (number.isdigit() and parts.isdigit() and 1 <= int(number) <= int(parts)):
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a part such as 1/10, from 1/10 to 10/10")
    return int(number), int(parts)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--package", default="networkx", help="an installed package that carries its tests")
    parser.add_argument("--part", type=part, default=(1, 1), help="1/10: every tenth test module, 2/10: the next ones")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    parser.add_argument("--limit", type=float, default=120, help="seconds for a test module, from which on it is interrupted")
    parser.add_argument("--calls", type=int, default=50, help="watched calls of a function in a test module")
    parser.add_argument("--instructions", type=int, default=20_000, help="watched instructions of a call")
    arguments = parser.parse_args()
    started = time.perf_counter()
    root = folder_of(arguments.package)
    files = {str(path): FileGraph(str(path)) for path in sorted(root.rglob("*.py"))}
    print(f"graphs of {len(files)} files: {time.perf_counter() - started:.0f} s", flush=True)
    modules = sorted(root.rglob("test_*.py"))
    number, parts = arguments.part
    chosen = modules[number - 1 :: parts]
    totals = Totals()
    try:
        run(arguments, files, chosen, totals)
    except KeyboardInterrupt:
        print("interrupted")
    print(f"{totals.done} of {len(modules)} test modules: {time.perf_counter() - started:.0f} s in all")
    totals.report()
    return int(any(result.misses for result in totals.results.values()))


def run(arguments: argparse.Namespace, files: dict[str, FileGraph], chosen: list[Path], totals: Totals) -> None:
    """First the import of the package, then the test modules, each in a process of its own."""
    gc.freeze()
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory() as folder:

        def start(module: Path | None, number: int) -> tuple:
            output = Path(folder) / f"{number}.json"
            process = context.Process(target=_watch, args=(arguments.package, files, module, arguments, output), daemon=True)
            process.start()
            return process, module, output, time.perf_counter() + 2 * arguments.limit

        def finish(process, module, output: Path, deadline: float) -> bool:
            late = process.is_alive() and time.perf_counter() > deadline
            if process.is_alive() and not late:
                return False
            process.kill()
            process.join()
            if output.exists():
                totals.add(output, files)
            else:
                totals.failed.append(f"{module or 'import'} ({'time limit' if late else f'exit code {process.exitcode}'})")
            return True

        imported = start(None, 0)
        while not finish(*imported):
            time.sleep(0.05)
        importlib.import_module(arguments.package)
        waiting, running = list(enumerate(chosen, 1))[::-1], []
        while waiting or running:
            while waiting and len(running) < arguments.jobs:
                number, module = waiting.pop()
                running.append(start(module, number))
            running = [entry for entry in running if not finish(*entry)]
            totals.done = len(chosen) - len(waiting) - len(running)
            if sys.stderr.isatty():
                print(f"\r{totals.done} of {len(chosen)} test modules", end="", file=sys.stderr, flush=True)
            time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
