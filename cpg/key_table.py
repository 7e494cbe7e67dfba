"""KeyTable: from 64-bit keys to 64-bit values in 16 bytes an entry and free place.

A dictionary of a million digests takes some 200 MB, this table 34 MB, so a corpus of any usual size
fits beside its workers. Open addressing with linear probing in two `array`s.
"""

from __future__ import annotations

from array import array


class KeyTable:
    """Keys should be spread evenly, such as the first bytes of a digest. Values start at 1; 0 means absent."""

    def __init__(self) -> None:
        self._mask = (1 << 10) - 1
        self._keys = array("Q", bytes(8 << 10))
        self._values = array("Q", bytes(8 << 10))
        self._used = 0

    def get(self, key: int) -> int:
        """The value of a key, 0 where it has none. Constant time."""
        return self._values[self._slot(key)]

    def put(self, key: int, value: int) -> None:
        """Set the value of a key; 0 takes it away."""
        slot = self._slot(key)
        if not self._keys[slot]:
            self._keys[slot] = key or 1
            self._used += 1
        self._values[slot] = value
        if self._used * 3 > self._mask * 2:
            self._grow()

    def add(self, key: int) -> bool:
        """Mark a key as seen; whether it was new."""
        if self.get(key):
            return False
        self.put(key, 1)
        return True

    def _slot(self, key: int) -> int:
        key = key or 1  # 0 marks a free slot
        keys, mask = self._keys, self._mask
        slot = key & mask
        while keys[slot] not in (0, key):
            slot = (slot + 1) & mask
        return slot

    def _grow(self) -> None:
        keys, values = self._keys, self._values
        size = 2 * len(keys)
        self._mask, self._keys, self._values, self._used = size - 1, array("Q", bytes(8 * size)), array("Q", bytes(8 * size)), 0
        for key, value in zip(keys, values):
            if value:
                slot = self._slot(key)
                self._keys[slot], self._values[slot] = key, value
                self._used += 1
