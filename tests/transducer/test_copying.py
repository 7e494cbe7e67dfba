"""Method `copy`: sources come back whole, through the commands, and where it has no loss."""
from __future__ import annotations

import json
from pathlib import Path

import pytest

from tasks import get_task
from tests.transducer import tiny
from transducer import compare, train
from transducer.backbone import load_backbone
from transducer.commands import command_line
from transducer.config import TransducerSettings
from transducer.errors import ConfigurationError
from transducer.evaluate import predict
from transducer.methods import build_method
from transducer.prepare import Preparer
from transducer.results import read_rows

JAVA = "public int twice(int x) {\n    return x + x;\n}\n"


@pytest.fixture(scope="module")
def backbone(model_folder: Path):
    return load_backbone(str(model_folder), "float32", device="cpu")


@pytest.fixture(scope="module")
def repairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Functions with a defect and without; the second of the test split has none."""
    folder = tmp_path_factory.mktemp("repairs")
    for split, first, count in (("train", 0, 16), ("valid", 16, 4), ("test", 20, 4)):
        rows = [{"id": f"{split}{number}", "language": "java", "source": JAVA.replace("twice", f"twice{number}"),
                 "target": JAVA.replace("twice", f"twice{number}").replace("+", "+" if number == 21 else "-")}
                for number in range(first, first + count)]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_sources_come_back_in_their_order_whatever_the_limits_are(backbone) -> None:
    model = build_method("copy", backbone, TransducerSettings()).eval()
    preparer = Preparer(backbone, get_task("repair"), max_source_tokens=24, max_target_tokens=4)
    sources = [(JAVA * times, "java") for times in (1, 3, 2)]
    assert predict(model, preparer, sources, beams=2) == [source.strip() for source, _ in sources]
    assert model.trainable_count() == 0


def test_the_commands_run_it_without_a_loss(model_folder: Path, repairs: Path, tmp_path: Path) -> None:
    flags = ["--task", "repair", "--model", str(model_folder), "--data", f"file:{repairs}", "--train-limit", "0",
             "--max-source-tokens", "64", "--max-target-tokens", "8", "--precision", "float32", "--quiet"]
    assert command_line(train.main, [*flags, "--method", "copy", "--seeds", "2", "--output", str(tmp_path / "run")]) == 0
    (row,) = read_rows(tmp_path / "run")
    assert (row.status, row.trainable_parameters, row.artefact_bytes, row.test_loss) == ("ok", 0, 0, None)
    assert row.scores["exact_match"] == 25.0 and 80 < row.scores["bleu"] < 100 and "no loss" in row.remark
    assert row.score_details["exact_match"] == {"equal": 1, "shapes": 1, "of_most_common_shape": 1,
                                                "references_of_that_shape": 1}
    methods = ["--methods", "none", "copy", "--seeds", "2"]
    assert command_line(compare.main, [*flags, *methods, "--output", str(tmp_path / "compared")]) == 0
    none, copied = read_rows(tmp_path / "compared")
    assert (none.method, copied.method, copied.seed) == ("none", "copy", 0) and copied.scores == row.scores
    found = json.loads((tmp_path / "compared" / "statistics.json").read_text())
    compared = {(entry["method"], entry["metric"]) for entry in found["comparisons"]}
    assert ("copy", "bleu") in compared and ("copy", "test_loss") not in compared


def test_switched_off_it_is_the_frozen_model(backbone) -> None:
    model = build_method("copy", backbone, TransducerSettings()).eval()
    plain = build_method("none", backbone, TransducerSettings()).eval()
    batch = tiny.batch_of(backbone, tiny.examples(4))
    asked = [(example.source, example.language) for example in tiny.examples(3)]
    with model.disabled():
        assert float(model(**batch).loss) == float(plain(**batch).loss)
        assert predict(model, tiny.preparer(backbone), asked, beams=1) == predict(plain, tiny.preparer(backbone), asked, beams=1)
    with pytest.raises(ConfigurationError, match="no loss"):
        model(**batch)
    with pytest.raises(ConfigurationError, match="generates no tokens"):
        model.generate(batch, beams=1, max_new_tokens=4)
