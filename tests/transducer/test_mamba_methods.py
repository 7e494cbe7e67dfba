"""The contract of methods on Mamba: what is trained, what stays, what is saved, and that decoding from the state is right."""
from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tests.transducer import tiny
from tests.transducer.tiny_families import WIDTH, write_family
from transducer.adapted_model import AdaptedModel
from transducer.backbone import Backbone, load_backbone
from transducer.budget import parameter_count, within_budget
from transducer.config import TransducerSettings
from transducer.errors import BackboneError, ConfigurationError, UnknownNameError
from transducer.methods import METHODS, build_method, method_class, with_fields

ALL_TARGETS = "in_proj+in_proj.x+in_proj.z+x_proj+x_proj.dt+x_proj.B+x_proj.C+dt_proj+out_proj"
OWN = ("affix", "additional-scan", "lora-partial", f"lora-partial:targets={ALL_TARGETS}")
ON_MAMBA = (*OWN, "transducer", "prompt", "lora", "no-graph")
ON_MAMBA2 = ("lora-partial:targets=in_proj+in_proj.z+in_proj.x+in_proj.B+in_proj.C+in_proj.dt+out_proj",
             "transducer", "prompt", "lora")
CASES = [*(("mamba", method) for method in ON_MAMBA), *(("mamba2", method) for method in ON_MAMBA2)]
INNER, RANK, STATES = 2 * WIDTH, 2, 8
"""Of the tiny Mamba: width of a mixer, of its step sizes (a sixteenth of the model's width), states."""
EXACT = {"rtol": 1e-4, "atol": 1e-4}
"""float32 sums taken in another order, over logits of size 10."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("mambas")
    return {name: write_family(folder / name, name) for name in ("mamba", "mamba2")}


def build(method: str, folder: Path, moved: bool = False) -> AdaptedModel:
    """A method, on request moved away from its start so that what it does shows."""
    torch.manual_seed(0)
    model = build_method(method, load_backbone(str(folder), "float32", device="cpu"), TransducerSettings())
    if moved:
        with torch.no_grad():
            for parameter in model.trainable().values():
                parameter.add_(0.3 * torch.randn_like(parameter))
    return model.eval()


def mixed_batch(backbone: Backbone) -> tuple[list, dict[str, torch.Tensor]]:
    """Examples of different lengths, so that some rows are padded."""
    examples = sorted(tiny.examples(6), key=lambda example: len(example.source))
    rows = [examples[0], examples[-1], examples[2]]
    batch = tiny.batch_of(backbone, rows)
    assert (batch["attention_mask"].sum(1) < batch["attention_mask"].shape[1]).any()
    return rows, batch


def logits(model: AdaptedModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    with torch.no_grad():
        return model(**batch).logits


# The contract


@pytest.mark.parametrize(("family", "method"), CASES)
def test_gradient_reaches_every_number_and_the_backbone_stays(family: str, method: str, folders: dict[str, Path]) -> None:
    """In float64, where rounding noise is far below 1e-14."""
    torch.manual_seed(0)
    model = build_method(method, tiny.float64_backbone(folders[family]), TransducerSettings()).double().train()
    if method.startswith("lora"):
        model = model.eval()  # no dropout: a dropped input has no gradient
    frozen = {name: tensor.clone() for name, tensor in model.backbone.model.named_parameters() if not tensor.requires_grad}
    parameters = model.trainable()
    batch = tiny.batch_of(model.backbone, tiny.examples(2))
    reached = {name: torch.zeros_like(parameter, dtype=torch.bool) for name, parameter in parameters.items()}
    optimizer = torch.optim.SGD(parameters.values(), lr=0.05)
    for _ in range(3):
        model(**batch).loss.backward()
        for name, parameter in parameters.items():
            reached[name] |= parameter.grad.abs() > 1e-14
        optimizer.step()
        optimizer.zero_grad()
    assert all(every.all() for every in reached.values()), [name for name, every in reached.items() if not every.all()]
    assert all(torch.equal(tensor, frozen[name]) for name, tensor in model.backbone.model.named_parameters() if name in frozen)
    counted = {id(parameter) for parameter in parameters.values()}
    assert not any(id(tensor) in counted for name, tensor in model.backbone.model.named_parameters() if "lora_" not in name)


@pytest.mark.parametrize(("family", "method"), CASES)
def test_rows_do_not_depend_on_their_batch_and_switched_off_it_is_the_backbone(
        family: str, method: str, folders: dict[str, Path]) -> None:
    model = build(method, folders[family], moved=True)
    encoder = tiny.preparer(model.backbone).text
    rows, batch = mixed_batch(model.backbone)
    together = logits(model, batch)
    answers = {beams: model.generate(batch, beams=beams, max_new_tokens=6) for beams in (1, 3)}
    for place, row in enumerate(rows):
        alone = tiny.batch_of(model.backbone, [row])
        expected = logits(model, alone)[0]
        torch.testing.assert_close(together[place, :len(expected)], expected, **EXACT)
        for beams, answer in answers.items():
            one = model.generate(alone, beams=beams, max_new_tokens=6)[0]
            assert encoder.decode(answer[place]) == encoder.decode(one)
    plain = load_backbone(str(folders[family]), "float32", device="cpu")
    with torch.no_grad(), model.disabled():
        embeddings = plain.model.get_input_embeddings()(batch["input_ids"])
        expected = plain.forward(embeddings, batch["attention_mask"], batch["labels"]).logits
        torch.testing.assert_close(model(**batch).logits, expected, rtol=0, atol=1e-6)
    assert not torch.allclose(together, expected, atol=1e-2)


@pytest.mark.parametrize(("family", "method"), CASES)
def test_decoding_from_the_state_is_that_of_whole_passes(family: str, method: str, folders: dict[str, Path]) -> None:
    """Greedy on padded rows; the whole text anew for every token, where nothing can be taken into account twice or lost."""
    model = build(method, folders[family], moved=True)
    _, batch = mixed_batch(model.backbone)
    generated = model.generate(batch, beams=1, max_new_tokens=6)
    scores = logits(model, batch | {"labels": generated})  # teacher-forced on its own answer
    ended = (generated == model.backbone.tokenizer.eos_token_id).cumsum(1) > 0
    shown = torch.cat((torch.zeros_like(ended[:, :1]), ended[:, :-1]), 1)  # padding behind the end
    assert torch.equal(scores.argmax(-1)[~shown], generated[~shown])


RELOAD = """
import json, sys
import torch
torch.set_num_threads(1)
from pathlib import Path
from safetensors.torch import save_file
from tests.transducer import tiny
from transducer.backbone import load_backbone
from transducer.config import TransducerSettings
from transducer.methods import build_method
tensors, texts = {}, {}
for number, (key, (method, backbone, folder)) in enumerate(json.loads(sys.argv[2]).items()):
    torch.manual_seed(100 + number)
    model = build_method(method, load_backbone(backbone, "float32", device="cpu"), TransducerSettings())
    model.load(Path(folder))
    batch = tiny.batch_of(model.backbone, tiny.examples(4, 60))
    with torch.no_grad():
        tensors[key] = model.eval()(**batch).logits.contiguous()
    texts[key] = model.generate(batch, beams=2, max_new_tokens=8).tolist()
save_file(tensors, Path(sys.argv[1]) / "logits.safetensors")
(Path(sys.argv[1]) / "texts.json").write_text(json.dumps(texts))
"""


def test_a_new_process_computes_and_generates_the_same(folders: dict[str, Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file

    work, expected, texts = {}, {}, {}
    for number, (family, method) in enumerate(CASES):
        model = build(method, folders[family], moved=True)
        batch = tiny.batch_of(model.backbone, tiny.examples(4, 60))
        expected[str(number)] = logits(model, batch)
        texts[str(number)] = model.generate(batch, beams=2, max_new_tokens=8).tolist()
        model.save(tmp_path / str(number))
        work[str(number)] = (method, str(folders[family]), str(tmp_path / str(number)))
    done = tiny.python("-W", "error", "-c", RELOAD, str(tmp_path), json.dumps(work), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = load_file(tmp_path / "logits.safetensors")
    assert all(torch.equal(found[key], tensor) for key, tensor in expected.items())
    assert json.loads((tmp_path / "texts.json").read_text()) == texts


@pytest.mark.parametrize("method", OWN)
def test_weights_kept_in_bfloat16_change_no_bit(method: str, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Loss, gradients and answer, against autocast rounding the weights at every use."""
    def computed() -> tuple[list[torch.Tensor], torch.Tensor, set[torch.dtype]]:
        torch.manual_seed(0)
        backbone = load_backbone(str(folders["mamba"]), "bfloat16", device="cpu")
        model = build_method(method, backbone, TransducerSettings()).train()
        with torch.no_grad():
            for parameter in model.trainable().values():
                parameter.add_(0.1 * torch.randn_like(parameter))
        batch = tiny.batch_of(backbone, tiny.examples(2))
        loss = model(**batch).loss
        loss.backward()
        answer = model.eval().generate(batch, beams=2, max_new_tokens=4)
        return ([loss.detach(), *(parameter.grad for parameter in model.trainable().values())], answer,
                {parameter.dtype for parameter in backbone.model.parameters()})

    found, answer, types = computed()
    monkeypatch.setattr(Backbone, "narrow_weights", lambda backbone: None)
    expected, expected_answer, wide = computed()
    assert all(mine.isfinite().all() and torch.equal(mine, other) for mine, other in zip(found, expected, strict=True))
    assert torch.equal(answer, expected_answer)
    assert torch.bfloat16 not in wide and (torch.bfloat16 in types) == ("dt_proj" not in method)


# What each one computes


def mixer_of(model: AdaptedModel, layer: int = 0):
    return model.backbone.model.backbone.layers[layer].mixer


@torch.no_grad()
def scanned(mixer, projected: torch.Tensor, a_log: torch.Tensor, x_proj: torch.Tensor, dt_proj: torch.Tensor) -> torch.Tensor:
    """Output [B, T, D] of a mixer from in_proj's output [B, T, 2 d_inner], by Mamba's definition, one step after another."""
    inner, rank, states = mixer.intermediate_size, mixer.time_step_rank, a_log.shape[1]
    x, gate = projected.split(inner, dim=-1)
    front = torch.cat((x.new_zeros(len(x), 3, inner), x), dim=1)  # a kernel of 4
    kernel = mixer.conv1d.weight[:, 0]  # [d_inner, 4]
    x = torch.nn.functional.silu(sum(front[:, shift:shift + x.shape[1]] * kernel[:, shift] for shift in range(4)) + mixer.conv1d.bias)
    step, into, out = (x @ x_proj.T).split((rank, states, states), dim=-1)
    step = torch.nn.functional.softplus(step @ dt_proj.T + mixer.dt_proj.bias)
    state, outputs = x.new_zeros(len(x), inner, states), []
    for place in range(x.shape[1]):
        state = state * (-step[:, place, :, None] * a_log.exp()).exp() + (step * x)[:, place, :, None] * into[:, place, None]
        outputs.append((state * out[:, place, None]).sum(-1) + mixer.D * x[:, place])
    return (torch.stack(outputs, 1) * torch.nn.functional.silu(gate)) @ mixer.out_proj.weight.T


def test_affixes_are_joined_before_the_convolution_and_dropped_after_the_scan(folders: dict[str, Path]) -> None:
    """Layer by layer, with the positions in the mixers alone and never in the residual stream."""
    model = build("affix:tokens=2", folders["mamba"], moved=True)
    batch = tiny.batch_of(model.backbone, tiny.examples(1))
    base = model.backbone.model.backbone
    hidden = torch.cat((base.embeddings(batch["input_ids"]), base.embeddings(batch["labels"][:, :-1])), dim=1)
    with torch.no_grad():
        for layer, affix in zip(base.layers, model.affixes):
            projected = torch.nn.functional.linear(layer.norm(hidden), layer.mixer.in_proj.weight)
            gate = torch.randn(1, 2, INNER)  # whatever it is, it is dropped
            front = torch.cat((affix[None], gate), dim=-1)
            mixed = scanned(layer.mixer, torch.cat((front, projected), dim=1), layer.mixer.A_log, layer.mixer.x_proj.weight,
                            layer.mixer.dt_proj.weight)
            hidden = hidden + mixed[:, 2:]
        expected = model.backbone.model.lm_head(base.norm_f(hidden))[:, -batch["labels"].shape[1]:]
    torch.testing.assert_close(logits(model, batch), expected, **EXACT)


@pytest.mark.parametrize("method", ["affix", "additional-scan", "prompt"])
def test_answers_to_short_texts_come_from_the_state_that_the_method_left(method: str, folders: dict[str, Path]) -> None:
    """Texts so short that a tiny Mamba has not forgotten their front, the shortest shorter than the convolution's kernel."""
    model = build(method, folders["mamba"], moved=True)
    torch.manual_seed(1)
    batch = {"input_ids": torch.randint(5, 500, (4, 9)), "attention_mask": (torch.arange(9) < torch.tensor([[9], [2], [5], [1]])).long()}
    generated = model.generate(batch, beams=1, max_new_tokens=6)
    assert not (generated == model.backbone.tokenizer.eos_token_id).any()
    assert torch.equal(logits(model, batch | {"labels": generated}).argmax(-1), generated)
    for row in range(4):
        alone = {name: tensor[row:row + 1, :int(batch["attention_mask"][row].sum())] for name, tensor in batch.items()}
        assert torch.equal(model.generate(alone, beams=1, max_new_tokens=6)[0], generated[row])
    with model.disabled():
        assert not torch.equal(model.generate(batch, beams=1, max_new_tokens=6), generated)


def test_an_affix_starts_as_what_the_layers_make_of_words(folders: dict[str, Path]) -> None:
    model = build("affix:tokens=40", folders["mamba"])
    words = model.backbone.embedding_weight[:200]
    for layer, affix in zip(model.backbone.model.backbone.layers, model.affixes):
        own = layer.mixer.in_proj(layer.norm(words))[:, :INNER]
        assert 0.7 < affix.square().mean() / own.square().mean() < 1.4


def test_additional_states_start_as_the_frozen_model_and_scan_more(folders: dict[str, Path]) -> None:
    model = build("additional-scan:states=3", folders["mamba"])
    _, batch = mixed_batch(model.backbone)
    with model.disabled():
        plain = logits(model, batch)
    torch.testing.assert_close(logits(model, batch), plain, **EXACT)
    added = next(iter(model.scans.values()))
    mixer = mixer_of(model)
    assert all(torch.equal(column, mixer.A_log[:, 0]) for column in added.A_log.T)
    with torch.no_grad():
        for parameter in model.trainable().values():
            parameter.add_(0.3 * torch.randn_like(parameter))
        hidden = torch.randn(2, 9, WIDTH)
        rows = mixer.x_proj.weight.split((RANK, STATES, STATES))
        wide = torch.cat((rows[0], rows[1], added.B, rows[2], added.C))
        expected = scanned(mixer, mixer.in_proj(hidden), torch.cat((mixer.A_log, added.A_log), 1), wide, mixer.dt_proj.weight)
        torch.testing.assert_close(mixer(hidden), expected, rtol=1e-4, atol=1e-5)


def test_the_cache_holds_the_additional_states(folders: dict[str, Path]) -> None:
    model = build("additional-scan:states=3", folders["mamba"], moved=True)
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        cache = model.backbone.model(ids, use_cache=True).cache_params
        assert cache.get_recurrent_state(0, state_idx=0).shape == (1, INNER, STATES + 3)
        with model.disabled():
            cache = model.backbone.model(ids, use_cache=True).cache_params
        assert cache.get_recurrent_state(0, state_idx=0).shape == (1, INNER, STATES)
    assert mixer_of(model).ssm_state_size == STATES and mixer_of(model).A_log.shape == (INNER, STATES)


@pytest.mark.parametrize(("family", "target", "first", "rows"), [
    ("mamba", "in_proj", 0, 2 * INNER), ("mamba", "in_proj.x", 0, INNER), ("mamba", "in_proj.z", INNER, INNER),
    ("mamba", "x_proj", 0, RANK + 2 * STATES), ("mamba", "x_proj.dt", 0, RANK), ("mamba", "x_proj.B", RANK, STATES),
    ("mamba", "x_proj.C", RANK + STATES, STATES), ("mamba", "dt_proj", 0, INNER), ("mamba", "out_proj", 0, WIDTH),
    ("mamba2", "in_proj.x", INNER, INNER), ("mamba2", "in_proj.C", 2 * INNER + STATES, STATES),
    ("mamba2", "in_proj.dt", 2 * (INNER + STATES), 4)])  # 4 heads
def test_a_partial_update_is_one_of_the_weight(family: str, target: str, first: int, rows: int, folders: dict[str, Path]) -> None:
    """Against a backbone whose weight was changed."""
    model = build(f"lora-partial:rank=2,scale=0.5,targets={target}", folders[family])
    batch = tiny.batch_of(model.backbone, tiny.examples(2))
    other = load_backbone(str(folders[family]), "float32", device="cpu")
    embeddings = other.model.get_input_embeddings()(batch["input_ids"])
    plain = other.forward(embeddings, batch["attention_mask"], batch["labels"]).logits
    torch.testing.assert_close(logits(model, batch), plain, **EXACT)
    with torch.no_grad():
        for layer, update in zip(other.model.backbone.layers, model.updates.values(), strict=True):
            update.up.normal_()
            weight = getattr(layer.mixer, target.partition(".")[0]).weight
            weight[first:first + rows] += 0.5 * update.up @ update.down
        expected = other.forward(embeddings, batch["attention_mask"], batch["labels"]).logits
    torch.testing.assert_close(logits(model, batch), expected, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(expected, plain, atol=1e-2)


# Beam search


@pytest.mark.parametrize("family", ["mamba", "mamba2"])
def test_beam_search_from_the_state_is_beam_search_over_whole_texts(family: str, folders: dict[str, Path]) -> None:
    """Three beams against a search that scores every text from its first token on; beams that change places take their state
    along. Both end at the longest length, and the best of the ended and the running ones by mean log-probability wins."""
    backbone = load_backbone(str(folders[family]), "float32", device="cpu")
    end, length, beams = backbone.tokenizer.eos_token_id, 8, 3
    for example in tiny.examples(3):
        batch = tiny.batch_of(backbone, [example])
        ids = batch["input_ids"]
        found = backbone.generate(backbone.model.get_input_embeddings()(ids), batch["attention_mask"], beams=beams,
                                  max_new_tokens=length)[0].tolist()
        running, done, switched = [([], 0.0)], [], False
        for _ in range(length):
            texts = torch.stack([torch.cat((ids[0], torch.tensor(text, dtype=torch.long))) for text, _ in running])
            with torch.no_grad():
                scores = backbone.model(texts, use_cache=False).logits[:, -1].log_softmax(-1)
            everything = sorted(((score + float(scores[beam, token]), beam, token) for beam, (_, score) in enumerate(running)
                                 for token in scores[beam].topk(2 * beams).indices.tolist()), reverse=True)[:2 * beams]
            done += [(score / (len(running[beam][0]) + 1), [*running[beam][0], token]) for score, beam, token in everything[:beams]
                     if token == end]
            kept = [entry for entry in everything if entry[2] != end][:beams]
            switched |= [beam for _, beam, _ in kept] != list(range(beams))
            running = [([*running[beam][0], token], score) for score, beam, token in kept]
        done += [(score / length, text) for text, score in running]
        assert found[:len(max(done)[1])] == max(done)[1]
        assert switched, "no beam changed its place"


# Sizes


@pytest.fixture(scope="module")
def large() -> Backbone:
    """Mamba-1.4B's shapes: 48 layers, width 2048, d_inner 4096, 16 states, step sizes of rank 128; no weights."""
    from transformers import AutoModelForCausalLM, MambaConfig

    config = MambaConfig(vocab_size=50280, hidden_size=2048, num_hidden_layers=48, state_size=16, time_step_rank=128)
    with torch.device("meta"):
        return Backbone(AutoModelForCausalLM.from_config(config), None, "mamba-1.4b", None, "")


@pytest.mark.parametrize(("method", "published", "factor"), [
    ("lora-partial:rank=64,targets=in_proj.x", 1.36, 1),
    ("additional-scan", 0.26, 1),
    ("affix", 0.09, 2),  # the published tokens hold the gates too, which nothing reads
    ("lora-partial:rank=56,targets=in_proj+x_proj+dt_proj+out_proj", 4.64, 1),  # the rank is not published; it follows
])
def test_shares_are_those_that_were_published(method: str, published: float, factor: int, large: Backbone) -> None:
    """MambaPEFT's table for Mamba-1.4B: trained numbers in per cent of all, with them."""
    base = sum(parameter.numel() for parameter in large.model.parameters())
    assert base == 1_372_178_432  # the size of state-spaces/mamba-1.4b
    count = factor * parameter_count(method, large, TransducerSettings())
    assert round(100 * count / (base + count), 2) == published


@pytest.mark.parametrize(("method", "expected"), [
    ("affix:tokens=5", 2 * 5 * INNER), ("additional-scan:states=4", 2 * 3 * 4 * INNER),
    ("lora-partial:rank=3,targets=in_proj.x+dt_proj", 2 * 3 * (WIDTH + INNER + RANK + INNER))])
def test_counts(method: str, expected: int, folders: dict[str, Path]) -> None:
    assert build(method, folders["mamba"]).trainable_count() == expected


@pytest.mark.parametrize("method", ["affix", "additional-scan", "lora-partial"])
def test_sizes_and_search_spaces_are_of_fields_that_the_method_takes(method: str, folders: dict[str, Path]) -> None:
    backbone, settings = load_backbone(str(folders["mamba"]), "float32", device="cpu"), TransducerSettings()
    kind = method_class(method)
    counts = [parameter_count(with_fields(method, size), backbone, settings) for size in kind.sizes]
    assert counts == sorted(counts)
    assert within_budget(method, counts[2], backbone, settings) == with_fields(method, kind.sizes[2])
    for name, values in kind.search_space.items():
        assert all(parameter_count(f"{method}:{name}={value}", backbone, settings) for value in values)
    low, high = kind.learning_rates()
    assert low < kind.default_learning_rate < high


# What is refused


@pytest.mark.parametrize("method", [name for name in METHODS if method_class(name).model_types])
def test_other_families_are_refused(method: str, model_folder: Path, folders: dict[str, Path]) -> None:
    with pytest.raises(BackboneError, match=f"method '{method}' is for the families mamba.*, got .* t5; leave the method out"):
        build(method, model_folder)
    if "mamba2" not in method_class(method).model_types:
        with pytest.raises(BackboneError, match="family mamba2; leave the method out"):
            build(method, folders["mamba2"])


@pytest.mark.parametrize(("method", "error", "message"), [
    ("lora:targets=in_proj+dt_proj", BackboneError, "'dt_proj' would get no gradient: .*use lora-partial:targets=dt_proj"),
    ("lora:targets=out_proj", BackboneError, "'out_proj' would get no gradient"),
    ("adalora:targets=dt_proj", BackboneError, "'dt_proj' would get no gradient"),
    ("lora:targets=in_proj+q_proj", UnknownNameError, "unknown target 'q_proj'; expected one of: .*in_proj"),
    ("lora-partial:targets=in_proj.y", UnknownNameError, "unknown target 'in_proj.y'; expected one of: in_proj, .*in_proj.x"),
    ("lora-partial:targets=conv1d", UnknownNameError, "unknown target 'conv1d'"),
    ("lora-partial:targets=out_proj+out_proj", ConfigurationError, "expected every target once")])
def test_targets_that_would_not_learn_are_refused(method: str, error: type, message: str, folders: dict[str, Path]) -> None:
    with pytest.raises(error, match=message):
        build(method, folders["mamba"])


def test_lora_on_chosen_projections(folders: dict[str, Path]) -> None:
    model = build("lora:rank=2,targets=in_proj+x_proj", folders["mamba"])
    assert model.trainable_count() == 2 * 2 * (WIDTH + 2 * INNER + INNER + RANK + 2 * STATES)
