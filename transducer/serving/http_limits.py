"""Requests that are too large are refused before they fill the memory, and those that never end are given up."""
from __future__ import annotations

import asyncio

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .errors import RequestError, TimedOutError, TooLargeError


def error_response(error: RequestError) -> JSONResponse:
    body = {"error": {"type": error.kind, "message": " ".join(str(error).split())}}
    return JSONResponse(body, error.status, headers=error.headers)


class BodyLimit:
    """Refuses bodies of more than `most` bytes, by their announced length or else as they come, and those that take longer
    than `seconds` to come."""

    def __init__(self, app: ASGIApp, most: int, seconds: float):
        self._app, self._most, self._seconds = app, most, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if not announced.isdigit() or int(announced) > self._most:
            return await self._refuse(scope, receive, send, self._too_large())
        read = 0
        started = whole = False
        end = asyncio.get_running_loop().time() + self._seconds

        async def counted() -> Message:
            nonlocal read, whole
            try:
                # What comes behind the body is that the client leaves, which may take its time.
                async with asyncio.timeout_at(None if whole else end):
                    message = await receive()
            except TimeoutError:
                raise _Refused(TimedOutError(f"the request was not all there after {self._seconds:g} s; send it again")) from None
            read += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if read > self._most:
                raise _Refused(self._too_large())
            return message

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, counted, watched)
        except _Refused as refused:
            if not started:
                await self._refuse(scope, receive, send, refused.args[0])

    def _too_large(self) -> TooLargeError:
        return TooLargeError(f"the request has more than {self._most:,} bytes; send less code, or start the server with a larger "
                             "--max-code-bytes")

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, error: RequestError) -> None:
        response = error_response(error)
        response.headers["Connection"] = "close"
        await response(scope, receive, send)


class _Refused(BaseException):
    """Ends the reading of a body; no handler of `Exception` in between may take it for its own."""
