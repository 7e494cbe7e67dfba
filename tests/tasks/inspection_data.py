"""Small data sets for the tests of `tasks inspect`, and a reader of its pages."""
from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

JAVA = 'public int METHOD_{0} ( final int VAR_1 ) {{ int VAR_2 = {0} ; if ( VAR_1 > {0} ) {{ VAR_2 = VAR_1 ; }} return VAR_2 ; }}'
WORDS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu", "xi")
HOSTILE = 'int f ( ) { return g ( "</script></iframe><b>&amp;\x1b[31m[bold]" ) ; }'
"""Ends elements, steers terminals, and is markup of the tables."""


def method(place: int) -> str:
    """A Java method that no other is near to."""
    names = [WORDS[(place * step + step) % len(WORDS)] + str(place) for step in (1, 3, 5)]
    return (f"int {names[0]} ( int {names[1]} ) {{ int {names[2]} = {names[1]} * {place} ; "
            f"while ( {names[2]} > {place} ) {{ {names[2]} -- ; }} return {names[2]} ; }}")


def repairs(folder: Path, train: int = 8, valid: int = 3, test: int = 4) -> Path:
    """A folder of the task `repair`: operators in turn, one source that does not parse, one that is hostile."""
    counts, place = {"train": train, "valid": valid, "test": test}, 0
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in counts.items():
        rows = []
        for number in range(count):
            place += 1
            source = method(place)
            if split == "train" and number == 1:
                source = HOSTILE
            if split == "test" and number == 0:
                source = source.replace("return", "return return (")
            rows.append({"id": f"{split}<{number}>", "source": source, "target": source.replace(">", ">="), "language": "java",
                         "operator": ("swap", "drop")[number % 2], "line": place, "lines": [place]})
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


class Page(HTMLParser):
    """What a page is made of; `problems` names tags that do not match."""

    VOID = {"meta", "br", "rect", "line", "path", "circle", "input"}

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.problems: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.frames: list[str] = []
        self.texts: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.tags.append((tag, named))
        if "id" in named:
            self.ids.append(named["id"] or "")
        if tag == "a":
            self.links.append(named.get("href") or "")
        if tag == "iframe":
            self.frames.append(named.get("srcdoc") or "")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in self.VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> at {self.getpos()}")

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.texts.append(data)

    def of_class(self, tag: str, name: str) -> list[dict[str, str | None]]:
        """The attributes of the elements of a class."""
        return [named for found, named in self.tags if found == tag and name in (named.get("class") or "").split()]
