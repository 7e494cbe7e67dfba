"""Corpus runs that meet trouble: kills at any moment, items that stall, crash or cannot be read, full memory."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
import types
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from cpg import CorpusEngineError, CorpusSourceError, extract
from cpg.cache import GraphCache
from cpg.corpus import build_corpus
from cpg.corpus_output import read_graphs
from cpg.corpus_sources import Columns, Sources
from tests.cpg.corpus_data import ROOT, command, data_set, failures, java_sources, lines, methods, run, summary_of
from tests.cpg.corpus_faults import LOG, faulty


def _until(holds: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*")) if folder.exists() else 0


# ------------------------------------------------------------------------------------------------- kills
COUNT = 900
"""Methods of about 2 ms and 2 kB in the cache each: the run takes long enough to be met in the middle."""


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A data set and the output of a run that nothing disturbs."""
    folder = tmp_path_factory.mktemp("expected")
    source = data_set(folder / "a.jsonl", methods(COUNT))
    build_corpus(java_sources(source), folder / "graphs.jsonl", jobs=2)
    return source, (folder / "graphs.jsonl").read_bytes()


def test_killed_in_the_middle_it_goes_on(tmp_path: Path, expected: tuple[Path, bytes]) -> None:
    source, whole = expected
    cache, output = tmp_path / "cache", tmp_path / "graphs.jsonl"
    arguments = (source, "--column", "code=java", "--out", output, "--cache", cache, "--jobs", 2)
    known = 0
    for kill in (1, 2):
        process = subprocess.Popen([*command(*arguments), "--quiet"], cwd=ROOT, start_new_session=True)
        before = _bytes_in(cache)
        _until(lambda: _bytes_in(cache) > before + 120_000)
        os.killpg(process.pid, signal.SIGKILL)
        assert process.wait(10) == -signal.SIGKILL
        assert not output.exists()
        with GraphCache(cache) as stored:
            assert known + 50 < len(stored) < COUNT
            known = len(stored)
    done = summary_of(*arguments)
    assert (done["extracted"], done["from_cache"], done["failed"], done["damaged"]) == (COUNT - known, known, 0, 0)
    assert output.read_bytes() == whole
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "graphs.jsonl"]
    assert summary_of(*arguments)["from_cache"] == COUNT


def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    """Even one that is in the middle of an item without end."""
    program = (
        "import sys; from pathlib import Path; from cpg.corpus import build_corpus\n"
        "from tests.cpg.corpus_data import java_sources; from tests.cpg.corpus_faults import faulty\n"
        "build_corpus(java_sources(Path(sys.argv[1])), sys.argv[2], jobs=2, timeout=600, extract=faulty)"
    )
    source = data_set(tmp_path / "a.jsonl", ["/* SLEEP */"] * 3)
    process = subprocess.Popen([sys.executable, "-c", program, source, tmp_path / "o.jsonl"], cwd=ROOT)
    parent = psutil.Process(process.pid)
    _until(lambda: bool(parent.children()))
    time.sleep(0.5)
    workers = parent.children()
    process.kill()
    process.wait(10)
    assert psutil.wait_procs(workers, timeout=20)[1] == []


def test_interrupted_it_says_how_to_go_on(tmp_path: Path, expected: tuple[Path, bytes]) -> None:
    source, whole = expected
    cache, output = tmp_path / "cache", tmp_path / "graphs.jsonl"
    arguments = (source, "--column", "code=java", "--out", output, "--cache", cache, "--jobs", 2)
    process = subprocess.Popen(
        [*command(*arguments), "--quiet"], cwd=ROOT, start_new_session=True, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    _until(lambda: _bytes_in(cache) > 120_000)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert errors.count("\n") == 1 and "the same command goes on" in errors and str(cache) in errors
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache"]
    done = summary_of(*arguments)
    assert 50 < done["from_cache"] < COUNT and output.read_bytes() == whole


# ------------------------------------------------------------------------------------------------ items
POISON = {
    "SLEEP": ("timeout", "took longer than 1 s; --timeout sets the limit"),
    "SPIN": ("timeout", "took longer than 1 s; --timeout sets the limit"),
    "KILL": ("died", "the worker process was killed by SIGKILL; where nobody sent it, memory ran out"),
    "SEGV": ("died", "the worker process was killed by SIGSEGV"),
    "LEAVE": ("died", "the worker process ended with status 7"),
    "QUIT": ("died", "the worker process ended with status 5"),
    "RAISE": ("raised", "ValueError: poison in two lines ?"),
    "MEMORY": ("raised", "MemoryError: "),
}


@pytest.mark.parametrize("cached", [False, True])
def test_only_the_culprit_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cached: bool) -> None:
    codes = methods(120)
    for i, word in enumerate(POISON):
        codes.insert(5 + 9 * i, f"/* {word} */")
    codes += ["/* KILL */", "/* SLEEP */"]  # equal items fail alike, at once
    log, output = tmp_path / "log", tmp_path / "graphs.jsonl"
    monkeypatch.setenv(LOG, str(log))
    sources = java_sources(data_set(tmp_path / "a.jsonl", codes))
    cache = tmp_path / "cache" if cached else None
    summary = build_corpus(sources, output, jobs=2, timeout=1.0, cache=cache, extract=faulty)
    rows = lines(tmp_path / "graphs.jsonl.failures.jsonl")
    poisoned = [i for i, code in enumerate(codes) if code.startswith("/*")]
    assert [row["id"] for row in rows] == [f"m{i}" for i in poisoned]
    assert [(row["kind"], row["message"]) for row in rows] == [*POISON.values(), POISON["KILL"], POISON["SLEEP"]]
    assert rows[0]["origin"] == {"source": str(tmp_path / "a.jsonl"), "line": 6, "column": "code"}
    good = {f"m{i}": code for i, code in enumerate(codes) if i not in poisoned}
    assert {item_id: graph for item_id, _, graph in read_graphs(output)} == {i: extract(code, "java") for i, code in good.items()}
    assert (summary.items, summary.extracted, summary.failed) == (130, 120, 10)
    assert summary.failures == {"timeout": 3, "died": 5, "raised": 2}
    assert summary.failures_file == f"{output}.failures.jsonl"
    assert max(Counter(log.read_text().splitlines()).values()) == 1  # nobody's work is done twice
    if cached:
        with GraphCache(tmp_path / "cache") as stored:
            assert len(stored) == 120  # failures are tried again by the next run
        again = build_corpus(sources, output, jobs=1, cache=cache)
        assert (again.extracted, again.from_cache, again.failed) == (8, 122, 0)
        assert not (tmp_path / "graphs.jsonl.failures.jsonl").exists()


def test_workers_that_never_start_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture) -> None:
    module = types.ModuleType("only_here")
    exec("def cut(code, language): return None", module.__dict__)
    monkeypatch.setitem(sys.modules, "only_here", module)
    source = data_set(tmp_path / "a.jsonl", methods(3))
    with pytest.raises(CorpusEngineError, match="3 workers in a row were not ready.*ended with status 1"):
        build_corpus(java_sources(source), tmp_path / "o.jsonl", jobs=2, extract=module.cut)
    assert "No module named 'only_here'" in capfd.readouterr().err
    with pytest.raises(CorpusEngineError, match="cannot be sent to workers"):
        build_corpus(java_sources(source), tmp_path / "o.jsonl", jobs=2, extract=lambda code, language: extract(code, language))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl"]


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cpg.corpus_sources.MAX_FILE_BYTES", 1 << 20)
    (tmp_path / "src").mkdir()
    (tmp_path / "src/A.java").write_text("class A { }")
    (tmp_path / "src/B.java").symlink_to("nowhere")
    os.mkfifo(tmp_path / "src/C.java")
    (tmp_path / "src/D.java").write_bytes(b" " * ((1 << 20) + 1))
    (tmp_path / "src/E.java").write_bytes(b"x = '\xe4';")
    summary = build_corpus(Sources(["src"]), "o.jsonl", jobs=1)
    assert failures(Path("o.jsonl")) == [(f"src/{name}.java", "unreadable") for name in "BCD"]
    messages = [row["message"] for row in lines(Path("o.jsonl.failures.jsonl"))]
    assert messages == ["No such file or directory", "not a regular file", "more than 1 MiB of source"]
    assert [record["id"] for record in lines(Path("o.jsonl"))] == ["src/A.java", "src/E.java"]
    assert (summary.items, summary.distinct, summary.failed, summary.diagnostics) == (5, 2, 3, {"encoding": 1})


def test_lines_that_are_no_records(tmp_path: Path) -> None:
    path, output = tmp_path / "a.jsonl", tmp_path / "o.jsonl"
    rows = ['{"id": "good", "code": "x;", "lang": "java"}', "{", "[1]", '{"lang": "java"}', '{"code": 3, "lang": "java"}',
            '{"id": "k", "code": "x;", "lang": "klingon"}', '{"code": "x;"}', "[" * 100_000, '{"id": "last", "code": "y;", "lang": "java"}']  # fmt: skip
    path.write_text("\n".join(rows))
    build_corpus(Sources([str(path)], Columns((("code", None),), language_column="lang")), output, jobs=1)
    assert [record["id"] for record in lines(output)] == ["good", "last"]
    assert failures(output) == [(f"{path}:{i}" if i != 6 else "k", "record") for i in (2, 3, 4, 5, 6, 7, 8)]
    messages = [row["message"] for row in lines(tmp_path / "o.jsonl.failures.jsonl")]
    assert "column 'code' should be text, got no such column" in messages[2] and "got int" in messages[3]
    assert "unknown language 'klingon'" in messages[4] and "column 'lang'" in messages[5]


def test_a_data_set_that_ends_too_early(tmp_path: Path) -> None:
    whole = data_set(tmp_path / "whole.jsonl", [f"x{i};" for i in range(2000)]).read_bytes()
    path, other, output = tmp_path / "a.jsonl.gz", tmp_path / "b.jsonl", tmp_path / "o.jsonl"
    path.write_bytes(gzip.compress(whole)[:-2000])
    data_set(other, ["z;"])
    summary = build_corpus(java_sources(path, other), output, jobs=2)
    graphs = len(lines(output))
    assert 100 < graphs < 2000 and lines(output)[-1]["origin"]["source"] == str(other)
    assert failures(output) == [(f"{path}:{graphs}", "unreadable")]
    assert (summary.items, summary.failed) == (graphs + 1, 1)
    path.write_bytes(b"")
    with pytest.raises(CorpusSourceError):
        java_sources(path).check()


def test_failures_are_exit_code_one(tmp_path: Path) -> None:
    (tmp_path / "A.java").symlink_to("nowhere")
    done = run(tmp_path / "A.java", "--out", tmp_path / "o.jsonl", "--jobs", 1, "--quiet")
    assert done.returncode == 1 and done.stderr == ""
    assert f"1 (unreadable 1), see {tmp_path / 'o.jsonl.failures.jsonl'}" in done.stdout


# ----------------------------------------------------------------------------------------------- damage
def test_damaged_entries_are_extracted_again(tmp_path: Path) -> None:
    sources = java_sources(data_set(tmp_path / "a.jsonl", methods(100)))
    output, cache = tmp_path / "o.jsonl", tmp_path / "cache"
    build_corpus(sources, output, jobs=1, cache=cache)
    before = output.read_bytes()
    [segment] = cache.iterdir()
    data = bytearray(segment.read_bytes())
    data[len(data) // 3] ^= 1  # in the bytes of one record
    segment.write_bytes(data[:-10])  # and the last one cut
    summary = build_corpus(sources, output, jobs=1, cache=cache)
    assert (summary.extracted, summary.from_cache, summary.damaged) == (2, 98, 1)
    assert output.read_bytes() == before
    summary = build_corpus(sources, output, jobs=1, cache=cache)
    assert (summary.extracted, summary.from_cache) == (0, 100)


# ----------------------------------------------------------------------------------------------- memory
def test_memory_does_not_grow_with_the_corpus(tmp_path: Path) -> None:
    """3,000 graphs of 30 kB of JSON: held, they would take 90 MB."""
    program = (
        "import json, sys; from pathlib import Path; import psutil; from cpg.corpus import build_corpus\n"
        "from tests.cpg.corpus_data import java_sources\n"
        "me, done, rows = psutil.Process(), 0, []\n"
        "def note(items):\n"
        "    global done; done += items\n"
        "    workers = [p.memory_info().rss for p in me.children()]\n"
        "    rows.append((done, me.memory_info().rss, max(workers)))\n"
        "build_corpus(java_sources(Path(sys.argv[1])), sys.argv[2], jobs=1, cache=sys.argv[3], progress=note)\n"
        "print(json.dumps(rows))"
    )
    source = data_set(tmp_path / "a.jsonl", methods(3000))
    done = subprocess.run(
        [sys.executable, "-c", program, source, tmp_path / "o.jsonl", tmp_path / "cache"],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    rows = json.loads(done.stdout)
    assert rows[-1][0] == 3000 and (tmp_path / "o.jsonl").stat().st_size > 80_000_000
    for column, what in ((1, "parent"), (2, "worker")):
        early = max(row[column] for row in rows if row[0] <= 900)
        late = max(row[column] for row in rows if row[0] >= 2100)
        assert late - early < 6 << 20, f"the {what} grew from {early >> 20} to {late >> 20} MB"
        assert late < 120 << 20
