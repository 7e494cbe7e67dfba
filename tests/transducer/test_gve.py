"""Graph Vectorization Engine: every layer in both engines, the equations, the edges of its domain."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

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
    without_edges,
)
from transducer.errors import ConfigurationError, DependencyError, ShapeError, TransducerError, UnknownNameError
from transducer.gve import (
    ENGINES,
    FORWARD_COUNT,
    LAYERS,
    RELATIONS,
    SELF_RELATION,
    GraphVectorizationEngine,
    MessageGraph,
    PublishedVectorizationEngine,
    connect,
)
from transducer.gve import engine as engine_module

WIDTH, RANK = 12, 8
EXACT = {"rtol": 0.0, "atol": 1e-11}
"""Tolerance in float64, five orders above its rounding error and far below any real difference."""


def build(layer: str = "gatv2", dtype: torch.dtype = torch.float64, **settings: object) -> GraphVectorizationEngine:
    torch.manual_seed(0)
    return GraphVectorizationEngine(WIDTH, RANK, layer=layer, **settings).to(dtype)


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=LAYERS)
def layer(request: pytest.FixtureRequest) -> str:
    return request.param


def test_relations_are_the_edge_kinds_their_reverses_and_self() -> None:
    assert RELATIONS[:FORWARD_COUNT] == ("AST", "CFG", "DDG", "CDG")
    assert RELATIONS[FORWARD_COUNT:SELF_RELATION] == tuple(f"{name}_REVERSE" for name in RELATIONS[:FORWARD_COUNT])
    assert RELATIONS[SELF_RELATION:] == ("SELF",)


# Layers


def test_output_has_a_row_a_node_and_unit_scale(layer: str, engine: str) -> None:
    batch = random_batch(dtype=torch.float32)
    nodes = build(layer, torch.float32, engine=engine)(batch)
    assert nodes.shape == (19, RANK)  # 6 + 4 + 9 nodes
    assert nodes.dtype == torch.float32
    torch.testing.assert_close(nodes.square().mean(-1), torch.ones(19), rtol=1e-3, atol=0)


def test_repr_names_the_layer_and_its_sizes(layer: str) -> None:
    text = repr(build(layer))
    assert LAYERS[layer].__name__ in text
    assert f"feature_width={WIDTH}, rank={RANK}" in text


def test_permuting_the_nodes_permutes_the_output(layer: str, engine: str) -> None:
    vectorize, batch = build(layer, engine=engine), random_batch()
    permuted, order = permute_nodes(batch)
    torch.testing.assert_close(vectorize(permuted), vectorize(batch)[order], **EXACT)


def test_a_batch_gives_what_its_rows_give_one_by_one(layer: str, engine: str) -> None:
    vectorize, batch = build(layer, engine=engine), random_batch((5, 0, 1, 8))
    rows = [vectorize(only_row(batch, row)) for row in range(batch.batch_size)]
    torch.testing.assert_close(vectorize(batch), torch.cat(rows), **EXACT)


def test_no_edges_and_no_nodes(layer: str, engine: str) -> None:
    vectorize = build(layer, engine=engine)
    assert vectorize(without_edges(random_batch())).isfinite().all()
    assert vectorize(random_batch((0, 0))).shape == (0, RANK)
    vectorize(random_batch((0,))).sum().backward()


def test_zero_features_stay_finite(layer: str, engine: str) -> None:
    batch = random_batch()
    nodes = build(layer, engine=engine)(replace(batch, features=torch.zeros_like(batch.features)))
    assert nodes.isfinite().all()


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize("heads", [1, 2])
def test_both_engines_give_the_same_values_and_gradients(
    layer: str, dtype: torch.dtype, tolerance: float, heads: int
) -> None:
    heads = heads if LAYERS[layer].HAS_HEADS else 1
    batch = random_batch((20, 0, 35), dtype=dtype)
    weight = torch.randn(55, RANK, generator=torch.Generator().manual_seed(2), dtype=torch.float64).to(dtype)
    results = {}
    for name in ENGINES:
        vectorize = build(layer, dtype, engine=name, heads=heads)
        nodes = vectorize(batch)
        (nodes * weight).sum().backward()
        results[name] = [nodes.detach(), *(parameter.grad for parameter in vectorize.parameters())]
    for fused, plain in zip(results["dgl"], results["torch"], strict=True):
        torch.testing.assert_close(fused, plain, rtol=tolerance, atol=tolerance * float(plain.abs().max()))


def test_every_parameter_receives_gradient(layer: str, engine: str) -> None:
    vectorize, batch = build(layer, engine=engine), random_batch()
    assert set(batch.edge_relation.tolist()) == set(range(SELF_RELATION))
    weight = torch.randn(19, RANK, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    (vectorize(batch) * weight).sum().backward()
    assert names_without_gradient(vectorize) == []
    # Not only somewhere: every relation's own parameters too.
    for name, parameter in vectorize.named_parameters():
        if parameter.shape[:1] == (len(RELATIONS),):
            assert (parameter.grad.flatten(1).abs().amax(-1) > 1e-9).all(), name


def test_kinds_and_directions_of_edges_matter_except_to_linear(layer: str, engine: str) -> None:
    vectorize, batch = build(layer, engine=engine), random_batch()
    with torch.no_grad():  # gates and scales start equal for all relations
        for name, parameter in vectorize.named_parameters():
            if "relation" in name:
                parameter.add_(torch.randn_like(parameter))
    other_kinds = replace(batch, edge_relation=(batch.edge_relation + 1) % FORWARD_COUNT)
    forward = batch.edge_relation < FORWARD_COUNT
    one_way = replace(
        batch,
        edge_source=batch.edge_source[forward],
        edge_target=batch.edge_target[forward],
        edge_relation=batch.edge_relation[forward],
    )
    turned = replace(one_way, edge_source=one_way.edge_target, edge_target=one_way.edge_source)
    for first, second in [(batch, other_kinds), (batch, without_edges(batch)), (one_way, turned)]:
        difference = (vectorize(first) - vectorize(second)).abs().max()
        assert (difference == 0) if layer == "linear" else (difference > 1e-3)


# The equations, by plain loops over the edges


def neighbours(graph: MessageGraph, node: int) -> list[tuple[int, int]]:
    ends = zip(graph.source.tolist(), graph.target.tolist(), graph.relation.tolist(), strict=True)
    return [(source, relation) for source, target, relation in ends if target == node]


def loop_gatv2(layer: nn.Module, graph: MessageGraph, h: Tensor, node: int) -> Tensor:
    scores, messages = [], []
    for source, relation in neighbours(graph, node):
        hidden = layer.source_weight @ h[source] + layer.target_weight @ h[node] + layer.relation_key[relation]
        scores.append(layer.attention[0] @ functional.leaky_relu(hidden, 0.2))
        messages.append(layer.source_weight @ h[source] + layer.relation_value[relation])
    return torch.softmax(torch.stack(scores), 0) @ torch.stack(messages)


def loop_rgcn(layer: nn.Module, graph: MessageGraph, h: Tensor, node: int) -> Tensor:
    total = torch.zeros_like(h[0])
    for relation in range(len(RELATIONS)):
        sources = [source for source, kind in neighbours(graph, node) if kind == relation]
        matrix = sum(layer.coefficients[relation, b] * layer.bases[b] for b in range(len(layer.bases)))
        for source in sources:
            total = total + matrix @ h[source] / len(sources)
    return total


def loop_ggnn(layer: nn.Module, graph: MessageGraph, h: Tensor, node: int) -> Tensor:
    messages = [
        (layer.weight @ h[source]) * layer.relation_scale[relation] + layer.relation_bias[relation]
        for source, relation in neighbours(graph, node)
    ]
    return layer.update(torch.stack(messages).mean(0), h[node])


def loop_gin(layer: nn.Module, graph: MessageGraph, h: Tensor, node: int) -> Tensor:
    total = (1 + layer.epsilon) * h[node]
    for source, relation in neighbours(graph, node):
        total = total + functional.silu(h[source] + layer.relation_key[relation])
    total = total / (total.square().mean() + 1e-6).sqrt()
    return layer.outer @ functional.silu(layer.inner @ total)


def loop_gcn(layer: nn.Module, graph: MessageGraph, h: Tensor, node: int) -> Tensor:
    total = torch.zeros_like(h[0])
    for source, relation in neighbours(graph, node):
        leaving = graph.source.tolist().count(source)
        scale = (leaving * len(neighbours(graph, node))) ** -0.5
        total = total + layer.relation_weight[relation] * scale * (layer.weight @ h[source])
    return total


def loop_linear(layer: nn.Module, graph: MessageGraph, h: Tensor, node: int) -> Tensor:
    return layer.weight @ h[node]


LOOPS: dict[str, Callable[[nn.Module, MessageGraph, Tensor, int], Tensor]] = {
    "gatv2": loop_gatv2,
    "rgcn": loop_rgcn,
    "ggnn": loop_ggnn,
    "gin": loop_gin,
    "gcn": loop_gcn,
    "linear": loop_linear,
}


def test_each_layer_computes_the_equation_of_its_module(layer: str, engine: str) -> None:
    torch.manual_seed(3)
    batch = random_batch((5, 4), seed=3)
    # Every fifth edge is left out, so that unlike edges enter and leave a node; relations keep at least one edge each.
    kept = torch.arange(len(batch.edge_source)) % 5 > 0
    batch = replace(
        batch,
        edge_source=batch.edge_source[kept],
        edge_target=batch.edge_target[kept],
        edge_relation=batch.edge_relation[kept],
    )
    assert not torch.equal(batch.edge_source.bincount(minlength=9), batch.edge_target.bincount(minlength=9))
    assert len(batch.edge_relation.unique()) == SELF_RELATION
    nodes = torch.randn(9, RANK, dtype=torch.float64)
    module = LAYERS[layer](RANK).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    graph = connect(batch, engine, like=nodes)
    expected = torch.stack([LOOPS[layer](module, graph, nodes, node) for node in range(9)])
    torch.testing.assert_close(module(graph, nodes), expected, **EXACT)


PARAMETERS = {
    "gatv2": 2 * RANK**2 + 19 * RANK,
    "rgcn": 4 * RANK**2 + 9 * 4,
    "ggnn": 7 * RANK**2 + 24 * RANK,
    "gin": 2 * RANK**2 + 9 * RANK + 1,
    "gcn": RANK**2 + 9,
    "linear": RANK**2,
}
"""From the cost paragraph of each layer's module, which is derived by hand from its equation."""


def test_parameter_counts_are_those_of_the_docstrings(layer: str) -> None:
    assert sum(parameter.numel() for parameter in LAYERS[layer](RANK).parameters()) == PARAMETERS[layer]
    whole = sum(parameter.numel() for parameter in build(layer, layer_count=3).parameters())
    assert whole == WIDTH * RANK + 3 * PARAMETERS[layer]


# Engines


def test_self_edges_are_appended_and_degrees_count_them(engine: str) -> None:
    batch = random_batch((2,))
    edges = torch.tensor([0]), torch.tensor([1]), torch.tensor([2])
    batch = replace(batch, edge_source=edges[0], edge_target=edges[1], edge_relation=edges[2])
    graph = connect(batch, engine, like=batch.features)
    assert graph.source.tolist() == [0, 0, 1]
    assert graph.target.tolist() == [1, 0, 1]
    assert graph.relation.tolist() == [2, SELF_RELATION, SELF_RELATION]
    assert graph.in_degree.tolist() == [1, 2]
    assert graph.out_degree.tolist() == [2, 1]
    assert graph.relation_in_degree.tolist() == [1, 1, 1]


def test_softmax_survives_large_scores(engine: str) -> None:
    batch = random_batch((3,))
    graph = connect(batch, engine, like=batch.features)
    weights = graph.softmax(torch.full((len(graph.source), 1), 1e4, dtype=torch.float64))
    torch.testing.assert_close(graph.edge_sum(weights), torch.ones(3, 1, dtype=torch.float64), **EXACT)


def test_auto_takes_dgl_where_it_runs_and_torch_elsewhere() -> None:
    batch = random_batch()
    assert type(connect(batch, "auto", like=torch.zeros(1))) is ENGINES["dgl"]
    # dgl has no float16 kernels for the CPU.
    assert type(connect(batch, "auto", like=torch.zeros(1, dtype=torch.float16))) is ENGINES["torch"]
    with pytest.raises(DependencyError, match=r"cannot run on cpu with torch.float16.*'auto' or 'torch'"):
        connect(batch, "dgl", like=torch.zeros(1, dtype=torch.float16))


@pytest.fixture
def absent_dgl(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An interpreter in which dgl is not installed."""
    caches = (engine_module._import_dgl, engine_module._dgl_obstacle)
    monkeypatch.setitem(sys.modules, "dgl", None)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


@pytest.mark.usefixtures("absent_dgl")
def test_without_dgl_auto_works_and_dgl_says_what_to_do() -> None:
    assert build(engine="auto")(random_batch()).isfinite().all()
    with pytest.raises(DependencyError, match=r"'dgl' cannot be used.*pip install dgl packaging scipy"):
        build(engine="dgl")


IMPORT_PROBE = """
import os, sys
import transducer.gve, transducer.fusion
assert "dgl" not in sys.modules
from transducer.gve.engine import check_engine
check_engine("dgl")
assert "dgl" in sys.modules
assert "DGLBACKEND" not in os.environ
"""


def test_dgl_is_imported_late_silently_and_writes_nothing_into_the_home(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DGL")}
    environment["HOME"] = environment["USERPROFILE"] = str(tmp_path)
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-W", "error", "-B", "-c", IMPORT_PROBE]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_autocast_changes_nothing(layer: str) -> None:
    vectorize, batch = build(layer, torch.float32), random_batch(dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = vectorize(batch)
    assert torch.equal(inside, vectorize(batch))


# Errors


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"layer": "gatv3"}, UnknownNameError, r"unknown layer 'gatv3'.*gatv2, rgcn.*Did you mean 'gatv2'"),
        ({"engine": "dlg"}, UnknownNameError, r"unknown graph engine 'dlg'.*auto, dgl, torch.*Did you mean 'dgl'"),
        ({"heads": 3}, ConfigurationError, r"heads=3 does not divide rank=8"),
        ({"heads": 2, "layer": "gin"}, ConfigurationError, r"GIN got heads=2; expected 1"),
        ({"layer_count": -1}, ConfigurationError, r"layer_count is -1; expected 0 or more"),
            ({"relations": "AST+DFG"}, UnknownNameError, r"unknown relation 'DFG'.*AST, CFG, DDG, CDG"),
    ],
)
def test_bad_settings(settings: dict[str, object], error: type[TransducerError], message: str) -> None:
    with pytest.raises(error, match=message):
        build(**settings)


def test_bad_shapes(engine: str) -> None:
    batch = random_batch()
    with pytest.raises(ShapeError, match=r"shape \(19, 11\); expected \[N, 12\]"):
        build(engine=engine)(replace(batch, features=batch.features[:, 1:]))
    with pytest.raises(ShapeError, match=r"edge sources, targets and relations have shapes"):
        build(engine=engine)(replace(batch, edge_relation=batch.edge_relation[1:]))


# The published engine


def build_published(engine: str = "auto", feature_width: int = WIDTH) -> PublishedVectorizationEngine:
    torch.manual_seed(0)
    return PublishedVectorizationEngine(feature_width, engine=engine).double()


def test_published_has_the_geometry_of_the_released_code() -> None:
    shapes = {
        name: tuple(parameter.shape) for name, parameter in build_published(feature_width=1024).named_parameters()
    }
    assert shapes == {
        "norm.weight": (1024,),
        "down.weight": (8, 1024),
        "layer.source.weight": (8, 8),
        "layer.target.weight": (8, 8),
        "layer.attention": (1, 8),
        "up.weight": (128, 8),
    }


def published_by_loop(vectorize: PublishedVectorizationEngine, batch: RandomBatch, row: int) -> Tensor:
    one = only_row(batch, row)
    h = vectorize.down(vectorize.norm(one.features))
    edges = [
        (source, target)
        for source, target, relation in zip(
            one.edge_source.tolist(), one.edge_target.tolist(), one.edge_relation.tolist(), strict=True
        )
        if relation < FORWARD_COUNT
    ] + [(node, node) for node in range(len(h))]
    pooled = []
    for node in range(len(h)):
        sources = [source for source, target in edges if target == node]
        messages = vectorize.layer.source(h[sources])
        scores = functional.leaky_relu(messages + vectorize.layer.target(h[node]), 0.2) @ vectorize.layer.attention[0]
        pooled.append(vectorize.up(torch.softmax(scores, 0) @ messages))
    return torch.stack(pooled).mean(0)


def test_published_is_the_mean_of_graph_attention_and_zero_without_nodes(engine: str) -> None:
    vectorize, batch = build_published(engine), random_batch((5, 0, 7))
    vectors = vectorize(batch)
    assert vectors.shape == (3, 128)
    for row in (0, 2):
        torch.testing.assert_close(vectors[row], published_by_loop(vectorize, batch, row), **EXACT)
    assert torch.equal(vectors[1], torch.zeros(128, dtype=torch.float64))
    vectors.square().sum().backward()
    assert names_without_gradient(vectorize) == []


@pytest.mark.parametrize("layer", LAYERS)
def test_edges_of_other_kinds_are_not_seen(layer: str) -> None:
    """With some relations the engine equals one that has all of them on a batch without the other edges."""
    torch.manual_seed(0)
    batch = random_batch((5, 3), edges_per_node=4.0, dtype=torch.float32)
    chosen = [RELATIONS.index(name) for name in ("AST", "DDG", "AST_REVERSE", "DDG_REVERSE")]
    kept = torch.isin(batch.edge_relation, torch.tensor(chosen))
    assert 0 < int(kept.sum()) < len(kept)
    fewer = replace(batch, edge_source=batch.edge_source[kept], edge_target=batch.edge_target[kept],
                    edge_relation=batch.edge_relation[kept])
    whole = GraphVectorizationEngine(batch.features.shape[1], 8, layer=layer, engine="torch")
    part = GraphVectorizationEngine(batch.features.shape[1], 8, layer=layer, engine="torch", relations="AST+DDG")
    rows = [*sorted(chosen), len(RELATIONS) - 1]
    state = {name: tensor[rows] if tensor.dim() and tensor.shape[0] == len(RELATIONS) else tensor
             for name, tensor in whole.state_dict().items()}
    part.load_state_dict(state)
    torch.testing.assert_close(part(batch), whole(fewer), rtol=1e-5, atol=1e-6)
