"""The Go examples and the Go sample are Go: gofmt takes them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cpg.samples import GO
from tests.cpg.test_spec import EXAMPLES

GOFMT = shutil.which("gofmt")
pytestmark = pytest.mark.skipif(GOFMT is None, reason="no gofmt on the PATH: install Go to check its examples")
BROKEN = "-Broken code-"
"""In the ids of the examples that are meant not to be Go."""


def _forms(code: str) -> tuple[str, str]:
    """The text as declarations of a file, and as statements of a function; one of the two has to be Go."""
    indented = "".join(f"\t{line}\n" for line in code.splitlines())
    file = code if code.startswith("package ") else f"package p\n\n{code}"
    return file, f"package p\n\nfunc _() {{\n{indented}}}\n"


def _refused(folder: Path, texts: dict[str, str]) -> dict[str, str]:
    """File name -> what gofmt says, of those that it does not take."""
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    paths = [str(folder / name) for name in texts]
    done = subprocess.run([GOFMT, "-e", "-l", *paths], capture_output=True, text=True, check=False, timeout=60)
    messages: dict[str, str] = {}
    for line in done.stderr.splitlines():
        messages.setdefault(Path(line.split(":")[0]).name, line)
    return messages


def test_examples_are_go(tmp_path: Path) -> None:
    codes = {e.id: e.values[1] for e in EXAMPLES if e.values[0] == "go" and BROKEN not in e.id}
    assert len(codes) >= 50
    texts = {}
    for number, code in enumerate(codes.values()):
        texts[f"{number}_file.go"], texts[f"{number}_statements.go"] = _forms(code)
    messages = _refused(tmp_path, texts)
    wrong = {
        name: messages[f"{number}_file.go"] + "\n" + messages[f"{number}_statements.go"]
        for number, name in enumerate(codes)
        if f"{number}_file.go" in messages and f"{number}_statements.go" in messages
    }
    assert not wrong


def test_the_sample_is_go(tmp_path: Path) -> None:
    assert not _refused(tmp_path, {"sample.go": GO})


def test_the_check_can_fail(tmp_path: Path) -> None:
    assert _refused(tmp_path, {"broken.go": _forms("x := = 1")[1]})
