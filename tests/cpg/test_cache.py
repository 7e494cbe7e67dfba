"""GraphCache and what it stands on: packed graphs, segments, the table of keys."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

import cpg.version
from cpg import CodeTypeError, GraphFormatError, UnknownLanguageError, extract
from cpg.cache import GraphCache, cache_key
from cpg.key_table import KeyTable
from cpg.packed import pack, unpack
from cpg.segments import Segments
from tests.cpg.corpus_data import ROOT, methods
from tests.cpg.samples import PROGRAMS

CODES = methods(40)


def _segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.graphs1"))


def _digest(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()


def _filled(folder: Path) -> Path:
    """A cache with CODES in one segment, which it returns."""
    with GraphCache(folder) as cache:
        for code in CODES:
            cache.get(code, "java")
    [segment] = _segments(folder)
    return segment


# ------------------------------------------------------------------------------------------------ packed
@pytest.mark.parametrize("language", sorted(PROGRAMS))
def test_packed_graphs_come_back_equal(language: str) -> None:
    for code in (PROGRAMS[language], PROGRAMS[language][:-100], "", b"x = '\xe4'"):
        graph = extract(code, language)
        assert unpack(pack(graph)) == graph
        unpack(pack(graph)).check()
        assert pack(extract(code, language)) == pack(graph)


def test_packed_graphs_are_small() -> None:
    graph = extract(PROGRAMS["java"], "java")
    assert len(pack(graph)) * 8 < len(graph.to_json())


@pytest.mark.parametrize("data", [b"", b"nonsense", pack(extract("x = 1", "python"))[:-5]])
def test_other_bytes_are_no_packed_graph(data: bytes) -> None:
    with pytest.raises(GraphFormatError, match="extract the code again"):
        unpack(data)


# --------------------------------------------------------------------------------------------- key table
def test_key_table_is_a_dictionary() -> None:
    draw = random.Random(0)
    table, expected = KeyTable(), {}
    keys = [draw.getrandbits(64) for _ in range(5000)] + [0, 2**64 - 1, 1 << 10, 2 << 10]
    for step in range(20_000):
        key, value = draw.choice(keys), draw.randrange(0, 1 << 60) if step % 5 else 0
        table.put(key, value)
        expected[key or 1] = value
    assert {key: table.get(key) for key in keys} == {key: expected.get(key or 1, 0) for key in keys}


def test_key_table_tells_new_keys() -> None:
    table = KeyTable()
    keys = [random.Random(1).getrandbits(64) for _ in range(3)] * 2
    assert [table.add(key) for key in keys] == [True] + [key not in keys[:i] for i, key in enumerate(keys)][1:]


# ------------------------------------------------------------------------------------------------- cache
def test_second_time_from_the_folder(tmp_path: Path) -> None:
    _filled(tmp_path)
    with GraphCache(tmp_path) as cache:
        assert len(cache) == len(CODES)
        for code in CODES:
            assert cache.get(code, "java") == extract(code, "java")
        assert (cache.hits, cache.misses, cache.damaged) == (len(CODES), 0, 0)
    assert len(_segments(tmp_path)) == 1  # reading makes no file


def test_many_entries_are_few_files(tmp_path: Path) -> None:
    with Segments(tmp_path) as segments:
        for start in range(0, 3000, 10):
            segments.write([(_digest(i), b"x" * i) for i in range(start, start + 10)])
        assert segments.count == 3000
        assert segments.read(_digest(1234)) == (b"x" * 1234, False)
        assert segments.read(_digest(-1)) == (None, False)
    assert len(list(tmp_path.iterdir())) == 1


def test_keys_tell_code_and_language_apart() -> None:
    keys = [cache_key("x", "java"), cache_key("x", "python"), cache_key("y", "java"), cache_key("ä", "java")]
    assert len(set(keys)) == 4
    assert cache_key("ä", "java") == cache_key("ä".encode(), "java")
    with pytest.raises(CodeTypeError):
        cache_key(3, "java")  # type: ignore[arg-type]


def test_another_version_finds_nothing_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _filled(tmp_path)
    monkeypatch.setitem(cpg.version.EXTRACTOR_VERSIONS, "java", (99, "other"))
    with GraphCache(tmp_path) as cache:
        cache.get(CODES[0], "java")
        assert (cache.hits, cache.misses) == (0, 1)
    monkeypatch.undo()
    monkeypatch.setattr("cpg.cache.grammar_version", lambda: "tree-sitter=9")
    with GraphCache(tmp_path) as cache:
        cache.get(CODES[0], "java")
        assert (cache.hits, cache.misses) == (0, 1)


def test_wrong_arguments_store_nothing(tmp_path: Path) -> None:
    with GraphCache(tmp_path) as cache:
        with pytest.raises(UnknownLanguageError):
            cache.get("x", "klingon")
        with pytest.raises(CodeTypeError):
            cache.get(None, "java")  # type: ignore[arg-type]
    assert not _segments(tmp_path)


@pytest.mark.parametrize("cut", [1, 7, 40, 700, 5000])
def test_a_cut_file_loses_only_its_end(tmp_path: Path, cut: int) -> None:
    segment = _filled(tmp_path)
    with open(segment, "r+b") as file:
        file.truncate(segment.stat().st_size - cut)
    with GraphCache(tmp_path) as cache:
        graphs = [cache.get(code, "java") for code in CODES]
        assert graphs == [extract(code, "java") for code in CODES]
        assert 1 <= cache.misses <= 1 + cut // 500
    with GraphCache(tmp_path) as cache:
        assert len(cache) == len(CODES)


def test_any_changed_byte_is_noticed(tmp_path: Path) -> None:
    segment = _filled(tmp_path)
    good, expected = segment.read_bytes(), [extract(code, "java") for code in CODES]
    record = good.index(b"\xc7REC", 5000)
    for place in (3, *range(record, record + 60, 3), len(good) // 2, len(good) - 1):
        changed = bytearray(good)
        changed[place] ^= 0x55
        segment.write_bytes(changed)
        with GraphCache(tmp_path) as cache:
            assert [cache.get(code, "java") for code in CODES] == expected
            assert cache.misses == (0 if place == 3 else 1), place
        for other in _segments(tmp_path):
            if other != segment:
                other.unlink()


def test_a_file_cut_while_it_is_open(tmp_path: Path) -> None:
    segment = _filled(tmp_path)
    with GraphCache(tmp_path) as cache:
        os.truncate(segment, segment.stat().st_size // 2)
        assert [cache.get(code, "java") for code in CODES] == [extract(code, "java") for code in CODES]
        assert 0 < cache.damaged == cache.misses < len(CODES)
        assert cache.get(CODES[-1], "java") and cache.damaged == cache.misses  # it was stored anew


def test_intact_bytes_of_another_program_are_extracted_again(tmp_path: Path) -> None:
    with GraphCache(tmp_path) as cache:
        cache.write([(cache_key("x;", "java"), b"not packed")])
        assert cache.get("x;", "java") == extract("x;", "java")
        assert (cache.hits, cache.misses, cache.damaged) == (0, 1, 1)
        assert cache.get("x;", "java") == extract("x;", "java") and cache.hits == 1


def test_files_of_others_and_empty_ones_are_left_alone(tmp_path: Path) -> None:
    for name, data in (("a.graphs1", b""), ("b.graphs1", b"cpgseg1\n"), ("c.graphs1", b"x" * 5000), ("notes.txt", b"mine")):
        (tmp_path / name).write_bytes(data)
    with GraphCache(tmp_path) as cache:
        assert len(cache) == 0
        cache.get("x", "java")
    assert (tmp_path / "notes.txt").read_bytes() == b"mine" and (tmp_path / "c.graphs1").read_bytes() == b"x" * 5000


def test_processes_write_one_folder_at_the_same_time(tmp_path: Path) -> None:
    code = (
        "import sys; from cpg.cache import GraphCache; from tests.cpg.corpus_data import methods\n"
        "with GraphCache(sys.argv[1]) as cache:\n"
        "    for code in methods(120)[int(sys.argv[2]):]: cache.get(code, 'java')"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(start)], cwd=ROOT) for start in (0, 40, 80)
    ]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    with GraphCache(tmp_path) as cache:
        assert len(cache) == 120
        assert [cache.get(code, "java") for code in methods(120)] == [extract(code, "java") for code in methods(120)]
        assert cache.misses == 0


def test_a_forked_child_writes_a_file_of_its_own(tmp_path: Path) -> None:
    code = (
        "import os, sys; from cpg.cache import GraphCache; from tests.cpg.corpus_data import methods\n"
        "with GraphCache(sys.argv[1]) as cache:\n"
        "    cache.get(methods(1)[0], 'java'); child = os.fork()\n"
        "    for code in methods(60)[30 if child else 0:60 if child else 30]: cache.get(code, 'java')\n"
        "    if child: assert os.waitpid(child, 0)[1] == 0"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, check=True, timeout=60)
    with GraphCache(tmp_path) as cache:
        assert len(_segments(tmp_path)) == 2 and len(cache) == 60
        assert all(cache.get(method, "java") for method in methods(60)) and cache.misses == 0


def test_a_full_disk_leaves_what_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with GraphCache(tmp_path) as cache:
        cache.get(CODES[0], "java")
        true = os.write

        def full(descriptor: int, data: bytes) -> int:
            if len(data) < 100:
                raise OSError(28, "No space left on device")
            return true(descriptor, data[: len(data) // 2])

        monkeypatch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space"):
            cache.get(CODES[1], "java")
        monkeypatch.undo()
        cache.get(CODES[2], "java")
        assert [cache.get(code, "java") for code in CODES[:3]] == [extract(code, "java") for code in CODES[:3]]
        assert cache.damaged == 0
    with GraphCache(tmp_path) as cache:
        assert len(cache) == 3
