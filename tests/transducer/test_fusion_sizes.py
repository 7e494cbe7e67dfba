"""Sizes of a transducer within the paper's parameter budget, and their counts by hand."""

from __future__ import annotations

import pytest
from torch import nn

from transducer.errors import ConfigurationError
from transducer.fusion import (
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
    rank, directions = sizes_within_budget(width, fusion=INPUT_FUSION)
    assert directions == 1
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


@pytest.mark.parametrize(("width", "layers", "sizes", "total"), [(256, 4, (4, 3), 17_188), (768, 12, (4, 1), 28_452),
                                                                 (1024, 24, (3, 1), 34_779)])
def test_the_sizes_and_counts_of_the_default_fusion(width: int, layers: int, sizes: tuple[int, int], total: int) -> None:
    """As above, and `m (w + P (1 + r))` for each role of a T5 with as many layers on both sides."""
    rank, directions = sizes
    roles = {f"role.{number}": Role(4 * width if number < 2 else width, layers) for number in range(8)}
    plain = 3 * width * rank + 10 * (width + rank) + 4 * rank**2 + rank + 2 * (2 * rank**2 + 19 * rank)
    assert total == plain + directions * sum(w + places * (1 + rank) for w, places in roles.values())
    assert sizes_within_budget(width, roles=roles) == sizes
    assert parameter_count(width, rank, roles=roles, directions=directions) == total


def test_sizes_follow_budget_heads_and_limits() -> None:
    roles = {"role": Role(3072, 12)}
    assert sizes_within_budget(768, roles=roles, budget=10**9) == (max(RANKS), max(DIRECTIONS))
    assert sizes_within_budget(4096, roles={"role": Role(100_000, 12)}) == (min(RANKS), min(DIRECTIONS))
    assert sizes_within_budget(768, roles=roles, heads=5).rank % 5 == 0
    assert sizes_within_budget(768, fusion=INPUT_FUSION, heads=16) == (16, 1)  # Though over the budget.
    assert (sizes_within_budget(768, fusion=INPUT_FUSION, prompt_count=1).rank
            > sizes_within_budget(768, fusion=INPUT_FUSION, prompt_count=10).rank)
    assert sizes_within_budget(768, roles=roles, rank=7, directions=2) == (7, 2)
    assert sizes_within_budget(768, roles={"role": Role(768, 12)}, rank=7).directions == max(DIRECTIONS)
    with pytest.raises(ConfigurationError, match=r"heads=17 divides no rank in 3..16"):
        sizes_within_budget(768, heads=17)
    with pytest.raises(ConfigurationError, match=r"'published' has a fixed geometry"):
        parameter_count(768, 8, fusion="published")
