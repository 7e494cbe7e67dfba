"""What holds for every test: no network, a cache of its own, one thread. Commands run by tests inherit it."""
from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# huggingface_hub reads this when it is imported, which is before any fixture runs.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"


LONGEST = ("test_readme.py", "test_resuming.py", "test_tasks.py", "test_methods.py", "test_robustness.py", "test_compare.py",
           "test_bad_input.py", "test_families.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first: they are dealt out to processes in this order, and one begun last would have the others wait."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


def pytest_collection_finish() -> None:
    """What imports and collection have made stays to the end: a search for garbage, of which each training has one, passes it by."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def cache_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that starts empty, so that no test depends on what ran on the machine before; all processes share it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "cache"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session", autouse=True)
def own_cache(cache_of_the_session: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRANSDUCER_CACHE", str(cache_of_the_session))
        yield


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Sums are taken in one order, and two test runs on one machine do not slow each other down."""
    import torch

    torch.set_num_threads(1)
