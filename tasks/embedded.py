"""Source `embedded`: examples made at first use from the installed `networkx` and `numpy`, then cached.

Each task has a module of its own that makes them (`MINERS`): assertions from the packages' tests, summaries from their
documentation, repairs from defects put into their functions. The result depends on the versions of the packages and on the
code that makes it, and so does the name of its cache file; nothing else enters it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .base import Example
from .cache import cache_folder, read_cached, write_cached
from .datasets import DatasetSplits
from .errors import MissingDataError, TaskLanguageError
from .python_index import package_folder

PACKAGES = ("networkx", "numpy")
LANGUAGE = "python"

MINERS = {"assert": ".embedded_assertions", "summarize": ".embedded_summaries", "repair": ".embedded_repairs"}
"""Task -> the module whose `mine(specification, versions, progress)` makes its examples."""

_SHARED_FILES = ("code_tokens.py", "decontaminate.py", "embedded.py", "mine/context.py", "mining.py", "python_context.py",
                 "python_index.py", "python_names.py", "python_text.py", "python_walk.py", "splitting.py")


def load(request: Any) -> DatasetSplits:
    """The embedded data set of a task, from the cache where it is there and whole; see `tasks.sources.load_source`."""
    if request.language not in (None, LANGUAGE):
        raise TaskLanguageError(f"source of data 'embedded' is {LANGUAGE!r}, not {request.language!r}: leave the language "
                                f"out, or give data with file:PATH")
    miner = import_module(MINERS[request.task.name], __package__)
    versions = {package: _version(package) for package in PACKAGES}
    key = cache_key(versions, miner.FILES)
    path = cache_folder(request.cache_dir) / f"embedded-{request.task.name}-{key[:16]}.jsonl"
    cached = read_cached(path, key, request.specification)
    if cached is not None:
        return cached
    dataset = miner.mine(request.specification, versions, request.progress)
    write_cached(path, key, dataset)
    return dataset


def cache_key(versions: dict[str, str], files: Iterable[str]) -> str:
    """SHA-256 over the packages' versions and the code that makes the examples."""
    digest = hashlib.sha256(json.dumps(versions, sort_keys=True).encode("utf-8"))
    for name in (*_SHARED_FILES, *files):
        digest.update((Path(__file__).parent / name).read_bytes())
    return digest.hexdigest()


def files_behind(examples: Iterable[Example]) -> list[str]:
    """Files that mined examples are made of, tests and focal functions, as paths below `site-packages`, sorted.

    A model that was trained on one of them has seen answers; pre-training leaves them out.
    """
    found = set()
    for example in examples:
        found.update(example.metadata[field] for field in ("test_file", "focal_file", "file") if field in example.metadata)
    return sorted(found)


def modules_behind(packages: Iterable[str] = PACKAGES) -> list[Path]:
    """Every Python file of the packages behind the embedded source, mined or not; needs no mining.

    The safe choice of what pre-training leaves out: it does not change with what is mined from them.
    """
    return [path for package in packages for path in sorted(package_folder(package).rglob("*.py"))]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError as error:
        raise MissingDataError(f"package {package!r} is not installed; the embedded source is mined from its tests: pip "
                               f"install {package}, or give data with file:PATH") from error
