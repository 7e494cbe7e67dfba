"""Near duplicates, and splits by module and focal function."""
from __future__ import annotations

import random

import numpy as np
import pytest
from datasketch import MinHash, MinHashLSH

from tasks import Example
from tasks.code_tokens import code_tokens
from tasks.decontaminate import BANDS, PERMUTATIONS, ROWS, BandIndex, hashed_shingles, jaccard, near_duplicates, shingles, without_duplicates
from tasks.splitting import module_groups, one_split_per_focal, split_by_module, split_of


def words(*numbers: int) -> str:
    return " ".join(f"w{number}" for number in numbers)


def example(name: str, source: str, module: str = "m", focal: str = "f", test: str = "t") -> Example:
    return Example(name, source, "assert x", "python", {"test_module": module, "focal": focal, "test": test})


def names(splits: dict[str, list[Example]]) -> dict[str, list[str]]:
    return {split: [item.id for item in examples] for split, examples in splits.items()}


def test_tokens_do_not_depend_on_layout() -> None:
    assert code_tokens("f ( x_1 )\n  == 1.5") == code_tokens("f(x_1)==1.5") == ["f", "(", "x_1", ")", "=", "=", "1", ".", "5"]


def test_shingles_and_jaccard() -> None:
    # Seven tokens have three 5-grams; with the last token changed one of three differs, so 2 are shared of 4.
    left, right = shingles(words(1, 2, 3, 4, 5, 6, 7)), shingles(words(1, 2, 3, 4, 5, 6, 8))
    assert len(left) == 3 and jaccard(left, right) == 2 / 4
    assert shingles("a b") == frozenset({("a", "b")}) and jaccard(frozenset(), frozenset()) == 1.0


def test_hashes_stand_for_the_shingles() -> None:
    # Few distinct tokens, so that the same grams come again and grams differ in the order of their tokens alone; short texts,
    # whose one gram is the whole, and none.
    generator = random.Random(5)
    texts = [" ".join(generator.choices(["a", "b", "=", "é", "(", ")"], k=length)) for length in [0, 1, 2, 3, 4, 5, *range(6, 120)]]
    texts += ["a b", "b a", "b", "a a", "a a a", "\ud800 a"]
    exact, hashed = [shingles(text) for text in texts], [set(hashed_shingles(text).tolist()) for text in texts]
    assert [len(grams) for grams in exact] == [len(grams) for grams in hashed]
    for left in range(len(texts)):
        for right in range(left):
            assert len(exact[left] & exact[right]) == len(hashed[left] & hashed[right]), (texts[left], texts[right])


@pytest.mark.parametrize(("length", "found"), [(44, True), (43, False)])
def test_the_threshold_is_exact(length: int, found: bool) -> None:
    # n tokens have n - 4 5-grams. Cutting k tokens off the end leaves a subset of them, so J = (n - 4 - k) / (n - 4); with
    # n = 44, k = 8 it is 32/40 = 0.8, with n = 43 it is 31/39 < 0.8.
    text = words(*range(length))
    cut = words(*range(length - 8))
    assert near_duplicates([cut], [words(900, 901), text]) == ({0: 1} if found else {})


def test_the_nearest_is_named() -> None:
    text = words(*range(100))
    assert near_duplicates([text], [words(*range(95)), text, words(*range(98))]) == {0: 1}
    assert near_duplicates([], [text]) == near_duplicates([text], []) == {}


def test_bands_propose_what_the_library_proposes() -> None:
    # Signatures of few different values, so that many share a band: 4 rows of 4 values agree in one pair of 256
    # so some of 32 bands do in one of nine.
    def of_library(signature: np.ndarray) -> MinHash:
        return MinHash(PERMUTATIONS, hashvalues=signature, scheme="affine32")

    generator = np.random.default_rng(3)
    signatures = generator.integers(0, 4, (200, PERMUTATIONS), dtype=np.uint64)
    own, library = BandIndex(len(signatures)), MinHashLSH(num_perm=PERMUTATIONS, params=(BANDS, ROWS))
    for place, signature in enumerate(signatures):
        own.insert(place, signature)
        library.insert(place, of_library(signature))
    found = [own.query(signature) for signature in signatures]
    assert found == [set(library.query(of_library(signature))) for signature in signatures]
    assert 2_000 < sum(map(len, found)) < 10_000
    assert own.query(np.full(PERMUTATIONS, 7, np.uint64)) == set()


def test_train_gives_way_to_valid_and_valid_to_test() -> None:
    texts = [words(*range(start, start + 50)) for start in (0, 100, 200, 300)]
    near = [words(*range(start, start + 49)) for start in (0, 100, 200, 300)]
    splits = {"train": [example("t0", texts[0]), example("t1", texts[1]), example("t2", texts[3]), example("t3", texts[3])],
              "valid": [example("v1", near[1]), example("v2", texts[2])], "test": [example("e0", near[0]), example("e2", near[2])]}
    kept, drops = without_duplicates(splits)
    assert names(kept) == {"train": ["t2"], "valid": ["v1"], "test": ["e0", "e2"]}
    assert drops == {"same_source_in_split": 1, "near_duplicate_removed_from_train": 2, "near_duplicate_removed_from_valid": 1}


def test_a_split_depends_on_the_name_of_the_group_alone() -> None:
    # SHA-256("networkx.algorithms.tests.test_core") begins with 2d0c..., that is 0.176 of the range, below 0.80; the shares
    # of ten thousand names are near 80, 8 and 12 %, three standard deviations (0.4 %) apart at most.
    counts = {split: sum(split_of(f"module{number}") == split for number in range(10_000)) for split in ("train", "valid", "test")}
    assert counts["train"] == pytest.approx(8000, abs=120)
    assert counts["valid"] == pytest.approx(800, abs=82) and counts["test"] == pytest.approx(1200, abs=98)


def test_modules_written_after_each_other_go_together() -> None:
    shared = [f"Test.test_{name}" for name in "abcd"]
    examples = [example(f"{module}-{test}", test, module, test=test) for module in ("one", "two") for test in shared]
    examples += [example("three-x", "x", "three", test="Other.test_x")]
    assert module_groups(examples) == {"one": "one", "two": "one", "three": "three"}  # five names: Test and four tests
    splits = split_by_module(examples)
    assert sum(map(len, splits.values())) == 9 and len(splits[split_of("one")]) >= 8


def test_a_focal_function_stays_where_most_of_its_examples_are() -> None:
    splits = {"train": [example("t0", "a", focal="f")], "valid": [example("v0", "b", focal="g")],
              "test": [example("e0", "c", focal="f"), example("e1", "d", focal="f"), example("e2", "e", focal="g")]}
    kept, drops = one_split_per_focal(splits)
    assert names(kept) == {"train": [], "valid": ["v0"], "test": ["e0", "e1"]}
    assert drops == {"focal_function_in_other_split": 2}
