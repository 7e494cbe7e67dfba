"""Inputs that the corpus tests share."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from cpg.corpus_sources import Columns, Sources

ROOT = Path(__file__).resolve().parents[2]
METHOD = """\
public int f{i}(List<String> names, int limit) throws IOException {{
    int found = {i};
    for (int j = 0; j < limit && found > 0; j++) {{
        if (names.get(j).isEmpty() || j == {i}) {{ found += j; }} else {{ found -= limit; }}
    }}
    try {{ close(found); }} catch (IllegalStateException e) {{ throw new IOException("f{i}", e); }}
    return found > limit ? found : limit;
}}"""


def methods(count: int) -> list[str]:
    """Different Java methods of about 0.5 ms each."""
    return [METHOD.format(i=i) for i in range(count)]


def write_jsonl(path: Path, records: Iterable[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def data_set(path: Path, codes: Iterable[str]) -> Path:
    """A data set with columns `id` ("m0", "m1", ...) and `code`."""
    return write_jsonl(path, ({"id": f"m{i}", "code": code} for i, code in enumerate(codes)))


def java_sources(*paths: Path) -> Sources:
    return Sources([str(path) for path in paths], Columns((("code", "java"),)))


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-W", "error", "-m", "cpg", "corpus", *map(str, arguments)]


def run(*arguments: object, cwd: Path = ROOT, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), cwd=cwd, capture_output=True, text=True, check=False, timeout=timeout)


def summary_of(*arguments: object) -> dict[str, Any]:
    """The JSON summary of a command that should end well."""
    done = run(*arguments, "--quiet", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def failures(output: Path) -> Sequence[tuple[str, str]]:
    """Id and kind of each failed item."""
    return [(row["id"], row["kind"]) for row in lines(output.with_name(output.name + ".failures.jsonl"))]
