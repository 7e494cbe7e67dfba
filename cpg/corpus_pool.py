"""LocalPool: chunks of tasks over worker processes of this machine.

The parent sends a worker one chunk at a time and reads one answer a task, so it always knows which task a
worker is at. A worker that takes longer than the limit for one task is killed; one that dies, whatever the
reason, has failed at that task. Either way only that task fails: a new worker goes on behind it.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path

from cpg.corpus_sources import Failure
from cpg.corpus_worker import Answer, Task, Work
from cpg.errors import CorpusEngineError

START_SECONDS = 120.0
"""A worker that is not ready by then will not be."""
STARTS = 3
"""Workers in a row that may die before they are ready."""
PROGRAM = (
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    "import json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "from cpg.corpus_worker import main; main(int(sys.argv[1]))"
)


@dataclass
class _Chunk:
    number: int
    tasks: list[Task]
    answers: list[Answer] = field(default_factory=list)


class _Worker:
    """A process and the socket to it."""

    def __init__(self, work: Work) -> None:
        ours, theirs = socket.socketpair()
        paths = [str(Path(__file__).resolve().parents[1]), *sys.path]
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, str(theirs.fileno()), json.dumps(paths)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        self.connection = Connection(ours.detach())
        self.ready = False
        self.chunk: _Chunk | None = None
        self.since = time.monotonic()
        """When it was started, or began with its present task."""
        try:
            self.connection.send(work)
        except OSError:  # it is dead already, which the next read shows
            pass
        except Exception as error:
            self.kill()
            raise CorpusEngineError(f"the function {work.extract!r} cannot be sent to workers: {error}; a module has to name it") from error

    def end(self, timeout: float) -> float:
        """When its time is over: for its task, or for getting ready."""
        if not self.ready:
            return self.since + START_SECONDS
        return self.since + timeout if self.chunk is not None else math.inf

    def kill(self, dying: bool = False) -> int:
        """End it at once; its exit status. One that is dying is given a second to end with its own status."""
        if dying:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(1.0)
        self.process.kill()
        status = self.process.wait()
        self.connection.close()
        return status


class LocalPool:
    """`submit` chunks while `free` > 0, `collect` finished ones in any order, `close` at the end.

    Args:
        work: what each worker does.
        jobs: number of processes; they start with the first chunk.
        timeout: seconds that one task may take.
    """

    def __init__(self, work: Work, jobs: int, timeout: float) -> None:
        if os.name != "posix":
            raise CorpusEngineError(f"worker processes need a POSIX system, this is {os.name!r}; run it there, or under WSL")
        self._work, self._jobs, self._timeout = work, jobs, timeout
        self._waiting: deque[_Chunk] = deque()
        self._workers: list[_Worker] = []
        self._done: list[_Chunk] = []
        self._failed_starts = 0

    @property
    def free(self) -> int:
        """Chunks that may be submitted now: one for each worker, and one more to go on with at once."""
        return 2 * self._jobs - len(self._waiting) - sum(worker.chunk is not None for worker in self._workers)

    @property
    def processes(self) -> list[int]:
        """Process ids of the workers."""
        return [worker.process.pid for worker in self._workers]

    def submit(self, number: int, tasks: list[Task]) -> None:
        """Take a chunk. Returns at once."""
        self._waiting.append(_Chunk(number, tasks))
        if len(self._workers) < self._jobs:
            self._workers.append(_Worker(self._work))
        self._assign()

    def collect(self) -> list[tuple[int, list[Answer]]]:
        """Wait until a chunk is done; the numbers and answers of all that are.

        Raises:
            CorpusEngineError: workers die before they can take a task.
        """
        while not self._done:
            self._step()
        done, self._done = self._done, []
        return [(chunk.number, chunk.answers) for chunk in done]

    def close(self) -> None:
        """Kill the workers. Unfinished chunks are dropped."""
        for worker in self._workers:
            worker.kill()
        self._workers.clear()

    def _step(self) -> None:
        """Wait for the next message, death or end of a time limit, and act on it."""
        now = time.monotonic()
        silent = {worker.connection: worker for worker in self._workers}
        limits = [worker.end(self._timeout) - now for worker in self._workers]
        limit = min(limits)
        for connection in wait(list(silent), None if limit == math.inf else max(0.0, limit)):
            self._read(silent.pop(connection))
        for worker in silent.values():
            if time.monotonic() > worker.end(self._timeout) and not worker.connection.poll():
                failure = Failure("timeout", f"took longer than {self._timeout:g} s; --timeout sets the limit")
                self._replace(worker, failure)
        self._assign()

    def _read(self, worker: _Worker) -> None:
        """Take the messages that are there."""
        try:
            while True:
                message = worker.connection.recv()
                worker.since = time.monotonic()
                if not worker.ready:
                    worker.ready, self._failed_starts = True, 0
                    return
                chunk = worker.chunk
                assert chunk is not None, "a worker answers only what it was asked"
                chunk.answers.append(message)
                if len(chunk.answers) == len(chunk.tasks):
                    self._done.append(chunk)
                    worker.chunk = None
                    return
                if not worker.connection.poll():
                    return
        except (EOFError, OSError):
            self._replace(worker, None)  # also one that dies idle: then no task has failed

    def _replace(self, worker: _Worker, failure: Failure | None) -> None:
        """A new worker for a dead or overdue one, which has failed at the task that it was at."""
        status = worker.kill(dying=failure is None)
        self._workers.remove(worker)
        if not worker.ready:
            self._failed_starts += 1
            if self._failed_starts >= STARTS:
                raise CorpusEngineError(
                    f"{STARTS} workers in a row were not ready to extract, the last one {_end(status)}; "
                    "see above for what they said, and run with fewer --jobs where memory is short"
                )
        chunk = worker.chunk
        if chunk is not None:
            chunk.answers.append(Answer(failure=failure or Failure("died", f"the worker process {_end(status)}")))
            if len(chunk.answers) == len(chunk.tasks):
                self._done.append(chunk)
            else:
                self._waiting.appendleft(chunk)
        self._workers.append(_Worker(self._work))

    def _assign(self) -> None:
        for worker in self._workers:
            if self._waiting and worker.ready and worker.chunk is None:
                chunk = self._waiting.popleft()
                worker.chunk, worker.since = chunk, time.monotonic()
                try:
                    worker.connection.send(chunk.tasks[len(chunk.answers) :])
                except OSError:  # it is dead, which the next read shows
                    pass


def _end(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    name = signal.Signals(-status).name if -status in set(signal.Signals) else str(-status)
    return f"was killed by {name}" + ("; where nobody sent it, memory ran out" if name == "SIGKILL" else "")
