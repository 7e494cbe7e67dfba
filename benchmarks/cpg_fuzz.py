"""Damaged code of every language: no exception, no hang, every graph sound.

    PYTHONPATH=. python benchmarks/cpg_fuzz.py [--items 100000] [--languages java python] [--jobs 2] [--seed 0]

Mutants (`tests/cpg/mutants.py`) of the examples of SPEC.md and the pages of languages, of the tests' programs, of what
comes with Python, and of the data sets under `--data` where there are any. Item number, seed and seeds decide a mutant.
A process that takes more than `--limit` seconds for an item is ended and counted as a hang, one that dies as a crash.
Every graph has to pass `check()`, every fiftieth has to come out the same a second time and survive JSON.

What failed is written to `--output`: the bytes, shortened while the same exception remains, and the traceback. Exit
code 1 where anything failed.
"""
from __future__ import annotations

import argparse
import itertools
import multiprocessing
import random
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cpg
from cpg import CodePropertyGraph, extract
from tests.cpg.mutants import more_seeds, random_mutant, seeds

EVERY = 50


@dataclass
class Items:
    """All items of a run: number i is a mutant of the language i modulo their number."""

    languages: list[str]
    seed: int
    data: Path
    found: dict[str, list[bytes]] | None = None

    def item(self, number: int) -> tuple[str, bytes]:
        """The language and the mutant."""
        if self.found is None:
            self.found = {name: seeds(name) + more_seeds(name, self.data, 400) for name in self.languages}
        language = self.languages[number % len(self.languages)]
        return language, random_mutant(self.found[language], random.Random(f"{self.seed} {language} {number}"))


def _hold(language: str, code: bytes, twice: bool) -> int:
    """Extract and check; the number of diagnostics."""
    graph = extract(code, language)
    graph.check()
    length = len(graph.code.encode())
    assert all(0 <= d.start_byte <= d.end_byte <= length for d in graph.diagnostics), "a diagnostic lies outside the text"
    if twice:
        assert extract(code, language) == graph, "a second extraction gives another graph"
        assert CodePropertyGraph.from_json(graph.to_json()) == graph, "JSON gives another graph"
    return len(graph.diagnostics)


def _work(items: Items, numbers: list[int], current, started, results) -> None:
    """Go through items; what is at work stands in `current` and `started`, what is done goes to `results`."""
    for number in numbers:
        current.value, started.value = number, time.monotonic()
        language, code = items.item(number)
        before = time.process_time()
        broken, error = 0, ""
        try:
            broken = _hold(language, code, number // len(items.languages) % EVERY == 0)
        except Exception:
            error = traceback.format_exc()
        results.send((number, time.process_time() - before, broken, error))
    current.value = -1
    results.close()


class Run:
    """Counts, and the folder for what failed."""

    def __init__(self, items: Items, limit: float, output: Path) -> None:
        self.items = items
        self.limit = limit
        self.output = output
        self.done = {language: 0 for language in items.languages}
        self.broken = dict(self.done)
        self.seconds = {language: 0.0 for language in items.languages}
        self.slowest = {language: (0.0, -1) for language in items.languages}
        self.failures: list[str] = []

    def take(self, number: int, seconds: float, broken: int, error: str) -> None:
        """Count one item."""
        language = self.items.languages[number % len(self.items.languages)]
        self.done[language] += 1
        self.broken[language] += bool(broken)
        self.seconds[language] += seconds
        self.slowest[language] = max(self.slowest[language], (seconds, number))
        if error:
            self.fail(number, "exception", error)

    def fail(self, number: int, kind: str, error: str = "") -> None:
        """Write down an item that failed."""
        language, code = self.items.item(number)
        if error:
            code = shortened(language, code, error.strip().splitlines()[-1])
        self.output.mkdir(parents=True, exist_ok=True)
        name = self.output / f"{language}-{self.items.seed}-{number}"
        name.with_suffix(".code").write_bytes(code)
        name.with_suffix(".txt").write_text(f"{kind}\n{error}")
        last = error.strip().splitlines()[-1:] or [""]
        self.failures.append(f"{kind}: {language}, item {number}, {len(code)} bytes in {name}.code {last[0]}")
        print(self.failures[-1], flush=True)

    def lane(self, numbers: list[int]) -> Iterator[bool]:
        """One process after the other over these items; yields whenever it waits."""
        context = multiprocessing.get_context("spawn")
        while numbers:
            current, started = context.Value("q", -1), context.Value("d", time.monotonic() + 60)
            receiver, sender = context.Pipe(duplex=False)
            process = context.Process(target=_work, args=(self.items, numbers, current, started, sender), daemon=True)
            process.start()
            sender.close()
            finished, hung = set(), False
            while True:
                try:
                    while receiver.poll(0.05):
                        result = receiver.recv()
                        finished.add(result[0])
                        self.take(*result)
                        yield True
                except EOFError:
                    break
                if time.monotonic() - started.value > self.limit and current.value not in finished:
                    hung = True
                    process.kill()
                yield True
            process.join()
            numbers = [number for number in numbers if number not in finished]
            if numbers:
                self.fail(numbers.pop(0), "hang" if hung else f"crash with exit code {process.exitcode}")

    def report(self) -> None:
        print(f"{'language':12}{'items':>8}{'broken':>9}{'ms each':>9}{'slowest ms':>12}  item")
        for language, count in self.done.items():
            seconds, number = self.slowest[language]
            mean = self.seconds[language] / max(count, 1) * 1000
            share = self.broken[language] / max(count, 1)
            print(f"{language:12}{count:8}{share:9.1%}{mean:9.2f}{seconds * 1000:12.0f}  {number}")
        print(f"{sum(self.done.values())} items, {len(self.failures)} failures")


def shortened(language: str, code: bytes, message: str, attempts: int = 400) -> bytes:
    """A shorter text with the same last line of the traceback: pieces are left out while that helps."""

    def fails(text: bytes) -> bool:
        try:
            _hold(language, text, True)
        except Exception as error:
            return traceback.format_exception_only(error)[-1].strip().split(" ")[0] == message.split(" ")[0]
        return False

    size = len(code) // 2
    while size and attempts > 0:
        for start in range(0, len(code), size):
            attempts -= 1
            shorter = code[:start] + code[start + size :]
            if attempts > 0 and fails(shorter):
                code = shorter
                break
        else:
            size //= 2
    return code


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=100_000, help="mutants over all languages")
    parser.add_argument("--first", type=int, default=0, help="number of the first item")
    parser.add_argument("--languages", nargs="*", choices=sorted(cpg.LANGUAGES), default=sorted(cpg.LANGUAGES))
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=10, help="seconds for an item")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with data sets, may be absent")
    parser.add_argument("--output", type=Path, default=Path("fuzz-failures"), help="folder for what failed")
    arguments = parser.parse_args()
    begun = time.perf_counter()
    run = Run(Items(arguments.languages, arguments.seed, arguments.data), arguments.limit, arguments.output)
    numbers = list(range(arguments.first, arguments.first + arguments.items))
    lanes = [run.lane(numbers[job :: arguments.jobs]) for job in range(arguments.jobs)]
    for beat in itertools.count():
        lanes = [lane for lane in lanes if next(lane, False)]
        if not lanes:
            break
        if beat % 500 == 0 and sys.stderr.isatty():
            print(f"\r{sum(run.done.values())} of {arguments.items}", end="", file=sys.stderr, flush=True)
    run.report()
    print(f"{time.perf_counter() - begun:.0f} s")
    return int(bool(run.failures))


if __name__ == "__main__":
    sys.exit(main())
