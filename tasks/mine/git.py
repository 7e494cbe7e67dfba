"""What is asked of git; it is run as a program, with its texts untranslated and its paths unquoted."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ZERO = "0" * 40


class NoCheckout(Exception):
    """The folder is no git checkout, or there is no git; its text says which."""


@dataclass(frozen=True)
class Change:
    """A file that a commit changes: its path from the top of the checkout, `A`, `M`, `D` or `T`, and its contents before
    and after by their ids in git."""

    path: str
    status: str
    before: str
    after: str


@dataclass(frozen=True)
class Commit:
    """A commit: its id, the time of its author as seconds, the first line of its message, and what it changes."""

    identity: str
    time: int
    subject: str
    changes: tuple[Change, ...]


class Git:
    """The checkout that holds `folder`.

    Raises:
        NoCheckout: there is none, or git is not on the path.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.program = shutil.which("git")
        if self.program is None:
            raise NoCheckout("git is not on the path")
        self.head()

    def tracked_files(self) -> list[str]:
        """Tracked files below the folder, with their paths from there."""
        return [path for path in self._run("ls-files", "-z", "--cached").split("\0") if path]

    def head(self) -> str:
        """The id of the commit that is checked out."""
        return self._run("rev-parse", "--verify", "HEAD").strip()

    def commits(self, pattern: str) -> Iterator[Commit]:
        """Commits below the folder whose message matches the extended regular expression, newest first, without merges and
        without those that have no parent. Read as they come."""
        command = self._command("log", "--no-merges", "--min-parents=1", "-i", "-E", f"--grep={pattern}", "--raw", "--relative",
                                "--no-renames",
                                "--no-abbrev", "-z", "--format=format:%x01%H %at %s", "--", ".")
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=_environment()) as process:
            try:
                for record in _records(process.stdout, b"\x01"):
                    commit = _commit(record.decode("utf-8", "replace"))
                    if commit is not None:
                        yield commit
            finally:
                process.kill()

    def contents(self) -> Contents:
        """Reads contents by their ids."""
        return Contents(self._command("cat-file", "--batch"))

    def _command(self, *arguments: str) -> list[str]:
        return [self.program, "-C", str(self.folder), "-c", "core.quotepath=off", "--no-pager", *arguments]

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(self._command(*arguments), capture_output=True, env=_environment())
        if done.returncode:
            said = (done.stderr.decode("utf-8", "replace").strip() or "git failed").splitlines()[0]
            raise NoCheckout(said)
        return done.stdout.decode("utf-8", "surrogateescape")


class Contents:
    """A running `git cat-file --batch`; to be closed."""

    def __init__(self, command: list[str]):
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                         env=_environment())

    def read(self, identity: str) -> bytes | None:
        """The contents of an id; None where git has none."""
        self._process.stdin.write(f"{identity}\n".encode())
        self._process.stdin.flush()
        header = self._process.stdout.readline().split()
        if len(header) != 3:
            return None
        data = self._process.stdout.read(int(header[2]) + 1)
        return data[:-1] if header[1] == b"blob" else None

    def close(self) -> None:
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


def _records(stream: object, mark: bytes) -> Iterator[bytes]:
    """What stands between marks in a stream, without what is before the first."""
    held = b""
    while block := stream.read(1 << 16):
        *whole, held = (held + block).split(mark)
        yield from filter(None, whole)
    if held:
        yield held


def _commit(record: str) -> Commit | None:
    """A commit from `ID TIME SUBJECT`, a line end, and pairs of a raw line and a path, each with a zero byte behind it."""
    head, _, listed = record.partition("\n")
    fields = listed.rstrip("\0").split("\0") if listed.startswith(":") else []
    parts = head.split(" ", 2)
    if len(parts) < 2 or len(fields) % 2:
        return None
    changes = []
    for raw, path in zip(fields[::2], fields[1::2]):
        _, _, before, after, status = raw.lstrip(":").split(" ")
        changes.append(Change(path, status[:1], before, after))
    return Commit(parts[0], int(parts[1]), parts[2] if len(parts) > 2 else "", tuple(changes))


def _environment() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}
