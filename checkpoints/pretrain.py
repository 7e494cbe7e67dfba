"""Pre-trains the embedded base model, a CodeT5-style encoder-decoder of about ten million parameters.

    python -m checkpoints.pretrain --work DIR --data DATA --minutes 120
    python -m checkpoints.pretrain --work DIR --export checkpoints/codet5-tiny

The first command gathers and tokenizes the corpus (see `corpus`), then trains until the minutes are used up, over as
many calls as it takes: a killed run goes on from its last checkpoint, and the schedule follows the minutes spent in
all. The second writes the folder that `transformers` loads, with its model card.

A trained model is made better in a further stage, with a work folder and a schedule of its own:

    python -m checkpoints.pretrain --work DIR2 --data DATA --start checkpoints/codet5-tiny --minutes 90

It keeps the tokenizer, and `training.json` in the model's folder lists the stages. `constant.safetensors` in the work
folder is the state before the rates fall: as `checkpoint.safetensors` of a folder it goes on with more `--minutes`.

Recipe: T5 with ReLU feed-forward and tied embeddings; Muon (Jordan et al., 2024) for the matrices of the layers and
AdamW for embeddings, norms and position biases; 32 windows a step; warm-up over the first 2 % of the time, constant,
then linear to zero over the last 40 %; bfloat16 autocast; loss in nats per target token.
"""
from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path

from .commands import CommandParser, add_corpus_options, command_line, factor, minutes


@dataclass(frozen=True)
class Recipe:
    width: int = 256
    feed_forward: int = 1024
    heads: int = 4
    encoder_layers: int = 4
    decoder_layers: int = 4
    batch: int = 32
    muon_rate: float = 6e-3
    query_rate: float = 1.5e-3
    adam_rate: float = 1e-2
    weight_decay: float = 0.02
    rates: float = 1.0            # multiplier of the three rates
    seed: int = 0
    start: str = ""               # the model that training starts from


def recipe_of(work: Path, start: str | None = None, rates: float | None = None) -> Recipe:
    """The recipe that a work folder was begun with, or a new one; what is given explicitly holds."""
    path = work / "recipe.json"
    stored = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    known = {field.name for field in fields(Recipe)}
    recipe = replace(Recipe(), **{name: value for name, value in stored.items() if name in known})
    given = {"start": start, "rates": rates}
    return replace(recipe, **{name: value for name, value in given.items() if value is not None})


def main(arguments: list[str] | None = None) -> int:
    parser = CommandParser("pretrain", __doc__)
    add_corpus_options(parser, "the corpus, checkpoints and log")
    parser.add_argument("--minutes", type=minutes, default=120.0, help="training time in all, over all calls (default: 120)")
    parser.add_argument("--compile", action="store_true", help="compile the model (needs a C++ compiler; faster)")
    parser.add_argument("--start", metavar="DIR", help="a model made by this command, to be made better in a further stage")
    parser.add_argument("--rates", type=factor, help="multiplier of the learning rates (default: 1.0)")
    parser.add_argument("--change", default="", metavar="TEXT",
                        help="what is different from this call on, for the log and the model card")
    parser.add_argument("--export", type=Path, metavar="DIR", help="write the trained model to DIR instead of training")
    options = parser.parse_args(arguments)

    def run() -> int:
        from . import pretraining
        from .streams import prepare

        recipe = recipe_of(options.work, options.start, options.rates)
        if options.export:
            pretraining.export(options.export, options.work, recipe)
            return 0
        if recipe.start:
            # Another seed than the stages before, so that the same windows do not come again in the same order.
            recipe = replace(recipe, seed=pretraining.take_over(Path(recipe.start), options.work))
        prepare(options.work, options.data)
        pretraining.train(options.work, options.minutes, recipe, options.compile, options.change)
        return 0

    return command_line(run, "the same command goes on from the last checkpoint")


if __name__ == "__main__":
    raise SystemExit(main())
