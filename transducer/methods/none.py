"""Method `none`: the frozen backbone as it is, the zero line of every table."""
from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from ..adapted_model import DirectModel


class FrozenModel(DirectModel):
    """Nothing is trained and nothing is saved."""

    method = "none"

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True)

    def load(self, folder: Path) -> None:
        pass

    def disabled(self):
        return nullcontext()
