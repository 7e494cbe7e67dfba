"""Which row a point stands in: below everything that flows into it, loops aside."""

from __future__ import annotations


def ranks(points: tuple[int, ...], flow: dict[int, list[int]], last: int | None = None) -> dict[int, int]:
    """Rows counted from 0.

    Args:
        points: of one body, its entry first, in the order of the text. Must not be empty.
        flow: successors in control flow; those outside `points` do not count.
        last: the point that stands below all others, if it is among the points: the exit.

    Edges that close a loop do not count. A point that nothing leads to stands below the one before it in the text.
    Linear in points and edges.
    """
    members = set(points)
    successors = {point: [t for t in flow.get(point, ()) if t in members] for point in points}
    reached = _reach(points[0], successors, set())
    for before, point in zip(points, points[1:]):
        if point not in reached:
            successors[before].append(point)
            _reach(point, successors, reached)
    order, closing = _depth_first(points[0], successors)
    rows = dict.fromkeys(order, 0)
    for point in order:
        for target in successors[point]:
            if (point, target) not in closing:
                rows[target] = max(rows[target], rows[point] + 1)
    if last in rows and len(rows) > 1:
        rows[last] = 1 + max(row for point, row in rows.items() if point != last)
    return rows


def _reach(start: int, successors: dict[int, list[int]], reached: set[int]) -> set[int]:
    reached.add(start)
    stack = [start]
    while stack:
        for target in successors[stack.pop()]:
            if target not in reached:
                reached.add(target)
                stack.append(target)
    return reached


def _depth_first(start: int, successors: dict[int, list[int]]) -> tuple[list[int], set[tuple[int, int]]]:
    """The points in reverse post-order, and the edges that lead back to a point on the way to them."""
    order: list[int] = []
    closing: set[tuple[int, int]] = set()
    open_points, seen = {start}, {start}
    stack = [(start, iter(successors[start]))]
    while stack:
        point, targets = stack[-1]
        for target in targets:
            if target in open_points:
                closing.add((point, target))
            elif target not in seen:
                seen.add(target)
                open_points.add(target)
                stack.append((target, iter(successors[target])))
                break
        else:
            open_points.discard(point)
            order.append(point)
            stack.pop()
    order.reverse()
    return order, closing
