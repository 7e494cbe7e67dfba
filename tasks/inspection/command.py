"""python -m tasks inspect SOURCE --task T [--output PAGE.html] [--json]

Prints what a data set holds and writes it as one HTML page that needs no network. Exit codes: 0 done, 1 the data cannot be
read or the page not written, 2 bad arguments.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from ..errors import CommandArgumentError
from ..sources import SOURCES, load_source
from ..table import TASKS, get_task

EXAMPLES = """\
examples:
  python -m tasks inspect embedded --task assert
  python -m tasks inspect file:data/translation --task translate --near-duplicates --output translation.html
  python -m tasks inspect file:pairs --task summarize --columns source=code target=doc --language go --json
"""


def main(arguments: list[str]) -> int:
    """Run the command; the exit code. Errors are raised."""
    options = _parser().parse_args(arguments)
    task = get_task(options.task)
    if options.language is not None and options.language not in task.languages:
        raise CommandArgumentError(f"--language {options.language!r} is none of task {task.name!r}; expected one of: "
                                   f"{', '.join(task.languages)}")
    columns = _columns(options.columns)
    page = _page_path(options)
    progress = not options.quiet
    dataset = load_source(options.source, task, progress=progress, language=options.language, columns=columns)

    from .figures import inspect_dataset

    figures = inspect_dataset(dataset, task, options.limit, options.graphs, options.examples, options.near_duplicates, progress)
    if options.json:
        print(json.dumps(figures.as_dict()))
    else:
        from .terminal import show, wide_console

        show(figures, wide_console())
    if page is not None:
        from cpg.outputs import write_file

        from .page import render

        write_file(page, render(figures, progress))
        print(f"page: {page}", file=sys.stderr if options.json else sys.stdout)
    return 0


def _page_path(options: argparse.Namespace) -> Path | None:
    if options.output is None:
        return None if options.json else Path(f"inspect-{options.task}.html")
    path = Path(options.output)
    if path.is_dir():
        raise CommandArgumentError(f"--output {options.output} is a folder; expected the name of a page: give "
                                   f"{path / f'inspect-{options.task}.html'}")
    return path


def _columns(texts: list[str]) -> dict[str, str]:
    columns = {}
    for text in texts:
        field, separator, column = text.partition("=")
        if not separator or not field or not column:
            raise CommandArgumentError(f"--columns has {text!r}; expected FIELD=COLUMN, such as source=code")
        columns[field] = column
    return columns


def _number(least: int, what: str):
    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number of {what}, expected {least} or more")
        return int(text)
    return number


def _index(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a Jaccard index, expected more than 0 and at most 1")
    return value


def _parser() -> argparse.ArgumentParser:
    from .defaults import EXAMPLE_COUNT, GRAPHS
    from ..decontaminate import THRESHOLD

    parser = argparse.ArgumentParser(
        prog="python -m tasks inspect", allow_abbrev=False, epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="What a data set holds: counts, lengths, drops, metadata, near duplicates, examples and their graphs.")
    usages = "; ".join(f"{source.usage}: {source.summary}" for source in SOURCES.values())
    parser.add_argument("source", metavar="SOURCE", help=usages)
    parser.add_argument("--task", required=True, metavar="T", help=f"what the examples are for, one of: {', '.join(TASKS)}")
    parser.add_argument("--language", metavar="L", help="language of rows that do not name theirs")
    parser.add_argument("--columns", nargs="+", default=[], metavar="FIELD=COLUMN",
                        help="columns of file or hub data whose names are others: source=NAME target=NAME ...")
    parser.add_argument("--output", metavar="PAGE", help="the page to write. Default: inspect-T.html in this folder; with --json none")
    parser.add_argument("--limit", type=_number(1, "examples"), metavar="N",
                        help="look at no more examples of each split, evenly spread; counts, drops and near duplicates are those "
                             "of all. Default: all")
    parser.add_argument("--graphs", type=_number(0, "graphs"), default=GRAPHS, metavar="N",
                        help=f"make the graphs of no more examples of each split; 0: none. Default: {GRAPHS}")
    parser.add_argument("--examples", type=_number(0, "examples"), default=EXAMPLE_COUNT, metavar="N",
                        help=f"examples to show. Default: {EXAMPLE_COUNT}")
    parser.add_argument("--near-duplicates", nargs="?", type=_index, const=THRESHOLD, metavar="INDEX",
                        help="look for near duplicates between the splits: about a millisecond an example. INDEX is the least "
                             f"Jaccard index of token 5-grams; {THRESHOLD} where it is left out")
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object instead of tables")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    return parser
