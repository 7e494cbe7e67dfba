"""python -m transducer COMMAND ...

Every command of this package by one name. A further one is a module with `main(arguments) -> exit code` and one line in
`COMMANDS`; all but `list`, `info` and `verify` are modules of their own name too (`python -m transducer.train`). Exit codes:
0 done, 1 failed, 2 bad arguments, 130 interrupted.
"""
from __future__ import annotations

import sys
from importlib import import_module

from .commands import BAD_ARGUMENTS, DONE, command_line
from .errors import UnknownNameError

COMMANDS: dict[str, tuple[str, str, str]] = {
    "train": ("train", "main", "adapt a frozen code model to a task, with other methods for comparison on request"),
    "compare": ("compare", "main", "methods on one task, several seeds each, with intervals and tests"),
    "comparison_report": ("comparison_report.__main__", "main", "the page and tables of a comparison, made again"),
    "report": ("report", "main", "the results of runs as a Markdown table"),
    "cost": ("cost", "main", "what methods cost in time and memory, without training to the end"),
    "evaluate": ("evaluate", "main", "score a saved transducer on a data source"),
    "predict": ("predict", "main", "the answer of a saved transducer for a file of yours"),
    "serve": ("serve", "main", "answer for many saved transducers over HTTP, with one model in memory; a page to try them"),
    "export": ("export", "main", "the transducer of a run as a folder of its own, with its model card; push it to the hub"),
    "list": ("artefacts", "list_main", "all saved transducers in folders, as a table"),
    "info": ("artefacts", "info_main", "everything that a saved transducer states"),
    "verify": ("artefacts", "verify_main", "check a saved transducer: files, schema, hash, tensors, and its model on request"),
}
"""Name -> module, function in it, and one line for the help."""


def main(arguments: list[str] | None = None) -> int:
    """Runs the command that the first argument names; the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_help(), file=sys.stdout if arguments else sys.stderr)
        return DONE if arguments else BAD_ARGUMENTS
    if arguments[0] not in COMMANDS:
        raise UnknownNameError.among("command", arguments[0], COMMANDS)
    module, function, _ = COMMANDS[arguments[0]]
    return getattr(import_module(f"{__package__}.{module}"), function)(arguments[1:])


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {summary}" for name, (_, _, summary) in COMMANDS.items()]
    return "\n".join(["usage: python -m transducer COMMAND ...", "",
                      "Adapts frozen code models through Code Property Graphs. Commands:", *lines, "",
                      "python -m transducer COMMAND --help shows the options of one."])


if __name__ == "__main__":
    raise SystemExit(command_line(main))
