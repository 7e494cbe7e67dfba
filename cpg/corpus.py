"""build_corpus: the graphs of many files or data-set columns, in one file.

    from cpg.corpus import build_corpus
    from cpg.corpus_sources import Columns, Sources

    data = Sources(["train.jsonl.gz"], Columns((("source", "java"), ("target", "csharp"))))
    summary = build_corpus(data, "graphs.jsonl.zst", jobs=8, cache="graph-cache")

The parent reads items, looks them up in the cache, hands the rest to an engine (worker processes of this
machine, or of a Ray cluster), stores what comes back and writes it in the order of the items. So the output
depends on the items alone: not on the number of workers, nor on what the cache held. At any moment it holds
only a bounded number of items; beyond that its memory grows by 40 to 100 bytes an item, for the index of the
cache and the set of items seen.

Stopped at any moment, by a kill too, the same call goes on: finished graphs are in the cache.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

from cpg.cache import GraphCache, cache_key
from cpg.corpus_files import OutputFiles
from cpg.corpus_output import WRITERS, GraphWriter, format_of
from cpg.corpus_sources import Failure, Item, Sources
from cpg.corpus_worker import Answer, Extract, Task, Work
from cpg.errors import CorpusArgumentError, CorpusOutputError, unknown_name
from cpg.extraction import extract as cpg_extract
from cpg.key_table import KeyTable

CHUNK_ITEMS = 32
CHUNK_BYTES = 128 << 10
"""A chunk is what a worker gets at once: this many items, or this much code."""
HELD_BYTES = 64 << 20
"""Finished output that waits for an item before it. Beyond that no new chunk is begun."""
HELD_CHUNKS = 256
"""Chunks in order of the input that are not written yet."""


class Engine(Protocol):
    """Where tasks run; `cpg.corpus_pool.LocalPool` is the pattern."""

    @property
    def free(self) -> int:
        """Chunks that may be submitted now."""

    def submit(self, number: int, tasks: list[Task]) -> None:
        """Take a chunk. Returns at once."""

    def collect(self) -> list[tuple[int, list[Answer]]]:
        """Wait until a submitted chunk is done; the numbers and answers of all that are."""

    def close(self) -> None:
        """Stop and drop what is unfinished."""


@dataclass
class Summary:
    """What a run did. `items = extracted + from_cache + failed`."""

    items: int = 0
    distinct: int = 0
    """Different texts, by language, among the items that could be read."""
    extracted: int = 0
    from_cache: int = 0
    """Graphs that were in the cache, or that an equal item of this run had put there."""
    failed: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    """Failed items by kind."""
    damaged: int = 0
    """Cache entries that failed their checksum; their items were extracted again."""
    nodes: int = 0
    edges: int = 0
    with_diagnostics: int = 0
    """Items with at least one diagnostic."""
    diagnostics: dict[str, int] = field(default_factory=dict)
    """Items with a diagnostic of each kind."""
    seconds: float = 0.0
    output: str = ""
    failures_file: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Everything, with items a second and the shares of the items that have a graph."""
        graphs = max(1, self.extracted + self.from_cache)
        shares = {kind: round(count / graphs, 6) for kind, count in sorted(self.diagnostics.items())}
        return {
            **vars(self),
            "seconds": round(self.seconds, 3),
            "items_per_second": round(self.items / self.seconds, 1) if self.seconds else 0.0,
            "share_with_diagnostics": round(self.with_diagnostics / graphs, 6),
            "share_by_kind": shares,
        }


def build_corpus(
    sources: Sources,
    output: str | Path,
    *,
    jobs: int | None = None,
    cache: str | Path | None = None,
    timeout: float = 10.0,
    engine: str = "local",
    address: str | None = None,
    extract: Extract = cpg_extract,
    progress: Callable[[int], None] | None = None,
) -> Summary:
    """Write the graphs of all items of `sources` to `output`, see `cpg.corpus_output` for the formats.

    Items that fail go to `output` + ".failures.jsonl" (id, origin, kind, message) and stop nothing.

    Args:
        jobs: worker processes; default: one for each core (of the cluster, with Ray).
        cache: folder of a `GraphCache`; without it a run that is stopped begins anew.
        timeout: seconds that one item may take.
        engine: "local", or "ray" for a Ray cluster.
        address: of the Ray cluster, as `ray.init` takes it.
        extract: what makes a graph; found by its name in the workers. A cache takes it for `cpg.extract`.
        progress: called with the number of items just written.

    Raises:
        CorpusSourceError, UnknownLanguageError: see `Sources.check`.
        CorpusOutputError: no such format, or the output or the cache folder cannot be written.
        CorpusArgumentError: no such engine, an address without one, or a time limit below 0.
        CorpusEngineError: the workers of the engine cannot be started or cannot go on.
        MissingPackageError: a file type or the engine needs a package.
    """
    started = time.monotonic()
    if engine not in ENGINES:
        raise CorpusArgumentError(unknown_name("engine", engine, ENGINES))
    if timeout <= 0:
        raise CorpusArgumentError(f"the time limit is {timeout:g} s, expected more than 0")
    sources.check()
    make_writer = WRITERS[format_of(output)]
    with OutputFiles(Path(output)) as files, _opened_cache(cache) as graphs:
        writer = make_writer(files.graphs)
        try:
            work = Work(extract, writer.render, keeps=graphs is not None)
            pool = ENGINES[engine](work, jobs, timeout, address)
            try:
                run = _Run(pool, graphs, writer, files.failures, progress)
                summary = run.over(sources)
            finally:
                pool.close()
        finally:
            writer.close()
        summary.output, summary.failures_file = str(output), files.commit()
    summary.seconds = time.monotonic() - started
    return summary


def _opened_cache(folder: str | Path | None) -> Any:
    if folder is None:
        return contextlib.nullcontext()
    try:
        return GraphCache(folder)
    except OSError as error:
        raise CorpusOutputError(f"cannot use the cache folder {str(folder)!r}: {error.strerror}") from error


def default_jobs() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _local(work: Work, jobs: int | None, timeout: float, address: str | None) -> Engine:
    from cpg.corpus_pool import LocalPool

    if address is not None:
        raise CorpusArgumentError("an address is for --engine ray; the local engine takes none")
    return LocalPool(work, jobs or default_jobs(), timeout)


def _ray(work: Work, jobs: int | None, timeout: float, address: str | None) -> Engine:
    from cpg.corpus_ray import RayPool

    return RayPool(work, jobs, timeout, address)


ENGINES: dict[str, Callable[[Work, int | None, float, str | None], Engine]] = {"local": _local, "ray": _ray}


# ---------------------------------------------------------------------------------------------- the run
@dataclass
class _Chunk:
    """Consecutive items and what became of them."""

    items: list[Item] = field(default_factory=list)
    answers: list[Answer | None] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    task_slots: list[int] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)
    """Of the tasks."""
    missing: int = 0
    bytes: int = 0


class _Run:
    """One pass over the items."""

    def __init__(
        self,
        engine: Engine,
        cache: GraphCache | None,
        writer: GraphWriter,
        failures: IO[bytes],
        progress: Callable[[int], None] | None,
    ) -> None:
        self._engine, self._cache, self._writer, self._failures = engine, cache, writer, failures
        self._progress = progress
        self._summary = Summary()
        self._seen = KeyTable()
        self._failed: dict[bytes, Failure] = {}
        """So that code that kills or stalls a worker does it once."""
        self._awaited: dict[bytes, list[tuple[_Chunk, int]]] = {}
        """Key of a task that is not answered -> places of equal items, which take the same answer."""
        self._unwritten: deque[_Chunk] = deque()
        self._submitted: dict[int, _Chunk] = {}
        self._number = 0
        self._held = 0

    def over(self, items: Iterable[Item]) -> Summary:
        """Do them all."""
        chunk = _Chunk()
        for item in items:
            self._place(item, chunk)
            if len(chunk.items) >= CHUNK_ITEMS or chunk.bytes >= CHUNK_BYTES:
                self._submit(chunk)
                chunk = _Chunk()
        self._submit(chunk)
        while self._submitted:
            self._collect()
        assert not self._unwritten, "every item is written"
        if self._cache is not None:
            self._summary.damaged = self._cache.damaged
        return self._summary

    def _place(self, item: Item, chunk: _Chunk) -> None:
        """Give the item its place in the chunk: with an answer, waiting for an equal item's, or as a task."""
        slot = len(chunk.items)
        chunk.items.append(item)
        chunk.answers.append(None)
        if item.code is None:
            chunk.answers[slot] = Answer(failure=item.failure)
            return
        key = cache_key(item.code, item.language)
        chunk.bytes += len(item.code)
        self._summary.distinct += self._seen.add(int.from_bytes(key[:8], "big"))
        if key in self._failed:
            chunk.answers[slot] = Answer(failure=self._failed[key])
            return
        chunk.missing += 1
        if key in self._awaited:
            self._awaited[key].append((chunk, slot))
            return
        packed = None
        if self._cache is not None:
            packed = self._cache.read(key)
            self._awaited[key] = []
        chunk.tasks.append(Task(item.code, item.language, packed))
        chunk.task_slots.append(slot)
        chunk.keys.append(key)

    def _submit(self, chunk: _Chunk) -> None:
        self._unwritten.append(chunk)
        while self._submitted and (
            self._engine.free <= 0 or self._held > HELD_BYTES or len(self._unwritten) > HELD_CHUNKS
        ):
            self._collect()
        if chunk.tasks:
            self._submitted[self._number] = chunk
            self._engine.submit(self._number, chunk.tasks)
            self._number += 1
        self._write()

    def _collect(self) -> None:
        """Take finished chunks: store their graphs, give equal items the same answers, write what is next."""
        fresh: list[tuple[bytes, bytes]] = []
        for number, answers in self._engine.collect():
            chunk = self._submitted.pop(number)
            for slot, key, answer in zip(chunk.task_slots, chunk.keys, answers, strict=True):
                self._answer(chunk, slot, answer)
                if answer.failure is not None:
                    self._failed[key] = answer.failure
                elif answer.packed is not None:
                    fresh.append((key, answer.packed))
                for other, place in self._awaited.pop(key, ()):
                    again = Answer(False, None, answer.text, answer.nodes, answer.edges, answer.diagnostics, answer.failure)
                    self._answer(other, place, again)
            chunk.tasks = []
        if fresh and self._cache is not None:
            self._cache.write(fresh)
        self._write()

    def _answer(self, chunk: _Chunk, slot: int, answer: Answer) -> None:
        chunk.answers[slot] = answer
        chunk.missing -= 1
        self._held += len(answer.text)

    def _write(self) -> None:
        """Write the chunks at the front that are complete."""
        while self._unwritten and not self._unwritten[0].missing:
            chunk = self._unwritten.popleft()
            for item, answer in zip(chunk.items, chunk.answers):
                assert answer is not None, "the chunk is complete"
                self._held -= len(answer.text)
                self._count(answer)
                if answer.failure is None:
                    self._writer.write(item, answer.text)
                else:
                    row = {"id": item.id, "origin": item.origin, **asdict(answer.failure)}
                    self._failures.write(json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
            if self._progress is not None:
                self._progress(len(chunk.items))

    def _count(self, answer: Answer) -> None:
        summary = self._summary
        summary.items += 1
        if answer.failure is not None:
            summary.failed += 1
            summary.failures[answer.failure.kind] = summary.failures.get(answer.failure.kind, 0) + 1
            return
        summary.extracted += answer.fresh
        summary.from_cache += not answer.fresh
        summary.nodes += answer.nodes
        summary.edges += answer.edges
        summary.with_diagnostics += bool(answer.diagnostics)
        for kind in answer.diagnostics:
            summary.diagnostics[kind] = summary.diagnostics.get(kind, 0) + 1
