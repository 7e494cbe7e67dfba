"""The command: its arguments, and a process that answers, drains and ends."""
from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.transducer import served, tiny
from transducer import serve
from transducer.commands import command_line


@pytest.fixture(scope="module")
def folders(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return served.saved(model_folder, tmp_path_factory.mktemp("served"), {"assert": "aligned", "repair": "prompts"})


@pytest.mark.parametrize(("arguments", "message"), [
    ([], "nothing to serve; give --transducer NAME=FOLDER"),
    (["--transducer", "assert"], "--transducer is 'assert', expected NAME=FOLDER"),
    (["--transducer", "a=x", "--transducer", "a=y"], "gives the name 'a' twice"),
    (["--transducer", "a=x", "--port", "70000"], "--port is 70000, expected 0 to 65535"),
    (["--transducer", "a=x", "--root", "."], "needs a token; give --token-file"),
    (["--transducer", "a=x", "--token-file", "/absent"], "--token-file /absent cannot be read"),
    (["--transducer", "a=x", "--precision", "float16"], "unknown precision 'float16'"),
    (["--transducer", "a=/absent"], "/absent"),
])
def test_wrong_arguments(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line(serve.main, arguments) in (1, 2)
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and message in error


def test_a_token_that_is_too_short(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "token").write_text("short\n")
    assert command_line(serve.main, ["--transducer", "a=x", "--token-file", str(tmp_path / "token")]) == 2
    assert "holds a token of 5 characters, expected 16 or more" in capsys.readouterr().err


def test_a_port_that_is_taken(model_folder: Path, folders: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert command_line(serve.main, ["--transducer", f"repair={folders['repair']}", "--model", str(model_folder), "--port", str(port)]) == 2
    assert f"cannot listen on 127.0.0.1 port {port}" in capsys.readouterr().err


def test_a_process_answers_and_ends_with_the_signal(model_folder: Path, folders: dict[str, Path], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "transducer.serve", "--port", "0", "--model", str(model_folder),
               *(f"--transducer={name}={folder}" for name, folder in folders.items())]
    process = subprocess.Popen(command, cwd=tmp_path, env=tiny.environment(), stderr=subprocess.PIPE, text=True)
    try:
        line = process.stderr.readline()
        address = re.fullmatch(r"serving 2 transducers on (http://127\.0\.0\.1:\d+)\n", line)[1]
        body = {"task": "repair", "language": "java", "code": served.code_for("repair", 3), "options": {"max_new_tokens": 4}}
        request = urllib.request.Request(address + "/v1/generate", json.dumps(body).encode(), {"Content-Type": "application/json"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as response:
            assert json.load(response)["transducer"] == "repair"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def test_a_transducer_of_other_weights_is_served_with_leave_only(other_model_folder: Path, folders: dict[str, Path],
                                                                capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line(serve.main, ["--transducer", f"repair={folders['repair']}", "--model", str(other_model_folder)]) == 1
    assert "--allow-mismatch" in capsys.readouterr().err
    assert len(served.table(other_model_folder, folders, allow_mismatch=True)) == 2
