"""The examples of JavaScript are JavaScript: node compiles them, wrapped as the extractor wraps snippets."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from cpg import extract
from cpg.languages.javascript import JAVASCRIPT
from tests.cpg.test_spec import EXAMPLES

NODE = shutil.which("node")
COMPILE = """
const vm = require("vm");
const texts = JSON.parse(require("fs").readFileSync(0));
const ways = [code => new vm.Script(code), code => new vm.SourceTextModule(code)];
function compiles(candidates) {
  for (const code of candidates) for (const way of ways) { try { way(code); return true; } catch { } }
  return false;
}
console.log(JSON.stringify(texts.map(compiles)));
"""
"""Reads a list of lists of texts; for each list, whether some text of it is a script or a module."""


def _candidates(code: str) -> list[str]:
    """The text in each wrapper of the extractor, and as the body of a function, where return and yield may stand."""
    wrapped = [wrapper.prefix + code + wrapper.suffix for wrapper in JAVASCRIPT.wrappers]
    return [*wrapped, "async function* a() {" + code + "\n}", "function a() {" + code + "\n}"]


def _compiles(codes: list[str]) -> list[bool]:
    done = subprocess.run(
        [NODE, "--no-warnings", "--experimental-vm-modules", "-e", COMPILE],
        input=json.dumps([_candidates(code) for code in codes]),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.skipif(NODE is None, reason="needs node, which is not on this machine")
def test_examples_are_javascript() -> None:
    """All but JSX, which node does not know; what the page calls broken is broken."""
    codes, expected = [], []
    for example in EXAMPLES:
        language, code, _ = example.values
        if language == "javascript" and "jsx_element" not in extract(code, language).nodes.type:
            codes.append(code)
            expected.append("Broken code" not in example.id)
    assert len(codes) >= 80
    wrong = [code for code, held, wanted in zip(codes, _compiles(codes), expected) if held != wanted]
    assert not wrong, "\n\n".join(wrong)
