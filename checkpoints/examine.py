"""What base models know before anything is adapted: losses on held-out documents, and what they write into gaps there.

    python -m checkpoints.examine --work DIR --data DATA MODEL [MODEL ...] [--card]

Models of one tokenizer, made by `pretrain`, from the oldest to the newest, each on the same windows with the same
corruption. The work folder is prepared where it is not (see `streams`), with the tokenizer of the last model. Documents are
held out by a hash of their text, so what is held out today was so when a model was trained, unless the document was another then.
An older version of a model is had from the commit that it came with:

    mkdir -p before/e758974
    git archive e758974 checkpoints/codet5-tiny | tar -x -C before/e758974 --strip-components 2

The sections are printed as Markdown; with `--card` they are also put into the README.md of the last model, in place of those
that it has. One to two minutes a model on one core, and up to five for the corpus.
"""
from __future__ import annotations

from pathlib import Path

from .commands import CommandParser, add_corpus_options, command_line


def main(arguments: list[str] | None = None) -> int:
    parser = CommandParser("examine", __doc__)
    parser.add_argument("models", nargs="+", type=Path, metavar="MODEL", help="folders of models, the newest last")
    add_corpus_options(parser, "the corpus, prepared where it is not")
    parser.add_argument("--card", action="store_true", help="put the sections into the README.md of the last model too")
    options = parser.parse_args(arguments)

    def run() -> int:
        from transformers.utils import logging as library_logging

        from .examination import examine

        library_logging.disable_progress_bar()
        print(examine(options.models, options.work, options.data, options.card))
        return 0

    return command_line(run, "nothing was written to a model")


if __name__ == "__main__":
    raise SystemExit(main())
