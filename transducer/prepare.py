"""Examples to model inputs: text, graph and labels, each example once, before training starts.

`model_input` never receives a target: what a model sees at prediction is made from the source alone. Labels are made
by `with_labels`, for the loss only.
"""
from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cpg import extract
from tasks import Example, Task, get_task

from .backbone import Backbone
from .progress import progress_bar
from .tensors import NodeBags, PreparedExample, graph_arrays
from .text import EncodedSource, TextEncoder

if TYPE_CHECKING:
    from .model import TransducerModel


@dataclass
class PreparationReport:
    """What preparation did: examples, those left out for their length, sources and targets cut to the limits, those
    whose code did not parse, seconds and bytes."""

    examples: int = 0
    skipped: int = 0
    truncated: int = 0
    targets_truncated: int = 0
    with_diagnostics: int = 0
    nodes: int = 0
    edges: Counter = field(default_factory=Counter)
    graph_seconds: float = 0.0
    graph_bytes: int = 0

    def to_dict(self) -> dict:
        return {"examples": self.examples, "skipped": self.skipped, "truncated": self.truncated,
                "targets_truncated": self.targets_truncated, "with_diagnostics": self.with_diagnostics,
                "nodes": self.nodes, "edges": dict(sorted(self.edges.items())),
                "graph_milliseconds_per_example": round(1000 * self.graph_seconds / max(1, self.examples), 3),
                "graph_bytes": self.graph_bytes}


class Preparer:
    """Text and graphs for one task, one backbone's tokenizer, and given limits in tokens; `reach` is that of the graph beyond
    what the model reads."""

    def __init__(self, backbone: Backbone, task: Task, max_source_tokens: int, max_target_tokens: int, reach: int = 0):
        self.text = TextEncoder(backbone.tokenizer, task.placeholder, max_source_tokens, max_target_tokens,
                                framed=bool(task.frames), encoder_decoder=backbone.encoder_decoder, reach=reach)
        self._task = task
        self._bags = NodeBags(backbone.tokenizer)

    @classmethod
    def for_model(cls, model: TransducerModel, task: Task | None = None, max_source_tokens: int = 0,
                  max_target_tokens: int = 0) -> Preparer:
        """As a transducer was trained: for its task, with its limits and its reach.

        Args:
            task: in place of the one that it states.
            max_source_tokens, max_target_tokens: in place of its own; where neither is known (0), the task's.

        Raises:
            UnknownNameError: no task is given and it states none.
            BackboneError: the backbone has no places for so many tokens.
        """
        task = task or get_task(model.task)
        limits = model.recorded["limits"]
        source = max_source_tokens or limits.get("max_source_tokens", task.max_source_tokens)
        target = max_target_tokens or limits.get("max_target_tokens", task.max_target_tokens)
        model.require_positions(source, target)
        return cls(model.backbone, task, source, target, model.settings.reach)

    def model_input(self, source: str, language: str, report: PreparationReport) -> tuple[EncodedSource, PreparedExample]:
        """The input made from a source: its tokens, and the graph of the text that the model sees and of what is within reach."""
        encoded = self.text.encode_source(self._task.model_input(source), self._task.frame(language, self.text.form.gap is not None))
        begin = time.perf_counter()
        graph = extract(encoded.text, language)
        arrays = graph_arrays(graph, encoded, self._bags)
        report.graph_seconds += time.perf_counter() - begin
        report.examples += 1
        report.truncated += encoded.truncated
        report.with_diagnostics += bool(graph.diagnostics)
        report.nodes += len(graph.nodes)
        report.edges.update(graph.edges.kind)
        report.graph_bytes += arrays.nbytes
        return encoded, PreparedExample(encoded.token_ids, None, arrays)

    def inputs(self, sources: Sequence[tuple[str, str]], report: PreparationReport,
               progress: bool = False) -> list[PreparedExample]:
        """Inputs of (source, language) pairs; what prediction uses."""
        return [self.model_input(source, language, report)[1] for source, language in progress_bar(sources, shown=progress, desc="graphs", unit="example")]

    def with_labels(self, examples: Sequence[Example], report: PreparationReport,
                    progress: bool = False) -> list[PreparedExample]:
        """Inputs with labels, for training and for the loss."""
        prepared = []
        for example in progress_bar(examples, shown=progress, desc="graphs", unit="example"):
            encoded, inputs = self.model_input(example.source, example.language, report)
            labels = self.text.encode_target(example.target, encoded.blank_before_answer)
            report.targets_truncated += int(labels[-1]) != self.text.tokenizer.eos_token_id
            prepared.append(PreparedExample(inputs.input_ids, labels, inputs.graph))
        return prepared
