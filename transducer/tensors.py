"""Graphs and text to tensors: one example at a time, then a batch.

Every example keeps small integer arrays only; the frozen node vectors are gathered from the backbone's embedding table
when a batch is used (`features`), so nothing wide is stored.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import torch

from cpg import CodePropertyGraph

from .beyond import by_worth
from .gve.relations import RELATIONS
from .text import EncodedSource

if TYPE_CHECKING:
    from .fusion import ReadApart

IGNORED_LABEL = -100
NODE_TEXT_TOKENS = 16
"""Tokens of a node's text that enter its vector; the text of outer nodes is cut, since their parts are nodes too."""


@dataclass
class GraphBatch:
    """The graphs of a batch as one graph.

    `features` [N, F] frozen node vectors; `node_graph` [N] the row of the batch a node belongs to, non-decreasing;
    `edge_source`, `edge_target`, `edge_relation` [E], the last an index into `RELATIONS`; `token_node` [B, T] the
    innermost node that covers a token, -1 where none; `batch_size` B; `beyond` what lies beyond the window, None where nothing
    asks for it.
    """

    features: torch.Tensor
    node_graph: torch.Tensor
    edge_source: torch.Tensor
    edge_target: torch.Tensor
    edge_relation: torch.Tensor
    token_node: torch.Tensor
    batch_size: int
    beyond: Beyond | None = None


@dataclass
class Beyond:
    """Tokens of the graph's text that are not in the model's input, as the frozen model reads them apart; `node` [B, K] is the
    innermost node that covers each, -1 where none or where there is no token."""

    read: ReadApart
    node: torch.Tensor


@dataclass(frozen=True)
class GraphArrays:
    """One graph: node `n` has the tokens `bag_ids[bag_offsets[n]:bag_offsets[n + 1]]` with `bag_weights` that sum to 1.

    Of the tokens beyond the window, in the order of the text: `beyond_ids`, the innermost node that covers each, and
    `beyond_order`, their places by their worth (`beyond`).
    """

    bag_ids: np.ndarray         # [M] token ids of node texts and type words
    bag_weights: np.ndarray     # [M] float32
    bag_offsets: np.ndarray     # [N]
    edge_source: np.ndarray     # [E]
    edge_target: np.ndarray     # [E]
    edge_relation: np.ndarray   # [E]
    token_node: np.ndarray      # [T]
    beyond_ids: np.ndarray      # [L]
    beyond_node: np.ndarray     # [L]
    beyond_order: np.ndarray    # [L]

    @property
    def nbytes(self) -> int:
        return sum(getattr(self, field.name).nbytes for field in fields(self))


@dataclass(frozen=True)
class PreparedExample:
    """An example ready for collation; `labels` is None where there is nothing to learn from."""

    input_ids: np.ndarray
    labels: np.ndarray | None
    graph: GraphArrays | None


class NodeBags:
    """The tokens that make up a node's vector: half of the weight on its text, half on the words of its type."""

    def __init__(self, tokenizer):
        self._tokenizer = tokenizer
        self._type_ids: dict[str, np.ndarray] = {}

    def type_ids(self, node_type: str) -> np.ndarray:
        if node_type not in self._type_ids:
            words = " " + node_type.replace("_", " ")
            self._type_ids[node_type] = np.array(
                self._tokenizer(words, add_special_tokens=False)["input_ids"], dtype=np.int64)
        return self._type_ids[node_type]

    def __call__(self, types: Sequence[str], first: np.ndarray, last: np.ndarray,
                 token_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(ids [M], weights [M], offsets [N]) of nodes whose texts are the tokens `first[n]` to `last[n]`, exclusive."""
        text_count = np.clip(last - first, 0, NODE_TEXT_TOKENS)
        type_lists = [self.type_ids(node_type) for node_type in types]
        type_count = np.array([len(ids) for ids in type_lists], dtype=np.int64)
        counts = text_count + type_count
        offsets = np.concatenate([[0], np.cumsum(counts)[:-1]])
        within = np.arange(counts.sum()) - np.repeat(offsets, counts)
        is_text = within < np.repeat(text_count, counts)
        ids = np.empty(len(within), dtype=np.int64)
        ids[is_text] = token_ids[(np.repeat(first, counts) + within)[is_text]]
        ids[~is_text] = np.concatenate(type_lists) if type_lists else []
        # A node without text of its own (a hole in broken code) is its type alone.
        text_weight = np.where(text_count > 0, 0.5 / np.maximum(text_count, 1), 0.0)
        type_weight = np.where(text_count > 0, 0.5, 1.0) / np.maximum(type_count, 1)
        weights = np.where(is_text, np.repeat(text_weight, counts), np.repeat(type_weight, counts))
        return ids, weights.astype(np.float32), offsets


def graph_arrays(graph: CodePropertyGraph, source: EncodedSource, bags: NodeBags) -> GraphArrays:
    """The graph of `source.text` as arrays, aligned with the tokens of `source` by byte spans."""
    nodes, edges, tokens = graph.nodes, graph.edges, source.tokens
    node_start, node_end = np.array(nodes.start_byte, dtype=np.int64), np.array(nodes.end_byte, dtype=np.int64)
    first = np.searchsorted(tokens.end_byte, node_start, side="right")
    last = np.searchsorted(tokens.start_byte, node_end, side="left")
    bag_ids, bag_weights, bag_offsets = bags(nodes.type, first, last, tokens.ids)
    covering = np.full(len(tokens.ids), -1, dtype=np.int64)
    # Outer nodes are painted first, so that the innermost one stays; equal spans keep the deeper node, which comes later.
    for node in np.lexsort((np.arange(len(node_start)), node_start - node_end)):
        covering[first[node]:last[node]] = node
    token_node = np.full(len(source.token_ids), -1, dtype=np.int64)
    token_node[source.start_byte >= 0] = covering[source.window]
    outside = np.delete(np.arange(len(tokens.ids)), source.window)
    worth = by_worth(graph, first, last, source.window, len(tokens.ids)) if len(outside) else outside
    source_ends, target_ends = np.array(edges.source, dtype=np.int64), np.array(edges.target, dtype=np.int64)
    forward = np.array([_RELATION_INDEX[kind] for kind in edges.kind], dtype=np.int64)
    backward = np.array([_RELATION_INDEX[f"{kind}_REVERSE"] for kind in edges.kind], dtype=np.int64)
    return GraphArrays(
        bag_ids, bag_weights, bag_offsets,
        edge_source=np.concatenate([source_ends, target_ends]),
        edge_target=np.concatenate([target_ends, source_ends]),
        edge_relation=np.concatenate([forward, backward]),
        token_node=token_node,
        beyond_ids=tokens.ids[outside], beyond_node=covering[outside], beyond_order=np.searchsorted(outside, worth),
    )


_RELATION_INDEX = {relation: index for index, relation in enumerate(RELATIONS)}


class Collator:
    """A list of `PreparedExample` to one flat dictionary of tensors, which every engine knows how to move."""

    def __init__(self, pad_token_id: int):
        self.pad_token_id = pad_token_id

    def __call__(self, examples: Sequence[PreparedExample]) -> dict[str, torch.Tensor]:
        input_ids = _padded([example.input_ids for example in examples], self.pad_token_id)
        batch = {"input_ids": input_ids,
                 "attention_mask": _padded([np.ones_like(example.input_ids) for example in examples], 0)}
        if all(example.labels is not None for example in examples):
            batch["labels"] = _padded([example.labels for example in examples], IGNORED_LABEL)
        if all(example.graph is not None for example in examples):
            batch |= _joined([example.graph for example in examples])
        return batch


def _padded(rows: Sequence[np.ndarray], value: int) -> torch.Tensor:
    """[B, longest] with `value` behind the shorter rows."""
    padded = np.full((len(rows), max(map(len, rows))), value, dtype=np.int64)
    for index, row in enumerate(rows):
        padded[index, :len(row)] = row
    return torch.from_numpy(padded)


def _joined(graphs: Sequence[GraphArrays]) -> dict[str, torch.Tensor]:
    """One graph out of many: node and token numbers shifted by what stands before."""
    node_counts = [len(graph.bag_offsets) for graph in graphs]
    node_shift = np.concatenate([[0], np.cumsum(node_counts)[:-1]])
    bag_shift = np.concatenate([[0], np.cumsum([len(graph.bag_ids) for graph in graphs])[:-1]])

    def chain(name: str, shifts=None) -> torch.Tensor:
        parts = [getattr(graph, name) for graph in graphs]
        if shifts is not None:
            parts = [part + shift for part, shift in zip(parts, shifts)]
        return torch.from_numpy(np.concatenate(parts))

    def shifted(name: str) -> list[np.ndarray]:
        rows = [getattr(graph, name) for graph in graphs]
        return [np.where(row >= 0, row + shift, -1) for row, shift in zip(rows, node_shift)]

    return {
        "graph_bag_ids": chain("bag_ids"),
        "graph_bag_weights": chain("bag_weights"),
        "graph_bag_offsets": chain("bag_offsets", bag_shift),
        "graph_node_graph": torch.from_numpy(np.repeat(np.arange(len(graphs)), node_counts)),
        "graph_edge_source": chain("edge_source", node_shift),
        "graph_edge_target": chain("edge_target", node_shift),
        "graph_edge_relation": chain("edge_relation"),
        "graph_token_node": _padded(shifted("token_node"), -1),
        "graph_beyond_ids": _padded([graph.beyond_ids for graph in graphs], -1),
        "graph_beyond_node": _padded(shifted("beyond_node"), -1),
        "graph_beyond_order": _padded([graph.beyond_order for graph in graphs], -1),
    }


def graph_batch(batch: dict[str, torch.Tensor], features: torch.Tensor) -> GraphBatch:
    """The `GraphBatch` in a collated batch."""
    return GraphBatch(
        features=features, node_graph=batch["graph_node_graph"], edge_source=batch["graph_edge_source"],
        edge_target=batch["graph_edge_target"], edge_relation=batch["graph_edge_relation"],
        token_node=batch["graph_token_node"], batch_size=len(batch["input_ids"]),
    )
