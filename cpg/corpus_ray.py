"""RayPool: chunks of tasks over the nodes of a Ray cluster.

Each actor takes one core of a node and runs a `LocalPool` of one process there, so time limits and deaths are
handled on the node, as on one machine. An actor or node that is lost takes no item with it: its chunks go to
others. Cache and output stay with the driver, so nodes need no shared folder; they need this package, in the
same version, and the grammar packages.
"""

from __future__ import annotations

import re
import socket
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from cpg.corpus_pool import LocalPool
from cpg.corpus_sources import Failure
from cpg.corpus_worker import Answer, Task, Work
from cpg.errors import CorpusEngineError
from cpg.languages import LANGUAGES
from cpg.packages import need
from cpg.version import extractor_version, grammar_version

TRIES = 3
"""Actors that a chunk may lose before its items fail, and that each worker may lose without an answer between."""

PLACE_SECONDS = 300.0
"""How long to wait for a place on the cluster while no actor runs."""

CONNECT_SECONDS = 10.0


class NodeWorker:
    """What runs in an actor."""

    def __init__(self, work: Work, timeout: float) -> None:
        self._pool = LocalPool(work, 1, timeout)

    def versions(self) -> str:
        """What this node extracts with."""
        return versions()

    def run(self, tasks: list[Task]) -> list[Answer]:
        """The answers, in order."""
        self._pool.submit(0, tasks)
        [(_, answers)] = self._pool.collect()
        return answers


def versions() -> str:
    """What has to be equal on every node, so that all graphs come from one extractor."""
    return "; ".join([*(f"{name} {extractor_version(name)}" for name in sorted(LANGUAGES)), grammar_version()])


def _reach(address: str | None) -> None:
    """Find out whether somebody listens at HOST:PORT; Ray itself tries for minutes. Raises OSError."""
    found = re.fullmatch(r"(?:ray://)?\[?([^/]+?)\]?:(\d+)", address or "")
    if found:
        socket.create_connection((found[1], int(found[2])), timeout=CONNECT_SECONDS).close()


@dataclass
class _Chunk:
    number: int
    tasks: list[Task]
    lost: int = 0
    """Actors that were lost while they had it."""


@dataclass
class _Actor:
    handle: Any
    starting: Any
    """The reference that says that it runs; None when it does. Where the cluster has no place it never does."""
    chunks: dict[Any, _Chunk] = field(default_factory=dict)
    """By the reference of their result, in order."""


class RayPool:
    """An engine as `LocalPool`.

    Args:
        work, timeout: as there.
        jobs: number of actors; default: the cores of the cluster.
        address: as `ray.init` takes it; None: the cluster of RAY_ADDRESS, or a new one on this machine.
    """

    def __init__(self, work: Work, jobs: int | None, timeout: float, address: str | None) -> None:
        self._ray = need("ray", "the engine ray", "ray")
        self._work, self._timeout = work, timeout
        self._starts_ray = not self._ray.is_initialized()
        if self._starts_ray:
            try:
                _reach(address)
                self._ray.init(address=address, log_to_driver=False, logging_level="ERROR")
            except (OSError, RuntimeError, ValueError) as error:
                raise CorpusEngineError(f"no Ray cluster at {address!r}: {error}; see `ray status`") from error
        cores = int(self._ray.cluster_resources().get("CPU", 0))
        if cores < 1:
            raise CorpusEngineError("the Ray cluster has no CPU; start a node with --num-cpus")
        self._jobs = min(jobs or cores, cores)
        self._actor_class = self._ray.remote(num_cpus=1, max_restarts=0, scheduling_strategy="SPREAD")(NodeWorker)
        self._actors: list[_Actor] = []
        self._waiting: deque[_Chunk] = deque()
        self._done: list[tuple[int, list[Answer]]] = []
        self._versions = versions()
        self._lost = 0
        """Actors lost since the last answer."""

    @property
    def free(self) -> int:
        """Chunks that may be submitted now: each actor has one, and one to go on with."""
        return 2 * self._jobs - len(self._waiting) - sum(len(actor.chunks) for actor in self._actors)

    def submit(self, number: int, tasks: list[Task]) -> None:
        """Take a chunk. Returns at once."""
        if len(self._actors) < self._jobs:
            self._actors.append(self._new_actor())
        self._waiting.append(_Chunk(number, tasks))
        self._assign()

    def collect(self) -> list[tuple[int, list[Answer]]]:
        """Wait until a chunk is done; the numbers and answers of all that are.

        Raises:
            CorpusEngineError: actors are lost one after the other, or find no place, or a node has other versions.
        """
        while not self._done:
            self._step()
        done, self._done = self._done, []
        return done

    def close(self) -> None:
        """End the actors; the cluster goes on unless this pool started it."""
        for actor in self._actors:
            self._ray.kill(actor.handle)
        self._actors.clear()
        if self._starts_ray:
            self._ray.shutdown()

    def _step(self) -> None:
        """Wait for the next answer, start or loss of an actor, and act on it."""
        references = {reference: actor for actor in self._actors for reference in actor.chunks}
        references.update((actor.starting, actor) for actor in self._actors if actor.starting is not None)
        runs = any(actor.starting is None for actor in self._actors)
        ready, _ = self._ray.wait(list(references), num_returns=1, timeout=None if runs else PLACE_SECONDS)
        if not ready:
            raise CorpusEngineError(f"no Ray node had a free CPU for {PLACE_SECONDS:g} s; see `ray status`")
        for reference in ready:
            self._take(references[reference], reference)
        self._assign()

    def _take(self, actor: _Actor, reference: Any) -> None:
        try:
            value = self._ray.get(reference)
        except self._ray.exceptions.RayActorError as error:
            self._replace(actor, error)
            return
        except self._ray.exceptions.RayError as error:
            raise CorpusEngineError(f"a Ray node cannot extract: {error}") from error
        if reference is actor.starting:
            actor.starting = None
            if value != self._versions:
                raise CorpusEngineError(
                    f"a Ray node extracts with [{value}], this machine with [{self._versions}]; "
                    "install the same versions on every node"
                )
        else:
            self._lost = 0
            self._done.append((actor.chunks.pop(reference).number, value))

    def _replace(self, actor: _Actor, error: Exception) -> None:
        """A new actor for a lost one. Its chunks go to the others first; one that has lost too many fails."""
        self._lost += 1
        if self._lost > TRIES * self._jobs:
            raise CorpusEngineError(f"Ray actors end one after the other: {error}") from error
        self._actors[self._actors.index(actor)] = self._new_actor()
        for position, chunk in enumerate(actor.chunks.values()):
            chunk.lost += position == 0  # the others had only waited there
            if chunk.lost < TRIES:
                self._waiting.append(chunk)
            else:
                message = f"{TRIES} Ray actors were lost while they had it: {' '.join(str(error).split())}"[:500]
                self._done.append((chunk.number, [Answer(failure=Failure("node", message))] * len(chunk.tasks)))

    def _assign(self) -> None:
        """Chunks to the actors that run and have the fewest."""
        running = [actor for actor in self._actors if actor.starting is None]
        while self._waiting and running:
            actor = min(running, key=lambda actor: len(actor.chunks))
            if len(actor.chunks) >= 2:
                return
            chunk = self._waiting.popleft()
            actor.chunks[actor.handle.run.remote(chunk.tasks)] = chunk

    def _new_actor(self) -> _Actor:
        handle = self._actor_class.remote(self._work, self._timeout)
        return _Actor(handle, handle.versions.remote())
