"""Layered drawing, first half: links become chains through rows of vertices, and the rows get an order.

The method is that of Sugiyama, Tagawa and Toda (Methods for Visual Understanding of Hierarchical System
Structures, 1981). Points stand in the even layers, labels in the odd ones, so that every link passes a layer where
its label has a place of its own. A link over several rows is a chain of vertices, one a layer; a chain has no
place inside a box, so no link crosses one.

Links that say the same share a trunk: all uses of one definition's variable, all points under one branch of a
condition, all ways on to one point. A trunk starts at its hub and loses a branch at each of the other ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cpg.pictures.geometry import label_width
from cpg.pictures.scene import Link

WEIGHTS = {"CFG": 4, "DDG": 1, "CDG": 1}
"""What a crossing of a link of each kind costs."""
SWEEPS = 12
LONGEST_TOTAL = 12_000
"""Vertices in trunks of one body; the longest ones beyond that are drawn as free curves."""
LABEL_STEP = 15.0
"""How many pixels of other labels a label bears with to be one layer nearer to its hub."""


@dataclass
class Chain:
    """One link on its way; `path` goes downwards, both ends included. Links of one trunk share vertices."""

    link: Link
    path: list[int]
    upwards: bool
    """The link runs against the path: it closes a loop, or its use stands above its definition."""
    label_vertex: int = -1


@dataclass
class Layers:
    """Vertices 0, 1, ... are the points of a body in its order; the vertices of trunks follow."""

    layer_of: list[int] = field(default_factory=list)
    rows: list[list[int]] = field(default_factory=list)
    above: list[list[tuple[int, int]]] = field(default_factory=list)
    """Per vertex its (neighbour, weight) pairs in the layer above."""
    below: list[list[tuple[int, int]]] = field(default_factory=list)
    chains: list[Chain] = field(default_factory=list)
    trunks: list[list[int]] = field(default_factory=list)
    """The vertices of each trunk, from its hub on."""
    flat: list[tuple[Link, int]] = field(default_factory=list)
    """Links inside one layer, and the vertex in the layer below that each passes."""
    loops: list[Link] = field(default_factory=list)
    """Links from a point to itself."""
    free: list[Link] = field(default_factory=list)
    """Links that are too long for a chain."""

    def add(self, layer: int) -> int:
        """A new vertex."""
        self.layer_of.append(layer)
        self.above.append([])
        self.below.append([])
        while len(self.rows) <= layer:
            self.rows.append([])
        return len(self.layer_of) - 1

    def join(self, one: int, other: int, weight: int) -> None:
        """Connect vertices of neighbouring layers."""
        upper, lower = sorted((one, other), key=self.layer_of.__getitem__)
        self.below[upper].append((lower, weight))
        self.above[lower].append((upper, weight))


def make_layers(points: tuple[int, ...], rows: dict[int, int], links: list[Link]) -> Layers:
    """The vertices and chains of a body; `order_rows` gives the rows their order.

    Args:
        points: of the body, in the order of the text.
        rows: the row of each point.
        links: between these points.
    """
    layers = Layers()
    vertex_of = {point: layers.add(2 * rows[point]) for point in points}
    groups: dict[tuple[object, ...], list[Link]] = {}
    for link in links:
        span = rows[link.target] - rows[link.source]
        if link.source == link.target:
            layers.loops.append(link)
        elif span == 0:
            between = layers.add(2 * rows[link.source] + 1)
            for end in (link.source, link.target):
                layers.join(vertex_of[end], between, WEIGHTS.get(link.kind, 1))
            layers.flat.append((link, between))
        else:
            groups.setdefault((*trunk_key(link), span > 0), []).append(link)
    room = LONGEST_TOTAL
    spans = [max(abs(rows[link.target] - rows[link.source]) for link in group) for group in groups.values()]
    kept = set()
    for i in sorted(range(len(spans)), key=spans.__getitem__):
        room -= 2 * spans[i]
        if room >= 0:
            kept.add(i)
    load: dict[int, float] = {}
    for i, (key, group) in enumerate(groups.items()):
        if i in kept:
            _add_trunk(layers, vertex_of, group, key[0] == "from", load)
        else:
            layers.free += group
    return layers


def trunk_key(link: Link) -> tuple[object, ...]:
    """What links of one trunk have in common."""
    if link.kind != "CFG":
        return "from", link.source, link.kind, link.label
    if link.label in ("", "exception"):
        return "to", link.target, link.kind, link.label
    return "from", link.source, link.kind, link.label, link.target


def _add_trunk(layers: Layers, vertex_of: dict[int, int], group: list[Link], outgoing: bool, load: dict[int, float]) -> None:
    first = group[0]
    hub = vertex_of[first.source if outgoing else first.target]
    leaves = [vertex_of[link.target if outgoing else link.source] for link in group]
    layer_of = layers.layer_of
    side = 1 if layer_of[leaves[0]] > layer_of[hub] else -1
    lengths = [abs(layer_of[leaf] - layer_of[hub]) - 1 for leaf in leaves]
    trunk = [layers.add(layer_of[hub] + side * step) for step in range(1, max(lengths) + 1)]
    weight = WEIGHTS.get(first.kind, 1)
    for one, other in zip([hub, *trunk], trunk):
        layers.join(one, other, weight)
    label_vertex = _label_vertex(layers, trunk[: min(lengths)], first.label, load)
    for link, leaf, length in zip(group, leaves, lengths):
        layers.join(trunk[length - 1], leaf, weight)
        path = [hub, *trunk[:length], leaf]
        upwards = layer_of[vertex_of[link.source]] > layer_of[vertex_of[link.target]]
        layers.chains.append(Chain(link, path if side > 0 else path[::-1], upwards, label_vertex))
    layers.trunks.append(trunk)


def _label_vertex(layers: Layers, shared: list[int], label: str, load: dict[int, float]) -> int:
    """Of the label layers that all links of a trunk pass the one near the hub that has room; -1 without a label."""
    if not label:
        return -1
    candidates = shared[::2]
    costs = [load.get(layers.layer_of[vertex], 0.0) + LABEL_STEP * i for i, vertex in enumerate(candidates)]
    best = candidates[costs.index(min(costs))]
    layer = layers.layer_of[best]
    load[layer] = load.get(layer, 0.0) + label_width(label) + 20
    return best


# --------------------------------------------------------------------------------------------------- order
def order_rows(layers: Layers, start: int = 0) -> int:
    """Put the rows in a good order; what the crossings that are left cost.

    Args:
        layers: their rows are replaced.
        start: 0 to 3, where the search begins; each may end in another order.
    """
    _first_order(layers, mirrored=start % 2 == 1)
    return _sweep(layers, upwards_first=start >= 2)


STARTS = 4


def _first_order(layers: Layers, mirrored: bool) -> None:
    """Depth first from the top, so that what belongs together starts out together."""
    layers.rows = [[] for _ in layers.rows]
    seen = [False] * len(layers.layer_of)
    for start in sorted(range(len(seen)), key=lambda vertex: (layers.layer_of[vertex], vertex)):
        stack = [start]
        while stack:
            vertex = stack.pop()
            if not seen[vertex]:
                seen[vertex] = True
                layers.rows[layers.layer_of[vertex]].append(vertex)
                below = [neighbour for neighbour, _ in layers.below[vertex]]
                stack.extend(below if mirrored else reversed(below))


def _sweep(layers: Layers, upwards_first: bool) -> int:
    """Barycentre sweeps down and up, then exchanges of neighbours; the order with the cheapest crossings stays."""
    best, best_cost = [list(row) for row in layers.rows], _crossings(layers)
    for sweep in range(SWEEPS):
        if best_cost == 0:
            break
        down = (sweep % 2 == 0) != upwards_first
        numbers = range(1, len(layers.rows)) if down else range(len(layers.rows) - 2, -1, -1)
        for number in numbers:
            fixed = layers.rows[number - 1 if down else number + 1]
            _sort_row(layers.rows[number], layers.above if down else layers.below, fixed)
        cost = _crossings(layers)
        if cost < best_cost:
            best, best_cost = [list(row) for row in layers.rows], cost
    layers.rows = best
    for _ in range(4):
        if not _exchange(layers):
            break
    return _crossings(layers)


def _sort_row(row: list[int], neighbours: list[list[tuple[int, int]]], fixed: list[int]) -> None:
    position = {vertex: i / max(1, len(fixed) - 1) for i, vertex in enumerate(fixed)}
    center = {}
    for i, vertex in enumerate(row):
        pairs = neighbours[vertex]
        total = sum(weight for _, weight in pairs)
        if total:
            center[vertex] = sum(position[neighbour] * weight for neighbour, weight in pairs) / total
        else:
            center[vertex] = i / max(1, len(row) - 1)
    row.sort(key=center.__getitem__)


def _crossings(layers: Layers) -> int:
    return sum(_crossings_below(layers, number) for number in range(len(layers.rows) - 1))


def _crossings_below(layers: Layers, number: int) -> int:
    """The cost of the crossings between a row and the next: inversions, counted with a Fenwick tree."""
    position = {vertex: i for i, vertex in enumerate(layers.rows[number + 1], 1)}
    size = len(position)
    tree = [0] * (size + 1)
    total = cost = 0
    for vertex in layers.rows[number]:
        pairs = [(position[neighbour], weight) for neighbour, weight in layers.below[vertex]]
        for place, weight in pairs:
            seen, i = 0, place
            while i:
                seen += tree[i]
                i &= i - 1
            cost += weight * (total - seen)
        for place, weight in pairs:
            total += weight
            while place <= size:
                tree[place] += weight
                place += place & -place
    return cost


def _exchange(layers: Layers) -> bool:
    """Swap neighbours in a row where that makes crossings cheaper; whether anything was swapped."""
    swapped = False
    for number, row in enumerate(layers.rows):
        sides = []
        for neighbours, other in ((layers.above, number - 1), (layers.below, number + 1)):
            if 0 <= other < len(layers.rows):
                position = {vertex: i for i, vertex in enumerate(layers.rows[other])}
                sides.append({v: sorted((position[n], weight) for n, weight in neighbours[v]) for v in row})
        for i in range(len(row) - 1):
            left, right = row[i], row[i + 1]
            now = sum(_pair_cost(side[left], side[right]) for side in sides)
            if now and now > sum(_pair_cost(side[right], side[left]) for side in sides):
                row[i], row[i + 1] = right, left
                swapped = True
    return swapped


def _pair_cost(left: list[tuple[int, int]], right: list[tuple[int, int]]) -> int:
    return sum(w * v for place, w in left for other, v in right if place > other)
