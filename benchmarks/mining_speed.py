"""How fast `mine:` reads source trees, and how much memory it takes.

    PYTHONPATH=. python benchmarks/mining_speed.py TREE... [--task assert summarize] [--language python] [--jobs 1]

For each task: files read, seconds for the two passes over the files (declarations, rows) and for what comes behind (groups,
near duplicates, splits), files a second and core, and the largest memory of this process and of a worker. With one process,
`--profile` prints where the time of the two passes goes.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import resource
import time
from contextlib import nullcontext

from tasks import get_task
from tasks.errors import TaskError
from tasks.mine.build import split_rows
from tasks.mine.language_miner import MINERS, miner_of
from tasks.mine.row_store import RowStore
from tasks.mine.rows import FILE_TASKS, file_rows, indexed
from tasks.mine.tree import find_trees


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trees", nargs="+", metavar="TREE")
    parser.add_argument("--task", nargs="+", default=list(FILE_TASKS), choices=FILE_TASKS)
    parser.add_argument("--language", default="python", choices=sorted(MINERS))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--profile", action="store_true", help="with one process: print where the time goes")
    options = parser.parse_args()
    for task in options.task:
        measure(task, options)
    return 0


def measure(task: str, options: argparse.Namespace) -> None:
    """Prints one line for a task."""
    times = [time.perf_counter()]
    profile = cProfile.Profile() if options.profile else nullcontext()
    with profile:
        trees = find_trees(",".join(options.trees))
        index, account = indexed(trees, miner_of(options.language), options.jobs, False)
        times.append(time.perf_counter())
        rows = RowStore(get_task(task))
        for row in file_rows(task, index, account, options.jobs, None, False):
            rows.append(row)
    times.append(time.perf_counter())
    try:
        split_rows(rows, False)
    except TaskError as error:
        print(error)
    times.append(time.perf_counter())
    first, second, behind = (after - before for before, after in zip(times, times[1:]))
    files = sum(account.files.values())
    memory, workers = (resource.getrusage(who).ru_maxrss // 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(f"{task}: {files} files, {account.found} found, {len(rows)} rows; declarations {first:.2f} s, rows {second:.2f} s, behind "
          f"{behind:.2f} s; {files / (first + second) / options.jobs:.0f} files/s and core; memory {memory} MB, workers {workers} MB")
    if options.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    raise SystemExit(main())
