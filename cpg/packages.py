"""Imports of packages that only some file types and engines need."""

from __future__ import annotations

import importlib
from typing import Any

from cpg.errors import MissingPackageError


def need(package: str, what: str, extra: str = "corpus") -> Any:
    """The imported package.

    Raises:
        MissingPackageError: it is not installed; names the extra that brings it.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        name = package.split(".")[0]
        raise MissingPackageError(
            f"{what} needs the package {name}, which cannot be imported ({error}); pip install 'transducer[{extra}]'"
        ) from error
