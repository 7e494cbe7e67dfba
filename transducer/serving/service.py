"""From a request to its answer: checks, a place in the queue, the model's input, the wait, the explanation. No HTTP."""
from __future__ import annotations

import asyncio
import logging
import math
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from tasks.errors import TaskError

from ..errors import DataError
from ..prepare import PreparationReport
from . import generation
from .batching import Batcher
from .errors import DrainingError, GoneError, MalformedError, OverloadedError, RequestError, TimedOutError, TooLargeError
from .jobs import Answer, Job
from .metrics import Metrics
from .schema import Batch, GenerateRequest, GenerateResponse, Seconds
from .settings import ServeSettings
from .transducers import Served, Transducers

if TYPE_CHECKING:
    from ..prepare import Preparer

log = logging.getLogger("transducer.serving")
Made = TypeVar("Made")

EXPECTED_BATCH_SECONDS = 1.0
"""Of a batch, before the first one."""


class Service:
    """Answers requests with the transducers of a table. All but the making of inputs and batches runs in one event loop.

    Attributes:
        draining: whether new requests are refused, since the server is about to stop.
    """

    def __init__(self, transducers: Transducers, settings: ServeSettings):
        self.transducers, self.settings = transducers, settings
        self.draining = False
        self._beside = self._open = 0
        self._batch_seconds = EXPECTED_BATCH_SECONDS
        # One thread each: more would only take turns with it.
        self._preparation = ThreadPoolExecutor(1, "prepare")
        self._drawing = ThreadPoolExecutor(1, "draw")
        self.batcher = Batcher(partial(generation.answer, transducers.backbone), settings.batch_size, settings.window / 1000, self._note)
        self.metrics = Metrics(lambda: self.waiting, lambda: self.batcher.running, lambda: len(transducers))

    @property
    def waiting(self) -> int:
        """Requests that are in the queue, or whose input or picture is being made."""
        return self._beside + self.batcher.waiting

    @property
    def idle(self) -> bool:
        """Whether no request is open."""
        return self._open == 0

    def close(self) -> None:
        self.batcher.close()
        self._preparation.shutdown(cancel_futures=True)
        self._drawing.shutdown(cancel_futures=True)

    async def generate(self, request: GenerateRequest, on_text: Callable[[str], None] | None = None) -> GenerateResponse:
        """The answer to a request; `on_text` is called in another thread with pieces of it as they come.

        Cancelled, it drops the request wherever it is.

        Raises:
            RequestError: there is no answer; the message is for the client.
        """
        begin = time.monotonic()
        self._open += 1
        outcome = "failed"
        try:
            response = await self._generate(request, on_text, begin)
            outcome = "answered"
            self.metrics.request_seconds.observe(response.seconds.total)
            return response
        except RequestError as error:
            outcome = error.kind
            raise
        except asyncio.CancelledError:
            outcome = GoneError.kind
            raise
        except Exception as error:
            log.exception("a request for %s failed", request.transducer or request.task)
            raise RequestError("the answer failed; the log of the server says why") from error
        finally:
            self._open -= 1
            self.metrics.requests.labels(outcome).inc()

    async def _generate(self, request: GenerateRequest, on_text: Callable[[str], None] | None, begin: float) -> GenerateResponse:
        if self.draining:
            raise DrainingError("the server is about to stop and takes no new requests; send it to another one, or again later")
        served, language = self._checked(request)
        beams, most = self._limits(request, served)
        if self.waiting >= self.settings.queue_length:
            raise self._overloaded()
        job = None
        try:
            async with asyncio.timeout(self.settings.time_limit):
                encoded, inputs = await self._made(self._preparation, _input, served.preparer, request.code, language)
                job = Job(served, encoded, inputs, beams, most, request.options.explain, on_text if beams == 1 else None)
                self.batcher.submit(job)
                answer = await asyncio.wrap_future(job.result)
                drawn = None if answer.weights is None else await self._made(self._drawing, self._explained, job, language, answer)
        except TimeoutError:
            raise TimedOutError(f"no answer within {self.settings.time_limit:g} s; ask for fewer tokens or beams, send shorter code, or "
                                "start the server with a larger --time-limit") from None
        finally:
            if job and not (job.result.done() and not job.result.cancelled()):
                self.batcher.drop(job)
        return self._response(job, language, answer, begin, drawn)

    async def _made(self, thread: ThreadPoolExecutor, make: Callable[..., Made], *arguments) -> Made:
        """What `make` gives, in a thread beside that of the batches; the request counts as waiting meanwhile."""
        self._beside += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(thread, make, *arguments)
        finally:
            self._beside -= 1

    def _checked(self, request: GenerateRequest) -> tuple[Served, str]:
        served = self.transducers.choose(request.transducer, request.task)
        try:
            size = len(request.code.encode())
        except UnicodeEncodeError as error:
            raise MalformedError(f"'code' is no Unicode text ({error.reason} at character {error.start}); send text that UTF-8 can "
                                 "hold") from None
        if size > self.settings.max_code_bytes:
            raise TooLargeError(f"'code' has {size:,} bytes, expected at most {self.settings.max_code_bytes:,}; send the function that is "
                                "meant, or start the server with a larger --max-code-bytes")
        if not request.code.strip():
            raise MalformedError("'code' is empty; send the code that the task is about")
        languages = served.task.languages
        if request.language is None and len(languages) > 1:
            raise MalformedError(f"'language' is missing, and task {served.task.name!r} has several; give one of: {', '.join(languages)}")
        return served, _told(served.task.check_language, request.language or languages[0])

    def _limits(self, request: GenerateRequest, served: Served) -> tuple[int, int]:
        """Beams and tokens of a request."""
        chosen = []
        for name, default, most in (("beams", served.beams, self.settings.max_beams),
                                    ("max_new_tokens", served.max_new_tokens, self.settings.max_new_tokens)):
            value = getattr(request.options, name) or default
            if value > most:
                raise MalformedError(f"'options.{name}' is {value}, expected 1 to {most}; ask for less, or start the server with a larger "
                                     f"--max-{name.removeprefix('max_').replace('_', '-')}")
            chosen.append(value)
        return chosen[0], chosen[1]

    def _overloaded(self) -> OverloadedError:
        seconds = max(1, math.ceil(self.waiting / self.settings.batch_size * self._batch_seconds))
        return OverloadedError(f"{self.waiting} requests wait already, expected fewer than {self.settings.queue_length}; send this one again "
                               f"in {seconds} s", seconds)

    def _explained(self, job: Job, language: str, answer: Answer) -> dict:
        from cpg import extract

        from ..explanation.reading import reading

        return reading(self.transducers.backbone, job.encoded, extract(job.encoded.text, language), job.served.model.settings.fusion,
                       answer.weights)

    def _response(self, job: Job, language: str, answer: Answer, begin: float, drawn: dict | None) -> GenerateResponse:
        self.metrics.tokens.labels("read").inc(len(job.inputs.input_ids))
        self.metrics.tokens.labels("generated").inc(answer.tokens)
        self.metrics.queue_seconds.observe(answer.queue_seconds)
        self.metrics.generate_seconds.observe(answer.generate_seconds)
        seconds = Seconds(queue=round(answer.queue_seconds, 4), generate=round(answer.generate_seconds, 4),
                          total=round(time.monotonic() - begin, 4))
        return GenerateResponse(
            id=uuid.uuid4().hex, transducer=job.served.name, task=job.served.task.name, language=language, answer=answer.text,
            finish=answer.finish, input_tokens=len(job.inputs.input_ids), output_tokens=answer.tokens, truncated=job.encoded.truncated,
            seconds=seconds, batch=Batch(requests=answer.batch_requests, transducers=answer.batch_transducers), explanation=drawn)

    def _note(self, jobs: list[Job], seconds: float) -> None:
        """Of a batch that is done; called by the thread of batches."""
        self.metrics.batches.observe(len(jobs))
        self.metrics.mixed.observe(len({job.served.name for job in jobs}))
        self._batch_seconds += 0.2 * (seconds - self._batch_seconds)


def _input(preparer: Preparer, code: str, language: str):
    return _told(preparer.model_input, code, language, PreparationReport())


def _told(check: Callable, *arguments):
    """What `check` gives; its errors about the request become the client's."""
    try:
        return check(*arguments)
    except (TaskError, DataError) as error:
        raise MalformedError(" ".join(str(error).split())) from None
