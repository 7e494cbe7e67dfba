"""The Python examples of SPEC.md are Python, as this interpreter sees it."""

from __future__ import annotations

import re
import sys
import textwrap

from tests.cpg.test_spec import marked_examples

BROKEN = "not for compile: broken"


def _forms(code: str) -> list[str]:
    """The text as a module, as the body of a function and as that of an asynchronous one."""
    body = textwrap.indent(code, "    ")
    return [code, f"def function():\n{body}", f"async def function():\n{body}"]


def _complaint(code: str) -> str:
    """What compile() says of all forms; empty where it takes one."""
    said = []
    for form in _forms(code):
        try:
            compile(form, "example", "exec", dont_inherit=True)
        except SyntaxError as error:
            said.append(str(error))
        else:
            return ""
    return "; ".join(said)


def _is_for_this_version(mark: str) -> bool:
    version = re.fullmatch(r"Python 3\.(\d+)", mark)
    return not mark or (version is not None and sys.version_info >= (3, int(version.group(1))))


def test_examples_are_python() -> None:
    chosen = {line: code for line, mark, code in marked_examples("python") if _is_for_this_version(mark)}
    assert len(chosen) >= 85
    complaints = {f"SPEC.md line {line}": _complaint(code) for line, code in chosen.items()}
    assert not {place: complaint for place, complaint in complaints.items() if complaint}


def test_marks_are_few_and_known() -> None:
    marks = [mark for _, mark, _ in marked_examples("python") if mark]
    assert set(marks) <= {BROKEN, "Python 3.12"} and len(marks) <= 4


def test_the_check_can_fail() -> None:
    broken = [code for _, mark, code in marked_examples("python") if mark == BROKEN]
    assert broken and all(map(_complaint, broken))
    assert _complaint("return await x\n") == ""
