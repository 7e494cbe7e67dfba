"""Token streams: the documents of `corpus` as one long array of token ids per stream, held out ones apart.

A prepared folder holds the tokenizer, `streams.safetensors` (`<stream>.train`, `<stream>.heldout`: uint16 token ids,
`<stream>.starts`: where training documents begin) and `report.json` (counts of documents kept and dropped, characters
per token).
"""
from __future__ import annotations

import json
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file
from transformers import PreTrainedTokenizerFast

from .corpus import ContaminationIndex, documents, forbidden_texts
from .files import write_whole
from .tokenizer import train_tokenizer

VOCABULARY_SIZE = 12_288
HELDOUT_ONE_IN = 200
TOKENIZER_TEXT = {"python": 18_000_000, "python_tests": 6_000_000, "java": 16_000_000, "csharp": 2_000_000, "java_tests": 8_000_000,
                  "java_summaries": 2_000_000}
"""Characters of each stream that the tokenizer is trained on."""

STREAM_SHARES = {"python": 0.27, "python_tests": 0.25, "java": 0.20, "java_tests": 0.20, "csharp": 0.02,
                 "java_summaries": 0.03, "java_translation": 0.015, "java_repair": 0.015}
"""Share of the training windows drawn from each stream; renormalised over the streams that are present."""


def prepare(output: Path, data: Path | None) -> None:
    """Gather, check, tokenize and store the corpus. Takes about five minutes; nothing is done where it is done.

    A tokenizer that the folder already holds is kept, so that a model can go on with a corpus that was changed.
    """
    if (output / "report.json").exists():
        return
    output.mkdir(parents=True, exist_ok=True)
    report: Counter = Counter()
    index = ContaminationIndex(forbidden_texts(data))
    report["forbidden texts"] = len(index)
    texts: dict[str, list[str]] = {}
    for stream, text in documents(data, index, report):
        texts.setdefault(stream, []).append(text)
    if not (output / "tokenizer").exists():
        train_tokenizer(_sample(texts), VOCABULARY_SIZE).save_pretrained(output / "tokenizer")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(output / "tokenizer")
    arrays: dict[str, np.ndarray] = {}
    for stream, members in texts.items():
        train, heldout = [], []
        for text in members:
            # The separator keeps two documents apart as two functions of one file would be.
            (heldout if zlib.crc32(text.encode()) % HELDOUT_ONE_IN == 0 else train).append(text + "\n\n")
        for split, kept in (("train", train), ("heldout", heldout)):
            encoded = []
            for first in range(0, len(kept), 1000):
                encoded += tokenizer(kept[first:first + 1000], add_special_tokens=False, verbose=False)["input_ids"]
            if split == "train":
                arrays[f"{stream}.starts"] = np.cumsum([0] + [len(ids) for ids in encoded[:-1]], dtype=np.int64)
            arrays[f"{stream}.{split}"] = np.array([token for ids in encoded for token in ids], dtype=np.uint16)
            report[f"{stream}: {split} tokens"] = len(arrays[f"{stream}.{split}"])
        report[f"{stream}: characters per token, times 1000"] = round(
            1000 * sum(map(len, members)) / (report[f"{stream}: train tokens"] + report[f"{stream}: heldout tokens"]))
    save_file(arrays, output / "streams.safetensors")
    write_whole(output / "report.json", json.dumps(dict(sorted(report.items())), indent=1) + "\n")


def _sample(texts: dict[str, list[str]]):
    """An even cross-section of every stream, as many characters as `TOKENIZER_TEXT` says."""
    for stream, wanted in TOKENIZER_TEXT.items():
        members = texts.get(stream, [])
        step = max(1, sum(map(len, members)) // wanted)
        yield from members[::step]


class Streams:
    """Windows from the prepared token streams."""

    def __init__(self, folder: Path):
        self.tokenizer = PreTrainedTokenizerFast.from_pretrained(folder / "tokenizer")
        self.report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        self._arrays = load_file(folder / "streams.safetensors")
        self.names = [name for name in STREAM_SHARES if f"{name}.train" in self._arrays]
        shares = np.array([STREAM_SHARES[name] for name in self.names])
        self._shares = shares / shares.sum()

    def window(self, length: int, random: np.random.Generator) -> np.ndarray:
        """`length` consecutive training tokens; half of the windows begin where a document begins."""
        name = self.names[random.choice(len(self.names), p=self._shares)]
        tokens, starts = self._arrays[f"{name}.train"], self._arrays[f"{name}.starts"]
        last = len(tokens) - length
        start = int(starts[random.integers(len(starts))]) if random.random() < 0.5 else int(random.integers(last))
        start = min(start, last)
        return tokens[start:start + length].astype(np.int64)

    def heldout_windows(self, name: str, length: int, limit: int) -> list[np.ndarray]:
        """The first `limit` disjoint windows of a stream's held-out documents."""
        tokens = self._arrays[f"{name}.heldout"].astype(np.int64)
        return [tokens[first:first + length] for first in range(0, len(tokens) - length, length)][:limit]
