"""Pre-training objectives: a window of tokens becomes an encoder input and a decoder target.

* `spans`: T5's span denoising (Raffel et al., 2020), 20 % of the tokens in spans of mean length 4, each replaced by
  a sentinel; the target lists sentinel and span in turn.
* `statements`: the same with whole statements or lines as spans, which is what completing an assertion asks for: in
  half of the windows one to six, in the others as many as the decoder holds, since every label teaches and an encoder
  pass costs the same for one as for ninety. A statement ends with a token that holds `;`, `{` or `}` or stands before a
  line break.
* `reconstruct`: text infilling in the manner of BART (Lewis et al., 2020): the encoder reads the window with spans of a
  stretch of it replaced by `<mask>`, the first sentinel stands before the stretch, and the target is the stretch as it
  was. Most of it can be copied, which is what teaches the decoder to find its place in the input early on; without it,
  a model of this size spends its first tens of millions of tokens as if there were no encoder.
* `prefix`: the encoder reads a prefix, the decoder continues it (the prefix language model of CodeT5+), started by
  the first sentinel at the end of the prefix. It has a layout of its own, a short encoder and a long decoder: twice as
  many labels for the same arithmetic.

All end in `</s>`. The lengths of a layout are fixed and the windows of a step have one layout, so that two compiled
graphs serve every batch.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .tokenizer import EOS, MASK, PAD

OBJECTIVES = ("spans", "statements", "reconstruct", "prefix")


@dataclass(frozen=True)
class Layout:
    """Lengths in tokens: of the window of code, of the encoder's input and of the decoder's."""

    window: int
    encoder: int
    decoder: int


INFILLING = Layout(window=288, encoder=256, decoder=96)
CONTINUATION = Layout(window=352, encoder=160, decoder=192)


def layout_of(objective: str) -> Layout:
    return CONTINUATION if objective == "prefix" else INFILLING


FIRST_STEPS = 300
FIRST_SHARES = (0.25, 0.30, 0.30, 0.15)
"""Shares of the objectives in the first steps, in which copying is learnt."""

SHARES = (0.20, 0.40, 0.05, 0.35)
"""Shares of the objectives after them."""
NOISE_DENSITY = 0.24
MEAN_SPAN = 4
LONGEST_STATEMENT = 40
FEW_STATEMENTS = 6
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


def objective_shares(step: int, trained: bool = False) -> tuple[float, ...]:
    """Shares in step `step`; a model that is `trained` already has learnt to copy."""
    return FIRST_SHARES if step < FIRST_STEPS and not trained else SHARES


def step_objectives(count: int, shares: tuple[float, ...], random: np.random.Generator) -> list[str]:
    """Objectives of the `count` windows of a step: all of one layout, in the long run by their shares."""
    continuation = shares[OBJECTIVES.index("prefix")]
    if random.random() < continuation:
        return ["prefix"] * count
    infilling = [name for name in OBJECTIVES if name != "prefix"]
    weights = np.array([shares[OBJECTIVES.index(name)] for name in infilling])
    return [infilling[index] for index in random.choice(len(infilling), count, p=weights / weights.sum())]


def random_spans(length: int, random: np.random.Generator, density: float = NOISE_DENSITY) -> list[tuple[int, int]]:
    """Disjoint (start, end) spans that cover a share `density` of `length`, with gaps of one or more between them."""
    noise = max(1, round(length * density))
    count = max(1, round(noise / MEAN_SPAN))
    sizes = np.diff(np.concatenate(([0], np.sort(random.choice(np.arange(1, noise), count - 1, replace=False)), [noise])))
    gaps = np.diff(np.concatenate(
        ([0], np.sort(random.choice(np.arange(1, length - noise), count, replace=False)), [length - noise])))
    starts = np.cumsum(gaps[:-1]) + np.concatenate(([0], np.cumsum(sizes)[:-1]))
    return [(int(start), int(start + size)) for start, size in zip(starts, sizes)]


def statement_spans(window: np.ndarray, vocabulary: Vocabulary, random: np.random.Generator, most: int = 0) -> list[tuple[int, int]]:
    """Whole statements of 3 to 40 tokens, at most 84 with their sentinels; none where the window has no statement.

    One to `most` of them, or without it as many as in training.
    """
    breaks = vocabulary.line_break[window]
    ends = vocabulary.statement_end[window]
    # A statement starts after any boundary, and stops before a line break or after a token that ends it.
    starts = np.flatnonzero(breaks | ends)[:-1] + 1
    stops = np.where(breaks, np.arange(len(window)), np.arange(len(window)) + 1)[np.flatnonzero(breaks | ends)[1:]]
    sizes = stops - starts
    candidates = np.flatnonzero((sizes >= 3) & (sizes <= LONGEST_STATEMENT))
    if not len(candidates):
        return []
    few = most or (FEW_STATEMENTS if random.random() < 0.5 else 0)
    wanted = random.integers(1, few + 1) if few else len(candidates)
    spans, room = [], INFILLING.decoder - 12
    for index in random.permutation(candidates)[:wanted]:
        room -= int(sizes[index]) + 1
        if room < 0 and spans:
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
    length = min(INFILLING.decoder - 2, len(window) // 2)
    room = INFILLING.encoder - 2
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
    """Encoder input padded with `<pad>` and labels padded with -100 from a window, in the lengths of the objective's layout."""
    layout = layout_of(objective)
    if objective == "prefix":
        # The decoder's last place is for the end mark, its first for the sentinel; a short window is cut anywhere.
        longest = min(layout.encoder - 2, len(window) - 16)
        cut = int(random.integers(min(32, longest - 1), longest))
        source = np.append(window[:cut], vocabulary.sentinels[0])
        target = np.append(vocabulary.sentinels[0], window[cut:])
    elif objective == "reconstruct":
        source, target = reconstruction(window, vocabulary, random)
    else:
        spans = statement_spans(window, vocabulary, random) if objective == "statements" else []
        source, target = replace_spans(window, spans or random_spans(len(window), random), vocabulary)
    return padded(source, target, layout)


def padded(source: np.ndarray, target: np.ndarray, layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """Encoder input and labels in the lengths of a layout, cut where they are longer."""
    source = source[:layout.encoder - 1]
    # A target that is cut has no end mark: the model must not learn to stop in the middle.
    target = np.append(target, EOS)[:layout.decoder]
    encoder = np.full(layout.encoder, PAD, dtype=np.int64)
    labels = np.full(layout.decoder, IGNORED_LABEL, dtype=np.int64)
    encoder[:len(source)] = source
    encoder[len(source)] = EOS
    labels[:len(target)] = target
    return encoder, labels
