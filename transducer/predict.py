"""Answers the question of a transducer's task for a file of the user's.

    python -m transducer.predict --transducer runs/assert/transducer test_shapes.py
    python -m transducer.predict --transducer runs/assert/transducer ShapeTest.java --focal Shape.java
    python -m transducer.predict --transducer runs/summarize/transducer shapes.py --function area --explain area.html

The model reads what it was trained on. For a task with a placeholder that is the test that holds it, then the function
under test: the last function that the test calls and that `--focal` files, or else the file itself, define. For any other
task it is the function that `--function` names, or the whole file.
"""
from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from .commands import CommandParser, command_line
from .config import GENERATION_FIELDS, TrainSettings, add_options, resolve
from .errors import ConfigurationError, DataError
from .saved import add_saved_options, load_saved, saved_folder

if TYPE_CHECKING:
    from cpg import CodePropertyGraph
    from tasks import Task

def main(arguments: list[str] | None = None) -> int:
    parser = CommandParser(prog="python -m transducer.predict", description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, metavar="FILE", help="source file; for assert with the placeholder \"<AssertPlaceHolder>\"")
    add_saved_options(parser)
    parser.add_argument("--focal", type=Path, nargs="*", default=[], metavar="FILE", help="files that define the function under test")
    parser.add_argument("--function", default="", metavar="NAME", help="the function of the file that is meant, for tasks without a placeholder")
    parser.add_argument("--language", default="", help="language of the file; by default told by its suffix")
    add_options(parser, TrainSettings, GENERATION_FIELDS)
    parser.add_argument("--write", action="store_true", help="replace the placeholder in the file by the answer")
    parser.add_argument("--explain", type=Path, metavar="HTML", help="also write a page that shows which nodes of the graph were read")
    parser.add_argument("--json", action="store_true", help="print answer, model input and language as JSON")
    options = parser.parse_args(arguments)
    settings = resolve(TrainSettings, {name: value for name, value in vars(options).items() if name in GENERATION_FIELDS})
    text = _read(options.file)
    focal_texts = [_read(path) for path in options.focal] or [text]
    from checkpoints.artefact import read_artefact
    from tasks import get_task

    folder = saved_folder(options)
    task = get_task(read_artefact(folder).config["task"] or settings.task)
    language = options.language or _language_of(options.file, task)
    task.check_language(language)
    if task.placeholder:
        problem = task.placeholder_problem(text)
        if problem:
            raise DataError(f"{options.file} {problem}")
        source = model_source(text, focal_texts, language, task.placeholder)
    elif options.write:
        raise ConfigurationError(f"--write replaces a placeholder, and task {task.name!r} has none; leave it out")
    else:
        source = _function_source(text, language, options.function, options.file)

    from .evaluate import predict
    from .prepare import Preparer

    model = load_saved(options, folder)
    preparer = Preparer.for_model(model, task, settings.max_source_tokens, settings.max_target_tokens)
    answer = predict(model, preparer, [(source, language)], beams=settings.beams or task.generation["num_beams"])[0]
    if options.explain:
        from .explanation.writing import write_explanation

        write_explanation(options.explain, model, preparer, source, language, answer=answer, title=options.file.name)
    if options.json:
        print(json.dumps({"file": str(options.file), "language": language, "source": source, "answer": answer}, ensure_ascii=False))
    else:
        print(answer)
    if options.write:
        from .storage import write_text

        # From the bytes, since reading as text has changed the line ends of Windows.
        write_text(options.file, _completed(options.file.read_bytes().decode("utf-8"), task.placeholder, answer))
    return 0


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DataError(f"no file {path}; give an existing source file") from None
    except (UnicodeDecodeError, IsADirectoryError) as error:
        raise DataError(f"{path} is no UTF-8 text file ({error}); give a source file") from None


def _language_of(path: Path, task: Task) -> str:
    from cpg import LANGUAGES

    suffixes = {suffix: name for name in task.languages for suffix in LANGUAGES[name].extensions}
    if path.suffix not in suffixes:
        raise ConfigurationError(f"cannot tell the language of {path} by its suffix; give --language, one of: "
                                 f"{', '.join(task.languages)}")
    return suffixes[path.suffix]


def _function_source(text: str, language: str, name: str, path: Path) -> str:
    """The function called `name`, or the whole text where no name is given."""
    from cpg import extract

    if not name:
        return text
    functions = _functions(extract(text, language))
    chosen = [(start, end) for found, start, end in functions if found == name]
    if len(chosen) != 1:
        names = ", ".join(sorted({found for found, _, _ in functions if found})) or "none"
        raise DataError(f"{path} defines {len(chosen) or 'no'} functions called {name!r}, expected one; it has: {names}")
    return _cut(text, *chosen[0]) + "\n"


def _completed(text: str, placeholder: str, answer: str) -> str:
    """The text with the answer in place; a semicolon that the answer brings along is not doubled."""
    before, after = text.split(placeholder)
    if answer.endswith(";") and after.lstrip().startswith(";"):
        after = after.lstrip()[1:]
    return before + answer + after


def model_source(text: str, focal_texts: list[str], language: str, placeholder: str) -> str:
    """The test around the placeholder, then the function under test: the form of the examples trained on.

    Args:
        text: the file with the placeholder, exactly once.
        focal_texts: texts that may define the function under test, which may be `text` itself.
        language: of all of them.
        placeholder: what the answer replaces.
    """
    from cpg import extract

    graph = extract(text, language)
    at = text.encode().index(placeholder.encode())
    test = _outermost_function(graph, at)
    if test is None:
        return text
    calls = [graph.nodes.name[node] for node in range(len(graph.nodes))
             if graph.nodes.label[node] == "CALL" and test[0] <= graph.nodes.start_byte[node] < test[1]]
    defined: dict[str, str] = {}
    for focal_text in focal_texts:
        focal_graph = graph if focal_text is text else extract(focal_text, language)
        for name, start, end in _functions(focal_graph):
            if focal_graph is not graph or not start <= at < end:
                defined.setdefault(name, _cut(focal_graph.code, start, end))
    focal = next((defined[name] for name in reversed(calls) if name in defined), None)
    return "\n\n".join(part for part in (_cut(text, *test), focal) if part) + "\n"


def _functions(graph: CodePropertyGraph) -> list[tuple[str, int, int]]:
    nodes = graph.nodes
    return [(nodes.name[node], nodes.start_byte[node], nodes.end_byte[node]) for node in range(len(nodes))
            if nodes.label[node] == "METHOD" and nodes.end_byte[node] > nodes.start_byte[node]]


def _outermost_function(graph: CodePropertyGraph, at: int) -> tuple[int, int] | None:
    around = [(start, end) for _, start, end in _functions(graph) if start <= at < end]
    return min(around, default=None)


def _cut(text: str, start: int, end: int) -> str:
    """The whole lines from byte `start` to `end`, without their common indentation."""
    data = text.encode()
    start = data.rfind(b"\n", 0, start) + 1
    return textwrap.dedent(data[start:end].decode()).strip("\n")


if __name__ == "__main__":
    raise SystemExit(command_line(main))
