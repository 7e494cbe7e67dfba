"""Graph Vectorization Engine: frozen node features to node vectors.

Yusuf and Jiang, "Transducer Tuning", 2024 (arXiv 2412.13467)::

    H_0     = norm(X) W_down
    H_{l+1} = H_l + SiLU(layer_l(norm(H_l)))
    H       = norm(H_L)

Tensors: features ``X [N, F]`` and the edges of a batch give ``H [N, r]``. Cost: ``O(N F r)`` for the projection,
which dominates, plus the layers; ``F r`` parameters plus those of the layers.

Deviations from the paper, whose own geometry is :mod:`transducer.gve.published`. Edges have kinds; layers have
residuals; the node vectors themselves are handed on, where the paper averages them into one vector a graph. ``norm``
is RMSNorm without a learned scale, since ``W_down`` and the layers absorb one. The last norm gives node vectors of
unit scale at any depth, so the fusion starts the same for every layer and rank. SiLU, because it has a gradient
nearly everywhere: with 8 to 16 channels, a unit that ReLU silences for all nodes would be a tenth of the vector.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from transducer.errors import ConfigurationError, ShapeError, UnknownNameError
from transducer.gve.base import GraphLayer, normal, require_positive, unit_rms
from transducer.gve.engine import check_engine, connect
from transducer.gve.gatv2 import GATv2
from transducer.gve.gcn import GCN
from transducer.gve.ggnn import GGNN
from transducer.gve.gin import GIN
from transducer.gve.linear import Linear
from transducer.gve.relations import DEFAULT_RELATIONS, chosen_relations, only_relations
from transducer.gve.rgcn import RGCN

if TYPE_CHECKING:
    from transducer.tensors import GraphBatch

LAYERS: dict[str, type[GraphLayer]] = {
    "gatv2": GATv2,
    "rgcn": RGCN,
    "ggnn": GGNN,
    "gin": GIN,
    "gcn": GCN,
    "linear": Linear,
}
"""Layers by name."""


class GraphVectorizationEngine(nn.Module):
    """Node vectors of a batch of graphs; see the module for equation and cost.

    Args:
        feature_width: ``F``, width of the frozen node features.
        rank: ``r``, width of the node vectors; the paper has 8.
        layer: name in ``LAYERS``; the paper has ``gatv2``.
        layer_count: layers in a row; with 0 the projected features are the node vectors; the paper has 1. With two, a node also hears from its neighbours'
            neighbours (a use from the operands of its definition), for ``2 r^2 + 19 r`` parameters more with
            ``gatv2``.
        heads: attention heads of a layer that has them; must divide ``rank``; the paper has 1.
        engine: ``auto``, ``dgl`` or ``torch``; see :mod:`transducer.gve.engine`. No effect on results.
        relations: kinds of edge that messages pass along, joined by ``+``; self edges are always there.

    Raises:
        UnknownNameError: ``layer`` or ``engine`` is in no table.
        ConfigurationError: a number is out of range, or the layer has no heads.
        DependencyError: ``engine`` is ``dgl`` and it cannot be used.

    Computes in the number format of its parameters, inside ``torch.autocast`` as well: the vectors are narrow, so
    lower precision would save nothing.
    """

    output = "node_vectors"

    def __init__(
        self,
        feature_width: int,
        rank: int = 8,
        *,
        layer: str = "gatv2",
        layer_count: int = 2,
        heads: int = 1,
        engine: str = "auto",
        relations: str = DEFAULT_RELATIONS,
    ) -> None:
        super().__init__()
        require_positive("feature_width", feature_width)
        require_positive("rank", rank)
        if layer_count < 0:
            raise ConfigurationError(f"layer_count is {layer_count}; expected 0 or more")
        if layer not in LAYERS:
            raise UnknownNameError.among("layer", layer, LAYERS)
        self.feature_width = feature_width
        self.rank = rank
        self.engine = check_engine(engine)
        self.down = normal(rank, feature_width, deviation=feature_width**-0.5)
        self.relations = chosen_relations(relations)
        self.layers = nn.ModuleList(LAYERS[layer](rank, heads, len(self.relations) + 1) for _ in range(layer_count))

    def forward(self, batch: GraphBatch) -> Tensor:
        """Node vectors ``H [N, r]``, each of unit root mean square.

        Raises:
            ShapeError: the features are not ``[N, feature_width]``, or the edge tensors do not fit together.
        """
        check_features(batch.features, self.feature_width)
        with torch.autocast(self.down.device.type, enabled=False):
            features = unit_rms(batch.features.to(self.down.dtype))  # [N, F]
            nodes = functional.linear(features, self.down)  # [N, r]
            if self.layers:
                graph = connect(only_relations(batch, self.relations), self.engine, like=nodes,
                                relation_count=len(self.relations) + 1)
            for layer in self.layers:
                nodes = nodes + functional.silu(layer(graph, unit_rms(nodes)))
            return unit_rms(nodes)

    def extra_repr(self) -> str:
        return f"feature_width={self.feature_width}, rank={self.rank}, engine={self.engine!r}"


def check_features(features: Tensor, feature_width: int) -> None:
    """Raises ShapeError unless ``features`` is ``[N, feature_width]``."""
    if features.dim() != 2 or features.shape[1] != feature_width:
        raise ShapeError(
            f"node features have shape {tuple(features.shape)}; expected [N, {feature_width}]; build the engine with "
            "feature_width equal to the width of the features"
        )
