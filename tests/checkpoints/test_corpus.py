"""What may be learnt in pre-training: the check itself, and the sources that it guards."""
from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from checkpoints import corpus
from checkpoints.corpus import ContaminationIndex, documents, forbidden_texts, python_files, site_packages

SECRET = """
def shortest_detour(graph, start, goal):
    queue, seen = [(start, 0)], {start}
    while queue:
        node, length = queue.pop(0)
        if node == goal:
            return length
        for neighbour in graph[node]:
            if neighbour not in seen:
                seen.add(neighbour)
                queue.append((neighbour, length + 1))
    return None
"""


def test_copies_are_found_whatever_their_layout_and_surroundings() -> None:
    index = ContaminationIndex([SECRET])
    assert index.gives_away(SECRET)
    assert index.gives_away(SECRET.replace("\n", "\n\n").replace("    ", "  "))
    assert index.gives_away("import os\n\n" + SECRET + "\n\ndef other(x):\n    return x + 1\n" * 20)
    first_half = "\n".join(SECRET.splitlines()[:8])
    assert index.gives_away(first_half)


def test_other_code_is_not_dropped() -> None:
    index = ContaminationIndex([SECRET])
    assert not index.gives_away(Path(corpus.__file__).read_text(encoding="utf-8"))
    assert not index.gives_away("def shortest_detour(graph, start, goal):\n    return None\n")


def test_a_short_text_is_matched_whole_only() -> None:
    index = ContaminationIndex(["int size() { return n; }"])
    assert index.gives_away("int size ( ) {\n  return n ;\n}")
    assert not index.gives_away("int size() { return n; } int other() { return n; }")


@pytest.fixture
def data_folder(tmp_path: Path) -> Path:
    def write(path: Path, rows: list[dict]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with gzip.open(path, "wt", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)

    secret = {"source": "public int depth ( Node node ) { int d = 0 ; while ( node . parent ( ) != null ) { node = "
                        "node . parent ( ) ; d ++ ; } return d ; }", "target": "assertEquals ( 3 , depth ( leaf ) ) ;"}
    fresh = {"source": "public String name ( ) { StringBuilder b = new StringBuilder ( first ) ; b . append ( ' ' ) ; "
                       "\"<AssertPlaceHolder>\" ; b . append ( last ) ; return b . toString ( ) ; }", "target": "assertEquals ( \"a b\" , name ( ) ) ;"}
    for task in corpus.TASK_FOLDERS.values():
        write(tmp_path / task / "train.jsonl.gz", [secret, fresh])
        write(tmp_path / task / "test.jsonl.gz", [secret])
        write(tmp_path / task / "valid.jsonl.gz", [secret])
    write(tmp_path / "corpus" / "java_methods.jsonl.gz",
          [{"code": secret["source"], "doc": ""}, {"code": fresh["source"], "doc": "The full name."}])
    write(tmp_path / "corpus" / "csharp_methods.jsonl.gz", [{"code": fresh["source"], "doc": ""}])
    return tmp_path


def test_rows_of_tests_never_enter_and_targets_are_never_read(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "python_documents", lambda index, report: iter(()))
    report: Counter = Counter()
    found = list(documents(data_folder, ContaminationIndex(forbidden_texts(data_folder, packages=())), report))
    assert Counter(stream for stream, _ in found) == {"java": 1, "csharp": 1, **dict.fromkeys(corpus.TASK_FOLDERS, 1)}
    assert not any("depth" in text or "assertEquals" in text for _, text in found)
    tests = next(text for stream, text in found if stream == "java_tests")
    assert "append ( ' ' ) ; b . append" in tests, "nothing stands where the assertion was"
    assert ("java", "/** The full name. */\n") in [(stream, text[:22]) for stream, text in found]
    assert report["java: documents dropped as forbidden"] == 1


def test_every_function_behind_the_embedded_task_is_forbidden() -> None:
    from tasks.embedded import modules_behind

    modules = [Path(module) for module in modules_behind()]
    assert len(modules) > 100
    forbidden = {path for package in corpus.EMBEDDED_TASK_PACKAGES for path in python_files(site_packages() / package)}
    assert set(modules) <= forbidden


@pytest.mark.parametrize(("place", "is_test"), [
    ("scipy/linalg/tests/test_basic.py", True), ("pkg/test/helpers.py", True), ("pkg/test_one.py", True),
    ("pkg/one_test.py", True), ("pkg/conftest.py", True), ("pkg/testing.py", False), ("pkg/contest.py", False),
    ("pkg/latest/one.py", False), ("pkg/attest_one.py", False),
])
def test_which_python_files_are_tests(place: str, is_test: bool) -> None:
    assert bool(corpus.TEST_FILE.search(place)) == is_test


def test_python_files_go_to_their_stream_and_no_package_beyond_its_cap(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(6):
        for place in (f"pkg/part{number}.py", f"pkg/tests/test_part{number}.py", "networkx/core.py"):
            path = tmp_path / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"VALUE_{number} = [\n" + "".join(f"    {number}{i},\n" for i in range(60)) + "]\n", encoding="utf-8")
    monkeypatch.setattr(corpus, "site_packages", lambda: tmp_path)
    report: Counter = Counter()
    everything = list(corpus.python_documents(ContaminationIndex([]), report))
    assert Counter(stream for stream, _ in everything) == {"python": 6, "python_tests": 6}
    size = len(everything[0][1])
    monkeypatch.setattr(corpus, "PYTHON_PACKAGE_CHARACTERS", 2 * size)
    capped = Counter(stream for stream, _ in corpus.python_documents(ContaminationIndex([]), report))
    assert capped == {"python": 3, "python_tests": 3}
    assert report["python_tests: packages cut at " + str(2 * size) + " characters"] == 1
