"""Running the application, and ending it without losing what was begun."""
from __future__ import annotations

import time
from types import FrameType

import uvicorn
from fastapi import FastAPI

from .service import Service


class DrainingServer(uvicorn.Server):
    """On the first signal to stop, new requests get 503 while those that are open end; then, or when `drain` seconds are
    over, the server ends. A second signal ends it at once."""

    def __init__(self, config: uvicorn.Config, service: Service, drain: float):
        super().__init__(config)
        self._service, self._drain = service, drain
        self._end = 0.0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._service.draining:
            self.should_exit = True
        else:
            self.drain()

    def drain(self) -> None:
        self._end = time.monotonic() + self._drain
        self._service.draining = True

    async def on_tick(self, counter: int) -> bool:
        if self._service.draining and (self._service.idle or time.monotonic() > self._end):
            self.should_exit = True
        return await super().on_tick(counter)


def make_server(app: FastAPI, service: Service) -> DrainingServer:
    settings = service.settings
    config = uvicorn.Config(app, host=settings.host, port=settings.port, log_level="warning", access_log=False, lifespan="off",
                            timeout_graceful_shutdown=2, server_header=False, timeout_keep_alive=10)
    return DrainingServer(config, service, settings.drain)
