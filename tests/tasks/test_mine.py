"""Source trees, written out by the tests, to data sets: `mine:` and `python -m tasks mine`."""
from __future__ import annotations

import gzip
import json
import logging
import os
from pathlib import Path

import pytest

from tasks import get_task, load_source
from tasks.__main__ import main
from tasks.errors import AccountingError, MiningError, MissingDataError, TaskLanguageError
from tasks.mine import rows as mine_rows, source
from tasks.mine.build import Order, assigned, build
from tasks.mine.card import write_folder
from tasks.mine.language_miner import MINERS, Mined, miner_of
from tasks.mine.tree import find_trees
from tasks.mine.workers import over_chunks
from tests.tasks.mine_trees import PROJECT, write

ASSERT, SUMMARIZE = get_task("assert"), get_task("summarize")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("trees") / "project", PROJECT)


def rows_of(folder: Path, task: str = "assert", language: str = "python") -> tuple[list[dict], mine_rows.Account]:
    index, account = mine_rows.indexed(find_trees(str(folder)), miner_of(language), 1, False)
    return list(mine_rows.file_rows(task, index, account, 1, None, False)), account


def by_test(rows: list[dict]) -> dict[str, dict]:
    return {row["metadata"]["test"]: row for row in rows}


# ------------------------------------------------------------------------------------------ assertions
def test_assertions_are_found_with_their_focal_functions(project: Path) -> None:
    rows = by_test(rows_of(project)[0])
    found = {test: (row["metadata"]["focal"], row["metadata"]["focal_by"], row["metadata"]["confidence"])
             for test, row in rows.items()}
    assert found == {
        "TestBasket.test_cost": ("project.src.shop.basket.Basket.cost", "call_in_assertion", "high"),
        "Inner.test_add_item": ("project.src.shop.basket.Basket.add_item", "call_on_variable", "low"),
        "test_total": ("project.src.shop.prices.total", "call_of_variable", "high"),  # through the package and its `from .prices`
        "test_round_up": ("project.src.shop.prices.round_up", "call_in_assertion", "high"),
        "test_cheapest_later": ("project.src.shop.prices.cheapest", "call_in_assertion", "high"),
        "test_rate_of": ("project.src.shop.taxes.rate_of", "call_in_assertion", "high"),
    }


def test_the_source_has_the_form_of_the_task(project: Path) -> None:
    row = by_test(rows_of(project)[0])["TestBasket.test_cost"]
    assert row["source"] == '''def test_cost(self):
    self.basket.add_item(1)
    "<AssertPlaceHolder>"

def setUp(self):
    self.basket = Basket("de")

def cost(self):
    return total(self.items, self.country)'''
    assert row["target"] == "self.assertEqual(self.basket.cost(), 1.19)"


def test_what_lies_around_the_focal_function_is_kept(project: Path) -> None:
    rows = by_test(rows_of(project)[0])
    assert rows["TestBasket.test_cost"]["context"] == {
        "class": "class Basket\n    size: int\n    self.country\n    self.items\n    def __init__(self, country)\n"
                 "    def add_item(self, price)\n    def cost(self)",
        "callees": ["def total(prices, country)"], "imports": ["from shop.prices import total"]}
    assert rows["test_total"]["context"] == {
        "class": "", "callees": ["def round_up(value)", "def rate_of(country)"],
        "imports": ["import math", "from .taxes import rate_of as rate"]}


def test_a_method_that_several_classes_have_is_ambiguous(project: Path) -> None:
    rows, account = rows_of(project)
    assert dict(account.drops) == {"ambiguous_focal_method": 1}  # thing.put_down(2): of Shelf or of Floor
    assert account.found == len(rows) + 1


def test_what_many_test_files_call_is_incidental_unless_the_test_is_named_after_it(tmp_path: Path) -> None:
    use = "from lib import make, weigh{0}\n\ndef test_{0}():\n    thing = make({0})\n    assert thing.size == {0}\n"
    files = {"lib.py": "def make(size):\n    return Thing(size)\n", "test_make.py":
             "from lib import make\n\ndef test_it():\n    assert make(1).size == 1\n",
             **{f"test_use{number}.py": use.format(number) for number in range(4)}}
    rows, account = rows_of(write(tmp_path, files))
    assert [row["metadata"]["file"].partition("/")[2] for row in rows] == ["test_make.py"]
    assert dict(account.drops) == {"no_focal_function": 4}
    (tmp_path / "test_use3.py").unlink()
    (tmp_path / "test_use2.py").unlink()
    assert len(rows_of(tmp_path)[0]) == 3  # called in three files only


def test_a_test_called_like_what_makes_its_input_is_about_what_it_asserts(tmp_path: Path) -> None:
    use = "from lib import make\nfrom scales import weigh\n\ndef test_make():\n    thing = make({0})\n    assert weigh(thing) == {0}\n"
    rows, _ = rows_of(write(tmp_path, {
        "lib.py": "def make(size):\n    return [size]\n", "scales.py": "def weigh(thing):\n    return thing[0]\n",
        "test_lib.py": use.format(9), **{f"test_scales_{number}.py": use.format(number).replace("weigh", f"weigh{number}").replace(
            "from scales", f"from scales_{number}") for number in range(3)},
        **{f"scales_{number}.py": f"def weigh{number}(thing):\n    return thing[{number}]\n" for number in range(3)}}))
    assert [row["metadata"]["focal"].rpartition(".")[2] for row in rows] == ["make", "weigh0", "weigh1", "weigh2"]


@pytest.mark.parametrize(("place", "statement"), [
    ("pkg/deep/mod.py", "from pkg.deep.mod import twice"),  # packages, from the top of the tree
    ("lib/pkg/deep/mod.py", "from pkg.deep.mod import twice"),  # the tree's top is no package, nor is lib
    ("scripts/mod.py", "from mod import twice"),  # a file in no package
    ("space/inner/mod.py", "from inner.mod import twice"),  # a namespace package
])
def test_imports_find_their_files(tmp_path: Path, place: str, statement: str) -> None:
    files = {place: "def twice(x):\n    return 2 * x\n",
             "tests/test_mod.py": f"{statement}\n\ndef test_twice():\n    assert twice(1) == 2\n"}
    if "pkg" in place:
        files |= {place.replace("deep/mod", "__init__"): "", place.replace("mod", "__init__"): ""}
    (row,), _ = rows_of(write(tmp_path, files))
    assert row["metadata"]["focal_file"] == f"{tmp_path.name}/{place}"


def test_a_file_called_like_a_standard_module_is_not_what_an_import_of_it_means(tmp_path: Path) -> None:
    rows, account = rows_of(write(tmp_path, {
        "tools/json.py": "def dumps(x):\n    return x\n",
        "test_it.py": "import json\n\ndef test_dumps():\n    assert json.dumps(1) == '1'\n"}))
    assert not rows and dict(account.drops) == {"no_focal_function": 1}


def test_a_tree_inside_a_package_resolves_absolute_imports(tmp_path: Path) -> None:
    write(tmp_path, {"outer/__init__.py": "", "outer/inner/__init__.py": "", "outer/inner/mod.py": "def twice(x):\n    return 2 * x\n",
                     "outer/inner/tests/test_mod.py": "from outer.inner.mod import twice\n\ndef test_twice():\n    assert twice(1) == 2\n"})
    (row,), _ = rows_of(tmp_path / "outer" / "inner")
    assert row["metadata"]["focal"] == "inner.mod.twice"


def test_a_star_import_gives_what_the_module_exports(tmp_path: Path) -> None:
    test = "import pkg\n\ndef test_it():\n    value = pkg.near(1)\n    assert value == 2\n"
    files = {"pkg/__init__.py": "from .second import *\nfrom .first import *\n", "pkg/far.py": "def far(x):\n    return 3 * x\n",
             "pkg/first.py": "from .far import far as near\n__all__ = ['other']\n\ndef other(x):\n    return x\n",
             "pkg/second.py": "def near(x):\n    return 2 * x\n", "tests/test_it.py": test}
    (row,), _ = rows_of(write(tmp_path / "plain", files))
    assert row["metadata"]["focal"] == "plain.pkg.second.near"
    files["pkg/first.py"] += "\n__all__ += ['near']\n"  # what is exported is then not known
    (row,), _ = rows_of(write(tmp_path / "added", files))
    assert row["metadata"]["focal"] == "added.pkg.far.far"


def test_of_two_star_imports_the_last_counts(tmp_path: Path) -> None:
    files = {"pkg/__init__.py": "from .first import *\nfrom .second import *\n", "pkg/first.py": "def near(x):\n    return 1\n",
             "pkg/second.py": "def near(x):\n    return 2\n",
             "tests/test_it.py": "import pkg\n\ndef test_it():\n    assert pkg.near(1) == 2\n"}
    (row,), _ = rows_of(write(tmp_path, files))
    assert row["metadata"]["focal"].endswith("pkg.second.near")


@pytest.mark.parametrize(("test", "assertion", "focal"), [
    ("test_grow_tree", "assert lib.is_tall(lib.grow_tree(1))", "grow_tree"),  # the test is named after it, though it is the inner call
    ("TestIsTall.test_it", "assert lib.is_tall(lib.grow_tree(1))", "is_tall"),  # as the class is
    ("test_it", "assert lib.is_tall(lib.grow_tree(1))", "is_tall"),  # neither: the outer call
    ("test_same", "assert lib.garden(1) == lib.garden_wall(1)", "garden_wall"),  # most of the name of the file
])
def test_the_name_of_the_test_counts_most_and_then_that_of_the_file(tmp_path: Path, test: str, assertion: str, focal: str) -> None:
    library = "".join(f"def {name}(x):\n    return {number} * x\n\n"
                      for number, name in enumerate(("grow_tree", "is_tall", "garden", "garden_wall")))
    owner, _, name = test.rpartition(".")
    code = f"    def {name}(self):\n        {assertion}\n" if owner else f"def {name}():\n    {assertion}\n"
    (row,), _ = rows_of(write(tmp_path, {"lib.py": library, "test_garden_wall.py": "import lib\n\n" + (
        f"class {owner}:\n" if owner else "") + code}))
    assert row["metadata"]["focal"].rpartition(".")[2] == focal


def test_a_method_of_several_classes_is_that_of_the_module_that_the_test_file_is_named_after(tmp_path: Path) -> None:
    thing = "class {0}({1}):\n    def put_down(self, x):\n        return x\n"
    test = "def test_it(thing):\n    assert thing.put_down(1) == 1\n"
    files = {"shelf.py": thing.format("Shelf", ""), "deep_shelf.py": "from shelf import Shelf\n" + thing.format("DeepShelf", "Shelf"),
             "deepest.py": "from deep_shelf import DeepShelf\n\nclass Deepest(DeepShelf):\n    pass\n",
             "test_deep_shelf.py": test, "test_deepest.py": test, "test_other.py": test}
    rows, _ = rows_of(write(tmp_path, files))
    assert [row["metadata"]["focal"].rpartition(".put_down")[0].rpartition(".")[2] for row in rows] == [
        "DeepShelf", "DeepShelf", "Shelf"]
    assert {(row["metadata"]["focal_by"], row["metadata"]["confidence"]) for row in rows} == {("method_by_name", "low")}


def test_fixtures_of_the_file_are_the_set_up_of_a_test(tmp_path: Path) -> None:
    files = {"lib.py": "class Box:\n    def grow(self):\n        return 1\n\nclass Tree:\n    def grow(self):\n        return 2\n\n"
                       "def plant(kind):\n    return [kind]\n",
             "test_it.py": "import pytest\nfrom lib import Tree, plant\n\n@pytest.fixture\ndef oak():\n    made = Tree()\n    return made\n\n"
                           "@pytest.fixture()\ndef wood():\n    yield plant('oak')\n\ndef elm():\n    return Tree()\n\n"
                           "def test_known(oak):\n    assert oak.grow() == 2\n\ndef test_made(wood):\n    assert wood == ['oak']\n\n"
                           "def test_not_a_fixture(elm):\n    assert elm.grow() == 2\n"}
    rows, account = rows_of(write(tmp_path, files))
    found = by_test(rows)
    assert found["test_known"]["metadata"]["focal"].endswith("lib.Tree.grow")
    assert found["test_known"]["source"] == (
        'def test_known(oak):\n    "<AssertPlaceHolder>"\n\n@pytest.fixture\ndef oak():\n    made = Tree()\n    return made\n\n'
        'def grow(self):\n    return 2')
    assert found["test_made"]["metadata"]["focal"].endswith("lib.plant")
    assert len(rows) == 2 and dict(account.drops) == {"ambiguous_focal_method": 1}  # of a Box or of a Tree


# ------------------------------------------------------------------------------------------ summaries
def test_summaries_are_first_sentences_and_the_code_is_without_them(project: Path) -> None:
    rows, account = rows_of(project, "summarize")
    assert {row["metadata"]["function"].rpartition("shop.")[2]: row["target"] for row in rows} == {
        "basket.Basket.add_item": "Put one more price into the basket.",
        "basket.Basket.cost": "Return what all items cost together with tax.",
        "prices.total": "Return the sum of all prices with the tax of a country.",
        "prices.round_up": "Return the value, rounded up to whole cents.",
        "taxes.rate_of": "Look up the tax rate of a country in the table.",
    }
    assert rows[0]["source"] == "def add_item(self, price):\n    self.items.append(price)"
    assert rows[0]["context"]["class"].startswith("class Basket\n    size: int\n")
    assert (account.found, sum(account.drops.values())) == (5, 0)


# ------------------------------------------------------------------------------------------ bad files
def test_broken_files_are_counted(tmp_path: Path) -> None:
    write(tmp_path, {**PROJECT, "src/shop/open.py": "def f(:\n", "src/shop/latin.py": b"name = '\xe4'\n", "src/shop/zero.py": "a\0b",
                     "src/shop/deep.py": "(" * 5000 + ")" * 5000, "src/shop/huge.py": "#" + "x" * 1_000_001,
                     "src/shop/marked.py": b"\xef\xbb\xbfdef marked():\r\n    return 1\r\n"})
    rows, account = rows_of(tmp_path)
    assert account.files == {"read": 8, "not_parsed": 3, "not_utf8": 1, "too_large": 1} and len(rows) == 6


def test_files_that_end_anywhere_never_fail(tmp_path: Path) -> None:
    names = [name for name in PROJECT if name.endswith(".py")]
    for end in range(0, max(map(len, PROJECT.values())), 23):
        write(tmp_path, {name: PROJECT[name][:end] for name in names})
        for task in ("assert", "summarize"):
            _, account = rows_of(tmp_path, task)
            assert sum(account.files.values()) == len(names) and "miner_failed" not in account.files, end


def test_unreadable_files_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path) -> str:
        if path.name == "taxes.py":
            raise PermissionError(13, "Permission denied")
        return read(path)

    read = mine_rows.read_text
    monkeypatch.setattr(mine_rows, "read_text", refused)
    assert rows_of(write(tmp_path, PROJECT))[1].files == {"read": 6, "unreadable": 1}


def test_a_defect_of_a_miner_costs_a_file_and_is_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                        caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("tasks.mine.python_miner.TreeTestMiner.examples", lambda self: 1 / 0)
    with caplog.at_level(logging.WARNING):
        rows, account = rows_of(write(tmp_path, PROJECT))
    assert not rows and account.files == {"read": 4, "miner_failed": 3} and "report this as a defect" in caplog.text


def test_lost_rows_are_an_error() -> None:
    with pytest.raises(AccountingError, match="a.py: 2 found, but 1 rows and 0 dropped"):
        Mined([{}], 2).check("a.py")


def test_every_language_has_its_miner() -> None:
    for language in MINERS:
        miner = miner_of(language)
        assert miner.language == language and miner.suffixes and miner.looked_for
    with pytest.raises(TaskLanguageError, match="unknown language of the source 'mine' 'cobol'"):
        miner_of("cobol")


# ------------------------------------------------------------------------------------------ data sets
def test_mining_once_keeps_a_folder_that_loads_again(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_source(f"mine:{project}", ASSERT, cache_dir=tmp_path, progress=False)
    monkeypatch.setattr(source, "build", lambda *arguments: pytest.fail("mined again"))
    again = load_source(f"mine:{project}", ASSERT, cache_dir=tmp_path, progress=False)
    assert again == first and first.name == f"mine:{project}"
    assert first.description["counts"] == {split: len(examples) for split, examples in first.items()}
    (folder,) = tmp_path.iterdir()
    plain = load_source(f"file:{folder}", ASSERT, progress=False)
    assert plain.content_hash == first.content_hash
    assert [example.metadata for example in plain.train] == [example.metadata for example in first.train]


def test_context_stays_beside_the_source_and_out_of_the_hash(project: Path, tmp_path: Path) -> None:
    dataset = load_source(f"mine:{project}", ASSERT, cache_dir=tmp_path, progress=False)
    examples = [example for _, split in dataset.items() for example in split]
    assert all(set(example.metadata["context"]) == {"class", "callees", "imports"} for example in examples)
    costly = next(example for example in examples if example.metadata["test"] == "TestBasket.test_cost")
    assert "def add_item(self, price)" in costly.metadata["context"]["class"]
    assert "def add_item" not in ASSERT.model_input(costly.source)
    (folder,) = tmp_path.iterdir()
    for split in ("train", "valid", "test"):
        path = folder / f"{split}.jsonl.gz"
        rows = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
        path.write_bytes(gzip.compress(b"".join(json.dumps({**row, "context": {}}).encode() + b"\n" for row in rows)))
    assert load_source(f"file:{folder}", ASSERT, progress=False).content_hash == dataset.content_hash


def test_a_changed_file_is_mined_again_and_a_damaged_cache_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tree, cache = write(tmp_path / "tree", PROJECT), tmp_path / "cache"
    first = load_source(f"mine:{tree}", ASSERT, cache_dir=cache, progress=False)
    write(tree, {"tests/test_taxes.py": PROJECT["tests/test_taxes.py"].replace("0.19", "0.07")})
    second = load_source(f"mine:{tree}", ASSERT, cache_dir=cache, progress=False)
    assert second.content_hash != first.content_hash and len(list(cache.iterdir())) == 2
    for folder in cache.iterdir():
        rows = gzip.decompress((folder / "test.jsonl.gz").read_bytes())
        (folder / "test.jsonl.gz").write_bytes(gzip.compress(rows.replace(b"assert", b"asserT", 1)))
    with caplog.at_level(logging.WARNING):
        assert load_source(f"mine:{tree}", ASSERT, cache_dir=cache, progress=False) == second
    assert "is damaged (its hash differs)" in caplog.text


def test_splits_share_no_file_and_no_focal_function(project: Path) -> None:
    dataset = build(find_trees(str(project)), Order(ASSERT, progress=False), "mine")
    for field in ("file", "focal"):
        values = [{example.metadata[field] for example in examples} for _, examples in dataset.items()]
        assert all(values) and not values[0] & values[1] and not values[0] & values[2] and not values[1] & values[2]
    facts = dataset.description
    assert facts["found"] == sum(facts["counts"].values()) + sum(facts["drops"].values())
    assert facts["trees"][0]["licence_files"] == ["LICENSE.txt"]


def test_few_groups_fill_every_split() -> None:
    for names in ("abc", "abcdefgh", [f"file{number}" for number in range(40)]):
        homes = assigned({name: name for name in names})
        assert set(homes.values()) == {"train", "valid", "test"}, names
    assert len(set(assigned({"a": "a", "b": "b"}).values())) == 2
    assert len(set(assigned({"a": "a", "b": "a", "c": "a"}).values())) == 1


def test_any_number_of_processes_gives_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.mine.workers.FEW", 0)
    monkeypatch.setattr("tasks.mine.workers.CHUNK", 2)
    tree = write(tmp_path / "tree", PROJECT)
    one, two = (build(find_trees(str(tree)), Order(ASSERT, jobs=jobs, progress=False), "mine").in_memory() for jobs in (1, 2))
    assert one == two
    for name, dataset in (("one", one), ("two", two)):
        write_folder(tmp_path / name, dataset, {})
    files = [sorted((path.name, path.read_bytes()) for path in (tmp_path / name).iterdir()) for name in ("one", "two")]
    assert files[0] == files[1] and len(files[0]) == 5


class Dying:
    """Work that ends its process."""

    def __call__(self, chunk: list[int]) -> None:
        os._exit(3)


def test_a_process_that_dies_is_an_error() -> None:
    with pytest.raises(MiningError, match="a worker process ended before its work was done.*--jobs 1"):
        list(over_chunks(Dying(), range(200), 2, "dying", False))


def test_a_limit_stops_the_mining(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.mine.workers.CHUNK", 1)
    index, account = mine_rows.indexed(find_trees(str(write(tmp_path, PROJECT))), miner_of("python"), 1, False)
    rows = list(mine_rows.file_rows("assert", index, account, 1, 1, False))
    assert (len(rows), account.found, dict(account.drops), account.not_mined) == (1, 2, {"over_limit": 1}, 2)


def test_several_trees_are_mined_together(tmp_path: Path) -> None:
    first = write(tmp_path / "a" / "project", {name: text for name, text in PROJECT.items() if name.startswith("src")})
    second = write(tmp_path / "b" / "project", {name: text for name, text in PROJECT.items() if name.startswith("tests")})
    dataset = build(find_trees(f"{first}, {second}"), Order(ASSERT, progress=False), "mine")
    files = {(example.metadata["file"].split("/")[0], example.metadata["focal_file"].split("/")[0])
             for _, examples in dataset.items() for example in examples}
    assert files == {("project-2", "project")}


# ------------------------------------------------------------------------------------------ bad arguments
@pytest.mark.parametrize(("argument", "error", "message"), [
    ("{0}/absent", MissingDataError, "absent': found nothing; expected a folder of source code"),
    ("{0}/LICENSE.txt", MissingDataError, "found a file; expected a folder of source code"),
    ("{0},{0}/src/..", MissingDataError, "a folder is named twice"),
    (" , ", MissingDataError, "no path is given"),
])
def test_paths_that_are_no_trees(project: Path, argument: str, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        load_source(f"mine:{argument.format(project)}", ASSERT, progress=False)


def test_a_tree_without_tests_says_what_was_looked_for_and_where(tmp_path: Path) -> None:
    tree = write(tmp_path / "tree", {"lib.py": "def test_bench():\n    assert 1\n", "bad.py": "def f(:\n"})
    with pytest.raises(MiningError, match=r"no tests in .*tree; looked for, in python, 2 files \(1 not parsed, 1 read\): functions and "
                                          r"methods called test\* in files called test_\*.py.*give the folder that holds the tests"):
        load_source(f"mine:{tree}", ASSERT, progress=False)


def test_a_tree_without_files_of_the_language(tmp_path: Path) -> None:
    tree = write(tmp_path / "tree", {"a.txt": "", "build/b.py": "", "setup.py": "", ".hidden/c.py": "", "vendor/d.py": ""})
    (tree / "setup.py").rename(tree / "pyproject.toml")
    with pytest.raises(MiningError, match=r"no files of python \(\*.py\) in the source trees \(.*tree: 2 files, skipped 1 build output, 1 "
                                          r"hidden folder, 1 vendored folder\)"):
        load_source(f"mine:{tree}", ASSERT, progress=False, language="python")


def test_too_little_for_three_splits(tmp_path: Path) -> None:
    tree = write(tmp_path / "tree", {"lib.py": "def twice(x):\n    return 2 * x\n",
                                     "test_lib.py": "from lib import twice\n\ndef test_twice():\n    assert twice(1) == 2\n"})
    with pytest.raises(MiningError, match="1 examples, but none for the split .*expected examples from at least three files"):
        load_source(f"mine:{tree}", ASSERT, progress=False)
    write(tree, {"test_lib.py": "def test_twice():\n    assert 1\n"})
    with pytest.raises(MiningError, match=r"1 assertions were found, and none became an example \(1 no focal function\)"):
        load_source(f"mine:{tree}", ASSERT, progress=False)


def test_a_task_or_language_that_cannot_be_mined(project: Path) -> None:
    with pytest.raises(TaskLanguageError, match="unknown language of the source 'mine' 'go'; expected one of: csharp, java, python"):
        load_source(f"mine:{project}", SUMMARIZE, progress=False, language="go")
    with pytest.raises(MiningError, match="task 'translate' has no examples in source trees; expected one of: assert, summarize, repair"):
        load_source(f"mine:{project}", get_task("translate"), progress=False)


# ------------------------------------------------------------------------------------------ the command
def test_the_command_writes_a_data_set_with_its_card(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    output = tmp_path / "out"
    assert main(["mine", str(project), "--task", "summarize", "--output", str(output), "--jobs", "1"]) == 0
    printed = capsys.readouterr().out
    assert sorted(path.name for path in output.iterdir()) == ["README.md", "dataset.json", "test.jsonl.gz", "train.jsonl.gz",
                                                              "valid.jsonl.gz"]
    card = (output / "README.md").read_text()
    assert card in printed and "Licence files: `LICENSE.txt`" in card and "5 documented functions = 5 examples + 0 dropped" in card
    dataset = load_source(f"file:{output}", SUMMARIZE, progress=False)
    assert sum(len(examples) for _, examples in dataset.items()) == 5 and dataset.content_hash in card
    assert main(["mine", str(project), "--task", "summarize", "--output", str(output)]) == 1
    assert "found a folder that is not empty; expected a new or an empty folder" in capsys.readouterr().err


def test_the_command_counts_heuristics_and_drops(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    output = tmp_path / "new" / "out"
    assert main(["mine", str(project), "--task", "assert", "--output", str(output), "--language", "python", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["found"] == 7 and facts["drops"]["ambiguous_focal_method"] == 1
    assert sum(facts["focal_by"].values()) == sum(facts["counts"].values()) == sum(facts["confidence"].values())
    card = (output / "README.md").read_text()
    assert "| ambiguous focal method | 1 |" in card and "| Focal function found by | Examples |" in card


def test_a_command_that_fails_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    tree = write(tmp_path / "tree", {"lib.py": ""})
    assert main(["mine", str(tree), "--task", "assert", "--output", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("tasks: no tests in") and error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["tree"]
