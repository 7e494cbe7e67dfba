"""The transducer: graph in, changed input embeddings out, a frozen model behind.

    X  = features(graph)              frozen, [N, D]
    H  = GVE(X, edges)                [N, r]
    E' = ABFL(E[input_ids], H)        [B, k + T, D]
    answer = frozen model(E')

Only the GVE and the ABFL have parameters that are trained. With the default settings the model starts as the frozen
one behind `k` prompts: `W_o = 0`, so no token's embedding is changed until training changes it.
"""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from checkpoints.artefact import Artefact, read_artefact, write_artefact

from .backbone import Backbone, load_backbone
from .config import TransducerSettings, require_fields, resolve
from .errors import BackboneMismatchError
from .features import node_features
from .fusion import build_fusion, rank_within_budget
from .gve import GraphVectorizationEngine
from .gve.published import RANK as PUBLISHED_RANK
from .gve.published import PublishedVectorizationEngine
from .adapted_model import InputModel
from .tensors import graph_batch


class TransducerModel(InputModel):
    """A frozen backbone with a Graph Vectorization Engine and an Attention-Based Fusion Layer in front.

    `task` is the name of the task that a loaded transducer was trained for.

    Args:
        backbone: the frozen model.
        settings: fusion, layer, sizes; `rank=0` takes the largest rank within the paper's parameter budget.
        engine: of the graph layers: `auto`, `dgl` or `torch`; the numbers are the same.
    """

    settings_type = TransducerSettings
    sizes = ("rank", (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 128))
    reads_graph = True
    default_learning_rate = 1e-2
    search_space = {"rank": (8, 12, 16), "prompts": (5, 10, 20)}
    artefact = "transducer"

    def __init__(self, backbone: Backbone, settings: TransducerSettings, engine: str = "auto"):
        super().__init__(backbone, settings, engine)
        width = backbone.width
        published = settings.fusion == "published"
        self.rank = settings.rank or (PUBLISHED_RANK if published else rank_within_budget(
            width, prompt_count=settings.prompts, fusion=settings.fusion, layer=settings.layer,
            layer_count=settings.layer_count, heads=settings.heads))
        self.gve = (PublishedVectorizationEngine(width, engine=engine) if published else GraphVectorizationEngine(
            width, self.rank, layer=settings.layer, layer_count=settings.layer_count, heads=settings.heads, engine=engine,
            relations=settings.relations))
        self.fusion = build_fusion(
            settings.fusion, embedding_width=width, rank=self.rank, prompt_count=settings.prompts,
            embedding_scale=backbone.embedding_scale, initial_prompts=sampled_embeddings(backbone, settings.prompts))
        self.task = ""
        self._enabled = True

    @classmethod
    def make_settings(cls, given: dict, transducer: TransducerSettings) -> TransducerSettings:
        require_fields(TransducerSettings, given)
        return resolve(TransducerSettings, asdict(transducer) | cls.fixed | given)

    def fused(self, input_ids: Tensor, attention_mask: Tensor, **graph: Tensor) -> tuple[Tensor, Tensor]:
        """Input embeddings [B, k + T, D] and mask [B, k + T] of a collated batch."""
        embeddings = self.backbone.model.get_input_embeddings()(input_ids)
        if not self._enabled:
            return embeddings, attention_mask
        batch = graph | {"input_ids": input_ids}
        graphs = graph_batch(batch, node_features(self.backbone.embedding_weight, batch))
        return self.fusion(embeddings, attention_mask, self.gve(graphs), graphs)

    @contextmanager
    def disabled(self) -> Iterator[None]:
        self._enabled = False
        try:
            yield
        finally:
            self._enabled = True

    def tensors(self) -> dict[str, Tensor]:
        return {name: parameter.detach().cpu().contiguous() for name, parameter in self.trainable().items()}

    def save(self, folder: Path) -> None:
        self.save_pretrained(folder)

    def load(self, folder: Path) -> None:
        self._restore(read_artefact(folder))

    def save_pretrained(self, folder: Path | str, *, task: str = "", languages: tuple[str, ...] = (),
                        results: dict | None = None) -> None:
        """Writes the three files of a transducer folder; a folder that exists is replaced whole."""
        write_artefact(Path(folder), self.tensors(), settings=self.settings.to_dict() | {"rank": self.rank},
                       backbone={"name": self.backbone.name, "revision": self.backbone.revision,
                                 "fingerprint": self.backbone.fingerprint, "width": self.backbone.width,
                                 "precision": self.backbone.precision},
                       task=task, languages=languages, results=results or {})

    @classmethod
    def from_pretrained(cls, folder: Path | str, backbone: Backbone | None = None, *, precision: str = "",
                        engine: str = "auto") -> TransducerModel:
        """A saved transducer on its backbone, which is loaded by the name in the artefact unless one is given, and
        computes in the precision that the transducer was trained in unless another is.

        Raises:
            MissingArtefactError, ArtefactContentError, ArtefactVersionError: the folder cannot be used.
            BackboneMismatchError: the backbone is not the one that the transducer was made for.
        """
        artefact = read_artefact(Path(folder))
        made_for = artefact.config["backbone"]
        backbone = backbone or load_backbone(made_for["name"], precision or made_for["precision"], made_for["revision"])
        if backbone.fingerprint != made_for["fingerprint"]:
            raise BackboneMismatchError(
                f"transducer {folder} was made for {made_for['name']} (weights {made_for['fingerprint'][:12]}), got "
                f"{backbone.name} (weights {backbone.fingerprint[:12]}); give that model, or train again on this one")
        model = cls(backbone, TransducerSettings.from_dict(artefact.config["settings"]), engine).to(backbone.device)
        model.method = "published" if model.settings.fusion == "published" else "transducer"
        model.task = artefact.config["task"]
        model._restore(artefact)
        return model.eval()

    def _restore(self, artefact: Artefact) -> None:
        expected = self.trainable()
        artefact.check({name: tuple(parameter.shape) for name, parameter in expected.items()})
        with torch.no_grad():
            for name, parameter in expected.items():
                parameter.copy_(artefact.tensors[name])


def sampled_embeddings(backbone: Backbone, count: int) -> Tensor | None:
    """[count, D] embeddings of tokens drawn from the vocabulary, a better start for prompts than noise (Lester et al., 2021)."""
    if not count:
        return None
    weight = backbone.embedding_weight
    return weight[torch.randint(len(weight), (count,), device=weight.device)].detach().float()
