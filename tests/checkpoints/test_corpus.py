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
                       "b . append ( last ) ; return b . toString ( ) ; }", "target": "assertEquals ( \"a b\" , name ( ) ) ;"}
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
    assert ("java", "/** The full name. */\n") in [(stream, text[:22]) for stream, text in found]
    assert report["java: documents dropped as forbidden"] == 1


def test_every_function_behind_the_embedded_task_is_forbidden() -> None:
    from tasks.embedded import modules_behind

    modules = [Path(module) for module in modules_behind()]
    assert len(modules) > 100
    forbidden = {path for package in corpus.EMBEDDED_TASK_PACKAGES for path in python_files(site_packages() / package)}
    assert set(modules) <= forbidden
