"""python -m tasks COMMAND ...

A further command is one module with `main(arguments) -> exit code` and one line in `COMMANDS`. Exit codes: 0 done, 1 failed,
2 bad arguments, 130 interrupted. Every error made on purpose becomes one line on standard error.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

from tasks.errors import CommandArgumentError, TaskError, UnknownSourceError, UnknownTaskError, unknown_name

COMMANDS: dict[str, tuple[str, str]] = {
    "inspect": ("tasks.inspection.command", "what a data set holds: counts, lengths, drops, examples, graphs; as tables and a page"),
    "mine": ("tasks.mine.command", "make a data set of your own source trees"),
}
"""Name -> its module, and one line for the help."""

BAD_ARGUMENTS = (CommandArgumentError, UnknownSourceError, UnknownTaskError)


def main(arguments: list[str] | None = None) -> int:
    """Run the command that the first argument names; the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_help(), file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    if arguments[0] not in COMMANDS:
        return _said(unknown_name("command", arguments[0], COMMANDS), 2)
    return _guarded(COMMANDS[arguments[0]][0], arguments[1:])


def _guarded(module: str, arguments: list[str]) -> int:
    from cpg.errors import CpgError

    try:
        code = import_module(module).main(arguments)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return _said("interrupted", 130)
    except BAD_ARGUMENTS as error:
        return _said(error, 2)
    except BrokenPipeError:
        # The reader of standard output went away. Python would complain once more when it closes it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (TaskError, CpgError) as error:
        return _said(error, 1)
    except OSError as error:
        return _said(f"{error.filename}: {error.strerror}" if error.filename and error.strerror else error, 1)


def _said(error: object, code: int) -> int:
    print(f"tasks: {' '.join(str(error).split())}", file=sys.stderr)
    return code


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {summary}" for name, (_, summary) in COMMANDS.items()]
    return "\n".join(["usage: python -m tasks COMMAND ...", "", "Data sets for software tasks. Commands:", *lines, "",
                      "python -m tasks COMMAND --help shows the options of one."])


if __name__ == "__main__":
    sys.exit(main())
