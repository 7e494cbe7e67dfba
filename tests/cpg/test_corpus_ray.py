"""Corpus runs over a Ray cluster of two nodes, which a process of its own keeps."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cpg.cache import GraphCache
from cpg.corpus import build_corpus
from tests.cpg.corpus_data import ROOT, command, data_set, failures, java_sources, lines, methods, run

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="ray is not installed; pip install 'transducer[ray]'"
)
COUNT = 300
QUIET = {**os.environ, "RAY_DEDUP_LOGS": "0", "RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": str(ROOT)}
"""The nodes find this package and the tests' extractors as an installed package would be found."""


class _Cluster:
    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.cpg.ray_cluster"],
            cwd=ROOT, env=QUIET, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self.address = self.process.stdout.readline().strip()
        assert self.address, "the cluster did not start"

    def remove_node(self) -> None:
        self.process.stdin.write("remove\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "removed\n"

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()


@pytest.fixture(scope="module")
def cluster() -> Iterator[_Cluster]:
    running = _Cluster()
    yield running
    running.close()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return data_set(tmp_path_factory.mktemp("ray") / "a.jsonl", methods(COUNT))


def _program(body: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """A driver of its own, since Ray stays in the process that used it."""
    head = (
        "import sys; from pathlib import Path; import cpg.corpus_ray; from cpg.corpus import build_corpus\n"
        "from cpg import CorpusEngineError; from tests.cpg import corpus_faults; from tests.cpg.corpus_data import java_sources\n"
        "address, source, output = sys.argv[1], java_sources(Path(sys.argv[2])), sys.argv[3]\n"
    )
    command_line = [sys.executable, "-c", head + body, *map(str, arguments)]
    return subprocess.run(command_line, cwd=ROOT, env=QUIET, capture_output=True, text=True, check=False, timeout=180)


def test_the_output_is_that_of_one_machine(cluster: _Cluster, source: Path, tmp_path: Path) -> None:
    local, far = tmp_path / "local.jsonl", tmp_path / "far.jsonl"
    build_corpus(java_sources(source), local, jobs=1)
    arguments = (source, "--column", "code=java", "--engine", "ray", "--address", cluster.address, "--out", far)
    done = run(*arguments, "--cache", tmp_path / "cache", "--quiet", "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["items"], summary["extracted"], summary["failed"]) == (COUNT, COUNT, 0)
    assert far.read_bytes() == local.read_bytes()
    done = run(*arguments, "--cache", tmp_path / "cache", "--quiet", "--json")
    assert json.loads(done.stdout)["from_cache"] == COUNT
    assert far.read_bytes() == local.read_bytes()


def test_both_nodes_extract_and_only_the_culprit_fails(cluster: _Cluster, tmp_path: Path) -> None:
    codes = methods(COUNT)
    poison = {40: "SLEEP", 150: "KILL", **{place: f"NODE {place}" for place in range(16, COUNT, 32)}}
    for place, word in poison.items():
        codes[place] = f"/* {word} */"
    path, output = data_set(tmp_path / "b.jsonl", codes), tmp_path / "o.jsonl"
    body = "build_corpus(source, output, timeout=2, engine='ray', address=address, extract=corpus_faults.faulty)"
    done = _program(body, cluster.address, path, output)
    assert done.returncode == 0, done.stderr
    kinds = {"SLEEP": "timeout", "KILL": "died"}
    assert failures(output) == [(f"m{place}", kinds.get(poison[place], "raised")) for place in sorted(poison)]
    assert [record["id"] for record in lines(output)] == [f"m{i}" for i in range(COUNT) if i not in poison]
    rows = lines(tmp_path / "o.jsonl.failures.jsonl")
    assert len({row["message"] for row in rows if row["kind"] == "raised"}) == 2  # one for each node


def test_a_killed_driver_goes_on(cluster: _Cluster, source: Path, tmp_path: Path) -> None:
    cache, output = tmp_path / "cache", tmp_path / "o.jsonl"
    arguments = (source, "--column", "code=java", "--engine", "ray", "--address", cluster.address, "--out", output, "--cache", cache)
    process = subprocess.Popen([*command(*arguments), "--quiet"], cwd=ROOT, start_new_session=True)
    end = time.monotonic() + 60
    while not (cache.exists() and any(path.stat().st_size > 10_000 for path in cache.iterdir())):
        assert time.monotonic() < end
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)
    with GraphCache(cache) as stored:
        known = len(stored)
    assert 0 < known < COUNT and not output.exists()
    done = run(*arguments, "--quiet", "--json")
    summary = json.loads(done.stdout)
    assert (summary["extracted"], summary["from_cache"]) == (COUNT - known, known)


def test_no_cluster_there(source: Path, tmp_path: Path) -> None:
    done = run(source, "--column", "code=java", "--engine", "ray", "--address", "127.0.0.1:1", "--out", tmp_path / "o.jsonl", "--quiet")
    assert done.returncode == 1 and "no Ray cluster at '127.0.0.1:1'" in done.stderr


def test_nodes_with_other_versions_are_an_error(cluster: _Cluster, source: Path, tmp_path: Path) -> None:
    body = (
        "cpg.corpus_ray.versions = lambda: 'java 99'\n"
        "try: build_corpus(source, output, engine='ray', address=address)\n"
        "except CorpusEngineError as error: print(error)"
    )
    done = _program(body, cluster.address, source, tmp_path / "o.jsonl")
    assert "this machine with [java 99]; install the same versions on every node" in done.stdout, done.stderr


def test_a_lost_node_takes_nothing_with_it(tmp_path: Path) -> None:
    source = data_set(tmp_path / "a.jsonl", methods(4 * COUNT))
    own, output = _Cluster(), tmp_path / "o.jsonl"
    try:
        arguments = (source, "--column", "code=java", "--engine", "ray", "--address", own.address, "--out", output)
        process = subprocess.Popen(
            [*command(*arguments), "--cache", str(tmp_path / "cache"), "--quiet", "--json"], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        end = time.monotonic() + 60
        while not (tmp_path / "cache").exists() or not any((tmp_path / "cache").iterdir()):
            assert time.monotonic() < end
            time.sleep(0.005)
        own.remove_node()
        summary = json.loads(process.communicate(timeout=120)[0])
        assert (process.returncode, summary["items"], summary["failed"]) == (0, 4 * COUNT, 0)
        assert [record["id"] for record in lines(output)] == [f"m{i}" for i in range(4 * COUNT)]
    finally:
        own.close()
