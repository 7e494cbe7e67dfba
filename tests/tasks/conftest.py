"""The embedded data set, mined once a session into a temporary cache."""
from __future__ import annotations

from pathlib import Path

import pytest

from tasks import DatasetSplits, get_task, load_source


@pytest.fixture(scope="session")
def mined_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mined")


@pytest.fixture(scope="session")
def embedded(mined_cache: Path) -> DatasetSplits:
    return load_source("embedded", get_task("assert"), cache_dir=mined_cache, progress=False)
