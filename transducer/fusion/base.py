"""What the parts of the Attention-Based Fusion Layer share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from transducer.errors import ShapeError

if TYPE_CHECKING:
    from transducer.tensors import GraphBatch


class ReadApart(NamedTuple):
    """Tokens that a frozen model has read before and apart from its input, for it to attend to beside that."""

    parts: tuple[Tensor, ...]
    """Each ``[B, H, K, d]``. An encoder-decoder: its encoder's states alone, ``H = 1``. A decoder-only model: keys and values
    of its layers in turn."""

    mask: Tensor
    """``[B, K]``, one where there is a token."""

    lengths: Tensor
    """``[B]``: tokens that were read, of which these are all or some; a decoder-only model counts its positions on from there."""


class Bottleneck(NamedTuple):
    """What narrow layers add behind the blocks of one role, for the rows of a batch."""

    down: Tensor
    """``[U, b, D]``: the units' input weights, for each of ``U`` sets of them."""

    up: Tensor
    """``[U, D, b]``: their output weights."""

    shares: Tensor
    """``[B, P, b]``: how much of each unit's output a block has."""

    owner: Tensor
    """``[B]``: which of the ``U`` sets is that of a row."""


class FusedInput(NamedTuple):
    """What a frozen language model is given in place of its token embeddings.

    ``k`` is the number of positions that the fusion adds in front, zero without the part ``prompts``.
    """

    embeddings: Tensor
    """``[B, k + T, D]``, in the number format of the token embeddings."""

    attention_mask: Tensor
    """``[B, k + T]``, one where there is input and zero at padding, in the number format of the mask given."""

    scales: Mapping[str, Tensor] | None = None
    """Role -> ``[B, P, w]``, what signals in the model are multiplied by; ``None`` without the part ``scales``."""

    apart: ReadApart | None = None
    """What the model attends to beside its input; ``None`` without the part ``beyond``."""

    bottlenecks: Mapping[str, Bottleneck] | None = None
    """Role -> what is added to the outputs of blocks; ``None`` without the part ``bottlenecks``."""


class PaddedNodes(NamedTuple):
    """Node vectors by row of the batch, ``M`` being the nodes of the largest graph."""

    vectors: Tensor
    """``[B, M, r]``, zero beyond a row's nodes."""

    present: Tensor
    """``[B, M]``, boolean: there is a node."""


@dataclass(frozen=True)
class GraphView:
    """The graphs of a batch as the parts of a fusion read them."""

    node_vectors: Tensor
    """``H [N, r]``."""

    batch: GraphBatch
    """Which row a node belongs to, and which node covers a token."""

    @cached_property
    def padded(self) -> PaddedNodes:
        """The node vectors by row, made once however many parts ask."""
        return pad_nodes(self.node_vectors, self.batch.node_graph, self.batch.batch_size)

    @cached_property
    def mean(self) -> Tensor:
        """The mean of each row's node vectors ``[B, r]``, zero in rows without nodes."""
        nodes, present = self.padded
        return nodes.sum(1) / present.sum(1, keepdim=True).clamp(min=1)


class TokenReading(nn.Module, ABC):
    """A part that gives every token a vector made from the graph of its row.

    Args:
        embedding_width: ``D``.
        rank: ``r``.
    """

    def __init__(self, embedding_width: int, rank: int) -> None:
        super().__init__()
        self.embedding_width = embedding_width
        self.rank = rank

    @abstractmethod
    def forward(self, tokens: Tensor, view: GraphView) -> Tensor:
        """Readings ``[B, T, r]`` from normalised token embeddings ``[B, T, D]``; zero where nothing is read."""

    @abstractmethod
    def weights(self, tokens: Tensor, view: GraphView) -> Tensor:
        """What ``forward`` reads by: ``[B, T, 1 + M]``, the weight of nothing, then that of each node of the row.

        Every reading is a weighted sum of mapped node vectors; a row of weights is not negative and sums to 1. ``forward``
        does not call this, so that weights cost nothing unless they are asked for.
        """

    def extra_repr(self) -> str:
        return f"embedding_width={self.embedding_width}, rank={self.rank}"


def pad_nodes(node_vectors: Tensor, node_graph: Tensor, batch_size: int) -> PaddedNodes:
    """Node vectors ``[N, r]``, sorted by row, as one dense tensor a row; without a loop over rows.

    Args:
        node_vectors: ``[N, r]``.
        node_graph: row of each node, ``[N]``, non-decreasing.
        batch_size: ``B``.
    """
    counts = torch.bincount(node_graph, minlength=batch_size)  # [B]
    largest = int(counts.max()) if batch_size else 0
    first = counts.cumsum(0) - counts  # [B]
    place = torch.arange(node_graph.shape[0], device=node_graph.device) - first[node_graph]  # [N]
    dense = node_vectors.new_zeros(batch_size, largest, node_vectors.shape[-1])
    dense = dense.index_put((node_graph, place), node_vectors)
    present = torch.arange(largest, device=counts.device) < counts.unsqueeze(-1)  # [B, M]
    return PaddedNodes(dense, present)


def attend_or_abstain(queries: Tensor, keys: Tensor, values: Tensor, present: Tensor, null_key: Tensor) -> Tensor:
    """Scaled dot-product attention over the nodes of a row and one more key whose value is zero.

    The additional key is what a query may turn to instead of any node; it also makes rows without nodes read zero.

    Args:
        queries: ``[B, Q, r]``.
        keys, values: ``[B, M, r]``.
        present: ``[B, M]``, boolean.
        null_key: ``[r]``.

    Returns:
        ``[B, Q, r]``. Cost: ``O(B Q M r)`` time.
    """
    keys, visible = _with_null(keys, present, null_key)
    values = functional.pad(values, (0, 0, 1, 0))  # [B, 1 + M, r]
    read = functional.scaled_dot_product_attention(
        queries.unsqueeze(1), keys.unsqueeze(1), values.unsqueeze(1), attn_mask=visible[:, None, None, :]
    )
    return read.squeeze(1)


def attention_weights(queries: Tensor, keys: Tensor, present: Tensor, null_key: Tensor) -> Tensor:
    """The weights of ``attend_or_abstain``: ``[B, Q, 1 + M]``, that of the null key first."""
    keys, visible = _with_null(keys, present, null_key)
    scores = queries @ keys.transpose(1, 2) * keys.shape[-1] ** -0.5  # [B, Q, 1 + M]
    return scores.masked_fill(~visible.unsqueeze(1), -torch.inf).softmax(-1)


def _with_null(keys: Tensor, present: Tensor, null_key: Tensor) -> tuple[Tensor, Tensor]:
    """Keys ``[B, 1 + M, r]`` and which of them may be read ``[B, 1 + M]``, the null key in front of the nodes'."""
    rows, _, rank = keys.shape
    return torch.cat((null_key.expand(rows, 1, rank), keys), dim=1), functional.pad(present, (1, 0), value=True)


def check_tokens(embeddings: Tensor, attention_mask: Tensor, embedding_width: int) -> None:
    """Raises ShapeError unless the embeddings are ``[B, T, embedding_width]`` and the mask is ``[B, T]``."""
    if embeddings.dim() != 3 or embeddings.shape[-1] != embedding_width:
        raise ShapeError(
            f"token embeddings have shape {tuple(embeddings.shape)}; expected [B, T, {embedding_width}]; build the "
            "fusion with the width of the backbone's embeddings"
        )
    if attention_mask.shape != embeddings.shape[:2]:
        raise ShapeError(
            f"the attention mask has shape {tuple(attention_mask.shape)}; expected {tuple(embeddings.shape[:2])}; "
            "give it one entry a token"
        )


def check_graph(node_vectors: Tensor, batch: GraphBatch, rank: int, tokens: torch.Size) -> None:
    """Raises ShapeError unless the node vectors are ``[N, rank]`` and the batch fits them and the tokens ``[B, T]``."""
    nodes = batch.node_graph.shape[0]
    if node_vectors.shape != (nodes, rank):
        raise ShapeError(
            f"node vectors have shape {tuple(node_vectors.shape)}; expected {(nodes, rank)}; use one rank for "
            "engine and fusion and the same batch for both"
        )
    if batch.batch_size != tokens[0] or batch.token_node.shape != tokens:
        raise ShapeError(
            f"the graph batch has {batch.batch_size} rows and aligns tokens {tuple(batch.token_node.shape)}; expected "
            f"{tokens[0]} rows and {tuple(tokens)}; collate tokens and graphs together"
        )
