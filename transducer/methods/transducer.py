"""Methods `transducer` and `published`: see `transducer.model`."""
from __future__ import annotations

from dataclasses import replace

from ..model import TransducerModel


class Transducer(TransducerModel):
    """Graph Vectorization Engine and Attention-Based Fusion Layer, as the settings say."""

    method = "transducer"


class PublishedTransducer(TransducerModel):
    """The paper's released code as it is: its fusion never reads the graph, and replaces the embeddings."""

    method = "published"
    artefact = "adapter"
    default_learning_rate = 1e-2
    remark = "the fusion of the paper's code, which never reads the graph"

    def __init__(self, backbone, settings, engine="auto"):
        super().__init__(backbone, replace(settings, fusion="published"), engine)
