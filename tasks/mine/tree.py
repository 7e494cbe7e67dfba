"""The files of source trees: which there are, in what language, under what licence.

Of a git checkout: the tracked files. Of another folder: all below it, without hidden folders, virtual environments and build
outputs. Of both: without vendored folders and symbolic links. What is left out is counted.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from ..errors import MissingDataError
from .git import Git, NoCheckout

VENDORED = frozenset({"node_modules", "vendor", "vendored", "_vendor", "third_party", "thirdparty", "site-packages",
                      "bower_components"})
"""Folders that hold other people's code."""


BUILD_OUTPUTS: dict[str, tuple[str, ...]] = {
    "target": ("pom.xml", "Cargo.toml", "build.sbt"),
    "build": ("build.gradle*", "setup.py", "pyproject.toml", "CMakeLists.txt", "pom.xml", "meson.build"),
    "dist": ("setup.py", "pyproject.toml", "package.json"),
    "out": ("build.gradle*", "*.iml", "package.json", "build.xml"),
    "bin": ("*.csproj", "*.sln", "build.gradle*", ".classpath"),
    "obj": ("*.csproj", "*.sln"),
}
"""Name of a folder -> files beside it that make it a build output; without them it may hold sources."""

ALWAYS_SKIPPED = frozenset({"__pycache__", "CVS"})
"""Folders that tools keep their own files in."""

LICENCES = ("licen[cs]e*", "copying*", "notice*", "unlicen[cs]e*")
LICENCES_KEPT = 50
SOURCES = (".py", ".java", ".cs")


@dataclass(frozen=True)
class Tree:
    """A source tree.

    Attributes:
        name: of its folder, made unique among the trees; the first part of the `path` of its files.
        folder: where it is.
        files: path below the folder, with slashes -> size in bytes and time of the last change in nanoseconds; sorted.
        commit: what is checked out; empty where the files are not those of a git checkout.
        skipped: reason -> folders and links that were left out.
        licences: paths of its licence files.
    """

    name: str
    folder: Path
    files: dict[str, tuple[int, int]]
    commit: str = ""
    skipped: Counter[str] = field(default_factory=Counter)
    licences: tuple[str, ...] = ()

    def with_suffixes(self, suffixes: Iterable[str]) -> list[str]:
        """Paths of the files whose name ends so, with the tree's name in front."""
        ends = tuple(suffixes)
        return [f"{self.name}/{path}" for path in self.files if path.endswith(ends)]


def find_trees(argument: str) -> list[Tree]:
    """The trees at the paths in `argument`, which commas separate.

    Raises:
        MissingDataError: a path is not there or is no folder, or two are the same.
    """
    folders: list[Path] = []
    for part in filter(None, (part.strip() for part in argument.split(","))):
        folder = Path(part).expanduser()
        if not folder.is_dir():
            raise MissingDataError(f"source tree {part!r}: found {'a file' if folder.exists() else 'nothing'}; expected a "
                                   f"folder of source code: give mine:FOLDER, or several with commas between")
        folders.append(folder.resolve())
    if not folders:
        raise MissingDataError(f"source tree {argument!r}: no path is given; expected a folder of source code: give "
                               f"mine:FOLDER, or several with commas between")
    if len(set(folders)) < len(folders):
        raise MissingDataError(f"source trees {argument!r}: a folder is named twice; expected different ones: leave it out once")
    names: Counter[str] = Counter()
    trees = []
    for folder in folders:
        name = folder.name or "root"
        names[name] += 1
        trees.append(_tree(name if names[name] == 1 else f"{name}-{names[name]}", folder))
    return trees


def _tree(name: str, folder: Path) -> Tree:
    skipped: Counter[str] = Counter()
    paths, commit = _tracked(folder)
    listed = paths if paths else _walk(folder, "", skipped)
    files: dict[str, tuple[int, int]] = {}
    licences = []
    for path in sorted(listed):
        *folders, file = path.split("/")
        if not VENDORED.isdisjoint(folders):
            skipped["file_in_vendored_folder"] += 1
            continue
        try:
            path.encode("utf-8")
        except UnicodeEncodeError:
            skipped["name_not_utf8"] += 1
            continue
        try:
            status = os.lstat(folder / path)
        except OSError:
            skipped["file_not_there"] += 1  # tracked, but deleted in the checkout
            continue
        if os.path.stat.S_ISLNK(status.st_mode):
            skipped["symbolic_link"] += 1
        elif os.path.stat.S_ISREG(status.st_mode):
            files[path] = (status.st_size, status.st_mtime_ns)
            if any(fnmatch(file.lower(), pattern) for pattern in LICENCES) and not path.endswith(SOURCES):
                licences.append(path)
    return Tree(name, folder, files, commit if paths else "", skipped, tuple(licences[:LICENCES_KEPT]))


def _tracked(folder: Path) -> tuple[list[str], str]:
    """Tracked files below `folder` and the commit that is checked out; none where it is no checkout or git is not there."""
    try:
        git = Git(folder)
        return git.tracked_files(), git.head()
    except NoCheckout:
        return [], ""


def _walk(folder: Path, below: str, skipped: Counter[str]) -> Iterator[str]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        skipped["unreadable_folder"] += 1
        return
    names = [entry.name for entry in entries]
    for entry in entries:
        path = below + entry.name
        if not entry.is_dir(follow_symlinks=False):
            yield path
            continue
        reason = _why_skipped(entry, names)
        if reason:
            skipped[reason] += 1
        else:
            yield from _walk(folder / entry.name, f"{path}/", skipped)


def _why_skipped(entry: os.DirEntry, beside: list[str]) -> str:
    if entry.name.startswith("."):
        return "hidden_folder"
    if entry.name in VENDORED:
        return "vendored_folder"
    if entry.name in ALWAYS_SKIPPED or entry.name.endswith(".egg-info"):
        return "folder_of_tools"
    if any(fnmatch(name, pattern) for pattern in BUILD_OUTPUTS.get(entry.name, ()) for name in beside):
        return "build_output"
    return "virtual_environment" if os.path.exists(os.path.join(entry.path, "pyvenv.cfg")) else ""
