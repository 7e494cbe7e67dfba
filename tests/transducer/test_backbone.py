"""The frozen language model: that it is frozen, what it generates, its precision, its families and its errors."""
from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, GenerationConfig, OPTConfig, OPTForCausalLM, T5Config, T5ForConditionalGeneration

from tests.transducer import tiny
from transducer import precision
from transducer.backbone import PRECISIONS, Backbone, load_backbone, weight_fingerprint
from transducer.blocks import Blocks
from transducer.config import TransducerSettings
from transducer.errors import BackboneError, ConfigurationError
from transducer.families import FAMILIES
from transducer.fusion import RANKS, parameter_count
from transducer.methods import build_method
from transducer.model import with_sizes
from transducer.places import Places, Shape


def test_nothing_of_it_can_be_trained(backbone: Backbone) -> None:
    assert backbone.model.config.dropout_rate == 0.1
    assert not any(parameter.requires_grad for parameter in backbone.model.parameters())
    assert not any(module.training for module in backbone.model.modules())
    assert (backbone.width, backbone.embedding_weight.shape[1]) == (tiny.WIDTH, tiny.WIDTH)


@pytest.mark.parametrize("method", ["transducer", "lora"])
def test_dropout_stays_off_in_training_mode(method: str, backbone: Backbone) -> None:
    """LoRA at its start adds nothing, so both have to compute the same twice, and as in evaluation mode."""
    torch.manual_seed(0)
    model = build_method(method, backbone, TransducerSettings())
    batch = tiny.batch_of(backbone, tiny.examples(3))
    with torch.no_grad():
        model.eval()
        expected = model(**batch).logits
        model.train()
        assert model.training
        assert torch.equal(model(**batch).logits, expected)
        assert torch.equal(model(**batch).logits, expected)


def test_the_fingerprint_tells_one_changed_weight(backbone: Backbone, model_folder: Path, other_model_folder: Path) -> None:
    again = load_backbone(str(model_folder), "float32", device="cpu")
    assert again.fingerprint == backbone.fingerprint == weight_fingerprint(backbone.model)
    assert load_backbone(str(other_model_folder), "float32", device="cpu").fingerprint != backbone.fingerprint
    weight = backbone.model.decoder.block[1].layer[0].SelfAttention.q.weight
    with torch.no_grad():
        weight[3, 5] = torch.nextafter(weight[3, 5], torch.tensor(9.0))
    assert weight_fingerprint(backbone.model) != backbone.fingerprint


def test_the_fingerprint_is_of_the_weights_as_stored(model_folder: Path, tmp_path: Path) -> None:
    """Arithmetic is in float32 whatever they are stored in."""
    model = T5ForConditionalGeneration.from_pretrained(model_folder).to(torch.bfloat16)
    model.save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(model_folder).save_pretrained(tmp_path)
    backbone = load_backbone(str(tmp_path), "float32", device="cpu")
    assert backbone.fingerprint == weight_fingerprint(model)
    assert {parameter.dtype for parameter in backbone.model.parameters()} == {torch.float32}


@pytest.mark.parametrize("beams", [1, 2, 3])
def test_generation_from_embeddings_equals_generation_from_ids(beams: int, backbone: Backbone) -> None:
    batch = tiny.batch_of(backbone, [*tiny.examples(3), *tiny.examples(1, 201)])
    assert (batch["attention_mask"] == 0).any()
    embeddings = backbone.model.get_input_embeddings()(batch["input_ids"])
    found = backbone.generate(embeddings, batch["attention_mask"], beams=beams, max_new_tokens=12)
    expected = backbone.model.generate(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"],
                                       num_beams=beams, max_new_tokens=12, do_sample=False)
    assert torch.equal(found, expected)
    assert found.shape[0] == 4 and 1 < found.shape[1] <= 13


@pytest.mark.parametrize("method", ["lora", "prefix", "prompt", "full"])
def test_generation_of_methods_that_take_ids_equals_that_without_the_shared_cache(method: str, model_folder: Path) -> None:
    backbone = load_backbone(str(model_folder), "float32", device="cpu")
    torch.manual_seed(0)
    model = build_method(method, backbone, TransducerSettings()).eval()
    batch = tiny.batch_of(backbone, [*tiny.examples(3), *tiny.examples(1, 201)])
    expected = model.language_model.generate(
        input_ids=batch["input_ids"], attention_mask=batch["attention_mask"],
        generation_config=backbone.generation_config(3, 12))
    assert torch.equal(model.generate(batch, beams=3, max_new_tokens=12), expected)


def test_a_generation_configuration_saved_with_the_model_has_no_say(
        backbone: Backbone, model_folder: Path, tmp_path: Path) -> None:
    """Hub models carry their own; what a run generates is settled by its settings alone."""
    folder = copied(model_folder, tmp_path / "model")
    GenerationConfig(min_new_tokens=11, repetition_penalty=50.0, no_repeat_ngram_size=1).save_pretrained(folder)
    batch = tiny.batch_of(backbone, tiny.examples(2))
    embeddings = backbone.model.get_input_embeddings()(batch["input_ids"])
    expected = backbone.generate(embeddings, batch["attention_mask"], beams=2, max_new_tokens=12)
    other = load_backbone(str(folder), "float32", device="cpu")
    assert torch.equal(other.generate(embeddings, batch["attention_mask"], beams=2, max_new_tokens=12), expected)


def test_forward_from_embeddings_equals_forward_from_ids(backbone: Backbone) -> None:
    batch = tiny.batch_of(backbone, tiny.examples(3))
    embeddings = backbone.model.get_input_embeddings()(batch["input_ids"])
    found = backbone.forward(embeddings, batch["attention_mask"], batch["labels"])
    expected = backbone.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], labels=batch["labels"])
    assert torch.equal(found.logits, expected.logits) and torch.equal(found.loss, expected.loss)


# Precision


def test_float16_is_refused(model_folder: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"precision 'float16' \(float16 overflows in T5\); expected one of: auto"):
        load_backbone(str(model_folder), "float16")
    with pytest.raises(ConfigurationError, match="precision 'bf16'; expected one of: auto, float32, bfloat16"):
        load_backbone(str(model_folder), "bf16")


def test_auto_measures_once_and_remembers(
        model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSDUCER_CACHE", str(tmp_path / "cache"))
    first = load_backbone(str(model_folder), "auto", device="cpu")
    assert first.precision in PRECISIONS[1:]
    assert first.precision_reason.startswith("measured: bfloat16 is ")
    (ratio,) = json.loads((tmp_path / "cache" / "precision.json").read_text(encoding="utf-8")).values()
    assert first.precision == ("bfloat16" if ratio >= 1.15 else "float32")

    def measure_again(*arguments: object) -> float:
        raise AssertionError("measured a second time")

    monkeypatch.setattr(precision, "step_seconds", measure_again)
    second = load_backbone(str(model_folder), "auto", device="cpu")
    assert (second.precision, second.precision_reason) == (first.precision, first.precision_reason)


@pytest.mark.parametrize(("ratio", "expected"), [(1.16, "bfloat16"), (1.14, "float32"), (0.2, "float32")])
def test_auto_takes_bfloat16_where_it_pays(
        ratio: float, expected: str, backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSDUCER_CACHE", str(tmp_path))
    monkeypatch.setattr(precision, "step_seconds", lambda model: 1.0 if model.precision == "bfloat16" else ratio)
    backbone.set_precision("auto")
    assert backbone.precision == expected
    assert backbone.precision_reason == f"measured: bfloat16 is {ratio:.2f} times as fast as float32"


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_a_damaged_precision_cache_is_measured_anew(
        content: str, backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSDUCER_CACHE", str(tmp_path))
    (tmp_path / "precision.json").write_text(content)
    monkeypatch.setattr(precision, "step_seconds", lambda model: 1.0)
    backbone.set_precision("auto")
    assert backbone.precision == "float32"
    assert list(json.loads((tmp_path / "precision.json").read_text()).values()) == [1.0]


@pytest.mark.parametrize("method", ["transducer", "lora", "prefix", "prompt", "published"])
def test_bfloat16_trains_and_generates_near_float32(method: str, model_folder: Path) -> None:
    losses = {}
    for precision in ("float32", "bfloat16"):
        backbone = load_backbone(str(model_folder), precision, device="cpu")
        torch.manual_seed(0)
        model = build_method(method, backbone, TransducerSettings()).eval()
        batch = tiny.batch_of(backbone, tiny.examples(4))
        loss = model(**batch).loss
        loss.backward()
        losses[precision] = loss.item()
        for parameter in model.trainable().values():
            assert parameter.dtype == torch.float32 and torch.isfinite(parameter.grad).all()
        assert model.generate(batch, beams=2, max_new_tokens=6).shape[0] == 4
        # With bfloat16 the frozen weights of products are kept in it; nothing is left in it that is read elsewhere.
        types = {parameter.dtype for parameter in backbone.model.parameters()}
        assert types == ({torch.float32} if precision == "float32" else {torch.float32, torch.bfloat16})
        assert backbone.embedding_weight.dtype == torch.float32
    # bfloat16 has eight bits of precision: about half a percent.
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.02)
    assert losses["bfloat16"] != losses["float32"]


# The models it is for


@pytest.fixture(scope="module")
def codet5_small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of exactly the configuration and tokenizer files of Salesforce/codet5-small, with random weights."""
    folder = tmp_path_factory.mktemp("models") / "codet5-small"
    torch.manual_seed(0)
    model = T5ForConditionalGeneration(T5Config(
        vocab_size=32_100, d_model=512, d_ff=2048, d_kv=64, num_layers=6, num_decoder_layers=6, num_heads=8,
        dropout_rate=0.1, feed_forward_proj="relu", relative_attention_num_buckets=32, decoder_start_token_id=0,
        pad_token_id=0, eos_token_id=2, bos_token_id=1, tie_word_embeddings=True))
    model.to(torch.bfloat16).save_pretrained(folder)
    tiny.write_codet5_tokenizer(folder)
    return folder


def test_codet5_small_loads_trains_and_generates(codet5_small: Path) -> None:
    backbone = load_backbone(str(codet5_small), "float32", device="cpu")
    # 60.5 million in all: https://huggingface.co/Salesforce/codet5-small says 60M.
    assert sum(parameter.numel() for parameter in backbone.model.parameters()) == 60_492_288
    tokenizer = backbone.tokenizer
    assert tokenizer.convert_tokens_to_ids(["<pad>", "<s>", "</s>", "<unk>", "<mask>", "<extra_id_99>", "<extra_id_0>"]) == [
        0, 1, 2, 3, 4, 32_000, 32_099]
    torch.manual_seed(0)
    model = build_method("transducer", backbone, TransducerSettings()).train()
    batch = tiny.batch_of(backbone, tiny.examples(2))
    # As RoBERTa's tokenizer does: <s> text </s>, with the sentinel in the text and in front of the answer.
    assert batch["input_ids"][0, 0] == 1 and batch["input_ids"][0][batch["attention_mask"][0] == 1][-1] == 2
    assert (batch["input_ids"] == 32_099).sum(1).tolist() == [1, 1] and batch["labels"][:, 0].tolist() == [32_099] * 2
    assert (batch["graph_token_node"][:, 0] == -1).all() and (batch["graph_token_node"][0, 1] >= 0)
    before = weight_fingerprint(backbone.model)
    model(**batch).loss.backward()
    assert model.fusion.up.grad.abs().max() > 0
    assert weight_fingerprint(backbone.model) == before
    ids = model.generate(batch, beams=2, max_new_tokens=3)
    assert ids.shape == (2, 4) and (ids[:, 0] == 0).all()
    assert tiny.preparer(backbone).text.decode(torch.tensor([0, *batch["labels"][0].tolist()])[:-1].clamp(min=0)) == "assert total == 0"


@pytest.mark.parametrize(("name", "width", "layers", "heads", "head_width", "inner", "budget"), [
    # The models' published configurations; budgets: parameters of the paper's transducer at widths 768 and 1,024.
    ("codet5-base", 768, 12, 12, 64, 3072, 30_728),
    ("codet5p-220m", 768, 12, 12, 64, 3072, 30_728),
    ("codet5p-770m", 1024, 24, 16, 64, 4096, 37_128),
])
def test_the_default_transducer_is_within_the_papers_budget(
        name: str, width: int, layers: int, heads: int, head_width: int, inner: int, budget: int, model_folder: Path) -> None:
    with torch.device("meta"):
        language_model = T5ForConditionalGeneration(T5Config(
            vocab_size=32_100, d_model=width, d_ff=inner, d_kv=head_width, num_layers=layers, num_decoder_layers=layers,
            num_heads=heads, decoder_start_token_id=0, pad_token_id=0, eos_token_id=2, bos_token_id=1))
    shape = Shape(width, Places(language_model, FAMILIES["t5"]).roles, Blocks(language_model, FAMILIES["t5"]).roles)
    sized = with_sizes(TransducerSettings(), shape)
    count = counted(sized, shape)
    assert sized.rank in RANKS and 0.9 * budget < count <= budget, (name, sized, count)


def test_the_count_on_paper_is_the_count_of_the_module(backbone: Backbone) -> None:
    settings = TransducerSettings()
    model = build_method("transducer", backbone, settings)
    assert model.trainable_count() == counted(model.sized, backbone.shape)


def counted(sized: TransducerSettings, shape: Shape) -> int:
    return parameter_count(rank=sized.rank, prompt_count=sized.prompts, fusion=sized.fusion, layer=sized.layer,
                           layer_count=sized.layer_count, heads=sized.heads, directions=sized.directions,
                           bottleneck=sized.bottleneck, **shape._asdict())


# What cannot be loaded


def copied(model_folder: Path, folder: Path, *left_out: str) -> Path:
    folder.mkdir()
    for path in model_folder.iterdir():
        if path.name not in left_out:
            (folder / path.name).write_bytes(path.read_bytes())
    return folder


def message_of(name: str | Path) -> str:
    with pytest.raises(BackboneError) as caught:
        load_backbone(str(name), "float32")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_folder_without_weights(model_folder: Path, tmp_path: Path) -> None:
    message = message_of(copied(model_folder, tmp_path / "model", "model.safetensors"))
    assert "has no weights; expected model.safetensors" in message


def test_a_folder_with_pickled_weights_only(model_folder: Path, tmp_path: Path) -> None:
    folder = copied(model_folder, tmp_path / "model", "model.safetensors")
    (folder / "pytorch_model.bin").write_bytes(b"not to be read")
    assert "pickled weights are not read: save the model again with safe serialization" in message_of(folder)


def test_a_folder_without_a_configuration(model_folder: Path, tmp_path: Path) -> None:
    assert "has no config.json" in message_of(copied(model_folder, tmp_path / "model", "config.json"))


def test_a_folder_without_a_tokenizer(model_folder: Path, tmp_path: Path) -> None:
    """Transformers would make up an empty one."""
    message = message_of(copied(model_folder, tmp_path / "model", "tokenizer.json"))
    assert "has no tokenizer; expected one of tokenizer.json, vocab.json" in message


@pytest.mark.parametrize("kept", [100, 0.5, -64])
def test_truncated_weights(kept: float, model_folder: Path, tmp_path: Path) -> None:
    folder = copied(model_folder, tmp_path / "model")
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[:int(len(content) * kept) if kept == 0.5 else kept])
    message = message_of(folder)
    assert "cannot be read" in message and "fetch or copy them again" in message


@pytest.mark.parametrize("field", ["num_decoder_layers", "d_ff"])
def test_weights_of_another_shape_than_the_configuration(field: str, model_folder: Path, tmp_path: Path) -> None:
    """Transformers would fill what is missing or misshapen with random numbers and only warn."""
    folder = copied(model_folder, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {field: config[field] + 1}), encoding="utf-8")
    message = message_of(folder)
    assert str(folder) in message and "do not fit its config.json" in message and "the first is decoder.block." in message


def test_a_tokenizer_larger_than_the_embeddings(model_folder: Path, tmp_path: Path) -> None:
    folder = copied(model_folder, tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens([f"<word_{number}>" for number in range(3)])
    tokenizer.save_pretrained(folder)
    assert f"has {len(tokenizer):,} entries, its embeddings {len(tokenizer) - 3:,}" in message_of(folder)


def test_a_configuration_that_is_no_json(model_folder: Path, tmp_path: Path) -> None:
    folder = copied(model_folder, tmp_path / "model")
    (folder / "config.json").write_text("{")
    assert f"model folder {str(folder)!r} cannot be loaded" in message_of(folder)


def test_an_unknown_family(model_folder: Path, tmp_path: Path) -> None:
    folder = copied(model_folder, tmp_path / "model")
    OPTForCausalLM(OPTConfig(vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, ffn_dim=8,
                             max_position_embeddings=8, word_embed_proj_dim=8)).save_pretrained(folder)
    assert "is of the family 'opt', which is not supported; expected one of: t5" in message_of(folder)
    assert "add an entry to transducer.families.FAMILIES" in message_of(folder)


@pytest.mark.parametrize("name", ["codet5-tinny", "./absent", "/absent/folder", "a/b/c", ""])
def test_an_unknown_name_lists_the_embedded_models(name: str) -> None:
    message = message_of(name)
    assert repr(name) in message and "codet5-tiny" in message


def test_a_hub_id_without_a_network_says_at_once_what_to_give_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    assert os.environ["HF_HUB_OFFLINE"] == "1"

    def waited(*arguments, **options) -> None:
        raise AssertionError("it waited, or looked a host up")

    monkeypatch.setattr(time, "sleep", waited)
    monkeypatch.setattr(socket, "getaddrinfo", waited)
    message = message_of("Salesforce/codet5-base")
    assert "cannot fetch model 'Salesforce/codet5-base'" in message
    assert "a folder" in message and "--model codet5-tiny" in message
