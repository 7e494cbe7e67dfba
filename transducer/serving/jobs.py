"""A request on its way through the queue, and its answer."""
from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from ..tensors import PreparedExample
    from ..text import EncodedSource
    from .transducers import Served


@dataclass(frozen=True)
class Answer:
    """What a job ends with.

    `finish` is `end` where the model ended its answer and `length` where the limit cut it; `tokens` were generated, the end
    mark included; `weights` [R, 1 + N] by part of the fusion, where asked for: see `CombinedFusion.explain`.
    """

    text: str
    tokens: int
    finish: str
    batch_requests: int
    batch_transducers: int
    queue_seconds: float
    generate_seconds: float
    weights: dict[str, Tensor] | None = None


@dataclass(eq=False)
class Job:
    """One request with its input made. The thread that answers it sets `result`, once, and calls `on_text` with every
    piece of text that is there before; whoever waits may `drop` it at any time."""

    served: Served
    encoded: EncodedSource
    inputs: PreparedExample
    beams: int
    max_new_tokens: int
    explain: bool = False
    on_text: Callable[[str], None] | None = None
    result: Future[Answer] = field(default_factory=Future)
    queued: float = field(default_factory=time.monotonic)
    started: float = 0.0
    dropped: bool = False
    said: str = ""
    """What `on_text` was given so far."""

    def drop(self) -> None:
        """Nobody waits any more: the job is left out of the next batch, or its row ends with the next token."""
        self.dropped = True

    def say(self, text: str, last: bool = False) -> None:
        """Hands on what is new in `text`; a character whose bytes are not all there yet waits for the rest, if there is one."""
        text = text if last else text.rstrip("\ufffd")
        if self.on_text and text.startswith(self.said) and len(text) > len(self.said):
            new, self.said = text[len(self.said):], text
            self.on_text(new)

    def end(self, answer: Answer) -> None:
        with suppress(InvalidStateError):  # whoever waited may have left at this very moment
            self.result.set_result(answer)

    def fail(self, error: BaseException) -> None:
        with suppress(InvalidStateError):
            self.result.set_exception(error)
