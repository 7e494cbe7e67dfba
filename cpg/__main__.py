"""python -m cpg FILE... [--language L] [--format json|dot|svg]

Prints the graph of each file, one after the other; `-` reads standard input, for which --language is needed.
Exit codes: 0 done, 1 a file or format failed (the others are still written), 2 bad arguments.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cpg.errors import CpgError, UnknownFormatError, UnknownLanguageError, unknown_name
from cpg.export import FORMATS, export
from cpg.extraction import extract
from cpg.languages import LANGUAGES, get_language


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["corpus"]:
        from cpg.corpus_command import main as corpus

        return corpus(arguments[1:])
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        if options.format not in FORMATS:
            raise UnknownFormatError(unknown_name("format", options.format, FORMATS))
        languages = [_language(name, options.language) for name in options.files]
    except CpgError as error:
        print(f"cpg: {error}", file=sys.stderr)
        return 2
    status = 0
    for name, language in zip(options.files, languages):
        try:
            code = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
            text = export(extract(code, language), options.format)
        except (OSError, CpgError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            print(f"cpg: {name}: {reason}", file=sys.stderr)
            status = 1
            continue
        sys.stdout.buffer.write(text.encode())
    sys.stdout.flush()
    return status


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
    parser.add_argument(
        "--format", default="json", metavar="F", help=f"output, one of: {', '.join(FORMATS)}; default: json"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
