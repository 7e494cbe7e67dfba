"""The heat map as one HTML text that loads nothing: what a token or prompt reads, on the code, as a list, and on the graph."""
from __future__ import annotations

import json
from html import escape
from importlib import resources
from typing import Any

HEAT_LIGHT = {"heat": "#e4572e", "heat-soft": "#fbe3dc"}
HEAT_DARK = {"heat": "#ff7a4d", "heat-soft": "#3a211a"}
KINDS = ("CFG", "DDG", "CDG")


def explanation_page(data: dict[str, Any], *, title: str, answer: str, summary: str) -> str:
    """The page.

    Args:
        data: of `reading.reading`.
        title: the name of the file, say.
        answer: what the model answers.
        summary: one line on what was asked.
    """
    return joined(asset("page.html"), {
        "title": escape(title), "summary": escape(summary), "answer": escape(answer), "style": style() + asset("frame.css"),
        "tips": tips(), "data": json_text(data), "script": script(asset("frame.js")),
    })


def style() -> str:
    """The colours of both themes, and the rules of the heat map and its graph."""
    from cpg.pictures.svg import rules
    from cpg.pictures.theme import LIGHT, css_variables, variable

    graph = rules({name: f"var({variable(name)})" for name in LIGHT})
    return css_variables(HEAT_LIGHT, HEAT_DARK) + graph + asset("heatmap.css")


def script(own: str) -> str:
    """The heat map, and what a page adds to it."""
    return f'(() => {{\n"use strict";\n{asset("heatmap.js")}\n{own}}})();'


def tips() -> str:
    """The tips of arrows that all pictures of a page refer to."""
    from cpg.pictures.svg import marker

    markers = "".join(map(marker, KINDS))
    return f'<svg class="picture" width="0" height="0" style="position:absolute" aria-hidden="true"><defs>{markers}</defs></svg>'


def json_text(content: Any) -> str:
    """JSON that no text in it can end the script element around."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def joined(page: str, parts: dict[str, str]) -> str:
    """The page with its marks `@name@` replaced, side by side: a text may hold the mark of another."""
    pieces = page.split("@")
    return "".join(parts[piece] if place % 2 else piece for place, piece in enumerate(pieces))


def asset(name: str) -> str:
    return (resources.files(__package__) / "assets" / name).read_text(encoding="utf-8")
