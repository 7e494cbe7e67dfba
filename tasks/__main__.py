"""python -m tasks COMMAND ...: what can be done with data sets without training anything."""

from __future__ import annotations

import sys
from importlib import import_module

COMMANDS: dict[str, tuple[str, str]] = {
    "mine": (".mine.command", "make a data set of your own source trees"),
}
"""Name -> (module with `main(arguments) -> exit code`, one line for the listing). A further command is one line here."""

USAGE = "usage: python -m tasks COMMAND ...\n\n" + "\n".join(f"  {name:<10} {line}" for name, (_, line) in COMMANDS.items()) + (
    "\n\npython -m tasks COMMAND --help shows the options of a command.")


def main(arguments: list[str]) -> int:
    """Runs a command; its exit code, 2 where there is no such command."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE)
        return 0 if arguments else 2
    if arguments[0] not in COMMANDS:
        from .errors import unknown_name

        print(f"tasks: {unknown_name('command', arguments[0], COMMANDS)}", file=sys.stderr)
        return 2
    return import_module(COMMANDS[arguments[0]][0], "tasks").main(arguments[1:])


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
