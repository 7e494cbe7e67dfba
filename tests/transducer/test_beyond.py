"""What lies beyond the window: which tokens, in which order, what the decoder is given of them."""
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cpg import extract
from tasks.assertion import PLACEHOLDER
from tests.transducer import tiny, tiny_families
from transducer.backbone import Backbone, load_backbone
from transducer.config import TransducerSettings, resolve
from transducer.errors import BackboneError, ConfigurationError
from transducer.methods import build_method
from transducer.model import TransducerModel
from transducer.prepare import PreparationReport, Preparer
from transducer.tensors import Collator, GraphArrays, NodeBags, PreparedExample, graph_arrays
from transducer.text import EncodedSource, TextEncoder

FUSION = "attention+aligned+residual+prompts+scales+beyond"
WINDOW, REACH = 24, 400
CODE = st.text(alphabet=st.sampled_from("ab1 \n\t(){};=.é"), max_size=200)
SOURCES = [example.source for example in tiny.examples(4)] + [f"{PLACEHOLDER}"]
"""Of the tiny data; the last one has nothing beyond any window."""


@pytest.fixture(scope="module")
def backbone(model_folder: Path) -> Backbone:
    return load_backbone(str(model_folder), "float32", device="cpu")


def preparer(backbone: Backbone, reach: int = REACH, window: int = WINDOW) -> Preparer:
    return Preparer(backbone, tiny.TASK, window, tiny.TARGET_TOKENS, reach)


def transducer(backbone: Backbone, seed: int = 0, **given: object) -> TransducerModel:
    torch.manual_seed(seed)
    chosen = resolve(TransducerSettings, {"fusion": FUSION, "reach": REACH} | given)
    return build_method("transducer", backbone, chosen, "auto")


def prepared(backbone: Backbone, sources: list[str] = SOURCES, reach: int = REACH) -> list[PreparedExample]:
    report = PreparationReport()
    return [preparer(backbone, reach).model_input(source, "java" if ";" in source else "python", report)[1] for source in sources]


def batch_of(backbone: Backbone, examples: list[PreparedExample]) -> dict[str, torch.Tensor]:
    labelled = [replace(example, labels=np.arange(5, 12)) for example in examples]
    return Collator(backbone.pad_token_id)(labelled)


def encoded_and_graph(backbone: Backbone, source: str, language: str) -> tuple[EncodedSource, GraphArrays]:
    encoded = preparer(backbone).text.encode_source(source)
    return encoded, graph_arrays(extract(encoded.text, language), encoded, NodeBags(backbone.tokenizer))


# Which tokens


@settings(max_examples=80, derandomize=True, deadline=None)
@given(before=CODE, after=CODE, window=st.integers(16, 40), reach=st.integers(0, 80))
def test_a_reach_leaves_what_the_model_reads_as_it_is(backbone: Backbone, before: str, after: str, window: int, reach: int) -> None:
    source = before + PLACEHOLDER + after
    plain = TextEncoder(backbone.tokenizer, PLACEHOLDER, window, 16).encode_source(source)
    wide = TextEncoder(backbone.tokenizer, PLACEHOLDER, window, 16, reach=reach).encode_source(source)
    assert wide.token_ids.tolist() == plain.token_ids.tolist() and wide.truncated == plain.truncated
    assert plain.text in wide.text and wide.text in source
    assert len(wide.tokens.ids) <= len(plain.tokens.ids) + reach
    if len(wide.tokens.ids) < len(plain.tokens.ids) + reach:
        assert wide.text == source
    shown = wide.start_byte >= 0
    assert wide.tokens.ids[wide.window].tolist() == wide.token_ids[shown].tolist()
    data = wide.text.encode()
    for start, end, narrow_start, narrow_end in zip(wide.start_byte[shown], wide.end_byte[shown], plain.start_byte[shown], plain.end_byte[shown]):
        assert data[start:end] == plain.text.encode()[narrow_start:narrow_end]


@settings(max_examples=60, derandomize=True, deadline=None)
@given(before=CODE, after=CODE, language=st.sampled_from(["python", "java"]))
def test_every_token_beyond_the_window_stands_in_the_order_once(backbone: Backbone, before: str, after: str, language: str) -> None:
    encoded, arrays = encoded_and_graph(backbone, before + PLACEHOLDER + after, language)
    outside = np.delete(encoded.tokens.ids, encoded.window)
    assert arrays.beyond_ids.tolist() == outside.tolist()
    assert sorted(arrays.beyond_order.tolist()) == list(range(len(outside)))


def test_words_that_the_window_lacks_come_first_and_the_nearest_of_them_first(backbone: Backbone) -> None:
    source = (f"def far(total):\n    value = perimeter(total)\n    return value + 1\n\n\ndef perimeter(width):\n    return width + area\n\n\n"
              f"def test_area():\n    width = area(2)\n    {PLACEHOLDER}\n")
    text = preparer(backbone, window=20).text
    encoded = text.encode_source(source)
    arrays = graph_arrays(extract(encoded.text, "python"), encoded, NodeBags(backbone.tokenizer))
    data = encoded.text.encode()
    outside = np.delete(np.arange(len(encoded.tokens.ids)), encoded.window)
    found = [data[encoded.tokens.start_byte[place]:encoded.tokens.end_byte[place]].decode() for place in outside[arrays.beyond_order]]
    seen = data[encoded.start_byte[encoded.start_byte >= 0][0]:].decode()
    words = [word for word in ("perimeter", "value", "total", "far") if word not in seen]
    assert len(words) == 4 and "width" in seen and "area" in seen
    joined = "".join(found)
    assert joined.startswith("perimeter1valuetotalfar")
    # What the window has, and what is no word, comes behind them.
    behind = joined[len("perimeter1valuetotalfar"):]
    assert "area" in behind and "(" in behind and ":" in behind


def test_tokens_beyond_the_window_have_the_innermost_node(backbone: Backbone) -> None:
    for example in tiny.examples(4):
        encoded, arrays = encoded_and_graph(backbone, example.source, example.language)
        graph = extract(encoded.text, example.language)
        outside = np.delete(np.arange(len(encoded.tokens.ids)), encoded.window)
        assert len(outside) > 10
        for node, place in zip(arrays.beyond_node, outside):
            start, end = encoded.tokens.start_byte[place], encoded.tokens.end_byte[place]
            around = [other for other in range(len(graph.nodes))
                      if max(start, graph.nodes.start_byte[other]) < min(end, graph.nodes.end_byte[other])]
            widths = {other: graph.nodes.end_byte[other] - graph.nodes.start_byte[other] for other in around}
            assert node == max((other for other in around if widths[other] == min(widths.values())), default=-1)


# What the model is given


@pytest.fixture(scope="module", params=["t5", "bart", "llama", "gpt2", "gpt_bigcode", "gemma3_text", "phi3", "starcoder2"])
def any_backbone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    folder = tiny_families.write_family(tmp_path_factory.mktemp("beyond") / request.param, request.param)
    return load_backbone(str(folder), "float32", device="cpu")


def test_the_decoder_reads_the_frozen_states_beside_those_of_the_window(backbone: Backbone) -> None:
    """By hand, with a gate that is still zero: the encoder on the window, the encoder on the rest, one behind the other."""
    model = transducer(backbone)
    (example,) = prepared(backbone, SOURCES[:1])
    batch = batch_of(backbone, [example])
    fused = model.fused(**{name: tensor for name, tensor in batch.items() if name != "labels"})
    encoder = backbone.model.get_encoder()
    with torch.no_grad():
        rest = encoder(input_ids=torch.from_numpy(example.graph.beyond_ids)[None]).last_hidden_state[:, example.graph.beyond_order]
    torch.testing.assert_close(fused.apart.parts, (rest[:, None],))
    states = torch.cat((encoder(inputs_embeds=fused.embeddings).last_hidden_state, rest), dim=1)
    expected = backbone.model(encoder_outputs=(states,), labels=batch["labels"]).logits
    torch.testing.assert_close(model(**batch).logits, expected)


def test_rows_of_a_batch_are_as_each_alone_whatever_lies_beyond_them(any_backbone: Backbone) -> None:
    backbone = any_backbone
    model = transducer(backbone)
    torch.nn.init.normal_(model.fusion.beyond.gate)
    examples = prepared(backbone)
    assert len({len(example.graph.beyond_ids) for example in examples}) > 2 and not len(examples[-1].graph.beyond_ids)
    together = model(**batch_of(backbone, examples)).logits
    for row, example in enumerate(examples):
        torch.testing.assert_close(together[row:row + 1], model(**batch_of(backbone, [example])).logits, rtol=1e-4, atol=1e-4)
    batch = batch_of(backbone, examples)
    answers = model.generate(batch, beams=2, max_new_tokens=6)
    for row, example in enumerate(examples):
        alone = model.generate(batch_of(backbone, [example]), beams=2, max_new_tokens=6)[0].tolist()
        assert answers[row].tolist()[:len(alone)] == alone


@pytest.mark.parametrize("any_backbone", ["llama", "gpt2", "gemma3_text"], indirect=True)
def test_a_decoder_only_model_goes_on_behind_all_that_it_has_read_apart(any_backbone: Backbone) -> None:
    """With a gate that is still zero: as if the text beyond the window stood in front of the prompts."""
    model = transducer(any_backbone, fusion="prompts+beyond")
    (example,) = prepared(any_backbone, SOURCES[:1])
    batch = batch_of(any_backbone, [example])
    named = {name: tensor for name, tensor in batch.items() if name != "labels"}
    embeddings = model.fused(**named).embeddings
    embedding = any_backbone.model.get_input_embeddings()
    whole = torch.cat((embedding(torch.from_numpy(example.graph.beyond_ids)[None]), embeddings), dim=1)
    expected = any_backbone.forward(whole, torch.ones(whole.shape[:2], dtype=torch.long), batch["labels"])
    torch.testing.assert_close(model(**batch).logits, expected.logits, rtol=1e-4, atol=1e-4)
    for beams in (1, 2):
        answer = any_backbone.generate(whole, torch.ones(whole.shape[:2], dtype=torch.long), beams=beams, max_new_tokens=8)
        assert model.generate(batch, beams=beams, max_new_tokens=8).tolist() == answer.tolist()


def test_a_long_text_is_read_in_pieces(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = torch.randint(5, 60, (2, 23), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[1, 6:] = 0
    encoder = backbone.model.get_encoder()
    with torch.no_grad():
        torch.testing.assert_close(backbone.read_apart(ids, mask)[0][:1, 0], encoder(input_ids=ids[:1]).last_hidden_state)
        monkeypatch.setattr("transducer.feeding.PIECE", 8)
        found = backbone.read_apart(ids, mask)[0][:, 0]
        pieces = [encoder(input_ids=ids[:1, start:start + 8]).last_hidden_state for start in (0, 8, 16)]
        torch.testing.assert_close(found[:1], torch.cat(pieces, dim=1))
        torch.testing.assert_close(found[1:, :6], encoder(input_ids=ids[1:, :6]).last_hidden_state)
    assert found[1, 8:].eq(0).all()
    assert backbone.read_apart(ids[:, :0], mask[:, :0])[0].shape == (2, 1, 0, tiny.WIDTH)


def test_the_limit_keeps_the_worthiest(backbone: Backbone) -> None:
    batch = batch_of(backbone, prepared(backbone))
    del batch["labels"]
    whole, few = transducer(backbone).fused(**batch).apart, transducer(backbone, beyond=3).fused(**batch).apart
    assert few.mask.shape[1] == 3 and few.mask[:-1].eq(1).all() and few.mask[-1].eq(0).all()
    torch.testing.assert_close(few.parts[0], whole.parts[0][:, :, :3])
    assert few.lengths.tolist() == whole.lengths.tolist() == [len(example.graph.beyond_ids) for example in prepared(backbone)]


def test_the_gate_and_through_it_the_graph_network_are_trained(any_backbone: Backbone) -> None:
    backbone = any_backbone
    model = transducer(backbone, fusion="beyond")
    batch = batch_of(backbone, prepared(backbone))
    model(**batch).loss.backward()
    assert model.fusion.beyond.gate.grad.abs().sum() > 0
    with torch.no_grad():
        model.fusion.beyond.gate.fill_(0.1)
    model.zero_grad()
    model(**batch).loss.backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in model.trainable().values())


def test_a_batch_with_nothing_beyond_still_has_a_gradient_for_every_part(any_backbone: Backbone) -> None:
    """Several processes add up their gradients, and one whose batch has none must not stand out."""
    backbone = any_backbone
    model = transducer(backbone)
    model(**batch_of(backbone, prepared(backbone, SOURCES[-1:]))).loss.backward()
    assert model.fusion.beyond.gate.grad is not None and model.fusion.beyond.gate.grad.abs().sum() == 0


def test_without_reach_the_part_changes_nothing(backbone: Backbone) -> None:
    examples = prepared(backbone, reach=0)
    assert all(not len(example.graph.beyond_ids) for example in examples)
    batch = batch_of(backbone, examples)
    with_part, without = transducer(backbone), transducer(backbone, fusion=FUSION.removesuffix("+beyond"), rank=transducer(backbone).rank)
    without.load_state_dict({name: tensor for name, tensor in with_part.state_dict().items() if "beyond" not in name})
    torch.testing.assert_close(with_part(**batch).logits, without(**batch).logits)


def test_reach_and_limit_are_saved(backbone: Backbone, tmp_path: Path) -> None:
    model = transducer(backbone, beyond=7)
    model.save_pretrained(tmp_path / "saved", task="assert")
    again = TransducerModel.from_pretrained(tmp_path / "saved", backbone)
    assert (again.settings.reach, again.settings.beyond) == (REACH, 7)
    batch = batch_of(backbone, prepared(backbone))
    torch.testing.assert_close(again(**batch).logits, model.eval()(**batch).logits)


# What it does not go with


@pytest.mark.parametrize("model_type", ["mamba", "jamba"])
def test_a_model_that_keeps_one_state_of_all_is_refused(model_type: str, tmp_path: Path) -> None:
    folder = tiny_families.write_family(tmp_path / model_type, model_type)
    with pytest.raises(BackboneError, match=f"'beyond'.*family {model_type}.*leave it out of --fusion"):
        transducer(load_backbone(str(folder), "float32", device="cpu"))


def test_a_decoder_only_model_whose_layers_are_computed_twice_is_refused(tmp_path: Path) -> None:
    folder = tiny_families.write_family(tmp_path / "llama", "llama")
    with pytest.raises(BackboneError, match="'beyond'.*--gradient-checkpointing"):
        transducer(load_backbone(str(folder), "float32", device="cpu", computed_twice=True))


def test_the_part_without_a_reach_is_refused(backbone: Backbone) -> None:
    with pytest.raises(ConfigurationError, match="'beyond' has nothing to read.*--reach N"):
        transducer(backbone, reach=0)


def test_a_reach_behind_a_method_is_refused(backbone: Backbone) -> None:
    with pytest.raises(ConfigurationError, match="--reach 5"):
        build_method("transducer:reach=5", backbone, TransducerSettings(reach=REACH), "auto")
