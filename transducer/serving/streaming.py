"""Answers as server-sent events, and clients that leave before theirs is there.

    event: text      data: {"text": "..."}        a piece of the answer; with one beam only
    event: done      data: the response of a request without `stream`
    event: error     data: {"error": {...}}
"""
from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from starlette.types import Receive, Scope, Send

from .errors import GoneError, RequestError
from .schema import GenerateResponse

KEEP_ALIVE_SECONDS = 15.0
"""Between comments that keep a silent stream open; with beams nothing else is sent before the end."""


async def unless_gone(receive: Receive, work: Coroutine[Any, Any, GenerateResponse]) -> GenerateResponse:
    """What `work` gives; it is cancelled when the client leaves.

    Raises:
        GoneError: the client has left.
    """
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(_left(receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise GoneError("the client has left")
        return task.result()
    finally:
        await _cancelled(task, gone)


class EventStream:
    """An ASGI response: the events of one request. A client that leaves ends the work.

    Args:
        work: makes the coroutine of the answer, given what to call with each piece of text, from any thread.
    """

    def __init__(self, work: Callable[[Callable[[str], None]], Awaitable[GenerateResponse]]):
        self._work = work

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        loop, pieces = asyncio.get_running_loop(), asyncio.Queue()

        def on_text(text: str) -> None:
            loop.call_soon_threadsafe(pieces.put_nowait, text)

        task, gone = asyncio.ensure_future(self._work(on_text)), asyncio.ensure_future(_left(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": [
                (b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]})
            await self._pieces(task, gone, pieces, send)
            if task.done():
                await send(_body(_last(task)))
                await send(_body("", more=False))
        except OSError:
            pass  # the client left while something was sent
        finally:
            await _cancelled(task, gone)

    async def _pieces(self, task: asyncio.Future, gone: asyncio.Future, pieces: asyncio.Queue, send: Send) -> None:
        """Sends pieces of text until the work has ended and all of them are out, or the client has left."""
        while not gone.done() and not (task.done() and pieces.empty()):
            piece = asyncio.ensure_future(pieces.get())
            done, _ = await asyncio.wait({piece, task, gone}, timeout=KEEP_ALIVE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if piece in done:
                await send(_body(event("text", {"text": piece.result()})))
                continue
            await _cancelled(piece)
            if not done:
                await send(_body(": waiting\n\n"))


def event(name: str, content: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(content, ensure_ascii=False)}\n\n"


def _last(task: asyncio.Future) -> str:
    error = task.exception()
    if error is None:
        return event("done", task.result().model_dump())
    if not isinstance(error, RequestError):
        raise error
    return event("error", {"error": {"type": error.kind, "message": " ".join(str(error).split())}})


def _body(text: str, more: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": text.encode(), "more_body": more}


async def _left(receive: Receive) -> None:
    """Returns when the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _cancelled(*tasks: asyncio.Future) -> None:
    """Cancels what has not ended, and waits until it has."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
