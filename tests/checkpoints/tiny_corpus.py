"""A prepared corpus for pre-training, made of two small installed packages."""
from __future__ import annotations

from pathlib import Path

import pytest

from checkpoints import corpus, streams

PACKAGES = ("packaging", "tqdm")


def prepare_tiny_corpus(folder: Path) -> Path:
    """What `streams.prepare` makes of them, with a vocabulary of 700; the folder."""
    patch = pytest.MonkeyPatch()
    index = corpus.ContaminationIndex([])

    def documents(data, index, report):
        for package in PACKAGES:
            for path in corpus.python_files(corpus.site_packages() / package):
                report["python: documents"] += 1
                yield "python", path.read_text(encoding="utf-8")

    patch.setattr(streams, "documents", documents)
    patch.setattr(streams, "forbidden_texts", lambda data: [])
    patch.setattr(streams, "VOCABULARY_SIZE", 700)
    patch.setattr(streams, "HELDOUT_ONE_IN", 6)
    try:
        streams.prepare(folder, None)
    finally:
        patch.undo()
    assert len(index) == 0
    return folder
