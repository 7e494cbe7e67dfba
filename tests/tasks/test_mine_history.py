"""Git checkouts, made by the tests: which files count, and repair pairs of their history."""
from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tasks import get_task, load_source
from tasks.errors import MiningError
from tasks.mine.build import Order, build
from tasks.mine.history import FIX_WORDS, history_rows
from tasks.mine.language_miner import miner_of
from tasks.mine.rows import Account
from tasks.mine.tree import find_trees
from tests.tasks.mine_trees import PROJECT, Repository, write

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not on the path")
REPAIR = get_task("repair")

CODE = '''import os

LIMIT = {limit}

def area(width, height):
    """Area."""
    return width {area} height

class Box:
    side = 1

    def grow(self, by):
        # {comment}
        self.side += {grow}
        return self
'''
RIGHT = {"limit": 1, "area": "*", "comment": "more", "grow": "by"}


def code(**changes: object) -> str:
    return CODE.format(**{**RIGHT, **changes})


def pairs(folder: Path, limit: int | None = None, jobs: int = 1) -> tuple[list[dict], Account]:
    (tree,) = find_trees(str(folder))
    account = Account("python")
    return list(history_rows(tree, miner_of("python"), account, jobs, limit, False)), account


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A history with one commit of each kind, and their ids by what they are."""
    folder = tmp_path_factory.mktemp("history") / "boxes"
    folder.mkdir()
    made = Repository(folder)
    commits = {}
    for name, message, files in (
        ("begin", "Fix everything: the first commit has no parent", {"box.py": code(area="+", grow="1"), "other.py": "x = 1\n"}),
        ("method", "Fixes #12: grow by what is asked", {"box.py": code(area="+"), "CHANGES.md": "grow\n"}),
        ("unsaid", "Prefixes and suffixes", {"box.py": code(area="-")}),
        ("function", "area: repaired\n\nIt was a BUG.", {"box.py": code(), "tests/test_box.py": "def test_it():\n    pass\n"}),
        ("two functions", "fix both", {"box.py": code(area="**", grow="-by")}),
        ("back", "Undo", {"box.py": code()}),
        ("two files", "fix two files", {"box.py": code(area="/"), "other.py": "x = 2\n"}),
        ("outside", "fix the limit as well", {"box.py": code(limit=2)}),
        ("imports", "fix with an import", {"box.py": code(limit=2, area="@").replace("import os", "import os\nimport sys")}),
        ("comment", "fix a comment", {"box.py": code(limit=2, area="@", comment="fewer").replace("import os", "import os\nimport sys")}),
        ("no function", "fix the limit", {"box.py": code(area="@", comment="fewer")}),
        ("added", "fix by a new function", {"box.py": code(area="@", comment="fewer") + "\ndef new():\n    pass\n"}),
        ("broken", "fix nothing", {"box.py": "def f(:\n"}),
        ("latin", "fix the encoding", {"box.py": b"name = '\xe4'\n"}),
        ("new file", "fix with a new file", {"new.py": "def f():\n    pass\n"}),
        ("documents", "fix the documents", {"CHANGES.md": "more\n"}),
    ):
        commits[name] = made.commit(message, files)
    made.git("checkout", "--quiet", "-b", "side", commits["back"])
    made.commit("Begin a side", {"side.txt": ""})
    made.git("checkout", "--quiet", "main")
    made.git("merge", "--quiet", "--no-ff", "-m", "fix: merge the side", "side")
    return folder, commits


def test_fixes_of_one_function_are_pairs(repository: tuple[Path, dict[str, str]]) -> None:
    folder, commits = repository
    rows, _ = pairs(folder)
    assert [row["metadata"]["commit"] for row in rows] == [commits[name] for name in ("imports", "function", "method")]  # newest first
    row = rows[2]
    assert row["source"] == "def grow(self, by):\n    self.side += 1\n    return self"
    assert row["target"] == "def grow(self, by):\n    self.side += by\n    return self"
    assert row["context"] == {"class": "class Box\n    side\n    def grow(self, by)", "callees": [], "imports": ["import os"]}
    assert row["metadata"] == {"file": "boxes/box.py", "line": 12, "tree": "boxes", "function": "Box.grow", "commit": commits["method"],
                               "time": 1_700_000_002, "subject": "Fixes #12: grow by what is asked"}
    assert (rows[1]["source"], rows[1]["target"]) == ("def area(width, height):\n    return width - height",
                                                      "def area(width, height):\n    return width * height")


JAVA = """package boxes;

import java.util.List;

/** A box. */
class Box {{
    private int side;

    /** Grows. */
    Box grow(int by) {{
        // as asked
        side = clipped(side {operator} by);
        return this;
    }}

    int clipped(int size) {{
        return Math.max(size, 0);
    }}
}}
"""


@pytest.mark.parametrize(("language", "file"), [("java", "src/Box.java"), ("csharp", "src/Box.cs")])
def test_other_languages_have_histories_too(tmp_path: Path, language: str, file: str) -> None:
    text = JAVA if language == "java" else JAVA.replace("import java.util.List;", "using System;").replace(
        "package boxes;\n", "").replace("/** A box. */", "/// <summary>A box.</summary>").replace(
        "/** Grows. */", "/// <summary>Grows.</summary>").replace("Math.max", "Math.Max")
    made = Repository(tmp_path)
    made.commit("Begin", {file: text.format(operator="-")})
    made.commit("Fix growing", {file: text.format(operator="+").replace("Grows.", "Grows by a size.")})
    (tree,) = find_trees(str(tmp_path))
    (row,) = history_rows(tree, miner_of(language), Account(language), 1, None, False)
    assert "clipped(side - by)" in row["source"] and row["target"] == row["source"].replace("-", "+")
    assert "asked" not in row["source"] and "Grows" not in row["source"] and row["language"] == language
    assert row["context"]["class"].splitlines()[0].startswith("class Box") and "clipped(int size)" in row["context"]["class"]
    assert [line.strip() for line in row["context"]["callees"]] == ["int clipped(int size)"]
    assert row["context"]["imports"] == (["package boxes;", "import java.util.List;"] if language == "java" else ["using System;"])


def test_every_fix_is_a_pair_or_counted(repository: tuple[Path, dict[str, str]]) -> None:
    rows, account = pairs(repository[0])
    assert dict(account.drops) == {
        "several_functions_changed": 1,  # two functions
        "several_source_files": 1,  # two files
        "changed_outside_functions": 1,  # outside: the function and LIMIT
        "only_comments_or_layout": 1,  # comment
        "no_function_changed": 1,  # no function
        "function_added_or_removed": 1,  # added
        "not_parsed": 1, "not_utf8": 1,  # broken, latin
        "file_added_or_removed": 1,  # new file
        "no_source_file": 1,  # documents
    }
    assert account.found == len(rows) + 10  # without `begin`, `unsaid`, `back` and the merge


def test_the_newest_come_first_under_a_limit(repository: tuple[Path, dict[str, str]]) -> None:
    rows, account = pairs(repository[0], limit=1)
    assert [row["metadata"]["commit"] for row in rows] == [repository[1]["imports"]] and account.drops["over_limit"] == 2


def test_processes_do_not_matter(repository: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    expected = pairs(repository[0])
    monkeypatch.setattr("tasks.mine.workers.FEW", 0)
    monkeypatch.setattr("tasks.mine.workers.CHUNK", 5)
    assert pairs(repository[0], jobs=2) == expected


@pytest.mark.parametrize(("message", "is_fix"), [
    ("fix", True), ("Fixes: x", True), ("bugfix/7", True), ("a (BUG)", True), ("prefix", False), ("fixture", False), ("debug", False),
    ("Merge fix_up", False),
])
def test_what_says_fix(tmp_path: Path, message: str, is_fix: bool) -> None:
    made = Repository(tmp_path)
    made.commit("Begin", {"box.py": code()})
    made.commit(message, {"box.py": code(area="+")})
    assert len(pairs(tmp_path)[0]) == is_fix
    assert "fix" in FIX_WORDS


def test_a_data_set_of_repairs(tmp_path: Path) -> None:
    made = Repository(write(tmp_path / "boxes", {}) if (tmp_path / "boxes").mkdir() is None else tmp_path)
    names = ("near", "far", "left", "right")
    body = "def {0}(a, b):\n    {0}_value = a {1} b\n    return {0}_value\n"
    made.commit("Begin", {f"{name}.py": body.format(name, "+") for name in names})
    for name in names:
        made.commit(f"fix {name}", {f"{name}.py": body.format(name, "*")})
    dataset = load_source(f"mine:{made.folder}", REPAIR, cache_dir=tmp_path / "cache", progress=False)
    assert dataset.description["found"] == 4 and sum(dataset.description["counts"].values()) == 4
    again = build(find_trees(str(made.folder)), Order(REPAIR, ("python",), progress=False), dataset.name)
    assert again.content_hash == dataset.content_hash
    write(made.folder, {"near.py": "changed, and not committed\n"})
    assert load_source(f"mine:{made.folder}", REPAIR, cache_dir=tmp_path / "cache", progress=False) == dataset


# ------------------------------------------------------------------------------------------ which files count
def test_tracked_files_count_and_others_do_not(tmp_path: Path) -> None:
    made = Repository(tmp_path)
    made.commit("Begin", {**PROJECT, ".gitignore": "ignored/\n", "build/kept.py": "", "vendor/theirs.py": ""})
    write(tmp_path, {"untracked.py": "", "ignored/mine.py": ""})
    (tmp_path / "link.py").symlink_to("src/shop/taxes.py")
    made.git("add", "link.py")
    (tmp_path / "src/shop/basket.py").unlink()
    (tree,) = find_trees(str(tmp_path))
    assert set(tree.files) == ({*PROJECT, ".gitignore", "build/kept.py"} - {"src/shop/basket.py"})
    assert tree.skipped == {"file_in_vendored_folder": 1, "symbolic_link": 1, "file_not_there": 1}
    assert tree.commit == made.git("rev-parse", "HEAD").strip() and tree.licences == ("LICENSE.txt",)


def test_a_folder_of_a_checkout_is_a_tree_of_its_own(repository: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    made = Repository(tmp_path)
    made.commit("Begin", {"a/box.py": code(area="+"), "b/box.py": code(area="+")})
    made.commit("fix a", {"a/box.py": code()})
    made.commit("fix b", {"b/box.py": code()})
    (tree,) = find_trees(str(tmp_path / "a"))
    assert list(tree.files) == ["box.py"]
    assert [row["metadata"]["file"] for row in pairs(tmp_path / "a")[0]] == ["a/box.py"]


def test_an_ignored_folder_in_a_checkout_is_walked(tmp_path: Path) -> None:
    made = Repository(tmp_path)
    made.commit("Begin", {".gitignore": "env/\n"})
    write(tmp_path, {"env/lib.py": "", "env/inner/pyvenv.cfg": "", "env/inner/x.py": ""})
    (tree,) = find_trees(str(tmp_path / "env"))
    assert set(tree.files) == {"lib.py"} and tree.commit == "" and tree.skipped == {"virtual_environment": 1}
    with pytest.raises(MiningError, match="tracks none of its files"):
        pairs(tmp_path / "env")


def test_repairs_need_a_checkout_and_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = write(tmp_path / "tree", PROJECT)
    with pytest.raises(MiningError, match="not a git repository.*expected a git checkout, and git on the path.*file:PATH"):
        load_source(f"mine:{tree}", REPAIR, cache_dir=tmp_path / "cache", progress=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MiningError, match="git is not on the path; expected a git checkout"):
        load_source(f"mine:{tree}", REPAIR, cache_dir=tmp_path / "cache", progress=False)


def test_a_checkout_without_fixes(tmp_path: Path) -> None:
    Repository(tmp_path).commit("Begin", {"box.py": code()})
    with pytest.raises(MiningError, match="0 commits that say that they fix were found, and none became an example"):
        load_source(f"mine:{tmp_path}", REPAIR, cache_dir=tmp_path / "cache", progress=False)
