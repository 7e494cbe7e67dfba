"""Large backbones: weights kept as stored, layers computed twice, quantised weights, weights on other devices."""
from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

from checkpoints.artefact import CARD_FILE, CONFIG_FILE, read_configuration
from tests.transducer import tiny
from tests.transducer.tiny_families import write_family
from transducer import TransducerModel, predict
from transducer.backbone import LOADERS, Backbone, load_backbone, weight_fingerprint
from transducer.commands import command_line
from transducer.config import TransducerSettings
from transducer.errors import BackboneError, ConfigurationError, DependencyError
from transducer.families import FAMILIES
from transducer.methods import build_method
from transducer.placement import checkpoint_layers
from transducer.quantization import quantized_names

KINDS = ("t5", "llama", "mamba")
"""One family of each kind."""
needs_bitsandbytes = pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="the extra 'quantized' is not installed")


USED = (*KINDS, "bart", "gemma", "gpt2", "starcoder2", "mamba2")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: write_family(tmp_path_factory.mktemp("families") / name, name) for name in USED}


@pytest.fixture(scope="module")
def narrow_folders(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same, stored in bfloat16."""
    made = {}
    for name in KINDS:
        made[name] = tmp_path_factory.mktemp("narrow") / name
        model = LOADERS[FAMILIES[name].kind].from_pretrained(folders[name]).to(torch.bfloat16)
        model.save_pretrained(made[name])
        AutoTokenizer.from_pretrained(folders[name]).save_pretrained(made[name])
    return made


def step(method: str, backbone: Backbone, exact: bool = False) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Loss and gradients of the method's first step but one, in which all of its parameters have a part; in float64 where `exact`."""
    torch.manual_seed(0)
    model = build_method(method, backbone, TransducerSettings()).train()
    if exact:
        model.double()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    with torch.no_grad():
        for parameter in model.trainable().values():
            parameter.add_(torch.randn_like(parameter), alpha=0.02)
    loss = model(**tiny.batch_of(backbone, tiny.examples(3))).loss
    loss.backward()
    return loss.detach(), {name: parameter.grad for name, parameter in model.trainable().items()}


def assert_same(found, expected) -> None:
    assert torch.equal(found[0], expected[0])
    assert found[1].keys() == expected[1].keys() and found[1]
    for name, gradient in expected[1].items():
        assert torch.equal(found[1][name], gradient), name


# Weights as stored


@pytest.mark.parametrize("model_type", ["t5", "bart", "llama", "gemma", "gpt2", "starcoder2", "mamba", "mamba2"])
def test_narrow_weights_change_no_number(model_type: str, folders: dict[str, Path]) -> None:
    """Whether a head is tied or not, and wherever a model looks at a weight's type."""
    found = []
    for narrow in (False, True):
        backbone = load_backbone(str(folders[model_type]), "bfloat16", device="cpu")
        if narrow:
            backbone.narrow_weights()
            assert torch.bfloat16 in {parameter.dtype for parameter in backbone.model.parameters()}
            assert backbone.embedding_weight.dtype == torch.float32
        batch = tiny.batch_of(backbone, tiny.examples(3))
        embeddings = backbone.model.get_input_embeddings()(batch["input_ids"])
        found.append((backbone.forward(embeddings, batch["attention_mask"], batch["labels"]).logits,
                      backbone.generate(embeddings, batch["attention_mask"], beams=2, max_new_tokens=6)))
    assert torch.equal(found[0][0], found[1][0]) and torch.equal(found[0][1], found[1][1])


@pytest.mark.parametrize("model_type", KINDS)
@pytest.mark.parametrize("method", ["transducer", "lora"])
def test_a_model_stored_in_bfloat16_is_not_copied_to_float32(
        method: str, model_type: str, narrow_folders: dict[str, Path]) -> None:
    backbone = load_backbone(str(narrow_folders[model_type]), "bfloat16", device="cpu")
    narrow = [name for name, parameter in backbone.model.named_parameters() if parameter.dtype == torch.bfloat16]
    assert any("proj" in name or name.endswith(".q.weight") for name in narrow)
    assert backbone.embedding_weight.dtype == torch.float32
    found = step(method, backbone)
    wide = load_backbone(str(narrow_folders[model_type]), "bfloat16", device="cpu")
    wide.widen_weights()
    assert {parameter.dtype for parameter in wide.model.parameters()} == {torch.float32}
    assert_same(found, step(method, wide))
    assert backbone.fingerprint == wide.fingerprint


# Layers computed twice


@pytest.mark.parametrize("model_type", KINDS)
@pytest.mark.parametrize("method", ["transducer", "lora", "adapter"])
def test_layers_computed_twice_give_the_same_gradients(method: str, model_type: str, folders: dict[str, Path]) -> None:
    """Up to the order in which the layers' shares in a gradient are summed, which float64 hardly feels."""
    expected = step(method, load_backbone(str(folders[model_type]), "float32", device="cpu"), exact=True)
    backbone = load_backbone(str(folders[model_type]), "float32", device="cpu", computed_twice=True)
    found = step(method, backbone, exact=True)
    torch.testing.assert_close(found[0], expected[0], rtol=1e-7, atol=0.0)
    assert found[1].keys() == expected[1].keys() and found[1]
    for name, gradient in expected[1].items():
        torch.testing.assert_close(found[1][name], gradient, rtol=1e-7, atol=1e-9)
    assert not any(module.training for name, module in backbone.model.named_modules() if "lora_dropout" not in name)


def test_a_forward_pass_keeps_less_where_layers_are_computed_twice(folders: dict[str, Path]) -> None:
    kept = {}
    for twice in (False, True):
        backbone = load_backbone(str(folders["llama"]), "float32", device="cpu", computed_twice=twice)
        batch = tiny.batch_of(backbone, tiny.examples(4))
        embeddings = backbone.model.get_input_embeddings()(batch["input_ids"]).requires_grad_()
        storages: dict[int, int] = {}

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            backbone.forward(embeddings, batch["attention_mask"], batch["labels"])
        kept[twice] = sum(storages.values())
    assert kept[True] < kept[False] / 2


def test_answers_are_the_same_with_layers_that_could_be_computed_twice(folders: dict[str, Path]) -> None:
    answers = []
    for twice in (False, True):
        backbone = load_backbone(str(folders["t5"]), "float32", device="cpu", computed_twice=twice)
        batch = tiny.batch_of(backbone, tiny.examples(2))
        answers.append(build_method("none", backbone, TransducerSettings()).generate(batch, beams=2, max_new_tokens=6))
    assert torch.equal(*answers)


def test_a_prefix_in_the_cache_cannot_be_computed_twice(folders: dict[str, Path]) -> None:
    backbone = load_backbone(str(folders["t5"]), "float32", device="cpu", computed_twice=True)
    with pytest.raises(BackboneError, match="method 'prefix' puts keys and values .* leave --gradient-checkpointing out"):
        build_method("prefix", backbone, TransducerSettings())


def test_a_model_without_layers_is_refused() -> None:
    with pytest.raises(BackboneError, match="Linear has no layers .* leave --gradient-checkpointing out"):
        checkpoint_layers(torch.nn.Linear(2, 2))


# Other devices


def written_map(folder: Path, **places: object) -> str:
    (folder / "map.json").write_text(json.dumps(places), encoding="utf-8")
    return str(folder / "map.json")


MAPS = {"t5": {"shared": "cpu", "encoder": "cpu", "lm_head": "cpu", "decoder.embed_tokens": "cpu", "decoder.block.0": "cpu",
               "decoder.block.1": "disk", "decoder.final_layer_norm": "disk", "decoder.dropout": "cpu"},
        "llama": {"model.embed_tokens": "cpu", "model.layers.0": "disk", "model.layers.1": "cpu", "model.norm": "disk",
                  "model.rotary_emb": "cpu", "lm_head": "disk"},
        "mamba": {"backbone.embeddings": "cpu", "backbone.layers.0": "cpu", "backbone.layers.1": "disk", "backbone.norm_f": "cpu",
                  "lm_head": "cpu"}}


@pytest.mark.parametrize("model_type", KINDS)
@pytest.mark.parametrize("method", ["transducer", "prompt"])
def test_layers_on_the_disk_compute_the_same(
        method: str, model_type: str, folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSDUCER_CACHE", str(tmp_path / "cache"))
    expected_backbone = load_backbone(str(folders[model_type]), "float32", device="cpu")
    expected = step(method, expected_backbone)
    backbone = load_backbone(str(folders[model_type]), "float32", device="cpu", device_map=written_map(tmp_path, **MAPS[model_type]))
    assert any(parameter.is_meta for parameter in backbone.model.parameters())
    assert not backbone.embedding_weight.is_meta and backbone.device == torch.device("cpu")
    assert backbone.fingerprint == expected_backbone.fingerprint
    assert_same(step(method, backbone), expected)
    assert any(parameter.is_meta for parameter in backbone.model.parameters()), "nothing went back to the disk"
    batch = tiny.batch_of(backbone, tiny.examples(2))
    answers = [build_method("none", either, TransducerSettings()).generate(batch, beams=2, max_new_tokens=4)
               for either in (backbone, load_backbone(str(folders[model_type]), "float32", device="cpu"))]
    assert torch.equal(*answers)


def test_an_automatic_map_of_one_device_changes_nothing(folders: dict[str, Path]) -> None:
    expected = step("transducer", load_backbone(str(folders["llama"]), "float32"))
    assert_same(step("transducer", load_backbone(str(folders["llama"]), "float32", device_map="auto")), expected)


@pytest.mark.parametrize(("places", "said"), [
    ({"model": "cpu"}, "lm_head"),
    ({"": "moon"}, "is no map; expected JSON"),
    ({"model.embed_tokens": "disk", "model.layers": "cpu", "model.norm": "cpu", "model.rotary_emb": "cpu", "lm_head": "cpu"},
     "puts the input embeddings 'model.embed_tokens' on 'disk'; .* put them on 'cpu'"),
])
def test_maps_that_cannot_be_used(places: dict, said: str, folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"--device-map .*{said}"):
        load_backbone(str(folders["llama"]), "float32", device="cpu", device_map=written_map(tmp_path, **places))


def test_a_map_that_is_neither_name_nor_file(folders: dict[str, Path]) -> None:
    with pytest.raises(ConfigurationError, match="--device-map is 'automatic', expected one of auto, balanced"):
        load_backbone(str(folders["llama"]), "float32", device_map="automatic")


def test_methods_that_read_weights_refuse_a_map(folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSDUCER_CACHE", str(tmp_path / "cache"))
    backbone = load_backbone(str(folders["llama"]), "float32", device="cpu", device_map=written_map(tmp_path, **MAPS["llama"]))
    for method in ("full", "dora"):
        with pytest.raises(BackboneError, match=f"method '{method}' works on the backbone's weights.*leave --device-map out"):
            build_method(method, backbone, TransducerSettings())


# Quantised weights


def test_without_the_library_one_line_says_what_to_install(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)  # an import of it is an ImportError
    with pytest.raises(DependencyError, match=r"--quantize needs the library bitsandbytes.*pip install 'transducer\[quantized\]'") as caught:
        load_backbone(str(folders["llama"]), "float32", device="cpu", quantize="4bit")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("model_type", USED)
def test_heads_and_what_a_family_keeps_are_not_quantised(model_type: str, folders: dict[str, Path]) -> None:
    backbone = load_backbone(str(folders[model_type]), "float32", device="cpu")
    names = quantized_names(backbone.model, backbone.family)
    kept = {*backbone.family.kept, *backbone.family.read_uncalled}
    assert len(names) >= 2 and not kept & {name.rsplit(".", 1)[-1] for name in names}
    assert not any("lm_head" in name for name in names)


def test_methods_that_read_weights_refuse_quantised_ones(folders: dict[str, Path]) -> None:
    backbone = load_backbone(str(folders["llama"]), "float32", device="cpu")
    backbone.quantize = "4bit"
    for method in ("full", "dora"):
        with pytest.raises(BackboneError, match=f"method '{method}' works on the backbone's weights.*leave --quantize out"):
            build_method(method, backbone, TransducerSettings())


@needs_bitsandbytes
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("bits", ["8bit", "4bit"])
@pytest.mark.parametrize("model_type", ["t5", "llama", "gpt2", "mamba", "mamba2"])
def test_quantised_weights_answer_nearly_as_stored_ones(
        model_type: str, bits: str, precision: str, folders: dict[str, Path]) -> None:
    plain = load_backbone(str(folders[model_type]), "float32", device="cpu")
    backbone = load_backbone(str(folders[model_type]), precision, device="cpu", quantize=bits)
    assert backbone.fingerprint == plain.fingerprint != weight_fingerprint(backbone.model)
    kept = {name: parameter.dtype for name, parameter in backbone.model.named_parameters()}
    backbone.narrow_weights()
    now = {name: parameter.dtype for name, parameter in backbone.model.named_parameters()}
    integers = {name for name, dtype in kept.items() if not dtype.is_floating_point}
    assert len(integers) == len(quantized_names(plain.model, plain.family)) and all(now[name] == kept[name] for name in integers)
    batch = tiny.batch_of(plain, tiny.examples(3))
    embeddings = plain.model.get_input_embeddings()(batch["input_ids"])
    with torch.no_grad():
        expected = plain.forward(embeddings, batch["attention_mask"], batch["labels"])
        found = backbone.forward(embeddings, batch["attention_mask"], batch["labels"])
    assert torch.isfinite(found.logits).all() and not torch.equal(found.logits, expected.logits)
    assert found.loss.item() == pytest.approx(expected.loss.item(), rel=0.3)
    ids = backbone.generate(embeddings, batch["attention_mask"], beams=2, max_new_tokens=4)
    assert ids.shape[0] == 3


@needs_bitsandbytes
@pytest.mark.parametrize("bits", ["8bit", "4bit"])
@pytest.mark.parametrize("method", ["transducer", "lora", "adalora", "ia3", "adapter"])
@pytest.mark.parametrize("model_type", ["t5", "llama"])
def test_methods_learn_on_quantised_weights(method: str, bits: str, model_type: str, folders: dict[str, Path], tmp_path: Path) -> None:
    torch.manual_seed(0)
    backbone = load_backbone(str(folders[model_type]), "float32", device="cpu", quantize=bits)
    batch = tiny.batch_of(backbone, tiny.examples(4))
    model = build_method(method, backbone, TransducerSettings()).train()
    frozen = {name: parameter.clone() for name, parameter in backbone.model.named_parameters() if not parameter.requires_grad}
    losses = tiny.trained_losses(model, batch)
    assert losses[-1] < losses[0]
    after = dict(backbone.model.named_parameters())
    assert all(torch.equal(tensor, after[name]) for name, tensor in frozen.items())
    model.save(tmp_path / "saved")


def saved_on_bits(folders: dict[str, Path], bits: str, to: Path) -> TransducerModel:
    """A transducer that is saved on the tiny T5, whose weights are quantised."""
    backbone = load_backbone(str(folders["t5"]), "float32", device="cpu", quantize=bits)
    model = TransducerModel(backbone, TransducerSettings()).eval()
    with torch.no_grad():
        for parameter in model.trainable().values():
            parameter.add_(torch.randn_like(parameter))
    model.save_pretrained(to, task="assert")
    return model


@needs_bitsandbytes
@pytest.mark.parametrize("bits", ["8bit", "4bit"])
def test_a_transducer_comes_back_on_quantised_weights(bits: str, folders: dict[str, Path], tmp_path: Path) -> None:
    model = saved_on_bits(folders, bits, tmp_path / "saved")
    record = read_configuration(tmp_path / "saved")["backbone"]
    plain = load_backbone(str(folders["t5"]), "float32", device="cpu")
    assert record["quantize"] == bits and record["parameters"] == plain.parameter_count
    assert f"quantised to {bits[0]} bits" in (tmp_path / "saved" / CARD_FILE).read_text(encoding="utf-8")
    loaded = TransducerModel.from_pretrained(tmp_path / "saved")
    batch = tiny.batch_of(plain, tiny.examples(3))
    with torch.no_grad():
        assert loaded.backbone.quantize == bits and torch.equal(loaded(**batch).logits, model(**batch).logits)
        assert not torch.equal(TransducerModel.from_pretrained(tmp_path / "saved", quantize="none")(**batch).logits, model(**batch).logits)


def test_quantised_weights_are_asked_for_again(
        folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A transducer that was trained on four bits does not quietly run on others; saved again, it still says so."""
    saved_on_bits(folders, "none", tmp_path / "saved")
    path = tmp_path / "saved" / CONFIG_FILE
    path.write_text(path.read_text(encoding="utf-8").replace('"quantize": "none"', '"quantize": "4bit"'), encoding="utf-8")
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)  # an import of it is an ImportError
    (tmp_path / "test_it.py").write_text(f"def test_it():\n    {tiny.TASK.placeholder}\n")
    arguments = ["--transducer", str(tmp_path / "saved"), "--max-target-tokens", "8", str(tmp_path / "test_it.py")]
    for model in ([], ["--model", str(folders["t5"])]):
        assert command_line(predict.main, [*arguments, *model]) == 1
        assert "--quantize needs the library bitsandbytes" in capsys.readouterr().err
    assert command_line(predict.main, [*arguments, "--quantize", "none"]) == 0
    loaded = TransducerModel.from_pretrained(tmp_path / "saved", quantize="none")
    loaded.save_pretrained(tmp_path / "again")
    assert loaded.backbone.quantize == "none" and read_configuration(tmp_path / "again")["backbone"]["quantize"] == "4bit"
