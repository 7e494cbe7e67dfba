"""Pre-training objectives: nothing of a window is lost, doubled, or visible on the wrong side."""
from __future__ import annotations

import numpy as np
import pytest

from checkpoints.objectives import (
    IGNORED_LABEL,
    INFILLING,
    MEAN_SPAN,
    NOISE_DENSITY,
    OBJECTIVES,
    SHARES,
    Vocabulary,
    layout_of,
    make_example,
    random_spans,
    reconstruction,
    replace_spans,
    statement_spans,
    step_objectives,
)
from checkpoints.tokenizer import EOS, MASK, PAD

WINDOW = INFILLING.window
SENTINELS = np.arange(900, 1000)


def vocabulary() -> Vocabulary:
    """A thousand tokens: 10 is a line break, 20 ends a statement, 900 and up are sentinels."""
    line_break, statement_end = np.zeros(1000, bool), np.zeros(1000, bool)
    line_break[10] = statement_end[20] = True
    return Vocabulary(SENTINELS, line_break, statement_end)


def window(seed: int, length: int = WINDOW) -> np.ndarray:
    random = np.random.default_rng(seed)
    tokens = random.integers(30, 900, length)
    tokens[random.random(length) < 0.08] = 10
    tokens[random.random(length) < 0.05] = 20
    return tokens


@pytest.mark.parametrize("seed", range(20))
def test_random_spans_are_disjoint_and_cover_the_noise_density(seed: int) -> None:
    spans = random_spans(WINDOW, np.random.default_rng(seed))
    sizes = [end - start for start, end in spans]
    assert sum(sizes) == round(WINDOW * NOISE_DENSITY)
    assert len(spans) == round(sum(sizes) / MEAN_SPAN)
    assert all(size >= 1 for size in sizes)
    assert all(before[1] < after[0] for before, after in zip(spans, spans[1:]))
    assert 0 < spans[0][0] and spans[-1][1] <= WINDOW


@pytest.mark.parametrize("seed", range(20))
def test_statement_spans_begin_and_end_at_statements(seed: int) -> None:
    tokens = window(seed)
    spans = statement_spans(tokens, vocabulary(), np.random.default_rng(seed))
    assert spans
    for start, end in spans:
        assert tokens[start - 1] in (10, 20), "a statement starts after a boundary"
        assert tokens[end - 1] == 20 or tokens[end] == 10, "and stops after its end mark or before a line break"
        assert not np.isin(tokens[start:end - 1], (10, 20)).any()


def test_a_window_without_statements_has_no_statement_spans() -> None:
    assert statement_spans(np.arange(30, 130), vocabulary(), np.random.default_rng(0)) == []


@pytest.mark.parametrize("seed", range(10))
def test_source_and_target_put_together_are_the_window(seed: int) -> None:
    tokens = window(seed)
    source, target = replace_spans(tokens, random_spans(len(tokens), np.random.default_rng(seed)), vocabulary())
    pieces = {int(part[0]): part[1:] for part in np.split(target, np.flatnonzero(target >= 900)) if len(part)}
    rebuilt = np.concatenate([pieces[int(token)] if token >= 900 else [token] for token in source])
    assert (rebuilt == tokens).all()


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("length", [None, 90])
def test_examples_have_fixed_lengths_and_end_marks(objective: str, length: int | None) -> None:
    layout = layout_of(objective)
    length = length or layout.window
    for seed in range(20):
        encoder, labels = make_example(window(seed, length), objective, vocabulary(), np.random.default_rng(seed))
        assert encoder.shape == (layout.encoder,) and labels.shape == (layout.decoder,)
        text = encoder[encoder != PAD]
        assert text[-1] == EOS and (encoder[len(text):] == PAD).all()
        kept = labels[labels != IGNORED_LABEL]
        assert kept[0] == SENTINELS[0] and SENTINELS[0] in text
        assert (kept[-1] == EOS) or len(kept) == layout.decoder, "only a target that was cut has no end mark"


@pytest.mark.parametrize("seed", range(10))
def test_reconstruction_hides_its_share_of_what_it_asks_for(seed: int) -> None:
    tokens = window(seed)
    source, target = reconstruction(tokens, vocabulary(), np.random.default_rng(seed))
    place = int(np.flatnonzero(source == SENTINELS[0])[0])
    stretch = target[1:]
    assert target[0] == SENTINELS[0] and (tokens[place:place + len(stretch)] == stretch).all()
    shown = source[place + 1:]
    visible = int((shown[:len(stretch)] != MASK).sum())
    assert (shown == MASK).sum() == len(random_spans(len(stretch), np.random.default_rng(0)))
    assert visible < len(stretch)
    hidden = len(stretch) + len(tokens[:INFILLING.encoder - 2]) - place - len(stretch) - (len(shown) - int((shown == MASK).sum()))
    assert hidden == round(len(stretch) * NOISE_DENSITY)


def test_a_whole_window_fills_the_decoder_of_a_continuation() -> None:
    for seed in range(20):
        _, labels = make_example(window(seed, layout_of("prefix").window), "prefix", vocabulary(), np.random.default_rng(seed))
        assert (labels != IGNORED_LABEL).all()


def test_half_of_the_windows_lose_as_many_statements_as_the_decoder_holds() -> None:
    totals = [sum(end - start + 1 for start, end in statement_spans(window(seed), vocabulary(), np.random.default_rng(seed)))
              for seed in range(200)]
    assert max(totals) <= INFILLING.decoder - 12
    assert 80 <= sum(total > INFILLING.decoder - 24 for total in totals) <= 170


def test_the_objectives_of_a_step_share_a_layout_and_come_by_their_shares() -> None:
    counts = dict.fromkeys(OBJECTIVES, 0)
    random = np.random.default_rng(0)
    for _ in range(4000):
        names = step_objectives(4, SHARES, random)
        assert len(names) == 4 and len({layout_of(name) for name in names}) == 1
        for name in names:
            counts[name] += 1
    for name, share in zip(OBJECTIVES, SHARES):
        assert counts[name] / 16000 == pytest.approx(share, abs=0.02)
