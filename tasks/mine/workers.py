"""Work over many small items, in this process or in several, with the results in the order of the items."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from tqdm import tqdm

from ..errors import MiningError

CHUNK = 32
"""Items that a process gets at once. It does not depend on the number of processes, and so no result does."""

FEW = 96
"""Of so few items a process of its own would take longer to start than to work."""

_WORK: Callable[[Sequence[Any]], Any] | None = None
"""What this worker process does; set once when it starts."""


def default_jobs() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def over_chunks(work: Callable[[Sequence[Any]], Any], items: Sequence[Any], jobs: int, description: str,
                progress: bool) -> Iterator[Any]:
    """What `work` makes of chunks of `items`, in their order. It may be left before the end.

    Args:
        work: something that can be sent to a process; it is sent once.
        jobs: processes; with one, or few items, everything is done in this one.

    Raises:
        MiningError: a process ended before its work.
    """
    chunks = [items[start:start + CHUNK] for start in range(0, len(items), CHUNK)]
    results = map(work, chunks) if jobs <= 1 or len(items) <= FEW else _in_processes(work, chunks, jobs)
    with tqdm(total=len(items), desc=description, unit="file", delay=2.0, leave=False, disable=None if progress else True) as bar:
        for chunk, result in zip(chunks, results):
            yield result
            bar.update(len(chunk))


def _in_processes(work: Callable[[Sequence[Any]], Any], chunks: list[Sequence[Any]], jobs: int) -> Iterator[Any]:
    executor = ProcessPoolExecutor(min(jobs, len(chunks)), multiprocessing.get_context("spawn"), _start, (work,))
    try:
        yield from executor.map(_run, chunks)
    except BrokenProcessPool as error:
        raise MiningError("a worker process ended before its work was done; expected it to finish: the machine may be out of "
                          "memory: try again with fewer processes (--jobs 1)") from error
    finally:
        executor.shutdown(cancel_futures=True)


def _start(work: Callable[[Sequence[Any]], Any]) -> None:
    global _WORK
    _WORK = work


def _run(chunk: Sequence[Any]) -> Any:
    return _WORK(chunk)
