"""A tiny T5 folder, a data folder of hand-written examples, and batches of them."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import ByteLevelBPETokenizer
from transformers import T5Config, T5ForConditionalGeneration

from checkpoints.tokenizer import BOS, EOS, PAD, train_tokenizer
from tasks import Example, get_task
from transducer.adapted_model import AdaptedModel
from transducer.backbone import Backbone, load_backbone
from transducer.prepare import PreparationReport, Preparer
from transducer.tensors import Collator, PreparedExample

ROOT = Path(__file__).resolve().parents[2]
TASK = get_task("assert")
WIDTH, LAYERS, HEADS, HEAD_WIDTH = 32, 2, 2, 16
SOURCE_TOKENS, TARGET_TOKENS = 96, 16

PYTHON = '''def test_{name}():
    total = 0
    for value in range({size}):
        if value > {number}:
            total = total + {name}(value)
    "<AssertPlaceHolder>"

def {name}(value):
    result = value * {number}
    return result
'''
JAVA = '''public void test{title}() {{
    int total = 0;
    for (int value = 0; value < {size}; value++) {{
        if (value > {number}) {{
            total = total + {name}(value);
        }}
    }}
    "<AssertPlaceHolder>";
}}

public int {name}(int value) {{
    int result = value * {number};
    return result;
}}
'''
NAMES = ("area", "perimeter", "volume", "distance", "weight", "height", "speed", "balance", "price", "count", "median", "ratio")
SPLITS = {"train": 48, "valid": 12, "test": 12}


def examples(count: int, first: int = 0) -> list[Example]:
    """Python and Java in turn; the answer can be read off the test."""
    made = []
    for number in range(first, first + count):
        name = NAMES[number % len(NAMES)]
        words = {"name": name, "title": name.title(), "number": number, "size": number + 3}
        answer = number * (number + 1) + number * (number + 2)
        if number % 2:
            made.append(Example(f"java-{number}", JAVA.format(**words), f"assertEquals({answer}, total);", "java"))
        else:
            made.append(Example(f"python-{number}", PYTHON.format(**words), f"assert total == {answer}", "python"))
    return made


def write_data(folder: Path) -> Path:
    """A data folder; no example stands in two splits."""
    folder.mkdir(parents=True)
    first = 0
    for split, count in SPLITS.items():
        rows = [{"id": example.id, "source": example.source, "target": example.target, "language": example.language}
                for example in examples(count, first)]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        first += count
    return folder


def write_model(folder: Path, seed: int = 0) -> Path:
    """A random T5 with the embedded model's kind of tokenizer; its dropout shows wherever it is not off."""
    texts = [text for example in examples(48) for text in (example.source, example.target)]
    tokenizer = train_tokenizer(texts, 600)
    torch.manual_seed(seed)
    model = T5ForConditionalGeneration(T5Config(
        vocab_size=len(tokenizer), d_model=WIDTH, d_kv=HEAD_WIDTH, d_ff=64, num_layers=LAYERS, num_decoder_layers=LAYERS,
        num_heads=HEADS, dropout_rate=0.1, feed_forward_proj="relu", decoder_start_token_id=PAD, pad_token_id=PAD,
        bos_token_id=BOS, eos_token_id=EOS))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_codet5_tokenizer(folder: Path) -> None:
    """The files of the tokenizer of Salesforce/codet5-small: RoBERTa's kind, no tokenizer.json, 32,000 entries, then the
    sentinels from the last to the first. Few of the entries are real ones."""
    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator([example.source for example in examples(24)], vocab_size=600, show_progress=False,
                                special_tokens=["<pad>", "<s>", "</s>", "<unk>", "<mask>"])
    trained.save_model(str(folder))
    entries = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    entries |= {f"filler{number}": number for number in range(len(entries), 32_000)}
    (folder / "vocab.json").write_text(json.dumps(entries), encoding="utf-8")
    sentinels = [f"<extra_id_{number}>" for number in range(99, -1, -1)]
    special = {"bos_token": "<s>", "eos_token": "</s>", "sep_token": "</s>", "cls_token": "<s>", "unk_token": "<unk>",
               "pad_token": "<pad>", "mask_token": "<mask>", "additional_special_tokens": sentinels}
    for name, content in {
            "added_tokens.json": {token: 32_000 + place for place, token in enumerate(sentinels)},
            "special_tokens_map.json": special,
            "tokenizer_config.json": special | {"tokenizer_class": "RobertaTokenizer", "add_prefix_space": False,
                                                "model_max_length": 512}}.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")


def preparer(backbone: Backbone) -> Preparer:
    return Preparer(backbone, TASK, SOURCE_TOKENS, TARGET_TOKENS)


def prepared(backbone: Backbone, chosen: Sequence[Example]) -> list[PreparedExample]:
    """Examples with labels and graphs, ready for collation."""
    return preparer(backbone).with_labels(chosen, PreparationReport())


def batch_of(backbone: Backbone, chosen: Sequence[Example]) -> dict[str, torch.Tensor]:
    """One collated batch with labels."""
    return Collator(backbone.pad_token_id)(prepared(backbone, chosen))


def trained_losses(model: AdaptedModel, batch: dict[str, torch.Tensor], steps: int = 8) -> list[float]:
    """The loss before each of a few steps on one batch."""
    model.plan(steps)
    optimizer = torch.optim.AdamW(model.trainable().values(), lr=model.default_learning_rate)
    losses = []
    for step in range(steps):
        loss = model(**batch).loss
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
        model.after_step(step + 1, optimizer)
        optimizer.zero_grad()
    return losses


def float64_backbone(folder: Path) -> Backbone:
    """The backbone in float64, where a gradient of zero is told from rounding."""
    backbone = load_backbone(str(folder), "float32", device="cpu")
    backbone.model.double()
    return backbone


def header_bytes(path: Path) -> int:
    """What a safetensors file takes besides its tensors: eight bytes of length and a JSON header."""
    return 8 + int.from_bytes(path.read_bytes()[:8], "little")


def stored_parameters(path: Path) -> int:
    return sum(tensor.numel() for tensor in load_file(path).values())


def python(*arguments: str, cwd: Path, timeout: float = 120.0) -> subprocess.CompletedProcess[str]:
    """Another Python process in this checkout's environment, in a folder that is not the checkout."""
    return subprocess.run([sys.executable, *arguments], cwd=cwd, env=environment(), capture_output=True, text=True, timeout=timeout)


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)}
