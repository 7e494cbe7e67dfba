"""Attention-Based Fusion Layer (ABFL): node vectors into token embeddings.

Adding a part: one file, and one line in a table of :mod:`transducer.fusion.build`.
"""

from __future__ import annotations

from transducer.fusion.base import FusedInput
from transducer.fusion.build import (
    DEFAULT_FUSION,
    FUSIONS,
    RANKS,
    build_fusion,
    fusion_parts,
    parameter_budget,
    parameter_count,
    rank_within_budget,
)
from transducer.fusion.combined import CombinedFusion
from transducer.fusion.published import PublishedFusion

__all__ = [
    "DEFAULT_FUSION",
    "FUSIONS",
    "RANKS",
    "CombinedFusion",
    "FusedInput",
    "PublishedFusion",
    "build_fusion",
    "fusion_parts",
    "parameter_budget",
    "parameter_count",
    "rank_within_budget",
]
