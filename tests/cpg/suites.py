"""Test suites that installed packages carry, run without a test runner: functions to be watched at work."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest


def load(package: str, path: Path) -> ModuleType:
    """A test module as it stands in the file; importing it under pytest would rewrite its assertions."""
    module = ModuleType(f"{package}.{path.stem}")
    module.__package__ = package
    module.__file__ = str(path)
    exec(compile(path.read_bytes(), str(path), "exec"), vars(module))
    return module


def tests_of(module: ModuleType) -> Iterator[Callable[[], object]]:
    """Its tests that need no fixtures."""
    for name, thing in list(vars(module).items()):
        if inspect.isfunction(thing) and name.startswith("test") and not inspect.signature(thing).parameters:
            yield thing
        elif inspect.isclass(thing) and name.startswith("Test"):
            for method in dir(thing):
                if method.startswith("test") and list(inspect.signature(getattr(thing, method)).parameters) == ["self"]:
                    yield lambda thing=thing, method=method: _run_method(thing, method)


def _run_method(case: type, method: str) -> None:
    instance = case()
    for prepare in ("setup_class", "setup_method", "setUp"):
        if hasattr(instance, prepare):
            getattr(instance, prepare)()
    getattr(instance, method)()


def run(module: ModuleType) -> int:
    """Run its tests one after the other: how many passed. What a test finds is no matter here."""
    passed = 0
    for test in tests_of(module):
        try:
            test()
            passed += 1
        except (Exception, pytest.skip.Exception, pytest.fail.Exception):
            pass
    return passed


def folder_of(package: str) -> Path:
    """Where a package is installed."""
    return Path(importlib.util.find_spec(package).submodule_search_locations[0])
