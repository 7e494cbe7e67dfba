"""The contract of every method of adaptation: what is trained, what stays, what is saved and comes back."""
from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from checkpoints.artefact import folder_bytes
from checkpoints.errors import ArtefactContentError, MissingArtefactError
from tests.transducer import tiny
from tests.transducer.tables import METHODS_OF_EVERY_FAMILY
from transducer.adapted_model import AdaptedModel
from transducer.backbone import Backbone, load_backbone, weight_fingerprint
from transducer.config import TrainSettings, TransducerSettings
from transducer.errors import UnknownNameError
from transducer.methods import METHODS, build_method, method_class
from transducer.methods.controls import Control
from transducer.methods.peft_methods import PeftMethod
from transducer.methods.saving import OwnTensors
from transducer.tensors import IGNORED_LABEL
from transducer.trainer import fit

LEARNERS = [name for name in METHODS_OF_EVERY_FAMILY if name != "none"]
TRANSDUCERS = [name for name in METHODS_OF_EVERY_FAMILY if method_class(name).reads_graph]
CLOSE = {"rtol": 1e-4, "atol": 1e-5}
"""float32 sums taken in another order, over logits near 1."""

DEAD_IN_PUBLISHED = {"fusion.query.weight", "fusion.key.weight", "fusion.graph_norm.weight", "gve.norm.weight",
                     "gve.down.weight", "gve.layer.source.weight", "gve.layer.target.weight", "gve.layer.attention",
                     "gve.up.weight"}
"""What the paper's code trains in name only (docstring of transducer.fusion.published)."""
DEAD_WITHOUT_EDGES = {f"gve.layers.{layer}.{name}" for layer in range(2)
                      for name in ("target_weight", "attention", "relation_key")}
"""Attention over the self edge alone is 1 whatever these are."""
SPARSE = ("full", "p-tuning")
"""Methods with numbers that some batches do not reach: embeddings of words that they do not hold, units that ReLU silences."""
LIVE_IN_PUBLISHED = {"fusion.token_norm.weight", "fusion.value.weight", "fusion.out.weight"}


@dataclass
class Trained:
    """A method after five steps of the real trainer, what the base weights were before, and where it was saved."""

    method: str
    model: AdaptedModel
    backbone: Backbone
    base_before: dict[str, torch.Tensor]
    base_after: dict[str, torch.Tensor]
    frozen_while_training: bool
    with_gradient: int
    folder: Path


def build(method: str, folder: Path, seed: int = 0, engine: str = "auto") -> AdaptedModel:
    torch.manual_seed(seed)
    return build_method(method, load_backbone(str(folder), "float32", device="cpu"), TransducerSettings(), engine)


def base_tensors(model: AdaptedModel) -> dict[str, torch.Tensor]:
    """Copies of the backbone's own tensors under their own names, wherever a method has moved them."""
    trained = set(map(id, model.trainable().values()))
    return {name.replace(".base_layer", ""): parameter.detach().clone()
            for name, parameter in model.backbone.model.named_parameters()
            if id(parameter) not in trained and ".ranknum." not in name}  # a constant of AdaLoRA


@pytest.fixture(scope="module", params=METHODS_OF_EVERY_FAMILY)
def trained(request: pytest.FixtureRequest, model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    method, folder = request.param, tmp_path_factory.mktemp("trained")
    model = build(method, model_folder)
    before = base_tensors(model)
    training = model.train()
    frozen = not any(module.training for module in training.backbone.model.modules()
                     if isinstance(module, torch.nn.Dropout) and "lora_dropout" not in owners(model, module))
    with_gradient = 0
    if method != "none":
        settings = TrainSettings(epochs=1, batch_size=8)
        trainer = fit(model, tiny.prepared(model.backbone, tiny.examples(40)),
                      tiny.prepared(model.backbone, tiny.examples(8, 48)), settings, 0, folder / "checkpoints",
                      lambda entry: None, progress=False)
        assert trainer.state.global_step == 5
        with_gradient = trainer.parameters_with_gradient
    model.eval()
    model.save(folder / "saved")
    return Trained(method, model, model.backbone, before, base_tensors(model), frozen, with_gradient, folder / "saved")


def owners(model: AdaptedModel, wanted: torch.nn.Module) -> str:
    return next(name for name, module in model.named_modules() if module is wanted)


def without_labels(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor for name, tensor in batch.items() if name != "labels"}


def logits(model: AdaptedModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(**batch).logits


# What stays


def test_the_base_weights_are_unchanged_byte_for_byte(trained: Trained, model_folder: Path) -> None:
    stored = load_backbone(str(model_folder), "float32", device="cpu")
    original = dict(stored.model.named_parameters())
    if trained.model.changes_backbone:
        assert trained.base_before == trained.base_after == {}
        return
    assert trained.base_after.keys() == trained.base_before.keys() == original.keys()
    for name, tensor in trained.base_after.items():
        assert torch.equal(tensor, trained.base_before[name]), name
        assert torch.equal(tensor, original[name]), name
    if trained.method in ("none", *TRANSDUCERS):
        assert weight_fingerprint(trained.backbone.model) == trained.backbone.fingerprint == stored.fingerprint


def test_the_backbone_is_frozen_while_training(trained: Trained) -> None:
    assert trained.frozen_while_training
    counted = set(map(id, trained.model.trainable().values()))
    assert all(id(parameter) in counted for parameter in trained.model.parameters() if parameter.requires_grad)
    if not trained.model.changes_backbone:
        stored = {id(parameter) for name, parameter in trained.backbone.model.named_parameters()
                  if ".lora_" not in name and ".ia3_" not in name}
        assert not counted & stored


def test_training_changed_what_is_trained(trained: Trained, model_folder: Path) -> None:
    start = build(trained.method, model_folder).trainable()
    moved = {name for name, parameter in trained.model.trainable().items() if not torch.equal(parameter, start[name])}
    if trained.method == "published":
        assert moved >= LIVE_IN_PUBLISHED
    else:
        assert moved == start.keys() - (DEAD_WITHOUT_EDGES if trained.method == "no-edges" else set())


def test_gradient_reaches_every_trained_parameter_within_three_steps(trained: Trained, model_folder: Path) -> None:
    """In float64, where rounding noise is far below 1e-12 and a real gradient far above."""
    torch.manual_seed(0)
    model = build_method(trained.method, tiny.float64_backbone(model_folder), TransducerSettings()).double().train()
    parameters = model.trainable()
    batch = tiny.batch_of(model.backbone, tiny.examples(8))
    largest = {name: torch.zeros_like(parameter) for name, parameter in parameters.items()}
    optimizer = torch.optim.SGD(parameters.values(), lr=0.1) if parameters else None
    for _ in range(3 if parameters else 0):
        optimizer.zero_grad()
        model(**batch).loss.backward()
        for name, parameter in parameters.items():
            largest[name] = torch.maximum(largest[name], parameter.grad.abs())
        optimizer.step()
    touched = {name for name, gradient in largest.items() if gradient.max() > 1e-9}
    if trained.method == "published":
        assert parameters.keys() == DEAD_IN_PUBLISHED | LIVE_IN_PUBLISHED
        assert touched == LIVE_IN_PUBLISHED
        assert all(largest[name].max() < 1e-12 for name in DEAD_IN_PUBLISHED)
    elif trained.method == "no-edges":
        assert touched == parameters.keys() - DEAD_WITHOUT_EDGES
    elif trained.method in SPARSE:
        assert touched == parameters.keys()
    else:
        assert touched == parameters.keys()
        idle = sum(int((gradient <= 1e-14).sum()) for gradient in largest.values())
        # Not a single number is dead weight, but for peft's prefixes (docstring of PrefixTuning).
        assert idle == (model.trainable_count() // 2 if trained.method == "prefix" else 0)
    trained_ids = set(map(id, parameters.values()))
    assert all(parameter.grad is None for parameter in model.parameters() if id(parameter) not in trained_ids)


def test_the_trainer_counts_what_gradient_has_reached(trained: Trained) -> None:
    """In float32, where the dead part of `published` has gradients too, of rounding alone."""
    parameters = trained.model.trainable()
    dead = {"prefix": trained.model.trainable_count() // 2,
            "no-edges": sum(parameters[name].numel() for name in DEAD_WITHOUT_EDGES if name in parameters),
            "published": sum(parameters[name].numel() for name in DEAD_IN_PUBLISHED if name in parameters)}
    if trained.method in SPARSE:
        assert 0.5 * trained.model.trainable_count() < trained.with_gradient <= trained.model.trainable_count()
        return
    reachable = trained.model.trainable_count() - dead.get(trained.method, 0)
    # In five steps of float32 a number of the relations' keys may stay below what counts as rounding; no tensor is so small.
    assert reachable - 1 <= trained.with_gradient <= reachable


# What is saved


def test_saved_bytes_are_the_trained_numbers_and_a_header(trained: Trained) -> None:
    files = list(trained.folder.rglob("*.safetensors"))
    count = trained.model.trainable_count()
    assert len(files) == (0 if trained.method == "none" else 1)
    for path in files:
        assert tiny.stored_parameters(path) == count
        assert path.stat().st_size == 4 * count + tiny.header_bytes(path)
        # A header is a JSON entry a tensor: its name, type, shape and place.
        assert tiny.header_bytes(path) <= 64 + 256 * len(load_file(path))
    assert folder_bytes(trained.folder) == sum(path.stat().st_size for path in files)
    assert not list(trained.folder.rglob("*.bin")) and not list(trained.folder.rglob("*.pt"))


def test_only_peft_methods_write_a_peft_configuration(trained: Trained) -> None:
    peft_folder = isinstance(trained.model, PeftMethod) and not isinstance(trained.model, OwnTensors)
    assert (trained.folder / "adapter_config.json").exists() == peft_folder
    a_transducer = trained.method in TRANSDUCERS and not isinstance(trained.model, Control)
    assert (trained.folder / "transducer_config.json").exists() == a_transducer


RELOAD = """
import json, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from safetensors.torch import save_file
from tests.transducer import tiny
from transducer.backbone import load_backbone
from transducer.config import TransducerSettings
from transducer.methods import METHODS, build_method
out, model_folder, folders = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
tensors, texts = {}, {}
for number, (method, folder) in enumerate(folders.items()):
    torch.manual_seed(100 + number)
    model = build_method(method, load_backbone(model_folder, "float32", device="cpu"), TransducerSettings())
    model.load(Path(folder))
    model.eval()
    batch = tiny.batch_of(model.backbone, tiny.examples(5, 60))
    with torch.no_grad():
        tensors[method] = model(**batch).logits.contiguous()
    ids = model.generate(batch, beams=2, max_new_tokens=12)
    texts[method] = model.backbone.tokenizer.batch_decode(ids)
save_file(tensors, out / "logits.safetensors")
(out / "texts.json").write_text(json.dumps(texts))
"""


def test_a_new_process_computes_and_generates_the_same(
        model_folder: Path, held_out: dict[str, torch.Tensor], tmp_path: Path) -> None:
    """One process for all methods. Each is moved away from its start by noise, so that a load that does nothing shows."""
    folders, expected, texts = {}, {}, {}
    for number, method in enumerate(METHODS_OF_EVERY_FAMILY):
        model = build(method, model_folder, seed=number)
        start = logits(model, held_out)
        with torch.no_grad():
            for parameter in model.trainable().values():
                parameter.add_(0.3 * torch.randn_like(parameter))
        expected[method] = logits(model, held_out)
        assert method == "none" or not torch.allclose(expected[method], start, atol=1e-2)
        texts[method] = model.backbone.tokenizer.batch_decode(model.generate(held_out, beams=2, max_new_tokens=12))
        model.save(tmp_path / method)
        folders[method] = str(tmp_path / method)
    done = tiny.python("-W", "error", "-c", RELOAD, str(tmp_path), str(model_folder), json.dumps(folders), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = load_file(tmp_path / "logits.safetensors")
    for method in METHODS_OF_EVERY_FAMILY:
        assert torch.equal(found[method], expected[method]), method
    assert json.loads((tmp_path / "texts.json").read_text()) == texts


@pytest.mark.parametrize("method", LEARNERS)
def test_loading_from_nothing_is_an_error(method: str, model_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingArtefactError, match="safetensors|transducer_config"):
        build(method, model_folder).load(tmp_path)


@pytest.mark.parametrize("method", LEARNERS)
def test_a_truncated_file_is_an_error_that_names_it(method: str, model_folder: Path, tmp_path: Path) -> None:
    model = build(method, model_folder)
    model.save(tmp_path / "saved")
    path = next((tmp_path / "saved").rglob("*.safetensors"))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ArtefactContentError, match=path.name):
        model.load(tmp_path / "saved")


def test_an_adapter_of_another_method_is_an_error(model_folder: Path, tmp_path: Path) -> None:
    build("lora", model_folder).save(tmp_path / "lora")
    with pytest.raises(ArtefactContentError, match="does not fit method 'prompt'"):
        build("prompt", model_folder).load(tmp_path / "lora")


def test_an_adapter_of_another_shape_is_an_error(model_folder: Path, tmp_path: Path) -> None:
    model = build("prompt", model_folder)
    model.save(tmp_path / "saved")
    path = tmp_path / "saved" / "adapter_model.safetensors"
    from safetensors.torch import save_file

    save_file({name: tensor[:7].contiguous() for name, tensor in load_file(path).items()}, path)
    with pytest.raises(ArtefactContentError, match="adapter_model.safetensors"):
        model.load(tmp_path / "saved")


# What it computes


def test_disabled_is_the_frozen_backbone(trained: Trained, model_folder: Path, held_out: dict[str, torch.Tensor]) -> None:
    plain = load_backbone(str(model_folder), "float32", device="cpu").model
    with torch.no_grad():
        expected = plain(**{name: held_out[name] for name in ("input_ids", "attention_mask", "labels")}).logits
    with trained.model.disabled():
        found = logits(trained.model, held_out)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    enabled = logits(trained.model, held_out)
    assert trained.method == "none" or not torch.allclose(enabled, expected, atol=1e-4)


def test_generation_does_not_read_labels(trained: Trained, held_out: dict[str, torch.Tensor]) -> None:
    plain = trained.model.generate(without_labels(held_out), beams=2, max_new_tokens=12)
    garbage = held_out | {"labels": torch.full_like(held_out["labels"], 7)}
    assert torch.equal(trained.model.generate(garbage, beams=2, max_new_tokens=12), plain)
    assert plain.shape[0] == 5 and 1 < plain.shape[1] <= 13


def test_the_order_of_a_batch_does_not_matter(trained: Trained) -> None:
    chosen = tiny.examples(5, 60)
    order = [3, 0, 4, 2, 1]
    together = logits(trained.model, tiny.batch_of(trained.backbone, chosen))
    permuted = logits(trained.model, tiny.batch_of(trained.backbone, [chosen[index] for index in order]))
    torch.testing.assert_close(permuted, together[order], **CLOSE)


def test_padding_does_not_matter(trained: Trained) -> None:
    """An example alone and beside a longer one; the paper's fusion averages over padding and is the one exception."""
    short, long = tiny.examples(2, 60)
    both = tiny.batch_of(trained.backbone, [short, long])
    alone = tiny.batch_of(trained.backbone, [short])
    assert alone["input_ids"].shape[1] < both["input_ids"].shape[1]
    assert (both["labels"] == IGNORED_LABEL).any() or both["labels"].shape == (2, alone["labels"].shape[1])
    single = logits(trained.model, alone)[0]
    padded = logits(trained.model, both)[0, :len(single)]
    if trained.method == "published":
        assert not torch.allclose(padded, single, **CLOSE)
    else:
        torch.testing.assert_close(padded, single, **CLOSE)


def test_a_transducer_starts_with_the_tokens_own_embeddings(model_folder: Path, held_out: dict[str, torch.Tensor]) -> None:
    model = build("transducer", model_folder)
    fused, mask, scales, _, bottlenecks = model.fused(**without_labels(held_out))
    added = model.fusion.added_positions
    assert added == TransducerSettings().prompts
    assert torch.equal(fused[:, added:], model.backbone.model.get_input_embeddings()(held_out["input_ids"]))
    assert torch.equal(mask[:, added:], held_out["attention_mask"]) and mask[:, :added].all()
    assert all((factors == 1).all() for factors in scales.values())
    assert bottlenecks and not any(own.up.any() for own in bottlenecks.values())


def test_a_transducer_reads_the_graph_and_the_published_one_does_not(
        model_folder: Path, held_out: dict[str, torch.Tensor]) -> None:
    """The edges of another graph: every edge turned into a self edge of node 0 of its example."""
    first = torch.searchsorted(held_out["graph_node_graph"], held_out["graph_node_graph"][held_out["graph_edge_source"]])
    other = held_out | {"graph_edge_source": first, "graph_edge_target": first}
    changes = {}
    for method in TRANSDUCERS:
        model = build(method, model_folder)
        with torch.no_grad():
            for parameter in model.trainable().values():
                parameter.add_(0.3 * torch.randn_like(parameter))
        changes[method] = float((logits(model, other) - logits(model, held_out)).abs().max())
    assert changes["transducer"] > 1e-2
    assert changes["published"] < 1e-4


@pytest.mark.parametrize("method", TRANSDUCERS)
def test_both_graph_engines_give_the_same_logits(method: str, model_folder: Path, held_out: dict[str, torch.Tensor]) -> None:
    first, second = build(method, model_folder, engine="dgl"), build(method, model_folder, engine="torch")
    with torch.no_grad():
        for mine, other in zip(first.trainable().values(), second.trainable().values(), strict=True):
            mine.add_(0.3 * torch.randn_like(mine))
            other.copy_(mine)
    torch.testing.assert_close(logits(first, held_out), logits(second, held_out), **CLOSE)


# What is counted: each figure worked out by hand from the sizes of the tiny model (width 32, 2 + 2 layers)


@pytest.mark.parametrize(("method", "expected"), [
    ("none", 0),
    ("prompt", 25 * 32),  # 25 rows, once: not a second set of rows for the decoder
    ("prefix", 10 * 2 * 2 * 32),  # a key and a value in each of 2 decoder layers for each of 10 positions
    ("lora", (2 + 2 * 2) * 2 * 8 * (32 + 32)),  # q and v of 2 encoder and 2 x 2 decoder attentions, rank 8
    ("published", 25 * 32 + 1152 + 9 * 32 + 1160),  # docstrings of transducer.fusion.published and .gve.published
])
def test_trainable_counts(method: str, expected: int, model_folder: Path) -> None:
    assert build(method, model_folder).trainable_count() == expected


def test_an_unknown_method_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="unknown method 'lorra'; expected one of: .*Did you mean 'lora'"):
        method_class("lorra")


@pytest.mark.parametrize(("method", "of_four"), [("transducer", 0.5), ("other-graph", 0.5), ("no-graph", 0.5), ("published", 1.0), ("lora", 1.0)])
def test_the_learning_rate_of_four_passes(method: str, of_four: float) -> None:
    kind = method_class(method)
    assert kind.learning_rate_for(1) == kind.learning_rate_for(0.25) == kind.default_learning_rate
    assert kind.learning_rate_for(4) == pytest.approx(of_four * kind.default_learning_rate)
    low, high = kind.learning_rates(4)
    assert low < kind.learning_rate_for(4) < high


def test_every_entry_of_the_table_is_the_method_of_its_name() -> None:
    for name in METHODS:
        kind = method_class(name)
        assert issubclass(kind, AdaptedModel) and kind.method == name
        assert (kind.default_learning_rate > 0) == (name not in ("none", "copy", "retrieval"))
