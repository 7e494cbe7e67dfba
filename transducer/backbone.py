"""The frozen language model: loading, precision, embeddings in, text out.

What differs between models stands in `families` (facts, one entry each) and in `feeding` (how they run, by kind).
"""
from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer, GenerationConfig
from transformers.pytorch_utils import Conv1D
from transformers.utils import logging as library_logging

import checkpoints
from checkpoints.errors import MissingModelError

from . import scan
from .blocks import Blocks
from .errors import BackboneError, ConfigurationError
from .families import DECODER_ONLY, ENCODER_DECODER, STATE_SPACE, family_of
from .feeding import FEEDINGS
from .kernel_caches import keep_few_kernels
from .placement import checkpoint_layers, require_map, spread
from .places import Places, Shape
from .precision import choose_precision
from .quantization import quantize as quantized
from .quantization import require_library
from .storage import cache_folder

if TYPE_CHECKING:
    from .config import RunSettings
    from .fusion.base import Bottleneck, ReadApart

WEIGHT_FILES = ("model.safetensors", "model.safetensors.index.json")
TOKENIZER_FILES = ("tokenizer.json", "vocab.json", "spiece.model", "tokenizer.model")
PRECISIONS = ("auto", "float32", "bfloat16")

LOADERS = {ENCODER_DECODER: AutoModelForSeq2SeqLM, DECODER_ONLY: AutoModelForCausalLM, STATE_SPACE: AutoModelForCausalLM}


class Backbone:
    """A frozen language model with its tokenizer. No parameter requires gradient, dropout is off.

    Attributes: `model`, `tokenizer`, `family` (facts, see `families`), `feeding` (how it runs, see `feeding`), `name` (hub id
    or folder), `revision`, `fingerprint` (SHA-256 over the weights as stored), `parameter_count` (of the weights as stored),
    `precision` ("float32" or "bfloat16": of the arithmetic; see `narrow_weights`), `precision_reason`, `quantize`
    ("none", "8bit" or "4bit"), `device_map` (empty: on one device).
    """

    def __init__(self, model, tokenizer, name: str, revision: str | None, fingerprint: str):
        self.model, self.tokenizer = model, tokenizer
        self.name, self.revision, self.fingerprint = name, revision, fingerprint
        self.parameter_count = sum(parameter.numel() for parameter in model.parameters())
        self.precision, self.precision_reason = "float32", "default"
        self.quantize, self.device_map, self.computes_twice = "none", "", False
        self._input_device: torch.device | None = None
        self.family = family_of(model.config.model_type, name)
        self.feeding = FEEDINGS[self.family.kind](model)
        scan.install(model)
        model.requires_grad_(False)
        model.eval()
        # `generate` fills what its caller leaves open from here, and hub models carry settings of their own.
        model.generation_config = self.generation_config(beams=1, max_new_tokens=64)

    @property
    def encoder_decoder(self) -> bool:
        """Whether the input is read by an encoder."""
        return self.family.kind == ENCODER_DECODER

    @property
    def width(self) -> int:
        return self.embedding_weight.shape[1]

    @property
    def shape(self) -> Shape:
        """What transducers for it must fit."""
        return Shape(self.width, self.places.roles, self.writers.roles)

    @property
    def pad_token_id(self) -> int:
        """What fills up shorter rows; masked wherever it stands, so a tokenizer without padding lends its end mark."""
        tokenizer = self.tokenizer
        return tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id

    @property
    def device(self) -> torch.device:
        """Where inputs go."""
        return self._input_device or self.model.device

    @property
    def stays(self) -> bool:
        """Whether it must not be moved as a whole to another device."""
        return bool(self.device_map) or self.quantize != "none"

    @property
    def embedding_weight(self) -> torch.Tensor:
        """[V, D]"""
        return self.model.get_input_embeddings().weight

    @property
    def embedding_scale(self) -> float:
        """Root mean square of the embedding table: the unit in which embeddings are changed."""
        return self.embedding_weight.detach().float().square().mean().sqrt().item()

    def blocks(self) -> dict[str, nn.Module]:
        """Attention and feed-forward blocks by name, in the order of the model."""
        pattern = re.compile(self.family.blocks)
        return {name: module for name, module in self.model.named_modules() if pattern.search(name)}

    @cached_property
    def places(self) -> Places:
        """Where its signals can be multiplied. Not to be asked for before its modules are what they will be (`quantize`)."""
        return Places(self.model, self.family)

    @cached_property
    def writers(self) -> Blocks:
        """The blocks that write its answer, behind which something can be added. To be asked for as `places`."""
        return Blocks(self.model, self.family)

    def change_layers(self, scales: Mapping[str, Tensor] | None = None, bottlenecks: Mapping[str, Bottleneck] | None = None,
                      written: int = 0) -> None:
        """From now on, its signals are multiplied by `scales` (`places.Places.multiply`), and the `bottlenecks` add to the
        outputs of its blocks at the last `written` places (`blocks.Blocks.add`); it computes as it is where there are none."""
        if scales is not None or "places" in vars(self):
            self.places.multiply(scales)
        if bottlenecks is not None or "writers" in vars(self):
            self.writers.add(bottlenecks, written)

    def autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16")

    def set_precision(self, precision: str) -> None:
        """Fixes the arithmetic; `auto` measures once per model and machine which one is faster and remembers it."""
        if precision not in PRECISIONS:
            remedy = " (float16 overflows in T5)" if precision == "float16" else ""
            raise ConfigurationError(f"precision {precision!r}{remedy}; expected one of: {', '.join(PRECISIONS)}")
        self.precision, self.precision_reason = (precision, "asked for") if precision != "auto" else choose_precision(self)
        self.widen_weights(products=self.precision == "float32")

    def widen_weights(self, products: bool = True) -> None:
        """Takes weights that are stored in 16 bits to float32; without `products`, those of matrix products that are stored
        in bfloat16 stay, as `narrow_weights` would have them."""
        narrow = set() if products else {id(module.weight) for module in self._products() if module.weight.dtype == torch.bfloat16}
        for tensor in (*self.model.parameters(), *self.model.buffers()):
            if tensor.dtype in (torch.bfloat16, torch.float16) and id(tensor) not in narrow:
                tensor.data = tensor.data.float()

    def _products(self) -> Iterator[nn.Module]:
        """Modules whose frozen weight is read by their own matrix product and nowhere else."""
        for module in self.model.modules():
            if isinstance(module, (nn.Linear, Conv1D)) and module.weight is not self.embedding_weight:
                if not module.weight.requires_grad:
                    yield module

    def narrow_weights(self) -> None:
        """Keeps the frozen weights of matrix products in bfloat16 where products are computed in it.

        Autocast rounds a frozen weight again at every use, so the results are the same bit for bit, without the time for
        that and in half of the memory. What is read elsewhere too (embeddings, a head tied to them) stays in float32.
        """
        if self.precision != "bfloat16":
            return
        for module in self._products():
            if module.weight.dtype == torch.float32:  # not one that is quantised
                module.weight.data = module.weight.data.to(torch.bfloat16)

    def forward(self, embeddings: Tensor, attention_mask: Tensor, labels: Tensor, scales: Mapping[str, Tensor] | None = None,
                apart: ReadApart | None = None, bottlenecks: Mapping[str, Bottleneck] | None = None):
        """Loss (nats, mean over target tokens) and logits [B, L, V] from input embeddings [B, T, D], with layers changed by
        `scales` and `bottlenecks` (`change_layers`), and with what it has read `apart` to attend to as well."""
        self.change_layers(scales, bottlenecks, labels.shape[1])
        with self.autocast():
            return self.feeding.forward(embeddings, attention_mask, labels, apart)

    @torch.no_grad()
    def generate(self, embeddings: Tensor, attention_mask: Tensor, scales: Mapping[str, Tensor] | None = None,
                 apart: ReadApart | None = None, bottlenecks: Mapping[str, Bottleneck] | None = None, *, beams: int,
                 max_new_tokens: int) -> Tensor:
        """Generated ids [B, <= max_new_tokens + 1] from input embeddings [B, T, D], with `scales`, `apart` and `bottlenecks` as
        `forward` takes them, and nothing else."""
        self.change_layers(scales, bottlenecks, 1)  # a token at a time
        with self.autocast():
            return self.feeding.generate(embeddings, attention_mask, self.generation_config(beams, max_new_tokens), apart)

    @torch.no_grad()
    def read_apart(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, ...]:
        """What tokens [B, T] with padding behind are to the model as it is, which attends to them later: `ReadApart.parts`."""
        self.change_layers()
        with self.autocast():
            return self.feeding.read_apart(input_ids, attention_mask)

    def require_reading_apart(self) -> None:
        """Raises BackboneError where the model cannot attend to what it has read apart from its input."""
        if not self.family.reads_apart:
            raise BackboneError(f"the fusion part 'beyond' needs a model that attends to single tokens, and {self.name} is of the "
                                f"family {self.model.config.model_type}, with layers that keep one state of all; leave it out of --fusion")
        if self.computes_twice and not self.encoder_decoder:
            raise BackboneError("the fusion part 'beyond' gives a decoder-only model keys and values, which --gradient-checkpointing "
                                "takes away; leave out one of the two")

    def require_positions(self, source: int, target: int, added: int = 0, apart: int = 0, prefix: int = 0) -> None:
        """Raises BackboneError where the model has places for so many tokens only and needs more.

        Args:
            source, target: tokens of the longest input and answer.
            added: vectors that the method puts in front of the input.
            apart: tokens that are read apart, in front of them.
            prefix: what an encoder-decoder has in front of an answer as if it had been read.
        """
        if not self.family.learned_positions:
            return
        places = self.model.config.max_position_embeddings
        counts = {"of the source (--max-source-tokens)": source, "that the method puts in front": added}
        if not self.encoder_decoder:
            # The last token of an answer is never read.
            counts |= {"that the part beyond reads (--reach)": apart, "of the answer (--max-target-tokens)": target - 1}
        elif prefix + target > places:
            raise BackboneError(f"model {self.name!r} has places for {places - prefix:,} tokens of an answer, and {target:,} are asked "
                                f"for; give --max-target-tokens {places - prefix} or less")
        excess = sum(counts.values()) - places
        if excess > 0:
            needed = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
            remedy = f"--max-source-tokens {source - excess} or less" if source > excess else "less of each"
            raise BackboneError(f"model {self.name!r} has places for {places:,} tokens, and {places + excess:,} are asked for: {needed}; "
                                f"give {remedy}")

    def forward_tokens(self, model: nn.Module, input_ids: Tensor, attention_mask: Tensor, labels: Tensor):
        """As `forward`, from token ids, by `model`: the language model or a wrapper around it."""
        self.change_layers()
        with self.autocast():
            return self.feeding.forward_tokens(model, input_ids, attention_mask, labels)

    @torch.no_grad()
    def generate_tokens(self, model: nn.Module, input_ids: Tensor, attention_mask: Tensor, *, beams: int, max_new_tokens: int,
                        makes_cache: bool = False) -> Tensor:
        """As `generate`, from token ids, by `model`; `makes_cache` where it has something in the cache from the start."""
        self.change_layers()
        with self.autocast():
            return self.feeding.generate_tokens(model, input_ids, attention_mask,
                                                self.generation_config(beams, max_new_tokens), makes_cache)

    def generation_config(self, beams: int, max_new_tokens: int) -> GenerationConfig:
        config, tokenizer = self.model.config, self.tokenizer
        # The end mark that answers are trained with; a configuration may list others.
        end = config.eos_token_id if tokenizer is None else tokenizer.eos_token_id
        padding = end if config.pad_token_id is None else config.pad_token_id
        return GenerationConfig(num_beams=beams, max_new_tokens=max_new_tokens, do_sample=False, pad_token_id=padding,
                                eos_token_id=end, decoder_start_token_id=getattr(config, "decoder_start_token_id", None))


def backbone_for(settings: RunSettings, precision: str = "") -> Backbone:
    """The backbone that a run's settings name, as they say that it is to be loaded; `precision` goes before theirs.

    Raises:
        BackboneError, ConfigurationError, DependencyError: see `load_backbone`.
    """
    return load_backbone(settings.model, precision or settings.precision, settings.revision or None, quantize=settings.quantize,
                         device_map=settings.device_map, computed_twice=settings.gradient_checkpointing)


def load_backbone(name: str, precision: str = "auto", revision: str | None = None, device: str | None = None, *,
                  quantize: str = "none", device_map: str = "", computed_twice: bool = False) -> Backbone:
    """A frozen model by the name of an embedded one, a folder, or a hub id.

    Weights are read as they are stored, in the memory of the CPU; those of matrix products stay so where products are
    computed in that type.

    Args:
        quantize: see `quantization`.
        device_map: see `placement.spread`.
        computed_twice: see `placement.checkpoint_layers`.

    Raises:
        DependencyError: what quantising needs is absent.
        ConfigurationError: a wrong precision or device map.
        BackboneError: no weights in the folder, an unknown family, a hub id without a network. The message says what
            to give instead.
    """
    keep_few_kernels()
    if quantize != "none":
        require_library()
        if device_map:
            raise ConfigurationError("--quantize and --device-map do not go together; leave one of them out")
    require_map(device_map)
    config, tokenizer = backbone_files(name, revision)
    family = family_of(config.model_type, name)
    place, options = _place(name, revision)
    try:
        with _no_progress_bars():
            model, found = LOADERS[family.kind].from_pretrained(
                place, dtype="auto", use_safetensors=True, ignore_mismatched_sizes=True, output_loading_info=True, **options)
    except (OSError, ValueError) as error:
        raise _unreachable(name, error) from error
    except Exception as error:
        if type(error).__name__ == "SafetensorError":
            raise BackboneError(f"the weights of model {name!r} cannot be read ({error}); fetch or copy them again") from error
        raise
    _check_complete(name, model, tokenizer, found)
    fingerprint = weight_fingerprint(model)
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if device.type == "cpu" and config.model_type == "t5":
        # The bias of T5's attention keeps the fused kernel from its fast path: this is 1.1 to 1.3 times as fast in bfloat16
        # and as fast in float32 (benchmarks/training_step.py).
        model.set_attn_implementation("eager")
    backbone = Backbone(model, tokenizer, name, getattr(config, "_commit_hash", None) or revision, fingerprint)
    _place_weights(backbone, precision, device, quantize, device_map)
    if computed_twice:
        checkpoint_layers(model)
        backbone.computes_twice = True
    return backbone


def _place_weights(backbone: Backbone, precision: str, device: torch.device, quantize: str, device_map: str) -> None:
    """Fixes the arithmetic and brings the weights to where they are computed."""
    model = backbone.model
    if quantize == "none" and not device_map:
        model.to(device)
        backbone.set_precision(precision)
        return
    # Neither is a model of which measurements would tell what the machine does faster.
    backbone.set_precision("bfloat16" if precision == "auto" else precision)
    if precision == "auto":
        backbone.precision_reason = "that of quantised and spread models"
    if quantize != "none":
        computed_in = torch.bfloat16 if backbone.precision == "bfloat16" else torch.float32
        quantized(model, backbone.family, quantize, computed_in, device)
        backbone.quantize = quantize
        return
    folder = Path(tempfile.mkdtemp(prefix="offloaded-", dir=cache_folder()))
    weakref.finalize(backbone, shutil.rmtree, folder, ignore_errors=True)
    backbone._input_device = spread(model, device_map, folder)
    backbone.device_map = device_map


def backbone_files(name: str, revision: str | None = None):
    """(configuration, tokenizer) of a model, without its weights.

    Raises:
        BackboneError: see `load_backbone`.
    """
    place, options = _place(name, revision)
    try:
        config = AutoConfig.from_pretrained(place, **options)
        family_of(config.model_type, name)
        return config, AutoTokenizer.from_pretrained(place, **options)
    except (OSError, ValueError) as error:
        if isinstance(error, BackboneError):
            raise
        raise _unreachable(name, error) from error


def _check_complete(name: str, model: torch.nn.Module, tokenizer, found: dict) -> None:
    """Raises where transformers would go on with random numbers in place of weights, or with ids beyond the embeddings."""
    wrong = sorted({*found["missing_keys"], *(entry[0] for entry in found["mismatched_keys"])})
    if wrong:
        raise BackboneError(f"the weights of model {name!r} do not fit its config.json: {len(wrong)} tensors are missing "
                            f"or of another shape, the first is {wrong[0]}; fetch or copy the whole model again")
    rows = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > rows:
        raise BackboneError(f"the tokenizer of model {name!r} has {len(tokenizer):,} entries, its embeddings {rows:,}; "
                            "give a folder whose tokenizer and weights belong together")


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    """Loading takes a second or two; a bar for each of several parts is noise."""
    shown = library_logging.is_progress_bar_enabled()
    library_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            library_logging.enable_progress_bar()


def _place(name: str, revision: str | None = None) -> tuple[str, dict[str, str]]:
    """Where to load from: the folder of a model with a short name, a checked folder, or the hub id itself; and the revision,
    which folders have none of."""
    known = name in checkpoints.names()
    try:
        folder = checkpoints.path(name) if known else Path(name)
    except MissingModelError as error:
        raise BackboneError(str(error)) from error
    if known or name and folder.is_dir():
        if not (folder / "config.json").exists():
            raise BackboneError(f"model folder {name!r} has no config.json; expected a folder written by save_pretrained")
        if not any((folder / file).exists() for file in WEIGHT_FILES):
            raise BackboneError(f"model folder {name!r} has no weights; expected {WEIGHT_FILES[0]} beside config.json "
                                "(pickled weights are not read: save the model again with safe serialization)")
        if not any((folder / file).exists() for file in TOKENIZER_FILES):
            raise BackboneError(f"model folder {name!r} has no tokenizer; expected one of {', '.join(TOKENIZER_FILES)} "
                                "beside config.json: save the tokenizer to the folder too")
        return str(folder), {}
    if name.count("/") > 1 or name.startswith((".", "/", "~")) or "/" not in name:
        raise BackboneError(f"no model {name!r}: not a folder, not a hub id such as Salesforce/codet5-base, and none of the "
                            f"models with a short name: {', '.join(checkpoints.names())}")
    return name, {"revision": revision} if revision else {}


def _unreachable(name: str, error: Exception) -> BackboneError:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if Path(name).is_dir() or name in checkpoints.names():
        return BackboneError(f"model folder {name!r} cannot be loaded: {reason}")
    return BackboneError(f"cannot fetch model {name!r} from the hub ({reason}); without a network give a folder that "
                         f"holds it, or use the embedded model: --model {checkpoints.EMBEDDED_MODELS[0]}")


def weight_fingerprint(model: torch.nn.Module) -> str:
    """SHA-256 over names, types, shapes and bytes of all weights; tied weights count once."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.named_parameters()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
