"""Sizes of a transducer within the paper's parameter budget, and their counts by hand."""

from __future__ import annotations

import pytest
from torch import nn

from transducer.errors import ConfigurationError
from transducer.fusion import (
    BOTTLENECKS,
    DIRECTIONS,
    INPUT_FUSION,
    RANKS,
    build_fusion,
    parameter_budget,
    parameter_count,
    sizes_within_budget,
)
from transducer.gve import GraphVectorizationEngine
from transducer.places import Role


@pytest.mark.parametrize("width", [256, 512, 768, 1024])
def test_the_input_fusion_fits_the_budget_and_one_rank_more_does_not(width: int) -> None:
    rank, directions, bottleneck = sizes_within_budget(width, fusion=INPUT_FUSION)
    assert directions == bottleneck == 1
    assert parameter_count(width, rank, fusion=INPUT_FUSION) <= parameter_budget(width)
    if rank < max(RANKS):
        assert parameter_count(width, rank + 1, fusion=INPUT_FUSION) > parameter_budget(width)


@pytest.mark.parametrize(("width", "rank", "total"), [(256, 16, 17_680), (768, 9, 29_505), (1024, 8, 35_720)])
def test_the_ranks_and_counts_of_the_input_fusion(width: int, rank: int, total: int) -> None:
    # By hand: 3 D r for down, query, up; 10 (D + r) for prompts; 4 r^2 + r for other maps; 2 (2 r^2 + 19 r) for gatv2.
    assert total == 3 * width * rank + 10 * (width + rank) + 4 * rank**2 + rank + 2 * (2 * rank**2 + 19 * rank)
    assert sizes_within_budget(width, fusion=INPUT_FUSION).rank == rank
    fusion = build_fusion(INPUT_FUSION, embedding_width=width, rank=rank, prompt_count=10)
    built = nn.ModuleList([GraphVectorizationEngine(width, rank), fusion])
    assert sum(parameter.numel() for parameter in built.parameters()) == total
    assert parameter_count(width, rank, fusion=INPUT_FUSION) == total


@pytest.mark.parametrize(("width", "layers", "sizes", "total"), [(256, 4, (5, 2, 5), 17_661), (768, 12, (3, 1, 2), 29_163),
                                                                 (1024, 24, (3, 1, 1), 34_875)])
def test_the_sizes_and_counts_of_the_default_fusion(width: int, layers: int, sizes: tuple[int, int, int], total: int) -> None:
    """As above, and `m (w + P (1 + r))` for each role of a T5 with as many layers on both sides, `b (2 D + P (1 + r))` for each role
    of blocks."""
    rank, directions, bottleneck = sizes
    roles = {f"role.{number}": Role(4 * width if not number else width, layers) for number in range(7)}
    blocks = {f"block.{number}": layers for number in range(2)}
    plain = 3 * width * rank + 10 * (width + rank) + 4 * rank**2 + rank + 2 * (2 * rank**2 + 19 * rank)
    scales = directions * sum(w + places * (1 + rank) for w, places in roles.values())
    assert total == plain + scales + bottleneck * sum(2 * width + places * (1 + rank) for places in blocks.values())
    assert sizes_within_budget(width, roles=roles, blocks=blocks) == sizes
    assert parameter_count(width, rank, roles=roles, directions=directions, blocks=blocks, bottleneck=bottleneck) == total


def test_sizes_follow_budget_heads_and_limits() -> None:
    roles, blocks = {"role": Role(3072, 12)}, {"block": 12}
    assert sizes_within_budget(768, roles=roles, blocks=blocks, budget=10**9) == (max(RANKS), max(DIRECTIONS), max(BOTTLENECKS))
    assert sizes_within_budget(4096, roles={"role": Role(100_000, 12)}, blocks=blocks) == (min(RANKS), min(DIRECTIONS), min(BOTTLENECKS))
    assert sizes_within_budget(768, roles=roles, blocks=blocks, heads=5).rank % 5 == 0
    assert sizes_within_budget(768, fusion=INPUT_FUSION, heads=16) == (16, 1, 1)  # Though over the budget.
    assert (sizes_within_budget(768, fusion=INPUT_FUSION, prompt_count=1).rank
            > sizes_within_budget(768, fusion=INPUT_FUSION, prompt_count=10).rank)
    assert sizes_within_budget(768, roles=roles, blocks=blocks, rank=7, directions=2, bottleneck=3) == (7, 2, 3)
    assert sizes_within_budget(768, roles=roles, blocks=blocks, rank=3).directions == max(DIRECTIONS)
    assert sizes_within_budget(768, fusion="aligned+bottlenecks", blocks=blocks, rank=3, bottleneck=4).directions == 1
    with pytest.raises(ConfigurationError, match=r"heads=17 divides no rank in 3..16"):
        sizes_within_budget(768, heads=17, roles=roles, blocks=blocks)
    with pytest.raises(ConfigurationError, match=r"'published' has a fixed geometry"):
        parameter_count(768, 8, fusion="published")
