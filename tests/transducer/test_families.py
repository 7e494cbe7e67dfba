"""What holds for every family of language models: rows independent of their batch, loss as the library's own, nothing frozen moved."""
from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tasks import Example
from tests.transducer import tiny
from tests.transducer.tiny_families import MIDDLE_MARKS, WIDTH, write_family
from transducer import compare, train
from transducer.backbone import Backbone, load_backbone
from transducer.commands import command_line
from transducer.config import TransducerSettings
from transducer.errors import BackboneError
from transducer.families import ENCODER_DECODER, FAMILIES
from transducer.methods import METHODS, build_method, method_class
from transducer.model import TransducerModel
from transducer.prepare import PreparationReport, Preparer
from transducer.tensors import IGNORED_LABEL, Collator

CAUSAL = [name for name, family in FAMILIES.items() if family.kind != ENCODER_DECODER]
CLOSE = {"rtol": 1e-4, "atol": 1e-4}
"""float32 sums taken in another order, over logits of size 10."""


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_family(tmp_path_factory.mktemp("families") / request.param, request.param)


@pytest.fixture(scope="module")
def backbone(folder: Path) -> Backbone:
    return load_backbone(str(folder), "float32", device="cpu")


def embedded(backbone: Backbone, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    return backbone.model.get_input_embeddings()(batch["input_ids"])


def test_the_places_of_a_family(backbone: Backbone) -> None:
    """Those that IA3 changes; of an encoder-decoder its attention, and the feed-forward blocks of its decoder."""
    roles = backbone.places.roles
    family, names = FAMILIES[backbone.model.config.model_type], [name for name, _ in backbone.model.named_modules()]
    if family.kind != ENCODER_DECODER:
        scaled = {name for name in names for kind in family.scaled if name.endswith(f".{kind}")}
        assert sum(count for _, count in roles.values()) == len(scaled) > 0
    else:
        attentions = {"encoder": 2, "decoder": 4}
        for side, count in attentions.items():
            assert sum("ttention" in role or "attn" in role for role in roles if side in role.split(".")) == count, roles
        assert [side for side in attentions for role in roles if side in role.split(".") and role.split(".")[-1] in ("wo", "fc2")] == [
            "decoder"]


def test_a_row_does_not_depend_on_its_batch(backbone: Backbone) -> None:
    examples = sorted(tiny.examples(6), key=lambda example: len(example.source))
    rows = [examples[0], examples[-1], examples[2]]
    batch = tiny.batch_of(backbone, rows)
    assert (batch["attention_mask"].sum(1) < batch["attention_mask"].shape[1]).any(), "no row is padded"
    with torch.no_grad():
        together = backbone.forward(embedded(backbone, batch), batch["attention_mask"], batch["labels"])
        for place, row in enumerate(rows):
            alone = tiny.batch_of(backbone, [row])
            expected = backbone.forward(embedded(backbone, alone), alone["attention_mask"], alone["labels"]).logits[0]
            torch.testing.assert_close(together.logits[place, :len(expected)], expected, **CLOSE)


@pytest.mark.parametrize("beams", [1, 3])
def test_an_answer_does_not_depend_on_its_batch(backbone: Backbone, beams: int) -> None:
    rows = [tiny.examples(6)[place] for place in (0, 5, 1)]
    batch = tiny.batch_of(backbone, rows)
    settings = {"beams": beams, "max_new_tokens": 8}
    together = backbone.generate(embedded(backbone, batch), batch["attention_mask"], **settings)
    encoder = tiny.preparer(backbone).text
    for place, row in enumerate(rows):
        alone = tiny.batch_of(backbone, [row])
        one = backbone.generate(embedded(backbone, alone), alone["attention_mask"], **settings)
        assert encoder.decode(together[place]) == encoder.decode(one[0])
        assert one.shape[1] <= 9


def test_the_loss_is_that_of_the_library(backbone: Backbone) -> None:
    """One unpadded example, given to the model as its own documentation says."""
    batch = tiny.batch_of(backbone, tiny.examples(1))
    ids, labels = batch["input_ids"], batch["labels"]
    with torch.no_grad():
        ours = backbone.forward(embedded(backbone, batch), batch["attention_mask"], labels).loss
        if backbone.encoder_decoder:
            theirs = backbone.model(input_ids=ids, labels=labels).loss
        else:
            theirs = backbone.model(input_ids=torch.cat((ids, labels), 1),
                                    labels=torch.cat((torch.full_like(ids, IGNORED_LABEL), labels), 1)).loss
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_greedy_answers_are_those_of_the_library(backbone: Backbone) -> None:
    """Token by token with the whole text anew, without a cache and without padding."""
    batch = tiny.batch_of(backbone, tiny.examples(1))
    generated = backbone.generate(embedded(backbone, batch), batch["attention_mask"], beams=1, max_new_tokens=6)[0].tolist()
    written: list[int] = []
    start = [backbone.model.config.decoder_start_token_id] if backbone.encoder_decoder else []
    with torch.no_grad():
        for _ in range(6):
            if backbone.encoder_decoder:
                logits = backbone.model(input_ids=batch["input_ids"], decoder_input_ids=torch.tensor([start + written])).logits
            else:
                logits = backbone.model(input_ids=torch.cat((batch["input_ids"], torch.tensor([written], dtype=torch.long)), 1)).logits
            written.append(int(logits[0, -1].argmax()))
            if written[-1] == backbone.tokenizer.eos_token_id:
                break
    assert generated[len(start):] == written


def test_a_transducer_learns_is_saved_and_can_be_switched_off(backbone: Backbone, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = build_method("transducer", backbone, TransducerSettings()).train()
    batch = tiny.batch_of(backbone, tiny.examples(4))
    frozen = {name: tensor.clone() for name, tensor in backbone.model.named_parameters()}
    with torch.no_grad():
        before = backbone.forward(embedded(backbone, batch), batch["attention_mask"], batch["labels"]).logits
    optimizer = torch.optim.AdamW(model.trainable().values(), lr=1e-2)
    received = {name: torch.zeros_like(parameter, dtype=torch.bool) for name, parameter in model.trainable().items()}
    losses = []
    for _ in range(6):
        loss = model(**batch).loss
        loss.backward()
        for name, parameter in model.trainable().items():
            received[name] |= parameter.grad != 0
        losses.append(loss.item())
        optimizer.step()
        optimizer.zero_grad()
    assert losses[-1] < losses[0]
    assert all(reached.all() for reached in received.values()), [name for name, reached in received.items() if not reached.all()]
    assert all(torch.equal(tensor, frozen[name]) for name, tensor in backbone.model.named_parameters())
    with torch.no_grad(), model.disabled():
        torch.testing.assert_close(model(**batch).logits, before, rtol=0, atol=0)
    model.save_pretrained(tmp_path / "saved", task="assert")
    again = TransducerModel.from_pretrained(tmp_path / "saved", backbone)
    with torch.no_grad():
        torch.testing.assert_close(again(**batch).logits, model.eval()(**batch).logits, rtol=0, atol=0)


@pytest.mark.parametrize("method", ["lora", "prompt", "adapter"])
def test_methods_learn_on_every_family(folder: Path, method: str) -> None:
    learns(method, folder)


@pytest.mark.parametrize("model_type", ["llama", "gpt2", "mamba"])
@pytest.mark.parametrize("method", [name for name in METHODS if method_class(name).has_loss
                                    and name not in ("none", "prefix", "prefix-encoder", "published")])
def test_every_method_learns_on_every_kind(method: str, model_type: str, tmp_path: Path) -> None:
    made_for = method_class(method).model_types
    if made_for and model_type not in made_for:
        with pytest.raises(BackboneError, match="leave the method out"):
            learns(method, write_family(tmp_path / "model", model_type))
        return
    learns(method, write_family(tmp_path / "model", model_type))


def learns(method: str, folder: Path) -> None:
    """The loss falls, an answer comes out, and switched off the model is the frozen one."""
    torch.manual_seed(0)
    backbone = load_backbone(str(folder), "float32", device="cpu")
    batch = tiny.batch_of(backbone, tiny.examples(4))
    with torch.no_grad():
        before = backbone.forward(embedded(backbone, batch), batch["attention_mask"], batch["labels"]).logits
    model = build_method(method, backbone, TransducerSettings()).train()
    losses = tiny.trained_losses(model, batch)
    assert losses[-1] < losses[0]
    generated = model.eval().generate(batch, beams=2, max_new_tokens=4)
    assert generated.shape[0] == 4 and generated.shape[1] <= 5
    with torch.no_grad(), model.disabled():
        torch.testing.assert_close(model(**batch).logits, before, **CLOSE)


@pytest.mark.parametrize("model_type", CAUSAL)
def test_padding_in_front_changes_nothing(model_type: str, tmp_path: Path) -> None:
    """Whatever stands behind the mask: the padding of a batch, or none."""
    backbone = load_backbone(str(write_family(tmp_path / "model", model_type)), "float32", device="cpu")
    batch = tiny.batch_of(backbone, tiny.examples(1))
    embeddings, mask = embedded(backbone, batch), batch["attention_mask"]
    wider = torch.cat((embeddings, torch.randn(1, 7, WIDTH)), 1), torch.cat((mask, mask.new_zeros(1, 7)), 1)
    with torch.no_grad():
        torch.testing.assert_close(backbone.forward(*wider, batch["labels"]).logits,
                                   backbone.forward(embeddings, mask, batch["labels"]).logits, **CLOSE)


def test_a_model_with_marks_for_a_gap_is_asked_to_fill_it(tmp_path: Path) -> None:
    backbone = load_backbone(str(write_family(tmp_path / "model", "starcoder2", MIDDLE_MARKS)), "float32", device="cpu")
    example = tiny.examples(1)[0]
    encoder = tiny.preparer(backbone).text
    encoded = encoder.encode_source(example.source)
    text = backbone.tokenizer.decode(encoded.token_ids)
    before, after = example.source.split(tiny.TASK.placeholder)
    blank = before.endswith(" ")
    assert text.endswith("<fim_prefix>" + before[:-1 if blank else None] + "<fim_suffix>" + after + "<fim_middle>")
    assert encoded.blank_before_answer == blank
    gap = int((encoded.token_ids == encoder.form.gap).nonzero()[0][0])
    assert encoded.text.encode()[encoded.start_byte[gap]:encoded.end_byte[gap]].decode() == tiny.TASK.placeholder
    target = backbone.tokenizer.decode(encoder.encode_target("assert total == 2", blank))
    assert target == (" " if blank else "") + "assert total == 2<|endoftext|>"


def test_a_model_without_marks_is_asked_behind_the_source(tmp_path: Path) -> None:
    backbone = load_backbone(str(write_family(tmp_path / "model", "llama")), "float32", device="cpu")
    example = tiny.examples(2)[1]
    encoder = tiny.preparer(backbone).text
    encoded = encoder.encode_source(example.source, tiny.TASK.frame("java", fills_gaps=False))
    question = f"\n// {tiny.TASK.placeholder} is:\n"
    assert backbone.tokenizer.decode(encoded.token_ids).endswith(example.source + question)
    behind = len(backbone.tokenizer(question)["input_ids"])
    assert (encoded.start_byte[-behind:] == -1).all() and (encoded.start_byte[1:-behind] >= 0).all()
    assert backbone.tokenizer.decode(encoder.encode_target(example.target, False)) == example.target + "<|endoftext|>"


@pytest.mark.parametrize("method", ["prefix", "prefix-encoder"])
def test_prefixes_are_refused_where_they_cannot_be_right(method: str, tmp_path: Path) -> None:
    backbone = load_backbone(str(write_family(tmp_path / "model", "llama")), "float32", device="cpu")
    with pytest.raises(BackboneError, match=f"method '{method}' "):
        build_method(method, backbone, TransducerSettings())


PLACES = 512
"""Of the tiny models whose positions are learned."""

LONG = "int sum() {\n" + "".join(f"    total = total + part{number};\n" for number in range(200)) + '    "<AssertPlaceHolder>";\n}\n'


def batch_of_length(backbone: Backbone, source: int, target: int) -> dict[str, torch.Tensor]:
    """One example whose input and answer have exactly so many tokens."""
    long = Example("long", LONG, "assertEquals(1, total); " * 120, "java")
    batch = Collator(backbone.pad_token_id)(Preparer(backbone, tiny.TASK, source, target).with_labels([long], PreparationReport()))
    assert batch["input_ids"].shape == (1, source) and batch["labels"].shape == (1, target)
    return batch


@pytest.mark.parametrize("model_type", [name for name, family in FAMILIES.items() if family.learned_positions])
@pytest.mark.parametrize("method", ["transducer", "no-graph", "lora", "prompt", "p-tuning", "xprompt", "prompt+adapter"])
def test_as_many_tokens_as_a_model_has_places_for(method: str, model_type: str, tmp_path: Path) -> None:
    backbone = load_backbone(str(write_family(tmp_path / "model", model_type)), "float32", device="cpu")
    assert backbone.model.config.max_position_embeddings == PLACES
    model, target = build_method(method, backbone, TransducerSettings()), 12
    source = PLACES - model.added_positions - (0 if backbone.encoder_decoder else target - 1)
    assert (model.added_positions > 0) == (method != "lora")
    model.require_positions(source, target)
    batch = batch_of_length(backbone, source, target)
    with torch.no_grad():
        assert model(**batch).loss.isfinite()
    assert model.generate(batch, beams=2, max_new_tokens=target).shape[0] == 1
    with pytest.raises(BackboneError, match=rf"places for 512 tokens, and 513 are asked for: .*--max-source-tokens {source} or less$"):
        model.require_positions(source + 1, target)
    with torch.no_grad(), pytest.raises(IndexError):
        model(**batch_of_length(backbone, source + 1, target))


def test_places_are_counted_for_answers_too_and_for_what_is_read_apart(tmp_path: Path) -> None:
    bart = load_backbone(str(write_family(tmp_path / "bart", "bart")), "float32", device="cpu")
    bart.require_positions(PLACES, PLACES)
    with pytest.raises(BackboneError, match="places for 512 tokens of an answer, and 513 are asked for; give --max-target-tokens 512 or less"):
        bart.require_positions(64, PLACES + 1)
    backbone = load_backbone(str(write_family(tmp_path / "gpt2", "gpt2")), "float32", device="cpu")
    with pytest.raises(BackboneError, match="600 of the answer .*; give less of each"):
        backbone.require_positions(64, 601)
    model = build_method("transducer", backbone, TransducerSettings(fusion="prompts+beyond", reach=300))
    left = PLACES - 300 - model.added_positions - 15
    model.require_positions(left, 16)
    with pytest.raises(BackboneError, match=f"300 that the part beyond reads .*, 15 of the answer .*--max-source-tokens {left} or less"):
        model.require_positions(left + 1, 16)


@pytest.mark.parametrize("model_type", ["bart", "plbart"])
def test_prefixes_take_places_of_the_answer(model_type: str, tmp_path: Path) -> None:
    backbone = load_backbone(str(write_family(tmp_path / "model", model_type)), "float32", device="cpu")
    model = build_method("prefix", backbone, TransducerSettings())
    target = PLACES - model.settings.tokens
    model.require_positions(64, target)
    with torch.no_grad():
        assert model(**batch_of_length(backbone, 64, target)).loss.isfinite()
    with pytest.raises(BackboneError, match="places for 502 tokens of an answer, and 503 are asked for; give --max-target-tokens 502 or less"):
        model.require_positions(64, target + 1)
    with torch.no_grad(), pytest.raises(IndexError):
        model(**batch_of_length(backbone, 64, target + 1))


def test_too_long_limits_end_a_command_before_it_makes_a_folder(
        data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = str(write_family(tmp_path / "model", "gpt2"))
    arguments = ["--model", model, "--data", f"file:{data_folder}", "--max-source-tokens", "500", "--max-target-tokens", "16",
                 "--output", str(tmp_path / "run")]
    told = f"model {model!r} has places for 512 tokens, and 5"
    for main, methods in ((train.main, ["--method", "lora"]), (compare.main, ["--methods", "lora"])):
        assert command_line(main, [*arguments, *methods]) == 1
        assert told in capsys.readouterr().err
        assert command_line(main, [*arguments, *methods, "--dry-run"]) == 1
        assert told in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("model_type", [name for name, family in FAMILIES.items() if not family.learned_positions])
def test_other_models_take_any_length(model_type: str, tmp_path: Path) -> None:
    backbone = load_backbone(str(write_family(tmp_path / "model", model_type)), "float32", device="cpu")
    model, length = build_method("transducer", backbone, TransducerSettings()), PLACES + 40
    model.require_positions(length, 16)
    with torch.no_grad():
        assert model(**batch_of_length(backbone, length, 16)).loss.isfinite()
