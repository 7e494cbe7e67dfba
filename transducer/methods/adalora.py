"""Method `adalora`: low-rank updates that share a budget of ranks by importance (Zhang et al., ICLR 2023), from `peft`.

::

    W' = W + alpha / r_0  B diag(e) A           A [r, D_in], e [r], B [D_out, r]; e = 0 at the start
    loss + regularisation * mean over A and B of |A A^T - 1|_F, |B^T B - 1|_F       in training only

Every update starts at `initial_rank`. After each step the entries of `e` with the least smoothed sensitivity are set to zero, so
that the sum of ranks falls along a cubic schedule to `rank` for each update on average; the last share of the steps trains with
ranks that stay. What is switched off is neither counted nor saved; the folder is a genuine peft folder with its `rank_pattern`.

The number of steps is the trainer's. A budget of parameters counts the ranks of the start, the most that is ever trained.
"""
from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import AdaLoraConfig
from peft.utils.save_and_load import get_peft_model_state_dict

from checkpoints.errors import ArtefactContentError

from ..adapted_model import growing
from ..config import option
from ..errors import ConfigurationError
from .depth import FEWER_LAYERS
from .peft_methods import LoRASettings, PeftMethod, stored_transposed

RANKS = ".lora_E"
"""Ending of the names of the vectors `e`, one for each update."""


@dataclass(frozen=True)
class AdaLoRASettings(LoRASettings):
    """Settings of low-rank updates that share a budget of ranks."""

    rank: int = option(8, "mean rank of an update at the end", minimum=1)
    initial_rank: int = option(0, "rank of every update at the start; 0: half as much again as the rank; peft: 12 for 8", minimum=0)
    warm_share: float = option(0.1, "share of the steps before the first rank is taken away", minimum=0.0, maximum=0.9)
    final_share: float = option(0.3, "share of the steps with the final ranks", minimum=0.0, maximum=0.9)
    regularisation: float = option(0.5, "weight of the distance from orthogonality in the training loss; peft: 0.5", minimum=0.0)


class AdaLoRA(PeftMethod):
    """Low-rank updates of the query and value projections whose ranks are dealt out by importance; see the module."""

    method = "adalora"
    starts_wide = True  # as LoRA
    settings_type = AdaLoRASettings
    sizes = (*FEWER_LAYERS, *growing("rank", 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128))
    default_learning_rate = 3e-2
    search_space = {"rank": (4, 8, 16), "dropout": (0.0, 0.05, 0.1, 0.2)}
    remark = "the training loss holds the regularisation; a budget counts the ranks of the start"

    def configuration(self):
        settings = self.settings
        initial = settings.initial_rank or -(-3 * settings.rank // 2)
        if initial <= settings.rank:
            raise ConfigurationError(f"--initial-rank is {initial}, expected more than the rank {settings.rank}, which it falls to")
        if settings.warm_share + settings.final_share >= 1:
            raise ConfigurationError(f"--warm-share and --final-share are {settings.warm_share} and {settings.final_share}, "
                                     "expected less than 1 in sum: ranks are taken away in between")
        return AdaLoraConfig(
            task_type=self.peft_task, init_r=initial, target_r=settings.rank, lora_alpha=settings.alpha,
            lora_dropout=settings.dropout, target_modules=settings.projections(self.backbone),
            fan_in_fan_out=stored_transposed(self.backbone), orth_reg_weight=settings.regularisation,
            total_step=1)  # until `plan`

    def forward(self, input_ids, attention_mask, labels=None, **graph):
        if self.training:
            return super().forward(input_ids, attention_mask, labels)
        # peft adds the regularisation whenever it is given labels, which would make a validation loss incomparable.
        return self.backbone.forward_tokens(self.backbone.model, input_ids, attention_mask, labels)

    # Training

    @property
    def _config(self) -> AdaLoraConfig:
        return self.language_model.peft_config["default"]

    @property
    def _allocator(self):
        return self.language_model.base_model.rankallocator

    def plan(self, steps):
        config = self._config
        config.total_step = steps
        config.tinit, config.tfinal = int(self.settings.warm_share * steps), int(self.settings.final_share * steps)
        self._steps_left_to_allocate = steps - config.tfinal

    def after_step(self, step, optimizer):
        self.language_model.base_model.update_and_allocate(step)
        self._last_step = step

    _steps_left_to_allocate = 0
    _last_step = 0

    @property
    def settled(self):
        return self._last_step >= self._steps_left_to_allocate

    def training_state(self):
        """Every rank with its values, since one that is switched off may come back, and the smoothed importance."""
        averages = {"mean": self._allocator.exp_avg_ipt, "deviation": self._allocator.exp_avg_unc}
        return ({f"value/{name}": parameter for name, parameter in self.trainable().items()}
                | {f"{kind}/{name}": tensor for kind, tensors in averages.items() for name, tensor in tensors.items()}
                | {"step": torch.tensor(self._last_step)})

    def load_training_state(self, tensors):
        parameters, allocator = self.trainable(), self._allocator
        allocator.reset_ipt()
        for key, tensor in tensors.items():
            kind, _, name = key.partition("/")
            if kind == "value":
                with torch.no_grad():
                    parameters[name].copy_(tensor)
            elif kind == "mean":
                allocator.exp_avg_ipt[name] = tensor.to(self.backbone.device)
                allocator.ipt[name] = torch.zeros_like(allocator.exp_avg_ipt[name])
            elif kind == "deviation":
                allocator.exp_avg_unc[name] = tensor.to(self.backbone.device)
            else:
                self._last_step = int(tensor)

    # Ranks that are switched off

    def _kept(self) -> dict[str, torch.Tensor]:
        """Masks [r] of the ranks that are left, by the name of an update; empty before the first is taken away."""
        return {name.removesuffix(".default").removesuffix(RANKS): torch.tensor(ranks)
                for name, ranks in (self._config.rank_pattern or {}).items()}

    def switched_off(self):
        kept, off = self._kept(), {}
        for name, parameter in self.trainable().items() if kept else ():
            mask = torch.zeros(parameter.shape, dtype=torch.bool, device=parameter.device)
            _by_rank(name, mask)[~kept[_update(name)]] = True
            off[name] = mask
        return off

    def save(self, folder):
        with warnings.catch_warnings():
            # An update may keep no rank at all.
            warnings.filterwarnings("ignore", "Adapter 'default'", UserWarning)
            super().save(folder)

    def load(self, folder):
        """Every update keeps the width of the start, with zeros where ranks are switched off: training can go on from it."""
        path, tensors = self._stored(folder)
        pattern = _stored_pattern(Path(folder))
        with self._without_pattern():
            whole = get_peft_model_state_dict(self.language_model)
        kept = {name.removesuffix(RANKS): torch.tensor(ranks, dtype=torch.bool) for name, ranks in (pattern or {}).items()}
        places = {name: kept.get(_update(name), torch.ones(len(_by_rank(name, tensor)), dtype=torch.bool))
                  for name, tensor in whole.items()}
        for name, tensor in whole.items():
            if len(places[name]) != len(_by_rank(name, tensor)):
                raise ArtefactContentError(f"{path} does not fit method {self.method!r}: its updates have {len(places[name])} "
                                           f"ranks, expected {len(_by_rank(name, tensor))}; load it with the settings it was saved with")
        self._require_shapes(path, tensors, {
            name: _by_rank(name, _by_rank(name, tensor)[places[name].to(tensor.device)]).shape for name, tensor in whole.items()})
        with torch.no_grad():
            for name, tensor in whole.items():
                tensor.zero_()
                _by_rank(name, tensor)[places[name].to(tensor.device)] = _by_rank(name, tensors[name]).to(tensor)
        self._config.rank_pattern = pattern

    @contextmanager
    def _without_pattern(self) -> Iterator[None]:
        """Within it, peft tells all values rather than those of the ranks that are left."""
        pattern, self._config.rank_pattern = self._config.rank_pattern, None
        try:
            yield
        finally:
            self._config.rank_pattern = pattern


def _update(name: str) -> str:
    """The name of an update within the backbone, of one of its tensors as the model or as a folder has it."""
    return name.removeprefix("language_model.").removeprefix("base_model.model.").removesuffix(".default").rpartition(".")[0]


def _by_rank(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """A view of a tensor of an update whose first dimension is the rank; for `B`, the other way about."""
    return tensor.T if ".lora_B" in name else tensor


def _stored_pattern(folder: Path) -> dict[str, list[bool]] | None:
    path = folder / "adapter_config.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))["rank_pattern"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtefactContentError(f"{path} cannot be read as the configuration of an AdaLoRA ({error}); copy the whole folder "
                                   "again from where it was saved") from error
