"""Append-only files of keyed records: few files however many records, whole or not there after any kill.

A folder holds segments. Each writer makes a segment of its own, under a name that no other takes, and appends
to it only; so writers never meet, on one machine or on a shared folder, and need no lock. A record is a header
(magic, length, key, CRC-32) and its bytes, and reaches the file in one write. A record cut off by a kill or
changed on disk fails its checksum and counts as absent; the records around it stand.

The index is made by reading headers when the folder is opened: half a second for 150,000 records.
"""

from __future__ import annotations

import mmap
import os
import secrets
import struct
import time
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from cpg.key_table import KeyTable

SUFFIX = ".graphs1"
FILE_MAGIC = b"cpgseg1\n"
RECORD_MAGIC = b"\xc7REC"
HEADER = struct.Struct(">4sI32sI")
OFFSET_BITS = 40
"""A place is the number of a segment above, the offset of a record in it below."""
FIRST_READ = 4096
"""Bytes read at once with a header; most records are smaller, so that they need one read."""
OPEN_FILES = 64


class Segments:
    """The records of a folder, by 32-byte key. Records written by others after opening are not seen."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True)
        self._paths = sorted(self._folder.glob(f"*{SUFFIX}"))
        self._files: dict[int, int] = {}
        self._index = KeyTable()
        self._own: int | None = None
        self._end = 0
        self._process = os.getpid()
        self.count = 0
        """Records in the index, one a key."""
        for number, path in enumerate(self._paths):
            for offset, key in _records(path):
                self._note(key, number, offset)

    def __enter__(self) -> Segments:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def read(self, key: bytes) -> tuple[bytes | None, bool]:
        """The bytes of a key, None where there are none; and whether a record was there but damaged."""
        place = self._index.get(_short(key))
        if not place:
            return None, False
        number, offset = place >> OFFSET_BITS, place & ((1 << OFFSET_BITS) - 1)
        found = self._record(number, offset)
        if found is None:
            self._index.put(_short(key), 0)
            self.count -= 1
            return None, True
        return (found[1], False) if found[0] == key else (None, False)

    def write(self, records: Iterable[tuple[bytes, bytes]]) -> None:
        """Append records in one write.

        Raises:
            OSError: the file system takes no more; what is there stays readable.
        """
        if self._own is None or self._process != os.getpid():
            self._start()
        assert self._own is not None
        parts, places, end = [], [], self._end
        for key, data in records:
            parts += (HEADER.pack(RECORD_MAGIC, len(data), key, _checksum(key, data)), data)
            places.append((key, end))
            end += HEADER.size + len(data)
        try:
            _write_all(self._files[self._own], b"".join(parts))
        except OSError:
            self._own = None  # it may end in half a record: the next write starts another
            raise
        self._end = end
        for key, offset in places:
            self._note(key, self._own, offset)

    def close(self) -> None:
        """Close the files. Nothing is pending: every write is in the file when `write` returns."""
        for descriptor in self._files.values():
            os.close(descriptor)
        self._files.clear()
        self._own = None

    def _start(self) -> None:
        """A segment of this process. A forked child starts its own rather than share its parent's."""
        self._process = os.getpid()
        path = self._folder / f"{time.time_ns():x}-{os.getpid():x}-{secrets.token_hex(4)}{SUFFIX}"
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND, 0o644)
        _write_all(descriptor, FILE_MAGIC)
        self._own = len(self._paths)
        self._paths.append(path)
        self._files[self._own] = descriptor
        self._end = len(FILE_MAGIC)

    def _note(self, key: bytes, number: int, offset: int) -> None:
        short = _short(key)
        self.count += not self._index.get(short)
        self._index.put(short, number << OFFSET_BITS | offset)

    def _record(self, number: int, offset: int) -> tuple[bytes, bytes] | None:
        """Key and bytes at a place, None where the checksum does not hold or the file is gone."""
        try:
            descriptor = self._descriptor(number)
            data = os.pread(descriptor, FIRST_READ, offset)
            if len(data) < HEADER.size:
                return None
            magic, length, key, checksum = HEADER.unpack_from(data)
            body = data[HEADER.size : HEADER.size + length]
            if magic == RECORD_MAGIC and len(body) < length:
                body += os.pread(descriptor, length - len(body), offset + len(data))
        except OSError:
            return None
        holds = magic == RECORD_MAGIC and len(body) == length and _checksum(key, body) == checksum
        return (key, body) if holds else None

    def _descriptor(self, number: int) -> int:
        descriptor = self._files.get(number)
        if descriptor is None:
            if len(self._files) >= OPEN_FILES:
                oldest = next(other for other in self._files if other != self._own)
                os.close(self._files.pop(oldest))
            descriptor = os.open(self._paths[number], os.O_RDONLY)
            self._files[number] = descriptor
        return descriptor


def _records(path: Path) -> Iterator[tuple[int, bytes]]:
    """Offset and key of the records of a file, by their headers. What they say is believed only when it is read."""
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < len(FILE_MAGIC) + HEADER.size:
                return
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                position = len(FILE_MAGIC)
                while 0 <= position <= size - HEADER.size:
                    magic, length, key, _ = HEADER.unpack_from(data, position)
                    end = position + HEADER.size + length
                    if magic == RECORD_MAGIC and end <= size:
                        yield position, key
                    follows = end == size or data[end : end + len(RECORD_MAGIC)] == RECORD_MAGIC
                    # A damaged length must not skip the records after it.
                    position = end if follows else data.find(RECORD_MAGIC, position + 1)
    except OSError:
        return


def _short(key: bytes) -> int:
    return int.from_bytes(key[:8], "big")


def _checksum(key: bytes, data: bytes) -> int:
    return zlib.crc32(data, zlib.crc32(key))


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
