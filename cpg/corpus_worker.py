"""The process that extracts: reads tasks from its parent, answers each one, ends when the parent is gone.

It is started as a program of its own rather than as a copy of the caller, so it holds none of the caller's
memory and does not import the caller's main module.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection

from cpg.corpus_sources import Failure
from cpg.errors import GraphFormatError
from cpg.extraction import extract
from cpg.graph import CodePropertyGraph
from cpg.languages import LANGUAGES
from cpg.packed import pack, unpack

Extract = Callable[[bytes, str], CodePropertyGraph]


@dataclass(frozen=True, slots=True)
class Task:
    """One graph to make, or, where `packed` is given, to read back."""

    code: bytes
    language: str
    packed: bytes | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a task."""

    fresh: bool = False
    """Extracted just now, not read back."""
    packed: bytes | None = None
    """The graph for the cache, where it is fresh and kept."""
    text: bytes = b""
    """The graph in the form of the output."""
    nodes: int = 0
    edges: int = 0
    diagnostics: tuple[str, ...] = ()
    """Kinds of diagnostics, each once."""
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """What every worker does; sent once, so its functions are found by name in the worker."""

    extract: Extract
    render: Callable[[CodePropertyGraph], bytes]
    keeps: bool
    """Whether a fresh graph is sent back packed, for the cache."""


def answer(task: Task, work: Work) -> Answer:
    """Do one task. An exception of the extractor is a failure of the task."""
    try:
        graph, fresh = _graph(task, work)
        return Answer(
            fresh=fresh,
            packed=pack(graph) if fresh and work.keeps else None,
            text=work.render(graph),
            nodes=len(graph.nodes),
            edges=len(graph.edges),
            diagnostics=tuple(sorted({diagnostic.kind for diagnostic in graph.diagnostics})),
        )
    except Exception as error:  # whatever it is, the other tasks go on
        message = " ".join(str(error).split())
        return Answer(failure=Failure("raised", f"{type(error).__name__}: {message}"[:500]))


def _graph(task: Task, work: Work) -> tuple[CodePropertyGraph, bool]:
    if task.packed is not None:
        try:
            return unpack(task.packed), False
        except GraphFormatError:  # intact bytes of another program
            pass
    return work.extract(task.code, task.language), True


def _end_with(parent: int) -> None:
    """End this process when its parent is gone, even in the middle of a task."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(0)


def main(descriptor: int) -> None:
    """Serve the parent at the other end of a socket."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when an interrupted run ends
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    with Connection(descriptor) as connection:
        try:
            work = connection.recv()
            extract(b"", next(iter(LANGUAGES)))  # loads the grammars, which is no item's time
            connection.send("ready")
            while True:
                for task in connection.recv():
                    connection.send(answer(task, work))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return
