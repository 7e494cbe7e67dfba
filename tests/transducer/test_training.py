"""The training command on a tiny model: what a run writes, that it repeats, resumes, refuses and reports."""
from __future__ import annotations

import json
import shutil
from dataclasses import fields
from pathlib import Path

import pytest
from safetensors.torch import load_file
from transformers import TrainingArguments

from checkpoints.artefact import read_artefact
from tests.transducer import tiny
from tests.transducer.training_command import STEPS_PER_EPOCH, TENSORS, Command, rows_of, single_line
from transducer.backbone import load_backbone
from transducer.measure import ResultRow
from transducer.methods import build_method
from transducer.prepare import Preparer
from transducer.config import TransducerSettings
from transducer.trainer import AdapterTrainer

METRICS = {"exact_match", "bleu", "codebleu", "chrf"}


# What a run writes


def test_the_run_folder_is_as_designed(reference: Path, command: Command) -> None:
    names = {path.name for path in reference.iterdir()}
    assert names == {"config.json", "metrics.json", "predictions.jsonl", "log.jsonl", "results.jsonl", "table.md",
                     "checkpoints", "transducer"}
    config = json.loads((reference / "config.json").read_text(encoding="utf-8"))
    assert (config["task"], config["method"], config["epochs"], config["seed"]) == ("assert", "transducer", 2.0, 0)
    assert {path.name for path in (reference / "transducer").iterdir()} == {
        "transducer_config.json", "transducer.safetensors", "README.md"}
    assert not [path for path in reference.rglob("*") if path.name.startswith(".") or path.suffix == ".tmp"]


def test_predictions_hold_every_test_example_in_order_with_its_scores(reference: Path) -> None:
    lines = [json.loads(line) for line in (reference / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]
    expected = tiny.examples(12, 60)  # the 12 test examples come after 48 and 12
    assert [(line["id"], line["source"], line["target"]) for line in lines] == [
        (example.id, example.source, example.target) for example in expected]
    for line in lines:
        assert line.keys() == {"id", "source", "target", "prediction", "scores"}
        assert line["scores"].keys() == METRICS and all(0 <= value <= 100 for value in line["scores"].values())
    assert any(line["prediction"] for line in lines)


def test_the_log_has_a_validation_loss_for_each_epoch(reference: Path) -> None:
    entries = [json.loads(line) for line in (reference / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    losses = [(entry["step"], entry["eval_loss"]) for entry in entries if "eval_loss" in entry]
    assert [step for step, _ in losses] == [STEPS_PER_EPOCH, 2 * STEPS_PER_EPOCH]
    assert rows_of(reference)[0].valid_loss == min(loss for _, loss in losses)


def test_the_rate_of_several_passes_is_lower_and_the_row_tells_it(reference: Path) -> None:
    (row,) = rows_of(reference)
    assert row.learning_rate == pytest.approx(0.01 / 2**0.5)  # two epochs
    states = [json.loads(path.read_text(encoding="utf-8")) for path in reference.glob("checkpoints/*/training_state.json")]
    assert states and all(group["initial_lr"] == row.learning_rate for state in states for group in state["param_groups"])


def test_the_result_row_is_complete(reference: Path, model_folder: Path) -> None:
    (row,) = rows_of(reference)
    assert row.to_dict() == json.loads((reference / "metrics.json").read_text(encoding="utf-8"))
    empty = [entry.name for entry in fields(row) if getattr(row, entry.name) in (None, "", 0, {}, [])]
    # A seed of 0 is no gap, a run that came through has no reason, a transducer needs no remark; budgets, tuning and folders
    # of their own are of comparisons.
    assert set(empty) <= {"seed", "remark", "reason", "git_commit", "train_peak_bytes", "generate_peak_bytes",
                          "near_duplicate_percent", "parameter_budget", "tuning", "folder"}
    backbone = load_backbone(str(model_folder), "float32", device="cpu")
    trainable = build_method("transducer", backbone, TransducerSettings()).trainable_count()
    assert (row.method, row.seed, row.status, row.precision) == ("transducer", 0, "ok", "float32")
    assert (row.train_examples, row.valid_examples, row.test_examples) == (48, 12, 12)
    assert row.model_fingerprint == backbone.fingerprint and len(row.data_hash) >= 16
    assert row.trainable_parameters == row.parameters_with_gradient == trainable
    assert row.artefact_bytes == (reference / TENSORS).stat().st_size
    assert row.scores.keys() == row.signatures.keys() == METRICS
    assert row.preparation["examples"] == 72 and set(row.preparation["edges"]) == {"AST", "CFG", "DDG", "CDG"}


def test_the_model_card_states_what_was_measured(reference: Path) -> None:
    (row,) = rows_of(reference)
    config = json.loads((reference / "transducer" / "transducer_config.json").read_text(encoding="utf-8"))
    assert config["task"] == "assert" and config["languages"] == ["java", "python"]
    assert config["results"]["test loss"] == round(row.test_loss, 4)
    card = (reference / "transducer" / "README.md").read_text(encoding="utf-8")
    assert str(round(row.test_loss, 4)) in card and row.model_fingerprint in card and f"{row.trainable_parameters:,}" in card


def test_training_lowers_the_loss_below_the_frozen_models(reference: Path, command: Command, tmp_path: Path) -> None:
    assert command(tmp_path / "none", "--method", "none", "--quiet") == 0
    (frozen,) = rows_of(tmp_path / "none")
    assert frozen.trainable_parameters == frozen.artefact_bytes == 0 and frozen.valid_loss is None
    assert rows_of(reference)[0].test_loss < frozen.test_loss - 0.1


def test_checkpoints_hold_what_is_trained_and_no_pickle(reference: Path) -> None:
    found = sorted(path.name for path in (reference / "checkpoints").iterdir())
    assert found == [f"checkpoint-{2 * STEPS_PER_EPOCH}", f"checkpoint-{STEPS_PER_EPOCH}"]
    trained = read_artefact(reference / "transducer").tensors
    for checkpoint in (reference / "checkpoints").iterdir():
        files = [path for path in checkpoint.rglob("*") if path.is_file()]
        assert {path.suffix for path in files} == {".json", ".safetensors", ".md"}
        stored = load_file(checkpoint / "adapter" / "transducer.safetensors")
        assert {name: tensor.shape for name, tensor in stored.items()} == {
            name: tensor.shape for name, tensor in trained.items()}
        # AdamW keeps two moments a number and one step count a tensor.
        moments = sum(tensor.numel() for tensor in load_file(checkpoint / "optimizer.safetensors").values())
        assert moments == sum(2 * tensor.numel() + 1 for tensor in trained.values())


def test_examples_are_prepared_once_for_all_methods_and_seeds(
        command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared: list[int] = []
    with_labels = Preparer.with_labels

    def counted(self, examples, report, progress=False):
        prepared.append(len(examples))
        return with_labels(self, examples, report, progress)

    monkeypatch.setattr(Preparer, "with_labels", counted)
    flags = ("--baselines", "none", "lora", "--seeds", "2", "--epochs", "1", "--test-limit", "2", "--quiet")
    assert command(tmp_path / "run", *flags) == 0
    rows = rows_of(tmp_path / "run")
    assert [row.method for row in rows] == ["transducer", "transducer", "none", "lora", "lora"]
    assert prepared == [rows[0].train_examples, rows[0].valid_examples, rows[0].test_examples]
    assert all(row.preparation == rows[0].preparation for row in rows)


def test_a_process_that_is_not_to_save_writes_no_weights(
        command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`Trainer` asks every process of a launcher to save; two at once met in the place of the checkpoint."""
    monkeypatch.setattr(TrainingArguments, "should_save", property(lambda self: False))
    monkeypatch.setattr(AdapterTrainer, "_load_best_model", lambda self: None)
    assert command(tmp_path / "run", "--quiet", "--epochs", "1", "--test-limit", "2") == 0
    assert not list((tmp_path / "run" / "checkpoints").rglob("adapter"))
    assert not list((tmp_path / "run" / "checkpoints").rglob("optimizer.safetensors"))


# Repeating and resuming


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(reference: Path, command: Command, tmp_path: Path) -> None:
    assert command(tmp_path / "again", "--quiet") == 0
    assert (tmp_path / "again" / TENSORS).read_bytes() == (reference / TENSORS).read_bytes()
    assert (tmp_path / "again" / "predictions.jsonl").read_bytes() == (reference / "predictions.jsonl").read_bytes()
    assert rows_of(tmp_path / "again")[0].test_loss == rows_of(reference)[0].test_loss
    assert command(tmp_path / "other", "--quiet", "--seed", "1") == 0
    assert (tmp_path / "other" / TENSORS).read_bytes() != (reference / TENSORS).read_bytes()


# What is refused


def test_an_existing_run_is_refused_and_kept(reference: Path, command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in reference.rglob("*")}
    assert command(reference, "--quiet") == 1
    message = single_line(capsys.readouterr().err)
    assert message == (f"error: {reference} already holds a run; give --resume to go on with it, --overwrite to replace "
                       "it, or another --output")
    assert {path: path.stat().st_mtime_ns for path in reference.rglob("*")} == before


def test_overwrite_replaces_a_run(reference: Path, command: Command, tmp_path: Path) -> None:
    output = tmp_path / "run"
    shutil.copytree(reference, output)
    assert command(output, "--quiet", "--overwrite", "--method", "none", "--test-limit", "2") == 0
    assert [row.method for row in rows_of(output)] == ["none"]
    assert not (output / "transducer").exists() and not (output / "checkpoints").exists()


@pytest.mark.parametrize("flag", ["--overwrite", "--resume", ""])
@pytest.mark.parametrize("content", ["notes", "model"])
def test_a_folder_that_is_no_run_is_never_touched(
        flag: str, content: str, command: Command, model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither one of the user's files nor a model folder, which has a config.json as a run has."""
    output = tmp_path / "mine"
    if content == "notes":
        output.mkdir()
        (output / "notes.txt").write_text("mine")
    else:
        shutil.copytree(model_folder, output)
    before = {path: path.read_bytes() for path in output.rglob("*")}
    assert command(output, "--quiet", *([flag] if flag else [])) == 1
    assert "is no run folder" in single_line(capsys.readouterr().err)
    assert {path: path.read_bytes() for path in output.rglob("*")} == before


def test_an_output_that_is_a_file_is_refused(command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("mine")
    assert command(tmp_path / "file", "--quiet", "--overwrite") == 1
    assert "is no run folder" in single_line(capsys.readouterr().err)
    assert (tmp_path / "file").read_text() == "mine"


def test_resuming_with_other_settings_is_refused(reference: Path, command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(reference, "--quiet", "--resume", "--epochs", "3", "--rank", "8") == 2
    message = single_line(capsys.readouterr().err)
    assert "epochs was 2.0 and is 3.0" in message and "rank was 0 and is 8" in message and "--output" in message


def test_resuming_nothing_is_refused(command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(tmp_path / "nothing", "--quiet", "--resume") == 2
    assert "holds no run" in single_line(capsys.readouterr().err)
    assert not (tmp_path / "nothing").exists()


def test_resume_and_overwrite_together_are_refused(reference: Path, command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(reference, "--quiet", "--resume", "--overwrite") == 2
    assert "contradict" in single_line(capsys.readouterr().err)
    assert (reference / TENSORS).exists()


@pytest.mark.parametrize(("flags", "code", "expected"), [
    (["--task", "asert"], 2, "unknown task 'asert'; expected one of: assert, repair, summarize, translate. Did you mean 'assert'?"),
    (["--method", "transduser"], 2, "Did you mean 'transducer'?"),
    (["--baselines", "lora", "prefx"], 2, "Did you mean 'prefix'?"),
    (["--fusion", "attention+alined"], 2, "Did you mean 'aligned'?"),
    (["--baselines", "none", "lora:rnk=2"], 2, "method 'lora:rnk=2': unknown setting 'rnk'; did you mean 'rank'?"),
    (["--baselines", "affix"], 1, "affix"),
    (["--method", "lora:params=3"], 2, "more than the budget of 3; raise the budget to that"),
    (["--method", "lora:params=few"], 2, "params is 'few', expected a whole number of at least 1"),
    (["--layer", "gatv3"], 2, "Did you mean 'gatv2'?"),
    (["--fusion", "published+prompts"], 2, "'published'"),
    (["--engine", "dlg"], 2, "Did you mean 'dgl'?"),
    (["--precision", "float16"], 2, "float32, bfloat16"),
    (["--batch-size", "0"], 2, "--batch-size is 0, expected at least 1"),
    (["--epochs", "many"], 2, "--epochs"),
    (["--language", "cobol"], 1, "python"),
    (["--data", "file:nowhere"], 1, "nowhere"),
    (["--data", "elsewhere"], 1, "unknown source of data 'elsewhere'"),
    (["--model", "codet5-tny"], 1, "codet5-tiny"),
    (["--config", "absent.yaml"], 2, "no recipe file absent.yaml"),
])
def test_bad_arguments_are_one_line_and_leave_no_folder(
        flags: list[str], code: int, expected: str, command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        found = command(tmp_path / "run", "--quiet", *flags)
    except SystemExit as end:  # argparse ends the process itself
        found = end.code
    captured = capsys.readouterr()
    assert found == code
    assert expected in single_line(captured.err)
    assert captured.out == ""
    assert not (tmp_path / "run").exists()


def test_a_wrong_row_is_named_by_file_line_and_field(
        command: Command, data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(data_folder, tmp_path / "data")
    lines = (tmp_path / "data" / "valid.jsonl").read_text(encoding="utf-8").splitlines()
    row = json.loads(lines[4])
    del row["target"]
    (tmp_path / "data" / "valid.jsonl").write_text("\n".join([*lines[:4], json.dumps(row), *lines[5:]]), encoding="utf-8")
    assert command(tmp_path / "run", "--quiet", "--data", f"file:{tmp_path / 'data'}") == 1
    message = single_line(capsys.readouterr().err)
    assert "valid.jsonl:5" in message and "'target' is missing" in message
    (tmp_path / "data" / "valid.jsonl").write_text("", encoding="utf-8")
    assert command(tmp_path / "run", "--quiet", "--data", f"file:{tmp_path / 'data'}") == 1
    assert "the valid split is empty" in single_line(capsys.readouterr().err)
    assert not (tmp_path / "run").exists()


# Several methods, and what is printed


@pytest.fixture(scope="module")
def comparison(command: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("runs") / "comparison"
    assert command(output, "--quiet", "--epochs", "1", "--seeds", "2", "--baselines", "none", "prefix", "transducer") == 0
    return output


def test_baselines_run_on_the_same_data_and_budget(comparison: Path) -> None:
    rows = rows_of(comparison)
    # Nothing is trained for `none`, so a second seed of it would be the same run again.
    assert [(row.method, row.seed) for row in rows] == [
        ("transducer", 0), ("transducer", 1), ("none", 0), ("prefix", 0), ("prefix", 1)]
    assert len({(row.data_hash, row.train_examples, row.test_examples, row.epochs, row.model_fingerprint) for row in rows}) == 1
    for name in ("transducer-seed1", "none-seed0", "prefix-seed0", "prefix-seed1"):
        member = comparison / "runs" / name
        assert (member / "metrics.json").exists() and (member / "predictions.jsonl").exists()
    assert (comparison / "runs" / "prefix-seed0" / "adapter" / "adapter_config.json").exists()


def test_the_table_has_a_line_for_each_method(comparison: Path) -> None:
    table = (comparison / "table.md").read_text(encoding="utf-8")
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    assert [line.split("|")[1].strip() for line in lines] == ["method", "transducer", "none", "prefix"]
    assert len({line.count("|") for line in lines}) == 1
    assert "±" in lines[1] and "±" not in lines[2]
    assert "prefix: peft's prefixes reach only the decoder" in table


def test_a_method_is_trained_in_its_largest_size_within_a_budget(command: Command, tmp_path: Path) -> None:
    output = tmp_path / "run"
    flags = ("--quiet", "--method", "lora:params=3000,dropout=0", "--epochs", "1", "--test-limit", "2")
    assert command(output, *flags) == 0
    (row,) = rows_of(output)
    assert row.method == "lora:params=3000,dropout=0" and row.specification.startswith("lora:dropout=0,rank=")
    assert row.parameter_budget == 3000 and 2000 < row.trainable_parameters <= 3000
    assert command(output, *flags, "--resume") == 0 and rows_of(output) == [row]


def test_a_method_that_fails_is_a_row_and_the_others_finish(
        command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A learning rate at which float32 overflows."""
    output = tmp_path / "run"
    flags = ("--quiet", "--method", "published", "--learning-rate", "1e30", "--baselines", "none", "--test-limit", "2")
    assert command(output, *flags) == 1
    failed, finished = rows_of(output)
    assert (failed.method, failed.status, finished.method, finished.status) == ("published", "failed", "none", "ok")
    assert "the loss is" in failed.reason and "lower --learning-rate" in failed.reason
    assert failed.test_loss is None and finished.test_loss is not None and finished.scores.keys() == METRICS
    printed = capsys.readouterr()
    assert "published, seed 0 failed: the loss is" in printed.out.replace("\n", " ")
    assert printed.err.startswith("published, seed 0: the loss is"), "at once, and on any process"
    assert not (output / "metrics.json").exists()
    assert command(output, *flags, "--resume") == 1


def test_a_loss_that_breaks_at_the_last_step_is_a_failure_too(command: Command, tmp_path: Path) -> None:
    """One step of 48 examples: what it has broken shows in the validation loss only."""
    flags = ("--quiet", "--method", "published", "--learning-rate", "1e30", "--warmup-ratio", "0", "--batch-size", "48",
             "--epochs", "1")
    assert command(tmp_path / "run", *flags) == 1
    (row,) = rows_of(tmp_path / "run")
    assert row.status == "failed" and row.reason.startswith("the validation loss is nan at step 1;")


def test_json_prints_the_rows_and_nothing_else(command: Command, tmp_path: Path) -> None:
    done = tiny.python("-m", "transducer.train",
                       *command.arguments(tmp_path / "run", "--json", "--epochs", "1", "--test-limit", "2"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [ResultRow(**json.loads(line)) for line in done.stdout.splitlines()] == rows_of(tmp_path / "run")
    assert done.stderr == ""


def test_quiet_prints_the_table_only(command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ("--method", "prompt", "--epochs", "1", "--test-limit", "2")
    assert command(tmp_path / "quiet", *flags, "--quiet") == 0
    quiet = capsys.readouterr()
    assert command(tmp_path / "loud", *flags) == 0
    loud = capsys.readouterr()
    assert quiet.err == loud.err == ""
    for text in ("Settings", "valid loss", "epochs=1.0"):
        assert text in loud.out and text not in quiet.out
    assert "exact" in quiet.out and "prompt" in quiet.out
    # What is no transducer is not for `predict`.
    assert f"Saved in {tmp_path / 'quiet' / 'adapter'}.\n" in quiet.out and "transducer.predict" not in quiet.out


def test_a_transducer_is_offered_for_prediction(command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(tmp_path / "run", "--epochs", "1", "--train-limit", "8", "--test-limit", "2") == 0
    saved = tmp_path / "run" / "transducer"
    assert f"Saved in {saved}. Try: python -m transducer.predict --transducer {saved} FILE\n" in capsys.readouterr().out
    assert saved.is_dir()
