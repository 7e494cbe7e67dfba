"""Lengths of sources and targets, in code tokens and in the tokens that a backbone reads.

Backbone tokens are counted as training counts them: with the end mark, with the task's frame, and with one token for the
place of the answer, which the target repeats. So a source over the task's limit here is one that a run cuts, leaves out or
refuses. The tokenizer is that of the embedded base model; other backbones have others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from tqdm import tqdm

from ..base import ANSWER, Example, Task
from ..code_tokens import code_tokens
from ..errors import MissingDataError
from .distribution import Histogram, histogram

TOKENIZER = Path(__file__).parents[2] / "checkpoints" / "codet5-tiny" / "tokenizer.json"
SIDES = ("source", "target")
UNITS = ("code tokens", "backbone tokens")
CHUNK = 512
"""Examples that are tokenized at once."""


class BackboneTokens:
    """Lengths in the tokens of a T5-family tokenizer, through the library `tokenizers` alone.

    Args:
        task: says what stands around a source.
        path: a `tokenizer.json`.

    Raises:
        MissingDataError: there is no such file.
    """

    def __init__(self, task: Task, path: Path = TOKENIZER):
        from tokenizers import Tokenizer

        if not path.is_file():
            raise MissingDataError(f"tokenizer {path}: nothing there; expected the tokenizer.json of a base model: install the "
                                   f"package whole")
        self._tokenizer = Tokenizer.from_file(str(path))
        self._around = len(self._tokenizer.encode("").ids)
        # Code may hold `</s>` as text, which training does not take for a mark either.
        self._tokenizer.encode_special_tokens = True
        self._task = task
        # As in training: the statement's own semicolon belongs to the answer.
        self._hole = re.compile(re.escape(task.placeholder) + r"(?:\s*;)?") if task.placeholder else None
        self._frame = cache(self._measured_frame)

    def lengths(self, examples: Sequence[Example]) -> tuple[list[int], list[int]]:
        """Of the sources, and of the targets of the examples that have one."""
        pieces = [self._pieces(example) for example in examples]
        sources = self._counts(part for parts, _, _ in pieces for part in parts)
        targets = self._counts(target for _, target, _ in pieces if target is not None)
        asked = int(bool(self._task.placeholder or self._task.frames))
        return ([sum(next(sources) for _ in parts) + extra for parts, _, extra in pieces],
                [count + asked + 1 for count in targets])

    def _pieces(self, example: Example) -> tuple[list[str], str | None, int]:
        """Texts that are tokenized apart, the target, and how many tokens stand around the texts."""
        if self._hole is None:
            texts, (around, blank) = [example.source], self._frame(example.language)
        else:
            hole = self._hole.search(example.source)
            assert hole, "sources without a placeholder are refused when they are read"
            before = example.source[:hole.start()]
            blank, around = before.endswith(" "), 1
            texts = [before.removesuffix(" "), example.source[hole.end():]]
        # A blank in front of the answer moves into the target, as in training.
        target = " " + example.target if blank and example.target is not None else example.target
        return texts, target, self._around + around

    def _measured_frame(self, language: str) -> tuple[int, bool]:
        """How many tokens the task puts around a source, and whether a blank stands in front of the answer."""
        texts, blank = [], False
        for side in self._task.frame(language) or ():
            before, asked, after = side.partition(ANSWER)
            if asked:
                blank = before.endswith(" ")
                before = before.removesuffix(" ")
            texts += [before, after]
        return sum(self._counts(texts)) + int(bool(texts)), blank

    def _counts(self, texts: Iterable[str]) -> Iterator[int]:
        return iter([len(encoding) for encoding in self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)])


def lengths(splits: Mapping[str, Sequence[Example]], task: Task, progress: bool = False) -> dict[str, dict[str, Histogram]]:
    """Side -> unit -> histogram, one group a split.

    Cost: about a tenth of a millisecond an example.
    """
    backbone = BackboneTokens(task)
    found: dict[str, dict[str, dict[str, list[int]]]] = {
        side: {unit: {split: [] for split in splits} for unit in UNITS} for side in SIDES}
    bar = tqdm(total=sum(map(len, splits.values())), desc="lengths", unit="example", delay=2.0, leave=False,
               disable=None if progress else True)
    with bar:
        for split, examples in splits.items():
            for start in range(0, len(examples), CHUNK):
                chunk = examples[start:start + CHUNK]
                for side, counts in zip(SIDES, backbone.lengths(chunk)):
                    texts = [text for text in (getattr(example, side) for example in chunk) if text is not None]
                    found[side]["code tokens"][split] += [len(code_tokens(text)) for text in texts]
                    found[side]["backbone tokens"][split] += counts
                bar.update(len(chunk))
    limits = {"source": task.max_source_tokens, "target": task.max_target_tokens}
    return {side: {unit: histogram(groups, f"{unit} of a {side}", limits[side] if unit == "backbone tokens" else None)
                   for unit, groups in units.items()} for side, units in found.items()}
