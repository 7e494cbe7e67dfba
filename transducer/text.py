"""Text and tokens: what the backbone reads and writes, with the bytes that every token covers.

A source holds a task's placeholder where the answer belongs, or the task's frame around it does. Models of the T5 family
were pre-trained to fill sentinels, so that place becomes `<extra_id_0>` and the target is `<extra_id_0> answer </s>`: the
frozen model already knows that form of question, and every method gets the same one. A blank before the place moves into
the target, because byte-level BPE writes a word together with the blank in front of it.
"""
from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tasks.base import ANSWER

from .errors import BackboneError, DataError

SENTINEL = "<extra_id_0>"
AFTER_SHARE = 1 / 3
"""Of a source that is too long, the text after the placeholder may keep this share of the tokens."""


@dataclass(frozen=True)
class EncodedSource:
    """A source as the backbone reads it.

    `text` is what the model sees of the source, the placeholder in its original form (the graph is built from it);
    `token_ids` [T], those of a frame included;
    `start_byte`, `end_byte` [T] index the UTF-8 form of `text`, blanks in front of a word not counted, both -1 for
    tokens that stand for no text; `blank_before_answer` tells whether the answer begins with a blank; `truncated`
    whether text was cut.
    """

    text: str
    token_ids: np.ndarray
    start_byte: np.ndarray
    end_byte: np.ndarray
    blank_before_answer: bool
    truncated: bool


class TextEncoder:
    """Source and target text to token ids and back, for one tokenizer and one task's placeholder.

    Args:
        tokenizer: a fast tokenizer (offsets are needed to align tokens with graph nodes).
        placeholder: the text in a source that the answer replaces; None for tasks without one.
        max_source_tokens: longest input in tokens; longer sources keep a window around the placeholder, or their
            beginning where there is none.
        max_target_tokens: longest target in tokens; longer targets are cut, and then have no end mark.
        framed: whether sources come with a frame that holds the place of the answer.
    """

    def __init__(self, tokenizer, placeholder: str | None, max_source_tokens: int, max_target_tokens: int,
                 framed: bool = False):
        if not getattr(tokenizer, "is_fast", False):
            raise BackboneError(
                f"the tokenizer {type(tokenizer).__name__} gives no character offsets, which aligning tokens with the "
                "graph needs; use a model folder with a tokenizer.json (a fast tokenizer)")
        self.tokenizer = tokenizer
        self.max_source_tokens = max_source_tokens
        self.max_target_tokens = max_target_tokens
        # The statement's own semicolon, where the language has one, is part of the answer.
        self._hole = re.compile(re.escape(placeholder) + r"(?:\s*;)?") if placeholder else None
        self._placeholder = placeholder
        self._sentinel = tokenizer.convert_tokens_to_ids(SENTINEL)
        self._asks = bool(placeholder) or framed
        if self._asks and self._sentinel in (None, tokenizer.unk_token_id):
            raise BackboneError(f"the tokenizer has no {SENTINEL}, which stands where the answer belongs; use a model "
                                "pre-trained with sentinels (T5, CodeT5, CodeT5+)")
        around = tokenizer("")["input_ids"]
        if not around or around[-1] != tokenizer.eos_token_id:
            raise BackboneError(f"the tokenizer ends a text with ids {around[-1:]}, expected its end mark "
                                f"{tokenizer.eos_token!r} ({tokenizer.eos_token_id}) as T5-family tokenizers do")
        sentinels = tokenizer.convert_tokens_to_ids([f"<extra_id_{number}>" for number in range(100)])
        self._sentinels = set(sentinels) - {None, tokenizer.unk_token_id}
        self._prefix, self._suffix = around[:-1], around[-1:]

    def _pieces(self, text: str) -> tuple[list[int], np.ndarray]:
        # Code may hold `</s>` or `<extra_id_1>` as text, which must not become an end mark or a sentinel.
        encoded = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, split_special_tokens=True,
                                 verbose=False)
        return encoded["input_ids"], np.array(encoded["offset_mapping"], dtype=np.int64).reshape(-1, 2)

    def encode_source(self, source: str, frame: tuple[str, str] | None = None) -> EncodedSource:
        """The model's input, made from the source alone, with a task's frame around it.

        Raises:
            DataError: the placeholder is not there exactly once, or the limit leaves no room for the source.
        """
        room = self.max_source_tokens - len(self._prefix) - len(self._suffix)
        if self._hole is None:
            return self._framed(source, frame or ("", ""), room)
        holes = list(self._hole.finditer(source))
        if len(holes) != 1:
            raise DataError(f"the source holds the placeholder {self._placeholder} {len(holes)} times, expected once; "
                            "put it where the answer belongs")
        start, end = holes[0].span()
        blank = source[start - 1:start] == " "
        before_ids, before = self._pieces(source[:start - 1] if blank else source[:start])
        after_ids, after = self._pieces(source[end:])
        room -= 1
        kept_after = min(len(after_ids), max(room - len(before_ids), int(room * AFTER_SHARE)))
        kept_before = min(len(before_ids), room - kept_after)
        first = before[len(before_ids) - kept_before, 0] if kept_before < len(before_ids) else 0
        last = end + after[kept_after - 1, 1] if 0 < kept_after < len(after_ids) else end if kept_after == 0 else len(source)
        offsets = np.concatenate([before[len(before_ids) - kept_before:], [[start, end]], after[:kept_after] + end]) - first
        ids = before_ids[len(before_ids) - kept_before:] + [self._sentinel] + after_ids[:kept_after]
        return self._assembled(source[first:last], ids, offsets, blank, bool(last - first < len(source)))

    def _framed(self, source: str, frame: tuple[str, str], room: int) -> EncodedSource:
        around, blank = [], False
        for side in frame:
            before, asked, after = side.partition(ANSWER)
            if asked:
                blank = before.endswith(" ")
                before = before[:-1] if blank else before
            around.append(self._pieces(before)[0] + [self._sentinel] * bool(asked) + self._pieces(after)[0])
        room -= sum(map(len, around))
        if room < 1:
            raise DataError(f"{self.max_source_tokens} tokens leave no room for a source beside what the task puts around it; "
                            "raise --max-source-tokens")
        ids, offsets = self._pieces(source)
        text = source if len(ids) <= room else source[:offsets[room - 1, 1]]
        return self._assembled(text, ids[:room], offsets[:room], blank, text != source, *around)

    def _assembled(self, text: str, ids: list[int], offsets: np.ndarray, blank: bool, truncated: bool,
                   before: Sequence[int] = (), after: Sequence[int] = ()) -> EncodedSource:
        """`before`, `after`: ids of a frame, which stand for no text of the source."""
        prefix, suffix = [*self._prefix, *before], [*after, *self._suffix]
        starts, ends = offsets[:, 0].copy(), offsets[:, 1]
        for index in np.flatnonzero(starts < ends):
            while starts[index] < ends[index] - 1 and text[starts[index]].isspace():
                starts[index] += 1
        if not text.isascii():
            byte_of = np.concatenate([[0], np.cumsum([len(character.encode()) for character in text])])
            starts, ends = byte_of[starts], byte_of[ends]
        no_text = [np.full(len(side), -1) for side in (prefix, suffix)]
        return EncodedSource(
            text=text,
            token_ids=np.array(prefix + list(ids) + suffix, dtype=np.int64),
            start_byte=np.concatenate([no_text[0], starts, no_text[1]]),
            end_byte=np.concatenate([no_text[0], ends, no_text[1]]),
            blank_before_answer=blank,
            truncated=truncated,
        )

    def encode_target(self, target: str, blank_before_answer: bool) -> np.ndarray:
        """Labels [L]: sentinel, answer, end mark; cut where that is longer than the limit."""
        ids, _ = self._pieces(" " + target if blank_before_answer else target)
        ids = ([self._sentinel] if self._asks else []) + ids + self._suffix
        return np.array(ids[:self.max_target_tokens], dtype=np.int64)

    def decode(self, token_ids) -> str:
        """The answer in generated ids: up to the end mark, or to a second sentinel, where another span would begin."""
        answer: list[int] = []
        for token in map(int, token_ids):
            if token == self.tokenizer.eos_token_id or token in self._sentinels and (answer or token != self._sentinel):
                break
            if token not in (self.tokenizer.pad_token_id, self.tokenizer.bos_token_id, self._sentinel):
                answer.append(token)
        return self.tokenizer.decode(answer, skip_special_tokens=False, clean_up_tokenization_spaces=False).strip()
