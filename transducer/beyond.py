"""What lies beyond the window: the tokens of a graph's text that the model does not read, in the order of their worth.

A longer text costs a model time for every token of it. Most of what it is worth is in few of them: the words that the window
lacks, each once. So these come first, by the graph's leaves, the nearest occurrence of each, the nearest words first; then
everything else, the nearest first. How many of them are handed on is a setting of the transducer (`beyond`).
"""
from __future__ import annotations

import numpy as np

from cpg import CodePropertyGraph


def by_worth(graph: CodePropertyGraph, first: np.ndarray, last: np.ndarray, window: slice, count: int) -> np.ndarray:
    """The places of the tokens beyond the window among all `count` tokens of the graph's text, the worthiest first.

    Args:
        first, last: [N], node `n` covers the tokens `first[n]` to `last[n]`, exclusive.
        window: the tokens that the model reads.

    Returns:
        [count - size of the window], every place outside of the window once.
    """
    distance = np.maximum(window.start - np.arange(count), np.arange(count) - window.stop + 1)  # above 0 beyond the window
    nearest: dict[str, int] = {}
    read: set[str] = set()
    for node in _words(graph):
        word, start, end = graph.nodes.text_of(node), int(first[node]), int(last[node])
        if start < window.stop and end > window.start:
            read.add(word)
        elif start < end and (word not in nearest or distance[start] < distance[first[nearest[word]]]):
            nearest[word] = node
    rank = np.full(count, len(nearest))
    found = sorted((node for word, node in nearest.items() if word not in read), key=lambda node: distance[first[node]])
    for place, node in enumerate(found):
        rank[first[node]:last[node]] = np.minimum(rank[first[node]:last[node]], place)
    beyond = np.flatnonzero(distance > 0)
    # A word keeps the order of its tokens; of what is not a word the nearest comes first.
    order = np.where(rank < len(nearest), np.arange(count), distance)
    return beyond[np.lexsort((order[beyond], rank[beyond]))]


def _words(graph: CodePropertyGraph) -> list[int]:
    """Leaves of the syntax tree that hold a letter or digit: names, keywords that are nodes, literals."""
    inner = {source for source, kind in zip(graph.edges.source, graph.edges.kind) if kind == "AST"}
    return [node for node in range(len(graph.nodes)) if node not in inner and any(map(str.isalnum, graph.nodes.text_of(node)))]
