"""What base models are said to know: losses by forms that all know, and gaps of the text as it was."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import T5ForConditionalGeneration

from checkpoints import examination, examine
from checkpoints.objectives import OBJECTIVES, Vocabulary, layout_of
from checkpoints.pretrain import Recipe
from checkpoints.pretraining import build_model, build_optimizers, descend, heldout_losses, loss_of, training_batch
from checkpoints.streams import Streams
from tests.checkpoints.tiny_corpus import prepare_tiny_corpus

SMALL = Recipe(width=32, feed_forward=64, heads=2, encoder_layers=1, decoder_layers=1, batch=2)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare_tiny_corpus(tmp_path_factory.mktemp("examined"))


@pytest.fixture(scope="module")
def models(work: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A model as it starts, and the same after some steps."""
    streams, folder = Streams(work), tmp_path_factory.mktemp("models")
    vocabulary, model = Vocabulary.of(streams.tokenizer), build_model(SMALL, len(streams.tokenizer))
    optimizers = build_optimizers(model, SMALL)
    for name, steps in (("older", 0), ("newer", 20)):
        for step in range(steps):
            descend(model, optimizers, loss_of(model, *training_batch(streams, vocabulary, SMALL, step)))
        model.save_pretrained(folder / name)
        streams.tokenizer.save_pretrained(folder / name)
    return [folder / "older", folder / "newer"]


def test_the_losses_are_those_of_the_models_and_fall(work: Path, models: list[Path]) -> None:
    streams = Streams(work)
    text = examination.sections(models, streams, windows=4)
    row = next(line for line in text.splitlines() if line.startswith("| python |"))
    told = [[float(figure) for figure in cell.split(", ")] for cell in row.strip("| ").split(" | ")[1:]]
    for place, folder in enumerate(models):
        model = T5ForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
        found = heldout_losses(model, streams, Vocabulary.of(streams.tokenizer), 4, examination.known_example)
        assert [cell[place] for cell in told] == [round(found[f"python/{objective}"], 2) for objective in OBJECTIVES]
    assert all(newer < older for older, newer in told)


@pytest.mark.parametrize(("objective", "gaps"), [("spans", 14), ("statements", 3), ("reconstruct", 1), ("prefix", 1)])
def test_no_version_is_asked_what_it_never_saw(work: Path, objective: str, gaps: int) -> None:
    streams = Streams(work)
    vocabulary, random = Vocabulary.of(streams.tokenizer), np.random.default_rng(0)
    counts = []
    for window in streams.heldout_windows("python", layout_of(objective).window, 30):
        source, labels = examination.known_example(window, objective, vocabulary, random)
        counts.append(int(np.isin(labels, vocabulary.sentinels).sum()))
        assert (len(source), len(labels)) == (256, 96) and np.isin(source, vocabulary.sentinels).sum() == counts[-1]
    assert 1 <= min(counts) and max(counts) == gaps


def squeezed(text: str) -> str:
    return "".join(text.split())


def test_samples_are_held_out_text_with_one_statement_taken_out(work: Path, models: list[Path]) -> None:
    streams = Streams(work)
    lines = examination.sections(models, streams, windows=1).splitlines()
    heldout = streams.tokenizer.decode(np.concatenate(streams.heldout_windows("python", examination.WINDOW, 1000)))
    shown = lines[lines.index("`python`:"):]
    first, last = shown.index("```python"), shown.index("```")
    before, after = "\n".join(shown[first + 1:last]).split("<gap>")
    said = [line for line in shown[last:last + 6] if line.startswith("- ")]
    assert [line[2:].partition(":")[0] for line in said] == ["as it was", "older", "newer"]
    statement = said[0].removeprefix("- as it was: `` ").removesuffix(" ``")
    assert statement and squeezed(f"{before}{statement.replace('⏎', '')}{after}") in squeezed(heldout)


def test_a_gap_is_one_statement_in_the_second_half(work: Path) -> None:
    streams = Streams(work)
    vocabulary = Vocabulary.of(streams.tokenizer)
    spans = [(window, examination.gap_of(window, vocabulary)) for window in streams.heldout_windows("python", examination.WINDOW, 20)]
    found = [(window, span) for window, span in spans if span]
    assert found
    for window, (start, end) in found:
        assert examination.WINDOW // 2 <= start < end <= examination.WINDOW and 6 <= end - start <= 40
        assert "\n" not in streams.tokenizer.decode(window[start:end]).strip("\n")


def test_the_card_gets_the_sections_once(work: Path, models: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    card = models[-1] / "README.md"
    card.write_text("# A model\n\nMade.\n", encoding="utf-8")
    for _ in range(2):
        assert examine.main(["--work", str(work), *map(str, models), "--card"]) == 0
        assert card.read_text(encoding="utf-8") == f"# A model\n\nMade.\n\n{examination.BEGIN}{capsys.readouterr().out.strip()}\n{examination.END}"


def test_other_tokenizers_and_other_folders_are_refused(work: Path, models: list[Path], tmp_path: Path,
                                                        capsys: pytest.CaptureFixture[str]) -> None:
    assert examine.main(["--work", str(work), str(tmp_path), str(models[-1])]) == 1
    assert capsys.readouterr().err.startswith(f"error: {tmp_path} is no folder of a model: it has no tokenizer.json; give folders")
    other = tmp_path / "other"
    other.mkdir()
    (other / "tokenizer.json").write_text("{}", encoding="utf-8")
    assert examine.main(["--work", str(work), str(other), str(models[-1])]) == 1
    assert "have different tokenizers" in capsys.readouterr().err
    assert examine.main(["--work", str(work), str(models[0]), str(models[0])]) == 1
    assert "have the same name" in capsys.readouterr().err
