"""The charts of a comparison as SVG files of their own, for documents."""
from __future__ import annotations

from .drawings import forest_chart, quality_chart
from .folder import Comparison
from .look import chart_style
from .wording import LOSS

WIDTH, HEIGHT = 720, 460


def pictures(comparison: Comparison) -> dict[str, str]:
    """File name -> SVG: quality against trained weights, and differences to the reference, of the headline metric and the loss."""
    found = {}
    for metric in dict.fromkeys((comparison.headline, LOSS)):
        if metric in comparison.figures:
            found[f"quality-{metric}.svg"] = quality_chart(comparison, metric).draw(WIDTH, HEIGHT)
            found[f"differences-{metric}.svg"] = forest_chart(comparison, metric).draw(WIDTH, HEIGHT)
    return {name: standalone(chart) for name, chart in found.items() if chart}


def standalone(chart: str) -> str:
    """A chart of the page as a file: with its namespace, its ground and its style, by the reader's light or dark theme."""
    head, inside = chart.split(">", 1)
    return (f'{head} xmlns="http://www.w3.org/2000/svg"><style>{chart_style()}</style>'
            f'<rect width="100%" height="100%" fill="var(--frame)"/>{inside}\n')
