"""Negative controls: transducers whose graphs are wrong. What they gain is not the graph's doing.

Each is the transducer with one thing spoilt in training, validation and test alike, so that it may learn to live with it:

    other-graph        every example has the graph of another one
    mirrored-edges     every edge ends at another node than it should, as many of each kind
    random-features    node vectors that say nothing of the node
"""
from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ..model import TransducerModel
from ..tensors import GraphBatch, PreparedExample
from .saving import OwnTensors

RANDOM_ROWS = 4096


class Control(OwnTensors, TransducerModel):
    """A transducer that is saved as a method of its own: no command takes it for one that reads true graphs."""

    artefact = "adapter"

    def save_pretrained(self, folder, **facts):
        if Path(folder).exists():
            shutil.rmtree(folder)
        self.save(folder)


class OtherGraph(Control):
    """The graph is that of the example half of the data set away; tokens are covered by its nodes as by their own."""

    method = "other-graph"
    remark = "control: each example has the graph of another one"

    def seen(self, examples):
        half = len(examples) // 2
        return [_with_graph(example, examples[(place + half) % len(examples)]) for place, example in enumerate(examples)]


class MirroredEdges(Control):
    """An edge to the node that is `n`-th from the graph's first ends at the one that is `n`-th from its last."""

    method = "mirrored-edges"
    remark = "control: edges end at wrong nodes"

    def _graphs(self, input_ids, graph):
        graphs = super()._graphs(input_ids, graph)
        counts = torch.bincount(graphs.node_graph, minlength=graphs.batch_size)  # [B]
        last = counts.cumsum(0) - 1
        ends = (2 * last - counts + 1)[graphs.node_graph[graphs.edge_target]]  # the graph's first node plus its last, [E]
        return replace(graphs, edge_target=ends - graphs.edge_target)


class RandomFeatures(Control):
    """A node's vector depends on its number in the graph alone, and is drawn once for all."""

    method = "random-features"
    remark = "control: node vectors that say nothing of the node"

    def __init__(self, backbone, settings, engine="auto"):
        super().__init__(backbone, settings, engine)
        with torch.device("cpu"):
            drawn = torch.randn(RANDOM_ROWS, backbone.width, generator=torch.Generator().manual_seed(0))
        self.register_buffer("drawn", drawn, persistent=False)

    def _graphs(self, input_ids, graph):
        graphs: GraphBatch = super()._graphs(input_ids, graph)
        counts = torch.bincount(graphs.node_graph, minlength=graphs.batch_size)
        first = (counts.cumsum(0) - counts)[graphs.node_graph]  # [N]
        number = torch.arange(len(first), device=first.device) - first
        return replace(graphs, features=self.drawn.to(first.device)[number % RANDOM_ROWS])


def _with_graph(example: PreparedExample, other: PreparedExample) -> PreparedExample:
    covering = np.full(len(example.input_ids), -1, dtype=np.int64)
    shared = min(len(covering), len(other.input_ids))
    covering[:shared] = other.graph.token_node[:shared]
    return replace(example, graph=replace(other.graph, token_node=covering))
