"""The transducer: graph in, changed input embeddings out, a frozen model behind.

    X  = features(graph)              frozen, [N, D]
    H  = GVE(X, edges)                [N, r]
    E', s, b = ABFL(E[input_ids], H)  [B, k + T, D], role -> [B, P, w], role -> units
    answer = frozen model(E'), its keys, values and feed-forward blocks multiplied by s, and b added behind its blocks

and, with the part `beyond`, the model attends to what it has read apart of the text that the graph covers and its input lacks.

Only the GVE and the ABFL have parameters that are trained. With the default settings the model starts as the frozen
one behind `k` prompts: `W_o = 0`, `s = 1` and `b = 0`, so nothing else is changed until training changes it.
"""
from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from checkpoints import EMBEDDED_MODELS
from checkpoints.artefact import Artefact, read_artefact, write_artefact
from checkpoints.artefact_card import is_public

from .backbone import Backbone, load_backbone
from .compatibility import backbone_record, check_backbone
from .config import TransducerSettings, require_fields, resolve
from .errors import ConfigurationError
from .features import node_features
from .fusion import FusedInput, ReadApart, build_fusion, fusion_parts, sizes_within_budget
from .gve import GraphVectorizationEngine
from .gve.published import RANK as PUBLISHED_RANK
from .gve.published import PublishedVectorizationEngine
from .hub import located, push
from .adapted_model import InputModel, growing
from .places import Shape
from .tensors import Beyond, GraphBatch, graph_batch


class TransducerModel(InputModel):
    """A frozen backbone with a Graph Vectorization Engine and an Attention-Based Fusion Layer in front.

    `recorded` is what a saved transducer states beside settings, backbone and tensors: task, languages, results, run and
    licence, empty in a new one.

    Args:
        backbone: the frozen model.
        settings: fusion, layer, sizes; where these are 0, they are the largest within the paper's parameter budget.
        engine: of the graph layers: `auto`, `dgl` or `torch`; the numbers are the same.
    """

    settings_type = TransducerSettings
    sizes = (*growing("rank", 1, 2, directions=1, bottleneck=1), *growing("bottleneck", 2, 3, 4, 5, rank=3, directions=1),
             *growing("rank", 3, 4, 5, 6, 7, 8, directions=2, bottleneck=5), *growing("rank", *range(8, 17), directions=4, bottleneck=8),
             *growing("bottleneck", 12, 16, 20, 24, 32, 40, 48, 56, 64, 80, 96, 128, rank=16, directions=4),
             *growing("rank", 20, 24, 32, 48, 64, 96, 128, directions=4, bottleneck=128))
    reads_graph = True
    default_learning_rate = 1e-2
    slower_when_repeated = True
    search_space = {"rank": (4, 8, 12), "prompts": (5, 10, 20)}
    artefact = "transducer"

    def __init__(self, backbone: Backbone, settings: TransducerSettings, engine: str = "auto"):
        super().__init__(backbone, settings, engine)
        self.sized = with_sizes(settings, backbone.shape)
        self.gve = sized_gve(self.sized, backbone.width, engine)
        self.fusion = sized_fusion(self.sized, backbone.shape, backbone.embedding_scale, sampled_embeddings(backbone, settings.prompts))
        if "beyond" in fusion_parts(settings.fusion):
            if not settings.reach:
                raise ConfigurationError("the fusion part 'beyond' has nothing to read where graphs cover what the model reads; give "
                                         "--reach N, or leave it out of --fusion")
            backbone.require_reading_apart()
        self.recorded = dict(NOTHING_RECORDED)
        self._enabled = True

    @property
    def rank(self) -> int:
        """Width of the node vectors."""
        return self.sized.rank

    @property
    def added_positions(self) -> int:
        return self.fusion.added_positions

    def require_positions(self, source: int, target: int) -> None:
        apart = self.settings.reach if "beyond" in fusion_parts(self.settings.fusion) else 0
        self.backbone.require_positions(source, target, self.added_positions, apart)

    @property
    def task(self) -> str:
        """Name of the task that a loaded transducer was trained for."""
        return self.recorded["task"]

    @classmethod
    def make_settings(cls, given: dict, transducer: TransducerSettings) -> TransducerSettings:
        require_fields(TransducerSettings, given)
        if given.get("reach", transducer.reach) != transducer.reach:
            raise ConfigurationError(f"reach={given['reach']} stands behind a method, and how far graphs reach is one for all methods of "
                                     f"a command; give --reach {given['reach']} to the command")
        return resolve(TransducerSettings, asdict(transducer) | cls.fixed | given)

    def fused(self, input_ids: Tensor, attention_mask: Tensor, **graph: Tensor) -> FusedInput:
        """Input embeddings [B, k + T, D], mask [B, k + T] and changes of the layers for a collated batch."""
        embeddings = self.backbone.model.get_input_embeddings()(input_ids)
        if not self._enabled:
            return FusedInput(embeddings, attention_mask)
        graphs = replace(self._graphs(input_ids, graph), beyond=self._beyond(graph))
        return self.fusion(embeddings, attention_mask, self.gve(graphs), graphs)

    @torch.no_grad()
    def explain(self, input_ids: Tensor, attention_mask: Tensor, **graph: Tensor) -> dict[str, Tensor]:
        """By what weights the parts of the fusion read the nodes of a collated batch: see `CombinedFusion.explain`."""
        graphs = self._graphs(input_ids, graph)
        embeddings = self.backbone.model.get_input_embeddings()(input_ids)
        return self.fusion.explain(embeddings, attention_mask, self.gve(graphs), graphs)

    def _graphs(self, input_ids: Tensor, graph: dict[str, Tensor]) -> GraphBatch:
        batch = graph | {"input_ids": input_ids}
        return graph_batch(batch, node_features(self.backbone.embedding_weight, batch))

    def _beyond(self, graph: dict[str, Tensor]) -> Beyond | None:
        """The tokens beyond the window that the settings let through, for the part `beyond`."""
        if "beyond" not in fusion_parts(self.settings.fusion):
            return None
        ids, order = graph["graph_beyond_ids"], graph["graph_beyond_order"]  # [B, L], -1 behind shorter rows
        order = order[:, :self.settings.beyond or order.shape[1]]  # [B, K]
        places = order.clamp(min=0)
        mask = (ids >= 0).long()
        chosen = places[:, None, :, None]  # layers of a model may lie on several devices
        parts = tuple(part.gather(2, chosen.to(part.device).expand(-1, part.shape[1], -1, part.shape[3]))
                      for part in self.backbone.read_apart(ids.clamp(min=0), mask))
        return Beyond(ReadApart(parts, (order >= 0).long(), mask.sum(1)),
                      torch.where(order < 0, -1, graph["graph_beyond_node"].gather(1, places)))

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

    def save_pretrained(self, folder: Path | str, *, task: str | None = None, languages: Sequence[str] | None = None,
                        results: dict | None = None, run: dict | None = None, license: str | None = None,
                        limits: dict[str, int] | None = None, base_model: str = "") -> None:
        """Writes the three files of a transducer folder; a folder that exists is replaced whole.

        Args:
            base_model: the name under which those who load the transducer find its model; empty: as it was loaded here.
            others: those of `checkpoints.artefact.write_artefact`; what is None stays as it was loaded.
        """
        given = {"task": task, "languages": languages, "results": results, "run": run, "license": license,
                 "limits": limits}
        recorded = self.recorded | {name: value for name, value in given.items() if value is not None}
        backbone = backbone_record(self.backbone, multiplied=self.fusion.scales is not None, added=self.fusion.bottlenecks is not None)
        # A backbone that was lent for saving may compute in another precision than training did.
        for name in LENT_OTHERWISE:
            backbone[name] = recorded.pop(name) or backbone[name]
        if base_model and base_model != backbone["name"]:
            backbone |= {"name": base_model, "revision": None}
        write_artefact(Path(folder), self.tensors(), settings=self.sized.to_dict(), backbone=backbone,
                       **recorded)

    def push_to_hub(self, repo_id: str, *, revision: str | None = None, private: bool | None = None, token: str | None = None,
                    message: str = "", license: str | None = None, base_model: str = "") -> str:
        """Commits the transducer to a repository of the Hugging Face hub, see `hub.push`; the commit's address.

        Args:
            license, base_model: as in `save_pretrained`.

        Raises:
            HubError: it cannot be pushed; the message says why.
            ConfigurationError: the base model has no name that others could load it by.
        """
        name = base_model or self.backbone.name
        if not is_public(name) or not base_model and name not in EMBEDDED_MODELS and Path(name).is_dir():
            raise ConfigurationError(f"the base model of a transducer on the hub must have a name that others can load it by, got the "
                                     f"folder {name!r}; give its hub id (--base-model, base_model=)")
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "transducer"
            self.save_pretrained(folder, license=license, base_model=base_model)
            return push(folder, repo_id, revision=revision, private=private, token=token, message=message)

    @classmethod
    def from_pretrained(cls, folder: Path | str, backbone: Backbone | None = None, *, precision: str = "", quantize: str = "",
                        engine: str = "auto", allow_mismatch: bool = False, revision: str | None = None,
                        token: str | None = None) -> TransducerModel:
        """A saved transducer on its backbone, which is loaded by the name in the artefact unless one is given, and computes
        in the precision, quantised to the bits, that the transducer was trained in unless others are given.

        Args:
            folder: a transducer folder, or the id of a repository on the hub, such as user/name.
            revision, token: of that repository.
            allow_mismatch: takes a backbone with other weights, of the same width, family and tokenizer: a fine-tune of the
                model that the transducer was made for. One line of the log says what differs.

        Raises:
            MissingArtefactError, ArtefactContentError, ArtefactVersionError: the folder cannot be used.
            HubError: the repository cannot be had.
            BackboneMismatchError: the backbone is not the one that the transducer was made for.
        """
        artefact = read_artefact(located(folder, revision, token))
        made_for = artefact.config["backbone"]
        backbone = backbone or load_backbone(made_for["name"], precision or made_for["precision"], made_for["revision"],
                                             quantize=quantize or made_for["quantize"])
        matches = check_backbone(str(folder), made_for, backbone, allow_mismatch)
        model = cls(backbone, TransducerSettings.from_dict(artefact.config["settings"]), engine).to(backbone.device)
        model.method = "published" if model.settings.fusion == "published" else "transducer"
        model.recorded = {name: (made_for if name in LENT_OTHERWISE else artefact.config)[name] for name in NOTHING_RECORDED}
        if not matches:
            # Saved again, it states this backbone; the figures stay those of the other one.
            measured_on = {"model": made_for["name"], "model_fingerprint": made_for["fingerprint"]}
            model.recorded["run"] = measured_on | model.recorded["run"]
        model._restore(artefact)
        return model.eval()

    def _restore(self, artefact: Artefact) -> None:
        expected = self.trainable()
        artefact.check({name: tuple(parameter.shape) for name, parameter in expected.items()})
        with torch.no_grad():
            for name, parameter in expected.items():
                parameter.copy_(artefact.tensors[name])


LENT_OTHERWISE = ("precision", "quantize")
"""Facts of the backbone in training that need not hold of one that a saved transducer is put on."""

NOTHING_RECORDED = {"task": "", "languages": (), "limits": {}, "results": {}, "run": {}, "license": ""} | dict.fromkeys(LENT_OTHERWISE, "")
"""Facts of a transducer that was not loaded."""


def with_sizes(settings: TransducerSettings, shape: Shape) -> TransducerSettings:
    """The settings with the sizes that they leave open: the largest within the paper's parameter budget."""
    if settings.fusion == "published":
        return replace(settings, rank=settings.rank or PUBLISHED_RANK)
    sizes = sizes_within_budget(rank=settings.rank, directions=settings.directions, bottleneck=settings.bottleneck,
                                prompt_count=settings.prompts, fusion=settings.fusion, layer=settings.layer,
                                layer_count=settings.layer_count, heads=settings.heads, **shape._asdict())
    return replace(settings, **sizes._asdict())


def sized_gve(settings: TransducerSettings, width: int, engine: str) -> nn.Module:
    """The GVE for a backbone of a width; `settings.rank` is not 0."""
    if settings.fusion == "published":
        return PublishedVectorizationEngine(width, engine=engine)
    return GraphVectorizationEngine(width, settings.rank, layer=settings.layer, layer_count=settings.layer_count,
                                    heads=settings.heads, engine=engine, relations=settings.relations)


def sized_fusion(settings: TransducerSettings, shape: Shape, embedding_scale: float = 1.0,
                 initial_prompts: Tensor | None = None) -> nn.Module:
    """The ABFL for a backbone of a shape; `settings.rank` is not 0."""
    return build_fusion(settings.fusion, embedding_width=shape.width, rank=settings.rank, prompt_count=settings.prompts,
                        roles=shape.roles, directions=settings.directions, blocks=shape.blocks, bottleneck=settings.bottleneck,
                        embedding_scale=embedding_scale, initial_prompts=initial_prompts)


def trained_shapes(settings: TransducerSettings, shape: Shape) -> dict[str, tuple[int, ...]]:
    """Name -> shape of the tensors of a saved transducer with these settings; no backbone is needed."""
    parts = {"gve": sized_gve(settings, shape.width, "torch"), "fusion": sized_fusion(settings, shape)}
    return {f"{part}.{name}": tuple(parameter.shape) for part, module in parts.items()
            for name, parameter in module.named_parameters()}


def sampled_embeddings(backbone: Backbone, count: int) -> Tensor | None:
    """[count, D] embeddings of tokens drawn from the vocabulary, a better start for prompts than noise (Lester et al., 2021)."""
    if not count:
        return None
    weight = backbone.embedding_weight
    return weight[torch.randint(len(weight), (count,), device=weight.device)].detach().float()
