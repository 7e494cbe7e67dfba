"""Transducers with weights of their own on a tiny model, saved to folders, and a server on loopback."""
from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from transducer.backbone import Backbone, load_backbone
from transducer.config import TransducerSettings
from transducer.model import TransducerModel
from transducer.prepare import PreparationReport
from transducer.serving import generation
from transducer.serving.app import make_app
from transducer.serving.jobs import Job
from transducer.serving.server import DrainingServer, make_server
from transducer.serving.service import Service
from transducer.serving.settings import ServeSettings
from transducer.serving.transducers import Transducers

TASKS = {"assert": "attention+aligned+prompts+scales", "summarize": "attention+aligned", "repair": "aligned+prompts+scales",
         "other": "published"}
"""Name -> fusion; `other` is a second one for `assert`."""
JAVA = "int {name}(int a) {{\n    if (a > {number}) {{\n        return a + {number};\n    }}\n    return a;\n}}\n"
TEST = "@Test\npublic void test() {{\n    int total = {name}({number});\n    \"<AssertPlaceHolder>\";\n}}\n\n"


def code_for(name: str, number: int) -> str:
    """Code that the transducer called `name` takes; longer for larger numbers."""
    body = JAVA.format(name=f"step{number}", number=number) * (1 + number % 3)
    return (TEST.format(name=f"step{number}", number=number) if name in ("assert", "other") else "") + body


def saved(model: Path, folder: Path, names: dict[str, str] = TASKS) -> dict[str, Path]:
    """Folders of transducers whose answers differ from each other's and from those of the frozen model."""
    backbone = load_backbone(str(model), "float32", device="cpu")
    folders = {}
    for seed, (name, fusion) in enumerate(names.items()):
        torch.manual_seed(seed)
        reach = 200 if "beyond" in fusion else 0
        made = TransducerModel(backbone, TransducerSettings(fusion=fusion, prompts=3 + seed, reach=reach), "torch")
        for parameter_name, parameter in made.trainable().items():
            if parameter_name == "fusion.up":
                nn.init.normal_(parameter, std=0.3)
            elif parameter_name.startswith("fusion.scales.directions"):
                nn.init.normal_(parameter, std=0.1)
            elif parameter_name.startswith("fusion.bottlenecks.up"):
                nn.init.normal_(parameter, std=0.3)
            elif parameter_name == "fusion.beyond.gate":
                nn.init.normal_(parameter)
        folders[name] = folder / name
        made.save_pretrained(folders[name], task=name if name in ("assert", "summarize", "repair") else "assert")
    return folders


def table(model: Path, folders: dict[str, Path], **settings: Any) -> Transducers:
    made = ServeSettings(engine="torch", **settings)
    transducers = Transducers(load_backbone(str(model), made.precision, device="cpu"), made)
    for name, folder in folders.items():
        transducers.add(name, folder)
    return transducers


def job(transducers: Transducers, name: str, number: int, beams: int = 1, most: int = 12, **options) -> Job:
    """A request to the transducer `name` for its code number `number`, of at most `most` tokens."""
    chosen = transducers.choose(name, None)
    encoded, inputs = chosen.preparer.model_input(code_for(name, number), "java", PreparationReport())
    return Job(chosen, encoded, inputs, beams, most, **options)


def answers(transducers: Transducers, jobs: Sequence[Job]) -> list[str]:
    """The texts of the jobs, answered as one batch."""
    generation.answer(transducers.backbone, jobs)
    return [found.result.result(0).text for found in jobs]


class Live:
    """A server in a thread."""

    def __init__(self, service: Service, token: str):
        self.service, self.token = service, token
        self.service.settings = replace(service.settings, port=0)
        self.server: DrainingServer = make_server(make_app(service, token), service)
        self._thread = threading.Thread(target=self.server.run, daemon=True)
        self._thread.start()
        until(lambda: self.server.started)
        self.port: int = self.server.servers[0].sockets[0].getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"

    def call(self, method: str, path: str, body: Any = None, *, token: str | None = None, raw: bytes | None = None,
             headers: dict[str, str] | None = None) -> tuple[int, Any, dict[str, str]]:
        """Status, body (parsed where it is JSON), headers in lower case."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        sent = {"Content-Type": "application/json", **(headers or {})}
        token = self.token if token is None else token
        if token:
            sent["Authorization"] = f"Bearer {token}"
        try:
            connection.request(method, path, raw if raw is not None else json.dumps(body) if body is not None else None, sent)
            response = connection.getresponse()
            content, found = response.read(), {name.lower(): value for name, value in response.getheaders()}
        finally:
            connection.close()
        return response.status, json.loads(content) if "json" in found.get("content-type", "") else content.decode(), found

    def generate(self, **body: Any) -> tuple[int, Any]:
        return self.call("POST", "/v1/generate", body)[:2]

    def answer(self, name: str, number: int, **options: Any) -> dict[str, Any]:
        status, body = self.generate(transducer=name, language="java", code=code_for(name, number), options=options)
        assert status == 200, body
        return body

    def metric(self, line: str) -> float:
        """The value of a line of /metrics, 0 where there is none."""
        text = self.call("GET", "/metrics")[1]
        return next((float(found.rsplit(" ", 1)[1]) for found in text.splitlines() if found.startswith(line + " ")), 0.0)

    def end(self) -> None:
        self.server.should_exit = True
        self._thread.join(20)
        self.service.close()
        assert not self._thread.is_alive()

    def wait(self, seconds: float) -> bool:
        """Whether the server has ended by itself."""
        self._thread.join(seconds)
        return not self._thread.is_alive()


@contextmanager
def live(transducers: Transducers, token: str = "", **settings: Any) -> Iterator[Live]:
    service = Service(transducers, replace(transducers._settings, **settings))
    running = Live(service, token)
    try:
        yield running
    finally:
        running.end()


def until(true, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.005)


class Gate:
    """Holds batches back until it is opened, in place of an answer that takes long."""

    def __init__(self, service: Service):
        self._batcher, self._answer = service.batcher, service.batcher._answer
        self._open, self._reached = threading.Event(), threading.Event()
        service.batcher._answer = self._held

    def _held(self, jobs) -> None:
        self._reached.set()
        assert self._open.wait(30)
        self._answer(jobs)

    def wait(self) -> None:
        """Returns when a batch has come to the gate."""
        assert self._reached.wait(20)

    def open(self) -> None:
        self._open.set()
        self._batcher._answer = self._answer


def backbone_of(transducers: Transducers) -> Backbone:
    return transducers.backbone
