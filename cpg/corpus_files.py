"""OutputFiles: the two files of a run, whole or not there."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import IO

from cpg.errors import CorpusOutputError

FAILURES = ".failures.jsonl"
PARTIAL = ".partial"


class OutputFiles:
    """Opens both under temporary names; `commit` renames them. Left without a commit, they are removed.

    The temporary name is always the same, so the file that a killed run left is taken by the next one. A lock
    on it, which ends with its process, keeps two runs from writing one output.

    Raises:
        CorpusOutputError: the folder is missing or not writable, or another run is writing this output.
    """

    def __init__(self, output: Path) -> None:
        self._output = output
        self._failures_output = output.with_name(output.name + FAILURES)

    def __enter__(self) -> OutputFiles:
        self.graphs: IO[bytes] = _open_locked(_partial(self._output))
        try:
            self.failures: IO[bytes] = open(_partial(self._failures_output), "wb")
        except OSError as error:
            self.graphs.close()
            raise CorpusOutputError(f"cannot write {self._failures_output}: {error.strerror}") from error
        return self

    def __exit__(self, *exception: object) -> None:
        for file, path in ((self.failures, self._failures_output), (self.graphs, self._output)):
            with contextlib.suppress(OSError):
                file.close()
            _partial(path).unlink(missing_ok=True)

    def commit(self) -> str | None:
        """Put both in place; the name of the failures' file, None where nothing failed (then there is none)."""
        failed = self.failures.tell() > 0
        self.failures.close()
        self.graphs.flush()
        if failed:
            _partial(self._failures_output).replace(self._failures_output)
        else:
            self._failures_output.unlink(missing_ok=True)
        _partial(self._output).replace(self._output)
        return str(self._failures_output) if failed else None


def _partial(path: Path) -> Path:
    return path.with_name(path.name + PARTIAL)


def _open_locked(path: Path) -> IO[bytes]:
    """A file to write from its beginning, locked until it is closed or this process ends."""
    import fcntl

    try:
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+b", buffering=1 << 20)
    except OSError as error:
        raise CorpusOutputError(f"cannot write {path}: {error.strerror}; the folder has to be there") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise CorpusOutputError(f"{path} is being written by another run; wait for it, or give another --out") from None
    except OSError:  # a file system without locks: the caller sees to it that outputs differ
        pass
    if not path.exists() or not os.path.samestat(os.fstat(file.fileno()), path.stat()):
        file.close()  # the other run renamed it between opening and locking
        raise CorpusOutputError(f"{path} has just been written by another run; give another --out to write it again")
    file.truncate(0)
    return file
