"""Negative controls: what is spoilt, and that nothing else is."""
from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch

from checkpoints.errors import MissingArtefactError
from tests.transducer import tiny
from transducer.backbone import Backbone, load_backbone
from transducer.config import TransducerSettings
from transducer.evaluate import predict
from transducer.methods import build_method
from transducer.model import TransducerModel
from transducer.trainer import evaluation_loss


@pytest.fixture()
def backbone(model_folder: Path) -> Backbone:
    return load_backbone(str(model_folder), "float32", device="cpu")


def graphs_of(method: str, backbone: Backbone):
    batch = tiny.batch_of(backbone, tiny.examples(3))
    model = build_method(method, backbone, TransducerSettings())
    return model._graphs(batch["input_ids"], {name: tensor for name, tensor in batch.items() if name.startswith("graph_")})


def test_each_example_has_the_graph_of_another(backbone: Backbone) -> None:
    prepared = tiny.prepared(backbone, tiny.examples(5))
    seen = build_method("other-graph", backbone, TransducerSettings()).seen(prepared)
    assert [len(example.graph.token_node) for example in seen] == [len(example.input_ids) for example in prepared]
    for place, (example, own) in enumerate(zip(seen, prepared)):
        other = prepared[(place + 2) % 5]
        assert example.graph.bag_ids is other.graph.bag_ids and example.graph.edge_source is other.graph.edge_source
        assert example.input_ids is own.input_ids and example.labels is own.labels
        assert example.graph.token_node.max() < len(example.graph.bag_offsets)
    assert [len(example.graph.bag_offsets) for example in seen] != [len(example.graph.bag_offsets) for example in prepared]


def test_losses_and_answers_are_of_the_other_graphs(backbone: Backbone) -> None:
    torch.manual_seed(0)
    control = build_method("other-graph", backbone, TransducerSettings())
    with torch.no_grad():
        for parameter in control.trainable().values():
            parameter.add_(0.1 * torch.randn_like(parameter))
    plain = build_method("transducer", backbone, TransducerSettings())
    plain.load_state_dict(control.state_dict())
    examples = tiny.examples(6)
    prepared = tiny.prepared(backbone, examples)
    assert evaluation_loss(control, prepared, 4) == evaluation_loss(plain, control.seen(prepared), 4)
    assert evaluation_loss(control, prepared, 4) != evaluation_loss(plain, prepared, 4)
    sources = [(example.source, example.language) for example in examples]
    answers = [predict(model, tiny.preparer(backbone), sources, beams=1) for model in (control, plain)]
    assert len(answers[0]) == 6 and answers[0] != answers[1]


def test_mirrored_edges_stay_in_their_graph_and_are_as_many_of_each_kind(backbone: Backbone) -> None:
    true, wrong = graphs_of("transducer", backbone), graphs_of("mirrored-edges", backbone)
    assert torch.equal(wrong.node_graph[wrong.edge_target], true.node_graph[true.edge_target])
    assert torch.equal(wrong.edge_source, true.edge_source) and torch.equal(wrong.edge_relation, true.edge_relation)
    for row in range(3):
        nodes = (true.node_graph == row).nonzero().flatten()
        mine = true.node_graph[true.edge_target] == row
        assert torch.equal(wrong.edge_target[mine] + true.edge_target[mine], (nodes[0] + nodes[-1]).expand(int(mine.sum())))
    edges = [set(zip(each.edge_source.tolist(), each.edge_target.tolist())) for each in (true, wrong)]
    assert len(edges[0] & edges[1]) < len(edges[0]) / 10
    assert sorted(Counter(true.edge_target.tolist()).values()) == sorted(Counter(wrong.edge_target.tolist()).values())


def test_random_features_depend_on_the_number_of_a_node_alone(backbone: Backbone) -> None:
    true, wrong = graphs_of("transducer", backbone), graphs_of("random-features", backbone)
    assert wrong.features.shape == true.features.shape
    firsts = [int((wrong.node_graph == row).nonzero()[0]) for row in range(3)]
    for number in range(5):
        rows = wrong.features[[first + number for first in firsts]]
        assert torch.equal(rows, rows[:1].expand(3, -1))
    assert len(wrong.features.unique(dim=0)) == max(Counter(wrong.node_graph.tolist()).values())
    assert torch.equal(graphs_of("random-features", backbone).features, wrong.features)
    assert "drawn" not in build_method("random-features", backbone, TransducerSettings()).state_dict()


@pytest.mark.parametrize("method", ["other-graph", "mirrored-edges", "random-features"])
def test_no_command_takes_a_control_for_a_transducer(method: str, backbone: Backbone, tmp_path: Path) -> None:
    model = build_method(method, backbone, TransducerSettings())
    for _ in range(2):
        model.save_pretrained(tmp_path / "saved", task="assert", results={})
    with pytest.raises(MissingArtefactError, match="no transducer_config.json"):
        TransducerModel.from_pretrained(tmp_path / "saved", backbone)
    again = build_method(method, backbone, TransducerSettings())
    again.load(tmp_path / "saved")
    assert all(torch.equal(tensor, model.trainable()[name]) for name, tensor in again.trainable().items())
