"""The functions and methods of installed Python packages, without comments and documentation: what examples are made of."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from tqdm import tqdm

from .datasets import DatasetSplits
from .decontaminate import THRESHOLD, without_duplicates
from .mining import FROM_COMPILED_CODE, check_accounts
from .python_context import python_context
from .python_index import ModuleFacts, PackageIndex
from .python_names import Definition, FunctionNode
from .python_text import CannotCut, FunctionText
from .splitting import groups_by_names, split_by_groups


@dataclass(frozen=True)
class LibraryFunction:
    """A function of a package.

    Attributes:
        path: of its file, below `site-packages`.
        name: qualified name in its module.
        line: of its definition, from 1.
        text: the function without comments and documentation; empty where it cannot be cut (then `problem` says why).
        documentation: its docstring, or "".
        context: makes what lies around it (`tasks.mine.context`); to be called before the next function is asked for.
    """

    package: str
    module: str
    path: str
    name: str
    line: int
    text: str
    problem: str
    documentation: str
    context: Callable[[], dict[str, Any]]


def library_functions(package: str, progress: bool) -> Iterator[LibraryFunction]:
    """Every function and method outside the tests of `package`, in the order of files and lines."""
    index = PackageIndex(package)
    for path in tqdm(index.files(tests=False), desc=f"reading {package}", unit="file", delay=2.0, leave=False,
                     disable=None if progress else True):
        facts = index.module(index.module_name(path))
        if facts is None:
            continue
        for name, node in _definitions(facts):
            text, problem = _text(node, facts)
            place = f"{package}/{path.relative_to(index.folder).as_posix()}"
            context = partial(python_context, Definition("function", facts.name, name, node), node, index)
            yield LibraryFunction(package, facts.name, place, name, node.lineno, text, problem, ast.get_docstring(node) or "",
                                  context)
        index.forget(facts.name)


def _definitions(facts: ModuleFacts) -> Iterator[tuple[str, Any]]:
    for node in facts.tree.body:
        if isinstance(node, FunctionNode):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for member in node.body:
                if isinstance(member, FunctionNode):
                    yield f"{node.name}.{member.name}", member


def _text(node: Any, facts: ModuleFacts) -> tuple[str, str]:
    decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
    if any(decorator.startswith(FROM_COMPILED_CODE) for decorator in decorators):
        return "", "function_is_compiled"
    if any("overload" in decorator for decorator in decorators):
        return "", "overload_without_body"
    try:
        return FunctionText(node, facts.lines).cut(), ""
    except CannotCut as reason:
        return "", str(reason)


def as_data_set(specification: str, examples: list, drops: Counter[str], found: int, facts: dict[str, Any],
                progress: bool) -> DatasetSplits:
    """Examples with `module` and `function` in their metadata, split by groups of modules, without near duplicates or equal
    targets across splits.

    Raises:
        AccountingError: something found was lost without a reason.
    """
    names: dict[str, set[str]] = {}
    for example in examples:
        names.setdefault(example.metadata["module"], set()).add(example.metadata["function"])
    splits = split_by_groups(examples, groups_by_names(names), "module")
    splits, duplicates = without_duplicates(splits, progress=progress)
    drops = drops + duplicates
    held_out = {example.target for split in ("valid", "test") for example in splits[split]}
    kept = [example for example in splits["train"] if example.target not in held_out]
    drops["train_target_in_valid_or_test"] += len(splits["train"]) - len(kept)
    splits["train"] = kept
    check_accounts(found, sum(map(len, splits.values())), +drops, specification)
    return DatasetSplits.of(splits, specification, {
        "source": "embedded", "languages": {"python": sum(map(len, splits.values()))}, "found": found,
        "drops": dict(sorted((+drops).items())), "split_by": "groups of modules", "near_duplicate_threshold": THRESHOLD,
        **facts})
