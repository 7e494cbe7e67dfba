"""How fast graphs are made, beside what bounds it and beside another extractor, in one run on one core.

    PYTHONPATH=. python benchmarks/cpg_speed.py [--data ../shared/data] [--limit 700] [--rounds 5] [--largest 1000]

On each set of sources, warm:

* walk: tree-sitter parses, and a cursor passes all nodes, reading type and span of each. No graph costs less.
* extract: `cpg.extract`, that is AST, CFG, DDG and CDG with all nodes and edges in memory. Once more with the garbage
  collector off ("no gc"), since that is for the caller to decide.
* CodeBLEU: the data flow of the `codebleu` package, that is parse and DFG (it has neither control flow nor control
  dependence, and gives up quietly on code that it cannot take).

A source of the assert data holds a test and the method under test: its methods/s are about twice its extract/s.

The sets are Java methods of the translation and the assert data (`--data`; left out where the folder is not there) and
the Python files of the installed networkx. Then come series of generated programs whose size or nesting doubles: for
linear work the time doubles as well.

Times are of the processor, not of the clock, so that other programs count little; those of a set are the median of the
rounds, in each of which all take their turn. Exit code 0.
"""
from __future__ import annotations

import argparse
import gc
import gzip
import importlib.util
import json
import os
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from cpg import extract

JAVA_SETS = {"translation, test": "translation/test.jsonl.gz", "assert, test": "assert/test.jsonl.gz"}
METHOD = """
    int method{0}(int a, String[] names) {{
        int sum = 0;
        for (int i = 0; i < a && names != null; i++) {{
            if (names[i].isEmpty()) continue;
            sum += this.method{0}(i, names) + names[i].length();
        }}
        try {{ return check(sum); }} catch (RuntimeException e) {{ log(e); }}
        return sum;
    }}
"""
FUNCTION = """
def function{0}(a, names):
    total = 0
    for i, name in enumerate(names):
        if not name or i > a:
            continue
        total += function{0}(i, names) + len(name)
    return [total for name in names if name]
"""
SIZES: dict[str, tuple[str, Callable[[int], str]]] = {
    "Java class": ("java", lambda size: _repeated(METHOD, size, "class A {", "}")),
    "Python module": ("python", lambda size: _repeated(FUNCTION, size)),
    "Java statements": ("java", lambda size: _repeated("x{0} = f(x, y);\n", size, "void f() {", "}")),
    "Java ifs": ("java", lambda size: _repeated("if (a{0}) {{ int z = f(x); g(z); }}\n", size, "void f() {", "}")),
}
"""Name -> language, and a program of about so many bytes."""
DEPTHS: dict[str, tuple[str, Callable[[int], str]]] = {
    "Java parentheses": ("java", lambda depth: "int x = " + "(" * depth + "1" + ")" * depth + ";"),
    "Java blocks": ("java", lambda depth: "void f() {" + "{x = 1;" * depth + "}" * depth + "}"),
    "Java ifs": ("java", lambda depth: "if (a) { x = y;" * depth + "}" * depth),
    "Java lambdas": ("java", lambda depth: "x = " + "() -> " * depth + "1;"),
    "Python lists": ("python", lambda depth: "x = " + "[" * depth + "1" + "]" * depth),
}
"""Name -> language, and a program nested so deep."""


def _repeated(text: str, size: int, before: str = "", after: str = "") -> str:
    count = max(1, size // len(text.format(0)))
    return before + "".join(text.format(number) for number in range(count)) + after


def java_sources(path: Path, limit: int) -> list[str]:
    """The first sources of a data file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line)["source"] for _, line in zip(range(limit), lines)]


def python_sources(limit: int) -> list[str]:
    """Every so many files of the installed networkx, without its tests."""
    spec = importlib.util.find_spec("networkx")
    paths = sorted(path for path in Path(spec.origin).parent.rglob("*.py") if "tests" not in path.parts)
    return [path.read_text(encoding="utf-8") for path in paths[:: max(1, len(paths) // limit)][:limit]]


def walker(language: str) -> Callable[[str], int]:
    """A function that parses and passes all nodes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # tree-sitter-languages builds its languages in a deprecated way
        from tree_sitter_languages import get_parser

        parser = get_parser(language)

    def walk(code: str) -> int:
        cursor = parser.parse(code.encode()).walk()
        count = 0
        while True:
            node = cursor.node
            count += node.type is not None and node.end_byte >= node.start_byte
            if not cursor.goto_first_child():
                while not cursor.goto_next_sibling():
                    if not cursor.goto_parent():
                        return count

    return walk


def data_flow_extractor(language: str) -> Callable[[str], list]:
    """CodeBLEU's extractor of data flow."""
    from codebleu.dataflow_match import get_data_flow

    from tasks.code_bleu import CodeBleuScorer

    parser = CodeBleuScorer(language).parser
    return lambda code: get_data_flow(code, parser)


def seconds(work: Callable[[str], object], sources: list[str]) -> float:
    """Processor time of one pass over the sources."""
    started = time.process_time()
    for source in sources:
        work(source)
    return time.process_time() - started


def compare(sources: list[str], language: str, rounds: int) -> dict[str, float]:
    """Seconds of a pass by contender: the median of the rounds, behind one that is not counted."""
    def graph(code: str) -> object:
        return extract(code, language)

    contenders = {"walk": walker(language), "extract": graph, "no gc": graph, "CodeBLEU": data_flow_extractor(language)}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, work in contenders.items():
            gc.collect()
            if name == "no gc":
                gc.disable()
            spent = seconds(work, sources)
            gc.enable()
            if number:
                times[name].append(spent)
    return {name: statistics.median(spent) for name, spent in times.items()}


COLUMNS = (
    "sources", "KB each", "walk/s", "extract/s", "no gc/s", "CodeBLEU/s", "in walks", "x CodeBLEU", "MB/s", "methods/s",
    "nodes/s", "edges/s",
)  # fmt: skip


def report_set(name: str, language: str, sources: list[str], rounds: int) -> None:
    """One line of the table of rates. In walks: what a graph costs; x CodeBLEU: how many times as fast it is made."""
    graphs = [extract(source, language) for source in sources]
    size = sum(len(source.encode()) for source in sources)
    nodes, edges = (sum(len(getattr(graph, column)) for graph in graphs) for column in ("nodes", "edges"))
    methods = sum(label == "METHOD" for graph in graphs for label in graph.nodes.label)
    del graphs
    times = {contender: max(spent, 1e-9) for contender, spent in compare(sources, language, rounds).items()}
    spent = times["extract"]
    rates = [f"{len(sources) / spent:,.0f}" for spent in times.values()]
    print(_row(
        name, len(sources), f"{size / len(sources) / 1000:.2f}", *rates, f"{spent / times['walk']:.1f}",
        f"{times['CodeBLEU'] / spent:.2f}", f"{size / spent / 1e6:.2f}", f"{methods / spent:,.0f}",
        f"{nodes / spent:,.0f}", f"{edges / spent:,.0f}",
    ), flush=True)  # fmt: skip


def _row(name: str, *cells: object) -> str:
    return f"{name:18}" + "".join(f"{cell:>12}" for cell in cells)


def report_series(title: str, programs: dict[str, tuple[str, Callable[[int], str]]], steps: list[int]) -> None:
    """Seconds by size or depth, and how they grow from step to step."""
    print(f"\n{title:26}" + "".join(f"{step:>11,}     " for step in steps))
    for name, (language, make) in programs.items():
        row, before = "", None
        for step in steps:
            spent = seconds(lambda code: extract(code, language), [make(step)])
            row += f"{spent:9.3f} s " + (f"x{spent / before:3.1f}" if before else "    ") + " "
            before = max(spent, 1e-9)
        print(f"{name:26}{row}", flush=True)


def doubling(largest: int, steps: int = 5) -> list[int]:
    """Numbers up to the largest, each twice the one before."""
    return [max(1, largest >> shift) for shift in reversed(range(steps))]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with translation/ and assert/")
    parser.add_argument("--limit", type=int, default=700, help="sources of a Java set; a tenth of that for Python files")
    parser.add_argument("--rounds", type=int, default=5, help="passes over a set, behind one that is not counted")
    parser.add_argument("--largest", type=int, default=1000, help="kilobytes of the largest generated program")
    parser.add_argument("--deepest", type=int, default=10_000, help="nesting of the deepest generated program")
    options = parser.parse_args(arguments)
    print(f"Python {platform.python_version()}, tree-sitter {version('tree-sitter')}, tree-sitter-languages "
          f"{version('tree-sitter-languages')}, codebleu {version('codebleu')}; {platform.machine()}, "
          f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; processor time, median of {options.rounds} rounds")
    print(_row("", *COLUMNS))
    for name, file in JAVA_SETS.items():
        path = options.data / file
        if path.is_file():
            report_set(name, "java", java_sources(path, options.limit), options.rounds)
        else:
            print(f"{name}: no file {path}; give the folder that holds {file} with --data", file=sys.stderr)
    report_set("networkx", "python", python_sources(max(1, options.limit // 10)), options.rounds)
    report_series("seconds by size in bytes", SIZES, doubling(options.largest * 1000))
    report_series("seconds by depth of nesting", DEPTHS, doubling(options.deepest))


if __name__ == "__main__":
    main()
