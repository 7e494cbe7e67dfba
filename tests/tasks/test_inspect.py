"""`python -m tasks inspect`: the figures, the tables, and what a wrong call is told."""
from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cpg import extract
from tasks import TASKS, Example, get_task, load_source
from tasks.__main__ import COMMANDS, main
from tasks.code_tokens import code_tokens
from tasks.inspection import SCHEMA, inspect_dataset
from tasks.inspection.distribution import histogram, quantile
from tasks.inspection.graph_statistics import graph_statistics
from tasks.inspection.lengths import TOKENIZER, BackboneTokens, lengths
from tasks.inspection.metadata import metadata
from tasks.inspection.overlap import overlaps
from tasks.inspection.sampling import across, spread
from tasks.inspection.wording import cut_lines, flattened, percent, visible
from tests.tasks.inspection_data import HOSTILE, method, repairs

ROOT = Path(__file__).parents[2]
REPAIR = get_task("repair")


def examples(*sources: str, **metadata: object) -> list[Example]:
    return [Example(f"e{place}", source, source + " ;", "java", dict(metadata)) for place, source in enumerate(sources)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return repairs(tmp_path_factory.mktemp("data") / "repairs")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "tasks", *arguments], cwd=ROOT, capture_output=True, text=True)


# ------------------------------------------------------------------------------------------------------ the figures
def test_a_histogram_by_hand() -> None:
    # 100 numbers 0..99 and one of 1,000. The axis goes a tenth beyond the limit, to 107: in at most 32 steps that are
    # 22 bins of 5, and one for the rest.
    found = histogram({"a": [*range(100), 1000], "b": []}, "things", limit=97)
    group = found.groups["a"]
    assert found.edges == [*range(0, 110, 5), 110] and group.bins == [5] * 20 + [0, 0, 1]
    assert (group.count, group.minimum, group.low, group.median, group.high, group.maximum) == (101, 0, 5, 50, 95, 1000)
    assert group.over == 3  # 98, 99 and 1,000
    assert group.mean == pytest.approx((99 * 100 / 2 + 1000) / 101)
    assert found.groups["b"].bins == [0] * len(found.edges) and found.groups["b"].over == 0
    assert found.bin_name(0) == "0–4" and found.bin_name(22) == "110 or more" and found.open_end


@pytest.mark.parametrize(("limit", "last"), [(None, 10), (20, 22), (1000, 10)])
def test_a_limit_is_on_the_axis_where_it_is_near(limit: int | None, last: int) -> None:
    found = histogram({"a": list(range(10))}, "things", limit)
    assert found.edges == list(range(last))
    assert found.groups["a"].over == (None if limit is None else 0)


def test_quantiles_are_numbers_of_the_list() -> None:
    assert [quantile([3, 5, 9], share) for share in (0, 0.3, 0.5, 0.67, 1)] == [3, 3, 5, 9, 9]
    assert quantile([], 0.5) == 0
    assert histogram({"a": []}, "nothing").edges == [0]


def test_samples_are_spread() -> None:
    assert spread(list(range(10)), 20) == list(range(10)) and spread([1], 0) == []
    assert spread(list(range(10)), 2) == [2, 7] and spread(list(range(1000)), 300) == sorted(set(spread(list(range(1000)), 300)))
    assert across(["ccc", "a", "bb", "dddd"], 2, lambda text: (len(text),)) == ["bb", "dddd"]


PLACEHOLDER = '"<AssertPlaceHolder>"'
SOURCES = {
    "assert": [f"void test ( ) {{ int x = 1 ; {PLACEHOLDER} ; }} int f ( ) {{ return 1 ; }}", f"def test():\n    {PLACEHOLDER}\n",
               f"{PLACEHOLDER}", f"é = '∀'; {PLACEHOLDER} </s> <extra_id_3>"],
    "summarize": ["int f ( ) { return 1 ; }", "def f():\n    return '</s>'\n", ""],
    "translate": ["int f ( ) { return 1 ; }", "String s = \"ü\" ;"],
    "repair": ["int f ( ) { return 1 ; }", "x"],
}


@pytest.mark.parametrize("name", TASKS)
def test_backbone_tokens_are_counted_as_training_counts_them(name: str) -> None:
    from transformers import AutoTokenizer

    from transducer.text import TextEncoder

    task = get_task(name)
    languages = [language for language in ("java", "python", "go") if language in task.languages]
    rows = [Example("e", source, target, language) for language in languages for source in SOURCES[name]
            for target in ("assertEquals ( 1 , x ) ;", "Return one.")]
    encoder = TextEncoder(AutoTokenizer.from_pretrained(str(TOKENIZER.parent)), task.placeholder, 10_000, 10_000, bool(task.frames))
    expected = []
    for row in rows:
        encoded = encoder.encode_source(row.source, task.frame(row.language))
        expected.append((len(encoded.token_ids), len(encoder.encode_target(row.target, encoded.blank_before_answer))))
    assert list(zip(*BackboneTokens(task).lengths(rows))) == expected


def test_lengths_over_the_limit_and_without_a_target() -> None:
    rows = [Example("a", "x " * 500, None, "java"), Example("b", "int x ;", "y " * 151, "java"), Example("c", "int x ;", "y", "java")]
    found = lengths({"train": rows, "test": []}, REPAIR)
    assert found["source"]["backbone tokens"].groups["train"].over == 1
    target = found["target"]["backbone tokens"].groups
    assert (target["train"].count, target["train"].over, target["test"].count) == (2, 1, 0)
    assert found["source"]["code tokens"].limit is None and found["source"]["code tokens"].groups["train"].maximum == 500
    assert found["target"]["code tokens"].groups["train"].maximum == 151


def test_what_is_a_category() -> None:
    rows = [Example(str(place), "s", "t", "java", {
        "kind": ("a", "a", "b", None)[place % 4], "flag": place % 2 == 0, "line": place, "nested": {"x": 1},
        "long": "word " * 40, "level": place % 2 + 0.5}) for place in range(40)]
    found = metadata({"train": rows[:30], "test": rows[30:]})
    assert set(found.categories) == {"kind", "flag", "level"}
    kind = found.categories["kind"]
    assert list(kind.values) == ["a", "b"] and kind.missing == 10
    assert kind.values["a"] == {"train": 16, "test": 4} and kind.values["b"] == {"train": 7, "test": 3}
    assert set(found.categories["flag"].values) == {"true", "false"} and set(found.categories["level"].values) == {"0.5", "1.5"}
    assert found.others == {"line": 40, "nested": None, "long": 1}


def test_graphs_are_those_of_the_package() -> None:
    rows = examples(method(1), method(2), "int f ( { return ; ;")
    found = graph_statistics({"train": rows, "test": []}, REPAIR, most=10)["source"]
    graphs = [extract(row.source, "java") for row in rows]
    group = found.splits["train"]
    assert group.edges == {kind: sum(graph.edges.kind.count(kind) for graph in graphs) for kind in ("AST", "CFG", "DDG", "CDG")}
    assert found.nodes.groups["train"].maximum == max(len(graph.nodes) for graph in graphs)
    assert (group.graphs, group.broken, group.broken_ids) == (3, 1, ["e2"]) and sum(group.diagnostics.values()) >= 1
    assert found.splits["test"].graphs == 0


def test_answers_that_are_prose_have_no_graphs() -> None:
    assert set(graph_statistics({"train": examples(method(1))}, get_task("summarize"), most=5)) == {"source"}
    assert set(graph_statistics({"train": examples(method(1))}, get_task("translate"), most=5)) == {"source", "target"}


def test_near_duplicates_between_splits_are_found_where_they_are() -> None:
    rows = examples(*map(method, range(12)))
    near = Example("near", method(3).replace("return", "return 1 *"), "another answer altogether", "java")
    splits = {"train": rows[:6], "valid": rows[6:9], "test": [*rows[9:], near]}
    test, valid, both = overlaps(splits, REPAIR, threshold=0.7)
    assert (test.split, test.pool, test.examples, test.by_side, test.either) == ("test", "train", 4, {"source": 1, "target": 0}, 1)
    assert (valid.either, both.either) == (0, 0)
    (pair,) = test.nearest
    assert (pair.id, pair.other_id, pair.side) == ("near", "e3", "source") and 0.7 <= pair.index < 1


def test_the_figures_of_a_data_set(folder: Path) -> None:
    dataset = load_source(f"file:{folder}", REPAIR, progress=False)
    figures = inspect_dataset(dataset, REPAIR, near_duplicates=0.8)
    assert figures.counts == figures.looked_at == {"train": 8, "valid": 3, "test": 4}
    assert figures.languages == {"java": figures.counts} and figures.drops == {}
    assert figures.metadata.categories["operator"].values == {
        "swap": {"train": 4, "valid": 2, "test": 2}, "drop": {"train": 4, "valid": 1, "test": 2}}
    assert sum(group.broken for group in figures.graphs["source"].splits.values()) == 1
    assert len(figures.examples) == 5 and {split for split, _ in figures.examples} == {"train"}
    sizes = [len(code_tokens(example.source)) for _, example in figures.examples]
    assert sizes == sorted(sizes)
    data = json.loads(json.dumps(figures.as_dict(), allow_nan=False))
    assert data["schema"] == SCHEMA and data["counts"] == figures.counts and data["content_hash"] == dataset.content_hash
    assert len(data["near_duplicates"]["pairs_of_splits"]) == 3
    assert inspect_dataset(dataset, REPAIR, near_duplicates=0.8) == figures


def test_a_limit_looks_at_a_part_and_counts_all(folder: Path) -> None:
    figures = inspect_dataset(load_source(f"file:{folder}", REPAIR, progress=False), REPAIR, limit=2, graphs=1, examples=1)
    assert figures.counts == {"train": 8, "valid": 3, "test": 4} and figures.looked_at == {"train": 2, "valid": 2, "test": 2}
    assert figures.lengths["source"]["code tokens"].groups["train"].count == 2
    assert figures.graphs["source"].splits["train"].graphs == 1 and len(figures.examples) == 1
    assert inspect_dataset(load_source(f"file:{folder}", REPAIR, progress=False), REPAIR, graphs=0).graphs == {}


def test_numbers_that_json_has_no_type_for(folder: Path) -> None:
    dataset = load_source(f"file:{folder}", REPAIR, progress=False)
    dataset.train[0].metadata.update(odd=float("nan"), when=Path("x"), parts=(1, float("inf")))
    data = inspect_dataset(dataset, REPAIR, graphs=0, examples=8).as_dict()
    assert json.loads(json.dumps(data, allow_nan=False))["examples"][0]["metadata"]["operator"]


# ------------------------------------------------------------------------------------------------------- the wording
def test_wording() -> None:
    assert [percent(*pair) for pair in ((0, 5), (1, 3), (1, 100_000), (99_999, 100_000), (5, 5), (0, 0))] == [
        "0.0 %", "33.3 %", "< 0.1 %", "> 99.9 %", "100.0 %", "–"]
    assert visible("a\x1b[31m\tb\r\nc") == "a\ufffd[31m    b\nc"
    assert cut_lines("abcdef\n\ng", 3, 4) == "abcd\nef\n\n… 1 more line" and cut_lines("a\nb", 2, 4) == "a\nb"
    assert list(flattened({"a_b": {"c": 1200, "d": None}, "e": ["x", 1], "f": True, "g": []})) == [
        ("a b · c", "1,200"), ("e", "x, 1"), ("f", "True")]
    assert list(flattened({"trees": [{"name": "one", "files": 3}, {"files": 4}]})) == [
        ("trees · one · files", "3"), ("trees · 2 · files", "4")]


# ------------------------------------------------------------------------------------------------------- the command
def test_tables_show_the_figures_and_not_the_markup(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "new" / "page.html"
    assert main(["inspect", f"file:{folder}", "--task", "repair", "--output", str(page), "--near-duplicates", "--examples", "8"]) == 0
    shown = capsys.readouterr().out
    for expected in ("│ java     │     8 │     3 │    4 │  15 │", "Metadata: operator", "Near duplicates", "0.0 % of 400", "Graphs of sources",
                     "train<0>", "[bold]", f"page: {page}"):
        assert expected in shown, expected
    assert "\x1b[31m" not in shown and page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert [path.name for path in page.parent.iterdir()] == ["page.html"]


def test_json_is_the_figures_alone(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                   monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["inspect", f"file:{folder}", "--task", "repair", "--json", "--limit", "3"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["schema"] == SCHEMA and data["looked_at"] == {"train": 3, "valid": 3, "test": 3}
    assert data["limits"] == {"source": 400, "target": 150} and data["near_duplicates"] is None
    assert list(tmp_path.iterdir()) == []  # no page that was not asked for
    assert main(["inspect", f"file:{folder}", "--task", "repair", "--examples", "0", "--graphs", "0"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["inspect-repair.html"]


def test_columns_and_language_reach_the_reader(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for split in ("train", "valid", "test"):
        (tmp_path / f"{split}.csv").write_text('code,doc\n"func f() int { return 1 }",Return one.\n', encoding="utf-8")
    assert main(["inspect", f"file:{tmp_path}", "--task", "summarize", "--columns", "source=code", "target=doc", "--language", "go",
                 "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["languages"] == {"go": {"train": 1, "valid": 1, "test": 1}} and data["examples"][0]["target"] == "Return one."
    assert set(data["graphs"]) == {"source"}


GOOD = {"source": method(1), "target": method(2), "language": "java"}


def rows(*found: dict[str, object]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in found).encode()


@pytest.mark.parametrize(("files", "message"), [
    ({"train.jsonl": rows({"code": "x", "target": "y"})}, r"train.jsonl:1: field 'source' is missing; found 'code', 'target'.*--columns source=NAME"),
    ({"train.jsonl": rows(GOOD, {**GOOD, "target": ""})}, r"train.jsonl:2: field 'target' is empty"),
    ({"train.jsonl": rows({**GOOD, "id": "a"}, {**GOOD, "id": "a"})}, r"train.jsonl:2: field 'id' is 'a', which .*train.jsonl:1 has already"),
    ({"train.jsonl": rows({**GOOD, "language": "cobol"})}, r"train.jsonl:1: unknown language of task 'repair' 'cobol'; expected one of"),
    ({"train.jsonl": rows({"source": "def f():\n    return 1", "target": "x"}, {"source": "final String s = null ;", "target": "x"})},
     r"their sources do not show one \(of 2.*add the field 'language'"),
    ({"train.jsonl": b'{"source": "\xff"}\n'}, r"train.jsonl:1: not UTF-8 \(byte 0xff.*iconv"),
    ({"train.jsonl": b"{]\n"}, r"train.jsonl:1: not JSON"),
    ({"train.jsonl": b""}, r"the train split is empty"),
    ({"train.jsonl.gz": gzip.compress(rows(GOOD))[:-9]}, r"train.jsonl.gz: unreadable gzip after line"),
    ({"train.jsonl.gz": b"not gzip"}, r"train.jsonl.gz: unreadable gzip"),
    ({"train.csv": b"source,target\n1,2,3\n"}, r"train.csv:2: the row has not as many fields"),
    ({"train.parquet": b"PAR"}, r"train.parquet: no Parquet file"),
    ({"train.jsonl": rows(GOOD), "train.csv": b"source,target\n"}, r"both train.jsonl and train.csv are there"),
    ({}, r"no train split; it holds .*expected train.jsonl or"),
])
def test_data_that_cannot_be_read_ends_with_1_and_its_place(files: dict[str, bytes], message: str, tmp_path: Path,
                                                           capsys: pytest.CaptureFixture[str]) -> None:
    for name, content in {"valid.jsonl": rows(GOOD), "test.jsonl": rows(GOOD), **files}.items():
        (tmp_path / name).write_bytes(content)
    assert main(["inspect", f"file:{tmp_path}", "--task", "repair", "--output", str(tmp_path / "page.html")]) == 1
    _one_line(capsys, message)
    assert not (tmp_path / "page.html").exists()


def _one_line(capsys: pytest.CaptureFixture[str], message: str) -> None:
    import re

    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.startswith("tasks: ") and captured.err.count("\n") == 1, captured.err
    assert re.search(message, captured.err), captured.err


@pytest.mark.parametrize(("arguments", "message"), [
    (["file:x", "--task", "asert"], "unknown task 'asert'.*Did you mean 'assert'"),
    (["fil:x", "--task", "repair"], "unknown source of data 'fil:x'"),
    (["file:", "--task", "repair"], "lacks what follows the colon"),
    (["embedded", "--task", "translate"], "task 'translate' has no embedded examples; give data of your own"),
    (["file:x", "--task", "assert", "--language", "go"], "--language 'go' is none of task 'assert'; expected one of: python, java"),
    (["file:x", "--task", "repair", "--columns", "source"], "--columns has 'source'; expected FIELD=COLUMN"),
    (["file:x", "--task", "repair", "--output", "."], "--output . is a folder.*inspect-repair.html"),
])
def test_wrong_arguments_end_with_2(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", *arguments]) == 2
    _one_line(capsys, message)


@pytest.mark.parametrize(("arguments", "message"), [
    ([], "required: SOURCE, --task"), (["embedded"], "required: --task"),
    (["embedded", "--task", "repair", "--limit", "0"], "'0' is not a number of examples, expected 1 or more"),
    (["embedded", "--task", "repair", "--near-duplicates", "2"], "'2' is not a Jaccard index"),
    (["embedded", "--task", "repair", "--graphs", "-1"], "--graphs"), (["embedded", "--task", "repair", "--lim", "3"], "--lim"),
])
def test_wrong_options_end_with_2(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["inspect", *arguments])
    assert stopped.value.code == 2 and message in capsys.readouterr().err


def test_what_is_not_there_ends_with_1(tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", f"file:{tmp_path / 'none'}", "--task", "repair"]) == 1
    _one_line(capsys, "found nothing; expected a folder with train.jsonl")
    (tmp_path / "file").write_text("")
    assert main(["inspect", f"file:{folder}", "--task", "repair", "--json", "--graphs", "0", "--examples", "0", "--output",
                 str(tmp_path / "file" / "page.html")]) == 1
    assert "tasks: " in capsys.readouterr().err


def test_a_mined_tree_without_tests_ends_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "library.py").write_text("def f():\n    return 1\n", encoding="utf-8")
    assert main(["inspect", f"mine:{tmp_path}", "--task", "assert", "--quiet"]) == 1
    _one_line(capsys, "no tests in .*looked for")


def test_drops_are_shown_with_what_was_found(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from dataclasses import replace

    from tasks.inspection.terminal import show, wide_console

    dataset = load_source(f"file:{folder}", REPAIR, progress=False)
    dropped = replace(dataset, description={**dataset.description, "drops": {"too_long": 5, "[odd]": 10}, "found": 30})
    show(inspect_dataset(dropped, REPAIR, graphs=0, examples=0), wide_console())
    shown = capsys.readouterr().out
    assert "15 of 30 found" in shown and "│ [odd]    │      10 │         33.3 % │" in shown
    assert shown.index("[odd]") < shown.index("too long")  # the most frequent first


@pytest.mark.parametrize("width", [120, 100, 80, 72])
def test_a_narrow_terminal_has_fewer_columns_and_no_cut_numbers(folder: Path, width: int, capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    from tasks.inspection.terminal import show

    show(inspect_dataset(load_source(f"file:{folder}", REPAIR, progress=False), REPAIR, examples=0), Console(width=width))
    tables = capsys.readouterr().out
    assert max(map(len, tables.splitlines())) <= width and "over limit" in tables and "0.0 % of 400" in tables
    assert (" mean ┃" in tables) == (width == 120) and "…" not in tables


def test_commands_and_their_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown and summary in shown for name, (_, summary) in COMMANDS.items())
    assert main([]) == 2 and "usage" in capsys.readouterr().err
    assert main(["inspct"]) == 2
    assert "unknown command 'inspct'" in capsys.readouterr().err


def test_help_comes_at_once_and_nothing_heavy_is_loaded(folder: Path) -> None:
    assert run("--help").returncode == 0
    code = (f"import sys; from tasks.__main__ import main; main(['--help']); few = len(sys.modules)\n"
            f"main(['inspect', 'file:{folder}', '--task', 'repair', '--json', '--limit', '2'])\n"
            "heavy = [name for name in ('torch', 'transformers', 'numpy', 'transducer', 'checkpoints') if name in sys.modules]\n"
            "print(few, heavy, file=sys.stderr)")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    few, _, heavy = done.stderr.strip().splitlines()[-1].partition(" ")
    assert heavy == "[]" and int(few) < 150, done.stderr


def test_a_reader_that_goes_away_is_no_crash(folder: Path) -> None:
    command = [sys.executable, "-m", "tasks", "inspect", f"file:{folder}", "--task", "repair", "--output", os.devnull]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
        started.stdout.close()
        assert started.wait(timeout=60) == 1
        assert started.stderr.read() == ""


def test_hostile_text_is_in_the_data(folder: Path) -> None:
    dataset = load_source(f"file:{folder}", REPAIR, progress=False)
    assert dataset.train[1].source == HOSTILE
