"""Every task through the main command and the tools around it: forms of input, lengths, labels that are not seen."""
from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tasks import TASKS, Example, get_task
from tasks.base import ANSWER
from tests.transducer import tiny
from tests.transducer.tables import METHODS_OF_EVERY_FAMILY
from transducer import predict, train
from transducer.backbone import load_backbone
from transducer.commands import command_line
from transducer.errors import DataError
from transducer.measure import ResultRow
from transducer.overlong import within_limits
from transducer.prepare import PreparationReport, Preparer
from transducer.question_forms import SENTINEL
from transducer.text import TextEncoder

WORDS = ("area", "volume", "weight", "price", "median", "ratio", "speed", "height")


def examples_of(task: str, count: int) -> list[Example]:
    if task == "assert":
        return tiny.examples(count)
    made = []
    for number in range(count):
        name = WORDS[number % len(WORDS)]
        java = f"public int {name}{number}(int value) {{ if (value > {number}) {{ value += {number}; }} return value; }}"
        python = f"def {name}{number}(value):\n    if value > {number}:\n        value += {number}\n    return value\n"
        target = {"summarize": f"Computes the {name} of {number}.",
                  "translate": java.replace("public int ", "public virtual int ").replace(name, name.title()),
                  "repair": java.replace(">", ">=")}[task]
        source, language = (python, "python") if task == "summarize" and number % 2 else (java, "java")
        made.append(Example(f"{task}-{number}", source, target, language))
    return made


def write(folder: Path, task: str, garbage: bool = False) -> Path:
    folder.mkdir(parents=True)
    examples = examples_of(task, 32)
    for split, chosen in (("train", examples[:16]), ("valid", examples[16:20]), ("test", examples[20:24])):
        rows = [{"id": example.id, "source": example.source, "language": example.language,
                 "target": f"garbage {number}" if garbage and split == "test" else example.target}
                for number, example in enumerate(chosen)]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


def run(model: Path, data: Path, output: Path, task: str, *flags: str) -> Path:
    assert command_line(train.main, ["--task", task, "--model", str(model), "--data", f"file:{data}", "--output", str(output),
                                     "--precision", "float32", "--max-source-tokens", "96", "--max-target-tokens", "12",
                                     "--batch-size", "4", "--quiet", *flags]) == 0
    return output


def predictions(folder: Path) -> list[str]:
    return [json.loads(line)["prediction"] for line in (folder / "predictions.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(("task", "method"), [*((task, "transducer") for task in TASKS), *(("translate", name) for name in METHODS_OF_EVERY_FAMILY)])
def test_predictions_do_not_know_the_labels(task: str, method: str, model_folder: Path, tmp_path: Path) -> None:
    """The whole command twice, the second time with garbage for the test labels."""
    runs = [run(model_folder, write(tmp_path / name, task, garbage), tmp_path / f"run-{name}", task, "--method", method)
            for name, garbage in (("true", False), ("garbage", True))]
    true, garbage = map(predictions, runs)
    assert true == garbage and len(true) == 4
    rows = [ResultRow(**json.loads((folder / "metrics.json").read_text())) for folder in runs]
    assert rows[0].test_loss != rows[1].test_loss
    assert set(rows[0].scores) == set(get_task(task).metrics)


@pytest.mark.parametrize("task", [name for name, task in TASKS.items() if task.frames])
def test_a_frame_stands_around_the_source_and_the_graph_is_of_the_source(task: str, model_folder: Path) -> None:
    backbone = load_backbone(str(model_folder), "float32", device="cpu")
    definition = get_task(task)
    preparer = Preparer(backbone, definition, 400, 60)
    source = "int f(int a) { return a; }"
    encoded, prepared = preparer.model_input(source, "java", PreparationReport())
    text = backbone.tokenizer.decode(encoded.token_ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    before, after = definition.frames["java"]
    framed = f"{before}{source}{after}".replace(f" {ANSWER}", ANSWER).replace(ANSWER, SENTINEL)
    assert text.removesuffix("</s>") == framed
    assert encoded.text == source and not encoded.truncated
    with_text = encoded.start_byte >= 0
    assert encoded.end_byte[with_text].max() == len(source) and (np.diff(encoded.start_byte[with_text]) >= 0).all()
    assert backbone.tokenizer.decode(encoded.token_ids[with_text], clean_up_tokenization_spaces=False) == source


def test_a_long_source_without_a_placeholder_keeps_its_beginning(model_folder: Path) -> None:
    tokenizer = load_backbone(str(model_folder), "float32", device="cpu").tokenizer
    encoder = TextEncoder(tokenizer, None, 40, 60, framed=True)
    source = "int f(int a) { " + "a += 1; " * 40 + "return a; }"
    encoded = encoder.encode_source(source, get_task("translate").frames["java"])
    assert encoded.truncated and len(encoded.token_ids) == 40
    assert source.startswith(encoded.text) and encoded.end_byte.max() == len(encoded.text)
    with pytest.raises(DataError, match="6 tokens leave no room for a source"):
        TextEncoder(tokenizer, None, 6, 60, framed=True).encode_source(source, get_task("translate").frames["java"])


def overlong_examples() -> list[Example]:
    short = examples_of("repair", 3)
    return [short[0], replace(short[1], source=short[1].source * 20), replace(short[2], target=short[2].target * 20)]


def encoder_of(model_folder: Path) -> TextEncoder:
    tokenizer = load_backbone(str(model_folder), "float32", device="cpu").tokenizer
    return TextEncoder(tokenizer, None, 120, 100, framed=True)


def test_overlong_examples_are_skipped_by_policy(model_folder: Path) -> None:
    task, encoder, examples = get_task("repair"), encoder_of(model_folder), overlong_examples()
    assert within_limits(examples, "train", "truncate", task, encoder) == examples
    assert within_limits(examples, "train", "skip", task, encoder) == examples[:1]
    # The length of an answer must not decide which test examples are scored.
    assert within_limits(examples, "test", "skip", task, encoder) == [examples[0], examples[2]]


@pytest.mark.parametrize(("place", "message"), [(1, "its source is longer than --max-source-tokens 120"),
                                                (2, "its target is longer than --max-target-tokens 100")])
def test_overlong_examples_end_the_run_by_policy(place: int, message: str, model_folder: Path) -> None:
    task, encoder, examples = get_task("repair"), encoder_of(model_folder), overlong_examples()
    with pytest.raises(DataError, match=f"train example 'repair-{place}': {message}.*--overlong truncate or skip"):
        within_limits([examples[0], examples[place]], "train", "error", task, encoder)
    with pytest.raises(DataError, match="no train example is within 120 source and 100 target tokens"):
        within_limits([examples[place]], "train", "skip", task, encoder)


def test_what_was_skipped_and_cut_is_in_the_row(model_folder: Path, tmp_path: Path) -> None:
    data = write(tmp_path / "data", "repair")
    row = json.loads((data / "train.jsonl").read_text().splitlines()[0])
    with (data / "train.jsonl").open("a") as file:
        file.write(json.dumps(row | {"id": "long", "source": row["source"] * 40}) + "\n")
    for policy, skipped, count in (("truncate", 0, 17), ("skip", 1, 16)):
        folder = run(model_folder, data, tmp_path / policy, "repair", "--overlong", policy, "--max-target-tokens", "90",
                     "--method", "none")
        found = ResultRow(**json.loads((folder / "metrics.json").read_text()))
        assert (found.preparation["skipped"], found.train_examples) == (skipped, count)
        assert found.preparation["truncated"] == 1 - skipped


def test_near_duplicates_are_counted_scored_apart_and_removed(model_folder: Path, tmp_path: Path) -> None:
    data = write(tmp_path / "data", "translate")
    rows = [json.loads(line) for line in (data / "test.jsonl").read_text().splitlines()]
    with (data / "train.jsonl").open("a") as file:
        file.write(json.dumps(rows[0] | {"id": "copy"}) + "\n")
    plain, cleaned = (ResultRow(**json.loads((run(model_folder, data, tmp_path / name, "translate", "--method", "none", *flags)
                                              / "metrics.json").read_text()))
                      for name, flags in (("plain", ()), ("cleaned", ("--decontaminate", "0.8"))))
    assert plain.near_duplicate_percent == 25.0 and plain.train_examples == 17
    assert set(plain.clean_scores) == set(plain.scores)
    assert cleaned.near_duplicate_percent == 0.0 and cleaned.train_examples == 16
    assert cleaned.clean_scores == cleaned.scores


@pytest.fixture(scope="module")
def summarizer(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("summarizer")
    return run(model_folder, write(folder / "data", "summarize"), folder / "run", "summarize") / "transducer"


SHAPES = "import math\n\n\nclass Circle:\n    def area(self):\n        return math.pi * self.radius ** 2\n\n\ndef twice(x):\n    return 2 * x\n"


@pytest.mark.parametrize(("flags", "source"), [
    (("--function", "area"), "def area(self):\n    return math.pi * self.radius ** 2\n"), ((), SHAPES)])
def test_a_function_of_a_file_is_summarized(
        flags: tuple[str, ...], source: str, summarizer: Path, model_folder: Path, tmp_path: Path,
        capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "shapes.py"
    path.write_text(SHAPES)
    code = command_line(predict.main, [str(path), "--transducer", str(summarizer), "--model", str(model_folder), "--json", *flags])
    assert code == 0
    found = json.loads(capsys.readouterr().out)
    assert found["source"] == source and found["language"] == "python" and isinstance(found["answer"], str)


@pytest.mark.parametrize(("flags", "message"), [
    (("--function", "perimeter"), "defines no functions called 'perimeter', expected one; it has: area, twice"),
    (("--write",), "--write replaces a placeholder, and task 'summarize' has none"),
])
def test_wrong_questions_about_a_file(
        flags: tuple[str, ...], message: str, summarizer: Path, model_folder: Path, tmp_path: Path,
        capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "shapes.py"
    path.write_text(SHAPES)
    assert command_line(predict.main, [str(path), "--transducer", str(summarizer), "--model", str(model_folder), *flags]) != 0
    assert message in capsys.readouterr().err
