"""Methods `adapter` and `prompt+adapter`: bottlenecks inside the frozen layers (Houlsby et al., 2019), with prompts on request.

::

    h' = h + W_up SiLU(W_down h)

after every attention and feed-forward block of every layer, or of the last ones, before the block's residual is added;
`W_up = 0` at the start. `2 r D` parameters a block. SiLU, because units that ReLU silences would be parameters in name
only. Blocks are found by `families.FAMILIES`.
"""
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from ..adapted_model import InputModel, growing
from ..config import option
from ..fusion.prompts import PROMPT_UNIT
from ..model import sampled_embeddings
from .depth import FEWER_LAYERS, in_last_layers, layers_option
from .saving import OwnTensors, Switch


@dataclass(frozen=True)
class AdapterSettings:
    """Size of the bottlenecks."""

    rank: int = option(8, "width of a bottleneck", minimum=1)
    layers: int = layers_option()


@dataclass(frozen=True)
class PromptAdapterSettings(AdapterSettings):
    """Sizes of bottlenecks and prompts."""

    prompts: int = option(25, "trained vectors in front of the input; the paper's prompt tuning: 25", minimum=1)


class Bottleneck(nn.Module):
    """`W_up SiLU(W_down h)` [*, D]."""

    def __init__(self, width: int, rank: int):
        super().__init__()
        self.down = nn.Parameter(torch.randn(rank, width) * width ** -0.5)
        self.up = nn.Parameter(torch.zeros(width, rank))

    def forward(self, hidden):
        return functional.linear(functional.silu(functional.linear(hidden, self.down)), self.up)


class BottleneckAdapters(OwnTensors, Switch, InputModel):
    """A bottleneck behind every block of the backbone."""

    method = "adapter"
    settings_type = AdapterSettings
    sizes = (*FEWER_LAYERS, *growing("rank", 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128))
    default_learning_rate = 3e-3
    search_space = {"rank": (4, 8, 16, 32)}

    def __init__(self, backbone, settings, engine="auto"):
        super().__init__(backbone, settings, engine)
        self.adapters = nn.ModuleDict()
        blocks = backbone.blocks()
        for name in in_last_layers(blocks, settings.layers):
            adapter = Bottleneck(backbone.width, settings.rank)
            self.adapters[name.replace(".", "_")] = adapter
            blocks[name].register_forward_hook(self._hook(adapter))

    def _hook(self, adapter: Bottleneck):
        def changed(module, inputs, output):
            if not self._enabled:
                return None
            if isinstance(output, tuple):
                return (output[0] + adapter(output[0]), *output[1:])
            return output + adapter(output)
        return changed

    def fused(self, input_ids, attention_mask, **graph):
        return self.backbone.model.get_input_embeddings()(input_ids), attention_mask


class PromptAndAdapters(BottleneckAdapters):
    """Bottlenecks and prompts, trained together."""

    method = "prompt+adapter"
    settings_type = PromptAdapterSettings
    search_space = BottleneckAdapters.search_space | {"prompts": (10, 25, 50)}

    def __init__(self, backbone, settings, engine="auto"):
        super().__init__(backbone, settings, engine)
        self.unit = backbone.embedding_scale * PROMPT_UNIT
        self.prompts = nn.Parameter(sampled_embeddings(backbone, settings.prompts) / self.unit)

    @property
    def added_positions(self):
        return self.settings.prompts

    def fused(self, input_ids, attention_mask, **graph):
        embeddings, mask = super().fused(input_ids, attention_mask)
        if not self._enabled:
            return embeddings, mask
        front = (self.unit * self.prompts).to(embeddings.dtype).expand(len(input_ids), -1, -1)
        return torch.cat((front, embeddings), dim=1), torch.cat((mask.new_ones(front.shape[:2]), mask), dim=1)
