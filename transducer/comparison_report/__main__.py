"""Makes the report of a comparison again, from its folder alone.

    python -m transducer.comparison_report runs/compared
"""
from __future__ import annotations

from pathlib import Path

from ..commands import DONE, CommandParser, command_line
from ..errors import OutputExistsError
from . import CSV_FILE, MARKDOWN_FILE, PAGE_FILE, write_report


def main(arguments: list[str] | None = None) -> int:
    parser = CommandParser(prog="python -m transducer.comparison_report", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="DIR", help="the --output of a transducer.compare")
    parser.add_argument("--output", type=Path, help=f"folder for {MARKDOWN_FILE}, {CSV_FILE} and {PAGE_FILE}; the default: DIR")
    options = parser.parse_args(arguments)
    if options.output and options.output.exists() and not options.output.is_dir():
        raise OutputExistsError(f"--output {options.output} is a file, expected a folder; give another")
    for path in write_report(options.folder, options.output):
        print(path)
    return DONE


if __name__ == "__main__":
    raise SystemExit(command_line(main))
