"""The points of each body in rows along control flow; the bodies side by side, each in a frame."""

from __future__ import annotations

import itertools

from cpg.pictures.coordinates import Extents, place, ports
from cpg.pictures.geometry import (
    BOX_HEIGHT,
    FRAME_PADDING,
    FRAME_TITLE,
    LABEL_SIZE,
    Curve,
    Frame,
    Picture,
    Place,
    Route,
    box_width,
    label_width,
    moved,
)
from cpg.pictures.layers import STARTS, Chain, Layers, make_layers, order_rows
from cpg.pictures.ranks import ranks
from cpg.pictures.scene import Body, Link, Scene

GAP = 11
"""Least height between two layers."""
LABEL_HEIGHT = LABEL_SIZE + 3
LOOP = 20
"""How far a link from a point to itself reaches out of the box."""
FRAME_DISTANCE = 28
MANY_VERTICES = 3000
"""Bodies with more than that are laid out once instead of from every start."""
CROSSING = 12.0
"""Pixels of links going sideways that a crossing is worth."""
PROPORTION = 1.5
"""Width to height that the packing of several bodies aims at."""
MOST_IN_A_ROW = 60


def flow_layout(scene: Scene) -> Picture:
    """All bodies of a scene without syntax. Cost: a few milliseconds a point."""
    owner = {point: i for i, body in enumerate(scene.bodies) for point in body.points}
    inside: list[list[Link]] = [[] for _ in scene.bodies]
    across = []
    for link in scene.links:
        if owner[link.source] == owner[link.target]:
            inside[owner[link.source]].append(link)
        else:
            across.append(link)
    parts = [_framed(body, _body(scene, body, links)) for body, links in zip(scene.bodies, inside)]
    picture = _packed(parts)
    for link in across:
        route = bow(link, picture.places[link.source], picture.places[link.target])
        route.across = True
        picture.routes.append(route)
    return picture


# ---------------------------------------------------------------------------------------------- one body
def _body(scene: Scene, body: Body, links: list[Link]) -> Picture:
    points = body.points
    exits = [point for point in points if scene.boxes[point].shape == "exit"]
    layers = make_layers(points, ranks(points, scene.flow, exits[0] if exits else None), links)
    widths = [box_width(scene.boxes[point]) for point in points]
    halves = [width / 2 for width in widths] + [1.0] * (len(layers.layer_of) - len(points))
    for chain in layers.chains:
        if chain.label_vertex >= 0:
            halves[chain.label_vertex] = label_width(chain.link.label) / 2 + 3
    for link, between in layers.flat:
        halves[between] = label_width(link.label) / 2 + 3
    extents = Extents(halves, list(halves))
    vertex_of = {point: i for i, point in enumerate(points)}
    reaches = []
    for link in layers.loops:
        vertex = vertex_of[link.source]
        reaches.append(extents.right[vertex] - halves[vertex] + LOOP)
        extents.right[vertex] = halves[vertex] + reaches[-1] + label_width(link.label) + 4
    x, port = _best_places(layers, extents, len(points))
    tops, bottoms = _heights(layers, x)
    picture = Picture()
    for i, point in enumerate(points):
        top = tops[layers.layer_of[i]]
        picture.places[point] = Place(scene.boxes[point], x[i] - halves[i], top, widths[i])
    for chain in layers.chains:
        (first, second), (before, last) = chain.path[:2], chain.path[-2:]
        picture.routes.append(_along(chain, x, tops, bottoms, (port[first, second], port[last, before]), layers))
    for link, between in layers.flat:
        ends = [x[v] + port[v, between] for v in (vertex_of[link.source], vertex_of[link.target])]
        layer = layers.layer_of[between]
        picture.routes.append(_below(link, ends, x[between], bottoms[layer - 1], (tops[layer] + bottoms[layer]) / 2))
    for link, reach in zip(layers.loops, reaches):
        picture.routes.append(loop(link, picture.places[link.source], reach))
    for link in layers.free:
        picture.routes.append(bow(link, picture.places[link.source], picture.places[link.target]))
    picture.width = max(x[v] + extents.right[v] for v in range(len(x)))
    picture.height = bottoms[-1]
    return picture


def _best_places(layers: Layers, extents: Extents, points: int) -> tuple[list[float], dict[tuple[int, int], float]]:
    """The x of each vertex and the ports, from the start of the search that ends best; `layers` is left in that order."""
    best = None
    for start in range(STARTS if len(layers.layer_of) <= MANY_VERTICES else 1):
        crossings = order_rows(layers, start)
        port = ports(layers, extents.left, points)
        x = place(layers, extents, port, points)
        cost = CROSSING * crossings + max(x) + sum(
            abs(x[upper] - x[lower]) for upper, pairs in enumerate(layers.below) for lower, _ in pairs
        )
        if best is None or cost < best[0]:
            best = (cost, x, port, layers.rows)
    assert best is not None
    _, x, port, layers.rows = best
    return x, port


def _heights(layers: Layers, x: list[float]) -> tuple[list[float], list[float]]:
    """The upper and lower side of each layer; gaps grow where links have far to go sideways."""
    has_label = {layers.layer_of[chain.label_vertex] for chain in layers.chains if chain.label_vertex >= 0}
    has_label |= {layers.layer_of[between] for _, between in layers.flat}
    lean = [0.0] * len(layers.rows)
    for upper, pairs in enumerate(layers.below):
        for lower, _ in pairs:
            layer = layers.layer_of[upper]
            lean[layer] = max(lean[layer], abs(x[upper] - x[lower]))
    tops, bottoms = [], []
    y = 0.0
    for layer in range(len(layers.rows)):
        tops.append(y)
        y += BOX_HEIGHT if layer % 2 == 0 else LABEL_HEIGHT if layer in has_label else 0
        bottoms.append(y)
        y += GAP + min(24.0, lean[layer] * 0.065)
    return tops, bottoms


def _along(
    chain: Chain, x: list[float], tops: list[float], bottoms: list[float], port: tuple[float, float], layers: Layers
) -> Route:
    """The curve of a chain: upright beside boxes, leaning where it passes a label layer on its way."""
    path, layer_of = chain.path, layers.layer_of
    knots: list[tuple[float, float, float]] = [(x[path[0]] + port[0], bottoms[layer_of[path[0]]], 0.0)]
    ends = [x[path[0]] + port[0], *(x[v] for v in path[1:-1]), x[path[-1]] + port[1]]
    for i, vertex in enumerate(path[1:-1], 1):
        layer = layer_of[vertex]
        if layer % 2 == 0 or vertex == chain.label_vertex:
            knots += [(x[vertex], tops[layer], 0.0), (x[vertex], bottoms[layer], 0.0)]
        else:
            before, after = ends[i - 1], ends[i + 1]
            leaning = min(before, after) < x[vertex] < max(before, after)
            height = tops[layer + 1] - bottoms[layer - 1]
            slope = (after - before) / height * 0.8 if leaning else 0.0
            knots.append((x[vertex], (tops[layer] + bottoms[layer]) / 2, slope))
    knots.append((x[path[-1]] + port[1], tops[layer_of[path[-1]]], 0.0))
    label = None
    if chain.label_vertex >= 0:
        layer = layer_of[chain.label_vertex]
        label = (x[chain.label_vertex], (tops[layer] + bottoms[layer]) / 2)
    if chain.upwards:
        knots.reverse()
    return Route(chain.link, knots[0][:2], _curves(knots), label)


def _curves(knots: list[tuple[float, float, float]]) -> list[Curve]:
    """Smooth curves through points with given slopes, dx by dy; straight runs as one line."""
    curves: list[Curve] = []
    for (x0, y0, slope0), (x1, y1, slope1) in zip(knots, knots[1:]):
        if y0 == y1 and x0 == x1:
            continue
        if x0 == x1 and slope0 == slope1 == 0:
            if curves and len(curves[-1]) == 2 and curves[-1][0] == x1:
                curves.pop()
            curves.append((x1, y1))
        else:
            third = (y1 - y0) / 2 if slope0 == slope1 == 0 else (y1 - y0) / 2.5
            curves.append((x0 + slope0 * third, y0 + third, x1 - slope1 * third, y1 - third, x1, y1))
    return curves


def _below(link: Link, ends: list[float], middle: float, bottom: float, low: float) -> Route:
    """Between two boxes of one row, hanging down to the label layer below."""
    sink = (low - bottom) * 0.9
    reach = [(middle - end) / 2 for end in ends]
    down = (ends[0], bottom + sink, middle - reach[0], low, middle, low)
    up = (middle - reach[1], low, ends[1], bottom + sink, ends[1], bottom)
    return Route(link, (ends[0], bottom), [down, up], (middle, low) if link.label else None)


def loop(link: Link, place: Place, reach: float = LOOP) -> Route:
    """From a box to itself, at its right side; further out around those that are there already."""
    x, far = place.x + place.width, place.x + place.width + reach
    inset = 8 if reach == LOOP else 5
    if place.box.shape == "condition":
        x -= 4 if reach == LOOP else 6
    upper, lower = place.y + inset, place.bottom - inset
    label = (far + label_width(link.label) / 2, (upper + lower) / 2) if link.label else None
    return Route(link, (x, upper), [(far, upper - 5, far, lower + 5, x, lower)], label)


def bow(link: Link, source: Place, target: Place) -> Route:
    """A free curve between two boxes, from side to side."""
    middle = (source.y + BOX_HEIGHT / 2, target.y + BOX_HEIGHT / 2)
    if target.x >= source.x + source.width:
        start, end, out, into = source.x + source.width, target.x, 1, -1
    elif source.x >= target.x + target.width:
        start, end, out, into = source.x, target.x + target.width, -1, 1
    else:
        start, end, out, into = source.x + source.width, target.x + target.width, 1, 1
    reach = max(30.0, min(160.0, (abs(end - start) + abs(middle[1] - middle[0])) * 0.4))
    curve = (start + out * reach, middle[0], end + into * reach, middle[1], end, middle[1])
    label = None
    if link.label:
        label = ((start + end) / 2 + (out + into) * reach * 0.375, (middle[0] + middle[1]) / 2)
    return Route(link, (start, middle[0]), [curve], label)


# -------------------------------------------------------------------------------------------- all bodies
def _framed(body: Body, picture: Picture) -> Picture:
    title = label_width(body.title) * 1.15 + 2 * FRAME_PADDING
    width = max(picture.width + 2 * FRAME_PADDING, title)
    height = picture.height + 2 * FRAME_PADDING + FRAME_TITLE
    result = moved(picture, (width - picture.width) / 2, FRAME_PADDING + FRAME_TITLE)
    result.width, result.height = width, height
    result.frames = [Frame(body.title, 0, 0, width, height)]
    return result


def _packed(parts: list[Picture]) -> Picture:
    """In rows or in columns, in the order of the text; as many in each as suit PROPORTION best."""
    choices = []
    for upright in (False, True):
        sizes = [(part.height if upright else part.width) + FRAME_DISTANCE for part in parts]
        sums = list(itertools.accumulate(sizes[:MOST_IN_A_ROW]))
        choices += [_shelves(parts, max(limit, *sizes), upright) for limit in sums]
    result = Picture()
    for part, x, y in min(choices, key=_unfitness, default=[]):
        placed = moved(part, x, y)
        result.places.update(placed.places)
        result.routes += placed.routes
        result.frames += placed.frames
    return result


Spot = tuple[Picture, float, float]


def _shelves(parts: list[Picture], limit: float, upright: bool) -> list[Spot]:
    """Rows of at most `limit` in width, or columns of at most that in height."""
    spots: list[Spot] = []
    along = across = depth = 0.0
    for part in parts:
        length, thickness = (part.height, part.width) if upright else (part.width, part.height)
        if along + length + FRAME_DISTANCE > limit:
            along, across, depth = 0.0, across + depth + FRAME_DISTANCE, 0.0
        spots.append((part, across, along) if upright else (part, along, across))
        along += length + FRAME_DISTANCE
        depth = max(depth, thickness)
    return spots


def _unfitness(spots: list[Spot]) -> float:
    """How small the whole gets in a window of PROPORTION."""
    width = max(x + part.width for part, x, _ in spots)
    height = max(y + part.height for part, _, y in spots)
    return max(width / PROPORTION, height)
