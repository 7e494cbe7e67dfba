"""Every example of SPEC.md and of the pages of languages beside it, and the form of the pages themselves."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

import cpg
from cpg import CodePropertyGraph, extract

MAIN_PAGE = Path(cpg.__file__).with_name("SPEC.md")
LANGUAGE_PAGES = sorted(MAIN_PAGE.with_name("spec").glob("*.md"))
EXAMPLE = re.compile(r"^```(\w+)\n(.*?)^```\n```edges\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEADING = r"^## (.*)$"
ARROW = re.compile(r" --(?:(\S+?)--)?> ")
KINDS = ("CFG", "DDG", "CDG")
OPTION = "calls_define\n"
"""First line of the edges of an example that is extracted with this option."""

Edge = tuple[str, str, str, str]


def _examples() -> list:
    found = []
    for page in (MAIN_PAGE, *LANGUAGE_PAGES):
        text = page.read_text(encoding="utf-8")
        for match in EXAMPLE.finditer(text):
            section = re.findall(HEADING, text[: match.start()], re.MULTILINE)[-1]
            line = text.count("\n", 0, match.start()) + 1
            found.append(pytest.param(*match.groups(), id=f"{page.stem}-{section}-line{line}-{match.group(1)}"))
    return found


EXAMPLES = _examples()


def marked_examples(language: str, page: Path = MAIN_PAGE) -> list[tuple[int, str, str]]:
    """(line, mark, code) of the language's examples on a page.

    The mark is a comment in front of the example, for the tests that hand it to a compiler: the first version of
    the language that knows it (`<!-- Java 21 -->`), or why none takes it (`<!-- not for javac: ... -->`).
    """
    text = page.read_text(encoding="utf-8")
    found = []
    for match in EXAMPLE.finditer(text):
        if match.group(1) == language:
            before = text[: match.start()]
            last = before.splitlines()[-1]
            found.append((before.count("\n") + 1, last.strip("<!- >") if last.startswith("<!--") else "", match.group(2)))
    return found


def expected_edges(block: str) -> tuple[set[str], set[Edge]]:
    """The kinds that the block names, and its edges."""
    kinds, edges = set(), set()
    for line in block.removeprefix(OPTION).splitlines():
        kind, chain = line.split(" ", 1)
        kinds.add(kind)
        if chain == "none":
            continue
        texts, labels = ARROW.split(chain)[::2], ARROW.split(chain)[1::2]
        for source, label, target in zip(texts, labels, texts[1:]):
            edges.add((kind, source, label or "", target))
    return kinds, edges


def point_names(graph: CodePropertyGraph) -> dict[int, str]:
    """How the page writes each point."""
    nodes = graph.nodes
    children: dict[int, list[int]] = {}
    for source, target, kind, _, _ in graph.edges:
        if kind == "AST":
            children.setdefault(source, []).append(target)
    parent = {target: source for source, targets in children.items() for target in targets}
    names, seen = {}, Counter()
    for node in range(len(nodes)):
        point = nodes.point[node]
        if point in ("entry", "exit"):
            owner = nodes.name[node] or ("lambda" if nodes.label[parent[node]] == "LAMBDA" else "")
            names[node] = f"{point.upper()} {owner}".strip()
        elif point is not None:
            names[node] = _point_name(graph, node, children)
            seen[names[node]] += 1
            if seen[names[node]] > 1:
                names[node] += f"#{seen[names[node]]}"
    return names


def _point_name(graph: CodePropertyGraph, node: int, children: dict[int, list[int]]) -> str:
    nodes = graph.nodes
    blocks = [child for child in children.get(node, ()) if nodes.label[child] in ("BLOCK", "JUMP_TARGET")]
    end = nodes.start_byte[blocks[0]] if blocks else nodes.end_byte[node]
    text = graph.code.encode()[nodes.start_byte[node] : end].decode()
    return " ".join(text.split())


@pytest.mark.parametrize(("language", "code", "block"), EXAMPLES)
def test_example(language: str, code: str, block: str) -> None:
    graph = extract(code, language, calls_define=block.startswith(OPTION))
    graph.check()
    kinds, expected = expected_edges(block)
    names = point_names(graph)
    found = {
        (kind, names[source], branch or variable or "", names[target])
        for source, target, kind, branch, variable in graph.edges
        if kind in kinds
    }
    assert kinds <= set(KINDS)
    assert found == expected, (
        f"missing {sorted(expected - found)}\nunexpected {sorted(found - expected)}"
    )


def test_pages_are_read_completely() -> None:
    texts = [page.read_text(encoding="utf-8") for page in (MAIN_PAGE, *LANGUAGE_PAGES)]
    assert sum(text.count("```edges\n") for text in texts) == len(EXAMPLES) >= 60
    assert {example.values[0] for example in EXAMPLES} == set(cpg.LANGUAGES)


def test_pages_of_languages_are_named_after_them_and_have_the_sections_of_the_main_page() -> None:
    sections = re.findall(HEADING, MAIN_PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    for page in LANGUAGE_PAGES:
        text = page.read_text(encoding="utf-8")
        assert {match.group(1) for match in EXAMPLE.finditer(text)} == {page.stem}
        found = re.findall(HEADING, text, re.MULTILINE)
        assert found == [section for section in sections if section in found], "not the order of the main page"
