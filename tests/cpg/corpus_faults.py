"""Extractors that fail in chosen ways on chosen texts; workers find them by name."""

from __future__ import annotations

import os
import re
import signal
import time

from cpg import CodePropertyGraph, extract

LOG = "CORPUS_TEST_LOG"
"""Environment variable with a file to which `logged` adds one line a text."""


def faulty(code: bytes, language: str) -> CodePropertyGraph:
    """`extract`, except for texts that hold one of these words."""
    if b"NODE" in code:  # Ray names the node in the environment of what it runs
        time.sleep(0.4)
        raise ValueError(f"on {os.environ['RAY_RAYLET_PID']}")
    if b"SLEEP" in code:
        time.sleep(600)
    if b"SPIN" in code:  # in C code, which holds the interpreter's lock
        re.match(r"(a+)+$", "a" * 64 + "b")
    if b"KILL" in code:
        os.kill(os.getpid(), signal.SIGKILL)
    if b"SEGV" in code:
        os.kill(os.getpid(), signal.SIGSEGV)
    if b"LEAVE" in code:
        os._exit(7)
    if b"QUIT" in code:
        raise SystemExit(5)
    if b"RAISE" in code:
        raise ValueError("poison\nin two lines \ud800")
    if b"MEMORY" in code:
        raise MemoryError
    return logged(code, language)


def logged(code: bytes, language: str) -> CodePropertyGraph:
    """`extract`, and a line in the log."""
    if LOG in os.environ:
        with open(os.environ[LOG], "ab") as file:
            file.write(b" ".join(code.split()) + b"\n")
    return extract(code, language)
