"""The report of a comparison: Markdown, CSV and one HTML page, made from the folder that `transducer.compare` writes.

    python -m transducer.comparison_report runs/compared
"""
from __future__ import annotations

from pathlib import Path

MARKDOWN_FILE, CSV_FILE, PAGE_FILE = "report.md", "results.csv", "report.html"


def write_report(folder: Path, output: Path | None = None, pictures_to: Path | None = None) -> list[Path]:
    """Writes the report of the comparison in `folder` to `output`, by default the same folder, and the charts of its headline
    metric and its loss to `pictures_to`, where one is given; the files.

    The same folder gives the same bytes. Files are written whole or not at all, and only when all of them are made.
    Cost: a second or so, and some milliseconds a point of the graphs that the page shows.

    Raises:
        DataError: see `folder.read_comparison`.
    """
    from ..storage import write_text
    from .folder import read_comparison
    from .markdown import markdown
    from .page import page
    from .pictures import pictures
    from .results_csv import results_csv

    comparison = read_comparison(folder)
    output = output or folder
    texts = {MARKDOWN_FILE: markdown(comparison), CSV_FILE: results_csv(comparison), PAGE_FILE: page(comparison)}
    made = {output / name: text for name, text in texts.items()}
    if pictures_to:
        made |= {pictures_to / name: picture for name, picture in pictures(comparison).items()}
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
    return list(made)
