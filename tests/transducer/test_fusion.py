"""Attention-Based Fusion Layer: the contract of every combination, the published fusion's degeneracy, the budgets."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.transducer.graphs import (
    RandomBatch,
    names_without_gradient,
    only_row,
    permute_nodes,
    random_batch,
)
from transducer.errors import ConfigurationError, ShapeError, TransducerError, UnknownNameError
from transducer.fusion import (
    FUSIONS,
    INPUT_FUSION,
    CombinedFusion,
    FusedInput,
    PublishedFusion,
    build_fusion,
    fusion_parts,
    parameter_budget,
    parameter_count,
)
from transducer.fusion.base import pad_nodes
from transducer.fusion.build import (
    BLOCK_READINGS,
    LAYER_READINGS,
    MEMORY_READINGS,
    PROMPT_READINGS,
    RESIDUALS,
    TOKEN_READINGS,
    WHOLE_FUSIONS,
)
from transducer.gve import LAYERS, GraphVectorizationEngine, PublishedVectorizationEngine

EMBEDDING, FEATURES, RANK, PROMPTS, TOKENS = 24, 12, 8, 3, 7
EXACT = {"rtol": 0.0, "atol": 1e-12}
"""Tolerance in float64, some thousand times its rounding error and far below any real difference."""

PARTS = [*TOKEN_READINGS, *PROMPT_READINGS]
COMBINATIONS = ["+".join(parts) for size in range(1, len(PARTS) + 1) for parts in itertools.combinations(PARTS, size)]
WITH_RESIDUAL = ["attention+residual", "residual+prompts", "attention+aligned+residual+prompts"]


class Setup:
    """Engine, fusion and one batch whose second row has no nodes and whose rows end in padding."""

    def __init__(
        self, name: str, *, trained: bool = True, dtype: torch.dtype = torch.float64, **settings: object
    ) -> None:
        torch.manual_seed(0)
        self.engine = GraphVectorizationEngine(FEATURES, RANK).to(dtype)
        self.fusion = build_fusion(name, embedding_width=EMBEDDING, rank=RANK, prompt_count=PROMPTS, **settings).to(
            dtype
        )
        if trained:
            nn.init.normal_(self.fusion.up, std=0.5)
        self.batch = random_batch((6, 0, 9, 4), feature_width=FEATURES, token_count=TOKENS, dtype=dtype)
        self.embeddings = 3 * torch.randn(4, TOKENS, EMBEDDING, dtype=dtype)
        self.mask = torch.ones(4, TOKENS, dtype=torch.long)
        self.mask[0, 5:] = 0
        self.mask[2, 3:] = 0

    def __call__(
        self, batch: RandomBatch | None = None, embeddings: Tensor | None = None, mask: Tensor | None = None
    ) -> FusedInput:
        batch = self.batch if batch is None else batch
        embeddings = self.embeddings if embeddings is None else embeddings
        mask = self.mask if mask is None else mask
        return self.fusion(embeddings, mask, self.engine(batch), batch)


@pytest.fixture(params=[*COMBINATIONS, *WITH_RESIDUAL])
def name(request: pytest.FixtureRequest) -> str:
    return request.param


# The contract of every combination


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_identity_at_initialisation(name: str, dtype: torch.dtype) -> None:
    setup = Setup(name, trained=False, dtype=torch.float32)
    embeddings = setup.embeddings.to(dtype)
    fused = setup(embeddings=embeddings)
    added = setup.fusion.added_positions
    assert added == (PROMPTS if "prompts" in name else 0)
    assert fused.embeddings.dtype == dtype
    assert fused.embeddings.shape == (4, added + TOKENS, EMBEDDING)
    assert torch.equal(fused.embeddings[:, added:], embeddings)
    assert fused.attention_mask.dtype == setup.mask.dtype
    assert torch.equal(fused.attention_mask[:, added:], setup.mask)
    assert fused.attention_mask[:, :added].all()
    # Without an up-projection the prompts are the same in all rows, whatever their graphs.
    assert torch.equal(fused.embeddings[:, :added], fused.embeddings[:1, :added].expand(4, -1, -1))


def test_padding_is_not_written(name: str) -> None:
    setup = Setup(name)
    tokens = setup().embeddings[:, setup.fusion.added_positions :]
    padding = setup.mask == 0
    assert padding.any()
    assert torch.equal(tokens[padding], setup.embeddings[padding])


@pytest.mark.parametrize("side", ["left", "right"])
def test_twenty_more_pads_change_nothing(name: str, side: str) -> None:
    setup = Setup(name)
    added = setup.fusion.added_positions
    widths = (20, 0) if side == "left" else (0, 20)
    longer = setup(
        replace(setup.batch, token_node=functional.pad(setup.batch.token_node, widths, value=0)),
        functional.pad(setup.embeddings, (0, 0, *widths), value=50.0),
        functional.pad(setup.mask, widths),
    )
    kept = slice(added + widths[0], added + widths[0] + TOKENS)
    short = setup()
    torch.testing.assert_close(longer.embeddings[:, :added], short.embeddings[:, :added], **EXACT)
    torch.testing.assert_close(longer.embeddings[:, kept], short.embeddings[:, added:], **EXACT)
    assert torch.equal(longer.attention_mask[:, kept], short.attention_mask[:, added:])


def test_what_stands_at_padding_is_not_read(name: str) -> None:
    setup = Setup(name)
    padding = (setup.mask == 0).unsqueeze(-1)
    other = setup(embeddings=torch.where(padding, torch.full_like(setup.embeddings, torch.nan), setup.embeddings))
    real = other.attention_mask.bool()
    assert torch.equal(other.embeddings[real], setup().embeddings[real])


def test_rows_are_independent(name: str) -> None:
    setup = Setup(name)
    together = setup()
    for row in range(4):
        alone = setup(only_row(setup.batch, row), setup.embeddings[row : row + 1], setup.mask[row : row + 1])
        torch.testing.assert_close(alone.embeddings[0], together.embeddings[row], **EXACT)


def test_the_order_of_nodes_does_not_matter(name: str) -> None:
    setup = Setup(name)
    permuted, _ = permute_nodes(setup.batch)
    torch.testing.assert_close(setup(permuted).embeddings, setup().embeddings, **EXACT)


def test_every_parameter_receives_gradient_once_the_up_projection_is_not_zero(name: str) -> None:
    setup = Setup(name)
    fused = setup()
    weight = torch.randn(fused.embeddings.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    (fused.embeddings * weight).sum().backward()
    assert names_without_gradient(setup.fusion) == []
    assert names_without_gradient(setup.engine) == []


def test_at_initialisation_the_up_projection_receives_gradient(name: str) -> None:
    setup = Setup(name, trained=False)
    fused = setup()
    (fused.embeddings * torch.randn(fused.embeddings.shape, dtype=torch.float64)).sum().backward()
    assert "up" not in names_without_gradient(setup.fusion)
    assert "prompts.base" not in names_without_gradient(setup.fusion)


def test_another_graph_changes_the_rows_it_belongs_to(name: str) -> None:
    setup = Setup(name)
    nodes = setup.batch.node_graph == 2
    other = replace(setup.batch, features=torch.where(nodes.unsqueeze(-1), -setup.batch.features, setup.batch.features))
    difference = (setup(other).embeddings - setup().embeddings).abs().amax((1, 2))
    assert difference[2] > 1e-2
    assert torch.equal(difference[[0, 1, 3]], torch.zeros(3, dtype=torch.float64))


@pytest.mark.parametrize("name", COMBINATIONS)
def test_a_row_without_nodes_reads_nothing(name: str) -> None:
    setup = Setup(name, embedding_scale=2.0)
    added = setup.fusion.added_positions
    fused = setup().embeddings[1]
    assert torch.equal(fused[added:], setup.embeddings[1])
    if added:
        assert torch.equal(fused[:added], 2 * setup.fusion.prompts.plain)


@pytest.mark.parametrize("name", COMBINATIONS)
def test_no_nodes_at_all(name: str) -> None:
    setup = Setup(name)
    empty = random_batch((0, 0, 0, 0), feature_width=FEATURES, token_count=TOKENS)
    fused = setup(empty)
    assert torch.equal(fused.embeddings[:, setup.fusion.added_positions :], setup.embeddings)
    fused.embeddings.sum().backward()


@pytest.mark.parametrize("name", WITH_RESIDUAL)
def test_the_residual_of_a_token_needs_no_nodes(name: str) -> None:
    setup = Setup(name, embedding_scale=2.0)
    setup.batch = random_batch((0, 0, 0, 0), feature_width=FEATURES, token_count=TOKENS)
    embeddings, fusion = setup.embeddings, setup.fusion
    attends = "attention" in name
    known = normalised(embeddings) @ fusion.readings["attention"].query_weight.T if attends else normalised(embeddings)
    assert fusion.residual.weight.shape == (RANK, RANK if attends else EMBEDDING)
    residual = known @ fusion.residual.weight.T @ fusion.up
    expected = embeddings + 2 * setup.mask.unsqueeze(-1) * residual
    torch.testing.assert_close(setup().embeddings[:, fusion.added_positions :], expected, rtol=0, atol=1e-11)


def test_the_embedding_scale_multiplies_what_is_added(name: str) -> None:
    plain, scaled = Setup(name), Setup(name, embedding_scale=4.0)
    scaled.fusion.load_state_dict(plain.fusion.state_dict())
    added = plain.fusion.added_positions
    torch.testing.assert_close(scaled().embeddings[:, :added], 4 * plain().embeddings[:, :added], **EXACT)
    change = plain().embeddings[:, added:] - plain.embeddings
    torch.testing.assert_close(scaled().embeddings[:, added:] - plain.embeddings, 4 * change, rtol=0, atol=1e-11)


def test_autocast_changes_nothing(name: str) -> None:
    setup = Setup(name, dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = setup()
    assert torch.equal(inside.embeddings, setup().embeddings)


def test_the_order_of_the_parts_in_the_name_does_not_matter(name: str) -> None:
    reverse = "+".join(reversed(name.split("+")))
    first, second = Setup(name), Setup(reverse)
    assert "+".join(fusion_parts(reverse)) == name
    assert torch.equal(first().embeddings, second().embeddings)


def test_repr_shows_parts_and_sizes(name: str) -> None:
    text = repr(Setup(name).fusion)
    assert f"embedding_width={EMBEDDING}, rank={RANK}, embedding_scale=1" in text
    for part in name.split("+"):
        assert FUSIONS[part].__name__ in text


# The parts, against their equations by plain loops


def test_pad_nodes_sorts_nodes_into_rows() -> None:
    vectors = torch.arange(5.0).unsqueeze(-1)
    dense, present = pad_nodes(vectors, torch.tensor([0, 0, 2, 2, 2]), 4)
    assert dense.squeeze(-1).tolist() == [[0, 1, 0], [0, 0, 0], [2, 3, 4], [0, 0, 0]]
    assert present.tolist() == [[True, True, False], [False] * 3, [True] * 3, [False] * 3]


def attend(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    return torch.softmax(keys @ query / len(query) ** 0.5, 0) @ values


def normalised(vector: Tensor) -> Tensor:
    return vector / (vector.square().mean(-1, keepdim=True) + 1e-6).sqrt()


@pytest.mark.parametrize("name", [INPUT_FUSION, "attention+aligned+residual+prompts"])
def test_the_parts_together_compute_their_equations(name: str) -> None:
    setup = Setup(name, embedding_scale=1.5)
    fusion = setup.fusion
    with torch.no_grad():
        attention, aligned, prompts = fusion.readings["attention"], fusion.readings["aligned"], fusion.prompts
        attention.null_key.normal_()
        nodes, result = setup.engine(setup.batch), setup().embeddings
        nothing = torch.zeros(1, RANK, dtype=torch.float64)
        for row in range(4):
            own = nodes[setup.batch.node_graph == row]
            keys = torch.cat((attention.null_key.unsqueeze(0), own @ attention.key_weight.T))
            values = torch.cat((nothing, own @ attention.value_weight.T))
            for token in range(TOKENS):
                embedding, node = setup.embeddings[row, token], int(setup.batch.token_node[row, token])
                reading = attend(attention.query_weight @ normalised(embedding), keys, values)
                if node >= 0:
                    reading = reading + aligned.weight @ nodes[node]
                if fusion.residual is not None:
                    reading = reading + fusion.residual.weight @ attention.query_weight @ normalised(embedding)
                expected = embedding + 1.5 * setup.mask[row, token] * (reading @ fusion.up)
                torch.testing.assert_close(result[row, PROMPTS + token], expected, **EXACT)
            for place in range(PROMPTS):
                pool = torch.cat((nothing, own))
                expected = 1.5 * (10 * prompts.base[place] + attend(prompts.queries[place], pool, pool) @ fusion.up)
                torch.testing.assert_close(result[row, place], expected, **EXACT)


def test_tokens_may_abstain() -> None:
    setup = Setup("attention")
    with torch.no_grad():
        query = setup.fusion.readings["attention"].query_weight
        direction = normalised(setup.embeddings[0, 0])
        setup.fusion.readings["attention"].null_key.copy_(100 * (query @ direction))
    fused = setup().embeddings
    torch.testing.assert_close(fused[0, 0], setup.embeddings[0, 0], **EXACT)
    assert (fused[0, 1:5] - setup.embeddings[0, 1:5]).abs().max() > 1e-2


def test_initial_prompts_are_the_prompts_at_the_start() -> None:
    initial = torch.randn(PROMPTS, EMBEDDING)
    setup = Setup("prompts", trained=False, dtype=torch.float32, initial_prompts=initial, embedding_scale=4.0)
    torch.testing.assert_close(setup().embeddings[:, :PROMPTS], initial.expand(4, -1, -1))
    assert setup.fusion.prompts.base.data_ptr() != initial.data_ptr()


# The published fusion


class Published:
    """Published engine and fusion with a batch whose rows end in padding."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.engine = PublishedVectorizationEngine(FEATURES).double()
        self.fusion = build_fusion("published", embedding_width=EMBEDDING).double()
        self.batch = random_batch((6, 3, 9), feature_width=FEATURES, token_count=TOKENS)
        self.embeddings = torch.randn(3, TOKENS, EMBEDDING, dtype=torch.float64)
        self.mask = torch.ones(3, TOKENS, dtype=torch.long)
        self.mask[:, 5:] = 0

    def __call__(self, batch: RandomBatch | None = None, embeddings: Tensor | None = None) -> Tensor:
        batch = self.batch if batch is None else batch
        embeddings = self.embeddings if embeddings is None else embeddings
        mask = functional.pad(self.mask, (0, embeddings.shape[1] - TOKENS))
        return self.fusion(embeddings, mask, self.engine(batch), batch).embeddings


@pytest.mark.parametrize(("width", "total"), [(768, 30_728), (1024, 37_128)])
def test_published_counts_are_those_of_the_paper(width: int, total: int) -> None:
    # Trainable parameters in arXiv 2412.13467, confirmed by running the authors' released code; features 1024 wide.
    modules = nn.ModuleList([PublishedVectorizationEngine(1024), PublishedFusion(width)])
    assert sum(parameter.numel() for parameter in modules.parameters()) == total
    assert parameter_budget(width) == total


def test_published_gives_every_position_the_same_mean_of_values_and_replaces_the_embeddings() -> None:
    published = Published()
    fused = published()
    torch.testing.assert_close(fused, fused[:, :1].expand_as(fused), **EXACT)
    fusion = published.fusion
    expected = fusion.out(fusion.value(fusion.token_norm(published.embeddings)).mean(1))
    torch.testing.assert_close(fused[:, 0], expected, **EXACT)


def test_published_does_not_see_the_graph() -> None:
    published = Published()
    other = random_batch((2, 8, 1), feature_width=FEATURES, token_count=TOKENS, seed=9)
    assert (published.engine(other) - published.engine(published.batch)).abs().max() > 1e-2
    torch.testing.assert_close(published(other), published(), **EXACT)


def test_published_reads_padding() -> None:
    published = Published()
    padded = published(embeddings=functional.pad(published.embeddings, (0, 0, 0, 20), value=1.0))
    change = (padded[:, :1] - published()[:, :1]).norm() / published()[:, :1].norm()
    assert change > 0.5


def test_published_trains_value_and_output_only() -> None:
    published = Published()
    fused = published()
    weight = torch.randn(fused.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    (fused * weight).sum().backward()
    assert names_without_gradient(published.fusion, 1e-12) == ["graph_norm.weight", "query.weight", "key.weight"]
    assert names_without_gradient(published.engine, 1e-12) == [name for name, _ in published.engine.named_parameters()]
    live = [published.fusion.token_norm, published.fusion.value, published.fusion.out]
    assert all((parameter.grad.abs().max() > 1e-3) for module in live for parameter in module.parameters())


def test_published_dead_parameters_are_counted() -> None:
    # 30,728 less the token norm (768), value and output (8 x 768 each) is 17,672.
    engine, fusion = PublishedVectorizationEngine(1024), PublishedFusion(768)
    dead = [engine, fusion.graph_norm, fusion.query, fusion.key]
    assert sum(parameter.numel() for module in dead for parameter in module.parameters()) == 17_672


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("combination", COMBINATIONS)
def test_counting_agrees_with_building_and_draws_no_random_numbers(combination: str, layer: str) -> None:
    engine = GraphVectorizationEngine(FEATURES, RANK, layer=layer, layer_count=1)
    fusion = build_fusion(combination, embedding_width=EMBEDDING, rank=RANK, prompt_count=PROMPTS)
    state = torch.get_rng_state()
    counted = parameter_count(
        EMBEDDING, RANK, feature_width=FEATURES, prompt_count=PROMPTS, fusion=combination, layer=layer, layer_count=1
    )
    assert torch.equal(torch.get_rng_state(), state)
    assert counted == sum(parameter.numel() for module in (engine, fusion) for parameter in module.parameters())


# Errors


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        (
            {"name": "atention"},
            UnknownNameError,
            r"unknown fusion 'atention'; expected one of: attention, .*'attention'\?",
        ),
        ({"name": "attention+"}, UnknownNameError, r"unknown fusion ''"),
        ({"name": "aligned+aligned"}, ConfigurationError, r"names a part twice"),
        ({"name": "residual"}, ConfigurationError, "'residual' never reads the graph.*add one of attention, .*, beyond, or use"),
        ({"name": "published+aligned"}, ConfigurationError, r"combines 'published', which stands alone"),
        ({"rank": 0}, ConfigurationError, r"rank is 0; expected a whole number"),
        ({"prompt_count": 0}, ConfigurationError, r"prompt_count is 0; expected a whole number"),
        ({"embedding_scale": 0.0}, ConfigurationError, r"embedding_scale is 0.0; expected a positive number"),
        ({"embedding_scale": float("nan")}, ConfigurationError, r"embedding_scale is nan"),
        ({"initial_prompts": torch.zeros(10, 23)}, ShapeError, r"shape \(10, 23\); expected \(10, 24\)"),
    ],
)
def test_bad_settings(settings: dict[str, object], error: type[TransducerError], message: str) -> None:
    with pytest.raises(error, match=message):
        build_fusion(**{"name": INPUT_FUSION, "embedding_width": EMBEDDING, **settings})


def test_every_table_entry_is_covered() -> None:
    assert set(FUSIONS) == {*PARTS, *RESIDUALS, *LAYER_READINGS, *BLOCK_READINGS, *MEMORY_READINGS, *WHOLE_FUSIONS}
    # test_scales.py has those of layers, test_beyond.py those of the decoder
    assert len(COMBINATIONS) == 15
    assert all(isinstance(Setup(name).fusion, CombinedFusion) for name in [*COMBINATIONS, *WITH_RESIDUAL])


def test_bad_shapes() -> None:
    setup, published = Setup(INPUT_FUSION), Published()
    with pytest.raises(ShapeError, match=r"token embeddings have shape \(4, 7, 23\); expected \[B, T, 24\]"):
        setup(embeddings=setup.embeddings[..., 1:])
    with pytest.raises(ShapeError, match=r"attention mask has shape \(4, 6\); expected \(4, 7\)"):
        setup(mask=setup.mask[:, 1:])
    with pytest.raises(ShapeError, match=r"node vectors have shape \(19, 7\); expected \(19, 8\)"):
        setup.fusion(setup.embeddings, setup.mask, setup.engine(setup.batch)[:, 1:], setup.batch)
    with pytest.raises(ShapeError, match=r"the graph batch has 4 rows and aligns tokens \(4, 6\)"):
        setup(replace(setup.batch, token_node=setup.batch.token_node[:, 1:]))
    with pytest.raises(ShapeError, match=r"graph vectors have shape \(19, 8\); expected \(3, 128\)"):
        published.fusion(published.embeddings, published.mask, torch.zeros(19, 8), published.batch)
