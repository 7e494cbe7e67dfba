"""What a test is about by its name and the name of its class: `FooTest.testBar`, `FooTests.Bar_Gives_Baz`, `TestFoo.shouldBar`."""

from __future__ import annotations

import re
from functools import lru_cache

from .class_names import NAMES_KEPT, Names
from .language_miner import Declaration

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_ENDING = re.compile(r"(?:ing|ed|es|s)$")
_OF_EVERY_TEST = frozenset({"test", "should", "tests", "can"})
_OF_CONSTRUCTORS = frozenset({"constructor", "ctor", "construct", "instantiat"})
_TEST_CLASS = re.compile(r"^(?:Test(?=[A-Z]))|(?:Tests?|TestCase|UnitTests?|Fixture|TestFixture|IT|Specs?)$")
SAID = 40
"""Letters that a constructor is of the name of a test that begins with saying so: more than most methods are."""
_SHORT_PREFIXES = frozenset({"get", "is", "has", "set"})


class TestNames:
    """The names of one test.

    Args:
        names: of the index.
        test: name of the test method.
        owner: qualified name of its class.
        package: of the class.

    Attributes:
        subject: the class that the test class is named after and what that is made from, nearest first; empty for none.
    """

    __test__ = False

    def __init__(self, names: Names, test: str, owner: str, package: str):
        self._index = names.index
        self.subject, rest = _subject(names, owner, package)
        self._words = f" {' '.join([*(word for word in words(test) if word not in _OF_EVERY_TEST), *rest])} "
        self._letters_of: dict[str, int] = {}
        self._matches: dict[str, int] = {}

    def match(self, declared: Declaration) -> int:
        """How many letters of the test's name a method is; 0 for none, and for a single word where another method of its
        class is more of the name."""
        if declared.kind == "constructor":
            about = not self.subject or declared.owner in self.subject
            return SAID * (about and bool(_OF_CONSTRUCTORS & set(self._words.split()[:2])))
        if declared.qualified_name not in self._matches:
            own = self._letters(declared.name)
            if own and len(words(declared.name)) == 1 and self._is_part_of_another(declared, own):
                own = 0
            self._matches[declared.qualified_name] = own
        return self._matches[declared.qualified_name]

    def _is_part_of_another(self, declared: Declaration, own: int) -> bool:
        return any(other.name != declared.name and other.kind == "method" and self._letters(other.name) > own
                   for other in self._index.members(declared.owner))

    def _letters(self, name: str) -> int:
        """How many letters of the test's name a name is; counted twice where the whole name is in it."""
        if name not in self._letters_of:
            spelled = words(name)
            found = 2 * sum(map(len, spelled)) if self._has(spelled) else 0
            if not found and spelled[:1] and spelled[0] in _SHORT_PREFIXES and self._has(spelled[1:]):
                found = sum(map(len, spelled[1:]))
            self._letters_of[name] = found
        return self._letters_of[name]

    def _has(self, spelled: tuple[str, ...]) -> bool:
        return bool(spelled) and f" {' '.join(spelled)} " in self._words

    def named_method(self) -> Declaration | None:
        """The one method of the class under test that the test is named after; of its own before those that it inherits."""
        for owner in self.subject:
            members = [member for member in self._index.members(owner) if member.kind == "method" and member.extra["body"]]
            most = max((self._letters(member.name) for member in members), default=0)
            best = [member for member in members if self._letters(member.name) == most]
            if most:
                return best[0] if len(best) == 1 else None
        return None


def _subject(names: Names, owner: str, package: str) -> tuple[tuple[str, ...], list[str]]:
    """The class under test with what it is made from, and the words of the test class's name behind it."""
    for part in reversed(owner.split(".")):
        name = _TEST_CLASS.sub("", part)
        spelled = _WORD.findall(name) if name != part else []
        for count in range(len(spelled), 0, -1):
            found = [one for one in names.index.named("".join(spelled[:count]))
                     if one.kind == "class" and not one.extra["in_tests"]]
            near = [one for one in found if one.extra["package"] == package] or found
            if near and (count == len(spelled) or count > 1):
                return names.lineage(near[0].qualified_name), [stem(word) for word in spelled[count:]]
    return (), []


@lru_cache(maxsize=NAMES_KEPT)
def words(name: str) -> tuple[str, ...]:
    """The words of a name, in small letters, without endings."""
    return tuple(stem(word) for word in _WORD.findall(name))


def stem(word: str) -> str:
    """A word without the ending that makes it another form of itself."""
    word = word.lower()
    word = _ENDING.sub("", word) if len(word) > 3 else word
    return word.removesuffix("e") if len(word) > 2 else word
