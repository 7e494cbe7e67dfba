"""Corpus runs that go well: every kind of input, every format, any number of workers, the cache, the summary."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import sys
from pathlib import Path

import pytest

from cpg import CodePropertyGraph, CorpusOutputError, GraphFormatError, MissingPackageError, extract
from cpg.corpus import Summary, build_corpus
from cpg.corpus_output import WRITERS, read_graphs
from cpg.corpus_sources import Columns, Sources
from tests.cpg.corpus_data import data_set, java_sources, lines, methods, run, summary_of, write_jsonl

FORMATS = sorted(WRITERS)
JAVA_AND_PYTHON = Columns((("source", "java"), ("target", "python")))


def _ids(sources: Sources) -> list[str]:
    return [item.id for item in sources]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of sources, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    files = ("src/b/B.java", "src/a/z.py", "src/a/A.java", "src/C.java", "src/notes.txt", "src/.git/D.java", "src/a/deep/er/e.py")
    for i, name in enumerate(files):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"x = {i};")
    return tmp_path


# ----------------------------------------------------------------------------------------------- inputs
@pytest.mark.parametrize(
    ("names", "language", "expected"),
    [
        (["src"], None, ["src/C.java", "src/a/A.java", "src/a/deep/er/e.py", "src/a/z.py", "src/b/B.java"]),
        (["src/"], "python", ["src/a/deep/er/e.py", "src/a/z.py"]),
        (["src/a/z.py", "src/C.java"], None, ["src/a/z.py", "src/C.java"]),
        (["src/notes.txt"], "java", ["src/notes.txt"]),
        (["src/*"], None, ["src/C.java", "src/a/A.java", "src/a/deep/er/e.py", "src/a/z.py", "src/b/B.java"]),
        (["src/*/*.java"], None, ["src/a/A.java", "src/b/B.java"]),
        (["src/**/*.py"], None, ["src/a/z.py", "src/a/deep/er/e.py"]),
        (["s[rx]c/?/*.py"], None, ["src/a/z.py"]),
        (["src/*.txt"], "java", ["src/notes.txt"]),
        (["src/**"], "python", ["src/C.java", "src/a/A.java", "src/a/deep/er/e.py", "src/a/z.py", "src/b/B.java", "src/notes.txt"]),
    ],
)
def test_files_folders_and_globs(tree: Path, names: list[str], language: str | None, expected: list[str]) -> None:
    sources = Sources(names, Columns(language=language))
    sources.check()
    assert _ids(sources) == expected and sources.count() == len(expected)
    for item in sources:
        assert item.code == Path(item.id).read_bytes() and item.origin == {"source": item.id}
        known = "python" if item.id.endswith(".py") else "java"
        assert item.language == (known if language is None else language)


def test_absolute_globs(tree: Path) -> None:
    assert _ids(Sources([f"{tree}/src/?/*.java"])) == [f"{tree}/src/a/A.java", f"{tree}/src/b/B.java"]


def test_linked_files_are_read_and_linked_folders_are_not(tree: Path) -> None:
    os.symlink(tree / "src/C.java", tree / "src/b/L.java")
    os.symlink(tree / "src", tree / "src/b/loop")
    assert _ids(Sources(["src/b", "src/b/**/*.java"])) == ["src/b/B.java", "src/b/L.java"] * 2


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz", "jsonl.zst"])
def test_data_sets(tmp_path: Path, suffix: str) -> None:
    records = [{"id": "p1", "source": "x;", "target": "y = 1"}, {"source": "ü\ud800;", "target": "z"}, {"id": 7, "source": "", "target": ""}]
    text = "".join(json.dumps(record) + "\n" for record in records).encode() + b"\n\n"
    path = tmp_path / f"pairs.{suffix}"
    if suffix.endswith("gz"):
        path.write_bytes(gzip.compress(text[:50]) + gzip.compress(text[50:]))
    elif suffix.endswith("zst"):
        import zstandard
        path.write_bytes(zstandard.compress(text[:50]) + zstandard.compress(text[50:]))
    else:
        path.write_bytes(text)
    sources = Sources([str(path)], JAVA_AND_PYTHON)
    sources.check()
    found = [(item.id, item.language, item.code, item.origin["line"], item.origin["column"]) for item in sources]
    assert found == [
        ("p1#source", "java", b"x;", 1, "source"),
        ("p1#target", "python", b"y = 1", 1, "target"),
        (f"{path}:2#source", "java", "ü\ud800;".encode("utf-8", "surrogatepass"), 2, "source"),
        (f"{path}:2#target", "python", b"z", 2, "target"),
        ("7#source", "java", b"", 3, "source"),
        ("7#target", "python", b"", 3, "target"),
    ]
    assert sources.count() == 6


def test_language_and_id_from_columns(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [{"name": "n1", "code": "x", "lang": "java"}, {"name": "n2", "code": "y", "lang": "python"}])
    items = list(Sources([str(path)], Columns((("code", None),), language_column="lang", id="name")))
    assert [(item.id, item.language) for item in items] == [("n1", "java"), ("n2", "python")]


def test_a_glob_of_data_sets_beside_a_folder(tree: Path) -> None:
    data_set(tree / "d1.jsonl", ["x;"])
    data_set(tree / "d2.jsonl", ["y;"])
    assert _ids(Sources(["d*.jsonl", "src/a"], Columns((("code", "java"),)))) == [
        "m0", "m0", "src/a/A.java", "src/a/deep/er/e.py", "src/a/z.py",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "no such file, folder or glob: 'nowhere'"),
        (["src/*.rs"], "'src/*.rs' has nothing to extract from; known extensions: "),
        (["src/notes.txt"], "give --language, one of: "),
        (["src", "--language", "jaav"], "Did you mean 'java'?"),
        (["a.jsonl"], "name its column of code with --column, one of: id, code"),
        (["a.jsonl", "--column", "cod=java"], "no column 'cod'; its columns: id, code"),
        (["a.jsonl", "--column", "code"], "give --language L, --language-column NAME or --column code=L"),
        (["a.jsonl", "--column", "code=jaav"], "Did you mean 'java'?"),
        (["a.jsonl", "--column", "code", "--language-column", "lang"], "no column 'lang'"),
        (["broken.jsonl.gz", "--column", "code=java"], "'broken.jsonl.gz' is not a data set"),
        (["src", "--out", "graphs.json"], "graphs.json: unknown output format '.json'. Did you mean '.jsonl'?"),
        (["src", "--out", "no/folder/a.jsonl"], "the folder has to be there"),
        (["src", "--cache", "src/C.java"], "cannot use the cache folder"),
        (["src", "--engine", "rai"], "Did you mean 'ray'?"),
        (["src", "--address", "auto"], "an address is for --engine ray"),
    ],
)
def test_bad_arguments_are_one_line(tree: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture) -> None:
    from cpg.__main__ import main

    data_set(tree / "a.jsonl", ["x;"])
    (tree / "broken.jsonl.gz").write_bytes(b"no gzip")
    before = sorted(tree.rglob("*"))
    status = main(["corpus", *(["--out", "o.jsonl"] if "--out" not in arguments else []), *arguments, "--quiet"])
    captured = capsys.readouterr()
    assert (status, captured.out) == (2, "")
    assert message in captured.err and captured.err.count("\n") == 1
    assert [path for path in sorted(tree.rglob("*")) if path not in before] == []


@pytest.mark.parametrize("arguments", [[], ["src"], ["src", "--out", "a.jsonl", "--jobs", "0"], ["src", "--out", "a.jsonl", "--timeout", "-1"]])
def test_missing_and_impossible_arguments(arguments: list[str], capsys: pytest.CaptureFixture) -> None:
    from cpg.__main__ import main

    with pytest.raises(SystemExit) as raised:
        main(["corpus", *arguments])
    assert raised.value.code == 2 and "usage: python -m cpg corpus" in capsys.readouterr().err


# ---------------------------------------------------------------------------------------------- outputs
@pytest.mark.parametrize("suffix", FORMATS)
def test_formats_are_read_back(tmp_path: Path, suffix: str) -> None:
    codes = [*methods(3), "broken (", "", "s = \"ä\u2028\";", methods(3)[0]]
    source = data_set(tmp_path / "a.jsonl", codes)
    output = tmp_path / f"graphs{suffix}"
    build_corpus(java_sources(source), output, jobs=1)
    found = list(read_graphs(output))
    assert [(item_id, graph) for item_id, _, graph in found] == [(f"m{i}", extract(code, "java")) for i, code in enumerate(codes)]
    assert found[1][1] == {"source": str(source), "line": 2, "column": "code"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl", output.name]
    first = output.read_bytes()
    build_corpus(java_sources(source), output, jobs=2)
    assert output.read_bytes() == first


def test_lines_are_graphs_with_id_and_origin(tmp_path: Path) -> None:
    source, output = tmp_path / "A.java", tmp_path / "graphs.jsonl"
    source.write_text("class A { }")
    build_corpus(Sources([str(source)]), output, jobs=1)
    [record] = lines(output)
    assert list(record)[:3] == ["id", "origin", "schema"] and record["schema"] == "cpg/1"
    assert (record["id"], record["origin"]) == (str(source), {"source": str(source)})
    assert CodePropertyGraph.from_dict(record) == extract("class A { }", "java")


def test_zst_is_one_frame(tmp_path: Path) -> None:
    import zstandard
    output = tmp_path / "graphs.jsonl.zst"
    build_corpus(java_sources(data_set(tmp_path / "a.jsonl", methods(100))), output, jobs=2)
    with open(output, "rb") as file:  # readers that stop after one frame see everything
        assert zstandard.ZstdDecompressor().stream_reader(file).read().count(b"\n") == 100


def test_parquet_columns(tmp_path: Path) -> None:
    from pyarrow import parquet

    output = tmp_path / "graphs.parquet"
    build_corpus(java_sources(data_set(tmp_path / "a.jsonl", methods(600))), output, jobs=2)
    file = parquet.ParquetFile(output)
    assert file.metadata.num_rows == 600 and file.num_row_groups == 3
    names = file.schema_arrow.names
    assert names[:5] == ["id", "origin", "language", "code_sha256", "code"] and names[-1] == "diagnostics"
    row = file.read_row_group(1).slice(0, 1).to_pylist()[0]
    graph = extract(methods(257)[256], "java")
    assert row["id"] == "m256" and row["node_type"] == graph.nodes.type and row["edge_target"] == graph.edges.target
    assert row["code_sha256"] == hashlib.sha256(graph.code.encode()).hexdigest()


def test_other_files_are_not_read_as_graphs(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [{"id": "1", "code": "x"}])
    with pytest.raises(GraphFormatError, match="line 1: not a graph with id and origin"):
        list(read_graphs(path))
    with pytest.raises(CorpusOutputError, match="unknown output format"):
        list(read_graphs(tmp_path / "a.xml"))


@pytest.mark.parametrize(("suffix", "package"), [(".jsonl.zst", "zstandard"), (".parquet", "pyarrow")])
def test_a_missing_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    source = data_set(tmp_path / "a.jsonl", ["x;"])
    with pytest.raises(MissingPackageError, match=rf"needs the package {package}.*pip install 'transducer\[corpus\]'"):
        build_corpus(java_sources(source), tmp_path / f"graphs{suffix}", jobs=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl"]


def test_a_missing_package_for_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    (tmp_path / "a.jsonl.zst").write_bytes(b"")
    with pytest.raises(MissingPackageError, match="reading .*a.jsonl.zst"):
        java_sources(tmp_path / "a.jsonl.zst").check()


def test_a_failed_run_leaves_the_old_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, output = data_set(tmp_path / "a.jsonl", methods(5)), tmp_path / "graphs.jsonl"
    build_corpus(java_sources(source), output, jobs=1)
    before = output.read_bytes()

    def stop(items: int) -> None:
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        build_corpus(java_sources(source), output, jobs=1, progress=stop)
    assert output.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl", "graphs.jsonl"]


def test_two_runs_do_not_write_one_output(tmp_path: Path) -> None:
    source, output = data_set(tmp_path / "a.jsonl", methods(5)), tmp_path / "graphs.jsonl"

    def again(items: int) -> None:
        with pytest.raises(CorpusOutputError, match="being written by another run"):
            build_corpus(java_sources(source), output, jobs=1)

    build_corpus(java_sources(source), output, jobs=1, progress=again)
    assert len(lines(output)) == 5


# ------------------------------------------------------------------------------------- order and counts
def test_output_does_not_depend_on_the_number_of_workers_or_the_cache(tmp_path: Path) -> None:
    codes = methods(60) + ["class L { " + " ".join(methods(40)) + " }"] + methods(80)[::-1] + ["x ="]
    sources = java_sources(data_set(tmp_path / "a.jsonl", codes))
    outputs = []
    for name, jobs, cache in (("one", 1, None), ("three", 3, None), ("cold", 2, "c"), ("warm", 3, "c"), ("alone", 1, "c")):
        output = tmp_path / f"{name}.jsonl"
        summary = build_corpus(sources, output, jobs=jobs, cache=tmp_path / cache if cache else None)
        assert (summary.items, summary.distinct, summary.failed) == (142, 82, 0)
        expected = {"cold": (82, 60), "warm": (0, 142), "alone": (0, 142)}.get(name, (142, 0))
        assert (summary.extracted, summary.from_cache) == expected, name
        outputs.append(output.read_bytes())
    assert len(set(outputs)) == 1
    assert [record["id"] for record in lines(tmp_path / "one.jsonl")] == [f"m{i}" for i in range(142)]


def test_summary(tmp_path: Path) -> None:
    codes = ["int f() { return 1; }", "int f( {", "x = \"\x00\";", "int f() { return 1; }", "if (a { b; } c("]
    source, output = data_set(tmp_path / "a.jsonl", codes), tmp_path / "g.jsonl"
    progress: list[int] = []
    summary = build_corpus(java_sources(source), output, jobs=1, progress=progress.append).as_dict()
    graphs = [extract(code, "java") for code in codes]
    kinds = [{diagnostic.kind for diagnostic in graph.diagnostics} for graph in graphs]
    assert summary["nodes"] == sum(len(graph.nodes) for graph in graphs)
    assert summary["edges"] == sum(len(graph.edges) for graph in graphs)
    assert summary["share_with_diagnostics"] == sum(map(bool, kinds)) / 5 > 0
    assert summary["share_by_kind"] == {kind: sum(kind in other for other in kinds) / 5 for kind in set().union(*kinds)}
    assert (summary["items"], summary["distinct"], summary["output"], summary["failures_file"]) == (5, 4, str(output), None)
    assert summary["seconds"] > 0 and summary["items_per_second"] > 0 and sum(progress) == 5
    assert Summary().as_dict()["share_with_diagnostics"] == 0


# ---------------------------------------------------------------------------------------------- command
def test_command(tmp_path: Path) -> None:
    source, output = data_set(tmp_path / "a.jsonl", methods(40)), tmp_path / "graphs.jsonl.gz"
    arguments = (source, "--column", "code=java", "--out", output, "--cache", tmp_path / "cache", "--jobs", 1)
    done = run(*arguments)
    assert done.returncode == 0
    assert "40 (40 distinct)" in done.stdout and "40 extracted, 0 from the cache" in done.stdout
    assert "40/40" in done.stderr and "item/s" in done.stderr
    assert summary_of(*arguments)["from_cache"] == 40
    assert [item_id for item_id, _, _ in read_graphs(output)] == [f"m{i}" for i in range(40)]


def test_help(capsys: pytest.CaptureFixture) -> None:
    from cpg.__main__ import main

    with pytest.raises(SystemExit):
        main(["corpus", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert all(option in text for option in ("--column", "--cache", "--jobs", "--timeout", "--engine", ".parquet", " java,"))


def test_a_program_without_a_main_guard(tmp_path: Path) -> None:
    """Workers do not import the caller's main module."""
    import subprocess

    source = data_set(tmp_path / "a.jsonl", methods(3))
    program = tmp_path / "program.py"
    program.write_text(
        "from cpg.corpus import build_corpus\nfrom cpg.corpus_sources import Columns, Sources\n"
        f"print(build_corpus(Sources([{str(source)!r}], Columns((('code', 'java'),))), {str(tmp_path / 'o.jsonl')!r}, jobs=2).items)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run([sys.executable, program], env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert (done.stdout, done.stderr) == ("3\n", "")
