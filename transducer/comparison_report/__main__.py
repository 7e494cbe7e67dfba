"""Makes the report of a comparison again, from its folder alone.

    python -m transducer.comparison_report runs/compared
    python -m transducer.comparison_report runs/compared --pictures docs/pictures
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
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="writes the charts there as SVG files, for documents")
    options = parser.parse_args(arguments)
    for name in ("output", "pictures"):
        place = getattr(options, name)
        if place and place.exists() and not place.is_dir():
            raise OutputExistsError(f"--{name} {place} is a file, expected a folder; give another")
    for path in write_report(options.folder, options.output, options.pictures):
        print(path)
    return DONE


if __name__ == "__main__":
    raise SystemExit(command_line(main))
