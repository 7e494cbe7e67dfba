"""Graphs to tensors: alignment with tokens, frozen node vectors, one graph out of many."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cpg import CodePropertyGraph, extract
from tests.transducer import tiny
from transducer.backbone import Backbone, load_backbone
from transducer.features import node_features
from transducer.gve.relations import RELATIONS
from transducer.prepare import PreparationReport, Preparer
from transducer.tensors import (
    IGNORED_LABEL,
    NODE_TEXT_TOKENS,
    Collator,
    GraphArrays,
    NodeBags,
    PreparedExample,
    graph_arrays,
    graph_batch,
)
from transducer.text import EncodedSource

PLACEHOLDER = tiny.TASK.placeholder
SOURCES = {
    "python": ("python", tiny.examples(1)[0].source),
    "java": ("java", tiny.examples(2)[1].source),
    "flat java": ("java", " ".join(tiny.examples(2)[1].source.split())),
    "not ascii": ("python", f"def größe(wért):\n    text = 'é→𝄞' + wért\n    {PLACEHOLDER}\n    return  text  # ü\n"),
    "broken": ("python", f"def f(a:\n    if a > :\n  {PLACEHOLDER}\n  return (a +\n"),
    "broken java": ("java", f"public void f( {{ int x = ; {PLACEHOLDER} ; }} }} return"),
    "long": ("python", f"def f(a):\n    {PLACEHOLDER}\n" + "".join(f"    a = a + {number}\n" for number in range(60))),
    "only the placeholder": ("python", PLACEHOLDER),
    "comment at the end": ("java", f"void f() {{ {PLACEHOLDER}; }}   // end   "),
}


@pytest.fixture(scope="module")
def shared(model_folder: Path) -> Backbone:
    return load_backbone(str(model_folder), "float32", device="cpu")


@pytest.fixture(params=SOURCES)
def case(request: pytest.FixtureRequest, shared: Backbone) -> tuple[CodePropertyGraph, EncodedSource, GraphArrays]:
    language, source = SOURCES[request.param]
    encoded = tiny.preparer(shared).text.encode_source(source)
    graph = extract(encoded.text, language)
    return graph, encoded, graph_arrays(graph, encoded, NodeBags(shared.tokenizer))


def tokens_of(graph: CodePropertyGraph, encoded: EncodedSource, node: int) -> list[int]:
    """Places of the tokens that share a byte with a node, found one by one."""
    start, end = graph.nodes.start_byte[node], graph.nodes.end_byte[node]
    return [token for token in range(len(encoded.token_ids))
            if max(start, encoded.start_byte[token]) < min(end, encoded.end_byte[token])]


def innermost(graph: CodePropertyGraph, encoded: EncodedSource) -> list[int]:
    """The narrowest node that shares a byte with each token, of equally narrow ones the last; -1 where there is none."""
    found = [-1] * len(encoded.token_ids)
    width = [np.inf] * len(encoded.token_ids)
    for node in range(len(graph.nodes)):
        extent = graph.nodes.end_byte[node] - graph.nodes.start_byte[node]
        for token in tokens_of(graph, encoded, node):
            if extent <= width[token]:
                found[token], width[token] = node, extent
    return found


def features_by_hand(graph: CodePropertyGraph, encoded: EncodedSource, backbone: Backbone) -> torch.Tensor:
    """Half the mean of the embeddings of a node's first sixteen tokens, half that of its type's words."""
    rows = []
    for node in range(len(graph.nodes)):
        words = " " + graph.nodes.type[node].replace("_", " ")
        types = backbone.embedding_weight[backbone.tokenizer(words, add_special_tokens=False)["input_ids"]].mean(0)
        tokens = tokens_of(graph, encoded, node)[:NODE_TEXT_TOKENS]
        if tokens:
            rows.append(0.5 * types + 0.5 * backbone.embedding_weight[encoded.token_ids[tokens]].mean(0))
        else:
            rows.append(types)
    return torch.stack(rows)


def collated(arrays: list[GraphArrays], lengths: list[int]) -> dict[str, torch.Tensor]:
    return Collator(0)([PreparedExample(np.arange(length), None, graph) for graph, length in zip(arrays, lengths)])


# One graph


def test_each_token_has_the_innermost_node(case: tuple[CodePropertyGraph, EncodedSource, GraphArrays]) -> None:
    graph, encoded, arrays = case
    assert arrays.token_node.tolist() == innermost(graph, encoded)
    assert (arrays.token_node[encoded.start_byte == -1] == -1).all()


@settings(max_examples=60, derandomize=True, deadline=None)
@given(code=st.text(alphabet=st.sampled_from("ab1 \n\t(){};=.:\"é"), max_size=80), language=st.sampled_from(["python", "java"]))
def test_each_token_of_any_text_has_the_innermost_node(shared: Backbone, code: str, language: str) -> None:
    encoded = tiny.preparer(shared).text.encode_source(code + PLACEHOLDER)
    graph = extract(encoded.text, language)
    arrays = graph_arrays(graph, encoded, NodeBags(shared.tokenizer))
    assert arrays.token_node.tolist() == innermost(graph, encoded)
    batch = collated([arrays], [len(encoded.token_ids)])
    torch.testing.assert_close(node_features(shared.embedding_weight, batch), features_by_hand(graph, encoded, shared))


def test_names_are_aligned_with_their_identifiers(shared: Backbone) -> None:
    """By the names in the code, not by the spans that the alignment is made from."""
    language, source = SOURCES["java"]
    encoded = tiny.preparer(shared).text.encode_source(source)
    graph = extract(encoded.text, language)
    arrays = graph_arrays(graph, encoded, NodeBags(shared.tokenizer))
    seen = 0
    for token, node in zip(encoded.token_ids, arrays.token_node):
        if shared.tokenizer.decode([token]).strip() in ("area", "perimeter", "total", "value", "result"):
            assert graph.nodes.type[node] == "identifier"
            assert shared.tokenizer.decode([token]).strip() in graph.nodes.name[node]
            seen += 1
    assert seen >= 10


def test_node_features_are_the_mean_of_text_and_type(
        case: tuple[CodePropertyGraph, EncodedSource, GraphArrays], shared: Backbone) -> None:
    graph, encoded, arrays = case
    found = node_features(shared.embedding_weight, collated([arrays], [len(encoded.token_ids)]))
    assert found.shape == (len(graph.nodes), tiny.WIDTH) and not found.requires_grad
    torch.testing.assert_close(found, features_by_hand(graph, encoded, shared))
    sums = np.add.reduceat(arrays.bag_weights, arrays.bag_offsets)
    np.testing.assert_allclose(sums, 1.0, rtol=1e-5)


def test_edges_stand_in_both_directions(case: tuple[CodePropertyGraph, EncodedSource, GraphArrays]) -> None:
    graph, _, arrays = case
    edges = graph.edges
    forward = list(zip(edges.source, edges.target, edges.kind))
    backward = [(target, source, f"{kind}_REVERSE") for source, target, kind in forward]
    found = [(source, target, RELATIONS[relation]) for source, target, relation in zip(
        arrays.edge_source.tolist(), arrays.edge_target.tolist(), arrays.edge_relation.tolist())]
    assert found == forward + backward and forward


# A batch


@pytest.fixture(scope="module")
def several(shared: Backbone) -> list[PreparedExample]:
    preparer = tiny.preparer(shared)
    return [preparer.model_input(source, language, PreparationReport())[1] for language, source in SOURCES.values()]


def parts_of(batch: dict[str, torch.Tensor], lengths: list[int]) -> Iterator[dict[str, list]]:
    """The examples of a batch, each with its own numbers, taken apart by what the batch says alone."""
    node_graph = batch["graph_node_graph"]
    bag_ends = torch.cat([batch["graph_bag_offsets"][1:], torch.tensor([len(batch["graph_bag_ids"])])])
    for row, length in enumerate(lengths):
        nodes = (node_graph == row).nonzero().squeeze(-1)
        first, bags = int(nodes[0]), slice(int(batch["graph_bag_offsets"][nodes[0]]), int(bag_ends[nodes[-1]]))
        edges = node_graph[batch["graph_edge_source"]] == row
        assert torch.equal(edges, node_graph[batch["graph_edge_target"]] == row)
        token_node = batch["graph_token_node"][row]
        assert (token_node[length:] == -1).all()
        yield {
            "bag_ids": batch["graph_bag_ids"][bags].tolist(),
            "bag_weights": batch["graph_bag_weights"][bags].tolist(),
            "bag_offsets": (batch["graph_bag_offsets"][nodes] - bags.start).tolist(),
            "edge_source": (batch["graph_edge_source"][edges] - first).tolist(),
            "edge_target": (batch["graph_edge_target"][edges] - first).tolist(),
            "edge_relation": batch["graph_edge_relation"][edges].tolist(),
            "token_node": torch.where(token_node >= 0, token_node - first, -1)[:length].tolist(),
        }


def test_a_batch_is_its_examples_side_by_side(several: list[PreparedExample], shared: Backbone) -> None:
    batch = Collator(0)(several)
    lengths = [len(example.input_ids) for example in several]
    assert batch["input_ids"].shape == batch["graph_token_node"].shape == (len(several), max(lengths))
    assert batch["attention_mask"].sum(1).tolist() == lengths
    assert (batch["graph_node_graph"].diff() >= 0).all()
    features = node_features(shared.embedding_weight, batch)
    for row, (example, part) in enumerate(zip(several, parts_of(batch, lengths), strict=True)):
        assert batch["input_ids"][row, :lengths[row]].tolist() == example.input_ids.tolist()
        assert (batch["input_ids"][row, lengths[row]:] == 0).all()
        for name, values in part.items():
            assert values == getattr(example.graph, name).tolist(), (row, name)
        alone = node_features(shared.embedding_weight, Collator(0)([example]))
        torch.testing.assert_close(features[batch["graph_node_graph"] == row], alone, rtol=0, atol=1e-6)


def test_the_graph_batch_has_the_fields_of_the_contract(several: list[PreparedExample], shared: Backbone) -> None:
    batch = Collator(0)(several)
    graphs = graph_batch(batch, node_features(shared.embedding_weight, batch))
    count = len(graphs.node_graph)
    assert graphs.batch_size == len(several) and graphs.features.shape == (count, tiny.WIDTH)
    for edges in (graphs.edge_source, graphs.edge_target):
        assert edges.dtype == torch.long and 0 <= edges.min() and edges.max() < count
    assert graphs.edge_relation.max() < RELATIONS.index("SELF")
    rows = torch.arange(len(several))[:, None].expand_as(graphs.token_node)
    aligned = graphs.token_node >= 0
    assert torch.equal(graphs.node_graph[graphs.token_node[aligned]], rows[aligned])


def test_labels_are_there_only_where_every_example_has_some(shared: Backbone) -> None:
    labelled = tiny.prepared(shared, tiny.examples(3))
    batch = Collator(0)(labelled)
    for row, example in enumerate(labelled):
        count = len(example.labels)
        assert batch["labels"][row, :count].tolist() == example.labels.tolist()
        assert (batch["labels"][row, count:] == IGNORED_LABEL).all()
    assert len({len(example.labels) for example in labelled}) > 1
    without = [PreparedExample(example.input_ids, None, example.graph) for example in labelled]
    assert "labels" not in Collator(0)(without)
    assert "labels" not in Collator(0)([labelled[0], *without[1:]])


# Preparation


def test_the_graph_is_of_the_text_that_the_model_sees(shared: Backbone) -> None:
    """Of the window, not of the whole source."""
    language, source = SOURCES["long"]
    report = PreparationReport()
    preparer = Preparer(shared, tiny.TASK, 40, 16)
    encoded, example = preparer.model_input(source, language, report)
    assert encoded.truncated and report.truncated == 1 and len(example.input_ids) == 40
    window, whole = extract(encoded.text, language), extract(source, language)
    expected = graph_arrays(window, encoded, NodeBags(shared.tokenizer))
    for name in ("bag_ids", "bag_weights", "edge_source", "edge_target", "edge_relation", "token_node"):
        assert getattr(example.graph, name).tolist() == getattr(expected, name).tolist()
    assert len(expected.bag_offsets) == len(window.nodes) < len(whole.nodes)
    assert max(window.nodes.end_byte) <= len(encoded.text.encode())


def test_the_report_counts_what_was_prepared(shared: Backbone) -> None:
    preparer, report = tiny.preparer(shared), PreparationReport()
    graphs = []
    for language, source in SOURCES.values():
        encoded, _ = preparer.model_input(source, language, report)
        graphs.append(extract(encoded.text, language))
    found = report.to_dict()
    assert found["examples"] == len(SOURCES) and found["nodes"] == sum(len(graph.nodes) for graph in graphs)
    assert sum(found["edges"].values()) == sum(len(graph.edges) for graph in graphs)
    assert report.with_diagnostics == sum(bool(graph.diagnostics) for graph in graphs) >= 2
    assert found["graph_milliseconds_per_example"] > 0 and found["graph_bytes"] > 0


def test_a_bag_takes_the_first_sixteen_tokens_of_a_long_node(shared: Backbone) -> None:
    bags = NodeBags(shared.tokenizer)
    token_ids = np.arange(100, 140)
    ids, weights, offsets = bags(["block", "identifier", "block"], np.array([0, 5, 7]), np.array([40, 6, 7]), token_ids)
    types = bags.type_ids("block").tolist()
    assert ids[offsets[0]:offsets[1]].tolist() == [*range(100, 116), *types]
    assert ids[offsets[1]] == 105
    assert ids[offsets[2]:].tolist() == types  # a node without text is its type alone
    np.testing.assert_allclose(weights[offsets[0]:offsets[1]], [0.5 / 16] * 16 + [0.5 / len(types)] * len(types))
    np.testing.assert_allclose(weights[offsets[2]:], 1 / len(types))
