"""The Python examples of SPEC.md are Python, as this interpreter sees it."""

from __future__ import annotations

import textwrap

from tests.cpg.test_spec import EXAMPLES

BROKEN = "-Broken code-"
"""In the ids of the examples that are meant not to be Python."""


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


def test_examples_are_python() -> None:
    examples = {e.id: e.values[1] for e in EXAMPLES if e.values[0] == "python" and BROKEN not in e.id}
    assert len(examples) >= 85
    complaints = {name: _complaint(code) for name, code in examples.items()}
    assert not {name: complaint for name, complaint in complaints.items() if complaint}


def test_the_check_can_fail() -> None:
    broken = [e.values[1] for e in EXAMPLES if e.values[0] == "python" and BROKEN in e.id]
    assert broken and all(map(_complaint, broken))
    assert _complaint("return await x\n") == ""
