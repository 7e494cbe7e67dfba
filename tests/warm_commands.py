"""Runs `python -m MODULE ARGUMENTS` as a process of its own that need not import the libraries again.

Loading torch, transformers and peft takes most of a short command's time. A process that has loaded them forks for each
command; the child sets its folder and environment and runs the module as `__main__`, as `python -m` does. It starts no
threads before it forks.
"""
from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
import traceback
from pathlib import Path

LIBRARIES = ("torch", "transformers", "peft", "transformers.trainer", "peft.tuners.lora")


class WarmCommands:
    """Use as a context manager."""

    def __enter__(self) -> WarmCommands:
        self._process = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *error: object) -> None:
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def run(self, module: str, arguments: list[str], folder: Path, environment: dict[str, str],
            log: Path) -> subprocess.CompletedProcess[str]:
        """The finished command; both of its streams go through files beside `log`."""
        outputs = [str(log.with_suffix(suffix)) for suffix in (".out", ".err")]
        request = {"module": module, "arguments": arguments, "folder": str(folder), "environment": environment, "outputs": outputs}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        return subprocess.CompletedProcess([module, *arguments], status, *(Path(path).read_text() for path in outputs))


def _command(request: dict) -> int:
    """In the forked child."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    for stream, path in zip((1, 2), request["outputs"]):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, stream)
    sys.path.insert(0, request["folder"])
    sys.argv = [request["module"], *request["arguments"]]
    try:
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _serve() -> None:
    # Of this file's folder nothing is to be imported.
    sys.path.pop(0)
    for name in LIBRARIES:
        __import__(name)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            status = _command(json.loads(line))
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    _serve()
