"""The whole syntax tree from left to right, one column a depth, the leaves in the order of the text.

Links of the other kinds run upright in the gap left of the outer one of their boxes, each in a lane where nothing else
runs, and enter boxes from the left.
"""

from __future__ import annotations

from cpg.pictures.flow_layout import loop
from cpg.pictures.geometry import BOX_HEIGHT, Curve, Picture, Place, Route, box_width
from cpg.pictures.layers import trunk_key
from cpg.pictures.scene import Link, Scene

ROW = BOX_HEIGHT + 8
BRANCH_WIDTH = 36
"""Least gap between columns: what syntax edges need."""
LANE = 9
"""Pixels between lanes."""
ENDS = {"CFG": -7.0, "DDG": 4.0, "CDG": 8.0}
"""Where a link meets a box, from its middle; syntax edges meet the middle."""


def tree_layout(scene: Scene) -> Picture:
    """All boxes of a scene with syntax. Linear in the nodes, however deep they are nested."""
    parents = {child: parent for parent, children in scene.children.items() for child in children}
    depth: dict[int, int] = {}
    for node in sorted(scene.boxes):  # a parent has the smaller number
        depth[node] = depth[parents[node]] + 1 if node in parents else 0
    tops = _tops(scene)
    lanes = _lanes(scene, depth, tops)
    used = [0] * (max(depth.values(), default=0) + 2)
    for link, lane in lanes.items():
        column = min(depth[link.source], depth[link.target])
        used[column] = max(used[column], lane + 1)
    widths = {node: box_width(box) for node, box in scene.boxes.items()}
    columns = _columns(depth, widths, used)
    picture = Picture()
    for node, box in scene.boxes.items():
        picture.places[node] = Place(box, columns[depth[node]], tops[node], widths[node])
    for link in scene.links:
        source, target = picture.places[link.source], picture.places[link.target]
        if link.kind == "AST":
            picture.routes.append(_branch(link, source, target))
        elif source is target:
            picture.routes.append(loop(link, source))
        else:
            picture.routes.append(_in_lane(link, source, target, 12 + LANE * lanes[link]))
    return picture


def _tops(scene: Scene) -> dict[int, float]:
    """The y of each node: leaves one under the other, parents beside their first child."""
    y: dict[int, float] = {}
    next_row = 0.0
    stack = [0] if scene.boxes else []
    while stack:
        node = stack.pop()
        y[node] = next_row
        below = _ordered(scene, node)
        stack += reversed(below)
        if not below:
            next_row += ROW
    return y


def _ordered(scene: Scene, node: int) -> list[int]:
    """Children in the order of the text: ENTRY before the others, EXIT behind them."""
    place = {"entry": 0, "exit": 2}
    return sorted(scene.children.get(node, ()), key=lambda child: (place.get(scene.boxes[child].shape, 1), child))


def _lanes(scene: Scene, depth: dict[int, int], tops: dict[int, float]) -> dict[Link, int]:
    """A lane for each link that is no syntax: counted from the boxes outwards, short ones first.

    Links that say the same share a lane, as in `cpg.pictures.layers`.
    """
    groups: dict[tuple[object, ...], list[Link]] = {}
    for link in scene.links:
        if link.kind != "AST" and link.source != link.target:
            column = min(depth[link.source], depth[link.target])
            groups.setdefault((column, *trunk_key(link)), []).append(link)
    spans = {}
    for key, group in groups.items():
        ends = [tops[end] + ENDS[link.kind] for link in group for end in (link.source, link.target)]
        spans[key] = (min(ends), max(ends))
    taken: dict[tuple[object, int], list[tuple[float, float]]] = {}
    lanes = {}
    for key in sorted(groups, key=lambda key: (spans[key][1] - spans[key][0], spans[key])):
        low, high = spans[key]
        lane = 0
        while any(low < end and start < high for start, end in taken.setdefault((key[0], lane), [])):
            lane += 1
        taken[key[0], lane].append((low, high))
        lanes.update(dict.fromkeys(groups[key], lane))
    return lanes


def _columns(depth: dict[int, int], widths: dict[int, float], used: list[int]) -> list[float]:
    """The x of each column."""
    widest = [0.0] * len(used)
    for node, width in widths.items():
        widest[depth[node]] = max(widest[depth[node]], width)
    x = [LANE * used[0] + (12.0 if used[0] else 0.0)]
    for column in range(1, len(used)):
        x.append(x[-1] + widest[column - 1] + BRANCH_WIDTH + LANE * used[column])
    return x


def _branch(link: Link, source: Place, target: Place) -> Route:
    start = (source.x + source.width, source.y + BOX_HEIGHT / 2)
    end = (target.x, target.y + BOX_HEIGHT / 2)
    half = start[0] + (end[0] - start[0]) * 0.5
    return Route(link, start, [(half, start[1], half, end[1], *end)])


def _in_lane(link: Link, source: Place, target: Place, distance: float) -> Route:
    """Out to the left, along the lane, and in from the left."""
    shift = BOX_HEIGHT / 2 + ENDS[link.kind]
    (x0, y0), (x1, y1) = (source.x, source.y + shift), (target.x, target.y + shift)
    if source.box.shape == "condition":
        x0 += 5
    lane = min(source.x, target.x) - distance
    turn = (1 if y1 > y0 else -1) * min(9.0, abs(y1 - y0) / 2)
    curves: list[Curve] = [(lane + 12, y0), (lane, y0, lane, y0, lane, y0 + turn)]
    curves += [(lane, y1 - turn), (lane, y1, lane, y1, lane + 12, y1), (x1, y1)]
    return Route(link, (x0, y0), curves, (lane, (y0 + y1) / 2) if link.label else None)
