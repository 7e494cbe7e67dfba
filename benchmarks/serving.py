"""What one model that answers for many transducers costs, and what the server does when too much is asked of it.

    python benchmarks/serving.py mixed       # 8 transducers in every batch against one alone, at the same batch
    python benchmarks/serving.py overload --seconds 600

`mixed`: batches of functions of this project's own sources, answered in turn by one transducer and by eight copies of it, which
have the same answers and so the same work but for the copies. The ratio of their times is taken pair by pair in one run; its
bar is 0.95.

`overload`: a server of its own on loopback, with a queue shorter than there are clients. They ask for answers that are known,
whole and as streams; some leave before theirs comes, some send what cannot be answered. Counted are answers by status, answers
that differ from the one that the same request had alone (bar: none), other statuses than those expected (bar: none), and the
resident memory of the server, whose growth is that from the second to the last sixth of the time.
"""
from __future__ import annotations

import argparse
import ast
import http.client
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from statistics import median
from textwrap import dedent

import psutil
import torch
from torch import nn

from transducer.backbone import Backbone, load_backbone
from transducer.config import TransducerSettings
from transducer.model import TransducerModel
from transducer.prepare import PreparationReport
from transducer.serving import generation
from transducer.serving.jobs import Job
from transducer.serving.settings import ServeSettings
from transducer.serving.transducers import Transducers

ROOT = Path(__file__).resolve().parents[1]
MIXED_BAR = 0.95
RETRY_SECONDS = 0.2
"""After a refusal; far less than the server asks for, so that it stays overloaded."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("mixed", "overload"))
    parser.add_argument("--model", default="codet5-tiny")
    parser.add_argument("--transducers", type=int, default=8)
    parser.add_argument("--batch", type=int, default=16, help="mixed: requests of a batch")
    parser.add_argument("--pairs", type=int, default=10, help="mixed: batches of each kind and number of beams")
    parser.add_argument("--tokens", type=int, default=32, help="longest answer")
    parser.add_argument("--seconds", type=float, default=60.0, help="overload: how long; at most 1800")
    parser.add_argument("--clients", type=int, default=48, help="overload: at the same time; at most 256")
    parser.add_argument("--queue", type=int, default=16, help="overload: requests that may wait")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        backbone = load_backbone(options.model, "float32")
        places = saved(backbone, Path(folder), options.transducers)
        return mixed(backbone, places, options) if options.what == "mixed" else overload(options, places)


def saved(backbone: Backbone, folder: Path, count: int) -> dict[str, Path]:
    """One transducer of the default kind, not at its start, under several names."""
    torch.manual_seed(0)
    model = TransducerModel(backbone, TransducerSettings())
    nn.init.normal_(model.trainable()["fusion.up"], std=0.05)
    places = {f"task-{number}": folder / str(number) for number in range(count)}
    for place in places.values():
        model.save_pretrained(place, task="summarize")
    return places


def functions(count: int) -> list[str]:
    """Functions of this project's own sources, the same ones every time."""
    found = []
    for path in sorted((ROOT / "transducer").rglob("*.py")):
        lines = path.read_text(encoding="utf-8").splitlines()
        for node in ast.walk(ast.parse("\n".join(lines))):
            if isinstance(node, ast.FunctionDef) and 6 <= node.end_lineno - node.lineno <= 24:
                found.append(dedent("\n".join(lines[node.lineno - 1:node.end_lineno])) + "\n")
    random.Random(0).shuffle(found)
    return found[:count]


# ------------------------------------------------------------------------------------------------------ mixed
def mixed(backbone: Backbone, places: dict[str, Path], options: argparse.Namespace) -> int:
    transducers = Transducers(backbone, ServeSettings())
    served = [transducers.add(name, place) for name, place in places.items()]
    preparer = served[0].preparer
    inputs = [preparer.model_input(code, "python", PreparationReport()) for code in functions(options.batch * 4)]
    worst = 1.0
    for beams in (1, 2):
        ratios, speeds = [], []
        for pair in range(options.pairs + 1):
            chosen = [inputs[(pair * options.batch + place) % len(inputs)] for place in range(options.batch)]
            kinds = {"one": served[:1], "mixed": served}
            if pair % 2:
                kinds = dict(reversed(kinds.items()))
            seconds, answers = {}, {}
            for kind, among in kinds.items():
                jobs = [Job(among[place % len(among)], *found, beams, options.tokens) for place, found in enumerate(chosen)]
                begin = time.perf_counter()
                generation.answer(backbone, jobs)
                seconds[kind] = time.perf_counter() - begin
                answers[kind] = [job.result.result(0).text for job in jobs]
            if answers["one"] != answers["mixed"]:
                print(f"pair {pair} with {beams} beams: the answers differ", file=sys.stderr)
                return 1
            if pair:  # the first one warms up
                ratios.append(seconds["one"] / seconds["mixed"])
                speeds.append(options.batch / seconds["mixed"])
        worst = min(worst, median(ratios))
        print(f"beams {beams}: throughput of {len(served)} transducers mixed / one alone {median(ratios):.3f} (median of {len(ratios)} pairs, "
              f"{min(ratios):.3f} to {max(ratios):.3f}), batches of {options.batch}, {median(speeds):.2f} requests/s; same answers")
    print(f"bar {MIXED_BAR}: {'held' if worst >= MIXED_BAR else 'missed'}")
    return 0 if worst >= MIXED_BAR else 1


# --------------------------------------------------------------------------------------------------- overload
class Client:
    """Asks one question after the other until the time is over."""

    def __init__(self, port: int, questions: list[tuple[dict, str]], seed: int, end: float, counts: Counter, seconds: list[float]):
        self._port, self._questions, self._end, self._counts, self._seconds = port, questions, end, counts, seconds
        self._random = random.Random(seed)

    def run(self) -> None:
        while time.monotonic() < self._end:
            kind = self._random.choices(("answer", "stream", "leave", "malformed", "large"), (70, 15, 5, 5, 5))[0]
            try:
                getattr(self, f"_{kind}")()
            except Exception as error:  # whatever happens to a client is a result
                self._counts[f"failed: {type(error).__name__} ({kind})"] += 1

    def _send(self, body: object) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)
        connection.request("POST", "/v1/generate", json.dumps(body), {"Content-Type": "application/json"})
        return connection

    def _asked(self, body: object) -> tuple[int, str]:
        connection = self._send(body)
        try:
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def _answer(self) -> None:
        question, expected = self._random.choice(self._questions)
        begin = time.monotonic()
        status, text = self._asked(question)
        if status == 200:
            self._seconds.append(time.monotonic() - begin)
        self._note(status, text, lambda: json.loads(text)["answer"] == expected)

    def _stream(self) -> None:
        question, expected = self._random.choice(self._questions)
        status, text = self._asked(question | {"options": question["options"] | {"stream": True}})
        # A stream has begun before it is known whether there is room.
        if '"type": "overloaded"' in text:
            status = 429
        self._note(status, text, lambda: json.loads(text.rsplit("data: ", 1)[1])["answer"] == expected)

    def _leave(self) -> None:
        connection = self._send(self._random.choice(self._questions)[0])
        time.sleep(self._random.random())
        connection.close()
        self._counts["left"] += 1

    def _malformed(self) -> None:
        status, _ = self._asked({"task": "sumarize", "code": 1})
        self._counts["422 as expected" if status == 422 else f"failed: {status} for a malformed request"] += 1

    def _large(self) -> None:
        status, _ = self._asked(self._questions[0][0] | {"code": "x" * 100_000})
        self._counts["413 as expected" if status == 413 else f"failed: {status} for a large request"] += 1

    def _note(self, status: int, text: str, right) -> None:
        if status == 429:
            self._counts["429"] += 1
            time.sleep(RETRY_SECONDS)
        elif status == 200 and right():
            self._counts["200, the answer of the request alone"] += 1
        else:
            self._counts["failed: 200 with another answer" if status == 200 else f"failed: {status}"] += 1
            print(status, text[:300], file=sys.stderr)


def overload(options: argparse.Namespace, places: dict[str, Path]) -> int:
    seconds, clients = min(options.seconds, 1800.0), min(options.clients, 256)
    command = [sys.executable, "-m", "transducer.serve", "--port", "0", "--queue-length", str(options.queue), "--model", options.model,
               *(f"--transducer={name}={place}" for name, place in places.items())]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stderr.readline()
        found = re.search(r"127\.0\.0\.1:(\d+)", line)
        if not found:
            raise SystemExit(f"the server did not start: {line}{process.stderr.read()}")
        echo = threading.Thread(target=lambda: [print(said, end="", file=sys.stderr) for said in process.stderr], daemon=True)
        echo.start()
        return _loaded(int(found[1]), process, list(places), seconds, clients, options)
    finally:
        process.terminate()
        process.wait(60)


def _loaded(port: int, process: subprocess.Popen, names: list[str], seconds: float, clients: int, options: argparse.Namespace) -> int:
    counts: Counter = Counter()
    times: list[float] = []
    alone = Client(port, [], 0, 0.0, counts, times)
    questions = []
    for place, code in enumerate(functions(12)):
        question = {"transducer": names[place % len(names)], "language": "python", "code": code,
                    "options": {"beams": 1 + place % 2, "max_new_tokens": options.tokens // (1 + place % 3)}}
        status, text = alone._asked(question)
        if status != 200:
            raise SystemExit(f"a request alone got {status}: {text}")
        questions.append((question, json.loads(text)["answer"]))
    begin = time.monotonic()
    memory: list[tuple[float, int]] = []
    threads = [threading.Thread(target=Client(port, questions, seed, begin + seconds, counts, times).run) for seed in range(clients)]
    for thread in threads:
        thread.start()
    server = psutil.Process(process.pid)
    while any(thread.is_alive() for thread in threads):
        memory.append((time.monotonic() - begin, server.memory_info().rss))
        time.sleep(0.5)
    return _report(counts, times, memory, seconds, clients, options.queue)


def _report(counts: Counter, times: list[float], memory: list[tuple[float, int]], seconds: float, clients: int, queue: int) -> int:
    print(f"{clients} clients for {seconds:g} s, {queue} requests may wait")
    for name, count in sorted(counts.items()):
        print(f"  {count:7,}  {name}")
    ordered = sorted(times) or [0.0]
    print(f"answers/s {sum(count for name, count in counts.items() if name.startswith('200')) / seconds:.2f}; seconds to an answer: "
          f"median {median(ordered):.2f}, 95 % {ordered[int(0.95 * (len(ordered) - 1))]:.2f}, most {ordered[-1]:.2f}")
    sixths = [median([size for at, size in memory if int(6 * at / seconds) == part] or [0]) / 1e6 for part in range(6)]
    print(f"resident memory, MB: medians of the sixths of the time {', '.join(f'{size:.0f}' for size in sixths)}; growth from the second "
          f"to the last {sixths[5] - sixths[1]:+.1f}; most {max(size for _, size in memory) / 1e6:.0f}")
    failed = sum(count for name, count in counts.items() if name.startswith("failed"))
    print(f"failures other than 429: {failed}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
