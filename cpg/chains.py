"""Chained comparisons: `a < b < c` gets a node for `a < b`.

A grammar that has one node with all operands shows no place where control can leave. Here the node becomes the
last comparison, whose first child is a node of the same type for all before it. Cost: linear in the tree.
"""

from __future__ import annotations

from cpg.parse import SyntaxTree


def nest_chains(tree: SyntaxTree, kinds: frozenset[str]) -> SyntaxTree:
    """The tree with a node more for each operand from the third on, in nodes of these types.

    A node that has not one operator fewer than operands, since something in it is broken, stays as it is.
    """
    chains = {
        node: len(operands) - 2
        for node, operands in enumerate(tree.children)
        if len(operands) > 2 and tree.types[node] in kinds and len(tree.tokens.get(node, ())) == len(operands) - 1
    }
    return _nested(tree, chains) if chains else tree


def _nested(tree: SyntaxTree, chains: dict[int, int]) -> SyntaxTree:
    moved = [0] * (len(tree) + 1)
    """Old position -> how many nodes are put in front of it."""
    for node in range(len(tree)):
        moved[node + 1] = moved[node] + chains.get(node, 0)
    new = SyntaxTree(tree.text, tree.source, diagnostics=tree.diagnostics)
    parent_of: dict[int, int] = {}
    for node in range(len(tree)):
        parent = parent_of.get(node, tree.parents[node])
        at = node + moved[node]
        new.types.append(tree.types[node])
        new.fields.append(tree.fields[node])
        new.parents.append(parent if node in parent_of or parent < 0 else parent + moved[parent])
        new.starts.append(tree.starts[node])
        new.ends.append(tree.ends[node])
        new.last.append(tree.last[node] + moved[tree.last[node]])
        new.children.append([child + moved[child] for child in tree.children[node]])
        if node in tree.tokens:
            new.tokens[at] = tree.tokens[node]
        if node in tree.broken:
            new.broken.add(at)
        if node in chains:
            _insert(tree, new, node, moved, parent_of)
    return new


def _insert(tree: SyntaxTree, new: SyntaxTree, node: int, moved: list[int], parent_of: dict[int, int]) -> None:
    """The nodes inside a chain, the one with most operands first; its operands and comments get their parents."""
    operands, tokens = tree.children[node], tree.tokens[node]
    outer = node + moved[node]
    new.tokens[outer] = tokens[-1:]
    parent_of[operands[-1]] = outer
    for count in range(len(operands) - 1, 1, -1):
        last = operands[count - 1]
        inner = len(new)
        new.children[outer] = [inner, operands[count] + moved[operands[count]]]
        new.types.append(tree.types[node])
        new.fields.append(None)
        new.parents.append(outer)
        new.starts.append(tree.starts[operands[0]])
        new.ends.append(tree.ends[last])
        new.last.append(tree.last[last] + moved[tree.last[last]])
        new.children.append([])
        new.tokens[inner] = tokens[count - 2 : count - 1]
        parent_of[last] = inner
        outer = inner
    new.children[outer] = [operand + moved[operand] for operand in operands[:2]]
    parent_of[operands[0]] = outer
    following = iter(operands)
    operand = next(following)
    for child in range(node + 1, operands[-1]):
        while child > operand:
            operand = next(following)
        if tree.parents[child] == node and child not in parent_of:
            parent_of[child] = outer if operand in operands[:2] else parent_of[operand]
