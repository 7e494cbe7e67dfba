"""Layered drawing, second half: where in its row each vertex stands.

A row is placed against its neighbour rows: every segment of a chain wants to be vertical, and what it costs is its
weight times how far it leans. Given the neighbours, the best places that keep the order and the distances are a
median regression on a chain of inequalities, which pooling adjacent violators solves exactly (Barlow and others,
Statistical Inference under Order Restrictions, 1972). Sweeps down and up repeat that for all rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from cpg.pictures.layers import WEIGHTS, Layers

SEPARATION = 16
"""Pixels between neighbours in a row."""
PORT_DISTANCE = 11
"""Pixels between the ends of two links at one side of a box."""
ROUNDS = 8
STRAIGHTENING_ROUNDS = 6
STRAIGHTNESS = (8, 2, 1)
"""Weight of a segment between two vertices of a trunk, one, none; times the square of the kind's weight."""


@dataclass
class Extents:
    """How far vertices reach to both sides of their x."""

    left: list[float]
    right: list[float]


def ports(layers: Layers, half_widths: list[float], points: int) -> dict[tuple[int, int], float]:
    """How far from the middle of a box a link leaves it: (vertex of the box, next vertex) -> pixels.

    Ends at one side stand in the order of what is behind them; those of control flow keep to the middle.
    """
    position = {vertex: i for row in layers.rows for i, vertex in enumerate(row)}
    result = {}
    for vertex in range(points):
        for side in (layers.above[vertex], layers.below[vertex]):
            ends = sorted((position[neighbour], neighbour, weight) for neighbour, weight in side)
            flow = [i for i, (_, _, weight) in enumerate(ends) if weight == WEIGHTS["CFG"]]
            middle = sum(flow) / len(flow) if flow else (len(ends) - 1) / 2
            steps = max(middle, len(ends) - 1 - middle) or 1
            step = min(PORT_DISTANCE, (half_widths[vertex] - 7) / steps)
            for i, (_, neighbour, _) in enumerate(ends):
                result[vertex, neighbour] = (i - middle) * step
    return result


def place(layers: Layers, extents: Extents, port: dict[tuple[int, int], float], points: int) -> list[float]:
    """The x of each vertex, the smallest left side at 0. Vertices below `points` are boxes.

    Cost: a few dozen passes over the segments.
    """
    above, below = _wishes(layers, port, points)
    x = [0.0] * len(layers.layer_of)
    for row in layers.rows:
        _place_row(row, extents, x, [[] for _ in row])
    numbers = list(range(len(layers.rows)))
    for round_number in range(ROUNDS):
        both = round_number >= ROUNDS - 3
        for number in numbers:
            row = layers.rows[number]
            _place_row(row, extents, x, [above[v] + below[v] if both else above[v] for v in row])
        for number in reversed(numbers):
            row = layers.rows[number]
            _place_row(row, extents, x, [above[v] + below[v] if both else below[v] for v in row])
    _straighten(layers, extents, x, [above[v] + below[v] for v in range(len(x))], points)
    smallest = min((x[v] - extents.left[v] for v in range(len(x))), default=0.0)
    return [value - smallest for value in x]


Wish = tuple[int, float, int]
"""(neighbour, x relative to it, weight)."""


def _wishes(layers: Layers, port: dict[tuple[int, int], float], points: int) -> tuple[list[list[Wish]], list[list[Wish]]]:
    above: list[list[Wish]] = [[] for _ in layers.layer_of]
    below: list[list[Wish]] = [[] for _ in layers.layer_of]
    for upper, pairs in enumerate(layers.below):
        for lower, weight in pairs:
            shift = port.get((upper, lower), 0.0) - port.get((lower, upper), 0.0)
            strength = STRAIGHTNESS[(upper < points) + (lower < points)] * weight * weight
            above[lower].append((upper, shift, strength))
            below[upper].append((lower, -shift, strength))
    return above, below


def _straighten(layers: Layers, extents: Extents, x: list[float], wishes: list[list[Wish]], points: int) -> None:
    """Take the steps out of trunks: each, in the room that its neighbours leave, in as few upright runs as can be.

    Medians do not care how a leaning chain gets from one end to the other; readers do. Boxes follow.
    """
    place_in_row = {vertex: i for row in layers.rows for i, vertex in enumerate(row)}
    runs = layers.trunks + [[point] for point in range(points) if wishes[point]]
    for round_number in range(STRAIGHTENING_ROUNDS):
        order = sorted(runs, key=lambda run: sum(x[v] for v in run) / len(run), reverse=round_number % 2 == 0)
        for trunk in order:
            start = 0
            while start < len(trunk):
                low, high = _room(layers, extents, x, place_in_row, trunk[start])
                end = start + 1
                while end < len(trunk):
                    next_low, next_high = _room(layers, extents, x, place_in_row, trunk[end])
                    if max(low, next_low) > min(high, next_high):
                        break
                    low, high = max(low, next_low), min(high, next_high)
                    end += 1
                run = trunk[start:end]
                outside = [(x[n] + shift, float(w)) for v in run for n, shift, w in wishes[v] if n not in run]
                value = min(max(_median(outside), low), high)
                for vertex in run:
                    x[vertex] = value
                start = end


def _room(
    layers: Layers, extents: Extents, x: list[float], place_in_row: dict[int, int], vertex: int
) -> tuple[float, float]:
    """The least and the largest x that a vertex can have between its neighbours."""
    row, i = layers.rows[layers.layer_of[vertex]], place_in_row[vertex]
    low, high = -math.inf, math.inf
    if i > 0:
        low = x[row[i - 1]] + extents.right[row[i - 1]] + SEPARATION + extents.left[vertex]
    if i + 1 < len(row):
        high = x[row[i + 1]] - extents.left[row[i + 1]] - SEPARATION - extents.right[vertex]
    # Rounding may leave a vertex a hair outside of what its neighbours allow.
    return min(low, x[vertex]), max(high, x[vertex])


def _place_row(row: list[int], extents: Extents, x: list[float], wishes: list[list[Wish]]) -> None:
    """Best places for one row against the others as they stand."""
    offset = 0.0
    offsets = []
    for i, vertex in enumerate(row):
        if i:
            offset += extents.right[row[i - 1]] + SEPARATION + extents.left[vertex]
        offsets.append(offset)
    blocks: list[tuple[float, int, list[tuple[float, float]]]] = []
    for i, vertex in enumerate(row):
        wanted = [(x[neighbour] + shift - offsets[i], float(weight)) for neighbour, shift, weight in wishes[i]]
        # A vertex that wants nothing stays, but gives way to everything.
        wanted = wanted or [(x[vertex] - offsets[i], 0.001)]
        value, count = _median(wanted), 1
        while blocks and blocks[-1][0] > value:
            _, before, earlier = blocks.pop()
            wanted = earlier + wanted
            count += before
            value = _median(wanted)
        blocks.append((value, count, wanted))
    i = 0
    for value, count, _ in blocks:
        for _ in range(count):
            x[row[i]] = value + offsets[i]
            i += 1


def _median(wanted: list[tuple[float, float]]) -> float:
    """The weighted median; the middle of all of them where several are best."""
    if len(wanted) == 1:
        return wanted[0][0]
    ordered = sorted(wanted)
    half = sum(weight for _, weight in ordered) / 2
    total = 0.0
    for i, (value, weight) in enumerate(ordered):
        total += weight
        if total > half * (1 + 1e-9):
            return value
        if total >= half * (1 - 1e-9) and i + 1 < len(ordered):
            return (value + ordered[i + 1][0]) / 2
    return ordered[-1][0]
