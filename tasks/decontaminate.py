"""Near duplicates between texts, and their removal from splits.

Two texts are near duplicates when the sets of their token 5-grams have a Jaccard index of at least the threshold. MinHash
signatures (Broder, 1997) from `datasketch` propose pairs by locality-sensitive hashing; every proposed pair is checked by
its own index. With 32 bands of 4 rows a pair of index J is proposed with probability 1 - (1 - J^4)^32: of pairs at 0.8 one
in twenty million is missed, at 0.6 one in eighty. Deterministic. Cost: some 0.15 ms for a text of 1,000 characters, and in memory
some 2 kB a text of the pool, of whose 5-grams only hashes of 64 bits are kept.

A looser measure finds more: by sets of single tokens 217 of the 700 test pairs of CodeXGLUE's translation have a side with an
index of 0.8 or more to a training example, by 5-grams 73, all of them among the 217.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Generic, TypeVar

from tqdm import tqdm

from .base import Example
from .code_tokens import code_tokens

if TYPE_CHECKING:
    import numpy as np
    from datasketch import MinHash

Item = TypeVar("Item")

NGRAM = 5
THRESHOLD = 0.8
BANDS, ROWS = 32, 4
PERMUTATIONS = BANDS * ROWS

_MULTIPLIER = 0x9E3779B97F4A7C15
"""Of the polynomial that makes one number of those of a 5-gram's tokens; odd, so that no place in it is lost."""


def shingles(text: str) -> frozenset[tuple[str, ...]]:
    """The token 5-grams of `text`; the whole of it where it is shorter."""
    tokens = code_tokens(text)
    return frozenset(tuple(tokens[start:start + NGRAM]) for start in range(max(1, len(tokens) - NGRAM + 1)))


def hashed_shingles(text: str) -> np.ndarray:
    """The same as hashes of 64 bits, each once and in order: [grams].

    A gram is a polynomial of its tokens' own hashes modulo 2^64, so that all of a text are made in five steps.
    """
    import numpy as np

    tokens = code_tokens(text)
    numbers = np.fromiter(map(_hashed_token, tokens), np.uint64, len(tokens))
    size = min(NGRAM, len(tokens))
    grams = np.zeros(len(tokens) - size + 1, np.uint64)
    for place in range(size):
        grams = grams * np.uint64(_MULTIPLIER) + numbers[place:place + len(grams)]
    return np.unique(grams)


@lru_cache(maxsize=20_000)
def _hashed_token(token: str) -> int:
    return int.from_bytes(hashlib.blake2b(token.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def jaccard(left: frozenset, right: frozenset) -> float:
    """Size of the intersection over size of the union; 1 for two empty sets."""
    union = len(left | right)
    return len(left & right) / union if union else 1.0


def near_duplicates(texts: Collection[str], pool: Collection[str], threshold: float = THRESHOLD,
                    progress: bool = False) -> dict[int, int]:
    """For each of `texts` with a near duplicate in `pool`: its place, and the place of the nearest one. Each text is read
    once."""
    if not texts or not pool:
        return {}
    from datasketch import MinHash

    empty = MinHash(num_perm=PERMUTATIONS, seed=1, hashfunc=int)
    index = BandIndex(len(pool))
    hashed: list[np.ndarray] = []
    bar = tqdm(total=len(pool) + len(texts), desc="near duplicates", unit="text", delay=2.0, leave=False,
               disable=None if progress else True)
    with bar:
        for place, text in enumerate(pool):
            hashed.append(hashed_shingles(text))
            index.insert(place, _minhash(empty, hashed[-1]).hashvalues)
            bar.update()
        found: dict[int, int] = {}
        for place, text in enumerate(texts):
            own = hashed_shingles(text)
            near = [(_jaccard_of_hashed(own, hashed[other]), -other) for other in index.query(_minhash(empty, own).hashvalues)]
            best = max(near, default=(0.0, 0))
            if best[0] >= threshold:
                found[place] = -best[1]
            bar.update()
    return found


class BandIndex:
    """Places of texts by the bands of their MinHash signatures: two texts meet where all rows of a band agree.

    What `datasketch.MinHashLSH` does with a dictionary a band, which takes some 10 kB a text; here it is 400 bytes.

    Args:
        size: of the texts, which are put in first and asked for then.
    """

    def __init__(self, size: int):
        import numpy as np

        self._bands = np.empty((size, BANDS), np.uint64)
        self._order: np.ndarray | None = None

    def insert(self, place: int, signature: np.ndarray) -> None:
        """Puts in the text at a place; signature: [permutations]."""
        self._bands[place] = _bands(signature)

    def query(self, signature: np.ndarray) -> set[int]:
        """The places of texts that share a band with a signature."""
        import numpy as np

        if self._order is None:
            flat = self._bands.reshape(-1)
            self._order = flat.argsort().astype(np.uint32)
            self._bands = flat[self._order]
        bands = _bands(signature)
        first = self._bands.searchsorted(bands, "left")
        end = self._bands.searchsorted(bands, "right")
        return {int(place) // BANDS for start, stop in zip(first.tolist(), end.tolist()) for place in self._order[start:stop]}


def _bands(signature: np.ndarray) -> np.ndarray:
    """One number for each band of a signature, by which band it is and its rows: [bands]."""
    import numpy as np

    rows = signature.astype(np.uint64).reshape(BANDS, ROWS)
    numbers = np.arange(BANDS, dtype=np.uint64)
    for row in range(ROWS):
        numbers = numbers * np.uint64(_MULTIPLIER) + rows[:, row]
    return numbers


def duplicated(examples: Sequence[Example], pool: Sequence[Example], sides: Sequence[str], threshold: float = THRESHOLD,
               progress: bool = False) -> set[int]:
    """Places of the `examples` that have a near duplicate in `pool` on any of the `sides` (`source`, `target`)."""
    return {place for side in sides
            for place in near_duplicates([getattr(example, side) for example in examples],
                                         [getattr(example, side) for example in pool], threshold, progress)}


class _Sources(Collection[str], Generic[Item]):
    """The sources of items, each read when its turn comes."""

    def __init__(self, items: Sequence[Item], source: Callable[[Item], str]):
        self._items = items
        self._source = source

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[str]:
        return map(self._source, self._items)

    def __contains__(self, text: object) -> bool:
        return any(text == source for source in self)


def without_duplicates(splits: Mapping[str, Sequence[Item]], threshold: float = THRESHOLD, progress: bool = False,
                       source: Callable[[Item], str] = attrgetter("source")) -> tuple[dict[str, list[Item]], Counter[str]]:
    """Splits in which no source is twice and no source of one is a near duplicate of another's, and counts of the drops.

    Of equal sources within a split the first stays. Of near duplicates between splits the one in train goes first, then
    the one in valid, so that the test split loses nothing but repetitions.

    Args:
        splits: examples, or whatever stands for them.
        source: what tells their sources.
    """
    drops: Counter[str] = Counter()
    kept = {}
    for split, examples in splits.items():
        keys = [hashlib.sha256("\0".join(code_tokens(text)).encode("utf-8")).digest() for text in map(source, examples)]
        first = dict(zip(reversed(keys), reversed(range(len(keys)))))
        kept[split] = [example for place, example in enumerate(examples) if first[keys[place]] == place]
        drops["same_source_in_split"] += len(examples) - len(kept[split])
    for split, others in (("valid", ("test",)), ("train", ("valid", "test"))):
        pool = [example for other in others for example in kept[other]]
        near = near_duplicates(_Sources(kept[split], source), _Sources(pool, source), threshold, progress)
        drops[f"near_duplicate_removed_from_{split}"] += len(near)
        kept[split] = [example for place, example in enumerate(kept[split]) if place not in near]
    return kept, +drops


def _minhash(empty: MinHash, hashed: np.ndarray) -> MinHash:
    # A copy shares the permutations, which take longer to draw than to apply.
    signature = empty.copy()
    signature.update_batch((hashed >> 32).tolist())
    return signature


def _jaccard_of_hashed(left: np.ndarray, right: np.ndarray) -> float:
    """As `jaccard`."""
    import numpy as np

    both = len(np.intersect1d(left, right, assume_unique=True))
    return both / (len(left) + len(right) - both)
