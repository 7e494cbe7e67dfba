"""What memory a run needs, said before any weights are loaded.

::

    training   = libraries + frozen weights + trained weights + gradients + optimiser + activations
    generation = libraries + frozen weights + trained weights + max(reading the input, cache + one step)

Weights are counted by the type that they are kept in. Activations are no formula that could drift away from the models: one
step of the longest allowed inputs is run on tensors that have shapes and no memory (torch's fake tensors), and the bytes of all
tensors alive at once are followed through the forward and the backward pass; its largest sum is the figure. So attention,
layers that are computed twice, and the types of autocast are in it, in every kind of model:

    encoder-decoder   B x T into the encoder, B x L targets
    decoder-only      B x (T + L), the logits of L places
    state-space       the same; its scan takes a Python step a token and grows linearly with them, so two short lengths are run
                      and drawn out to the whole

Methods whose steps depend on numbers are taken as one that changes the input embeddings. Graphs are not simulated: the graph side of a transducer is taken as `GRAPH_COPIES` tensors [B, T, D] in float32, node features
included. What an allocator keeps beside tensors is in no figure. Cost: seconds, and no memory to speak of.
"""
from __future__ import annotations

import weakref
from dataclasses import asdict, dataclass

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from .adapted_model import AdaptedModel
from .backbone import LOADERS, Backbone, backbone_files
from .budget import sized_method
from .config import RunSettings
from .families import STATE_SPACE, family_of
from .fusion import FusedInput, ReadApart, fusion_parts
from .measure import resident_bytes
from .methods import build_method
from .placement import checkpoint_layers
from .quantization import quantized_bytes, quantized_names

GRAPH_COPIES = 8
SCAN_LENGTHS = (16, 48)
"""Input tokens at which a state-space model is run."""
EVALUATION_BATCH = 4
"""Times the batch size: of generation and validation."""


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes by part, of the largest batch that the settings allow."""

    specification: str
    model: str
    device: str
    precision: str
    parameters: int
    trained_parameters: int
    library_bytes: int
    """The interpreter and its libraries; 0 of a GPU."""
    frozen_bytes: dict[str, int]
    """By the type they are kept in; tied weights once."""
    trained_bytes: int
    gradient_bytes: int
    optimizer_bytes: int
    activation_bytes: int
    input_bytes: int
    """At the peak of reading the input of a batch that is answered."""
    cache_bytes: int
    """Keys and values, or states, of a batch that is answered, all beams, at its longest."""
    answer_step_bytes: int
    """What one token of answers takes beside the cache: logits and scores of the beams."""
    loading_bytes: int
    """At the peak of loading, of the CPU."""

    @property
    def weight_bytes(self) -> int:
        return sum(self.frozen_bytes.values()) + self.trained_bytes

    @property
    def training_peak_bytes(self) -> int:
        parts = (self.gradient_bytes, self.optimizer_bytes, self.activation_bytes) if self.trained_parameters else ()
        return self.library_bytes + self.weight_bytes + sum(parts)

    @property
    def generation_peak_bytes(self) -> int:
        return self.library_bytes + self.weight_bytes + max(self.input_bytes, self.cache_bytes + self.answer_step_bytes)

    def to_dict(self) -> dict:
        return asdict(self) | {"training_peak_bytes": self.training_peak_bytes, "generation_peak_bytes": self.generation_peak_bytes}


class ShapedBackbone(Backbone):
    """A backbone without weights; `stored` is the type that they have on the disk."""

    embedding_scale = 1.0
    stored = torch.float32


def shaped_backbone(settings: RunSettings) -> ShapedBackbone:
    """The backbone that the settings name, without weights.

    Raises:
        BackboneError: an unknown model or family.
    """
    config, tokenizer = backbone_files(settings.model, settings.revision or None)
    stored = getattr(config, "dtype", None) or torch.float32
    with torch.device("meta"):
        model = LOADERS[family_of(config.model_type, settings.model).kind].from_config(config, dtype=torch.float32)
    backbone = ShapedBackbone(model, tokenizer, settings.model, settings.revision or None, "")
    backbone.stored = stored
    return backbone


def _make_fake(model: torch.nn.Module) -> None:
    """Puts fake tensors, which stand on the CPU as far as an operator can tell, in the place of those on the meta device."""
    made: dict[int, Tensor] = {}
    for module in model.modules():
        for table in (module._parameters, module._buffers):
            for name, tensor in table.items():
                if tensor is not None and id(tensor) not in made:
                    fake = torch.empty(tensor.shape, dtype=tensor.dtype)
                    made[id(tensor)] = torch.nn.Parameter(fake, tensor.requires_grad) if table is module._parameters else fake
                if tensor is not None:
                    table[name] = made[id(tensor)]


def estimate_memory(specification: str, settings: RunSettings, device: torch.device | None = None) -> MemoryEstimate:
    """The memory that a method's training and generation take.

    Args:
        specification: of the method, with `params=N` for its largest size of at most so many parameters.
        settings: of a run, with what they leave to the task filled in.
        device: where it is to run; the default is where `load_backbone` would put it.

    Raises:
        BackboneError: an unknown model or family, or a method that cannot work on it.
        UnknownNameError, ConfigurationError: a wrong specification.
    """
    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    libraries = (resident_bytes() or 0) if device.type == "cpu" else 0
    backbone = shaped_backbone(settings)
    model, family = backbone.model, backbone.family
    config = model.config
    precision = settings.precision
    if precision == "auto":
        # Which one is faster is measured on the weights; until then the larger one.
        precision = "bfloat16" if settings.quantize != "none" or settings.device_map else "float32"
    with torch.device("meta"):
        if device.type == "cpu" and config.model_type == "t5":
            model.set_attn_implementation("eager")
        backbone.precision, backbone.quantize = precision, settings.quantize
        backbone.device_map, backbone.computes_twice = settings.device_map, settings.gradient_checkpointing
        parameters = sum(parameter.numel() for parameter in model.parameters())
        sizes = [parameter.numel() for parameter in model.parameters()]
        quantized = quantized_names(model, family) if settings.quantize != "none" else []
        shapes = {name: model.get_submodule(name).weight.shape for name in quantized}
        if settings.gradient_checkpointing:
            checkpoint_layers(model)
        specification = sized_method(specification, backbone, settings.transducer_settings()).specification
        adapted = build_method(specification, backbone, settings.transducer_settings(), "torch").train()
        adapted.require_positions(settings.max_source_tokens, settings.max_target_tokens)
    frozen = _frozen_bytes(adapted, backbone, shapes, settings.quantize)
    with FakeTensorMode():
        _make_fake(adapted)
        trained = list(adapted.trainable().values())
        numbers = sum(parameter.numel() for parameter in trained)
        gradients = 4 * numbers
        activations = _over_length(lambda length: _training_bytes(adapted, settings, length), settings, family.kind)
        adapted.eval()
        reading = _over_length(lambda length: _reading_bytes(adapted, settings, length)[0], settings, family.kind)
        cache = _cache_bytes(adapted, settings)
    kept = sum(frozen.values())
    rows = EVALUATION_BATCH * settings.batch_size * settings.beams
    vocabulary = config.get_text_config().vocab_size
    return MemoryEstimate(
        specification=specification, model=settings.model, device=device.type, precision=precision, parameters=parameters,
        trained_parameters=numbers, library_bytes=libraries, frozen_bytes=frozen, trained_bytes=4 * numbers,
        gradient_bytes=gradients, optimizer_bytes=2 * gradients + 4 * len(trained) if numbers else 0,
        activation_bytes=activations, input_bytes=reading, cache_bytes=cache,
        # Logits, in float32, their logarithms, and these with the beams' sums.
        answer_step_bytes=3 * 4 * rows * vocabulary,
        loading_bytes=max(parameters * backbone.stored.itemsize, kept) + 4 * max(sizes) + (resident_bytes() or 0))


def _frozen_bytes(adapted: AdaptedModel, backbone: Backbone, quantized: dict[str, torch.Size], bits: str) -> dict[str, int]:
    """Bytes of frozen parameters by type."""
    trained = {id(parameter) for parameter in adapted.trainable().values()}
    found: dict[str, int] = {}
    if quantized:
        found[bits] = sum(quantized_bytes(shape, bits) for shape in quantized.values())
    integers = {id(backbone.model.get_parameter(_present(backbone.model, name))) for name in quantized}
    for parameter in backbone.model.parameters():
        if id(parameter) not in trained and id(parameter) not in integers:
            name = str(parameter.dtype).removeprefix("torch.")
            found[name] = found.get(name, 0) + parameter.numel() * parameter.element_size()
    return found


def _present(model, name: str) -> str:
    """The name of a projection's weight, which a method may have wrapped."""
    module = model.get_submodule(name)
    return f"{name}.base_layer.weight" if hasattr(module, "base_layer") else f"{name}.weight"


def _over_length(figure, settings: RunSettings, kind: str) -> int:
    """A figure at the longest input, drawn out from two shorter ones where a model takes a Python step a token."""
    longest = settings.max_source_tokens
    if kind != STATE_SPACE or longest <= SCAN_LENGTHS[1]:
        return figure(longest)
    short, long = (figure(length) for length in SCAN_LENGTHS)
    return long + (long - short) * (longest - SCAN_LENGTHS[1]) // (SCAN_LENGTHS[1] - SCAN_LENGTHS[0])


def _fused(adapted: AdaptedModel, settings: RunSettings, rows: int, length: int, training: bool) -> FusedInput:
    """What the model is given in place of what a method with graphs makes."""
    front = settings.prompts if "prompts" in settings.fusion else 0
    embeddings = torch.zeros(rows, front + length, adapted.backbone.width, requires_grad=training)
    scales = bottlenecks = None
    if adapted.reads_graph and adapted.fusion.scales is not None:
        scales = {role: torch.ones(rows, count, width, requires_grad=training)
                  for role, (width, count) in adapted.backbone.places.roles.items()}
    if adapted.reads_graph and adapted.fusion.bottlenecks is not None:
        bottlenecks = adapted.fusion.bottlenecks.static(rows)
    return FusedInput(embeddings, torch.ones(rows, front + length, dtype=torch.long), scales, _apart(adapted, settings, rows),
                      bottlenecks)


def _apart(adapted: AdaptedModel, settings: RunSettings, rows: int) -> ReadApart | None:
    """What the longest inputs read apart."""
    count = _apart_count(adapted, settings)
    if not count:
        return None
    backbone, mask = adapted.backbone, torch.ones(rows, settings.reach, dtype=torch.long)
    # An encoder leaves out what is padding, which fake tensors cannot tell; its states have the shape of embeddings.
    parts = (torch.zeros(rows, 1, count, backbone.width),) if backbone.encoder_decoder else backbone.read_apart(mask, mask)
    return ReadApart(tuple(part[:, :, :count] for part in parts), mask[:, :count], mask.sum(1))


def _apart_count(adapted: AdaptedModel, settings: RunSettings) -> int:
    """Tokens read apart that the model attends to, at most."""
    if not adapted.reads_graph or "beyond" not in fusion_parts(adapted.settings.fusion):
        return 0
    return min(settings.reach, adapted.settings.beyond or settings.reach)


def _training_bytes(adapted: AdaptedModel, settings: RunSettings, length: int) -> int:
    """Largest sum of bytes of tensors made and alive in a step on inputs of `length`, without the gradients of what is trained."""
    if not adapted.reads_graph:
        try:
            return _step_bytes(adapted, settings, length, by_embeddings=False)
        except (DynamicOutputShapeException, DataDependentOutputException, AssertionError):
            pass  # what it does depends on numbers, which fake tensors have none of
    return _step_bytes(adapted, settings, length, by_embeddings=True)


def _step_bytes(adapted: AdaptedModel, settings: RunSettings, length: int, by_embeddings: bool) -> int:
    """The same of a whole step, or of one that begins at input embeddings which need a gradient."""
    rows, backbone = settings.batch_size, adapted.backbone
    labels = torch.ones(rows, settings.max_target_tokens, dtype=torch.long)
    with LiveBytes() as live:
        if by_embeddings:
            fused = _fused(adapted, settings, rows, length, training=True)
            embeddings = fused.embeddings
            loss = backbone.forward(embeddings, fused.attention_mask, labels, fused.scales, fused.apart, fused.bottlenecks).loss
        else:
            ids = torch.ones(rows, length, dtype=torch.long)
            loss = adapted(input_ids=ids, attention_mask=torch.ones_like(ids), labels=labels).loss
        if loss.requires_grad:
            loss.backward()
        del loss
    for parameter in adapted.parameters():
        parameter.grad = None
    if not by_embeddings:
        return max(0, live.peak - 4 * adapted.trainable_count())  # its gradients are counted apart
    return live.peak + (GRAPH_COPIES * embeddings.numel() * 4 if adapted.reads_graph else 0)


@torch.no_grad()
def _reading_bytes(adapted: AdaptedModel, settings: RunSettings, length: int) -> tuple[int, object]:
    """The same of reading a batch that is answered, and the model's output with its cache."""
    backbone, rows = adapted.backbone, EVALUATION_BATCH * settings.batch_size
    rows *= 1 if backbone.encoder_decoder else settings.beams
    with LiveBytes() as live, backbone.autocast():
        fused = _fused(adapted, settings, rows, length, training=False)
        embeddings, mask, apart = fused.embeddings, fused.attention_mask, fused.apart
        backbone.change_layers(fused.scales, fused.bottlenecks, 1)
        if backbone.encoder_decoder:
            output = backbone.feeding.encode_with(apart, embeddings, mask)[0]
        else:
            output = backbone.model(inputs_embeds=embeddings, attention_mask=mask, use_cache=True, logits_to_keep=1)
    return live.peak, output


@torch.no_grad()
def _cache_bytes(adapted: AdaptedModel, settings: RunSettings) -> int:
    """Of what the model keeps of a batch whose answers are at their longest, with the states of an encoder."""
    backbone, rows = adapted.backbone, EVALUATION_BATCH * settings.batch_size * settings.beams
    if backbone.family.kind == STATE_SPACE:
        return _held(_reading_bytes(adapted, settings, SCAN_LENGTHS[0])[1].cache_params)
    if not backbone.encoder_decoder:
        longest = settings.max_source_tokens + _apart_count(adapted, settings) + settings.max_target_tokens
        return _held(_reading_bytes(adapted, settings, longest)[1].past_key_values)
    with backbone.autocast():
        fused = _fused(adapted, settings, rows, settings.max_source_tokens, training=False)
        backbone.change_layers(fused.scales, fused.bottlenecks, settings.max_target_tokens)
        states, mask = backbone.feeding.encode_with(fused.apart, fused.embeddings, fused.attention_mask)
        written = torch.ones(rows, settings.max_target_tokens, dtype=torch.long)
        output = backbone.model(encoder_outputs=states, attention_mask=mask, decoder_input_ids=written, use_cache=True)
        return _held(output.past_key_values) + states[0].untyped_storage().nbytes()


def _held(cache) -> int:
    """Bytes of the tensors in a cache, each storage once."""
    storages: dict[int, int] = {}
    seen: set[int] = set()
    pending = [cache]
    while pending:
        part = pending.pop()
        if isinstance(part, Tensor):
            storages[part.untyped_storage()._cdata] = part.untyped_storage().nbytes()
        elif isinstance(part, (list, tuple)):
            pending += part
        elif isinstance(part, dict):
            pending += part.values()
        elif hasattr(part, "__dict__") and id(part) not in seen:
            seen.add(id(part))
            pending += vars(part).values()
    return sum(storages.values())


class LiveBytes(TorchDispatchMode):
    """Follows the bytes of all tensors made within it; `peak` is their largest sum at any time."""

    def __init__(self):
        super().__init__()
        self.peak = self._now = 0
        self._storages: dict[int, int] = {}

    def __torch_dispatch__(self, func, types, arguments=(), named=None):
        output = func(*arguments, **(named or {}))
        for tensor in tree_leaves(output):
            if isinstance(tensor, Tensor):
                self._note(tensor.untyped_storage())
        self.peak = max(self.peak, self._now)
        return output

    def _note(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key not in self._storages:
            self._storages[key] = storage.nbytes()
            self._now += storage.nbytes()
            weakref.finalize(storage, self._gone, key)

    def _gone(self, key: int) -> None:
        self._now -= self._storages.pop(key)
