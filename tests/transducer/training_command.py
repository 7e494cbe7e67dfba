"""The training command on a tiny model, and what its tests look at."""
from __future__ import annotations

import json
from pathlib import Path

from tests.transducer import tiny
from transducer import train
from transducer.commands import command_line
from transducer.measure import ResultRow

STEPS_PER_EPOCH = 6  # 48 training examples in batches of 8
TENSORS = Path("transducer") / "transducer.safetensors"


class Command:
    """The training command with the tiny model and data, and flags that make it short."""

    def __init__(self, model: Path, data: Path):
        self.flags = ["--model", str(model), "--data", f"file:{data}", "--train-limit", "0", "--batch-size", "8",
                      "--max-source-tokens", str(tiny.SOURCE_TOKENS), "--max-target-tokens", str(tiny.TARGET_TOKENS),
                      "--precision", "float32", "--epochs", "2"]

    def arguments(self, output: Path, *flags: str) -> list[str]:
        return [*self.flags, "--output", str(output), *flags]

    def __call__(self, output: Path, *flags: str) -> int:
        return command_line(train.main, self.arguments(output, *flags))


def rows_of(run: Path) -> list[ResultRow]:
    return [ResultRow(**json.loads(line)) for line in (run / "results.jsonl").read_text(encoding="utf-8").splitlines()]


def single_line(text: str) -> str:
    """The text, which must be one line."""
    assert text.endswith("\n") and text.count("\n") == 1, text
    return text.strip()
