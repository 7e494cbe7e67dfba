"""Source `embedded`: examples mined at first use from the tests in the installed `networkx` and `numpy`, then cached.

The way: mine each package (`tasks.mining`), split by groups of test modules, keep each focal function in one split
(`tasks.splitting`), drop repetitions and near duplicates across splits (`tasks.decontaminate`). The result depends on the
versions of the packages and on the code that mines, and so does the name of its cache file; nothing else enters it.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .base import Example
from .cache import cache_folder, read_cached, write_cached
from .datasets import DatasetSplits
from .decontaminate import THRESHOLD, without_duplicates
from .errors import MissingDataError, TaskLanguageError
from .mining import check_accounts, mine_package
from .python_index import package_folder
from .splitting import one_split_per_focal, split_by_module

PACKAGES = ("networkx", "numpy")
LANGUAGE = "python"

_MINING_FILES = ("assertion.py", "code_tokens.py", "decontaminate.py", "embedded.py", "focal.py", "mining.py",
                 "python_index.py", "python_tests.py", "python_text.py", "splitting.py")


def load(request: Any) -> DatasetSplits:
    """The embedded data set, from the cache where it is there and whole; see `tasks.sources.load_source`."""
    if request.language not in (None, LANGUAGE):
        raise TaskLanguageError(f"source of data 'embedded' is {LANGUAGE!r}, not {request.language!r}: leave the language "
                                f"out, or give data with file:PATH")
    versions = {package: _version(package) for package in PACKAGES}
    key = cache_key(versions)
    path = cache_folder(request.cache_dir) / f"embedded-{request.task.name}-{key[:16]}.jsonl"
    cached = read_cached(path, key, request.specification)
    if cached is not None:
        return cached
    dataset = mine(request.specification, versions, request.progress)
    write_cached(path, key, dataset)
    return dataset


def mine(specification: str, versions: dict[str, str], progress: bool) -> DatasetSplits:
    """The data set made anew.

    Raises:
        AccountingError: an assertion was lost without a reason.
    """
    examples: list[Example] = []
    drops: Counter[str] = Counter()
    found, per_package = 0, {}
    for package in PACKAGES:
        mined, report = mine_package(package, progress=progress)
        examples += mined
        drops += report.drops
        found += report.found
        per_package[package] = {"version": versions[package], "test_files": report.files,
                                "unreadable_files": report.unreadable_files, "tests": report.tests,
                                "assertions_found": report.found, "examples_mined": len(mined)}
    splits, conflicts = one_split_per_focal(split_by_module(examples))
    splits, duplicates = without_duplicates(splits, progress=progress)
    drops += conflicts + duplicates
    check_accounts(found, sum(map(len, splits.values())), drops, "embedded")
    for package, facts in per_package.items():
        facts["examples"] = {split: sum(example.metadata["package"] == package for example in kept)
                             for split, kept in splits.items()}
    return DatasetSplits.of(splits, specification, {
        "source": "embedded", "languages": {LANGUAGE: sum(map(len, splits.values()))}, "assertions_found": found,
        "drops": dict(sorted(drops.items())), "packages": per_package, "split_by": "groups of test modules",
        "near_duplicate_threshold": THRESHOLD})


def cache_key(versions: dict[str, str]) -> str:
    """SHA-256 over the packages' versions and the code that mines."""
    digest = hashlib.sha256(json.dumps(versions, sort_keys=True).encode("utf-8"))
    for name in _MINING_FILES:
        digest.update((Path(__file__).parent / name).read_bytes())
    return digest.hexdigest()


def files_behind(examples: Iterable[Example]) -> list[str]:
    """Files that mined examples are made of, tests and focal functions, as paths below `site-packages`, sorted.

    A model that was trained on one of them has seen answers; pre-training leaves them out.
    """
    found = set()
    for example in examples:
        found.update(example.metadata[field] for field in ("test_file", "focal_file") if field in example.metadata)
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
