"""The page at `/`: code in, answer, graph and heat map out. One text that loads nothing but answers."""
from __future__ import annotations

from functools import cache
from importlib import resources

from ..explanation.page import asset, joined, script, style, tips

CONTENT_SECURITY_POLICY = ("default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; "
                           "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")


@cache
def page() -> str:
    return joined(_own("page.html"), {"style": style() + asset("frame.css") + _own("page.css"), "tips": tips(),
                                      "script": script(_own("page.js"))})


def _own(name: str) -> str:
    return (resources.files(__package__) / "assets" / name).read_text(encoding="utf-8")
