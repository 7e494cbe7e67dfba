"""The HTTP side: routes, the token, errors as JSON."""
from __future__ import annotations

import asyncio
import logging
import secrets
from pathlib import Path

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException

from checkpoints.errors import CheckpointError

from ..errors import TransducerError
from .errors import ForbiddenError, GoneError, MalformedError, RequestError, UnauthorisedError
from .http_limits import BodyLimit, error_response
from .page import CONTENT_SECURITY_POLICY, page
from .schema import AddRequest, ErrorResponse, GenerateRequest, GenerateResponse
from .service import Service
from .streaming import EventStream, unless_gone

ERRORS = {status: {"model": ErrorResponse} for status in (401, 404, 413, 422, 429, 503, 504)}
log = logging.getLogger("transducer.serving")


def make_app(service: Service, token: str = "") -> FastAPI:
    """The application.

    Args:
        service: answers the requests.
        token: what clients have to send as a bearer token; empty: nothing, and then none may add or remove transducers.
    """
    # The pages of FastAPI about the API would load scripts from elsewhere.
    app = FastAPI(title="transducer", version="1", docs_url=None, redoc_url=None,
                  description="One frozen code language model, adapted to many tasks by transducers.")
    app.add_middleware(BodyLimit, most=service.settings.max_body_bytes, seconds=service.settings.time_limit)
    _handle_errors(app)

    def authorised(request: Request) -> None:
        if not token:
            return
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not secrets.compare_digest(given.strip().encode(), token.encode()):
            raise UnauthorisedError("the request has no valid token; send the header 'Authorization: Bearer TOKEN' with the server's token")

    def guarded(request: Request) -> None:
        if not token:
            raise ForbiddenError("transducers can only be added or removed where there is a token; start the server with --token-file FILE")
        authorised(request)

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def root() -> HTMLResponse:
        return HTMLResponse(page(), headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY})

    @app.get("/health", summary="Whether requests are taken", responses={503: {"model": dict}})
    async def health() -> JSONResponse:
        state = "draining" if service.draining else "ok" if service.batcher.alive else "failed"
        backbone = service.transducers.backbone
        body = {"status": state, "model": Path(backbone.name).name, "fingerprint": backbone.fingerprint[:12], "precision": backbone.precision,
                "transducers": len(service.transducers), "waiting": service.waiting, "running": service.batcher.running}
        return JSONResponse(body, 200 if state == "ok" else 503)

    @app.get("/metrics", summary="Figures in Prometheus' text format", response_class=Response)
    async def metrics() -> Response:
        return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    @app.post("/v1/generate", response_model=GenerateResponse, responses=ERRORS, dependencies=[Depends(authorised)],
              summary="The answer of a task's transducer to code")
    async def generate(body: GenerateRequest, request: Request):
        if body.options.stream:
            return _Stream(EventStream(lambda on_text: service.generate(body, on_text)))
        return await unless_gone(request.receive, service.generate(body))

    @app.get("/v1/transducers", dependencies=[Depends(authorised)], summary="What is served", responses={401: ERRORS[401]})
    async def listed() -> list[dict]:
        return [served.to_dict() for served in service.transducers]

    @app.post("/v1/transducers", status_code=201, dependencies=[Depends(guarded)], summary="Serves one more", responses=ERRORS)
    async def add(body: AddRequest) -> dict:
        served = await asyncio.to_thread(service.transducers.add_below_root, body.name, body.folder)
        return served.to_dict()

    @app.delete("/v1/transducers/{name}", status_code=204, dependencies=[Depends(guarded)], summary="Serves one less", responses=ERRORS)
    async def remove(name: str) -> Response:
        service.transducers.remove(name)
        return Response(status_code=204)

    return app


class _Stream(Response):
    """Lets a route return an ASGI response of its own."""

    def __init__(self, stream: EventStream):
        super().__init__()
        self._stream = stream

    async def __call__(self, scope, receive, send) -> None:
        await self._stream(scope, receive, send)


def _handle_errors(app: FastAPI) -> None:
    @app.exception_handler(GoneError)
    async def gone(request: Request, error: GoneError) -> Response:
        return Response(status_code=error.status)  # nobody reads it

    @app.exception_handler(RequestError)
    async def told(request: Request, error: RequestError) -> Response:
        return error_response(error)

    @app.exception_handler(TransducerError)
    @app.exception_handler(CheckpointError)
    async def unusable(request: Request, error: Exception) -> Response:
        return error_response(MalformedError(str(error)))

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> Response:
        return error_response(MalformedError(_wrong_fields(error)))

    @app.exception_handler(HTTPException)
    async def other(request: Request, error: HTTPException) -> Response:
        known = ", ".join(sorted({route.path for route in app.routes if getattr(route, "path", "")}))
        texts = {400: "the body cannot be read as JSON; send one JSON object in UTF-8, /openapi.json says what is expected",
                 404: f"no address {request.url.path!r}; expected one of: {known}",
                 405: f"{request.url.path!r} does not take {request.method}; /openapi.json says what it takes"}
        body = {"error": {"type": "malformed" if error.status_code < 500 else "failed", "message": texts.get(error.status_code, str(error.detail))}}
        return JSONResponse(body, error.status_code, headers=error.headers)

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return error_response(RequestError("the answer failed; the log of the server says why"))


def _wrong_fields(error: RequestValidationError) -> str:
    """What is wrong with a body, in one line; what was sent is not repeated, since it may be long."""
    problems = []
    for problem in error.errors()[:5]:
        place = ".".join(str(part) for part in problem["loc"] if part != "body")
        message = problem["msg"]
        if problem["type"] == "json_invalid":
            place, message = "the body", f"is no JSON ({problem.get('ctx', {}).get('error', 'it cannot be parsed')})"
        problems.append(f"'{place}': {message}" if place and place != "the body" else f"{place or 'the body'}: {message}")
    return f"the request cannot be understood: {'; '.join(problems)}; /openapi.json says what is expected"
