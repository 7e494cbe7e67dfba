"""The index of declarations: what it answers, in this process and others, and what it leaves behind."""
from __future__ import annotations

import gc
import json
import multiprocessing
import pickle
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

import pytest

from tasks.errors import MiningError
from tasks.mine import tree_index
from tasks.mine.csharp_miner import CSharpMiner
from tasks.mine.java_miner import JavaMiner
from tasks.mine.language_miner import Declaration, LanguageMiner, SourceFile
from tasks.mine.python_miner import PythonMiner
from tasks.mine.tree_index import TreeIndex

JAVA = """
package box;

import java.util.List;

/** Reads boxes. */
public class Parser extends Base<String> {
    private final List<String> parts = null;

    /** Reads one. */
    public int parse(String text, int... places) { return text.length(); }

    public int parse(List<String> texts) { return texts.size(); }

    class Inner { void parse() {} }
}
"""
CSHARP = "namespace Box { /// <summary>Reads.</summary>\npublic class Parser { public static int Parse(this string text) { return 1; } } }\n"
PYTHON = '"""Reads."""\nimport os.path as paths\n\nclass Parser(Base):\n    field = 1\n\n    @property\n    def size(self):\n        return 1\n\n\ndef parse(text):\n    return text\n'


def declared(miner: LanguageMiner, name: str, text: str) -> list[Declaration]:
    return miner.declarations(SourceFile(f"lib/{name}", "lib", text))


@pytest.fixture()
def java() -> list[Declaration]:
    return [*declared(JavaMiner(), "box/Parser.java", JAVA),
            *declared(JavaMiner(), "box/Other.java", "package box; class Other { void parse() {} void read() {} }"),
            *declared(JavaMiner(), "box/ParserTest.java",
                      "package box; class ParserTest { @org.junit.Test public void parses() { assertTrue(true); } }")]


def as_json(declarations: object) -> list[dict]:
    """As they are with lists for tuples."""
    return [json.loads(json.dumps(asdict(one))) for one in declarations]


@pytest.mark.parametrize("miner, name, text", [(JavaMiner, "Parser.java", JAVA), (CSharpMiner, "Parser.cs", CSHARP),
                                               (PythonMiner, "parser.py", PYTHON)])
def test_all_that_miners_say_of_a_declaration_comes_back(miner: type[LanguageMiner], name: str, text: str) -> None:
    found = declared(miner(), name, text)
    index = TreeIndex("any", {}, found)
    assert len(found) == len(index) >= 2
    assert as_json(index) == as_json(found)
    assert all(isinstance(one.is_test, bool) for one in index)


def test_every_question_has_the_answer_of_a_search(java: list[Declaration]) -> None:
    index = TreeIndex("java", {"lib": "nowhere"}, iter(java))
    for name in {one.name for one in java} | {"absent"}:
        assert as_json(index.named(name)) == as_json(one for one in java if one.name == name)
        assert index.is_declared(name) == any(one.name == name for one in java)
    for name in {one.qualified_name for one in java} | {"box.absent"}:
        assert as_json(index.qualified(name)) == as_json(one for one in java if one.qualified_name == name)
        assert index.is_class(name) == any(one.qualified_name == name and one.kind == "class" for one in java)
    for owner in {one.owner for one in java if one.owner} | {"box.absent"}:
        assert as_json(index.members(owner)) == as_json(one for one in java if one.owner == owner)
        assert as_json(index.members(owner, "parse")) == as_json(one for one in java if one.owner == owner and one.name == "parse")
    for path in {one.file for one in java} | {"lib/absent.java"}:
        of_file = [one for one in java if one.file == path]
        assert as_json(index.in_file(path)) == as_json(of_file)
        assert as_json(filter(None, [index.first_in_file(path)])) == as_json(of_file[:1])
    assert as_json(index.of_kind("class")) == as_json(one for one in java if one.kind == "class")
    assert index.members("") == ()
    assert index.files() == ["lib/box/Parser.java", "lib/box/Other.java", "lib/box/ParserTest.java"]
    assert index.files_with_tests() == ["lib/box/ParserTest.java"]


def test_a_name_is_no_part_of_a_query(java: list[Declaration]) -> None:
    index = TreeIndex("java", {}, java)
    assert index.named("' OR 1 = 1 --") == () and len(index) == len(java)


def answers(index: TreeIndex) -> list[dict]:
    """In another process."""
    return as_json(index.named("parse"))


def test_another_process_reads_the_same_index(java: list[Declaration]) -> None:
    index = TreeIndex("java", {"lib": "nowhere"}, java)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(answers, index).result() == as_json(index.named("parse")) != []
    assert len(pickle.dumps(index)) < 500, "the declarations themselves are sent"


def test_the_database_goes_with_its_index(java: list[Declaration], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    index = TreeIndex("java", {}, java)
    assert len(list(tmp_path.iterdir())) == 1
    copy = pickle.loads(pickle.dumps(index))
    del copy
    gc.collect()
    assert len(index.named("parse")) == 4, "the copy of another process has taken it along"
    del index
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_a_disk_without_room_is_said(java: list[Declaration], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("tasks.mine.tree_index._TABLE", "PRAGMA max_page_count = 4; " + tree_index._TABLE)
    with pytest.raises(MiningError, match=r"transducer-index-.* \(database or disk is full\).*TMPDIR"):
        TreeIndex("java", {}, java * 200)
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_what_is_kept_of_many_declarations_does_not_grow_with_them(tmp_path: Path) -> None:
    """Most of what an index of a thousand files takes lies on disk."""
    import tracemalloc

    def many(count: int) -> Iterator[Declaration]:
        for place in range(count):
            yield Declaration(f"lib/{place // 50}.java", f"method{place}", "method", f"box.Class{place // 50}",
                              f"box.Class{place // 50}.method{place}", "int method(int a)", 0, 9,
                              extra={"types": ["int"], "returns": "int"})

    taken = []
    for count in (2_000, 20_000):
        tracemalloc.start()
        index = TreeIndex("java", {}, many(count))
        assert len(index.in_file("lib/3.java")) == 50
        taken.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        assert len(index) == count
    assert taken[1] < taken[0] + 200_000
