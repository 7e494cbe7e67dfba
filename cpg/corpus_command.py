"""python -m cpg corpus SRC... --out FILE [--cache DIR] [--jobs N]

The graphs of folders, globs, source files and data sets in one file; see `cpg.corpus` and `cpg.corpus_output`.
The same command goes on after any stop when it has a --cache.
Exit codes: 0 done, 1 done with failures or not done, 2 bad arguments, 130 interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

from cpg.errors import CorpusEngineError, CpgError
from cpg.languages import LANGUAGES

EXAMPLES = """\
examples:
  python -m cpg corpus src/ --out graphs.jsonl.gz --cache graph-cache
  python -m cpg corpus 'data/*/train.jsonl.gz' --column code --language java --out graphs.parquet
  python -m cpg corpus pairs.jsonl.zst --column source=java --column target=csharp --out graphs.jsonl.zst
  python -m cpg corpus src/ --out graphs.jsonl.zst --engine ray --address auto
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit code."""
    options = _parser().parse_args(arguments)
    from cpg.corpus import build_corpus
    from cpg.corpus_sources import Columns, Sources

    columns = Columns(tuple(_column(text) for text in options.column), options.language, options.language_column, options.id_column)
    sources = Sources(options.sources, columns)
    written = 0

    def count(items: int) -> None:
        nonlocal written
        written += items
        advance(items)

    try:
        sources.check()
        # Standard output is the summary's alone; Ray reports on it.
        with contextlib.redirect_stdout(sys.stderr), _progress(sources, options.quiet) as advance:
            summary = build_corpus(
                sources,
                options.out,
                jobs=options.jobs,
                cache=options.cache,
                timeout=options.timeout,
                engine=options.engine,
                address=options.address,
                progress=count,
            )
    except KeyboardInterrupt:
        goes_on = f"goes on: finished graphs are in {options.cache}" if options.cache else "begins anew; with --cache DIR it would go on"
        print(f"cpg corpus: interrupted after {written} items; the same command {goes_on}", file=sys.stderr)
        return 130
    except (CpgError, OSError) as error:
        print(f"cpg corpus: {error}", file=sys.stderr)
        return 1 if isinstance(error, (CorpusEngineError, OSError)) else 2
    print(json.dumps(summary.as_dict()) if options.json else _table(summary.as_dict()))
    return 1 if summary.failed else 0


@contextlib.contextmanager
def _progress(sources: Any, quiet: bool) -> Iterator[Callable[[int], object]]:
    """What is called with the number of items written. Counting first costs one reading of the data sets."""
    if quiet:
        yield lambda items: None
        return
    from tqdm import tqdm

    seldom = 0.5 if sys.stderr.isatty() else 10.0
    with tqdm(total=sources.count(), unit="item", desc="graphs", mininterval=seldom, file=sys.stderr) as bar:
        yield bar.update


def _table(summary: dict) -> str:
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(summary["failures"].items()))
    shares = ", ".join(f"{kind} {share:.2%}" for kind, share in summary["share_by_kind"].items())
    rows = {
        "items": f"{summary['items']:,} ({summary['distinct']:,} distinct)",
        "graphs": f"{summary['extracted']:,} extracted, {summary['from_cache']:,} from the cache",
        "size": f"{summary['nodes']:,} nodes, {summary['edges']:,} edges",
        "with diagnostics": f"{summary['share_with_diagnostics']:.2%}" + (f" ({shares})" if shares else ""),
        "time": f"{summary['seconds']:.1f} s, {summary['items_per_second']:,.0f} items/s",
        "failures": f"{summary['failed']:,}" + (f" ({kinds}), see {summary['failures_file']}" if kinds else ""),
        "output": summary["output"],
    }
    if summary["damaged"]:
        rows["damaged in cache"] = f"{summary['damaged']:,}, extracted again"
    return "\n".join(f"{name:<17} {value}" for name, value in rows.items())


def _column(text: str) -> tuple[str, str | None]:
    name, _, language = text.partition("=")
    return name, language or None


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of processes, expected 1 or more")
    return int(text)


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < float(text) < 1e9:
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a time in seconds, expected more than 0")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cpg corpus",
        description="The Code Property Graphs of many files or data-set columns, in one file.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("sources", nargs="+", metavar="SRC", help="folder (all source files in it), glob, source file, or .jsonl[.gz|.zst] data set")
    add("--out", required=True, metavar="FILE", help="output, by its name: .jsonl, .jsonl.gz, .jsonl.zst or .parquet")
    add("--column", action="append", default=[], metavar="NAME[=LANGUAGE]", help="column of code in the data sets; repeatable")
    add("--language", metavar="L", help=f"language where no other is named, one of: {', '.join(sorted(LANGUAGES))}; of a folder, only its files are read")
    add("--language-column", metavar="NAME", help="column with the language of each line")
    add("--id-column", default="id", metavar="NAME", help="column with the id of each line; default: id, else file and line number")
    add("--cache", metavar="DIR", help="keep graphs here and take them from here; a stopped command then goes on")
    add("--jobs", type=_positive, metavar="N", help="worker processes; default: one for each core")
    add("--timeout", type=_seconds, default=10.0, metavar="SECONDS", help="limit for one item; default: 10")
    add("--engine", default="local", metavar="E", help="where the workers run: local, or ray for a Ray cluster; default: local")
    add("--address", metavar="ADDRESS", help="of the Ray cluster, such as HOST:6379 or auto")
    add("--quiet", action="store_true", help="no progress on standard error")
    add("--json", action="store_true", help="the summary as one line of JSON")
    return parser
