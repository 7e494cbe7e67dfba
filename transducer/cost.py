"""What a method costs in memory and time, each figure from a fresh process, so that no method inherits another's peaks.

    python -m transducer.cost --methods transducer lora prompt --task assert

Training and generation are measured apart, one process for each, on the same examples for every method. Of memory, a GPU's
allocated and reserved bytes; on a CPU the resident bytes of the process, of which the interpreter and its libraries are
about 0.6 GB: `start_bytes` is what the process has before its first step, weights included.
"""
from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from .commands import CommandParser, command_line
from .config import RunSettings, add_options, resolve
from .errors import TrainingError

if TYPE_CHECKING:
    import torch

    from tasks import Example

    from .adapted_model import AdaptedModel

WARM_STEPS = 3
"""Steps that are not counted: the first ones pay for allocation."""
COST_FIELDS = ("task", "data", "columns", "language", "model", "revision", "batch_size", "max_source_tokens",
               "max_target_tokens", "beams", "precision", "quantize", "device_map", "gradient_checkpointing", "engine")
"""Settings of training that the command has."""


@dataclass
class Cost:
    """What one method costs on given examples. Seconds and bytes; a figure that could not be had is null."""

    specification: str
    trainable_parameters: int
    precision: str
    artefact_bytes: int
    batch_size: int
    step_seconds: float | None = None
    """Median over the steps after the first three: batching, forward, backward, clipping, AdamW."""
    step_seconds_low: float | None = None
    step_seconds_high: float | None = None
    """Quartiles of the same."""
    examples_per_second: float | None = None
    start_bytes: int | None = None
    train_peak_bytes: int | None = None
    train_reserved_bytes: int | None = None
    """Held by torch's allocator on a GPU; null on a CPU."""
    weight_bytes: int = 0
    """Of backbone and method; tied weights once."""
    gradient_bytes: int = 0
    optimizer_bytes: int = 0
    activation_bytes: int | None = None
    """The rest of what training adds at its peak: saved activations, working memory, what the allocator keeps."""
    generate_peak_bytes: int | None = None
    generate_reserved_bytes: int | None = None
    first_token_seconds: float | None = None
    """One example, its input prepared: until the first token is there; median over examples."""
    tokens_per_second: float | None = None
    """Batches as an evaluation has them, with its beams; only the tokens of the answers count, end marks included."""
    graph_seconds_per_example: float | None = None
    """Source to graph to arrays; null for methods that read no graph."""
    graph_bytes_per_example: float | None = None


def measure_cost(specification: str, settings: RunSettings, examples: Sequence[Example], steps: int = 12) -> Cost:
    """The cost of a method, measured in two fresh processes on `examples`, which are repeated where they are too few.

    Args:
        settings: model, limits, batch size, beams and precision, with what they leave to the task filled in.
        steps: counted steps of training; three more come before.

    Raises:
        TrainingError: a process ended without a figure; the message has its last line.
    """
    request = {"specification": specification, "steps": steps,
               "settings": {entry.name: getattr(settings, entry.name) for entry in fields(RunSettings)
                            if hasattr(settings, entry.name)},
               "examples": [asdict(example) for example in examples]}
    return Cost(**_fresh_process(request | {"part": "training"}) | _fresh_process(request | {"part": "generation"}))


def _fresh_process(request: dict) -> dict:
    done = subprocess.run([sys.executable, "-m", "transducer.cost", "--worker"], input=json.dumps(request), text=True,
                          capture_output=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))})
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise TrainingError(f"the cost of {request['specification']!r} could not be measured: its process ended with code "
                            f"{done.returncode} ({reason}); fewer examples in a batch need less memory")
    return json.loads(done.stdout.splitlines()[-1])


def _work() -> int:
    """A fresh process's side: one request on standard input, one line of figures on standard output."""
    from tasks import Example, get_task

    from .backbone import backbone_for
    from .methods import build_method, method_class
    from .prepare import PreparationReport, Preparer

    request = json.loads(sys.stdin.read())
    settings = resolve(RunSettings, request["settings"])
    backbone = backbone_for(settings)
    preparer = Preparer(backbone, get_task(settings.task), settings.max_source_tokens, settings.max_target_tokens, settings.reach)
    report = PreparationReport()
    prepared = preparer.with_labels([Example(**example) for example in request["examples"]], report)
    import torch

    torch.manual_seed(settings.seed)
    model = build_method(request["specification"], backbone, settings.transducer_settings(), settings.engine)
    model.require_positions(settings.max_source_tokens, settings.max_target_tokens)
    if not method_class(request["specification"]).reads_graph:
        prepared = [type(example)(example.input_ids, example.labels, None) for example in prepared]
    model.remember(prepared)
    figures = PARTS[request["part"]](model, prepared, settings, request)
    if method_class(request["specification"]).reads_graph:
        figures |= {"graph_seconds_per_example": report.graph_seconds / report.examples,
                    "graph_bytes_per_example": report.graph_bytes / report.examples}
    print(json.dumps(figures))
    return 0


def _training(model: AdaptedModel, prepared: list, settings: RunSettings, request: dict) -> dict:
    """Figures of training; a method without anything to train has none but its size."""
    import tempfile

    import torch

    from checkpoints.artefact import folder_bytes

    from .measure import peak_memory, resident_bytes

    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "saved")
        figures = {"specification": request["specification"], "trainable_parameters": model.trainable_count(),
                   "precision": model.backbone.precision, "batch_size": settings.batch_size,
                   "artefact_bytes": folder_bytes(Path(folder) / "saved"), "weight_bytes": tensor_bytes(model.parameters())}
    if not figures["trainable_parameters"]:
        return figures
    stepper = Stepper(model, settings.learning_rate or model.default_learning_rate, settings.max_grad_norm)
    count = settings.batch_size * (WARM_STEPS + request["steps"])
    repeated = (prepared * -(-count // len(prepared)))[:count]
    device = model.backbone.device
    start = torch.cuda.memory_allocated(device) if device.type == "cuda" else resident_bytes()
    with peak_memory(device) as peak:
        seconds = [stepper(repeated[first:first + settings.batch_size]) for first in range(0, count, settings.batch_size)]
    gradients, optimizer = stepper.gradient_bytes, stepper.optimizer_bytes
    added = None if peak.bytes is None or start is None else max(0, peak.bytes - start - gradients - optimizer)
    return figures | step_figures(seconds[WARM_STEPS:], settings.batch_size) | {
        "start_bytes": start, "train_peak_bytes": peak.bytes, "train_reserved_bytes": peak.reserved_bytes,
        "gradient_bytes": gradients, "optimizer_bytes": optimizer, "activation_bytes": added}


class Stepper:
    """Training steps as `transducer.train` takes them, from prepared examples to new weights.

    Attributes: `gradient_bytes`, `optimizer_bytes`, of the last step.
    """

    def __init__(self, model: AdaptedModel, learning_rate: float, max_grad_norm: float = 1.0):
        import torch

        from .tensors import Collator

        self._model, self._max_grad_norm = model.train(), max_grad_norm
        self._parameters = list(model.trainable().values())
        self._optimizer = torch.optim.AdamW(self._parameters, lr=learning_rate, weight_decay=0.0, fused=True)
        self._collate = Collator(model.backbone.pad_token_id)
        self.gradient_bytes = self.optimizer_bytes = 0

    def __call__(self, examples: list) -> float:
        """Seconds that one step took."""
        import torch

        device = self._model.backbone.device
        begin = time.perf_counter()
        batch = {name: tensor.to(device) for name, tensor in self._collate(examples).items()}
        self._model(**batch).loss.backward()
        torch.nn.utils.clip_grad_norm_(self._parameters, self._max_grad_norm)
        self._optimizer.step()
        self.gradient_bytes = tensor_bytes(parameter.grad for parameter in self._parameters if parameter.grad is not None)
        self._optimizer.zero_grad()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds = time.perf_counter() - begin
        self.optimizer_bytes = tensor_bytes(value for state in self._optimizer.state.values() for value in state.values())
        return seconds


def step_figures(seconds: Sequence[float], batch_size: int) -> dict[str, float]:
    """Median, quartiles and examples a second."""
    low, median, high = statistics.quantiles(seconds, n=4) if len(seconds) > 1 else 3 * list(seconds)
    return {"step_seconds": median, "step_seconds_low": low, "step_seconds_high": high, "examples_per_second": batch_size / median}


def tensor_bytes(tensors) -> int:
    """Bytes of tensors, each storage once."""
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}
    return sum(storages.values())


def _generation(model: AdaptedModel, prepared: list, settings: RunSettings, request: dict) -> dict:
    """Figures of generation with a new method's weights; what they are does not change what a token costs."""
    import torch

    from .measure import peak_memory
    from .tensors import Collator

    model.eval()
    collate, device = Collator(model.backbone.pad_token_id), model.backbone.device

    def generate(examples: list, tokens: int) -> tuple[torch.Tensor, float]:
        batch = {name: tensor.to(device) for name, tensor in collate(examples).items() if name != "labels"}
        begin = time.perf_counter()
        ids = model.generate(batch, beams=settings.beams, max_new_tokens=tokens).cpu()
        return ids, time.perf_counter() - begin

    with peak_memory(device) as peak:
        generate(prepared[:1], 2)
        first = [generate([example], 1)[1] for example in prepared[:10]]
        size, answered, spent = 4 * settings.batch_size, 0, 0.0
        for place in range(0, min(len(prepared), 2 * size), size):
            ids, seconds = generate(prepared[place:place + size], settings.max_target_tokens)
            answered, spent = answered + _answer_tokens(ids, model.backbone.tokenizer), spent + seconds
    return {"generate_peak_bytes": peak.bytes, "generate_reserved_bytes": peak.reserved_bytes,
            "first_token_seconds": statistics.median(first), "tokens_per_second": answered / spent}


def _answer_tokens(ids: torch.Tensor, tokenizer) -> int:
    """Tokens of generated rows behind the start token, up to the end mark and with it."""
    ended = (ids[:, 1:] == tokenizer.eos_token_id).cumsum(1)
    ended = ended - (ids[:, 1:] == tokenizer.eos_token_id).long()
    return int((ended == 0).sum())


PARTS = {"training": _training, "generation": _generation}


def main(arguments: list[str] | None = None) -> int:
    if (sys.argv[1:] if arguments is None else arguments) == ["--worker"]:
        return _work()
    parser = CommandParser(prog="python -m transducer.cost", description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="+", default=["transducer", "lora", "prompt"], metavar="METHOD",
                        help="NAME, or NAME:FIELD=VALUE,...")
    parser.add_argument("--steps", type=int, default=12, help="counted steps of training (default: 12)")
    add_options(parser, RunSettings, COST_FIELDS)
    options = vars(parser.parse_args(arguments))
    methods, steps = options.pop("methods"), options.pop("steps")
    settings = resolve(RunSettings, options)

    from tasks import get_task, load_source

    from .sampling import limited

    task = get_task(settings.task)
    settings = settings.for_task(task)
    splits = load_source(settings.data, task, language=settings.language or None, columns=settings.column_names(), progress=False)
    examples = limited(splits.train, settings.batch_size * (steps + WARM_STEPS))
    for method in methods:
        print(json.dumps(asdict(measure_cost(method, settings, examples, steps))), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(command_line(main))
