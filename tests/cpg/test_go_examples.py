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


def _forms(code: str) -> list[str]:
    """The text as declarations of a file, as statements of a function and as cases; one of them has to be Go."""
    file = code if code.startswith("package ") else f"package p\n\n{code}"
    frames = ["{}", "\tswitch x.(type) {{\n{}\t}}\n", "\tselect {{\n{}\t}}\n"]
    return [file, *(f"package p\n\nfunc _() {{\n{frame.format(code)}}}\n" for frame in frames)]


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
    forms = {(name, number): text for name, code in codes.items() for number, text in enumerate(_forms(code))}
    files = {key: f"{position}.go" for position, key in enumerate(forms)}
    messages = _refused(tmp_path, {files[key]: text for key, text in forms.items()})
    wrong = {}
    for name in codes:
        said = [messages.get(file, "") for (example, _), file in files.items() if example == name]
        if all(said):
            wrong[name] = said
    assert not wrong


def test_the_sample_is_go(tmp_path: Path) -> None:
    assert not _refused(tmp_path, {"sample.go": GO})


def test_the_check_can_fail(tmp_path: Path) -> None:
    assert _refused(tmp_path, {"broken.go": _forms("x := = 1")[1]})
