"""Text and tokens: what the backbone reads and writes, with the bytes that every token covers.

A source holds a task's placeholder where the answer belongs, or the task's frame around it does. That place becomes the mark
for which the model was pre-trained to write an answer (`question_forms`): the frozen model already knows that form of
question, and every method gets the same one. A blank before the place moves into the target, because byte-level BPE writes a
word together with the blank in front of it.
"""
from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tasks.base import ANSWER

from .errors import BackboneError, DataError
from .question_forms import QuestionForm, question_form

AFTER_SHARE = 1 / 3
"""Of a source that is too long, the text after the placeholder may keep this share of the tokens."""


@dataclass(frozen=True)
class TextTokens:
    """Tokens of a text, all of it: ids, and the bytes of its UTF-8 form that each covers, blanks in front of a word not
    counted; each [W]."""

    ids: np.ndarray
    start_byte: np.ndarray
    end_byte: np.ndarray


@dataclass(frozen=True)
class EncodedSource:
    """A source as the backbone reads it, and as far as the graph reaches.

    `text` is what the graph is built from, the placeholder in its original form: what the model sees of the source and, with
    a reach, what stands around it; `tokens` are those of `text`, and `window` says which of them the model reads;
    `token_ids` [T] is the model's input, marks and those of a frame included;
    `start_byte`, `end_byte` [T] index the UTF-8 form of `text`, both -1 for tokens that stand for no text;
    `blank_before_answer` tells whether the answer begins with a blank; `truncated` whether the model sees less than the source.
    """

    text: str
    tokens: TextTokens
    window: slice
    token_ids: np.ndarray
    start_byte: np.ndarray
    end_byte: np.ndarray
    blank_before_answer: bool
    truncated: bool


class TextEncoder:
    """Source and target text to token ids and back, for one tokenizer and one task's placeholder.

    `form` is how the model is asked, see `question_forms`.

    Args:
        tokenizer: a fast tokenizer (offsets are needed to align tokens with graph nodes).
        placeholder: the text in a source that the answer replaces; None for tasks without one.
        max_source_tokens: longest input in tokens; longer sources keep a window around the placeholder, or their
            beginning where there is none.
        max_target_tokens: longest target in tokens; longer targets are cut, and then have no end mark.
        framed: whether sources come with a frame that holds the place of the answer.
        encoder_decoder: whether the model reads the source by an encoder.
        reach: tokens around those that the model reads which the graph is to cover too; as many as there are.
    """

    def __init__(self, tokenizer, placeholder: str | None, max_source_tokens: int, max_target_tokens: int,
                 framed: bool = False, encoder_decoder: bool = True, reach: int = 0):
        if not getattr(tokenizer, "is_fast", False):
            raise BackboneError(
                f"the tokenizer {type(tokenizer).__name__} gives no character offsets, which aligning tokens with the "
                "graph needs; use a model folder with a tokenizer.json (a fast tokenizer)")
        self.tokenizer = tokenizer
        self.max_source_tokens = max_source_tokens
        self.max_target_tokens = max_target_tokens
        self.reach = reach
        # The statement's own semicolon, where the language has one, is part of the answer.
        self._hole = re.compile(re.escape(placeholder) + r"(?:\s*;)?") if placeholder else None
        self._placeholder = placeholder
        self.form: QuestionForm = question_form(tokenizer, encoder_decoder, asks=bool(placeholder) or framed)
        self._asks = bool(placeholder) or framed

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
        room = self.max_source_tokens - len(self.form.opening) - len(self.form.closing)
        if self._hole is None:
            return self._framed(source, frame or ("", ""), room)
        holes = list(self._hole.finditer(source))
        if len(holes) != 1:
            raise DataError(f"the source holds the placeholder {self._placeholder} {len(holes)} times, expected once; "
                            "put it where the answer belongs")
        return self._around(source, *holes[0].span(), frame or ("", ""), room)

    def _around(self, source: str, start: int, end: int, frame: tuple[str, str], room: int) -> EncodedSource:
        """A window of the source around its placeholder."""
        if self.form.gap is None:
            behind, blank = self._side(frame[1])
            gap_ids, gap = self._pieces(source[start:end])
            gap, before_end = gap + start, start
        else:
            behind, blank = [], source[start - 1:start] == " "
            gap_ids, gap, before_end = [self.form.gap], np.array([[start, end]]), start - blank
        before_ids, before = self._pieces(source[:before_end])
        after_ids, after = self._pieces(source[end:])
        room -= len(gap_ids) + len(behind)
        if room < 0:
            raise self._no_room()
        read_before, read_after = _shares(len(before_ids), len(after_ids), room)
        kept_before, kept_after = _shares(len(before_ids), len(after_ids), room + self.reach)
        first = before[len(before_ids) - kept_before, 0] if kept_before < len(before_ids) else 0
        last = end + after[kept_after - 1, 1] if 0 < kept_after < len(after_ids) else end if kept_after == 0 else len(source)
        offsets = np.concatenate([before[len(before_ids) - kept_before:], gap, after[:kept_after] + end]) - first
        ids = before_ids[len(before_ids) - kept_before:] + gap_ids + after_ids[:kept_after]
        window = slice(kept_before - read_before, kept_before + len(gap_ids) + read_after)
        return self._assembled(source[first:last], ids, offsets, window, blank,
                               (read_before, read_after) < (len(before_ids), len(after_ids)), (), behind)

    def _framed(self, source: str, frame: tuple[str, str], room: int) -> EncodedSource:
        (before, blank_before), (after, blank_after) = map(self._side, frame)
        room -= len(before) + len(after)
        if room < 1:
            raise self._no_room()
        ids, offsets = self._pieces(source)
        kept = room + self.reach
        text = source if len(ids) <= kept else source[:offsets[kept - 1, 1]]
        return self._assembled(text, ids[:kept], offsets[:kept], slice(0, min(room, len(ids))), blank_before or blank_after,
                               room < len(ids), before, after)

    def _side(self, side: str) -> tuple[list[int], bool]:
        """Ids of one side of a frame, and whether the answer, if it belongs there, begins with a blank."""
        before, asked, after = side.partition(ANSWER)
        blank = bool(asked) and before.endswith(" ")
        mark = [self.form.gap] if asked and self.form.gap is not None else []
        return self._pieces(before[:-1] if blank else before)[0] + mark + self._pieces(after)[0], blank

    def _no_room(self) -> DataError:
        return DataError(f"{self.max_source_tokens} tokens leave no room for a source beside what the task puts around it; "
                         "raise --max-source-tokens")

    def _assembled(self, text: str, ids: list[int], offsets: np.ndarray, window: slice, blank: bool, truncated: bool,
                   before: Sequence[int], after: Sequence[int]) -> EncodedSource:
        """`ids`, `offsets`: of all of the text; `before`, `after`: ids of a frame, which stand for no text of the source."""
        prefix, suffix = [*self.form.opening, *before], [*after, *self.form.closing]
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
            tokens=TextTokens(np.array(ids, dtype=np.int64), starts, ends),
            window=window,
            token_ids=np.array(prefix + list(ids[window]) + suffix, dtype=np.int64),
            start_byte=np.concatenate([no_text[0], starts[window], no_text[1]]),
            end_byte=np.concatenate([no_text[0], ends[window], no_text[1]]),
            blank_before_answer=blank,
            truncated=truncated,
        )

    def encode_target(self, target: str, blank_before_answer: bool) -> np.ndarray:
        """Labels [L]: the gap's mark where the form has it, answer, end mark; cut where that is longer than the limit."""
        ids, _ = self._pieces(" " + target if blank_before_answer else target)
        ids = ([self.form.gap] if self._asks and self.form.gap_in_target else []) + ids + [self.tokenizer.eos_token_id]
        return np.array(ids[:self.max_target_tokens], dtype=np.int64)

    def decode(self, token_ids) -> str:
        """The answer in generated ids: up to the end mark, or to a mark of the form, where something else would begin."""
        answer: list[int] = []
        begins = self.form.gap if self.form.gap_in_target else None
        for token in map(int, token_ids):
            if token == self.tokenizer.eos_token_id or token in self.form.ends and (answer or token != begins):
                break
            if token not in (self.tokenizer.pad_token_id, self.tokenizer.bos_token_id, begins):
                answer.append(token)
        return self.tokenizer.decode(answer, skip_special_tokens=False, clean_up_tokenization_spaces=False).strip()


def _shares(before: int, after: int, room: int) -> tuple[int, int]:
    """How many of the tokens before and after the placeholder fit into a room; more room never means fewer of either."""
    kept_after = min(after, max(room - before, int(room * AFTER_SHARE)))
    return min(before, room - kept_after), kept_after
