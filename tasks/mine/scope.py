"""What the expressions of one method are: the types of its variables, and which methods of the trees its calls are of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .class_names import Names, Type
from .language_miner import Declaration
from .syntax import Call, CodeTree, Variable, element, erased, type_arguments

DEEPEST = 40
"""How far an expression is looked into."""

ELEMENT_GETTERS = frozenset(
    "get getFirst getLast next peek poll pop remove element first last iterator listIterator orElse orElseThrow "
    "First Last Single FirstOrDefault SingleOrDefault LastOrDefault ElementAt Peek Pop Dequeue GetAwaiter GetResult "
    "join call Result Value Current Dequeue this[]".split())
"""Methods of collections and the like outside the trees that give one of the elements, or something of the same arguments."""

NOT_BY_NAME = frozenset(
    "get set add put remove size length isEmpty contains equals hashCode toString compareTo close read write next hasNext "
    "iterator clear append format parse valueOf getName getValue getKey getMessage getClass run call apply accept test "
    "start stop name values count Count Length Add Remove Contains Equals GetHashCode ToString CompareTo Close Dispose "
    "Read Write Get Set Clear Insert Parse Format Name Value Key Message GetType Invoke First Last Single Select Where Any "
    "All ToList ToArray Wait Result Current this[] Item Items Keys Values ContainsKey TryGetValue IndexOf Substring Split "
    "Replace Trim StartsWith EndsWith stream map filter collect forEach getBytes charAt substring indexOf split replace "
    "trim matches startsWith endsWith join await wait notify ordinal intValue longValue doubleValue when verify thenReturn "
    "any eq of asList is equalTo Returns Setup Verify Received".split())
"""Methods that objects outside the trees have as well."""


ANYTHING = frozenset({"Object", "object", "dynamic"})
"""Types that say nothing of what has them."""


Given = Sequence[Type | None] | None
"""The types of the arguments of a call; None where a method is only named."""

TEXT_GETTERS = frozenset({"toString", "ToString", "trim", "substring", "Substring", "Trim", "toLowerCase", "toUpperCase"})
"""Methods outside the trees whose result is text."""

QUERIES = frozenset(
    "Aggregate All Any AsEnumerable AsQueryable Average Cast Concat Contains Count DefaultIfEmpty Distinct ElementAt Except First "
    "FirstOrDefault GroupBy GroupJoin Intersect Join Last LastOrDefault LongCount Max Min OfType OrderBy OrderByDescending "
    "Reverse Select SelectMany SequenceEqual Single SingleOrDefault Skip SkipWhile Sum Take TakeWhile ThenBy ToArray "
    "ToDictionary ToList ToLookup Union Where Zip".split())
"""Extension methods of the platform that projects bring along for its older versions."""

TRUTH = frozenset({"==", "!=", "<", ">", "<=", ">=", "&&", "||"})


@dataclass(frozen=True)
class Event:
    """A variable gets a value.

    Attributes:
        place: node of the method's tree; -1 for what comes before the method.
        variable: what gets the value.
    """

    place: int
    variable: Variable


class Scope:
    """The names of one method.

    Args:
        names: of the index.
        code: the tree of the method's file.
        method: its node.
        file: path of its file.
        owner: qualified name of its class.
        before: nodes of the same tree that are run before it: set-up methods, fields.
    """

    def __init__(self, names: Names, code: CodeTree, method: int, file: str, owner: str, before: Iterable[int] = ()):
        self.names = names
        self.code = code
        self.syntax = code.syntax
        self.tree = code.tree
        self.method = method
        self.file = file
        self.owner = owner
        self.events = [Event(-1, variable) for other in before for _, variable in code.variables(other)]
        self.events += [Event(node, variable) for node, variable in code.variables(method)]
        self._events_of: dict[str, list[Event]] = {}
        for event in reversed(self.events):
            self._events_of.setdefault(event.variable.name, []).append(event)
        self._types: dict[int, Type | None] = {}
        self._resolved: dict[int, tuple[list[Declaration], bool]] = {}

    def value_events(self, name: str, before: int) -> list[Event]:
        """Where a variable got a value before a node, the last one first."""
        return [event for event in self.events_of(name) if event.place < before and event.variable.value >= 0]

    def events_of(self, name: str) -> list[Event]:
        """Where a variable is declared or gets a value, the last place first."""
        return self._events_of.get(name, [])

    def type_of(self, node: int, depth: int = 0) -> Type | None:
        """The type of an expression; None where it is not known."""
        if node < 0 or depth > DEEPEST:
            return None
        if node not in self._types:
            self._types[node] = None  # what an expression is cannot depend on itself
            self._types[node] = self._type_of(node, depth)
        return self._types[node]

    def _type_of(self, node: int, depth: int) -> Type | None:
        tree, syntax = self.tree, self.syntax
        kind = tree.types[node]
        if kind in syntax.literals:
            return self._here(self._suffixed(syntax.literals[kind], tree.code(node)[-2:].lower()))
        if kind in syntax.self_names:
            return self._here(self.owner)
        if kind in syntax.transparent:
            return self.type_of(tree.children[node][-1], depth + 1) if tree.children[node] else None
        if kind in syntax.casts:
            place = tree.part(node, "type") if tree.part(node, "type") >= 0 else tree.part(node, "right")
            return self._here("".join(tree.code(place).split())) if place >= 0 else None
        if kind in syntax.identifiers:
            return self._name(node, tree.code(node), depth)
        if kind in syntax.elements:
            held = self.type_of(tree.children[node][0], depth + 1)
            if held is not None and not held.static and element(held.text):
                return held._replace(text=element(held.text))
        if kind == "ternary_expression" or kind == "conditional_expression":
            return self.type_of(tree.part(node, "consequence"), depth + 1)
        if kind == "array_creation_expression":
            return self._here("".join(tree.code(node).partition("new")[2].partition("[")[0].split()) + "[]")
        if kind == "binary_expression":
            return self._binary(node, depth)
        call = self.code.call(node)
        if call is not None and call.creates:
            return self._here(call.name)
        access = syntax.access(tree, node) if call is None or call.arguments is None else None
        if access is not None:
            found = self._field(access[0], access[1], depth)
            if found is not None:
                return found
        return self._returned(call, depth) if call is not None else None

    def _suffixed(self, literal: str, end: str) -> str:
        """The type of a number with the letter behind it."""
        if literal == "int":
            return "ulong" if "u" in end and "l" in end else "long" if end.endswith("l") else "int"
        return {"f": "float", "m": "decimal"}.get(end[-1:], literal) if literal == "double" else literal

    def _binary(self, node: int, depth: int) -> Type | None:
        if TRUTH & set(self.tree.tokens.get(node, ())):
            return self._here("boolean")
        types = [self.type_of(child, depth + 1) for child in self.tree.children[node]]
        texts = [one for one in types if one is not None and one.text in ("String", "string")]
        return texts[0] if texts else next(iter(types), None)

    def _here(self, text: str, static: bool = False) -> Type:
        return Type(text, self.file, self.owner, static)

    def _name(self, node: int, name: str, depth: int) -> Type | None:
        declared = self._variable(node, name, depth)
        if declared is not None:
            return declared
        found = self.names.field_type(self.owner, name)
        if found is not None:
            return found
        imported = self.names.of_file(self.file).static.get(name, "")
        if imported and self.names.is_class(imported):
            constant = Type(imported, self.file, self.owner) if self.names.is_enum(imported) else None
            return self.names.field_type(imported, name) or constant
        return self._here(name, static=True) if name[:1].isupper() else None

    def _variable(self, node: int, name: str, depth: int) -> Type | None:
        """The type of a local variable or a field of the file: what it was made as, where that is a class of the trees, else
        what it was declared as."""
        declared: Type | None = None
        for event in self.events_of(name):
            variable = event.variable
            if event.place >= node:
                continue
            if variable.value >= 0:
                made = self._made(variable, depth)
                if made is not None and not made.static and (
                        self.class_of(made) or not variable.type and made.text not in ("", "null")):
                    return made._replace(shown=variable.type)
            if variable.type:
                declared = self._here(variable.type)
                break
        return declared

    def _made(self, variable: Variable, depth: int) -> Type | None:
        made = self.type_of(variable.value, depth + 1)
        if made is not None and variable.loops:
            return made._replace(text=element(made.text))
        if variable.type and not (made is not None and self._is_creation(variable.value)):
            return None  # a declared type tells more than what a method returns
        return made

    def _is_creation(self, node: int) -> bool:
        call = self.code.call(node)
        return call is not None and call.creates

    def class_of(self, found: Type | None) -> str:
        """Qualified name of the class of the trees that a type is; empty where it is none."""
        if found is None:
            return ""
        if self.names.is_class(found.text):
            return found.text
        return self.names.class_of(found.text, found.file, found.owner)

    def _field(self, receiver: int, name: str, depth: int) -> Type | None:
        """The type of a field or inner class that is read of something."""
        code = self.tree.code(receiver) if receiver >= 0 else ""
        if receiver >= 0 and self.tree.types[receiver] in self.syntax.self_names:
            return self._variable(self.tree.last[self.method], name, depth) or self.names.field_type(self.owner, name)
        holder = self.type_of(receiver, depth + 1)
        owner = self.class_of(holder)
        if owner:
            if self.names.is_class(f"{owner}.{name}"):
                return self._here(f"{owner}.{name}", static=True)
            found = self.names.field_type(owner, name)
            if found is not None:
                return found
            is_constant = holder.static and (name.isupper() or self.names.is_enum(owner))
            return Type(owner, self.file, self.owner) if is_constant else None
        qualified = f"{code}.{name}"
        return self._here(qualified, static=True) if self.names.is_class(qualified) else None

    def _returned(self, call: Call, depth: int) -> Type | None:
        members, _ = self.resolve(call, depth)
        if members:
            returned = {member.extra["returns"] for member in members}
            first = members[0]
            if len(returned) > 1 or not first.extra["returns"]:
                return None
            return self._substituted(first, call, depth)
        held = self.type_of(call.receiver, depth + 1) if call.receiver >= 0 else None
        if held is None or held.static:
            return None
        owner = self.class_of(held)
        if owner:
            return self.names.held_by(owner) if call.name in ELEMENT_GETTERS else None
        if call.name in ELEMENT_GETTERS and element(held.text):
            passes_on = call.name.endswith(("terator", "GetAwaiter"))
            return held if passes_on else held._replace(text=element(held.text))
        if call.arguments is None:
            return None
        return self._here("String" if call.name in TEXT_GETTERS else "")

    def _substituted(self, member: Declaration, call: Call, depth: int) -> Type:
        """What a method returns, with the type arguments of what it is called on."""
        text = member.extra["returns"]
        declared = next((one for one in self.names.index.qualified(member.owner) if one.kind == "class"), None)
        parameters = declared.extra["type_parameters"] if declared is not None else []
        held = self.type_of(call.receiver, depth + 1) if call.receiver >= 0 and text in parameters else None
        given = type_arguments(held.text) if held is not None else []
        if text in parameters and len(given) == len(parameters):
            return held._replace(text=given[parameters.index(text)], static=False)
        if erased(text) in ("Task", "ValueTask") and element(text):
            text = element(text)
        return Type(text, member.file, member.owner)

    def resolve(self, call: Call, depth: int = 0) -> tuple[list[Declaration], bool]:
        """The methods or constructors of the trees that a call may be of, and whether that follows from types.

        Several where overloads cannot be told apart. Not the helpers of the tests alone: whoever asks tells them by
        `in_tests`.
        """
        if depth > DEEPEST:
            return [], False
        if call.node not in self._resolved:
            self._resolved[call.node] = [], False
            self._resolved[call.node] = self._resolve(call, depth)
        return self._resolved[call.node]

    def _resolve(self, call: Call, depth: int) -> tuple[list[Declaration], bool]:
        names = self.names
        given = None if call.arguments is None else [self.type_of(argument, depth + 1) for argument in call.arguments]
        if call.creates:
            owner = self.class_of(self._here(call.name))
            return names.fitting(names.constructors(owner), given) if owner else [], True
        if call.receiver < 0:
            return self._unqualified(call, given), True
        if self.tree.types[call.receiver] in self.syntax.self_names:
            return names.fitting(names.members(self.owner, call.name), given, call.generic), True
        held = self.type_of(call.receiver, depth + 1)
        if held is None or erased(held.text) in ANYTHING and not held.static:
            return self._by_name(call, given), False
        owner = self.class_of(held)
        by_others = self.syntax.called_by_others
        found = names.fitting(names.explicit(owner, held.shown, call.name), given) if by_others and owner and held.shown else []
        if owner and not found:
            found = names.fitting(names.members(owner, call.name), given, call.generic)
        return found or (self._extensions(call, given, held, owner) if by_others else []), True

    def _unqualified(self, call: Call, given: Given) -> list[Declaration]:
        """A method of the class or of one around it, or one that is imported by itself."""
        around = self.owner
        while around:
            found = self.names.fitting(self.names.members(around, call.name), given, call.generic)
            if found:
                return found
            around = around.rpartition(".")[0]
            if not self.names.is_class(around):
                break
        imported = self.names.of_file(self.file)
        owners = [imported.static[call.name]] if call.name in imported.static else imported.static_stars
        found = [self.names.fitting(self.names.members(owner, call.name), given, call.generic) for owner in owners
                 if self.names.is_class(owner)]
        return next(filter(None, found), [])

    def _by_name(self, call: Call, given: Given) -> list[Declaration]:
        """Methods of a class that alone, with its heirs, has one of this name."""
        if call.name in NOT_BY_NAME or given is None:
            return []
        found = self.names.fitting(self.names.methods_named(call.name), given, call.generic)
        owners = {one.owner for one in found}
        if len(owners) > 1:
            found = [one for one in found if owners <= {one.owner, *(heir.qualified_name for heir in
                                                                     self.names.heirs(one.owner))}]
        return found if len({one.owner for one in found}) == 1 else []

    def _extensions(self, call: Call, given: Given, held: Type, owner: str) -> list[Declaration]:
        """Methods of C# that are called as if they were of their first argument."""
        if given is None or held.static:
            return []
        named = [one for one in self.names.extensions_named(call.name) if self._extends(one, held, owner)]
        if call.name in QUERIES:  # of the platform, unless a test of this very class asks
            named = [one for one in named if one.owner.rpartition(".")[2] in self.owner]
        found = self.names.fitting(named, given, call.generic)
        return found if len({one.owner for one in found}) == 1 else []

    def _extends(self, method: Declaration, held: Type, owner: str) -> bool:
        """Whether an extension method is one of the class that something is, or of anything."""
        extended = erased(method.extra["types"][0])
        taken = self.names.class_of(extended, method.file, method.owner)
        if taken:
            return taken in self.names.lineage(owner) if owner else False
        own = erased(held.text).rpartition(".")[2]
        return extended.rpartition(".")[2] == own or len(extended) < 3 or extended[:1] == "I" and own not in ("", "string")
