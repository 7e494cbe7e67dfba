"""What names stand for in languages whose functions are methods of classes: classes by the imports of a file, methods by the
supertypes of a class and by what a call gives them. Without a compiler: what the trees do not declare is unknown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from .language_miner import Declaration
from .syntax import element, erased
from .tree_index import TreeIndex

_JAVA_IMPORT = re.compile(r"import\s+(?P<static>static\s+)?(?P<name>[\w.]+?)(?P<star>\.\*)?\s*;")
_USING = re.compile(r"(?:global\s+)?using\s+(?P<static>static\s+)?(?:(?P<alias>\w+)\s*=\s*)?(?:global::)?(?P<name>[\w.]+)")

NUMBERS = ("byte", "sbyte", "short", "ushort", "char", "int", "uint", "long", "ulong", "float", "double", "decimal")
PRIMITIVES = (*NUMBERS, "boolean")
_BOXES = {"Integer": "int", "Long": "long", "Double": "double", "Float": "float", "Character": "char", "Boolean": "boolean",
          "Short": "short", "Byte": "byte", "bool": "boolean", "Boolean?": "boolean", "String": "string", "Int32": "int",
          "Int64": "long", "Object": "object"}
_TEXT = frozenset({"string", "CharSequence", "object", "Comparable", "Serializable"})
IMPOSSIBLE = -9
NOT_OF_THIS_CLASS = -4

ANSWERS_KEPT = 4096
"""Of a question for methods, the answers that are kept at hand."""

NAMES_KEPT = 8192
"""Of a question for one name of a class or type."""


class Type(NamedTuple):
    """A type where it was written.

    Attributes:
        text: as written, without blanks.
        file: path of the file whose names it is in.
        owner: qualified name of the class around it.
        static: whether the class itself is meant, not an object of it.
        shown: the type that the object is declared as, where it is made as another.
    """

    text: str
    file: str
    owner: str
    static: bool = False
    shown: str = ""


class FileNames:
    """What the imports of a file say."""

    def __init__(self, imports: Iterable[str], package: str):
        self.single: dict[str, str] = {}
        self.stars: list[str] = []
        self.static: dict[str, str] = {}
        self.static_stars: list[str] = []
        for line in imports:
            match = _JAVA_IMPORT.match(line) or _USING.match(line)
            if match:
                self._add(match.groupdict())
        parts = package.split(".") if package else []
        self.packages = [".".join(parts[:count]) for count in range(len(parts), 0, -1)] + [""]

    def _add(self, found: dict[str, str | None]) -> None:
        name = found["name"] or ""
        simple = name.rpartition(".")[2]
        if "alias" in found:
            if found["static"]:
                self.static_stars.append(name)
            elif found["alias"]:
                self.single[found["alias"]] = name
            else:
                self.stars.append(name)
        elif found["static"]:
            if found["star"]:
                self.static_stars.append(name)
            else:
                self.static[simple] = name.rpartition(".")[0]
                self.single.setdefault(simple, name)
        elif found["star"]:
            self.stars.append(name)
        else:
            self.single[simple] = name


class Names:
    """Classes and methods of an index by the names that files use for them. What was asked before is remembered.

    Args:
        index: what the trees declare.
        generics: whether a generic method and another of the same parameters are two.
    """

    def __init__(self, index: TreeIndex, generics: bool = False):
        self.index = index
        self.generics = generics
        self.of_file = lru_cache(maxsize=2000)(self._of_file)
        self.class_of = lru_cache(maxsize=NAMES_KEPT)(self._class_of)
        self.lineage = lru_cache(maxsize=NAMES_KEPT)(self._lineage)
        self.members = lru_cache(maxsize=ANSWERS_KEPT)(self._members)
        self.overriding = lru_cache(maxsize=ANSWERS_KEPT)(self._overriding)
        self.methods_named = lru_cache(maxsize=ANSWERS_KEPT)(self._methods_named)
        self.extensions_named = lru_cache(maxsize=ANSWERS_KEPT)(self._extensions_named)
        self._is_read = lru_cache(maxsize=NAMES_KEPT)(self._read_like_a_field)
        self._heirs: dict[str, list[str]] | None = None

    def _of_file(self, path: str) -> FileNames:
        declared = self.index.first_in_file(path)
        return FileNames(declared.extra.get("imports", ()), declared.extra["package"]) if declared else FileNames((), "")

    def is_class(self, qualified: str) -> bool:
        """Whether the trees declare a class of this qualified name."""
        return self.index.is_class(qualified)

    def _class_of(self, text: str, file: str, owner: str) -> str:
        """Qualified name of the class that a type stands for, empty where it is none of the trees."""
        text = erased(text)
        if not text or text.endswith("]"):
            return ""
        first, _, rest = text.removeprefix("global::").partition(".")
        names = self.of_file(file)
        around = owner
        while around:
            for one in self.lineage(around) if first != around.rpartition(".")[2] else (around,):
                found = one if one.rpartition(".")[2] == first else f"{one}.{first}"
                if self.is_class(found):
                    return self._inner(found, rest)
            around = around.rpartition(".")[0]
        if first in names.single:
            return self._inner(names.single[first], rest)
        for package in [*names.packages, *names.stars]:
            found = f"{package}.{first}".lstrip(".")
            if self.is_class(found):
                return self._inner(found, rest)
        return text if rest and self.is_class(text) else ""

    def _inner(self, found: str, rest: str) -> str:
        found = f"{found}.{rest}".rstrip(".")
        return found if self.is_class(found) else ""

    def _lineage(self, qualified: str) -> tuple[str, ...]:
        """A class and what it is made from, nearest first, as far as the trees declare it."""
        found: dict[str, None] = {}
        waiting = [qualified]
        while waiting and len(found) < 60:
            name = waiting.pop(0)
            if name in found:
                continue
            found[name] = None
            for one in self.index.qualified(name):
                if one.kind != "class":
                    continue
                for base in one.extra["supertypes"]:
                    # A class is not looked up in its own supertypes, which are what is being looked for.
                    above = self._outside(base, one)
                    if above:
                        waiting.append(above)
        return tuple(found)

    def _outside(self, base: str, heir: Declaration) -> str:
        first, _, rest = erased(base).partition(".")
        names = self.of_file(heir.file)
        places = [heir.owner] if heir.owner else []
        while places and "." in places[-1]:
            places.append(places[-1].rpartition(".")[0])
        if first in names.single:
            return self._inner(names.single[first], rest)
        for place in [*places, *names.packages, *names.stars]:
            found = f"{place}.{first}".lstrip(".")
            if found != heir.qualified_name and self.is_class(found):
                return self._inner(found, rest)
        return ""

    def held_by(self, owner: str) -> Type | None:
        """What a class holds that is made from a collection outside the trees: `Foo` of `class Foos extends List<Foo>`."""
        for one in self.lineage(owner):
            for declared in self.index.qualified(one):
                for base in declared.extra["supertypes"] if declared.kind == "class" else ():
                    if element(base) and not self._outside(base, declared):
                        return Type(element(base), declared.file, one)
        return None

    def heirs(self, qualified: str) -> list[Declaration]:
        """Classes made from a class, directly or not."""
        if self._heirs is None:
            self._heirs = {}
            for name in dict.fromkeys(one.qualified_name for one in self.index.of_kind("class")):
                for above in self.lineage(name)[1:]:
                    self._heirs.setdefault(above, []).append(name)
        return [one for name in self._heirs.get(qualified, ()) for one in self.index.qualified(name) if one.kind == "class"]

    def _methods_named(self, name: str) -> tuple[Declaration, ...]:
        """Methods of this name that are not of the tests."""
        return tuple(one for one in self.index.named(name) if one.kind == "method" and not one.extra["in_tests"])

    def _extensions_named(self, name: str) -> tuple[Declaration, ...]:
        """Those of them that are called as if they were of their first argument, as C# has it."""
        return tuple(one for one in self.methods_named(name) if one.extra["extension"])

    def _overriding(self, owner: str, name: str, parameters: int) -> tuple[Declaration, ...]:
        """Methods with a body, of classes outside the tests made from a class, of this name and so many parameters."""
        return tuple(member for heir in self.heirs(owner) if not heir.extra["in_tests"]
                     for member in self.index.members(heir.qualified_name, name)
                     if member.extra["body"] and member.kind == "method" and len(member.extra["types"]) == parameters)

    def _members(self, owner: str, name: str) -> tuple[Declaration, ...]:
        """Methods of this name that a class has, its own or inherited, without those that a nearer one replaces."""
        found: dict[tuple[str, ...], Declaration] = {}
        for one in self.lineage(owner):
            for member in self.index.members(one, name):
                if member.kind == "method":
                    key = (*map(erased, member.extra["types"]), *("<>",) * (self.generics and member.extra["generic"]))
                    if key not in found or member.extra["body"] and not found[key].extra["body"]:
                        found[key] = member
        return tuple(found.values())

    def reads(self, method: Declaration) -> bool:
        """Whether a method without parameters is called like a field of its class, or like one that sets what it reads."""
        return self._is_read(method.owner, method.name)

    def _read_like_a_field(self, owner: str, name: str) -> bool:
        if any(name in one.extra["field_types"] for one in self.index.qualified(owner) if one.kind == "class"):
            return True
        simple = owner.rpartition(".")[2]
        return any(other.kind != "class" and len(other.extra["types"]) == 1 and not other.extra["static"]
                   and erased(other.extra["returns"]) in ("void", simple) for other in self.index.members(owner, name))

    def explicit(self, owner: str, interface: str, name: str) -> list[Declaration]:
        """Members of C# that a class has only where it is used as an interface."""
        end = f".{name}"
        return [member for one in self.lineage(owner) for member in self.index.members(one)
                if member.name.endswith(end) and erased(member.name.removesuffix(end)) == erased(interface)]

    def fitting(self, members: Sequence[Declaration], given: Sequence[Type | None] | None, generic: bool = False
                ) -> list[Declaration]:
        """Those of overloaded methods that a call fits best.

        Args:
            members: methods of one name.
            given: the type of each argument, None where it is unknown; None where the method is only named.
            generic: whether the call gives type arguments.
        """
        if given is None:
            return [member for member in members if member.extra["property"]] or list(members)
        scored = [(self._score(member, given, generic), member) for member in members]
        best = max((points for points, _ in scored), default=IMPOSSIBLE)
        return [member for points, member in scored if points == best and points > IMPOSSIBLE // 2]

    def _score(self, member: Declaration, given: Sequence[Type | None], generic: bool) -> float:
        """How well a call fits a method; half of `IMPOSSIBLE` and less for one that it cannot be of."""
        extra = member.extra
        types, most = extra["types"], len(extra["types"])
        if extra["extension"] and len(given) == most - 1:
            types, most = types[1:], most - 1
        if len(given) < min(extra["required"], most) or len(given) > most and not extra["variadic"]:
            return 2 * IMPOSSIBLE
        if generic and not extra["generic"]:
            return 2 * IMPOSSIBLE
        points = -0.5 * extra["variadic"] - 0.1 * max(most - len(given), 0) - 0.5 * (extra["generic"] and not generic)
        for place, argument in enumerate(given):
            if place < most - extra["variadic"]:
                points += self._fit(types[place], member, argument)
            elif types:
                single = types[-1].removesuffix("[]")
                points += min(max(self._fit(single, member, argument), self._fit(f"{single}[]", member, argument)), 2)
        return points

    def _fit(self, parameter: str, member: Declaration, argument: Type | None) -> float:
        if argument is None or argument.static or not argument.text:
            return 0
        points = fit(parameter, argument.text)
        if points or not argument.text[:1].isalpha() or "." not in argument.file:
            return points
        taken = self.class_of(parameter, member.file, member.owner)
        passed = argument.text if self.is_class(argument.text) else self.class_of(*argument[:3])
        if taken:
            return 2 if passed and taken in self.lineage(passed) else NOT_OF_THIS_CLASS
        words = re.findall(r"[A-Z][a-z]+", erased(parameter))[-1:], re.findall(r"[A-Z][a-z]+", erased(argument.text))[-1:]
        return 0.7 if words[0] and words[0] == words[1] else 0

    def constructors(self, owner: str) -> list[Declaration]:
        """The constructors that a class declares, without those of the class itself."""
        return [member for member in self.index.members(owner) if member.kind == "constructor" and not member.extra["static"]]

    def is_enum(self, qualified: str) -> bool:
        """Whether a class is a list of constants."""
        return any(one.extra["enum"] for one in self.index.qualified(qualified) if one.kind == "class")

    def field_type(self, owner: str, name: str) -> Type | None:
        """The type of a field of a class, its own, inherited, or of a class around it."""
        around = owner
        while around:
            for one in self.lineage(around):
                for declared in self.index.qualified(one):
                    if declared.kind == "class" and name in declared.extra["field_types"]:
                        return Type(declared.extra["field_types"][name], declared.file, one)
            around = around.rpartition(".")[0]
            if not self.is_class(around):
                break
        return None


@lru_cache(maxsize=NAMES_KEPT)
def fit(parameter: str, argument: str) -> float:
    """How well a value of one type fits a parameter of another."""
    parameter, argument = erased(parameter).rpartition(".")[2], erased(argument).rpartition(".")[2]
    parameter, argument = _unboxed(parameter), _unboxed(argument)
    if not argument:
        return 0
    if parameter == argument:
        return 3
    if parameter.endswith("[]") and argument.endswith("[]"):
        taken, passed = parameter[:-2], argument[:-2]
        if taken in PRIMITIVES or passed in PRIMITIVES:
            return IMPOSSIBLE
        return 1 if taken == "object" or len(taken) == 1 else 0
    primitive = parameter in PRIMITIVES
    if argument == "null":
        return IMPOSSIBLE if primitive else 0
    if argument == "lambda":
        return IMPOSSIBLE if primitive or parameter in ("string", "object") else 1
    if argument == "string":
        return 2 - 0.5 * (parameter == "object") if parameter in _TEXT else IMPOSSIBLE if primitive or "[" in parameter else -1
    if argument in NUMBERS:
        if parameter in NUMBERS:
            wider = NUMBERS.index(parameter) - NUMBERS.index(argument)
            return 2 - 0.1 * wider if wider > 0 else IMPOSSIBLE
        return 0.5 if parameter in ("object", "Number") or len(parameter) == 1 else IMPOSSIBLE
    if primitive or parameter == "string" or "[" in parameter and "[" not in argument:
        return IMPOSSIBLE
    if "[" in argument and "[" not in parameter:
        fits = parameter == "object" or len(parameter) == 1 or re.match(r"I(?:List|Enumerable|Collection|ReadOnly)", parameter)
        return 0.5 if fits else IMPOSSIBLE
    return 0.5 if parameter in ("object", "T", "E") else 0


def _unboxed(name: str) -> str:
    """One name for a type that has several; of arrays too."""
    simple = name.rstrip("[]")
    return _BOXES.get(simple, simple) + name[len(simple):]
