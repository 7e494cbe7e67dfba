"""The queue: requests that wait are answered together, by one thread.

A batch starts with the request that has waited longest, and takes others with the same number of beams, in the order of
their arrival, up to the size of a batch. It starts when it is full, or when its first request has waited for the window;
while a batch runs, requests gather for the next one.

So no request is overtaken by more than fits into the batches of older ones: before its own batch run the one that is
running, and at most as many as there were requests that came before it and still wait.
"""
from __future__ import annotations

import threading
import time
from collections.abc import Callable

from .errors import ExhaustedError
from .jobs import Job

MEMORY_ERRORS = ("OutOfMemoryError", "MemoryError")


class Batcher:
    """A queue and the thread that empties it.

    Args:
        answer: sets the result of every job of a batch; the jobs of a batch that it fails on are tried one by one.
        batch_size: jobs of a batch at most.
        window: seconds that a job waits for others.
        on_batch: told the jobs of a batch and its seconds, when it is done.
    """

    def __init__(self, answer: Callable[[list[Job]], None], batch_size: int, window: float,
                 on_batch: Callable[[list[Job], float], None] = lambda jobs, seconds: None):
        self._answer, self._batch_size, self._window, self._on_batch = answer, batch_size, window, on_batch
        self._waiting: list[Job] = []
        self._running = 0
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="batches", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        with self._changed:
            return len(self._waiting)

    @property
    def running(self) -> int:
        """Jobs of the batch that is being answered."""
        return self._running

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def submit(self, job: Job) -> None:
        with self._changed:
            self._waiting.append(job)
            self._changed.notify()

    def drop(self, job: Job) -> None:
        """Takes a job out of the queue, or ends its row where it runs already."""
        job.drop()
        with self._changed:
            if job in self._waiting:
                self._waiting.remove(job)
            self._changed.notify()

    def close(self, timeout: float = 10.0) -> None:
        """Drops what waits and runs, and ends the thread."""
        with self._changed:
            self._closed = True
            for job in self._waiting:
                job.drop()
            self._changed.notify()
        self._thread.join(timeout)

    def _work(self) -> None:
        while (batch := self._next()) is not None:
            begin = time.monotonic()
            self._run(batch)
            self._on_batch(batch, time.monotonic() - begin)
            self._running = 0
            del batch  # while the queue is empty, nothing of a request is kept

    def _next(self) -> list[Job] | None:
        with self._changed:
            while not self._closed:
                if not self._waiting:
                    self._changed.wait()
                    continue
                matching = [job for job in self._waiting if job.beams == self._waiting[0].beams][:self._batch_size]
                left = matching[0].queued + self._window - time.monotonic()
                if len(matching) == self._batch_size or left <= 0:
                    self._waiting = [job for job in self._waiting if job not in matching]
                    self._running = len(matching)
                    return matching
                self._changed.wait(left)
        return None

    def _run(self, batch: list[Job]) -> None:
        try:
            self._answer(batch)
        except Exception as error:
            left = [job for job in batch if not job.result.done() and not job.dropped]
            if len(batch) > 1:
                # One request must not spoil the others.
                for job in left:
                    self._run([job])
            else:
                for job in left:
                    job.fail(_told(error))


def _told(error: Exception) -> Exception:
    if type(error).__name__ in MEMORY_ERRORS:
        return ExhaustedError("not enough memory to answer this request; send shorter code, ask for fewer beams or tokens, or start "
                              "the server with a smaller --batch-size")
    return error
