"""Every code item of the data sets through the extractor: none may raise, and which share has diagnostics.

    PYTHONPATH=. python benchmarks/cpg_data_sets.py [--data ../shared/data] [--limit 1000] [--jobs 2]

An item is a text of code in one language: both sides of every task (for summarization only the source), the parts of the
assert rows, the corpora. A diagnostic says that the grammar did not take some of the text, or that it was not UTF-8.
Prints a table in Markdown; exit code 1 where an item raised.
"""
from __future__ import annotations

import argparse
import gzip
import json
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from cpg import extract

FIELDS = {
    "assert": {"source": "java", "target": "java", "test_method": "java", "focal_method": "java"},
    "repair": {"source": "java", "target": "java"},
    "summarization": {"source": "java"},
    "translation": {"source": "java", "target": "csharp"},
    "corpus/java_methods": {"code": "java"},
    "corpus/csharp_methods": {"code": "csharp"},
}
"""Set -> field of its rows -> language."""


def files_of(data: Path, name: str) -> list[Path]:
    folder = data / name
    return sorted(folder.glob("*.jsonl.gz")) if folder.is_dir() else [data / f"{name}.jsonl.gz"]


def items(data: Path, name: str, limit: int) -> Iterator[tuple[str, str]]:
    """(language, code) of at most `limit` rows of each file."""
    for path in files_of(data, name):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines):
                if limit and number >= limit:
                    break
                row = json.loads(line)
                yield from ((language, row[field]) for field, language in FIELDS[name].items() if row.get(field))


def examined(item: tuple[str, str]) -> tuple[str, int, bool]:
    """(kind of exception or "", nodes, whether there are diagnostics)."""
    language, code = item
    try:
        graph = extract(code, language)
    except Exception as error:
        return type(error).__name__, 0, False
    return "", len(graph.nodes), bool(graph.diagnostics)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with the data sets")
    parser.add_argument("--limit", type=int, default=0, help="rows of a file; 0: all")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    arguments = parser.parse_args()
    begun, failures, total = time.perf_counter(), Counter(), 0
    print("| set | items | nodes | with diagnostics |\n|---|---:|---:|---:|")
    with multiprocessing.Pool(arguments.jobs) as pool:
        for name in FIELDS:
            count = nodes = broken = 0
            for error, size, diagnosed in pool.imap_unordered(examined, items(arguments.data, name, arguments.limit), 500):
                count, nodes, broken = count + 1, nodes + size, broken + diagnosed
                failures[error] += bool(error)
            total += count
            print(f"| {name} | {count:,} | {nodes:,} | {broken / max(count, 1):.2%} |", flush=True)
    failures = +failures
    print(f"\n{total:,} items, {sum(failures.values())} exceptions {dict(failures) or ''}in {time.perf_counter() - begun:.0f} s")
    return int(bool(failures))


if __name__ == "__main__":
    raise SystemExit(main())
