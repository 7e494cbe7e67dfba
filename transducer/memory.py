"""What a command says of memory: a dry run's table, and one line where there was too little."""
from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .config import RunSettings
from .errors import MemoryLimitError, TransducerError

if TYPE_CHECKING:
    from rich.table import Table

    from .estimate import MemoryEstimate

REMEDIES = "a smaller --batch-size, --gradient-checkpointing, shorter --max-source-tokens, --precision bfloat16, or --quantize"
PARTS = {"libraries": "library_bytes", "trained weights": "trained_bytes", "gradients": "gradient_bytes",
         "optimiser": "optimizer_bytes", "activations": "activation_bytes", "reading inputs": "input_bytes",
         "generation cache": "cache_bytes", "one answer step": "answer_step_bytes"}


def dry_run(settings: RunSettings, methods: Sequence[str]) -> None:
    """Prints the estimates of methods, as a table or with `--json` as lines; a method that cannot be run says why."""
    from .estimate import estimate_memory
    from .report import wide_console

    console = wide_console(quiet=settings.json)
    for method in methods:
        try:
            estimate = estimate_memory(method, settings)
        except TransducerError as error:
            if len(methods) == 1:
                raise
            console.print(f"{method}: {error}", highlight=False, markup=False, soft_wrap=True)
            if settings.json:
                print(json.dumps({"specification": method, "reason": str(error)}))
            continue
        if settings.json:
            print(json.dumps(estimate.to_dict()))
        console.print(f"{estimate.specification} on {estimate.model}: {estimate.parameters:,} parameters, "
                      f"{estimate.trained_parameters:,} trained, {estimate.precision}, {estimate.device}; "
                      f"{settings.batch_size} x {settings.max_source_tokens} tokens",
                      style="bold", highlight=False, markup=False, soft_wrap=True)
        console.print(estimate_table(estimate))


def estimate_table(estimate: MemoryEstimate) -> Table:
    """Bytes by part, and the peaks."""
    from rich.table import Table

    table = Table()
    table.add_column("part")
    table.add_column("MB", justify="right")
    for name, size in estimate.frozen_bytes.items():
        table.add_row(f"frozen weights, {name}", megabytes(size))
    for name, field in PARTS.items():
        table.add_row(name, megabytes(getattr(estimate, field)))
    table.add_section()
    for name in ("loading", "training_peak", "generation_peak"):
        table.add_row(name.replace("_", " "), megabytes(getattr(estimate, f"{name}_bytes")), style="bold")
    return table


def megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f}"


def is_memory_error(error: BaseException) -> bool:
    """Whether an error says that memory was short: Python's own, a GPU's, or that of torch's allocator of the CPU."""
    import torch

    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error))


def shortage(doing: str, specification: str, settings: RunSettings) -> str:
    """One line: what needed more memory than there is, the estimate, and what to do."""
    try:
        from .estimate import estimate_memory

        estimate = estimate_memory(specification, settings)
        needed = (f"loading it is expected to take {megabytes(estimate.loading_bytes)} MB, training at its peak "
                  f"{megabytes(estimate.training_peak_bytes)} MB, generation {megabytes(estimate.generation_peak_bytes)} MB")
    except Exception as error:  # there is little memory left, and the shortage is what has to be said
        needed = f"no estimate could be made ({type(error).__name__})"
    return f"out of memory while {doing}: {needed}; try {REMEDIES}"


@contextmanager
def told_of_shortage(doing: str, specification: str, settings: RunSettings) -> Iterator[None]:
    """Turns a shortage of memory into a MemoryLimitError of one line."""
    try:
        yield
    except Exception as error:
        if isinstance(error, TransducerError) or not is_memory_error(error):
            raise
        # Without the error's frames, which hold what filled the memory.
        message = shortage(doing, specification, settings)
    else:
        return
    raise MemoryLimitError(message)
