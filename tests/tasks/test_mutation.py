"""Defects put into functions: every operator does what it says, to its place alone."""
from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tasks.mutation import OPERATORS, FunctionSource, edits, mutant

CASES = {
    "lost_bound": ("return a[i:j]", {"return a[:j]", "return a[i:]"}),
    "loop_exit": ("for i in a: break", {"for i in a: continue"}),
    "loop_bound": ("for i in range(1, n): f()", {"for i in range(1, n - 1): f()", "for i in range(1, n + 1): f()"}),
    "assignment_operator": ("a += b", {"a -= b"}),
    "lost_sign": ("return -a", {"return a"}),
    "shifted_index": ("return a[i]", {"return a[i + 1]", "return a[i - 1]"}),
    "logic": ("return (a) and b", {"return (a) or b"}),
    "membership": ("return a not in b", {"return a in b"}),
    "truth_value": ("return f(True)", {"return f(False)"}),
    "arithmetic": ("return a + b", {"return a - b"}),
    "identity": ("return a is not None", {"return a is None"}),
    "comparison": ("return a < b", {"return a <= b"}),
    "lost_argument": ("return f(a, key=b)", {"return f(a)"}),
    "off_by_one": ("return a == 1", {"return a == 2", "return a == 0"}),
    "wrong_method": ("a.append(b.pop())", {"a.pop(b.pop())", "a.append(b.append())"}),
    "negated_condition": ("if a: f()", {"if not a: f()"}),
    "swapped_arguments": ("f(a, b)", {"f(b, a)"}),
    "lost_statement": ("a = 1\n    return a", {"return a"}),
    "wrong_variable": ("return a", {"return b", "return i", "return j", "return n"}),
    "lost_result": ("return a", {"return None"}),
}
HEAD = "def f(a, b, i, j, n=3):\n    "


def made(text: str, operator: str) -> set[str]:
    source = FunctionSource(text)
    return {found.text for edit in edits(source).get(operator, []) if (found := mutant(source, operator, edit))}


def test_every_operator_has_a_case() -> None:
    assert set(CASES) == set(OPERATORS) and len(OPERATORS) >= 12


@pytest.mark.parametrize("operator", OPERATORS)
def test_an_operator_makes_its_defect(operator: str) -> None:
    before, after = CASES[operator]
    assert made(HEAD + before, operator) == {HEAD + text for text in after}


@pytest.mark.parametrize(("operator", "body"), [
    ("logic", "return a and b and i"), ("comparison", "return a < b < i"), ("arithmetic", "return 'x' + a"),
    ("lost_argument", "return f(key=a)"), ("lost_statement", "return a"), ("swapped_arguments", "f(a, a)"),
    ("off_by_one", "return 0x10"), ("shifted_index", "a[i] = b"), ("wrong_variable", "return unknown"),
    ("lost_result", "return"), ("loop_bound", "return range(3)"), ("wrong_method", "a.pop()"),
])
def test_an_operator_leaves_the_rest_alone(operator: str, body: str) -> None:
    assert made(HEAD + body, operator) == set()


def test_signature_and_decorators_are_left_alone() -> None:
    text = "@wrap(1 + 2, True)\ndef f(a, b=-1, c: x[i:j] = True):\n    pass"
    assert edits(FunctionSource(text)) == {}


def test_texts_beyond_ascii_are_edited_at_the_right_byte() -> None:
    assert made("def größe(é, ñ):\n    return 'ü' and é < ñ", "comparison") == {"def größe(é, ñ):\n    return 'ü' and é <= ñ"}


def test_a_mutant_knows_its_place() -> None:
    source = FunctionSource(HEAD + "x = a\n    return x < b")
    (edit,) = edits(source)["comparison"]
    found = mutant(source, "comparison", edit)
    assert (found.line, found.replacement) == (3, "<=")
    assert source.data[:found.start].decode() + "<=" + source.data[found.end:].decode() == found.text


def test_edits_that_change_nothing_or_do_not_parse_make_no_mutant() -> None:
    source = FunctionSource(HEAD + "return (a)")
    start = source.text.index("(a)")
    assert mutant(source, "any", (start, start + 3, "a")) is None
    assert mutant(source, "any", (start, start + 3, "(")) is None


def test_mutants_of_a_real_module_parse_and_differ() -> None:
    import textwrap

    tree = ast.parse(Path(textwrap.__file__).read_text(encoding="utf-8"))
    functions = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    seen = set()
    for text in functions:
        source = FunctionSource(text)
        for operator, proposed in edits(source).items():
            for edit in proposed:
                found = mutant(source, operator, edit)
                if found:
                    assert ast.dump(ast.parse(found.text)) != ast.dump(ast.parse(text))
                    seen.add(operator)
    assert len(seen) >= 12
