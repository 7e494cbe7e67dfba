"""Fusions by name, and the parameters they may cost."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from transducer.errors import ConfigurationError, UnknownNameError
from transducer.fusion.aligned import AlignedReading
from transducer.fusion.attention import AttentionReading
from transducer.fusion.base import TokenReading
from transducer.fusion.beyond import BeyondWindow
from transducer.fusion.bottlenecks import LayerBottlenecks
from transducer.fusion.combined import CombinedFusion
from transducer.fusion.pooled import PooledReading
from transducer.fusion.prompts import GraphPrompts
from transducer.fusion.published import PublishedFusion
from transducer.fusion.residual import TokenResidual
from transducer.fusion.scales import LayerScales
from transducer.gve import GraphVectorizationEngine
from transducer.gve.base import require_positive

if TYPE_CHECKING:
    from transducer.places import Role

TOKEN_READINGS: dict[str, type[TokenReading]] = {
    "attention": AttentionReading,
    "aligned": AlignedReading,
    "pooled": PooledReading,
}
"""Parts that give every token a reading of the graph; combine with ``+``."""

RESIDUALS: dict[str, type[TokenResidual]] = {"residual": TokenResidual}
"""Parts that give every token something of its own; at most one, beside a part that reads the graph."""

PROMPT_READINGS: dict[str, type[GraphPrompts]] = {"prompts": GraphPrompts}
"""Parts that put positions in front; at most one, combines with token readings."""

LAYER_READINGS: dict[str, type[LayerScales]] = {"scales": LayerScales}
"""Parts that multiply what is inside the frozen layers; at most one, combines with all of these."""

BLOCK_READINGS: dict[str, type[LayerBottlenecks]] = {"bottlenecks": LayerBottlenecks}
"""Parts that add to the outputs of the frozen blocks; at most one, combines with all of these."""

MEMORY_READINGS: dict[str, type[BeyondWindow]] = {"beyond": BeyondWindow}
"""Parts that give the model more to attend to; at most one, combines with all of these."""

WHOLE_FUSIONS: dict[str, type[PublishedFusion]] = {"published": PublishedFusion}
"""Fusions that stand alone."""

FUSIONS: dict[str, type[nn.Module]] = {
    **TOKEN_READINGS,
    **RESIDUALS,
    **PROMPT_READINGS,
    **LAYER_READINGS,
    **BLOCK_READINGS,
    **MEMORY_READINGS,
    **WHOLE_FUSIONS,
}
"""Every fusion and fusion part by name."""

INPUT_FUSION = "attention+aligned+residual+prompts"
"""The fusion of a transducer that changes nothing but what goes into the model."""

DEFAULT_FUSION = f"{INPUT_FUSION}+scales+bottlenecks"
"""The fusion of a transducer unless another is asked for."""

RANKS = range(3, 17)
"""Ranks that ``sizes_within_budget`` chooses from; the paper has 8."""

DIRECTIONS = range(1, 3)
"""Numbers of directions of the part ``scales`` that it chooses from."""

BOTTLENECKS = range(1, 6)
"""Numbers of units of the part ``bottlenecks`` that it chooses from."""


def fusion_parts(name: str) -> tuple[str, ...]:
    """The parts of a fusion name in the order of ``FUSIONS``, whatever order they are written in.

    Raises:
        UnknownNameError: a part is not in ``FUSIONS``.
        ConfigurationError: a part is named twice, one that stands alone is combined, or none reads the graph.
    """
    parts = name.split("+")
    for part in parts:
        if part not in FUSIONS:
            raise UnknownNameError.among("fusion", part, FUSIONS)
    if len(set(parts)) != len(parts):
        raise ConfigurationError(f"fusion {name!r} names a part twice; expected each once; remove the second")
    alone = [part for part in parts if part in WHOLE_FUSIONS]
    if alone and len(parts) > 1:
        raise ConfigurationError(
            f"fusion {name!r} combines {alone[0]!r}, which stands alone; expected {alone[0]!r} by itself"
        )
    if all(part in RESIDUALS for part in parts):
        readers = [part for part in FUSIONS if part not in RESIDUALS and part not in WHOLE_FUSIONS]
        raise ConfigurationError(
            f"fusion {name!r} never reads the graph; expected a part beside it that does; add one of {', '.join(readers)}, or use "
            "the method no-graph"
        )
    return tuple(part for part in FUSIONS if part in parts)


def build_fusion(
    name: str = DEFAULT_FUSION,
    *,
    embedding_width: int,
    rank: int = 8,
    prompt_count: int = 10,
    roles: Mapping[str, Role] | None = None,
    directions: int = 1,
    blocks: Mapping[str, int] | None = None,
    bottleneck: int = 1,
    embedding_scale: float = 1.0,
    initial_prompts: Tensor | None = None,
) -> CombinedFusion | PublishedFusion:
    """A fusion by name.

    Args:
        name: parts from ``FUSIONS`` joined by ``+``, in any order.
        embedding_width: ``D``, width of the backbone's embeddings.
        rank: ``r``, width of the node vectors; the paper has 8.
        prompt_count: ``k``, positions that the part ``prompts`` adds.
        roles: of the backbone (``Backbone.places``), for the part ``scales``.
        directions: ``m`` of the part ``scales``.
        blocks: of the backbone (``Backbone.writers``), for the part ``bottlenecks``.
        bottleneck: ``b`` of the part ``bottlenecks``.
        embedding_scale: root mean square of the backbone's embeddings, positive; see ``CombinedFusion``.
        initial_prompts: ``[k, D]`` to start the part ``prompts`` from, in the backbone's own scale, such as
            embeddings of frequent tokens; small random vectors by default.

    The geometry of ``published`` is fixed, so it reads ``embedding_width`` only. ``prompt_count`` and
    ``initial_prompts`` are read by the part ``prompts`` only, ``roles`` and ``directions`` by ``scales``, ``blocks`` and
    ``bottleneck`` by ``bottlenecks``.

    Returns:
        A module called as ``fusion(embeddings, attention_mask, graph, graph_batch)`` that returns a ``FusedInput``.
        Its ``graph_input`` names what ``graph`` is: ``node_vectors`` or ``graph_vectors``, the ``output`` of the
        engine to put before it. Its ``added_positions`` is ``k``. Its ``reads_padding`` tells whether a row's result
        depends on how far it is padded.

    Raises:
        UnknownNameError: a part is not in ``FUSIONS``.
        ConfigurationError: parts that do not go together, a number out of range, no roles for the part ``scales``, or no
            blocks for ``bottlenecks``.
        ShapeError: the initial prompts are not ``[k, D]``.
    """
    parts = fusion_parts(name)
    if parts[0] in WHOLE_FUSIONS:
        return WHOLE_FUSIONS[parts[0]](embedding_width)
    prompts = [PROMPT_READINGS[part] for part in parts if part in PROMPT_READINGS]
    residuals = [RESIDUALS[part] for part in parts if part in RESIDUALS]
    scales = [LAYER_READINGS[part] for part in parts if part in LAYER_READINGS]
    bottlenecks = [BLOCK_READINGS[part] for part in parts if part in BLOCK_READINGS]
    beyond = [MEMORY_READINGS[part] for part in parts if part in MEMORY_READINGS]
    if scales and not roles:
        raise ConfigurationError(
            f"fusion {name!r} multiplies keys, values and feed-forward blocks, and the model's family has none that are known; "
            f"expected parts that change the input alone; choose {INPUT_FUSION}"
        )
    if bottlenecks and not blocks:
        raise ConfigurationError(
            f"fusion {name!r} adds to the outputs of blocks, and none were given; expected those of the model (Backbone.writers); "
            "give them, or leave bottlenecks out"
        )
    return CombinedFusion(
        embedding_width,
        rank,
        {part: TOKEN_READINGS[part] for part in parts if part in TOKEN_READINGS},
        prompts[0] if prompts else None,
        prompt_count=prompt_count,
        residual=residuals[0] if residuals else None,
        scales=scales[0](roles, rank, directions) if scales else None,
        bottlenecks=bottlenecks[0](blocks, embedding_width, rank, bottleneck) if bottlenecks else None,
        beyond=beyond[0](rank) if beyond else None,
        embedding_scale=embedding_scale,
        initial_prompts=initial_prompts,
    )


def parameter_budget(width: int) -> int:
    """What the paper's released transducer has in parameters for embeddings of this width: ``25 width + 11,528``.

    30,728 at 768 and 37,128 at 1024, the two widths of the paper; its geometry is linear in the width, so the line
    through the two is also exact elsewhere.
    """
    return 25 * width + 11_528


def parameter_count(
    width: int,
    rank: int,
    *,
    feature_width: int | None = None,
    prompt_count: int = 10,
    fusion: str = DEFAULT_FUSION,
    layer: str = "gatv2",
    layer_count: int = 2,
    heads: int = 1,
    roles: Mapping[str, Role] | None = None,
    directions: int = 1,
    blocks: Mapping[str, int] | None = None,
    bottleneck: int = 1,
) -> int:
    """Trainable parameters of engine and fusion together, without allocating or drawing any.

    Args:
        width: ``D``, width of the backbone's embeddings.
        rank: ``r``.
        feature_width: ``F``; ``D`` by default, as for features made from the backbone's own embeddings.
        prompt_count, fusion, layer, layer_count, heads, roles, directions, blocks, bottleneck: as for ``build_fusion`` and
            ``GraphVectorizationEngine``; not for the fusion ``published``, which has an engine of its own.

    Raises:
        ConfigurationError: the fusion is ``published``, or as for ``build_fusion``.
        UnknownNameError: ``fusion`` or ``layer`` is in no table.
    """
    if any(part in WHOLE_FUSIONS for part in fusion_parts(fusion)):
        raise ConfigurationError(
            f"fusion {fusion!r} has a fixed geometry; expected a combination of parts; count its modules' parameters"
        )
    with torch.device("meta"):
        engine = GraphVectorizationEngine(
            width if feature_width is None else feature_width,
            rank,
            layer=layer,
            layer_count=layer_count,
            heads=heads,
            engine="torch",
        )
        fused = build_fusion(
            fusion,
            embedding_width=width,
            rank=rank,
            prompt_count=prompt_count,
            roles=roles,
            directions=directions,
            blocks=blocks,
            bottleneck=bottleneck,
        )
    return sum(parameter.numel() for module in (engine, fused) for parameter in module.parameters())


class Sizes(NamedTuple):
    """What ``sizes_within_budget`` chooses."""

    rank: int
    directions: int
    bottleneck: int


def sizes_within_budget(
    width: int,
    *,
    rank: int = 0,
    directions: int = 0,
    bottleneck: int = 0,
    heads: int = 1,
    budget: int | None = None,
    fusion: str = DEFAULT_FUSION,
    **others: object,
) -> Sizes:
    """The most directions of the part ``scales`` with which some rank stays within the budget, with these the most units of the
    part ``bottlenecks``, and the largest such rank.

    Args:
        width, heads, fusion, others: as for ``parameter_count``.
        rank, directions, bottleneck: what is not 0 is taken as it is.
        budget: parameters; ``parameter_budget(width)`` by default.

    Returns:
        Of ``RANKS``, those that ``heads`` divides, ``DIRECTIONS`` and ``BOTTLENECKS``. Where nothing fits, the smallest of all,
        so that any backbone works; ``parameter_count`` tells by how much it exceeds the budget.

    Raises:
        ConfigurationError: ``heads`` divides no rank of ``RANKS``, or as for ``parameter_count``.
    """
    require_positive("heads", heads)
    allowed = parameter_budget(width) if budget is None else budget
    ranks = [rank] if rank else [one for one in RANKS if one % heads == 0]
    if not ranks:
        raise ConfigurationError(
            f"heads={heads} divides no rank in {RANKS.start}..{RANKS.stop - 1}; expected a divisor of one; "
            "choose fewer heads"
        )
    parts = fusion_parts(fusion)
    counts = [directions] if directions else DIRECTIONS if LAYER_READINGS.keys() & set(parts) else [1]
    widths = [bottleneck] if bottleneck else BOTTLENECKS if BLOCK_READINGS.keys() & set(parts) else [1]
    for count, units in product(reversed(counts), reversed(widths)):

        def cost(one: int, count: int = count, units: int = units) -> int:
            return parameter_count(
                width, one, heads=heads, fusion=fusion, directions=count, bottleneck=units, **others
            )

        fitting = bisect_right(ranks, allowed, key=cost)
        if fitting:
            return Sizes(ranks[fitting - 1], count, units)
    return Sizes(ranks[0], counts[0], widths[0])
