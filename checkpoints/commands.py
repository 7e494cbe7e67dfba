"""What the commands of this package share: numbers with a least value, the options of a corpus, errors as one line."""
from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from .corpus import require_data
from .errors import CheckpointError, CorpusError, UnknownModelError


class CommandParser(argparse.ArgumentParser):
    """The parser of `python -m checkpoints.NAME`: help shows the description as it is, flags are not shortened, and what is
    wrong with an argument is one line."""

    def __init__(self, name: str, description: str, **options) -> None:
        super().__init__(prog=f"python -m checkpoints.{name}", description=description, allow_abbrev=False,
                         formatter_class=argparse.RawDescriptionHelpFormatter, **options)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}; {self.prog} --help lists the options\n")


def add_corpus_options(parser: argparse.ArgumentParser, content: str) -> None:
    """`--work` and `--data`; `content` is what the work folder holds."""
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help=f"folder of {content}")
    parser.add_argument("--data", type=data_folder, metavar="DIR",
                        help="data folder with corpus/ and the tasks; without it only Python is used")


def data_folder(text: str) -> Path:
    try:
        require_data(Path(text))
    except CorpusError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return Path(text)


def minutes(text: str) -> float:
    return _number(text, float, 0.0, False, "a number of minutes above 0")


def factor(text: str) -> float:
    return _number(text, float, 0.0, True, "a number that is not below 0")


def count(text: str) -> int:
    return _number(text, int, 1, True, "a whole number from 1 on")


def _number(text: str, kind: type, least: float, least_too: bool, expected: str):
    try:
        value = kind(text)
    except ValueError:
        value = math.nan
    if not (least < value < math.inf or (least_too and value == least)):
        raise argparse.ArgumentTypeError(f"{text!r} is not {expected}")
    return value


def command_line(main: Callable[[], int], interrupted: str) -> int:
    """Runs a command; an error made on purpose becomes one line on standard error.

    Codes: 0 done, 1 failed, 2 bad arguments, 130 interrupted, when `interrupted` says what is left. Anything else is a defect
    and keeps its traceback.
    """
    try:
        return main()
    except UnknownModelError as error:
        return _failed(error, 2)
    except CheckpointError as error:
        return _failed(error, 1)
    except KeyboardInterrupt:
        return _failed(f"interrupted; {interrupted}", 130)


def _failed(error: object, code: int) -> int:
    print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
    return code
