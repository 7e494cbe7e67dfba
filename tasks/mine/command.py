"""python -m tasks mine PATH... --task TASK --output DIR: examples from source trees, as a `file:` data set with its card."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..table import get_task
from .build import MINED_TASKS, Order, build
from .card import card, check_output, write_folder
from .language_miner import MINERS
from .tree import find_trees


def main(arguments: list[str]) -> int:
    """Runs the command; the exit code. Errors are raised, and then nothing is written."""
    options = _parser().parse_args(arguments)
    order = Order(get_task(options.task), tuple(options.language), options.jobs, options.limit, not options.quiet)
    check_output(options.output)
    dataset = build(find_trees(",".join(options.paths)), order, f"mine:{','.join(options.paths)}")
    write_folder(options.output, dataset, {"paths": options.paths})
    if options.json:
        print(json.dumps({"output": str(options.output), "content_hash": dataset.content_hash, **dataset.description}))
    elif not options.quiet:
        print(card(dataset))
        print(f"Written to {options.output}. Use it with --data file:{options.output}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tasks mine", description="Make a data set of your own source trees: "
                                     "assertions, summaries, or repairs from the git history.")
    parser.add_argument("paths", nargs="+", metavar="PATH", help="source trees: folders, git checkouts (only tracked files count)")
    parser.add_argument("--task", required=True, choices=MINED_TASKS, help="what the examples are for")
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="new folder for train, valid, test and the card")
    parser.add_argument("--language", nargs="+", default=[], choices=sorted(MINERS), metavar="LANGUAGE",
                        help=f"only these, of {', '.join(sorted(MINERS))} (default: all that the trees hold)")
    parser.add_argument("--jobs", type=_positive, metavar="N", help="worker processes (default: one a core)")
    parser.add_argument("--limit", type=_positive, metavar="N", help="stop after so many examples of a language")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    parser.add_argument("--json", action="store_true", help="print the facts as one line of JSON")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is given; expected 1 or more")
    return number
