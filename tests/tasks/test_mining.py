"""Tests of a small package, written out here, to examples."""
from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks import Example
from tasks.errors import AccountingError, MissingDataError
from tasks.mining import check_accounts, mine_package
from tasks.python_index import PackageIndex, package_folder

FILES = {
    "__init__.py": "from .maths import *\nfrom . import shapes\nfrom .shapes import Square as Box\nfrom .missing import gone\n",
    "maths.py": '''
__all__ = ["add", "halve"]

def add(a, b):
    """Adds.

    >>> add(1, 1)
    2
    """
    # the sum
    return a + b  # no overflow

def halve(x):
    return x / 2

def _secret(x):
    return x
''',
    "shapes.py": '''
class Shape:
    def area(self):
        """Area."""
        return self.side ** 2

    def scale(self, factor):
        self.side *= factor

    @property
    def name(self):
        return "shape"

class Square(Shape):
    def __init__(self, side):
        self.side = side
''',
    "tests/__init__.py": "",
    "tests/test_maths.py": '''
import pytest
from numpy.testing import assert_allclose, assert_equal
import toolbox as tb
from toolbox.maths import halve as half

def check(x):
    assert x

def test_add():
    """The sum of one and one is
    two."""
    total = tb.add(1, 1)  # both are one
    # a comment of its own
    assert total == 2
    other = tb.add(2, 2)
    assert_equal(
        other,  # the second
        4,
    )

def test_block():
    value = half(4)
    if value:
        assert value == 2
    for _ in range(2):
        assert_allclose(value, 2)
        assert value > 1

def test_alone():
    values = [half(4), half(8)]
    for value in values:
        assert value

def test_empty_block():
    value = half(6)
    assert value
    try:
        assert value == 3
    except ValueError:
        raise

@pytest.mark.parametrize("x", [1])
def test_steps(x):
    first = half(x)
    second = [first, first]
    text = """kept
  as it is # here"""
    assert len(second) == 2, "two"

def test_dropped():
    value = half(2)
    check(value)
    assert 1 == 1
    assert value; value = 2
    def inner():
        assert value
    assert """a
b""" == value
    with pytest.raises(TypeError):
        tb.add(1)

def test_raising():
    bad = None
    pytest.raises(TypeError, tb.add, bad, 1)

def test_nothing_of_ours():
    values = [1]
    assert sum(values) == 1

def test_other_assertions_are_not_followed():
    value = tb.add(1, 2)
    values = [value]
    assert_equal(half(value), 1.5)
    assert values == [3]

def test_modules_have_methods_too():
    import re
    text = re.scale("a")
    assert text

def test_repeated():
    value = half(2)
    assert value == 1
    assert value < 2
    assert value == 1

def test_many():
    a = half(1)
    assert a == 0.5
    b = half(2)
    assert b == 1
    c = half(3)
    assert c == 1.5
    d = half(4)
    assert d == 2
''',
    "tests/test_shapes.py": '''
import unittest
from toolbox import Box

class TestShapes(unittest.TestCase):
    def setUp(self):
        self.box = Box(2)

    def test_area(self):
        self.assertEqual(self.box.area(), 4)

    def test_scale(self):
        box = Box(3)
        box.scale(2)
        self.assertTrue(box.side == 6)

    def assertSquare(self, box):
        self.assertTrue(box.side)

    def test_square(self):
        self.assertSquare(self.box)
''',
    "tests/test_broken.py": "def test_open(:\n",
    "tests/helpers.py": "def test_not_collected():\n    assert False\n",
}


def write(folder: Path) -> Path:
    for name, text in FILES.items():
        path = folder / "toolbox" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / "toolbox"


@pytest.fixture(scope="module")
def mined(tmp_path_factory: pytest.TempPathFactory):
    return mine_package("toolbox", write(tmp_path_factory.mktemp("package")))


def of(mined, test: str) -> list[Example]:
    return [example for example in mined[0] if example.metadata["test"] == test]


def test_an_example_is_the_test_a_blank_line_and_the_focal_function(mined) -> None:
    first, second = of(mined, "test_add")
    assert first.source == '''def test_add():
    total = tb.add(1, 1)
    "<AssertPlaceHolder>"
    other = tb.add(2, 2)

def add(a, b):
    return a + b'''
    assert first.target == "assert total == 2"
    assert second.source.splitlines()[:5] == [
        "def test_add():", "    total = tb.add(1, 1)", "    assert total == 2", "    other = tb.add(2, 2)",
        '    "<AssertPlaceHolder>"']
    assert second.target == "assert_equal(other, 4)"


def test_metadata_say_where_it_is_from_and_how_the_focal_function_was_found(mined) -> None:
    facts = dict(of(mined, "test_add")[0].metadata)
    assert facts.pop("context") == {"class": "", "callees": [], "imports": []}
    assert facts == {"package": "toolbox", "test_module": "toolbox.tests.test_maths", "test_file": "toolbox/tests/test_maths.py",
                     "test": "test_add", "line": 15, "kind": "assert", "assertions": 2, "focal": "toolbox.maths.add",
                     "focal_file": "toolbox/maths.py", "focal_heuristic": "call_of_variable", "focal_confidence": "high"}


def test_later_assertions_go_with_the_blocks_that_only_assert_and_earlier_ones_stay(mined) -> None:
    first, second, third = of(mined, "test_block")
    assert first.source.startswith('def test_block():\n    value = half(4)\n    if value:\n        "<AssertPlaceHolder>"\n\ndef halve')
    assert second.source.startswith(
        'def test_block():\n    value = half(4)\n    if value:\n        assert value == 2\n    for _ in range(2):\n'
        '        "<AssertPlaceHolder>"\n\ndef halve')
    assert '        assert_allclose(value, 2)\n        "<AssertPlaceHolder>"\n\ndef halve' in third.source
    assert [example.target for example in (first, second, third)] == [
        "assert value == 2", "assert_allclose(value, 2)", "assert value > 1"]


def test_an_assertion_that_was_made_before_is_no_example(mined) -> None:
    assert [example.target for example in of(mined, "test_repeated")] == ["assert value == 1", "assert value < 2"]
    assert mined[1].drops["answer_in_source"] == 1


def test_a_block_that_would_be_left_empty_drops_the_example(mined) -> None:
    assert [example.target for example in of(mined, "test_empty_block")] == ["assert value == 3"]
    assert mined[1].drops["empty_block"] == 1


def test_decorators_and_strings_of_several_lines_stay(mined) -> None:
    (example,) = of(mined, "test_steps")
    assert example.source.startswith('@pytest.mark.parametrize("x", [1])\ndef test_steps(x):\n    first = half(x)\n')
    assert '    text = """kept\n  as it is # here"""\n' in example.source
    assert example.target == 'assert len(second) == 2, "two"' and example.metadata["focal"] == "toolbox.maths.halve"


def test_a_function_given_to_raises_is_focal(mined) -> None:
    (example,) = of(mined, "test_raising")
    assert example.target == "pytest.raises(TypeError, tb.add, bad, 1)" and example.metadata["focal"] == "toolbox.maths.add"


def test_a_set_up_that_the_test_reads_stands_between(mined) -> None:
    (example,) = of(mined, "TestShapes.test_area")
    assert example.source == '''def test_area(self):
    "<AssertPlaceHolder>"

def setUp(self):
    self.box = Box(2)

def area(self):
    return self.side ** 2'''
    assert example.target == "self.assertEqual(self.box.area(), 4)"
    assert example.metadata["focal"] == "toolbox.shapes.Shape.area"  # through the alias Box and the base of Square


def test_a_method_called_on_a_variable_is_focal(mined) -> None:
    (example,) = of(mined, "TestShapes.test_scale")
    assert (example.metadata["focal"], example.metadata["focal_heuristic"]) == ("toolbox.shapes.Shape.scale", "call_on_variable")
    assert "setUp" not in example.source  # this test does not read self.box


def test_what_lies_around_the_focal_function_is_kept_beside_the_source(mined) -> None:
    (example,) = of(mined, "TestShapes.test_area")
    assert example.metadata["context"] == {
        "class": "class Shape\n    def area(self)\n    def scale(self, factor)\n    def name(self)", "callees": [], "imports": []}
    assert "def scale" not in example.source


def test_another_assertion_does_not_make_a_focal_function(mined) -> None:
    first, second = of(mined, "test_other_assertions_are_not_followed")
    assert (first.metadata["focal"], second.metadata["focal"]) == ("toolbox.maths.halve", "toolbox.maths.add")


def test_every_assertion_is_kept_or_counted(mined) -> None:
    examples, report = mined
    assert dict(report.drops) == {
        "answer_in_source": 1,  # the third assertion of test_repeated
        "empty_block": 1,  # test_empty_block, whose `try` would be left empty for its first assertion
        "helper_of_the_test_file": 1,  # self.assertSquare
        "shares_line": 1,  # test_dropped: `assert value; value = 2`
        "in_nested_function": 1,  # test_dropped
        "multiline_string": 1,  # test_dropped
        # test_dropped: `assert 1 == 1`; test_nothing_of_ours; test_modules_have_methods_too
        "no_focal_function": 3,
        "over_three_per_test": 1,  # test_many
    }
    assert report.found == len(examples) + sum(report.drops.values())
    assert (report.files, report.unreadable_files) == (3, 1)


def test_lost_assertions_are_an_error() -> None:
    from collections import Counter

    with pytest.raises(AccountingError, match="here: 5 found, but 3 kept and 1 dropped"):
        check_accounts(5, 3, Counter({"long_source": 1}), "here")


def test_two_interpreters_with_different_hash_seeds_mine_the_same(tmp_path: Path) -> None:
    folder = write(tmp_path)
    code = ("import json, sys; from pathlib import Path; from tasks.mining import mine_package; "
            "examples, report = mine_package('toolbox', Path(sys.argv[1])); "
            "print(json.dumps([[e.id, e.source, e.target, e.metadata] for e in examples] + [sorted(report.drops.items())]))")
    outputs = [subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True,
                              cwd=Path(__file__).parents[2], env={**os.environ, "PYTHONHASHSEED": seed}).stdout
               for seed in ("1", "2")]
    assert outputs[0] == outputs[1] and len(json.loads(outputs[0])) > 10


def test_names_resolve_without_importing(tmp_path: Path) -> None:
    index = PackageIndex("toolbox", write(tmp_path))
    assert index.resolve("toolbox", "add").full_name == "toolbox.maths.add"
    assert index.resolve("toolbox", "Box").full_name == "toolbox.shapes.Square"
    assert index.method(index.resolve("toolbox", "Box"), "area").full_name == "toolbox.shapes.Shape.area"
    assert index.resolve("toolbox", "_secret") is None  # a star import leaves it out
    assert index.resolve("toolbox", "gone") is None and index.resolve("toolbox.absent", "add") is None
    assert "toolbox" not in sys.modules


def test_a_package_that_is_not_installed() -> None:
    with pytest.raises(MissingDataError, match="package 'no_such_package_here' is not installed.*pip install"):
        package_folder("no_such_package_here")


def test_sources_and_targets_parse(mined) -> None:
    assert len(mined[0]) > 10
    for example in mined[0]:
        ast.parse(example.source), ast.parse(example.target)
