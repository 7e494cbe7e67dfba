"""Files of graphs: WRITERS is the table of formats by file name, `read_graphs` reads each of them back.

.jsonl, .jsonl.gz, .jsonl.zst: one graph a line in schema "cpg/1", with `id` and `origin` in front.

.parquet: one graph a row. Columns: `id`, `origin` (struct of source, line, column), `language`, `code_sha256`,
`code`; the columns of the nodes as lists of equal length, `node_type`, `node_label`, ... (names as in
`cpg.graph.NODE_COLUMNS`), and of the edges, `edge_source`, `edge_target`, `edge_kind`, `edge_branch`,
`edge_variable`; `diagnostics` (list of structs). A node's id is its position in the lists.

The same items give the same bytes. A file is written under a temporary name and renamed when it is complete.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Protocol

from cpg.corpus_sources import Item, open_lines
from cpg.errors import CorpusOutputError, GraphFormatError, unknown_name
from cpg.graph import EDGE_COLUMNS, NODE_COLUMNS, CodePropertyGraph, Edges, Nodes
from cpg.packages import need
from cpg.packed import pack, unpack
from cpg.parse import Diagnostic

ZSTD_LEVEL = 3
GZIP_LEVEL = 6
ROWS = 256
"""Graphs of a row group in a parquet file; they are held in memory until it is full."""
NUMBERS = frozenset({"start_byte", "end_byte", "start_line", "start_column", "end_line", "end_column", "source", "target"})


def render_json(graph: CodePropertyGraph) -> bytes:
    """What the line formats write of a graph."""
    return graph.to_json().encode()


class GraphWriter(Protocol):
    """Writes graphs to an open file. `render`, called in the workers, makes the text that `write` takes."""

    render: Callable[[CodePropertyGraph], bytes]

    def write(self, item: Item, text: bytes) -> None:
        """Append one graph."""

    def close(self) -> None:
        """Write what is pending; the file itself stays open."""


class LineWriter:
    """JSON lines into any stream."""

    render = staticmethod(render_json)

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, item: Item, text: bytes) -> None:
        """One line: id and origin, then the fields of the graph."""
        head = json.dumps({"id": item.id, "origin": item.origin}, ensure_ascii=False).encode()
        self._file.write(b"%s, %s\n" % (head[:-1], text[1:]))

    def close(self) -> None:
        """Nothing is pending."""


class CompressedWriter(LineWriter):
    """JSON lines into a compressor over the file."""

    def close(self) -> None:
        """End the compressed stream."""
        self._file.close()


def _gzip_writer(file: IO[bytes]) -> CompressedWriter:
    return CompressedWriter(io.BufferedWriter(gzip.GzipFile("", "wb", GZIP_LEVEL, file, mtime=0), 1 << 18))  # type: ignore[arg-type]


def _zstd_writer(file: IO[bytes]) -> CompressedWriter:
    zstandard = need("zstandard", "writing .zst")
    return CompressedWriter(zstandard.ZstdCompressor(level=ZSTD_LEVEL).stream_writer(file, closefd=False))


class ParquetWriter:
    """One row a graph, through pyarrow."""

    render = staticmethod(pack)

    def __init__(self, file: IO[bytes]) -> None:
        need("pyarrow", "writing .parquet")
        parquet = need("pyarrow.parquet", "writing .parquet")
        self._schema = _parquet_schema()
        self._writer = parquet.ParquetWriter(file, self._schema, compression="zstd")
        self._rows: list[dict[str, Any]] = []

    def write(self, item: Item, text: bytes) -> None:
        """Append a row; every ROWS rows are written as one group."""
        graph = unpack(text)
        row: dict[str, Any] = {"id": item.id, "origin": item.origin, "language": graph.language, "code": graph.code}
        row["code_sha256"] = hashlib.sha256(graph.code.encode()).hexdigest()
        row.update((f"node_{name}", getattr(graph.nodes, name)) for name in NODE_COLUMNS)
        row.update((f"edge_{name}", getattr(graph.edges, name)) for name in EDGE_COLUMNS)
        row["diagnostics"] = [vars(diagnostic) for diagnostic in graph.diagnostics]
        self._rows.append(row)
        if len(self._rows) >= ROWS:
            self._flush()

    def close(self) -> None:
        """Write the last group and the footer."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        import pyarrow

        if self._rows:
            self._writer.write_table(pyarrow.Table.from_pylist(self._rows, schema=self._schema))
            self._rows.clear()


def _parquet_schema() -> Any:
    import pyarrow as pa

    def column(prefix: str, name: str) -> Any:
        return pa.field(f"{prefix}_{name}", pa.list_(pa.int32() if name in NUMBERS else pa.string()))

    origin = pa.struct([("source", pa.string()), ("line", pa.int64()), ("column", pa.string())])
    diagnostic = pa.struct(
        [("kind", pa.string()), ("message", pa.string()), ("start_byte", pa.int32()), ("end_byte", pa.int32())]
    )
    texts = [pa.field(name, pa.string()) for name in ("language", "code_sha256", "code")]
    columns = [column("node", name) for name in NODE_COLUMNS] + [column("edge", name) for name in EDGE_COLUMNS]
    return pa.schema(
        [pa.field("id", pa.string()), pa.field("origin", origin), *texts, *columns, pa.field("diagnostics", pa.list_(diagnostic))]
    )


WRITERS: dict[str, Callable[[IO[bytes]], GraphWriter]] = {
    ".jsonl": LineWriter,
    ".jsonl.gz": _gzip_writer,
    ".jsonl.zst": _zstd_writer,
    ".parquet": ParquetWriter,
}


def format_of(path: str | Path) -> str:
    """The key of WRITERS that a file name ends in.

    Raises:
        CorpusOutputError: it ends in none.
    """
    name = Path(path).name
    for suffix in sorted(WRITERS, key=len, reverse=True):
        if name.endswith(suffix):
            return suffix
    raise CorpusOutputError(f"{name}: " + unknown_name("output format", Path(name).suffix, WRITERS))


# ---------------------------------------------------------------------------------------------- reading
def read_graphs(path: str | Path) -> Iterator[tuple[str, dict[str, Any], CodePropertyGraph]]:
    """Id, origin and graph of every item of a file that a corpus run wrote, one at a time.

    Raises:
        CorpusOutputError: the name ends in no known format.
        GraphFormatError, GraphInvariantError: the content is not such a file.
        MissingPackageError: the format needs a package.
    """
    suffix = format_of(path)
    yield from _read_parquet(path) if suffix == ".parquet" else _read_lines(path, suffix)


def _read_lines(path: str | Path, suffix: str) -> Iterator[tuple[str, dict[str, Any], CodePropertyGraph]]:
    with open_lines(str(path)) as lines:
        for number, line in enumerate(lines, 1):
            try:
                record = json.loads(line)
                item_id, origin = record["id"], record["origin"]
            except (ValueError, KeyError, TypeError) as error:
                raise GraphFormatError(f"{path}, line {number}: not a graph with id and origin: {error}") from error
            yield item_id, origin, CodePropertyGraph.from_dict(record)


def _read_parquet(path: str | Path) -> Iterator[tuple[str, dict[str, Any], CodePropertyGraph]]:
    parquet = need("pyarrow.parquet", "reading .parquet")
    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=ROWS):
            for row in batch.to_pylist():
                nodes = Nodes(row["code"].encode(), *(row[f"node_{name}"] for name in NODE_COLUMNS))
                edges = Edges(*(row[f"edge_{name}"] for name in EDGE_COLUMNS))
                diagnostics = [Diagnostic(**record) for record in row["diagnostics"]]
                graph = CodePropertyGraph(row["language"], row["code"], nodes, edges, diagnostics)
                graph.check()
                yield row["id"], {k: v for k, v in row["origin"].items() if v is not None}, graph
