"""Mined rows on disk: they come back as they were, and memory does not hold them."""
from __future__ import annotations

import errno
import re
import tracemalloc
from io import BufferedRandom, BytesIO
from pathlib import Path
from typing import Any

import pytest

from tasks import Example, get_task
from tasks.errors import MiningError
from tasks.mine.row_store import RowStore, StoredExamples


class BufferWithoutRoom(BufferedRandom):
    def __init__(self) -> None:
        super().__init__(FullDevice())


class FullDevice(BytesIO):
    """What a full disk is to a file: all can be read of it, nothing written."""

    def write(self, _: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def row(number: int, source: str = "", file: str = "tree/test_a.py") -> dict[str, Any]:
    return {"source": source or f"é {number}\nnext", "target": f"assert {number}", "language": "python",
            "context": {"class": "", "callees": [f"def f{number}()"], "imports": []},
            "metadata": {"file": file, "line": 1, "tree": "tree", "test": "Case.test_a", "kind": "assert", "focal": "lib.f",
                         "focal_file": "tree/lib.py", "focal_by": "call_in_assertion", "confidence": "high"}}


def stored(rows: list[dict[str, Any]], task: str = "assert") -> RowStore:
    store = RowStore(get_task(task))
    for one in rows:
        store.append(one)
    return store


def test_rows_come_back_in_any_order_and_between_writes() -> None:
    store = stored([row(0), row(1)])
    assert store.example(store.keys[1]).target == "assert 1"
    store.append(row(2))
    first = store.example(store.keys[0])
    assert first == Example(first.id, "é 0\nnext", "assert 0", "python",
                            {**row(0)["metadata"], "context": row(0)["context"]})
    examples = StoredExamples(store, store.keys)
    assert [one.target for one in examples] == ["assert 0", "assert 1", "assert 2"] and len(examples) == len(store) == 3
    assert [one.target for one in examples[1:]] == ["assert 1", "assert 2"] and examples[-1].target == "assert 2"


def test_ids_depend_on_place_and_text_alone() -> None:
    one, two = (stored(rows) for rows in ([row(1), row(2), row(1), row(1)], [row(2), row(1)]))
    ids = [example.id for example in StoredExamples(one, one.keys)]
    assert ids[2:] == [f"{ids[0]}-2", f"{ids[0]}-3"] and len(set(ids)) == 4 and ids[0].startswith("assert-tree-")
    assert [example.id for example in StoredExamples(two, two.keys)] == [ids[1], ids[0]]


def test_keys_tell_what_splits_and_counts_need() -> None:
    (key,) = stored([row(1)]).keys
    assert (key.tree, key.file, key.language, key.name, key.focal) == ("tree", "tree/test_a.py", "python", "Case.test_a", "lib.f")
    summary = {**row(1), "metadata": {"file": "tree/lib.py", "line": 3, "tree": "tree", "function": "lib.f"}}
    (key,) = stored([summary], "summarize").keys
    assert (key.name, key.focal, key.focal_by, key.confidence) == ("lib.f", "", "", "")


def test_memory_does_not_hold_the_texts() -> None:
    # 2,000 rows of 4,000 characters are 8 MB; of each a key may stay, with the number it is known by, its place in a list, and
    # what tells it from another of the same text.
    tracemalloc.start()
    try:
        store = stored([])
        before = tracemalloc.get_traced_memory()[0]
        for number in range(2_000):
            store.append(row(number, source=f"{number} " + "x" * 4_000))
        held = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert 2_000 * 50 < held < 2_000 * 500
    assert store.example(store.keys[1_999]).source.startswith("1999 x")


def test_no_room_is_an_error_that_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What is written fails when it leaves the buffer: of few rows at the first read, of many before.
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: BufferWithoutRoom())
    message = re.escape(f"could not be written to {tmp_path} (No space left on device); expected room")
    with pytest.raises(MiningError, match=message):
        store = stored([row(0)])
        store.example(store.keys[0])
    with pytest.raises(MiningError, match=message):
        stored([row(number, "x" * 4_000) for number in range(10)])
