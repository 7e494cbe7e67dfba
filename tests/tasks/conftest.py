"""The embedded data set, mined once a session."""
from __future__ import annotations

from pathlib import Path

import pytest

from tasks import DatasetSplits, get_task, load_source


@pytest.fixture(scope="session")
def mined_cache(cache_of_the_session: Path) -> Path:
    return cache_of_the_session


@pytest.fixture(scope="session")
def embedded(mined_cache: Path) -> DatasetSplits:
    return load_source("embedded", get_task("assert"), cache_dir=mined_cache, progress=False)
