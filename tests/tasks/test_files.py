"""Source `file:PATH`: what is read, and what is said about what cannot be."""
from __future__ import annotations

import csv
import gzip
import json
import logging
from pathlib import Path

import pytest

from tasks import get_task, load_source
from tasks.errors import DataFormatError, MissingDataError, PlaceholderError, TaskLanguageError

TASK = get_task("assert")
PYTHON = 'def test_add():\n    "<AssertPlaceHolder>"\n\ndef add(a, b):\n    return a + b\n'
JAVA = 'public void testAdd ( ) { "<AssertPlaceHolder>" ; } public int add ( final int a ) { return a ; }'
GOOD = {"source": PYTHON, "target": "assert add(1, 1) == 2", "language": "python"}


def folder(path: Path, **splits: object) -> Path:
    """A data folder; a split given as bytes is written as it is, one given as rows as JSON lines, None not at all."""
    for split in ("train", "valid", "test"):
        content = splits.get(split, [GOOD])
        if content is None:
            continue
        data = content if isinstance(content, bytes) else "".join(json.dumps(row) + "\n" for row in content).encode()
        (path / f"{split}.jsonl").write_bytes(data)
    return path


def load(path: Path, **options: object):
    return load_source(f"file:{path}", TASK, progress=False, **options)


def test_rows_become_examples(tmp_path: Path) -> None:
    rows = [{**GOOD, "id": "a", "project": "p", "stars": 3}, GOOD]
    dataset = load(folder(tmp_path, train=rows))
    assert [len(examples) for _, examples in dataset.items()] == [2, 1, 1]
    first, second = dataset.train
    assert (first.id, first.source, first.target, first.language) == ("a", PYTHON, GOOD["target"], "python")
    assert first.metadata == {"project": "p", "stars": 3} and second.id == "train-2"
    assert dataset.name == f"file:{tmp_path}" and dataset.description["counts"] == {"train": 2, "valid": 1, "test": 1}


def test_packed_and_plain_files_are_the_same(tmp_path: Path) -> None:
    plain, packed = tmp_path / "plain", tmp_path / "packed"
    plain.mkdir(), packed.mkdir()
    folder(plain)
    for path in plain.iterdir():
        (packed / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert load(plain).content_hash == load(packed).content_hash


def test_the_hash_knows_the_content(tmp_path: Path) -> None:
    before = load(folder(tmp_path)).content_hash
    assert load(folder(tmp_path, test=[{**GOOD, "project": "other"}])).content_hash == before
    assert load(folder(tmp_path, test=[{**GOOD, "target": "assert add(1, 1) == 3"}])).content_hash != before


def test_blank_lines_and_byte_order_marks_are_passed_over(tmp_path: Path) -> None:
    line = json.dumps(GOOD).encode()
    dataset = load(folder(tmp_path, train=b"\xef\xbb\xbf" + line + b"\r\n\r\n" + line + b"\r\n"))
    assert [example.id for example in dataset.train] == ["train-1", "train-3"]


def without(field: str) -> dict:
    return {key: value for key, value in GOOD.items() if key != field}


@pytest.mark.parametrize(("content", "message"), [
    (b"", "the train split is empty; expected at least one row"),
    (b"\n \n", "the train split is empty"),
    (b'{"source": \n', r"train.jsonl:1: not JSON \(Expecting value at column 12\), found '{\"source\":'"),
    (b"[1, 2]\n", r"train.jsonl:1: found a list \('\[1, 2\]'\); expected a JSON object"),
    (b"[" * 100_000, "train.jsonl:1: JSON nested too deeply"),
    ([GOOD, without("target")], "train.jsonl:2: field 'target' is missing; found 'source', 'language'"),
    ([without("source")], "train.jsonl:1: field 'source' is missing"),
    ([{**GOOD, "target": 7}], r"train.jsonl:1: field 'target' is a number \('7'\); expected a text"),
    ([{**GOOD, "source": None}], "field 'source' is null"),
    ([{**GOOD, "target": ["x"]}], "field 'target' is a list"),
    ([{**GOOD, "target": ""}], "train.jsonl:1: field 'target' is empty"),
    ([{**GOOD, "target": " \n"}], "train.jsonl:1: field 'target' is blank"),
    ([{**GOOD, "target": "\ud800"}], "half of a surrogate pair"),
    ([{**GOOD, "id": 4}], "field 'id' is a number"),
    ([{**GOOD, "id": "a"}, {**GOOD, "id": "a"}], "train.jsonl:2: field 'id' is 'a', which .*train.jsonl:1 has already"),
    (json.dumps({**GOOD, "target": "ä"}, ensure_ascii=False).encode("latin-1"), "train.jsonl:1: not UTF-8 .byte 0xe4"),
    (json.dumps(GOOD).encode("utf-16"), "train.jsonl:1: not UTF-8"),
])
def test_wrong_rows_name_file_line_field_and_remedy(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(DataFormatError, match=message) as caught:
        load(folder(tmp_path, train=content))
    assert "\n" not in str(caught.value) and "expected" in str(caught.value)


@pytest.mark.parametrize(("source", "found"), [("def f(): pass", "does not hold the placeholder"),
                                               (PYTHON + PYTHON, "holds the placeholder 2 times")])
def test_a_placeholder_that_is_not_there_once(tmp_path: Path, source: str, found: str) -> None:
    with pytest.raises(PlaceholderError, match=f"valid.jsonl:1: field 'source' {found}"):
        load(folder(tmp_path, valid=[{**GOOD, "source": source}]))


def test_ids_are_unique_in_the_whole_folder(tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match="test.jsonl:1: field 'id' is 'a', which .*train.jsonl:1 has"):
        load(folder(tmp_path, train=[{**GOOD, "id": "a"}], test=[{**GOOD, "id": "a"}]))


def test_missing_folder_file_and_split(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="found nothing; expected a folder"):
        load(tmp_path / "absent")
    single = tmp_path / "rows.jsonl"
    single.write_text("{}")
    with pytest.raises(MissingDataError, match="found a file; expected a folder"):
        load(single)
    with pytest.raises(MissingDataError, match="no valid split; it holds rows.jsonl, test.jsonl, train.jsonl; expected"):
        load(folder(tmp_path, valid=None))


def test_two_files_for_one_split(tmp_path: Path) -> None:
    (folder(tmp_path) / "test.jsonl.gz").write_bytes(b"")
    with pytest.raises(DataFormatError, match="both test.jsonl and test.jsonl.gz are there"):
        load(tmp_path)


@pytest.mark.parametrize("damage", [lambda data: data[:-12], lambda data: b"no gzip", lambda data: data[:20] + b"?" * 9 + data[29:]])
def test_unreadable_gzip(tmp_path: Path, damage) -> None:
    folder(tmp_path, train=None)
    rows = "".join(json.dumps({**GOOD, "n": n}) + "\n" for n in range(50)).encode()
    (tmp_path / "train.jsonl.gz").write_bytes(damage(gzip.compress(rows)))
    with pytest.raises(DataFormatError, match=r"train.jsonl.gz: unreadable gzip after line \d+ .*pack it again"):
        load(tmp_path)


def test_the_language_of_a_row_counts_before_the_callers(tmp_path: Path) -> None:
    dataset = load(folder(tmp_path, train=[{**GOOD, "language": "java"}, without("language")]), language="python")
    assert [example.language for example in dataset.train] == ["java", "python"]


@pytest.mark.parametrize(("source", "language"), [(PYTHON, "python"), (JAVA, "java")])
def test_a_language_that_is_told_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture, source: str, language: str) -> None:
    rows = [{"source": source, "target": "x"}] * 3
    with caplog.at_level(logging.WARNING):
        dataset = load(folder(tmp_path, train=rows, valid=rows, test=rows))
    assert dataset.description["languages"] == {language: 9}
    rule = f"{language}: rows without field 'language' take it because 3 of the first 3 sources read as {language}"
    assert rule in dataset.description["language_rule"]
    assert f"language {language}" in caplog.text


def test_a_language_that_cannot_be_told(tmp_path: Path) -> None:
    rows = [{"source": text, "target": "x"} for text in (PYTHON, JAVA)]
    with pytest.raises(TaskLanguageError, match="of 2, 1 read as python, 1 read as java.*pass a language"):
        load(folder(tmp_path, train=rows))


def test_languages_that_are_none_of_the_tasks(tmp_path: Path) -> None:
    with pytest.raises(TaskLanguageError, match="train.jsonl:1: unknown language of task 'assert' 'cobol'"):
        load(folder(tmp_path, train=[{**GOOD, "language": "cobol"}]))
    with pytest.raises(TaskLanguageError, match="'cobol'"):
        load(tmp_path, language="cobol")


# Other layouts


def test_csv_and_parquet_give_the_same_examples_as_json_lines(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow.parquet import write_table

    rows = [{"source": PYTHON, "target": 'assert add(1, 1) == "2, 3"\n', "language": "python"}, GOOD]
    for name in ("jsonl", "csv", "parquet"):
        (tmp_path / name).mkdir()
    folder(tmp_path / "jsonl", train=rows)
    for split in ("train", "valid", "test"):
        chosen = rows if split == "train" else [GOOD]
        with (tmp_path / "csv" / f"{split}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(GOOD))
            writer.writeheader()
            writer.writerows(chosen)
        write_table(pyarrow.Table.from_pylist(chosen), tmp_path / "parquet" / f"{split}.parquet")
    texts = {name: [[(example.source, example.target, example.language) for example in examples]
                    for _, examples in load(tmp_path / name).items()] for name in ("jsonl", "csv", "parquet")}
    assert texts["csv"] == texts["parquet"] == texts["jsonl"]


@pytest.mark.parametrize(("content", "message"), [
    ("source,target\na\n", "train.csv:2: the row has not as many fields as the header"),
    ("source,target\na,b,c\n", "train.csv:2: the row has not as many fields"),
    ('source,target\n"a,b\n', "not CSV"),
    ("text,target\na,b\n", "train.csv:2: field 'source' is missing; found 'text', 'target'.*--columns source=NAME"),
])
def test_wrong_csv(tmp_path: Path, content: str, message: str) -> None:
    folder(tmp_path, train=None)
    (tmp_path / "train.csv").write_text(content)
    with pytest.raises(DataFormatError, match=message):
        load(tmp_path)


def test_a_file_that_is_no_parquet(tmp_path: Path) -> None:
    folder(tmp_path, train=None)
    (tmp_path / "train.parquet").write_bytes(b"no such thing")
    with pytest.raises(DataFormatError, match="train.parquet: no Parquet file"):
        load(tmp_path)


def parallel(path: Path, files: dict[str, list[str]]) -> Path:
    for name, lines in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.mark.parametrize(("task", "language", "names", "source", "target"), [
    ("translate", None, ["{}.java-cs.txt.java", "{}.java-cs.txt.cs"], "int f ( ) ;", "int F ( ) ;"),
    ("repair", "java", ["{}.buggy-fixed.buggy", "{}.buggy-fixed.fixed"], "int f ( ) ;", "int g ( ) ;"),
    ("repair", "java", ["{}/buggy.txt", "{}/fixed.txt"], "int f ( ) ;", "int g ( ) ;"),
    ("assert", "java", ["{}/testMethods.txt", "{}/assertLines.txt"], JAVA, "assertEquals ( 1 , add ( 1 ) )"),
])
def test_parallel_text_files(tmp_path: Path, task: str, language: str | None, names: list[str], source: str, target: str) -> None:
    folders = {"{}/buggy.txt": ("train", "eval", "test"), "{}/testMethods.txt": ("Training", "Eval", "Testing")}
    for split in folders.get(names[0], ("train", "valid", "test")):
        parallel(tmp_path, {names[0].format(split): [source] * 2, names[1].format(split): [target] * 2})
    dataset = load_source(f"file:{tmp_path}", get_task(task), progress=False, language=language)
    assert [len(examples) for _, examples in dataset.items()] == [2, 2, 2]
    first = dataset.valid[0]
    assert (first.source, first.target, first.id) == (source, target, "valid-1")


def test_parallel_files_of_different_lengths(tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        parallel(tmp_path, {f"{split}.buggy-fixed.buggy": ["a", "b"], f"{split}.buggy-fixed.fixed": ["c"]})
    with pytest.raises(DataFormatError, match="fixed ends after line 1, and .*buggy goes on; expected as many lines"):
        load_source(f"file:{tmp_path}", get_task("repair"), progress=False, language="java")


def test_a_parallel_layout_that_lacks_a_file(tmp_path: Path) -> None:
    parallel(tmp_path, {"Training/testMethods.txt": [JAVA]})
    with pytest.raises(MissingDataError, match="layout of ATLAS, and Training/assertLines.txt, .* are not there"):
        load(tmp_path)
