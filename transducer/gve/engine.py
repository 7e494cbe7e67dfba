"""Message passing on one batched graph, in two engines with the same results.

A layer is written once, against :class:`MessageGraph`; the engine decides how its sums over edges are computed:

* ``dgl``: the fused sparse kernels of the Deep Graph Library (Wang et al. 2019, arXiv 1909.01315). Nothing of the
  size ``[E, r]`` is kept for the weighted sum, which makes it the leaner one. On a CPU it is also the faster one for
  attention; the other layers take about as long in both.
* ``torch``: ``index_select``, ``scatter_reduce`` and ``index_add``; works wherever torch does.
* ``auto``: ``dgl`` where it is installed and runs on the tensors' device and number format, else ``torch``. The
  wheels of the package registry are built for the CPU only, so on an accelerator this usually means ``torch``.

All examples of a batch are one graph without edges between them, built once a forward pass. Nothing loops over
examples. ``dgl`` is imported at its first use, never when this module is.
"""

from __future__ import annotations

import functools
import importlib
import os
import warnings
from abc import ABC, abstractmethod
from types import ModuleType
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from transducer.errors import DependencyError, ShapeError, UnknownNameError
from transducer.gve.relations import FORWARD_COUNT, RELATIONS

if TYPE_CHECKING:
    from transducer.tensors import GraphBatch


class MessageGraph(ABC):
    """The edges of a batch, a self edge for every node appended, and the sums that layers are made of.

    Args:
        node_count: ``N``.
        edge_source, edge_target: node indices, ``[E']``, integer; a message goes from source to target.
        edge_relation: kind of each edge, ``[E']``, integer, below ``relation_count - 1``, which is that of self edges.
        relation_count: kinds of edge, the self edge included; ``len(RELATIONS)`` where all are there.

    Attributes:
        node_count: ``N``.
        source, target, relation: the given edges followed by one self edge a node, ``[E]`` with ``E = E' + N``.

    In the methods, ``*`` is any shape and values broadcast against weights as torch tensors do.
    """

    def __init__(self, node_count: int, edge_source: Tensor, edge_target: Tensor, edge_relation: Tensor,
                 relation_count: int = len(RELATIONS)) -> None:
        shapes = [tuple(edges.shape) for edges in (edge_source, edge_target, edge_relation)]
        if len(shapes[0]) != 1 or len(set(shapes)) != 1:
            raise ShapeError(
                f"edge sources, targets and relations have shapes {shapes[0]}, {shapes[1]}, {shapes[2]}; expected "
                "three one-dimensional tensors of one length; pass one entry an edge in each"
            )
        nodes = torch.arange(node_count, device=edge_source.device, dtype=edge_source.dtype)
        self.node_count = node_count
        self.relation_count = relation_count
        self.source = torch.cat((edge_source, nodes))  # [E]
        self.target = torch.cat((edge_target, nodes))  # [E]
        self.relation = torch.cat((edge_relation, torch.full_like(nodes, relation_count - 1)))  # [E]

    @functools.cached_property
    def in_degree(self) -> Tensor:
        """Edges into each node, the self edge included, so at least one; ``[N]``, integer."""
        return torch.bincount(self.target, minlength=self.node_count)

    @functools.cached_property
    def out_degree(self) -> Tensor:
        """Edges out of each node, the self edge included, so at least one; ``[N]``, integer."""
        return torch.bincount(self.source, minlength=self.node_count)

    @functools.cached_property
    def relation_in_degree(self) -> Tensor:
        """For each edge, how many edges of its relation enter its target; ``[E]``, integer, at least one."""
        return self.relation_in_counts.view(-1)[self._slot]

    @functools.cached_property
    def relation_in_counts(self) -> Tensor:
        """Edges of each relation into each node; ``[N, relation_count]``, integer."""
        counts = torch.bincount(self._slot, minlength=self.node_count * self.relation_count)
        return counts.view(self.node_count, self.relation_count)

    @functools.cached_property
    def _slot(self) -> Tensor:
        """A number for each pair of target and relation; ``[E]``, integer."""
        return self.target * self.relation_count + self.relation

    def of_relation(self, table: Tensor) -> Tensor:
        """The row of ``table`` ``[relation_count, r]`` that belongs to each edge's relation, ``[E, r]``."""
        return table.index_select(0, self.relation)

    def relation_sum(self, edge_values: Tensor) -> Tensor:
        """Sum over the edges of each relation into a node: ``[E, *]`` gives ``[N, relation_count, *]``."""
        shape = edge_values.shape[1:]
        zeros = edge_values.new_zeros(self.node_count * self.relation_count, *shape)
        return zeros.index_add(0, self._slot, edge_values).view(self.node_count, self.relation_count, *shape)

    @abstractmethod
    def source_plus_target(self, source_values: Tensor, target_values: Tensor) -> Tensor:
        """For each edge, its source's row plus its target's row: two ``[N, *]`` give ``[E, *]``."""

    @abstractmethod
    def source_plus_edge(self, source_values: Tensor, edge_values: Tensor) -> Tensor:
        """For each edge, its source's row plus its own: ``[N, *]`` and ``[E, *]`` give ``[E, *]``."""

    @abstractmethod
    def softmax(self, scores: Tensor) -> Tensor:
        """Softmax over the edges that enter a node: ``[E, *]`` gives ``[E, *]``, which sums to one at every target."""

    @abstractmethod
    def weighted_sum(self, source_values: Tensor, edge_weights: Tensor) -> Tensor:
        """Sum over the edges into a node of source row times edge weight: ``[N, *]`` and ``[E, *]`` give ``[N, *]``."""

    @abstractmethod
    def edge_sum(self, edge_values: Tensor) -> Tensor:
        """Sum over the edges into a node of their values: ``[E, *]`` gives ``[N, *]``."""


class TorchMessageGraph(MessageGraph):
    """Message passing with torch's own gather and scatter operations."""

    def source_plus_target(self, source_values: Tensor, target_values: Tensor) -> Tensor:
        return source_values.index_select(0, self.source) + target_values.index_select(0, self.target)

    def source_plus_edge(self, source_values: Tensor, edge_values: Tensor) -> Tensor:
        return source_values.index_select(0, self.source) + edge_values

    def softmax(self, scores: Tensor) -> Tensor:
        index = self.target.view(-1, *[1] * (scores.dim() - 1)).expand_as(scores)
        lowest = scores.new_full((self.node_count, *scores.shape[1:]), -torch.inf)
        highest = lowest.scatter_reduce(0, index, scores.detach(), "amax")  # [N, *]
        exponentials = (scores - highest.index_select(0, self.target)).exp()  # [E, *]
        return exponentials / self.edge_sum(exponentials).index_select(0, self.target)

    def weighted_sum(self, source_values: Tensor, edge_weights: Tensor) -> Tensor:
        return self.edge_sum(source_values.index_select(0, self.source) * edge_weights)

    def edge_sum(self, edge_values: Tensor) -> Tensor:
        zeros = edge_values.new_zeros(self.node_count, *edge_values.shape[1:])
        return zeros.index_add(0, self.target, edge_values)


class DglMessageGraph(MessageGraph):
    """Message passing with the fused kernels of dgl."""

    def __init__(self, node_count: int, edge_source: Tensor, edge_target: Tensor, edge_relation: Tensor,
                 relation_count: int = len(RELATIONS)) -> None:
        super().__init__(node_count, edge_source, edge_target, edge_relation, relation_count)
        dgl = _require_dgl()
        self._operations = dgl.ops
        self._graph = dgl.graph((self.source, self.target), num_nodes=node_count)

    def source_plus_target(self, source_values: Tensor, target_values: Tensor) -> Tensor:
        return self._operations.u_add_v(self._graph, source_values, target_values)

    def source_plus_edge(self, source_values: Tensor, edge_values: Tensor) -> Tensor:
        return self._operations.u_add_e(self._graph, source_values, edge_values)

    def softmax(self, scores: Tensor) -> Tensor:
        return self._operations.edge_softmax(self._graph, scores)

    def weighted_sum(self, source_values: Tensor, edge_weights: Tensor) -> Tensor:
        return self._operations.u_mul_e_sum(self._graph, source_values, edge_weights)

    def edge_sum(self, edge_values: Tensor) -> Tensor:
        return self._operations.copy_e_sum(self._graph, edge_values)


ENGINES: dict[str, type[MessageGraph]] = {"dgl": DglMessageGraph, "torch": TorchMessageGraph}
"""Engines by name. Settings also accept ``auto``."""


def check_engine(name: str) -> str:
    """``name``, once it is known to be usable.

    Raises:
        UnknownNameError: it is neither ``auto`` nor in ``ENGINES``.
        DependencyError: it is ``dgl``, which cannot be imported.
    """
    if name != "auto" and name not in ENGINES:
        raise UnknownNameError.among("graph engine", name, ("auto", *ENGINES))
    if name == "dgl":
        _require_dgl()
    return name


def connect(batch: GraphBatch, engine: str, like: Tensor, forward_only: bool = False,
            relation_count: int = len(RELATIONS)) -> MessageGraph:
    """The message-passing graph of a whole batch.

    Args:
        batch: the graphs; only the number of nodes and the edges are read.
        engine: ``auto``, ``dgl`` or ``torch``.
        like: a tensor on the device and in the number format that messages will have.
        forward_only: leave out the edges that are walked backwards.
        relation_count: kinds of edge that the batch tells apart, the self edge included.

    Raises:
        UnknownNameError: ``engine`` is in no table.
        DependencyError: ``dgl`` was asked for and cannot be imported, or has no build for the device or number
            format.
        ShapeError: the edge tensors do not fit together.
    """
    edges = (batch.edge_source, batch.edge_target, batch.edge_relation)
    if forward_only:
        kept = batch.edge_relation < FORWARD_COUNT
        edges = tuple(part[kept] for part in edges)
    name = _select(engine, like.device.type, like.dtype)
    return ENGINES[name](batch.features.shape[0], *edges, relation_count)


def _select(engine: str, device_type: str, dtype: torch.dtype) -> str:
    check_engine(engine)
    if engine == "torch":
        return engine
    obstacle = _dgl_obstacle(device_type, dtype)
    if engine == "dgl" and obstacle:
        raise DependencyError(
            f"graph engine 'dgl' cannot run on {device_type} with {dtype}: {obstacle}; expected a dgl build for it; "
            "choose engine 'auto' or 'torch'"
        )
    return "torch" if obstacle else "dgl"


def _require_dgl() -> ModuleType:
    module, obstacle = _import_dgl()
    if module is None:
        raise DependencyError(
            f"graph engine 'dgl' cannot be used: {obstacle}; expected an importable dgl with its torch backend; "
            "pip install dgl packaging scipy, or choose engine 'auto' or 'torch'"
        )
    return module


@functools.cache
def _import_dgl() -> tuple[ModuleType | None, str]:
    """The module, or ``None`` and the reason why not; tried once a process.

    With ``DGLBACKEND`` unset, dgl prints a notice and writes a configuration file into the user's home, hence the
    variable for as long as the import lasts. Its old dependencies warn at import; a caller can do nothing about that.
    """
    previous = os.environ.get("DGLBACKEND")
    os.environ["DGLBACKEND"] = "pytorch"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = importlib.import_module("dgl")
    except Exception as error:  # a broken installation fails in many ways: missing modules, missing or wrong libraries
        return None, _one_line(error)
    finally:
        if previous is None:
            del os.environ["DGLBACKEND"]
        else:
            os.environ["DGLBACKEND"] = previous
    backend = module.backend.backend_name
    return (module, "") if backend == "pytorch" else (None, f"it is already imported with the backend {backend!r}")


@functools.cache
def _dgl_obstacle(device_type: str, dtype: torch.dtype) -> str:
    """Why dgl cannot pass messages on this kind of device in this number format; empty where it can.

    Found by passing one message, since dgl tells neither which devices nor which formats its build has.
    """
    module, obstacle = _import_dgl()
    if module is None:
        return obstacle
    try:
        node = torch.zeros(1, dtype=torch.long, device=device_type)
        value = torch.ones(1, 1, 1, dtype=dtype, device=device_type)
        graph = module.graph((node, node), num_nodes=1)
        module.ops.u_mul_e_sum(graph, value, module.ops.edge_softmax(graph, value))
    except Exception as error:  # dgl raises its own error for a missing kernel, torch several for a missing device
        return _one_line(error)
    return ""


def _one_line(error: Exception) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0] if text else 'no message'}"
