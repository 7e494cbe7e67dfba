"""Attention-Based Fusion Layer (ABFL): node vectors into token embeddings.

Adding a part: one file, and one line in a table of :mod:`transducer.fusion.build`.
"""

from __future__ import annotations

from transducer.fusion.base import Bottleneck, FusedInput, ReadApart
from transducer.fusion.build import (
    BOTTLENECKS,
    DEFAULT_FUSION,
    DIRECTIONS,
    FUSIONS,
    INPUT_FUSION,
    RANKS,
    Sizes,
    build_fusion,
    fusion_parts,
    parameter_budget,
    parameter_count,
    sizes_within_budget,
)
from transducer.fusion.combined import CombinedFusion
from transducer.fusion.published import PublishedFusion

__all__ = [
    "BOTTLENECKS",
    "DEFAULT_FUSION",
    "DIRECTIONS",
    "FUSIONS",
    "INPUT_FUSION",
    "RANKS",
    "Bottleneck",
    "CombinedFusion",
    "FusedInput",
    "PublishedFusion",
    "ReadApart",
    "Sizes",
    "build_fusion",
    "fusion_parts",
    "parameter_budget",
    "parameter_count",
    "sizes_within_budget",
]
