"""Method `transducer`, its ablations, and `published`: see `transducer.model`. An ablation is a transducer with one thing fixed."""
from __future__ import annotations

from ..fusion import INPUT_FUSION
from ..model import TransducerModel


class Transducer(TransducerModel):
    """Graph Vectorization Engine and Attention-Based Fusion Layer, as the settings say."""

    method = "transducer"


class WithoutEngine(TransducerModel):
    """No GVE: the fusion reads the projected node features, and no message is passed."""

    method = "no-gve"
    fixed = {"layer_count": 0}
    artefact = "adapter"
    remark = "no graph network: projected node features go to the fusion"


class WithoutFusionLayer(TransducerModel):
    """No ABFL: every token reads the mean of its graph's node vectors."""

    method = "no-abfl"
    fixed = {"fusion": "pooled+residual+scales+bottlenecks"}
    search_space = {"rank": (8, 12, 16)}
    artefact = "adapter"
    remark = "no attention, alignment or prompts: every token reads the graph's mean vector"


class InputOnly(TransducerModel):
    """Nothing behind the input is changed, as in the paper."""

    method = "input-only"
    fixed = {"fusion": INPUT_FUSION}
    artefact = "adapter"
    remark = "nothing behind the input is changed"


class WithoutScales(TransducerModel):
    """Something is added behind blocks, and nothing inside of them is multiplied."""

    method = "no-scales"
    fixed = {"fusion": f"{INPUT_FUSION}+bottlenecks"}
    artefact = "adapter"
    remark = "nothing inside the layers is multiplied"


class WithoutBottlenecks(TransducerModel):
    """What is inside the layers is multiplied, and nothing is added to it."""

    method = "no-bottlenecks"
    fixed = {"fusion": f"{INPUT_FUSION}+scales"}
    artefact = "adapter"
    remark = "nothing is added behind the blocks of the model"


class LinearEngine(TransducerModel):
    """The GVE with a linear map in the place of each graph layer."""

    method = "linear-gve"
    fixed = {"layer": "linear"}
    artefact = "adapter"
    remark = "graph layers replaced by linear maps of each node"


class WithoutEdges(TransducerModel):
    """Graph layers that see every node alone, by its edge to itself."""

    method = "no-edges"
    fixed = {"relations": ""}
    artefact = "adapter"
    remark = "graph layers without edges between nodes: attention over a single edge has nothing to learn"


class SyntaxOnly(TransducerModel):
    """Messages along the edges of the syntax tree alone."""

    method = "ast-only"
    fixed = {"relations": "AST"}
    artefact = "adapter"
    remark = "messages along syntax edges only"


class WithoutAlignment(TransducerModel):
    """Tokens find their nodes by attention alone."""

    method = "no-align"
    fixed = {"fusion": "attention+residual+prompts+scales+bottlenecks"}
    artefact = "adapter"
    remark = "without the part that reads the node covering a token"


class WithoutResidual(TransducerModel):
    """Tokens have nothing but what they read from the graph."""

    method = "no-residual"
    fixed = {"fusion": "attention+aligned+prompts+scales+bottlenecks"}
    artefact = "adapter"
    remark = "without the residual of a token's own embedding"


class PublishedTransducer(TransducerModel):
    """The paper's released code as it is: its fusion never reads the graph, and replaces the embeddings."""

    method = "published"
    fixed = {"fusion": "published"}
    sizes = ()  # its geometry is that of the paper
    artefact = "adapter"
    default_learning_rate = 1e-2
    slower_when_repeated = False
    search_space = {}
    remark = "the fusion of the paper's code, which never reads the graph"
