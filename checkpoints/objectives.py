"""Pre-training objectives: a window of tokens becomes an encoder input and a decoder target.

* `spans`: T5's span denoising (Raffel et al., 2020), 20 % of the tokens in spans of mean length 4, each replaced by
  a sentinel; the target lists sentinel and span in turn.
* `statements`: the same with one to six whole statements or lines as spans, which is what completing an assertion
  asks for; the more of them, the more a step of the fixed decoder length teaches. A statement ends with a token that
  holds `;`, `{` or `}` or stands before a line break.
* `reconstruct`: text infilling in the manner of BART (Lewis et al., 2020): the encoder reads the window with spans of a
  stretch of it replaced by `<mask>`, the first sentinel stands before the stretch, and the target is the stretch as it
  was. Most of it can be copied, which is what teaches the decoder to find its place in the input early on; without it,
  a model of this size spends its first tens of millions of tokens as if there were no encoder.
* `prefix`: the encoder reads a prefix, the decoder continues it (the prefix language model of CodeT5+), started by
  the first sentinel at the end of the prefix.

All end in `</s>`. Encoder and decoder lengths are fixed, so that one compiled graph serves every batch.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .tokenizer import EOS, MASK, PAD

WINDOW = 288
ENCODER_LENGTH = 256
DECODER_LENGTH = 96
OBJECTIVES = ("spans", "statements", "reconstruct", "prefix")
FIRST_STEPS = 300
FIRST_SHARES = (0.25, 0.30, 0.30, 0.15)
"""Shares of the objectives in the first steps, in which copying is learnt."""

SHARES = (0.30, 0.45, 0.05, 0.20)
"""Shares of the objectives after them."""
NOISE_DENSITY = 0.20
MEAN_SPAN = 4
LONGEST_STATEMENT = 40
MOST_STATEMENTS = 6
IGNORED_LABEL = -100


@dataclass(frozen=True)
class Vocabulary:
    """What the objectives need to know of the tokenizer: sentinel ids and which tokens end a statement."""

    sentinels: np.ndarray         # [100] ids of <extra_id_0..99>
    line_break: np.ndarray        # [V] bool, the token holds a line break
    statement_end: np.ndarray     # [V] bool, the token holds ; { or }

    @classmethod
    def of(cls, tokenizer) -> "Vocabulary":
        texts = [tokenizer.decode([number]) for number in range(len(tokenizer))]
        return cls(
            np.array([tokenizer.convert_tokens_to_ids(f"<extra_id_{number}>") for number in range(100)]),
            np.array(["\n" in text for text in texts]),
            np.array([any(mark in text for mark in ";{}") for text in texts]),
        )


def objective_shares(step: int) -> tuple[float, ...]:
    return FIRST_SHARES if step < FIRST_STEPS else SHARES


def random_spans(length: int, random: np.random.Generator) -> list[tuple[int, int]]:
    """Disjoint (start, end) spans that cover `NOISE_DENSITY` of `length`, with gaps of one or more between them."""
    noise = max(1, round(length * NOISE_DENSITY))
    count = max(1, round(noise / MEAN_SPAN))
    sizes = np.diff(np.concatenate(([0], np.sort(random.choice(np.arange(1, noise), count - 1, replace=False)), [noise])))
    gaps = np.diff(np.concatenate(
        ([0], np.sort(random.choice(np.arange(1, length - noise), count, replace=False)), [length - noise])))
    starts = np.cumsum(gaps[:-1]) + np.concatenate(([0], np.cumsum(sizes)[:-1]))
    return [(int(start), int(start + size)) for start, size in zip(starts, sizes)]


def statement_spans(window: np.ndarray, vocabulary: Vocabulary, random: np.random.Generator) -> list[tuple[int, int]]:
    """One to six whole statements of 3 to 40 tokens, at most 84 in all; none where the window has no statement."""
    breaks = vocabulary.line_break[window]
    ends = vocabulary.statement_end[window]
    # A statement starts after any boundary, and stops before a line break or after a token that ends it.
    starts = np.flatnonzero(breaks | ends)[:-1] + 1
    stops = np.where(breaks, np.arange(len(window)), np.arange(len(window)) + 1)[np.flatnonzero(breaks | ends)[1:]]
    sizes = stops - starts
    candidates = np.flatnonzero((sizes >= 3) & (sizes <= LONGEST_STATEMENT))
    if not len(candidates):
        return []
    chosen = random.permutation(candidates)[:random.integers(1, MOST_STATEMENTS + 1)]
    spans, total = [], 0
    for index in chosen:
        total += int(sizes[index])
        if total > DECODER_LENGTH - 12 and spans:
            break
        spans.append((int(starts[index]), int(stops[index])))
    return sorted(spans)


def replace_spans(window: np.ndarray, spans: list[tuple[int, int]], vocabulary: Vocabulary) -> tuple[np.ndarray, np.ndarray]:
    """(encoder tokens, decoder target) with span `n` replaced by sentinel `n`."""
    source, target, position = [], [], 0
    for number, (start, end) in enumerate(spans):
        mark = vocabulary.sentinels[number:number + 1]
        source += [window[position:start], mark]
        target += [mark, window[start:end]]
        position = end
    source.append(window[position:])
    return np.concatenate(source), np.concatenate(target)


def reconstruction(window: np.ndarray, vocabulary: Vocabulary, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(encoder tokens, decoder target): a stretch of up to 94 tokens, told from its masked form in its surroundings."""
    length = min(DECODER_LENGTH - 2, len(window) // 2)
    room = ENCODER_LENGTH - 2
    window = window[:room]
    start = int(random.integers(0, len(window) - length + 1))
    stretch, masked, position = window[start:start + length], [], 0
    for first, last in random_spans(length, random):
        masked += [stretch[position:first], [MASK]]
        position = last
    mark = vocabulary.sentinels[0]
    source = np.concatenate([window[:start], [mark], *masked, stretch[position:], window[start + length:]])
    return source, np.append(mark, stretch)


def make_example(window: np.ndarray, objective: str, vocabulary: Vocabulary,
                 random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Encoder input [256] padded with `<pad>` and labels [96] padded with -100 from a window of up to 288 tokens."""
    if objective == "prefix":
        cut = int(random.integers(32, len(window) - 16))
        source = np.append(window[:cut], vocabulary.sentinels[0])
        target = np.append(vocabulary.sentinels[0], window[cut:])
    elif objective == "reconstruct":
        source, target = reconstruction(window, vocabulary, random)
    else:
        spans = statement_spans(window, vocabulary, random) if objective == "statements" else []
        source, target = replace_spans(window, spans or random_spans(len(window), random), vocabulary)
    source = source[-(ENCODER_LENGTH - 1):] if objective == "prefix" else source[:ENCODER_LENGTH - 1]
    # A target that is cut has no end mark: the model must not learn to stop in the middle.
    target = np.append(target, EOS)[:DECODER_LENGTH]
    encoder = np.full(ENCODER_LENGTH, PAD, dtype=np.int64)
    labels = np.full(DECODER_LENGTH, IGNORED_LABEL, dtype=np.int64)
    encoder[:len(source)] = source
    encoder[len(source)] = EOS
    labels[:len(target)] = target
    return encoder, labels
