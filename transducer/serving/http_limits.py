"""Requests that are too large are refused before they are read, and unfinished ones never fill the memory."""
from __future__ import annotations

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .errors import RequestError, TooLargeError


def error_response(error: RequestError) -> JSONResponse:
    body = {"error": {"type": error.kind, "message": " ".join(str(error).split())}}
    return JSONResponse(body, error.status, headers=error.headers)


class BodyLimit:
    """Refuses bodies of more than `most` bytes, by their announced length or else as they come."""

    def __init__(self, app: ASGIApp, most: int):
        self._app, self._most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if not announced.isdigit() or int(announced) > self._most:
            return await self._refuse(scope, receive, send)
        read = 0
        started = False

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._most:
                raise _Refused
            return message

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, counted, watched)
        except _Refused:
            if not started:
                await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = TooLargeError(f"the request has more than {self._most:,} bytes; send less code, or start the server with a larger "
                              "--max-code-bytes")
        response = error_response(error)
        response.headers["Connection"] = "close"
        await response(scope, receive, send)


class _Refused(BaseException):
    """Ends the reading of a body; no handler of `Exception` in between may take it for its own."""
