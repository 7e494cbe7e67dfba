"""Source `mine:PATH`: a data set made of source trees at first use, kept in the cache as a `file:` folder, then loaded.

The name of its folder depends on the paths, sizes and times of the trees' files (for repairs on the commit), on the task and
the language, and on the code that mines. A cached folder whose contents differ from what was written is made again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import files
from ..cache import cache_folder
from ..datasets import DatasetSplits
from ..errors import MiningError, TaskError
from .build import Order, build
from .card import read_facts, write_folder
from .tree import Tree, find_trees

LOG = logging.getLogger(__name__)


def load(request: Any) -> DatasetSplits:
    """The data set of the trees at `request.argument`; see `tasks.sources.load_source`."""
    trees = find_trees(request.argument)
    order = Order(request.task, (request.language,) if request.language else (), progress=request.progress)
    key = cache_key(trees, order)
    folder = cache_folder(request.cache_dir) / f"mine-{request.task.name}-{key[:16]}"
    cached = _cached(folder, key, request)
    if cached is not None:
        return cached
    dataset = build(trees, order, request.specification)
    try:
        shutil.rmtree(folder, ignore_errors=True)
        write_folder(folder, dataset, {"key": key})
    except MiningError as error:
        LOG.warning("mined data is not kept: %s; it will be mined again: set TRANSDUCER_CACHE to a folder that can be written to",
                    error)
    return dataset.in_memory()


def _cached(folder: Path, key: str, request: Any) -> DatasetSplits | None:
    facts = read_facts(folder)
    if facts is None or facts.get("key") != key:
        return None
    try:
        loaded = files.load(dataclasses.replace(request, argument=str(folder), columns={}))
    except TaskError as error:
        LOG.warning("cached data %s is damaged (%s); it is mined again", folder, error)
        return None
    if loaded.content_hash != facts["content_hash"]:
        LOG.warning("cached data %s is damaged (its hash differs); it is mined again", folder)
        return None
    return dataclasses.replace(loaded, description=facts["description"])


def cache_key(trees: Sequence[Tree], order: Order) -> str:
    """SHA-256 over what the data is made of and the code that makes it."""
    known = [{"name": tree.name, "folder": str(tree.folder), "commit": tree.commit,
              "files": {} if order.task.name == "repair" else tree.files} for tree in trees]
    facts = {"trees": known, "task": order.task.name, "languages": order.languages, "limit": order.limit}
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode("utf-8"))
    for path in code_files():
        digest.update(path.read_bytes())
    return digest.hexdigest()


def code_files() -> list[Path]:
    """The modules of `tasks` and the parser and languages behind the miners: what a mined data set depends on."""
    package = Path(__file__).parent.parent
    parser = package.parent / "cpg"
    return sorted([*package.rglob("*.py"), parser / "parse.py", *(parser / "languages").glob("*.py")])
