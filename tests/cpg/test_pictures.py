"""The package's own layouts, and the pictures made from them."""

from __future__ import annotations

import itertools
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import cpg
from cpg import CodePropertyGraph, MissingProgramError, UnknownFormatError, export, extract
from cpg.pictures.coordinates import Extents, _median, _place_row
from cpg.pictures.geometry import LABEL_SIZE, Picture, Place, Route, box_width, label_width
from cpg.pictures.layers import make_layers, order_rows
from cpg.pictures.picture import draw
from cpg.pictures.ranks import ranks
from cpg.pictures.scene import FLOW_KINDS, Link, columns, make_scene, shorten
from tests.cpg.samples import PROGRAMS

ROOT = Path(__file__).resolve().parents[2]
SVG = "{http://www.w3.org/2000/svg}"

CODES = {
    "five lines": ("python", "def f(a):\n    b = a\n    if a:\n        b = 2\n    return b\n"),
    "nothing": ("java", ""),
    "straight": ("python", "\n".join(f"a{i} = a{i - 1} + a{i // 2}" for i in range(1, 41))),
    "dead code": ("java", "int f() { return 1; x = 2; while (true) { g(x); } y(); for (;;) { x++; } }"),
    "self": ("java", "void f(int i) { while (i > 0) i--; do { i = i + 1; } while (g(i)); }"),
    "lambdas": ("java", "int f(int x) { run(() -> x); g(y -> y + x); return x; }"),
    "switch": (
        "java",
        "int f(int n) { int r = 0; switch (n) { case 1: r = 1; case 2: r += 2; break; case 3: r = 3; break; "
        "default: return r; } try { r = g(r); h(r); } catch (A a) { r = 1; } catch (Throwable t) { r = 2; } "
        "finally { k(r); } for (int i = 0; i < n && r > 0; i++) { if (i == r) continue; r = r + i; } return r; }",
    ),
} | {f"program {language}": (language, text) for language, text in PROGRAMS.items()}
KINDS = {"points": FLOW_KINDS, "flow": ("CFG",), "dependence": ("DDG", "CDG"), "tree": cpg.EDGE_KINDS}


@pytest.fixture(params=CODES, ids=lambda name: name.replace(" ", "-"))
def graph(request: pytest.FixtureRequest) -> CodePropertyGraph:
    language, code = CODES[request.param]
    return extract(code, language)


@pytest.fixture(params=KINDS)
def picture(request: pytest.FixtureRequest, graph: CodePropertyGraph) -> Picture:
    return draw(graph, KINDS[request.param])


def test_no_box_touches_another(picture: Picture) -> None:
    places = sorted(picture.places.values(), key=lambda place: place.y)
    for one, other in itertools.combinations(places, 2):
        if other.y > one.bottom:
            continue
        apart = one.x + one.width + 3 < other.x or other.x + other.width + 3 < one.x or one.bottom + 3 < other.y
        assert apart, (one.box, other.box)


def test_every_point_has_a_box(graph: CodePropertyGraph) -> None:
    assert set(draw(graph).places) == {i for i, point in enumerate(graph.nodes.point) if point is not None}


def test_everything_lies_inside(picture: Picture) -> None:
    for x, y in _extent(picture):
        assert 0 <= x <= picture.width and 0 <= y <= picture.height


def _extent(picture: Picture) -> list[tuple[float, float]]:
    corners = [(p.x, p.y) for p in picture.places.values()] + [(p.x + p.width, p.bottom) for p in picture.places.values()]
    for frame in picture.frames:
        corners += [(frame.x, frame.y), (frame.x + frame.width, frame.y + frame.height)]
    for route in picture.routes:
        corners += _points(route)
        if route.label_at:
            half = label_width(route.link.label) / 2
            corners += [(route.label_at[0] + side * half, route.label_at[1] + side * LABEL_SIZE / 2) for side in (-1, 1)]
    return corners


def _points(route: Route, steps: int = 16) -> list[tuple[float, float]]:
    """Points along the route."""
    found = [route.start]
    for curve in route.curves:
        (x0, y0), (x3, y3) = found[-1], curve[-2:]
        x1, y1, x2, y2 = curve[:4] if len(curve) == 6 else (x0, y0, x3, y3)
        for step in range(1, steps + 1):
            t = step / steps
            a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
            found.append((a * x0 + b * x1 + c * x2 + d * x3, a * y0 + b * y1 + c * y2 + d * y3))
    return found


def _bodies(graph: CodePropertyGraph) -> dict[int, int]:
    return {point: i for i, body in enumerate(make_scene(graph).bodies) for point in body.points}


def test_links_lead_from_box_to_box_and_cross_none(graph: CodePropertyGraph) -> None:
    picture, body = draw(graph), _bodies(graph)
    assert len(picture.routes) == len({(s, t, kind) for s, t, kind, _, _ in graph.edges if kind != "AST"})
    for route in picture.routes:
        source, target = picture.places[route.link.source], picture.places[route.link.target]
        points = _points(route)
        assert _on_border(source, points[0]) and _on_border(target, points[-1]), route
        if body[route.link.source] != body[route.link.target]:
            continue  # what a function captures comes across, from frame to frame
        for x, y in points:
            for place in picture.places.values():
                inside = place.x + 1 < x < place.x + place.width - 1 and place.y + 1 < y < place.bottom - 1
                assert not inside or place in (source, target), (route, place.box)


def _on_border(place: Place, point: tuple[float, float]) -> bool:
    x, y = point
    slant = 6.3 if place.box.shape == "condition" else 0.1
    across = place.x - 0.1 <= x <= place.x + place.width + 0.1 and min(abs(y - place.y), abs(y - place.bottom)) < 0.1
    beside = place.y <= y <= place.bottom and min(abs(x - place.x), abs(x - place.x - place.width)) < slant
    return across or beside


def test_labels_hide_no_box_and_no_other_label(graph: CodePropertyGraph) -> None:
    picture, body = draw(graph), _bodies(graph)
    spans = set()  # links that share a trunk share their label
    for route in picture.routes:
        if route.label_at and body[route.link.source] == body[route.link.target]:
            half = label_width(route.link.label) / 2
            x, y = route.label_at
            hub = route.link.source if route.link.kind != "CFG" else None
            spans.add((x - half, x + half, y - LABEL_SIZE / 2, y + LABEL_SIZE / 2, route.link.kind, route.link.label, hub))
    for left, right, top, bottom, *link in spans:
        for place in picture.places.values():
            assert right <= place.x or place.x + place.width <= left or bottom <= place.y or place.bottom <= top, link
    for (l1, r1, t1, b1, *one), (l2, r2, t2, b2, *other) in itertools.combinations(spans, 2):
        assert r1 <= l2 or r2 <= l1 or b1 <= t2 or b2 <= t1, (one, other)


def test_labels_say_branches_and_variables(graph: CodePropertyGraph) -> None:
    expected: dict[tuple[int, int, str], set[str]] = {}
    for source, target, kind, branch, variable in graph.edges:
        if kind != "AST":
            expected.setdefault((source, target, kind), set()).update({branch or variable} - {None})
    routes = draw(graph).routes
    for route in routes:
        words = expected[route.link.source, route.link.target, route.link.kind]
        if len(", ".join(words)) <= 28:
            assert set(route.link.label.split(", ")) - {""} == words
        assert bool(route.label_at) == bool(words)


def test_flow_leads_down_but_for_loops(graph: CodePropertyGraph) -> None:
    picture = draw(graph)
    flows = [(s, t) for s, t, kind, _, _ in graph.edges if kind == "CFG" and s != t]
    for point, place in picture.places.items():
        if place.box.shape == "entry":
            below = [t for s, t in flows if s == point]
            assert all(picture.places[t].y > place.y for t in below)
    upwards = [(s, t) for s, t in flows if picture.places[t].y <= picture.places[s].y]
    assert len(upwards) <= len(flows) / 3
    successors: dict[int, list[int]] = {}
    for source, target in flows:
        if (source, target) not in upwards:
            successors.setdefault(source, []).append(target)
    for source, target in upwards:  # it closes a loop: the target leads back to the source
        seen, stack = set(), [target]
        while stack:
            point = stack.pop()
            if point not in seen:
                seen.add(point)
                stack += successors.get(point, [])
        assert source in seen


def test_the_tree_grows_to_the_right_in_the_order_of_the_text(graph: CodePropertyGraph) -> None:
    places = draw(graph, cpg.EDGE_KINDS).places
    assert len(places) == len(graph.nodes)
    for source, target, kind, _, _ in graph.edges:
        if kind == "AST":
            assert places[target].x > places[source].x + places[source].width
    nodes = graph.nodes
    leaves = set(range(len(nodes))) - {s for s, _, kind, _, _ in graph.edges if kind == "AST"}
    plain = [i for i in sorted(leaves) if nodes.point[i] not in ("entry", "exit")]
    assert plain == sorted(plain, key=lambda i: places[i].y)


def test_deep_nesting() -> None:
    graph = extract("(" * 3000 + "1" + ")" * 3000, "python")
    assert len(draw(graph, cpg.EDGE_KINDS).places) > 3000


# ----------------------------------------------------------------------------------------------- the parts
def test_ranks_of_a_loop_and_of_dead_code() -> None:
    # 0 -> 1 -> 2 -> 1, 1 -> 9; 3 has no predecessor and leads to 9; 4 and 5 are a loop of their own.
    flow = {0: [1], 1: [2, 9], 2: [1], 3: [9], 4: [5], 5: [4]}
    rows = ranks((0, 1, 2, 3, 4, 5, 9), flow, 9)
    assert rows == {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 9: 6}


def test_sweeps_remove_the_crossings_of_a_tangle() -> None:
    # Two rows of five; the links turn the order round, so uncrossed they need one row reversed.
    links = [Link(i, 14 - i, "CFG", "") for i in range(5)]
    layers = make_layers(tuple(range(15)), {i: 0 if i < 5 else 1 for i in range(15)}, links)
    assert order_rows(layers) == 0


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ([(1.0, 1), (5.0, 1), (6.0, 1)], 5.0),
        ([(1.0, 1), (5.0, 1)], 3.0),
        ([(1.0, 5), (5.0, 1), (6.0, 1)], 1.0),
        ([(2.0, 1)], 2.0),
    ],
)
def test_weighted_median(wanted: list[tuple[float, float]], expected: float) -> None:
    assert _median(wanted) == expected


def test_a_row_is_placed_as_well_as_possible() -> None:
    """Against all placements on a grid of half pixels; 3 vertices that want to be where they would overlap."""
    extents = Extents([1.0] * 6, [1.0] * 6)
    x = [0.0, 0.0, 0.0, 10.0, 10.0, 11.0]
    wishes = [[(3, 0.0, 1)], [(4, 0.0, 3)], [(5, 0.0, 1)]]
    _place_row([0, 1, 2], extents, x, wishes)
    assert x[1] - x[0] >= 18 and x[2] - x[1] >= 18

    def cost(places: tuple[float, ...]) -> float:
        return abs(places[0] - 10) + 3 * abs(places[1] - 10) + abs(places[2] - 11)

    grid = [half / 2 for half in range(-40, 90)]
    best = min(cost((a, b, c)) for a in grid for b in grid if b - a >= 18 for c in (max(b + 18, 11.0),))
    assert cost(tuple(x[:3])) == best


def test_texts_are_cut_by_columns() -> None:
    assert shorten("abc", 3) == "abc" and shorten("abcd", 3) == "ab…"
    assert columns("漢字e\u0301") == 5
    assert columns(shorten("漢字漢字", 5)) <= 5
    scene = make_scene(extract("x = '" + "漢" * 100 + "'", "python"))
    assert all(columns(box.text) <= 40 for box in scene.boxes.values())
    assert all(box_width(box) >= columns(box.text) * 7.2 for box in scene.boxes.values())


# ---------------------------------------------------------------------------------------------------- svg
@pytest.mark.parametrize("kinds", KINDS.values(), ids=KINDS)
def test_svg_is_xml_with_all_boxes_and_links(graph: CodePropertyGraph, kinds: tuple[str, ...]) -> None:
    root = ElementTree.fromstring(export(graph, "svg", edges=kinds, layout="own", title="<a> & b"))
    assert root.tag == f"{SVG}svg"
    assert root.find(f"{SVG}title").text == "<a> & b"
    boxes = [e for e in root.iter(f"{SVG}g") if (e.get("class") or "").startswith("box ")]
    points = sum(point is not None for point in graph.nodes.point)
    assert len(boxes) == (len(graph.nodes) if "AST" in kinds else points)
    lines = [e for e in root.iter(f"{SVG}path") if (e.get("class") or "").startswith("line ")]
    assert len(lines) == len({(s, t, kind) for s, t, kind, _, _ in graph.edges if kind in kinds})
    known = {e.get("id") for e in root.iter(f"{SVG}marker")}
    assert {e.get("marker-end") for e in lines} - {None} == {f"url(#{tip})" for tip in known} - {"url(#tip-AST)"}


def test_svg_is_the_same_in_another_process() -> None:
    text = PROGRAMS["python"]
    command = (
        "import sys; from cpg import extract, export\n"
        "sys.stdout.buffer.write(export(extract(sys.stdin.read(), 'python'), 'svg', layout='own').encode())"
    )
    expected = export(extract(text, "python"), "svg", layout="own").encode()
    for seed in ("1", "2"):
        environment = {"PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"}
        done = subprocess.run(
            [sys.executable, "-c", command], input=text.encode(), cwd=ROOT, env=environment, capture_output=True, check=True
        )
        assert done.stdout == expected


def test_the_picture_in_the_documentation_is_what_its_command_makes() -> None:
    """python -m cpg docs/pictures/cpg.java --format svg --layout own --output docs/pictures/cpg.svg"""
    source = ROOT / "docs/pictures/cpg.java"
    made = export(extract(source.read_text(encoding="utf-8"), "java"), "svg", layout="own", title=source.name)
    assert made == source.with_suffix(".svg").read_text(encoding="utf-8")


def _program(folder: Path, body: str) -> None:
    program = folder / "dot"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)


def test_svg_is_drawn_by_graphviz_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = extract("x = 1", "python")
    own = export(graph, "svg", layout="own")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert export(graph, "svg") == own
    with pytest.raises(MissingProgramError, match="install graphviz or use own"):
        export(graph, "svg", layout="dot")
    _program(tmp_path, 'echo "$1"; /bin/cat')
    drawn = export(graph, "svg", edges=["DDG"], title="t")
    assert drawn == "-Tsvg\n" + export(graph, "dot", edges=["DDG"], title="t")
    assert export(graph, "svg", layout="own") == own
    _program(tmp_path, "echo no such font >&2; exit 3")
    with pytest.raises(MissingProgramError, match="status 3: no such font"):
        export(graph, "svg")
    _program(tmp_path, "exec /bin/sleep 30")
    monkeypatch.setattr("cpg.exports.svg.DOT_SECONDS", 0.1)
    assert export(graph, "svg") == own
    with pytest.raises(MissingProgramError, match="more than 0.1 seconds"):
        export(graph, "svg", layout="dot")
    with pytest.raises(UnknownFormatError, match="auto, dot, own"):
        export(graph, "svg", layout="circo")
