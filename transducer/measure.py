"""What a run cost and on what it ran: the typed row that every result is."""
from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

ROW_SCHEMA = 1
RECORDED_PACKAGES = ("torch", "transformers", "peft", "accelerate", "dgl", "tree-sitter", "sacrebleu", "codebleu", "numpy")


@dataclass
class ResultRow:
    """One method with one seed. A failed run is a row with its reason; a figure that could not be had is null."""

    method: str
    seed: int
    task: str
    data: str
    data_hash: str
    train_examples: int
    valid_examples: int
    test_examples: int
    model: str
    model_fingerprint: str
    precision: str
    specification: str = ""
    """What was run: `NAME:FIELD=VALUE,...`, with the size of a budget and what tuning chose. `method` is what was asked for."""
    parameter_budget: int | None = None
    tuning: dict = field(default_factory=dict)
    """Where the settings were tuned: `trials`, `train_examples` of each, `settings` of the best and its `valid_loss`."""
    learning_rate: float = 0.0
    epochs: float = 0.0
    trainable_parameters: int = 0
    parameters_with_gradient: int = 0
    artefact_bytes: int = 0
    train_seconds: float = 0.0
    median_step_seconds: float | None = None
    train_peak_bytes: int | None = None
    generate_seconds: float = 0.0
    generate_peak_bytes: int | None = None
    valid_loss: float | None = None
    test_loss: float | None = None
    scores: dict[str, float] = field(default_factory=dict)
    signatures: dict[str, str] = field(default_factory=dict)
    near_duplicate_percent: float | None = None
    clean_scores: dict[str, float] = field(default_factory=dict)
    score_details: dict[str, dict[str, float]] = field(default_factory=dict)
    preparation: dict = field(default_factory=dict)
    remark: str = ""
    status: str = "ok"
    """ok, failed (it was begun) or skipped (it cannot be run)"""
    reason: str = ""
    folder: str = ""
    """Of a comparison: where the run's files lie within it, or nothing."""
    hardware: str = ""
    packages: dict[str, str] = field(default_factory=dict)
    git_commit: str | None = None
    schema: int = ROW_SCHEMA

    def to_dict(self) -> dict:
        return asdict(self)


class PeakMemory:
    """`bytes` is the peak of memory while the block ran, None where the system keeps no such figure; `reserved_bytes` the peak
    of what torch's allocator holds of a GPU, None on a CPU."""

    bytes: int | None = None
    reserved_bytes: int | None = None


@contextmanager
def peak_memory(device: torch.device) -> Iterator[PeakMemory]:
    """Peak of the GPU's allocated memory, or of this process's resident memory (Linux), from here on.

    On a CPU the figure holds the interpreter and its libraries, about 0.6 GB; compare differences.
    """
    peak = PeakMemory()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        yield peak
        peak.bytes = torch.cuda.max_memory_allocated(device)
        peak.reserved_bytes = torch.cuda.max_memory_reserved(device)
        return
    resettable = _reset_resident_peak()
    yield peak
    peak.bytes = _resident_peak() if resettable else None


def _reset_resident_peak() -> bool:
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def _resident_peak() -> int | None:
    return _of_process("VmHWM:")


def resident_bytes() -> int | None:
    """What this process has of the memory now (Linux)."""
    return _of_process("VmRSS:")


def _of_process(name: str) -> int | None:
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), None)


def hardware() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{_processor_name()}, {torch.get_num_threads()} threads"


def _processor_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def package_versions() -> dict[str, str]:
    """Versions of the packages that can change a number; an absent one is left out."""
    found = {"python": platform.python_version()}
    for name in RECORDED_PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def git_commit() -> str | None:
    """The checkout's commit, with `+changes` where files differ from it; None outside a checkout."""
    root = Path(__file__).resolve().parent.parent
    try:
        commit = subprocess.run(["git", "-C", root, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, timeout=10)
        changes = subprocess.run(["git", "-C", root, "status", "--porcelain"], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if commit.returncode:
        return None
    return commit.stdout.strip() + ("+changes" if changes.stdout.strip() else "")
