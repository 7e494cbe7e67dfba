"""RayPool: chunks of tasks over the nodes of a Ray cluster.

Each actor takes one core of a node and runs a `LocalPool` of one process there, so time limits and deaths are
handled on the node, as on one machine. An actor or node that is lost takes no item with it: its chunks go to
others. Cache and output stay with the driver, so nodes need no shared folder; they need this package, in the
same version, and the grammar packages.
"""

from __future__ import annotations

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
"""Actors that a chunk may lose before its items fail, and that may be lost before the first answer."""


class NodeWorker:
    """What runs in an actor."""

    def __init__(self, work: Work, timeout: float) -> None:
        self._pool = LocalPool(work, 1, timeout)

    def run(self, tasks: list[Task]) -> tuple[str, list[Answer]]:
        """The versions of this node and the answers."""
        self._pool.submit(0, tasks)
        [(_, answers)] = self._pool.collect()
        return versions(), answers


def versions() -> str:
    """What has to be equal on every node, so that all graphs come from one extractor."""
    return "; ".join([*(f"{name} {extractor_version(name)}" for name in sorted(LANGUAGES)), grammar_version()])


@dataclass
class _Chunk:
    number: int
    tasks: list[Task]
    lost: int = 0


@dataclass
class _Actor:
    handle: Any
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
                self._ray.init(address=address, log_to_driver=False, logging_level="ERROR")
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise CorpusEngineError(f"no Ray cluster at {address!r}: {error}; see `ray status`") from error
        cores = int(self._ray.cluster_resources().get("CPU", 0))
        if cores < 1:
            raise CorpusEngineError("the Ray cluster has no CPU; start a node with --num-cpus")
        self._jobs = min(jobs or cores, cores)
        self._actor_class = self._ray.remote(num_cpus=1, max_restarts=0, scheduling_strategy="SPREAD")(NodeWorker)
        self._actors: list[_Actor] = []
        self._versions = versions()
        self._answered = False
        self._lost = 0

    @property
    def free(self) -> int:
        """Chunks that may be submitted now: each actor has one, and one to go on with."""
        return 2 * self._jobs - sum(len(actor.chunks) for actor in self._actors)

    def submit(self, number: int, tasks: list[Task]) -> None:
        """Take a chunk. Returns at once."""
        if len(self._actors) < self._jobs:
            self._actors.append(self._new_actor())
        self._send(_Chunk(number, tasks))

    def collect(self) -> list[tuple[int, list[Answer]]]:
        """Wait until a chunk is done; the numbers and answers of all that are.

        Raises:
            CorpusEngineError: actors are lost before the first answer, or a node has other versions.
        """
        done: list[tuple[int, list[Answer]]] = []
        while not done:
            references = [reference for actor in self._actors for reference in actor.chunks]
            ready, _ = self._ray.wait(references, num_returns=1)
            more, _ = self._ray.wait(references, num_returns=len(references), timeout=0)
            for reference in {*ready, *more}:
                done += self._take(reference)
        return done

    def close(self) -> None:
        """End the actors; the cluster goes on unless this pool started it."""
        for actor in self._actors:
            self._ray.kill(actor.handle)
        self._actors.clear()
        if self._starts_ray:
            self._ray.shutdown()

    def _take(self, reference: Any) -> list[tuple[int, list[Answer]]]:
        actor = next((actor for actor in self._actors if reference in actor.chunks), None)
        if actor is None:  # its actor was lost and it was sent to another one
            return []
        try:
            found, answers = self._ray.get(reference)
        except self._ray.exceptions.RayActorError as error:
            return self._replace(actor, error)
        except self._ray.exceptions.RayError as error:
            raise CorpusEngineError(f"a Ray node cannot extract: {error}") from error
        if found != self._versions:
            raise CorpusEngineError(
                f"a Ray node extracts with [{found}], this machine with [{self._versions}]; install the same versions on every node"
            )
        self._answered = True
        return [(actor.chunks.pop(reference).number, answers)]

    def _replace(self, actor: _Actor, error: Exception) -> list[tuple[int, list[Answer]]]:
        """Send the chunks of a lost actor to another; those that have lost too many fail."""
        self._lost += 1
        if not self._answered and self._lost >= TRIES:
            raise CorpusEngineError(f"Ray actors end before they extract: {error}") from error
        self._actors[self._actors.index(actor)] = self._new_actor()
        chunks = list(actor.chunks.values())
        chunks[0].lost += 1
        failed = []
        for chunk in chunks:
            if chunk.lost < TRIES:
                self._send(chunk)
            else:
                message = f"{TRIES} Ray actors were lost while they had it: {' '.join(str(error).split())}"[:500]
                failed.append((chunk.number, [Answer(failure=Failure("node", message))] * len(chunk.tasks)))
        return failed

    def _send(self, chunk: _Chunk) -> None:
        actor = min(self._actors, key=lambda actor: len(actor.chunks))
        actor.chunks[actor.handle.run.remote(chunk.tasks)] = chunk

    def _new_actor(self) -> _Actor:
        return _Actor(self._actor_class.remote(self._work, self._timeout))
