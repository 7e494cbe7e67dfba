"""Numbers and names as people read them; shared by the tables and the page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cpg.pictures.scene import printable


def count(value: int) -> str:
    """`12,387`."""
    return f"{value:,}"


def percent(part: int, whole: int) -> str:
    """`3.1 %`; a share that is not 0 does not read as 0."""
    if not whole:
        return "–"
    share = 100 * part / whole
    return "< 0.1 %" if 0 < share < 0.05 else f"{share:.1f} %" if share < 99.95 or part == whole else "> 99.9 %"


def words(name: str) -> str:
    """A name of a field or a reason without its underscores."""
    return name.replace("_", " ")


def visible(text: str) -> str:
    """`text` with its line breaks and tabs, other characters without a picture replaced: none may steer a terminal."""
    return "\n".join(printable(line.replace("\t", "    ")) for line in text.replace("\r\n", "\n").split("\n"))


def cut_lines(text: str, lines: int, columns: int) -> str:
    """The beginning of a text in rows of at most so many columns; what is left out is said."""
    rows = [row[start:start + columns] for row in visible(text).split("\n") for start in range(0, max(1, len(row)), columns)]
    left_out = len(rows) - lines
    return "\n".join(rows[:lines] + ([f"… {count(left_out)} more {'line' if left_out == 1 else 'lines'}"] if left_out > 0 else []))


def flattened(facts: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Facts of a description as (name, value), nested names joined; empty ones are left out."""
    for name, value in facts.items():
        label = f"{prefix}{words(str(name))}"
        if isinstance(value, dict):
            yield from flattened(value, f"{label} · ")
        elif isinstance(value, (list, tuple)) and value and all(isinstance(part, dict) for part in value):
            for place, part in enumerate(value, start=1):
                yield from flattened({key: held for key, held in part.items() if key != "name"},
                                     f"{label} · {part.get('name', place)} · ")
        elif isinstance(value, (list, tuple)):
            if value:
                yield label, ", ".join(map(str, value))
        elif value is not None:
            yield label, count(value) if isinstance(value, int) and not isinstance(value, bool) else str(value)
