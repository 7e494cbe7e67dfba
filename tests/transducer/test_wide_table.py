"""Tables on terminals of any width: no figure is cut, none is lost."""
from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from transducer.wide_table import WideTable, folded

SPECIFICATION = "transducer:fusion=attention+aligned+prompts+scales,rank=16"
FIGURES = ("17,661", "1.379 ±0.003", "+0.013 ▼\n\\[+0.003, +0.023]", "38.2 ±1.1")


def printed(width: int, name: str = SPECIFICATION) -> list[str]:
    table = WideTable("the title", ("trained\nweights", "test loss\n(nats)", "difference", "chrf"))
    table.add(name, *FIGURES)
    table.add("none", "skipped")
    console = Console(width=width, file=io.StringIO())
    console.print(table)
    return console.file.getvalue().splitlines()


def names(lines: list[str]) -> str:
    return "".join(line.split("│")[1].strip() for line in lines if line.startswith("│"))


@pytest.mark.parametrize(("width", "parts"), [(200, 1), (100, 1), (80, 1), (60, 2), (40, 4)])
def test_nothing_is_cut(width: int, parts: int) -> None:
    lines = printed(width)
    text = "\n".join(lines)
    assert "…" not in text and max(map(len, lines)) <= width
    assert text.count("method") == parts and text.count("the title") == 1
    for piece in ("17,661", "1.379 ±0.003", "+0.013 ▼", "[+0.003, +0.023]", "38.2 ±1.1"):
        assert text.count(piece) == 1
    assert names(lines) == (SPECIFICATION + "none") * parts


@pytest.mark.parametrize("width", range(40, 160, 7))
def test_the_frame_of_every_part_is_whole(width: int) -> None:
    framed = [line for line in printed(width) if line[0] in "┏┃┡│└"]
    starts = [place for place, line in enumerate(framed) if line.startswith("┏")]
    for start, end in zip(starts, [*starts[1:], len(framed)]):
        assert framed[end - 1].startswith("└") and len(set(map(len, framed[start:end]))) == 1


def test_names_are_broken_where_they_have_joints() -> None:
    assert folded("transducer:rank=16,directions=4,bottleneck=56", 20).split("\n") == [
        "transducer:rank=16,", "directions=4,", "bottleneck=56"]
    assert folded("x" * 25, 10).split("\n") == ["x" * 10, "x" * 10, "x" * 5]
    assert folded("ia3", 10) == "ia3" and re.fullmatch("[:,+]{3}", folded(":,+", 10))


def test_a_name_is_no_markup() -> None:
    assert "[bold]" in "\n".join(printed(100, name="[bold]"))
