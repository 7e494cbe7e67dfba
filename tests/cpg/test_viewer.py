"""The HTML viewer in a real browser: what a mouse and a keyboard do to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cpg import CodePropertyGraph, export, extract
from tests.cpg import browser as browsers
from tests.cpg.browser import Browser
from tests.cpg.samples import PROGRAMS

CODE = '''\
def count(words, limit=3):
    """Count </script> & words."""
    seen = {}
    for word in words:
        if word in seen and limit:
            seen[word] += 1
        else:
            seen[word] = 1
    return seen
'''

needs_browser = pytest.mark.skipif(browsers.missing() is not None, reason=str(browsers.missing()))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Browser:
    path = tmp_path / "page.html"
    path.write_text(export(GRAPH, "html", title="count.py"), encoding="utf-8")
    browser.open(path)
    assert browser.log() == []
    return browser


GRAPH: CodePropertyGraph = extract(CODE, "python")


def node_of(text: str, point: str = "statement") -> int:
    """The point with this text."""
    (found,) = [i for i, p in enumerate(GRAPH.nodes.point) if p == point and GRAPH.nodes.text_of(i).startswith(text)]
    return found


def box(node: int) -> str:
    return f'.box[data-node="{node}"]'


def lit_code(page: Browser) -> str:
    return page.run("return [...document.querySelectorAll('.piece.lit')].map(p => p.textContent).join('')")


def lit_boxes(page: Browser) -> list[int]:
    return page.run("return [...document.querySelectorAll('.box.lit')].map(b => Number(b.dataset.node))")


# ------------------------------------------------------------------------------------------- without a browser
def test_the_page_holds_the_graph_and_loads_nothing() -> None:
    text = export(GRAPH, "html", title="<count> & co")
    data = text.split('id="data">')[1].split("</script>")[0]
    assert "<" not in data
    read = json.loads(data)
    assert len(read["nodes"]["type"]) == len(GRAPH.nodes)
    assert len(read["edges"]) == len(GRAPH.edges)
    assert "".join(piece for piece, _, _ in read["pieces"]) == CODE
    assert "<title>&lt;count&gt; &amp; co" in text
    assert "default-src 'none'" in text
    text = text.replace("http://www.w3.org/2000/svg", "")  # a name, not an address
    assert not any(word in text for word in ("http:", "https:", "src=", "@import", "url(//", "fetch(")), "loads something"


@pytest.mark.parametrize("language", PROGRAMS)
def test_pieces_lie_inside_their_node(language: str) -> None:
    graph = extract(PROGRAMS[language], language)
    text = export(graph, "html")
    data = json.loads(text.split('id="data">')[1].split("</script>")[0])
    nodes, pieces = data["nodes"], data["pieces"]
    assert "".join(piece for piece, _, _ in pieces) == graph.code
    for node in range(len(graph.nodes)):
        own = graph.nodes.text_of(node)
        first, head, last = nodes["first"][node], nodes["head"][node], nodes["last"][node]
        assert "".join(piece for piece, _, _ in pieces[first : last + 1] if first >= 0) == own
        assert first <= head <= last
    for index, (_, _, node) in enumerate(pieces):
        assert nodes["first"][node] <= index <= nodes["last"][node]


def test_kinds_that_are_on_at_first() -> None:
    data = json.loads(export(GRAPH, "html", edges=["DDG"]).split('id="data">')[1].split("</script>")[0])
    assert data["on"] == ["DDG"]
    assert set(data["pictures"]) == {"CFG", "DDG", "CDG", "CFG,DDG", "CFG,CDG", "DDG,CDG", "CFG,DDG,CDG", "AST"}


# ---------------------------------------------------------------------------------------------- with a browser
@needs_browser
def test_points_and_their_edges_are_drawn(page: Browser) -> None:
    points = {i for i, point in enumerate(GRAPH.nodes.point) if point is not None}
    assert set(page.run("return [...document.querySelectorAll('#graph .box')].map(b => Number(b.dataset.node))")) == points
    drawn = page.run(
        "return [...document.querySelectorAll('#graph .link')]"
        ".map(l => [l.dataset.source, l.dataset.target, l.classList[1]])"
    )
    expected = {(str(s), str(t), kind) for s, t, kind, _, _ in GRAPH.edges if kind != "AST"}
    assert {tuple(link) for link in drawn} == expected


@needs_browser
def test_hovering_a_node_lights_its_code(page: Browser) -> None:
    assert lit_code(page) == ""
    page.hover(box(node_of("seen[word] += 1")))
    assert lit_code(page) == "seen[word] += 1"
    page.hover(box(node_of("for word in words", "condition")))
    assert lit_code(page) == "for word in words:"
    page.hover("h1")
    assert lit_code(page) == ""


@needs_browser
def test_hovering_code_lights_its_node(page: Browser) -> None:
    piece = page.run("return [...document.querySelectorAll('.piece')].find(p => p.textContent === '1').dataset.piece")
    page.hover(f'.piece[data-piece="{piece}"]')
    assert lit_boxes(page) == [node_of("seen[word] += 1")]
    lit = page.run("return [...document.querySelectorAll('#graph .link.lit')].map(l => l.classList[1])")
    assert {"CFG", "DDG", "CDG"} == set(lit)
    page.hover("h1")
    assert lit_boxes(page) == []


@needs_browser
def test_kinds_switch_on_and_off(page: Browser) -> None:
    count = "return document.querySelectorAll('#graph .link.DDG').length"
    assert page.run(count) > 5
    page.click('#kinds [data-kind="DDG"]')
    assert page.run(count) == 0
    assert page.run("return document.querySelectorAll('#graph .link.CFG').length") > 5
    assert page.run("return document.querySelector('#kinds .DDG').getAttribute('aria-pressed')") == "false"
    page.type("3")
    assert page.run(count) > 5
    boxes = page.run("return document.querySelectorAll('#graph .box').length")
    page.click('#kinds [data-kind="AST"]')
    assert page.run("return document.querySelectorAll('#graph .box').length") == len(GRAPH.nodes) > boxes
    assert page.run("return document.querySelectorAll('#graph .link.AST').length") == len(GRAPH.nodes) - 1
    page.type("1")
    assert page.run("return document.querySelectorAll('#graph .box').length") == boxes


@needs_browser
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("seen[word] +=", {"seen[word] += 1"}),
        ("METHOD", {"def count"}),
        ("LIMIT=", {"limit=3", "def count"}),
        ("for_statement", {"for word in words"}),
        ("nothing like it", set()),
    ],
)
def test_search_finds_nodes_by_text_label_and_type(page: Browser, query: str, expected: set[str]) -> None:
    page.type("/", *query)
    found = page.run("return [...document.querySelectorAll('.box.match')].map(b => Number(b.dataset.node))")
    assert {GRAPH.nodes.text_of(node).split("\n")[0].split("(")[0].split(":")[0] for node in found} == expected
    assert page.run("return document.querySelector('#found').textContent").startswith(f"{len(expected)} node")


@needs_browser
def test_search_finds_edges_by_variable_and_steps_through_nodes(page: Browser) -> None:
    page.type("/", *"limit")
    labels = page.run("return [...document.querySelectorAll('.text.match')].map(t => t.textContent)")
    assert labels == ["limit"]
    first, second = node_of("limit=3", "parameter"), node_of("limit", "condition")
    page.type("Enter")
    page.type("Enter")
    assert page.run("return document.querySelector('#found').textContent") == "2 of 3"
    chosen = page.run("return Number(document.querySelector('.box.chosen').dataset.node)")
    assert chosen in (first, second)
    page.type("Escape")
    assert page.run("return document.querySelectorAll('.match').length") == 0


@needs_browser
def test_a_click_opens_the_panel_and_its_links_lead_on(page: Browser) -> None:
    page.click(box(node_of("return seen")))
    panel = page.run("return document.querySelector('#details').innerText")
    assert "return seen" in panel and "RETURN" in panel and "line 9" in panel
    page.click("#details li.DDG button")
    assert page.run("return Number(document.querySelector('.box.chosen').dataset.node)") in {
        s for s, t, kind, _, _ in GRAPH.edges if kind == "DDG" and t == node_of("return seen")
    }
    page.type("Escape")
    assert page.run("return document.querySelector('#details').hidden") is True


@needs_browser
def test_the_keyboard_reaches_and_moves(page: Browser) -> None:
    page.run("document.querySelector('#divider').focus()")
    page.type("Tab")
    focused = "return Number(document.activeElement.dataset.node)"
    first = page.run(focused)
    assert GRAPH.nodes.point[first] == "entry"
    page.type("ArrowDown")
    second = page.run(focused)
    assert second in {t for s, t, kind, _, _ in GRAPH.edges if kind == "CFG" and s == first}
    assert lit_boxes(page) == [second]
    page.type("Enter")
    assert page.run("return Number(document.querySelector('.box.chosen').dataset.node)") == second
    unnamed = page.run(
        "return [...document.querySelectorAll('button, input, #graph .box, [tabindex=\"0\"]')]"
        ".filter(e => !e.getAttribute('aria-label') && !e.textContent.trim()).map(e => e.outerHTML)"
    )
    assert unnamed == []


@needs_browser
def test_zoom_and_pan(page: Browser) -> None:
    def transform() -> list[float]:
        text = page.run("return document.querySelector('#world').getAttribute('transform')")
        return [float(v) for v in text.replace("translate(", "").replace(") scale(", " ").rstrip(")").split()]

    x, y, scale = transform()
    page.click("#larger")
    assert transform()[2] == pytest.approx(scale * 1.25)
    page.wheel("#graph", -200, control=True)
    assert transform()[2] > scale * 1.3
    page.click("#fit")
    fitted = transform()
    page.drag(".frame rect", 60, 40)
    assert transform() == pytest.approx([fitted[0] + 60, fitted[1] + 40, fitted[2]])
    page.wheel("#graph", 100)
    assert transform() == pytest.approx([fitted[0] + 60, fitted[1] - 60, fitted[2]])
    assert page.run("return document.querySelector('#details').hidden") is True, "dragging is no click"


@needs_browser
def test_light_and_dark(page: Browser) -> None:
    ground = "return getComputedStyle(document.body).backgroundColor"
    before = page.run(ground)
    page.click("#theme")
    after = page.run(ground)
    assert {before, after} == {"rgb(255, 255, 255)", "rgb(18, 21, 27)"}
    page.type("t")
    assert page.run(ground) == before


@needs_browser
def test_texts_fit_into_their_boxes(page: Browser) -> None:
    page.click('#kinds [data-kind="AST"]')
    wide = page.run(
        "return [...document.querySelectorAll('#graph .box')].filter(b => { const s = b.querySelector('.shape').getBBox();"
        " return [...b.querySelectorAll('text')].some(t => t.getBBox().x + t.getBBox().width > s.x + s.width - 3) })"
        ".map(b => b.textContent)"
    )
    assert wide == []


@needs_browser
def test_five_hundred_nodes(browser: Browser, tmp_path: Path) -> None:
    method = "int f{0}(int a, int b) {{ for (int i = a; i < b; i++) {{ if (i == 1) a += b; else b = g(a, i); }} return a; }}"
    graph = extract("class K {\n" + "\n".join(map(method.format, range(12))) + "\n}", "java")
    assert 500 <= len(graph.nodes) < 700
    path = tmp_path / "large.html"
    path.write_text(export(graph, "html"), encoding="utf-8")
    browser.open(path)
    browser.click("#kinds .AST")
    assert browser.run("return document.querySelectorAll('#graph .box').length") == len(graph.nodes)
    assert browser.log() == []
