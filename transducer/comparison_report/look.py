"""The style of the page and of its charts, and the files beside it."""
from __future__ import annotations

from importlib import resources

KINDS = ("CFG", "DDG", "CDG")
SERIES_LIGHT = ("#2563eb", "#c05a06", "#15803d", "#b4237a", "#7c3aed", "#0891b2", "#9a7b00", "#64748b")
SERIES_DARK = ("#74a5ff", "#f2a355", "#6fcf8e", "#f08cc0", "#b89bff", "#5fd0e6", "#e3c84f", "#a7b3c7")
DASHES = ("none", "7 3", "2 3")
STYLES = len(SERIES_LIGHT) * len(DASHES)
"""Lines that look different: eight colours, each whole, dashed and dotted."""


def page_style() -> str:
    from cpg.pictures.svg import rules
    from cpg.pictures.theme import LIGHT, variable

    keys = "".join(f".key-{kind}{{border-color:var({variable(kind)})!important}}" for kind in KINDS)
    keys += ".key-CDG{border-top-style:dashed!important}\n"
    return chart_style() + rules({name: f"var({variable(name)})" for name in LIGHT}) + keys + asset("style.css")


def chart_style() -> str:
    """What charts need, in a page or alone."""
    from cpg.pictures.theme import css_variables

    light, dark = ({f"series-{place}": colour for place, colour in enumerate(colours)} for colours in (SERIES_LIGHT, SERIES_DARK))
    count = len(SERIES_LIGHT)
    lines = "".join(f".style-{place}{{--series:var(--series-{place % count});--dash:{DASHES[place // count]}}}"
                    for place in range(STYLES))
    return css_variables(light, dark) + lines + asset("charts.css")


def asset(name: str) -> str:
    return (resources.files(__package__) / "assets" / name).read_text(encoding="utf-8")
