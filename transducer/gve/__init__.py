"""Graph Vectorization Engine (GVE): node features and edges to node vectors.

Adding a layer: one file, and one line in ``LAYERS`` of :mod:`transducer.gve.gve`.
"""

from __future__ import annotations

from transducer.gve.engine import ENGINES, MessageGraph, connect
from transducer.gve.gve import LAYERS, GraphVectorizationEngine
from transducer.gve.published import PublishedVectorizationEngine
from transducer.gve.relations import FORWARD_COUNT, RELATIONS, SELF_RELATION, with_reverses

__all__ = [
    "ENGINES",
    "FORWARD_COUNT",
    "LAYERS",
    "RELATIONS",
    "SELF_RELATION",
    "GraphVectorizationEngine",
    "MessageGraph",
    "PublishedVectorizationEngine",
    "connect",
    "with_reverses",
]
