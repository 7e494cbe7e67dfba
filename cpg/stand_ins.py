"""Operators that a grammar cannot take in some places, and another one that stands in for them there.

tree-sitter-cpp reads `(x = y)` as a broken fold expression, so the assignment in `while ((c = next()) != 0)` is lost.
`(x , y)` it knows. Where the first parse leaves such operators in error, the text is parsed again with the other
operator in their place, blanks filling its length, and the nodes get their own type back. Offsets do not move.
"""

from __future__ import annotations

import bisect
from typing import Any

from cpg.languages.base import StandIn

ROUNDS = 3
"""A parse may show operators that the one before hid."""


def misread(root: Any, rule: StandIn) -> dict[int, str]:
    """Byte offset -> operator, for the operators in error somewhere inside a node of the rule's type."""
    found: dict[int, str] = {}
    cursor = root.walk()
    around = [0]
    """For each node on the way down, how many nodes of the rule's type it is inside of."""
    while True:
        node = cursor.node
        if around[-1] and node.type in rule.operators and node.parent.type == "ERROR":
            found[node.start_byte] = node.type
        if node.has_error and cursor.goto_first_child():
            around.append(around[-1] + (node.type == rule.inside))
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return found
            around.pop()


def with_stand_ins(text: bytes, operators: dict[int, str], rule: StandIn) -> bytes:
    """The text with the rule's token in the place of these operators."""
    changed = bytearray(text)
    for place, operator in operators.items():
        changed[place : place + len(operator)] = rule.token.rjust(len(operator)).encode()
    return bytes(changed)


def restore(tree: Any, operators: dict[int, str], rule: StandIn) -> dict[int, str]:
    """Give the nodes that stand for others their own type; node -> operator. Spans are as the parser gives them."""
    restored: dict[int, str] = {}
    places = sorted(operators)
    for node in tree.of_types({rule.kind}):
        sides = tree.children[node]
        if len(sides) == 2:
            next_place = bisect.bisect_left(places, tree.ends[sides[0]])
            if next_place < len(places) and places[next_place] < tree.starts[sides[1]]:
                tree.types[node], restored[node] = rule.becomes, operators[places[next_place]]
    return restored
