"""Pre-trains a tiny Mamba, a decoder-only state-space model of about seven million parameters, on the streams of `pretrain`.

    python -m checkpoints.pretrain_causal --work DIR --data DATA --minutes 60
    python -m checkpoints.pretrain_causal --work DIR --export MODEL_DIR

The first command gathers and tokenizes the corpus where the work folder holds none (see `corpus`; the folder of `pretrain` may be
copied without its checkpoints), then trains until the minutes are used up, over as many calls as it takes: a killed run goes on
from its last checkpoint. The second writes the folder that `transformers` and `--model` take.

Half of the windows are plain text. The others have a gap, in the form of StarCoder (Bavarian et al., 2022), the one in which
the tasks ask (`transducer.question_forms`):

    <fim_prefix> before <fim_suffix> after <fim_middle> answer </s>

The answer is a whole statement where the window has one, else a random span. The loss is on every token.

Recipe: Mamba of width 256, 8 layers, 16 states, embeddings tied; Muon for in_proj and out_proj, AdamW for all else; schedule and
bfloat16 autocast as in `pretrain`. The scan is `selective_scan`: of one core's time, a second is enough for 900 tokens, with the
library's own for 165. An hour of one core is then three million tokens, enough for the look of code and not for much more.
"""
from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path

from .commands import CommandParser, add_corpus_options, command_line, count, minutes


@dataclass(frozen=True)
class Recipe:
    width: int = 256
    layers: int = 8
    states: int = 16
    batch: int = 8
    window: int = 288             # tokens of code
    muon_rate: float = 6e-3
    adam_rate: float = 3e-3
    weight_decay: float = 0.02
    seed: int = 0


def recipe_of(work: Path, **given: int | None) -> Recipe:
    """The recipe that a work folder was begun with, or a new one; what is given explicitly holds."""
    path = work / "causal_recipe.json"
    stored = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    known = {field.name for field in fields(Recipe)}
    stored = {name: value for name, value in stored.items() if name in known}
    return Recipe(**(stored | {name: value for name, value in given.items() if value is not None}))


def main(arguments: list[str] | None = None) -> int:
    parser = CommandParser("pretrain_causal", __doc__)
    add_corpus_options(parser, "the corpus, checkpoint and log")
    parser.add_argument("--minutes", type=minutes, default=60.0, help="training time in all, over all calls (default: 60)")
    parser.add_argument("--batch", type=count, help="windows a step (default: 8)")
    parser.add_argument("--states", type=count, help="states of a channel; half of 16 take two thirds of the time (default: 16)")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"), help="where to train (default: cpu)")
    parser.add_argument("--export", type=Path, metavar="DIR", help="write the trained model to DIR, a new folder, instead of training")
    options = parser.parse_args(arguments)

    def run() -> int:
        from . import pretraining_causal
        from .streams import prepare

        recipe = recipe_of(options.work, batch=options.batch, states=options.states)
        if options.export:
            pretraining_causal.write_model_folder(options.export, options.work, recipe)
            return 0
        prepare(options.work, options.data)
        pretraining_causal.train(options.work, options.minutes, recipe, options.device)
        return 0

    return command_line(run, "the same command goes on from the last checkpoint")


if __name__ == "__main__":
    raise SystemExit(main())
