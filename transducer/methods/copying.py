"""Method `copy`: the source handed back, the line below which an edited or translated function is worth nothing.

Scores of overlap such as BLEU are high where an answer is much like its source, as in repair and translation (Lu et al., 2021,
have it as their naive copy).
"""
from __future__ import annotations

from pathlib import Path

from ..adapted_model import DirectModel
from ..errors import ConfigurationError
from .saving import Switch


class SourceItself(Switch, DirectModel):
    """Nothing is trained and nothing is saved. The text is whole, whatever the limits in tokens are."""

    method = "copy"
    has_loss = False
    remark = "the source handed back as it is; has no loss"

    def written(self, sources):
        return [source.strip() for source in sources] if self._enabled else None

    def forward(self, input_ids, attention_mask, labels=None, **graph):
        if not self._enabled:
            return super().forward(input_ids, attention_mask, labels, **graph)
        raise ConfigurationError("method 'copy' hands sources back and gives them no probabilities, so it has no loss")

    def generate(self, batch, *, beams, max_new_tokens):
        if not self._enabled:
            return super().generate(batch, beams=beams, max_new_tokens=max_new_tokens)
        raise ConfigurationError("method 'copy' hands the text of a source back and generates no tokens; "
                                 "`transducer.evaluate.predict` asks it")

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True)

    def load(self, folder: Path) -> None:
        pass
