"""Attention-Based Fusion Layer: parts that read the graph, added to the embeddings of a frozen language model.

After Yusuf and Jiang, "Transducer Tuning", 2024 (arXiv 2412.13467)::

    E' = E + scale (reading_1 + reading_2 + ... + residual) W_o        W_o = 0 at the start
    residual: that of the part ``residual``, if it takes part
    in front of E': the prompts of the part ``prompts``, if it takes part
    inside the model, beside E': the factors of the part ``scales``, the units of ``bottlenecks``, and what ``beyond`` hands on,
    if they take part

Tensors: embeddings ``[B, T, D]``, mask ``[B, T]`` and node vectors ``[N, r]`` to embeddings ``[B, k + T, D]`` and
mask ``[B, k + T]``. Cost: ``O(B T D r)`` time beyond that of the parts; ``D r`` parameters beyond theirs.

One up-projection ``W_o`` serves all parts. A token part has an ``r x r`` map of its own before it; a ``W_o`` each would
cost ``D r`` more, a quarter of the whole transducer.

What holds at any weights: padding is neither read nor written, and the rows of a batch do not see each other. With
``W_o = 0`` the tokens' embeddings are unchanged, bit for bit, and the prompts are the same for every graph. Only
``W_o``, the base prompts, the directions of the scales and the output weights of the bottlenecks receive gradient in that very
first step; everything else does from the second on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from transducer.errors import ConfigurationError
from transducer.fusion.base import FusedInput, GraphView, TokenReading, check_graph, check_tokens
from transducer.fusion.beyond import BeyondWindow
from transducer.fusion.bottlenecks import LayerBottlenecks
from transducer.fusion.prompts import GraphPrompts
from transducer.fusion.residual import TokenResidual
from transducer.fusion.scales import LayerScales
from transducer.gve.base import require_positive, unit_rms

if TYPE_CHECKING:
    from transducer.tensors import GraphBatch

QUERIES = "attention"
"""The token part whose queries the part ``residual`` shares, if it takes part."""

PROMPTS = "prompts"
"""The name of the prompt part's weights in ``CombinedFusion.explain``."""


class CombinedFusion(nn.Module):
    """Any selection of fusion parts around one up-projection; see the module.

    Args:
        embedding_width: ``D``.
        rank: ``r``, that of the node vectors.
        readings: classes of the token parts by name, possibly none.
        prompts: class of the prompt part, or ``None``.
        prompt_count: ``k``; only read with ``prompts``.
        residual: class of the part ``residual``, or ``None``.
        scales: the part ``scales``, or ``None``.
        bottlenecks: the part ``bottlenecks``, or ``None``.
        beyond: the part ``beyond``, or ``None``.
        embedding_scale: root mean square of the backbone's embeddings. What is added is multiplied by it, so that one
            learning rate suits backbones whose embeddings differ in scale (T5 models: about 1 to 10). Positive.
        initial_prompts: ``[k, D]`` in the backbone's own scale; only read with ``prompts``.

    Raises:
        ConfigurationError: a number is out of range.
        ShapeError: the initial prompts are not ``[k, D]``.

    Computes in the number format of its parameters, inside ``torch.autocast`` as well, and returns that of the
    embeddings.
    """

    graph_input = "node_vectors"
    reads_padding = False

    def __init__(
        self,
        embedding_width: int,
        rank: int,
        readings: Mapping[str, type[TokenReading]],
        prompts: type[GraphPrompts] | None,
        *,
        prompt_count: int = 10,
        residual: type[TokenResidual] | None = None,
        scales: LayerScales | None = None,
        bottlenecks: LayerBottlenecks | None = None,
        beyond: BeyondWindow | None = None,
        embedding_scale: float = 1.0,
        initial_prompts: Tensor | None = None,
    ) -> None:
        super().__init__()
        require_positive("embedding_width", embedding_width)
        require_positive("rank", rank)
        if not 0 < embedding_scale < float("inf"):
            raise ConfigurationError(
                f"embedding_scale is {embedding_scale!r}; expected a positive number; "
                "give the root mean square of the embeddings"
            )
        self.embedding_width = embedding_width
        self.rank = rank
        self.embedding_scale = float(embedding_scale)
        self.readings = nn.ModuleDict({name: part(embedding_width, rank) for name, part in readings.items()})
        self.prompts: GraphPrompts | None = None
        if prompts is not None:
            base = None if initial_prompts is None else initial_prompts / self.embedding_scale
            self.prompts = prompts(embedding_width, rank, prompt_count, base)
        self.residual = None if residual is None else residual(rank if QUERIES in self.readings else embedding_width, rank)
        self.scales = scales
        self.bottlenecks = bottlenecks
        self.beyond = beyond
        # Nothing would train it where the graph is read for the layers alone.
        changes_input = bool(self.readings) or prompts is not None or residual is not None
        self.up = nn.Parameter(torch.zeros(rank, embedding_width)) if changes_input else None

    @property
    def added_positions(self) -> int:
        """``k``, the positions put in front of the tokens."""
        return 0 if self.prompts is None else self.prompts.prompt_count

    def forward(
        self, embeddings: Tensor, attention_mask: Tensor, node_vectors: Tensor, graph_batch: GraphBatch
    ) -> FusedInput:
        """Embeddings and mask for the frozen model.

        Args:
            embeddings: token embeddings ``[B, T, D]``.
            attention_mask: ``[B, T]``, zero at padding, which may be on either side.
            node_vectors: ``H [N, r]`` from the Graph Vectorization Engine.
            graph_batch: the batch that ``node_vectors`` was made from.

        Raises:
            ShapeError: the tensors do not fit together.
        """
        check_tokens(embeddings, attention_mask, self.embedding_width)
        check_graph(node_vectors, graph_batch, self.rank, attention_mask.shape)
        with torch.autocast(embeddings.device.type, enabled=False):
            view = GraphView(node_vectors.to(self._type), graph_batch)
            scales = None if self.scales is None else self.scales(view)
            bottlenecks = None if self.bottlenecks is None else self.bottlenecks(view)
            apart = None if self.beyond is None else self.beyond(view, graph_batch.beyond)
            fused = self._tokens(embeddings, attention_mask, view)
            if self.prompts is None:
                return FusedInput(fused, attention_mask, scales, apart, bottlenecks)
            front = self.embedding_scale * (self.prompts.plain + self.prompts(view) @ self.up)  # [B, k, D]
        return FusedInput(
            torch.cat((front.to(embeddings.dtype), fused), dim=1),
            torch.cat((attention_mask.new_ones(front.shape[:2]), attention_mask), dim=1),
            scales,
            apart,
            bottlenecks,
        )

    @property
    def _type(self) -> torch.dtype:
        """The number format of the parameters."""
        return next(self.parameters()).dtype

    def explain(
        self, embeddings: Tensor, attention_mask: Tensor, node_vectors: Tensor, graph_batch: GraphBatch
    ) -> dict[str, Tensor]:
        """By what weights the parts read the nodes, for the arguments of ``forward``; nothing of it is computed there.

        Returns:
            Part name -> weights ``[B, T, 1 + M]``, of ``prompts`` ``[B, k, 1 + M]``: that of nothing first, then those of
            the row's nodes in their order, zero beyond them. Padding reads nothing. ``scales`` and ``bottlenecks``, which
            read the mean of all nodes, ``residual``, which reads none, and ``beyond``, which hands on what the model's own
            attention then reads, are not among them.
        """
        check_tokens(embeddings, attention_mask, self.embedding_width)
        check_graph(node_vectors, graph_batch, self.rank, attention_mask.shape)
        with torch.autocast(embeddings.device.type, enabled=False):
            view = GraphView(node_vectors.to(self._type), graph_batch)
            tokens = unit_rms(embeddings.to(self._type))  # [B, T, D]
            weights = {name: part.weights(tokens, view) for name, part in self.readings.items()}
            nothing = functional.one_hot(attention_mask.new_zeros((), dtype=torch.long), 1 + view.padded.present.shape[1])
            real = attention_mask.unsqueeze(-1).bool()  # [B, T, 1]
            weights = {name: torch.where(real, found, nothing.to(found.dtype)) for name, found in weights.items()}
            return weights if self.prompts is None else weights | {PROMPTS: self.prompts.weights(view)}

    def _tokens(self, embeddings: Tensor, attention_mask: Tensor, view: GraphView) -> Tensor:
        """``E' [B, T, D]``, in the number format of ``E``."""
        if not self.readings and self.residual is None:
            return embeddings
        exact = embeddings.to(self.up.dtype)
        tokens = unit_rms(exact)  # [B, T, D]
        found = [part(tokens, view) for part in self.readings.values()]
        if self.residual is not None:
            found.append(self.residual(self.readings[QUERIES].queries(tokens) if QUERIES in self.readings else tokens))
        reading = torch.stack(found).sum(0)  # [B, T, r]
        # Masked by selection: a product would let an infinite or undefined reading through at padding.
        reading = torch.where(attention_mask.unsqueeze(-1).bool(), reading, 0.0)
        scaled = (self.embedding_scale * reading).flatten(0, 1)  # [B T, r]
        fused = torch.addmm(exact.flatten(0, 1), scaled, self.up)  # [B T, D]
        return fused.view_as(embeddings).to(embeddings.dtype)

    def extra_repr(self) -> str:
        return f"embedding_width={self.embedding_width}, rank={self.rank}, embedding_scale={self.embedding_scale:g}"
