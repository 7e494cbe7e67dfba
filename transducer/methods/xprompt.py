"""Method `xprompt`: prompt tuning, then pruning by tokens and by pieces, with rewinding (Ma et al., EMNLP 2022, arXiv 2210.04457).

::

    importance of a mask m = E over examples of |d loss / d m|        at m = 1
    for a prompt p:      d loss / d m = <d loss / d p, p>             for a piece of it: the same over its entries alone

All within the steps of the run: prompt tuning for the share `tuning`; the prompts with the least importance are dropped; after
`measuring` more, the pieces with the least importance are dropped from those that are left; the survivors go back to their
values after prompt tuning, AdamW forgets its averages, and the remaining steps train the survivors.

Importance is taken from the gradients of training itself, example by example, over the last `measuring` of the steps before
each cut: no step is spent on it alone, and it costs one product of the size of the prompts. A dropped prompt leaves the input,
a dropped piece is zero.

The paper prunes a prompt tuned to convergence, measures importance with the prompt at rest, tries ratios of 10 to 90 % on
validation data, and trains anew with the whole recipe; here it is one pass over a schedule whose rate falls throughout.
"""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from checkpoints.errors import ArtefactContentError

from ..adapted_model import InputModel, growing
from ..config import option
from ..errors import ConfigurationError, TrainingError
from ..fusion.prompts import PROMPT_UNIT
from ..model import sampled_embeddings
from .saving import Switch, load_fact, load_tensors, save_tensors


@dataclass(frozen=True)
class XPromptSettings:
    """Sizes, ratios and stages."""

    tokens: int = option(20, "trained vectors in front of the input; the paper: 20", minimum=1)
    pieces: int = option(16, "equal pieces that a vector is cut into; the paper: 16", minimum=1)
    drop_tokens: float = option(0.4, "share of the vectors that is dropped; the paper tries 0.1 to 0.9", minimum=0.0, maximum=0.99)
    drop_pieces: float = option(0.4, "share of the remaining pieces that is dropped; the paper tries 0.1 to 0.9",
                                minimum=0.0, maximum=0.99)
    tuning: float = option(0.4, "share of the steps before the first cut", minimum=0.0, maximum=1.0)
    measuring: float = option(0.1, "share of the steps over which importance is taken, before each of the two cuts",
                              minimum=0.0, maximum=1.0)
    rewind: float = option(1.0, "survivors return to their values after this share of the tuning; the paper: 1", minimum=0.0,
                           maximum=1.0)


class XPrompt(Switch, InputModel):
    """Prompts that are pruned to their useful parts and trained again; see the module."""

    method = "xprompt"
    settings_type = XPromptSettings
    sizes = growing("tokens", 1, 2, 4, 6, 8, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 120, 150)
    default_learning_rate = 1e-1
    search_space = {"tokens": (10, 20, 40), "drop_tokens": (0.2, 0.4, 0.6), "drop_pieces": (0.2, 0.4, 0.6)}
    remark = "tuned, pruned, rewound and trained again within the same steps; a budget counts what it starts with"

    def __init__(self, backbone, settings, engine="auto"):
        super().__init__(backbone, settings, engine)
        if backbone.width % settings.pieces:
            raise ConfigurationError(f"--pieces is {settings.pieces}, expected a divisor of the backbone's width {backbone.width}")
        if settings.tuning + settings.measuring >= 1:
            raise ConfigurationError(f"--tuning and --measuring are {settings.tuning} and {settings.measuring}, expected less "
                                     "than 1 in sum: what is left trains the survivors")
        self.unit = backbone.embedding_scale * PROMPT_UNIT
        self.prompts = nn.Parameter(sampled_embeddings(backbone, settings.tokens) / self.unit)  # [k, D]
        pieces = (settings.tokens, settings.pieces)
        self.register_buffer("kept", torch.ones(pieces, dtype=torch.bool))
        self.register_buffer("early", torch.zeros(self.prompts.shape))  # [k, D], to rewind to
        self.register_buffer("piece_importance", torch.zeros(pieces))  # sums over examples
        self.register_buffer("token_importance", torch.zeros(settings.tokens))
        self._step = self._rewind_to = self._first_cut = self._second_cut = self._window = 0

    @property
    def added_positions(self):
        return self.settings.tokens

    def fused(self, input_ids, attention_mask, **graph):
        embeddings = self.backbone.model.get_input_embeddings()(input_ids)
        if not self._enabled:
            return embeddings, attention_mask
        places = self.kept.any(1)  # [k]
        front = (self.unit * self.prompts * self._kept_numbers())[places]  # [k', D]
        front = front.expand(len(input_ids), -1, -1)  # [B, k', D]; its gradient is one for each example
        if front.requires_grad and self.training and self._measuring:
            values = front.detach()
            front.register_hook(lambda gradient: self._note_importance(gradient * values, places))
        return (torch.cat((front.to(embeddings.dtype), embeddings), dim=1),
                torch.cat((attention_mask.new_ones(front.shape[:2]), attention_mask), dim=1))

    def _kept_numbers(self) -> Tensor:
        """[k, D] bool"""
        return self.kept.repeat_interleave(self.backbone.width // self.settings.pieces, dim=1)

    # The stages of training

    def plan(self, steps):
        settings = self.settings
        self._first_cut = max(1, round(settings.tuning * steps))
        self._window = max(1, round(settings.measuring * steps))
        self._second_cut = self._first_cut + self._window
        self._rewind_to = round(settings.rewind * self._first_cut)
        if self._second_cut >= steps:
            raise TrainingError(f"method {self.method!r} got {steps} steps, expected at least {self._second_cut + 1}: to tune, to "
                                "measure and to train what is left; give more examples or epochs")
        if self._step == self._rewind_to == 0:
            self.early.copy_(self.prompts.detach())

    @property
    def settled(self):
        return self._step >= self._second_cut

    @property
    def _measuring(self) -> bool:
        """Whether the next step is one whose gradients are noted."""
        return self._first_cut - self._window <= self._step < self._second_cut

    def _note_importance(self, products: Tensor, places: Tensor) -> None:
        """Adds |d loss / d mask| of each example, from gradient times value [B, k', D]."""
        by_piece = products.float().unflatten(-1, (self.settings.pieces, -1)).sum(-1)  # [B, k', pieces]
        self.piece_importance[places] += by_piece.abs().sum(0)
        self.token_importance[places] += by_piece.sum(-1).abs().sum(0)

    @torch.no_grad()
    def after_step(self, step, optimizer):
        self._step = step
        if step == self._rewind_to:
            self.early.copy_(self.prompts)
        if step == self._first_cut:
            self.kept &= highest(_over_processes(self.token_importance), self.kept.any(1), self.settings.drop_tokens)[:, None]
            self.piece_importance.zero_()  # of these gradients, some are of steps with all prompts in place
        if step == self._second_cut:
            self.kept &= highest(_over_processes(self.piece_importance), self.kept, self.settings.drop_pieces)
            self.prompts.copy_(self.early * self._kept_numbers())  # no gradient reaches a zero here, so it stays one
            for average in optimizer.state[self.prompts].values():
                average.zero_()

    def switched_off(self):
        whole = self.kept.is_meta or self.kept.all()  # shapes alone are of a prompt that was never trained
        return {} if whole else {"prompts": ~self._kept_numbers()}

    def training_state(self):
        return {"kept": self.kept, "early": self.early, "piece_importance": self.piece_importance,
                "token_importance": self.token_importance, "values": self.prompts, "step": torch.tensor(self._step)}

    def load_training_state(self, tensors):
        self._step = int(tensors["step"])
        for name in ("kept", "early", "piece_importance", "token_importance"):
            getattr(self, name).copy_(tensors[name])
        with torch.no_grad():
            self.prompts.copy_(tensors["values"])

    # What is saved: the numbers that are left, one after another, and which pieces they are

    def save(self, folder):
        save_tensors(Path(folder), self.method, vars(self.settings), {"prompts": self.prompts.detach()[self._kept_numbers()]},
                     kept=["".join("01"[piece] for piece in pieces) for pieces in self.kept.tolist()])

    def load(self, folder):
        stored = load_fact(folder, self.method, "kept")
        tokens, pieces = self.kept.shape
        if (not isinstance(stored, list) or len(stored) != tokens
                or not all(isinstance(row, str) and len(row) == pieces and set(row) <= {"0", "1"} for row in stored)):
            raise ArtefactContentError(f"{folder} does not fit method {self.method!r}: its mask is not one of {tokens} prompts of "
                                       f"{pieces} pieces; load it with the settings it was saved with")
        kept = torch.tensor([[piece == "1" for piece in row] for row in stored], device=self.kept.device)
        numbers = kept.repeat_interleave(self.backbone.width // pieces, dim=1)
        tensors = load_tensors(Path(folder), self.method, {"prompts": torch.empty(int(numbers.sum()), device="meta")})
        self.kept.copy_(kept)
        with torch.no_grad():
            self.prompts.zero_()
            self.prompts[numbers] = tensors["prompts"].to(self.prompts)


def highest(importance: Tensor, candidates: Tensor, dropped: float) -> Tensor:
    """Mask of the candidates without the share `dropped` that has the least importance; one at least is left.

    Of equal ones, the earlier are kept.
    """
    scores = importance.masked_fill(~candidates, -1.0).flatten()
    count = int(candidates.sum())
    chosen = torch.zeros_like(scores, dtype=torch.bool)
    chosen[scores.sort(descending=True, stable=True).indices[:max(1, count - round(dropped * count))]] = True
    return chosen.view(candidates.shape)


def _over_processes(importance: Tensor) -> Tensor:
    """The sum over all processes that train together, so that they drop the same."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(importance)
    return importance
