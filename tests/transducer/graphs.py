"""Random graph batches for tests, and ways to take them apart and rearrange them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from transducer.gve.relations import FORWARD_COUNT, with_reverses


@dataclass(frozen=True)
class RandomBatch:
    """The fields of a graph batch."""

    features: Tensor
    node_graph: Tensor
    edge_source: Tensor
    edge_target: Tensor
    edge_relation: Tensor
    token_node: Tensor
    batch_size: int


def random_batch(
    node_counts: Sequence[int] = (6, 4, 9),
    *,
    edges_per_node: float = 2.0,
    feature_width: int = 12,
    token_count: int = 7,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
) -> RandomBatch:
    """Graphs with the given numbers of nodes, edges within each graph only and in both directions.

    Relations take turns, so four edges a batch suffice for all of them. About a fifth of the tokens has no node; in a
    row without nodes none has.
    """
    generator = torch.Generator().manual_seed(seed)
    counts = torch.tensor(node_counts, dtype=torch.long)
    first = counts.cumsum(0) - counts
    sources, targets = [], []
    token_node = torch.full((len(counts), token_count), -1)
    for row, (start, count) in enumerate(zip(first.tolist(), counts.tolist(), strict=True)):
        if count == 0:
            continue
        ends = torch.randint(start, start + count, (2, int(edges_per_node * count)), generator=generator)
        sources.append(ends[0])
        targets.append(ends[1])
        nodes = torch.randint(start, start + count, (token_count,), generator=generator)
        covered = torch.rand(token_count, generator=generator) < 0.8
        token_node[row] = torch.where(covered, nodes, -1)
    nothing = torch.zeros(0, dtype=torch.long)
    forward = (torch.cat([nothing, *sources]), torch.cat([nothing, *targets]))
    relation = torch.arange(len(forward[0])) % FORWARD_COUNT
    source, target, relation = with_reverses(*forward, relation)
    return RandomBatch(
        features=torch.randn(int(counts.sum()), feature_width, generator=generator, dtype=torch.float64).to(dtype),
        node_graph=torch.repeat_interleave(torch.arange(len(counts)), counts),
        edge_source=source,
        edge_target=target,
        edge_relation=relation,
        token_node=token_node,
        batch_size=len(counts),
    )


def only_row(batch: RandomBatch, row: int) -> RandomBatch:
    """The batch of one that holds this row's graph and tokens."""
    nodes = (batch.node_graph == row).nonzero().squeeze(-1)
    first = int(nodes[0]) if len(nodes) else 0
    edges = torch.isin(batch.edge_target, nodes)
    token_node = batch.token_node[row : row + 1]
    return RandomBatch(
        features=batch.features[nodes],
        node_graph=torch.zeros(len(nodes), dtype=torch.long),
        edge_source=batch.edge_source[edges] - first,
        edge_target=batch.edge_target[edges] - first,
        edge_relation=batch.edge_relation[edges],
        token_node=torch.where(token_node >= 0, token_node - first, -1),
        batch_size=1,
    )


def permute_nodes(batch: RandomBatch, seed: int = 1) -> tuple[RandomBatch, Tensor]:
    """The same graphs with the nodes of each row in another order and the edges in another order.

    Returns:
        The batch, and ``order`` ``[N]``: node ``n`` of the new batch is node ``order[n]`` of the old one.
    """
    generator = torch.Generator().manual_seed(seed)
    count = len(batch.node_graph)
    shuffled = torch.randperm(count, generator=generator)
    order = shuffled[torch.argsort(batch.node_graph[shuffled], stable=True)]
    place = torch.empty(count, dtype=torch.long)
    place[order] = torch.arange(count)
    edges = torch.randperm(len(batch.edge_source), generator=generator)
    permuted = replace(
        batch,
        features=batch.features[order],
        edge_source=place[batch.edge_source[edges]],
        edge_target=place[batch.edge_target[edges]],
        edge_relation=batch.edge_relation[edges],
        token_node=torch.where(batch.token_node >= 0, place[batch.token_node.clamp(min=0)], -1),
    )
    return permuted, order


def without_edges(batch: RandomBatch) -> RandomBatch:
    """The same nodes and tokens, no edges."""
    none = torch.zeros(0, dtype=torch.long)
    return replace(batch, edge_source=none, edge_target=none, edge_relation=none)


def names_without_gradient(module: torch.nn.Module, threshold: float = 1e-9) -> list[str]:
    """Names of the parameters whose gradient is absent or nowhere above the threshold; meant for float64."""
    return [
        name
        for name, parameter in module.named_parameters()
        if parameter.grad is None or parameter.grad.abs().max() <= threshold
    ]
