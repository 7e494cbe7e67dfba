"""Code to tokens without a grammar: the unit of BLEU, CodeBLEU and the search for near duplicates."""

from __future__ import annotations

import re

NAME = "code-v1"
"""Stands in the signatures of metrics; changes when the tokens change."""

_TOKEN = re.compile(r"\w+|[^\w\s]")


def code_tokens(text: str) -> list[str]:
    """Runs of letters, digits and underscores, and every other visible character by itself.

    The same for any layout, so that `f ( x )` and `f(x)` are equal. The inside of a string literal counts as code.
    """
    return _TOKEN.findall(text)


def shape(text: str) -> tuple[str, ...]:
    """The tokens of a text with every word, number and name as `_`: equal for texts from one template."""
    return tuple("_" if token[0].isalnum() or token[0] == "_" else token for token in code_tokens(text))
