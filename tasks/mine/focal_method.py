"""The focal method of an assertion: the method of the trees whose result is asserted.

Candidates, by the rule that finds them (`focal_by` of a row):

    call_in_assertion   a call within the assertion, what is tested before what is expected, outer calls before inner ones
    call_of_variable    a call that made a variable that the assertion uses, up to three steps back
    call_on_variable    the last call before the assertion on such a variable, or that is given it, or an earlier one that the
                        test is named after; where nothing but getters made it, on what it was got from, too
    call_in_helper      a call within a method of the test class that one of the above leads to
    last_call           the last call before the assertion, or an earlier one that the test is named after
    method_by_name      a call whose receiver's type is unknown, where only one class has a method of that name
    name_of_test        no call: the method of the class under test that the test is named after

Among them goes first a method that the test is named after (`testFoo`, `foo_bar`, `ShouldFoo`: `foo`), then one of the class
that the test class is named after (`FooTest`: `Foo`), then any other. Getters and constructors come last unless the test
is named after them. Confidence:

    high    the test is named after the method, and it is called in the assertion or made an asserted variable
    medium  it is called in the assertion or made an asserted variable, or the test is named after it and it was called before
            the assertion
    low     everything else
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from .class_names import Names
from .class_tests import Assertion
from .language_miner import Declaration
from .scope import Scope
from .syntax import Call
from .names_of_tests import TestNames

STEPS_BACK = 3
STATEMENTS_BACK = 20
"""Statements with a call of the trees in which one is looked for that the test is named after."""

_WORKED_OUT = re.compile(r"(?:get|is|has|Get|Is|Has)[A-Z_]")
_GETTER = re.compile(r"(?:get|is|has|Get|Is|Has)[A-Z_]|(?:size|length|count|isEmpty|Count|Length|Size|toString|ToString)$")


RULES = ("call_in_assertion", "call_of_variable", "method_by_name", "call_on_variable", "call_in_helper", "last_call")


class NoFocal(Exception):
    """There is none; the text is the reason under which this is counted."""


@dataclass(frozen=True)
class Focal:
    """A focal method, the rule that found it, and whether the test is named after it."""

    declaration: Declaration
    by: str
    confidence: str
    named: bool


@dataclass(frozen=True)
class Candidate:
    """What a call may be of; several declarations where overloads cannot be told apart.

    Attributes:
        order: where it was found: number of the argument, in it of the statement of a function from the last one.
        node, last: the range of the call's nodes.
        steps: how many variables back it was found.
        passed: whether it is only a step on the way to another call into the trees: `body` in `doc.body().html()`, `all` in
            `count(all())`.
        changes: whether it stands as a statement behind what made the variable.
        run: whether it is in a function that the assertion runs: then getters and constructors are as good as others.
        asserted: whether it is in an earlier assertion, which is about that call itself.
    """

    declarations: tuple[Declaration, ...]
    by: str
    order: tuple[int, int]
    node: int
    last: int
    steps: int = 0
    passed: bool = False
    changes: bool = False
    run: bool = False
    asserted: bool = False

    @property
    def first(self) -> Declaration:
        """The one that stands for all."""
        return self.declarations[0]


Found = tuple[tuple[Declaration, ...], str, int, int, bool]
"""What a call may be of, the rule where it is not that of the place, first and last node, whether it is passed."""


class FocalFinder:
    """Focal methods of the assertions of one test.

    Args:
        scope: the names of the test.
        test_name: name of the test method.
        asserting: nodes of the statements of the test that assert.
        vocabulary: simple names of the classes that assertions are made of, which are focal in no test but their own.
        helpers: simple name -> scope of a method of the same class, or of its file, that is no test.
    """

    def __init__(self, scope: Scope, test_name: str, asserting: Collection[int], helpers: Mapping[str, Scope],
                 vocabulary: frozenset[str] = frozenset()):
        self.scope = scope
        self.names: Names = scope.names
        self.asserting = asserting
        declared = self.names.index.first_in_file(scope.file)
        self.test = TestNames(self.names, test_name, scope.owner, declared.extra["package"] if declared else "")
        self.vocabulary = vocabulary - {name.rpartition(".")[2] for name in self.test.subject}
        self.helpers = helpers
        self._found: dict[tuple[int, int], list[Found]] = {}

    def find(self, assertion: Assertion) -> Focal:
        """The best candidate.

        Raises:
            NoFocal: there is none, there are two as good, or it has no body.
        """
        candidates = self._candidates(assertion)
        if not candidates:
            return self._by_test_name()
        ranks = [self._rank(one) for one in candidates]
        rank, first = min(zip(ranks, range(len(ranks))))
        best = candidates[first]
        if rank[0] >= 10 and (named := self.test.named_method()) is not None:
            return Focal(named, "name_of_test", "low", True)
        for other, its_rank in zip(candidates, ranks) if best.by not in ("call_on_variable", "last_call") else ():
            if its_rank != rank or other.declarations == best.declarations:
                continue
            if other.first.qualified_name != best.first.qualified_name and not best.node <= other.node < best.last:
                raise NoFocal("ambiguous_focal_method")
        return self._focal(best)

    def _focal(self, best: Candidate) -> Focal:
        if len(best.declarations) > 1:
            raise NoFocal("ambiguous_focal_method")
        if not best.first.extra["body"]:
            raise NoFocal("focal_method_without_body")
        named = self.test.match(best.first) > 0
        return Focal(best.first, best.by, self._confidence(best, named), named)

    def _with_body(self, declarations: tuple[Declaration, ...]) -> tuple[Declaration, ...]:
        """Methods with a body that stand for one without: those of the class under test, else all; itself where there are
        none."""
        declared = declarations[0]
        if any(one.extra["body"] for one in declarations) or declared.kind != "method":
            return declarations
        found = self.names.overriding(declared.owner, declared.name, len(declared.extra["types"]))
        return tuple([member for member in found if member.owner in self.test.subject] or found) or declarations

    def _confidence(self, best: Candidate, named: bool) -> str:
        direct = best.by in ("call_in_assertion", "call_of_variable")
        if named and direct:
            return "high"
        weak = self._is_weak(best) or best.first.kind == "constructor" and not best.run
        if named and best.by in ("call_on_variable", "last_call") or not weak and direct and (
                not best.steps or self._is_subject(best.first)):
            return "medium"
        return "low"

    # Ranks

    def _rank(self, candidate: Candidate) -> tuple[Any, ...]:
        """The smaller, the better. Its first number:

        0 for what the test is named after; of another class than the one under test, where that is known, neither getters
        nor what was called far from the assertion; 1 to 5 for other methods by the rule that found them; 1.5 for calls on a
        variable since it was made; 2 for static methods of other classes in the assertion; 3 for getters of other classes
        that the test is named after; 8 for other getters in the assertion; 9.5 for the last call; 9.7 for getters before the
        assertion; 10 for a getter as the last call; 11 for constructors.
        """
        declared = candidate.first
        rule = RULES.index(candidate.by)
        other = not self._is_subject(declared)
        other_than_known = other and bool(self.test.subject)
        far = candidate.steps > 0 or candidate.by in ("call_in_helper", "last_call")
        match = 0 if far and other_than_known else self.test.match(declared)
        order = (candidate.steps, *candidate.order)
        weak = self._is_weak(candidate)
        last = candidate.by == "last_call"
        if match and not candidate.asserted and not (weak and (other_than_known or last or declared.extra["property"] and rule > 1)):
            return (0, -match, weak, rule, order)
        if match and rule < 2:
            return (3, -match, True, rule, order)
        if declared.kind == "constructor" and not candidate.run:
            return (11, rule, order)
        if weak:
            return (10 if last else 9.7 if rule else 8, rule, self._is_getter(declared), order)
        if rule == 0 and other_than_known and declared.extra["static"]:
            return (2, 0.5, order)  # a helper of the project to look at what the class under test gives
        if candidate.changes:
            return (1.5, other, order)
        return (9.5 if last else 1 + rule, other, order)

    def _is_subject(self, declared: Declaration) -> bool:
        return declared.owner in self.test.subject

    def _is_weak(self, candidate: Candidate) -> bool:
        if candidate.run:
            return False
        # what a getter works out and gives to a variable is what the assertion is about
        works_it_out = candidate.by == "call_of_variable" and _WORKED_OUT.match(candidate.first.name)
        return candidate.passed or self._is_getter(candidate.first) and not (works_it_out and not self._is_plain(candidate.first))

    def _is_getter(self, declared: Declaration) -> bool:
        if declared.extra["types"]:
            return declared.extra["trivial"] or declared.extra["property"]
        return self._is_plain(declared) or bool(_GETTER.match(declared.name))

    def _is_plain(self, declared: Declaration) -> bool:
        """Whether a getter has nothing to work out, as far as its text and its name tell."""
        extra = declared.extra
        return extra["trivial"] or extra["property"] or not extra["types"] and self.names.reads(declared)

    # Candidates

    def _candidates(self, assertion: Assertion) -> list[Candidate]:
        """Everything that may be the focal method; the calls before the assertion only where it and its variables lead to
        nothing that the test is named after."""
        scope = self.scope
        found: list[Candidate] = []
        for order, argument in enumerate(assertion.arguments):
            is_run = scope.tree.types[argument] in scope.syntax.nested_functions
            statements = scope.code.statements(argument) if is_run else []
            for count, statement in enumerate([*reversed(statements), argument]):
                calls = self._calls(scope, statement, "call_in_assertion", (order, count))
                found += [replace(one, run=True) if is_run and not count else one for one in calls]
        used = [((order, 0), name) for order, argument in enumerate(assertion.arguments) for name in self._variables(argument)]
        trail: dict[str, tuple[int, int]] = {}
        for order, name in used:
            trail.setdefault(name, order)
            found += self._made(name, assertion.call.node, order, STEPS_BACK, trail)
        if not any(self._rank(one)[0] == 0 and not self._is_weak(one) for one in found):
            weak = all(self._is_weak(one) or one.first.kind == "constructor" for one in found)
            for name, order in trail.items() if weak else ((name, order) for order, name in used):
                found += self._touched(name, assertion.statement, order)
            found += self._last_call(assertion.statement)
        return found

    def _calls(self, scope: Scope, expression: int, by: str, order: tuple[int, int] = (0, 0), steps: int = 0,
               with_helpers: bool = True) -> Iterator[Candidate]:
        """Candidates of the calls in an expression, outer before inner."""
        key = (id(scope), expression)
        if key not in self._found:
            self._found[key] = list(self._calls_in(scope, expression, with_helpers))
        for declarations, rule, node, last, passed in self._found[key]:
            yield Candidate(declarations, rule or by, order, node, last, steps, passed)

    def _calls_in(self, scope: Scope, expression: int, with_helpers: bool) -> Iterator[
            Found]:
        last = scope.tree.last
        calls = scope.code.calls(expression)
        on_the_way: set[int] = set()
        for call in calls:
            if self._is_vocabulary(scope, call):
                continue
            declarations, sure = scope.resolve(call)
            own = tuple(one for one in declarations if not one.extra["in_tests"]
                        and (one.extra["body"] or not one.extra["property"]))
            if own:
                on_the_way.update(call.arguments or (), [call.receiver])
                own = self._with_body(own)
                passed = call.node in on_the_way and not call.arguments and not call.creates
                yield own, "" if sure else "method_by_name", call.node, last[call.node], passed
            elif with_helpers and (declarations or call.receiver < 0) and call.name in self.helpers:
                helper = self.helpers[call.name]
                for inner in self._calls(helper, helper.method, "call_in_helper", with_helpers=False):
                    yield inner.declarations, "call_in_helper", call.node, last[call.node], inner.passed

    def _is_vocabulary(self, scope: Scope, call: Call) -> bool:
        """Whether a call is one of the words of an assertion: `Is.EqualTo(2)`."""
        node, tree = call.receiver, scope.tree
        while node >= 0 and tree.types[node] not in scope.syntax.identifiers:
            inner = scope.code.call(node)
            node = inner.receiver if inner is not None else -1
        return node >= 0 and tree.code(node) in self.vocabulary

    def _variables(self, expression: int) -> list[str]:
        """Variables of the test that an expression uses, in order, each once."""
        return [name for name in dict.fromkeys(self.scope.code.names(expression)) if self.scope.events_of(name)]

    def _made(self, name: str, before: int, order: tuple[int, int], steps: int, trail: dict[str, tuple[int, int]]
              ) -> Iterator[Candidate]:
        """Candidates of what made a variable, and of what made the variables in that; these are added to `trail`."""
        for event in self.scope.value_events(name, before)[:1]:
            value = event.variable.value
            found = list(self._calls(self.scope, value, "call_of_variable", order, STEPS_BACK - steps))
            yield from found
            weak = all(self._is_weak(one) or one.first.kind == "constructor" for one in found)
            for other in self._variables(value) if steps > 1 else ():
                trail.setdefault(other, (order[0], order[1] + STEPS_BACK - steps + 1))
                for further in self._made(other, max(event.place, 0), order, steps - 1, trail) if other != name else ():
                    if weak or self.test.match(further.first):
                        yield further

    @cached_property
    def _statements(self) -> list[tuple[int, frozenset[str]]]:
        """Statements of the test that are calls, and the names in them."""
        code = self.scope.code
        return [(node, frozenset(code.names(node))) for node in code.statements(self.scope.method)]

    def _touched(self, name: str, before: int, order: tuple[int, int]) -> Iterator[Candidate]:
        """Candidates of the last statement on a variable, and of earlier ones what the test is named after."""
        tree = self.scope.tree
        earlier = 0
        made = next((event.place for event in self.scope.value_events(name, before)), -1)
        for node, used in reversed(self._statements):
            if tree.last[node] > before or name not in used:
                continue
            found = self._calls_of_statement(node, "call_on_variable", order)
            if node > made >= 0 and node not in self.asserting and tree.code(node).startswith((f"{name}.", f"this.{name}.")):
                found = [replace(one, changes=True) if one.by == "call_on_variable" else one for one in found]
            yield from [one for one in found if self.test.match(one.first)] if earlier else found
            earlier += bool(found)
            if earlier > STATEMENTS_BACK:
                return

    def _calls_of_statement(self, node: int, by: str, order: tuple[int, int] = (0, 0)) -> list[Candidate]:
        found = list(self._calls(self.scope, node, by, order))
        if node not in self.asserting:
            return found
        # what an assertion only reads changes nothing
        return [replace(one, asserted=True) for one in found if not self._is_weak(one) and one.first.kind != "constructor"]

    def _last_call(self, before: int) -> Iterator[Candidate]:
        tree = self.scope.tree
        earlier = 0
        for node in reversed(self._places[:bisect_left(self._places, before)]):
            found = self._calls_of_statement(node, "last_call") if tree.last[node] <= before else []
            yield from [one for one in found if self.test.match(one.first)] if earlier else found
            earlier += bool(found)
            if earlier > STATEMENTS_BACK:
                return

    @cached_property
    def _places(self) -> list[int]:
        """Statements of the test, and values that its variables get, in order."""
        places = {node for node, _ in self._statements}
        places |= {event.variable.value for event in self.scope.events if event.place >= 0 and event.variable.value >= 0}
        return sorted(places)

    # The name of the test alone

    def _by_test_name(self) -> Focal:
        found = self.test.named_method()
        if found is None:
            raise NoFocal("no_focal_method")
        return Focal(found, "name_of_test", "low", True)
