"""python -m cpg FILE... [--language L] [--format F] [--edges KINDS] [--output PATH]

Writes the graph of each file, to standard output or to `--output`; `-` reads standard input, for which --language
is needed. Exit codes: 0 done, 1 a file or format failed (the others are still written), 2 bad arguments.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from cpg.errors import CpgError, EdgeKindError, UnknownLanguageError
from cpg.export import FORMATS, Format, edge_kinds, export, get_format
from cpg.extraction import extract
from cpg.graph import EDGE_KINDS
from cpg.languages import LANGUAGES, get_language
from cpg.outputs import target_names, write_file, write_folder


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["corpus"]:
        from cpg.corpus_command import main as corpus

        return corpus(arguments[1:])
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        entry = get_format(options.format)
        languages = [_language(name, options.language) for name in options.files]
        chosen = _render_options(options, entry)
        targets = _targets(options, entry)
    except CpgError as error:
        return _fail(str(error), 2)
    except ValueError as error:
        return _fail(f"{error}; see python -m cpg --help", 2)
    status = 0
    for name, language, target in zip(options.files, languages, targets):
        try:
            code = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
            title = {} if not entry.titled else {"title": "standard input" if name == "-" else Path(name).name}
            result = export(extract(code, language), options.format, **chosen, **title)
            _write(result, target)
        except BrokenPipeError:
            # The reader of standard output went away. Python would complain once more when it closes it.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        except (OSError, CpgError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            status = _fail(f"{name}: {reason}", 1)
    return status


def _fail(message: str, status: int) -> int:
    print(f"cpg: {message}", file=sys.stderr)
    return status


def _write(result: str | dict[str, str], target: Path | None) -> None:
    if target is None:
        assert isinstance(result, str), "a format of several files has a folder"
        sys.stdout.buffer.write(result.encode())
        sys.stdout.buffer.flush()
    elif isinstance(result, dict):
        write_folder(target, result)
    else:
        write_file(target, result)


def _language(name: str, given: str | None) -> str:
    if given is not None:
        return get_language(given).name
    for language in LANGUAGES.values():
        if Path(name).suffix in language.extensions:
            return language.name
    what = "standard input" if name == "-" else repr(name)
    raise UnknownLanguageError(
        f"cannot tell the language of {what} by its extension; give --language, one of: {', '.join(sorted(LANGUAGES))}."
    )


def _render_options(options: argparse.Namespace, entry: Format) -> dict[str, object]:
    """What goes to `export` besides the format, checked before anything is read."""
    chosen: dict[str, object] = {}
    if options.edges is not None:
        if not entry.selects:
            raise EdgeKindError(f"--edges is for {_names('selects')}; {options.format} always holds all edges.")
        chosen["edges"] = edge_kinds(options.edges.split(","))
    if options.layout != "auto":
        if options.format != "svg":
            raise ValueError("--layout is for --format svg")
        chosen["layout"] = options.layout
    return chosen


def _targets(options: argparse.Namespace, entry: Format) -> list[Path | None]:
    """Where each file's graph goes; None is standard output."""
    several = len(options.files) > 1
    if options.output is None:
        if entry.folder:
            raise ValueError(f"{options.format} is a folder of files: name one with --output PATH")
        if several and not entry.joins:
            raise ValueError(f"{options.format} is one document a graph: name a folder with --output PATH")
        return [None] * len(options.files)
    output = Path(options.output)
    inside = several if entry.folder else several or output.is_dir()
    if not inside:
        return [output]
    if output.exists() and not output.is_dir():
        raise ValueError(f"--output {output} is a file, and several files need a folder")
    return [output / name for name in target_names(options.files, entry.extension)]


def _names(field: str) -> str:
    return ", ".join(name for name, entry in FORMATS.items() if getattr(entry, field))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cpg",
        description="Source code to Code Property Graph: syntax, control and data flow.",
        epilog="For many files or a data set: python -m cpg corpus --help",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="source file; - reads standard input")
    parser.add_argument(
        "--language",
        metavar="L",
        help=f"language of all files, one of: {', '.join(sorted(LANGUAGES))}; default: by file extension",
    )
    about = "; ".join(f"{name}: {entry.help}" for name, entry in FORMATS.items())
    parser.add_argument("--format", default="json", metavar="F", help=f"{about}. Default: json")
    parser.add_argument(
        "--edges",
        metavar="KINDS",
        help=f"kinds of edges to show, of {','.join(EDGE_KINDS)}, for {_names('selects')}; with AST the whole syntax "
        "tree is there. Default: CFG,DDG,CDG in pictures, all in dot",
    )
    parser.add_argument(
        "--layout",
        choices=("auto", "dot", "own"),
        default="auto",
        help="who places the boxes of an svg: Graphviz's dot, or the package itself, whose pictures are the same "
        "everywhere. Default: dot if it is on the PATH",
    )
    parser.add_argument(
        "--output",
        metavar="PATH",
        help="file to write, or folder: for neo4jcsv, and for one output a file where there are several. "
        "Default: standard output",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
