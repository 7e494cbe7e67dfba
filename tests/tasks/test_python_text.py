"""Comments and strings of Python texts, and the nodes of syntax trees: the fast ways find what the standard library finds."""
from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tasks.python_text import _by_tokenizer, _comments_and_strings
from tasks.python_walk import descendants

PACKAGE = Path(__file__).parents[2] / "tasks"
WITHOUT_PLACE = (ast.expr_context, ast.boolop, ast.operator, ast.unaryop, ast.cmpop, ast.type_ignore)


@pytest.mark.parametrize("text", [
    "x = 1  # one", "x = '# none'  # one", 'x = "a\\"# none"', "x = r'\\\\' # one", "x = '\\''  # one", "x = \'\'\'a\n# none\n\'\'\'  # one",
    'x = """a" ""b\n\\""" # none\n"""  # one', "x = 'a\\\n# none'  # one", "x = ''  # '", 'x = ""  # "', "x = ('a'  # one\n     'b')",
    "def f():\n    \'\'\'Says.\n\n    # none\n    \'\'\'\n    # one\n    return b'#'", "# only", "", "x = f'{1}#'  # one",
    "    return x  # indented", "é = 'é'  # after letters beyond ASCII",
])
def test_comments_and_strings_are_those_of_the_tokenizer(text: str) -> None:
    assert _comments_and_strings(text.split("\n")) == _by_tokenizer(text)


def test_comments_and_strings_of_whole_files() -> None:
    paths = sorted(PACKAGE.rglob("*.py"))
    assert len(paths) > 30
    for path in paths:
        text = path.read_text(encoding="utf-8")
        assert _comments_and_strings(text.split("\n")) == _by_tokenizer(text), path


def test_all_nodes_with_a_place_are_walked_in_the_order_of_the_standard_library() -> None:
    texts = [path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py"))]
    texts.append("match x:\n    case {'a': 1, **rest}:\n        pass\n    case A(b, c=1) | [2, *_] | None as d if d:\n        pass\n"
                 "async def f(a, /, b=1, *c, d, e=None, **g) -> int:\n    global h\n    async with a as b, c: await d\n"
                 "    async for x in y: yield f'{x!r:>{w}}'\n    return [*a, {**b, 1: 2}, lambda z: (z := 1)][1:2, ...]\n"
                 "try:\n    import a.b as c\nexcept* E as e:\n    raise\nelse:\n    del a[0]\nfinally:\n    a += not b and -c < d\n")
    for text in texts:
        tree = ast.parse(text)
        expected = [id(node) for node in ast.walk(tree) if not isinstance(node, WITHOUT_PLACE)]
        assert [id(node) for node in descendants(tree)] == expected
