"""The table of a run's results."""
from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from transducer.commands import FAILED
from transducer.measure import ResultRow
from transducer.report import footnotes, main, markdown_table
from transducer.results import read_rows

RESULTS = Path(__file__).parents[2] / "docs" / "results"


@pytest.fixture
def rows() -> list[ResultRow]:
    return [row for row in read_rows(RESULTS / "embedded.jsonl") if row.method in ("transducer", "none")]


def cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def test_seeds_are_one_line(rows: list[ResultRow]) -> None:
    losses = [row.test_loss for row in rows if row.method == "transducer"]
    header, _, first, second = cells(markdown_table(rows, ["bleu"]))
    assert header[0] == "method" and [first[0], second[0]] == ["transducer", "none"] and len(losses) == 3
    assert first[header.index("test loss (nats)")] == f"{sum(losses) / 3:.3f} ±{(max(losses) - min(losses)) / 2:.3f}"


def test_settings_of_a_method_are_not_averaged(rows: list[ResultRow]) -> None:
    other = [replace(row, specification="transducer:rank=4", test_loss=9.0) for row in rows if row.method == "transducer"]
    names = [line[0] for line in cells(markdown_table([*rows, *other], ["bleu"]))[2:]]
    assert names == ["transducer", "none", "transducer:rank=4"]


def test_tasks_and_data_are_kept_apart(rows: list[ResultRow]) -> None:
    other = [replace(row, task="summarize", data="file:elsewhere", test_examples=7, scores={"rouge_l": 5.0}, signatures={"rouge_l": "r"})
             for row in rows]
    header, _, *lines = cells(markdown_table([*rows, *other], ["bleu", "rouge_l"]))
    assert header[:4] == ["task", "data", "train / test", "method"]
    assert [line[:4] for line in lines] == [
        ["assert", "embedded", "3,000 / 300", "transducer"], ["assert", "embedded", "3,000 / 300", "none"],
        ["summarize", "file:elsewhere", "3,000 / 7", "transducer"], ["summarize", "file:elsewhere", "3,000 / 7", "none"]]
    assert [line[-2] == "-" for line in lines] == [False, False, True, True]
    assert [line[-1] for line in lines] == ["-", "-", "5.0 ±0.0", "5.0"]


def test_footnotes_say_which_examples_they_are_about(rows: list[ResultRow]) -> None:
    failed = replace(rows[0], status="failed", reason="no memory")
    assert "transducer, seed 0 failed: no memory" in footnotes([failed, *rows[1:]])
    other = replace(failed, task="repair")
    notes = footnotes([*rows, other])
    assert "repair on embedded, transducer, seed 0 failed: no memory" in notes
    assert len([note for note in notes if note.startswith("bleu: ")]) == 1


def test_exact_answers_of_one_template_are_told(rows: list[ResultRow]) -> None:
    def notes(equal: int, alike: int) -> list[str]:
        details = {"exact_match": {"equal": equal, "shapes": 3, "of_most_common_shape": alike, "references_of_that_shape": 85}}
        return [note for note in footnotes([replace(row, score_details=details) for row in rows[:3]]) if "one shape" in note]

    assert notes(94, 81) == ["transducer: 81 of the 94 exact answers of seed 0 are of one shape, names and values aside, as are 85 "
                             "of the 300 references"]
    assert notes(94, 47) == notes(9, 9) == []
    assert not [note for note in footnotes(rows) if "one shape" in note]


def test_the_command_takes_several_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(RESULTS / "embedded.jsonl"), str(RESULTS / "java.jsonl")]) == 0
    output = capsys.readouterr().out
    assert "| assert | embedded | 3,000 / 300 | prefix |" in output and "- codebleu: codebleu|lib:0.4.0|lang:java" in output


def test_a_reader_that_goes_away_ends_the_command_without_a_word(tmp_path: Path) -> None:
    """As `head` does."""
    (tmp_path / "results.jsonl").write_bytes((RESULTS / "embedded.jsonl").read_bytes())
    command = [sys.executable, "-m", "transducer.report", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=RESULTS.parents[1]) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == FAILED
