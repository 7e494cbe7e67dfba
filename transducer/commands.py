"""What the commands share: errors as one line, exit codes, silence of the libraries underneath."""
from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

from .errors import ConfigurationError, TransducerError, UnknownNameError

DONE, FAILED, BAD_ARGUMENTS, INTERRUPTED = 0, 1, 2, 130


class CommandParser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, `--help` having the usage, and that takes no shortened flags."""

    def __init__(self, **options) -> None:
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> None:
        self.exit(BAD_ARGUMENTS, f"error: {message}; {self.prog} --help lists the options\n")


def command_line(main: Callable[[list[str] | None], int], arguments: list[str] | None = None) -> int:
    """Runs a command; every error made on purpose becomes one line on standard error and an exit code.

    0 done, 1 failed, 2 bad arguments, 130 interrupted. Anything else is a defect and keeps its traceback.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    try:
        code = main(arguments)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt as interruption:
        return _said(str(interruption) or "interrupted", INTERRUPTED)
    except BrokenPipeError:
        # The reader of standard output went away. Python would complain once more when it closes it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (UnknownNameError, ConfigurationError) as error:
        return _said(error, BAD_ARGUMENTS)
    except TransducerError as error:
        return _said(error, FAILED)
    except Exception as error:
        code = _code_of_other_packages(error)
        if code is None:
            raise
        return _said(error, code)


def _code_of_other_packages(error: Exception) -> int | None:
    """Exit code of an error of `tasks`, `cpg` or `checkpoints`; None where it is none of theirs."""
    from checkpoints.errors import CheckpointError
    from cpg.errors import CpgError
    from tasks.errors import TaskError, UnknownTaskError

    if isinstance(error, UnknownTaskError):
        return BAD_ARGUMENTS
    return FAILED if isinstance(error, (CheckpointError, CpgError, TaskError)) else None


def _said(error: object, code: int) -> int:
    text = " ".join(str(error).split())
    print(f"error: {text}" if code != INTERRUPTED else text, file=sys.stderr)
    return code
