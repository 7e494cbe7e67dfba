"""The work behind `examine`: losses and samples of base models as sections of a model card."""
from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast, T5ForConditionalGeneration

from .errors import ExaminationError
from .files import write_whole
from .objectives import INFILLING, OBJECTIVES, Vocabulary, padded, random_spans, reconstruction, replace_spans, statement_spans
from .pretraining import heldout_losses
from .streams import Streams, prepare
from .tokenizer import EOS

BEGIN, END = "<!-- examined -->\n", "<!-- end -->\n"
SAMPLED = {"python": "python", "python_tests": "python", "java": "java", "java_tests": "java", "csharp": "csharp"}
"""Streams of which samples are shown -> the language of their text."""
SAMPLES = 2
WINDOW = 240
LONGEST_ANSWER = 48
SPAN_DENSITY, MOST_STATEMENTS, PREFIX = 0.20, 3, 160
"""Share of a window in gaps, statements taken out, tokens that are continued: what all versions were trained on. A model asked
for more gaps than ever in training has never seen the marks of the last ones, and loses more than a nat a token by that."""
BEFORE, AFTER = (4, 240), (2, 120)
"""Lines of a window, and characters at most, that a sample shows in front of the gap and behind it."""


def examine(models: list[Path], work: Path, data: Path | None, card: bool) -> str:
    """The sections of `models`; raises ExaminationError where they cannot be compared."""
    for folder in models:
        require_same_tokenizer(folder, models[-1])
    if len({folder.name for folder in models}) < len(models):
        raise ExaminationError(f"two of the folders {', '.join(map(str, models))} have the same name, by which models are told apart; "
                               "rename one")
    if not (work / "tokenizer").exists():
        PreTrainedTokenizerFast.from_pretrained(models[-1]).save_pretrained(work / "tokenizer")
    prepare(work, data)
    streams = Streams(work)
    if streams.tokenizer.get_vocab() != PreTrainedTokenizerFast.from_pretrained(models[-1]).get_vocab():
        raise ExaminationError(f"{work} was prepared with another tokenizer than that of {models[-1]}; give a new --work")
    text = sections(models, streams, windows=128)
    if card:
        path = models[-1] / "README.md"
        write_whole(path, with_sections(path.read_text(encoding="utf-8"), text))
    return text


def require_same_tokenizer(folder: Path, other: Path) -> None:
    """Raises ExaminationError where the losses of two models would be over different tokens, or one is no model."""
    for path in (folder / "tokenizer.json", other / "tokenizer.json"):
        if not path.is_file():
            raise ExaminationError(f"{path.parent} is no folder of a model: it has no {path.name}; give folders that "
                                   "python -m checkpoints.pretrain has exported")
    if (folder / "tokenizer.json").read_bytes() != (other / "tokenizer.json").read_bytes():
        raise ExaminationError(f"{folder} and {other} have different tokenizers, so their losses a token cannot be compared; "
                               "examine them one at a time")


def sections(folders: list[Path], streams: Streams, windows: int) -> str:
    """Both sections as Markdown."""
    models = {folder.name: T5ForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval() for folder in folders}
    vocabulary = Vocabulary.of(streams.tokenizer)
    losses = {name: heldout_losses(model, streams, vocabulary, windows, known_example) for name, model in models.items()}
    return "\n".join(["## Version by version", "",
                      "Nats per target token on held-out documents by objective, as `python -m checkpoints.examine` measures it: "
                      f"{', then '.join(f'`{name}`' for name in models)}. All have the same windows, with gaps of a number and length "
                      "that every version was trained on, fewer than above. A document that read otherwise when a version was trained may have "
                      "been among what it learned from.",
                      "", *loss_table(losses), "",
                      "## Samples", "",
                      "What the models write into a gap of one statement (`<gap>`), greedily and before anything is adapted; the first "
                      "held-out windows of each stream.", "",
                      *(line for name in streams.names if name in SAMPLED for line in _samples(name, models, streams, vocabulary))])


def known_example(window: np.ndarray, objective: str, vocabulary: Vocabulary, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """As `objectives.make_example`, in forms that versions from before its last change know as well."""
    if objective == "reconstruct":
        source, target = reconstruction(window, vocabulary, random)
    elif objective == "prefix":
        mark = vocabulary.sentinels[0]
        source, target = np.append(window[:PREFIX], mark), np.append(mark, window[PREFIX:])
    else:
        spans = statement_spans(window, vocabulary, random, MOST_STATEMENTS) if objective == "statements" else []
        source, target = replace_spans(window, spans or random_spans(len(window), random, SPAN_DENSITY), vocabulary)
    return padded(source, target, INFILLING)


def loss_table(losses: dict[str, dict[str, float]]) -> list[str]:
    """Streams against objectives; in a cell the loss of every model in turn."""
    *_, newest = losses.values()
    streams = dict.fromkeys(key.partition("/")[0] for key in newest)
    return ["| stream | " + " | ".join(OBJECTIVES) + " |", "|---|" + "---:|" * len(OBJECTIVES),
            *(f"| {stream} | " + " | ".join(", ".join(f"{found[f'{stream}/{objective}']:.2f}" for found in losses.values())
                                            for objective in OBJECTIVES) + " |" for stream in streams)]


def _samples(stream: str, models: dict[str, T5ForConditionalGeneration], streams: Streams, vocabulary: Vocabulary) -> list[str]:
    lines, shown = [], 0
    for window in streams.heldout_windows(stream, WINDOW, 100):
        if shown == SAMPLES:
            break
        span = gap_of(window, vocabulary)
        if span is None:
            continue
        shown += 1
        start, end = span
        before = "\n".join(streams.tokenizer.decode(window[:start]).split("\n")[-1 - BEFORE[0]:])[-BEFORE[1]:]
        after = "\n".join(streams.tokenizer.decode(window[end:]).split("\n")[:1 + AFTER[0]])[:AFTER[1]]
        lines += [f"`{stream}`:", "", f"```{SAMPLED[stream]}", *f"{before}<gap>{after}".strip("\n").split("\n"), "```", "",
                  f"- as it was: {_code(streams.tokenizer.decode(window[start:end]))}",
                  *(f"- {name}: {_code(filled(model, window, span, streams, vocabulary))}" for name, model in models.items()), ""]
    return lines


def gap_of(window: np.ndarray, vocabulary: Vocabulary) -> tuple[int, int] | None:
    """Start and end of a statement in the middle of a window: the first of 6 to 40 tokens in its second half."""
    breaks, ends = vocabulary.line_break[window], vocabulary.statement_end[window]
    bounds = np.flatnonzero(breaks | ends)
    for first, last in zip(bounds, bounds[1:]):
        start, end = int(first) + 1, int(last) + (0 if breaks[last] else 1)
        if start >= len(window) // 2 and 6 <= end - start <= 40:
            return start, end
    return None


@torch.no_grad()
def filled(model: T5ForConditionalGeneration, window: np.ndarray, span: tuple[int, int], streams: Streams, vocabulary: Vocabulary) -> str:
    """What a model writes into a gap, up to its next sentinel or its end."""
    source, _ = replace_spans(window, [span], vocabulary)
    tokens = torch.from_numpy(np.append(source, EOS)).unsqueeze(0)
    answer = model.generate(tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=LONGEST_ANSWER, num_beams=1, do_sample=False)[0]
    text = streams.tokenizer.decode(answer[1:], skip_special_tokens=False)
    return re.sub(r"^<extra_id_0>", "", text).partition("<extra_id_")[0].partition("</s>")[0]


def _code(text: str) -> str:
    """One line of code in Markdown; line breaks are shown by a sign."""
    return f"`` {re.sub(r' *' + chr(10) + ' *', ' ⏎ ', text.strip())} ``"


def with_sections(card: str, text: str) -> str:
    """A model card with the sections in place of those that it has, or at its end."""
    before, _, rest = card.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before.rstrip(chr(10))}\n\n{BEGIN}{text.rstrip(chr(10))}\n{END}{after}"
