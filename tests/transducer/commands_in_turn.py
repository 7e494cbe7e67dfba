"""Runs commands one after the other in one process, which a launcher may have started several of:

    python -m tests.transducer.commands_in_turn '[["transducer.train", "--task", "assert"], ["transducer.compare", ...]]'

It ends with the first code that is not 0.
"""
from __future__ import annotations

import json
import sys
from importlib import import_module

from transducer.commands import command_line


def main() -> int:
    for module, *arguments in json.loads(sys.argv[1]):
        code = command_line(import_module(module).main, arguments)
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
