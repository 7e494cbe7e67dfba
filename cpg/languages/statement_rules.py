"""The parts that rules name, and the rules of statements; `cpg.languages.base` tells how tables use them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Union


@dataclass(frozen=True)
class Inside:
    """The children that `part` names in the nearest node that has some: the node itself, its first child that
    `along` names, that one's, and so on. C wraps what is declared into declarators, Go a loop's header into a clause.
    `furthest`: those of the last such node instead (the parameters of `int (*f(int x))(char)` are the inner ones).
    """

    along: Part
    part: Part
    furthest: bool = False


@dataclass(frozen=True)
class First:
    """The children that the first of `parts` names that names any: the alias of an import, else its name."""

    parts: tuple[Part, ...]


Part = Union[str, int, "tuple[str, ...]", Inside, First]


# ------------------------------------------------------------------------------------------- statements
@dataclass(frozen=True)
class Block:
    """The children, or those that `body` names, run one after the other; the node itself is no point.

    `only`: a block only where one of these tokens is there, else a simple statement.
    """

    body: Part | None = None
    only: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Simple:
    """One point. Also the rule of every node type that no table names. `or_empty`: none without children (C's `;`)."""

    or_empty: bool = False


@dataclass(frozen=True)
class Skip:
    """Not executed: declarations of members, imports of a language that resolves them statically."""


@dataclass(frozen=True)
class Hoisted:
    """A point that comes before the other statements of its block: a function declaration of JavaScript."""


@dataclass(frozen=True)
class Around:
    """Stands for the statement that is its part of that name, else is a simple statement: JavaScript's export.

    `before`: parts that are points in front of it.
    """

    statement: Part
    before: Part | None = None


@dataclass(frozen=True)
class LocalDeclaration:
    """A point where it stands among the statements of a function; not executed as a member.

    `only`: so only where the node has such a part, such as a function's declarator; else a point everywhere. (Next to
    statements, as in a snippet of some, it stands in a function too.)
    `value`: as a member a point only with such a part.
    """

    only: Part | None = None
    value: Part | None = None


@dataclass(frozen=True)
class Alternatives:
    """Ways between which the compiler chooses (`#if`): each is possible, no point decides. The children but `header`
    are one way, `alternative` is the other. A `header` text in `never` or `always` leaves only one of them.
    """

    header: Part
    alternative: Part
    never: frozenset[str] = frozenset()
    always: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Either:
    """Two constructs under one node type: `first` is the rule of a node that has the `part`, `second` of others."""

    part: Part
    first: object
    second: object


@dataclass(frozen=True)
class Later:
    """A point that evaluates what the `call` inside is made of. The call itself runs elsewhere (a thread of its own)
    or, `on_exit`, on every way out of the function, the last one first: there it is a point.
    """

    call: Part
    on_exit: bool


@dataclass(frozen=True)
class Branch:
    """if: `condition`, then `consequence`, else the chain of `alternative` parts. `initial` is evaluated first."""

    condition: Part
    consequence: Part
    alternative: Part
    initial: Part | None = None


@dataclass(frozen=True)
class Loop:
    """while, do-while and three-part for. An absent `condition` child is always true."""

    condition: Part
    body: Part
    initial: Part | None = None
    update: Part | None = None
    otherwise: Part | None = None
    tests_first: bool = True


@dataclass(frozen=True)
class ForEach:
    """One point, the node itself, that takes the next element: branches `iterate` and `done`.

    `initial` is evaluated first. `throws`: taking an element can throw.
    """

    target: Part
    iterable: Part
    body: Part
    otherwise: Part | None = None
    initial: Part | None = None
    throws: bool = True


@dataclass(frozen=True)
class Switch:
    """A selector point with a `case` edge to each group and a `default` edge.

    `groups` are the node types that hold labels and statements, `body` what holds the groups (None: the node
    itself). Control falls out of the end of a group whose type is in `falling` into the next one; out of any
    other with a `fallthrough` jump only. A group is a default when its type is in `default_groups`, or when the
    text or a token of a label, or a token of the group itself, is `default`. `pattern` is the part of a label
    that may bind names, `guard` the part that tests; without a `label` part the group has them itself. `initial` is evaluated before the selector.

    Without a selector the labels are conditions that are tested in order, unless the switch is a `choice`: then
    the node itself is a point from which control goes on to any one group (Go's select). There `begins` is the
    statement that a group begins with, and `prepares` what of it is evaluated before the choice, for all groups.
    `evaluated`: labels are expressions that run; the selector's point uses what they use. `binds`: the part that
    receives the selector's value, at its point. `scattered`: the body is a statement in which `Case` labels stand
    anywhere (C).
    """

    selector: Part | None
    body: Part | None
    groups: frozenset[str] = frozenset()
    falling: frozenset[str] = frozenset()
    label: Part | None = None
    default: str = "default"
    pattern: Part | None = None
    guard: Part | None = None
    default_groups: frozenset[str] = frozenset()
    initial: Part | None = None
    choice: bool = False
    begins: Part | None = None
    prepares: Part | None = None
    evaluated: bool = False
    binds: Part | None = None
    scattered: bool = False


@dataclass(frozen=True)
class Case:
    """A label of the `scattered` switch around it, then statements: the children but `label`. Without a label part it
    is the default. Where there is no switch (a snippet), control comes from ENTRY.
    """

    label: Part


@dataclass(frozen=True)
class Match:
    """Patterns tried in order: each is a condition point that also binds names.

    The `wildcard` and a lone name always match: such a pattern is a statement, without a `false` edge.
    """

    subject: Part
    body: Part
    clause: Part
    pattern: Part
    guard: Part
    consequence: Part
    wildcard: str


@dataclass(frozen=True)
class Try:
    """try with handlers, an `otherwise` part that runs when nothing was raised, and a finalizer.

    `filter` is the part of a handler that is its point (a catch parameter, the expression after except);
    a handler without one takes everything. `ordered`: handlers are tested one after the other at run time,
    so the filter is a condition whose `false` edge goes on to the next handler. `guard` is the part of a
    handler whose first child is tested after the filter. `takes_all`: every handler takes everything. `collecting`:
    types of handlers that each take a part of what was raised: behind one comes the next. A `leave` jump goes behind
    the body.
    """

    body: Part
    handler: Part
    filter: Part
    handler_body: Part
    finalizer: Part
    otherwise: Part = "else_clause"
    resources: Part = "resources"
    ordered: bool = False
    guard: Part | None = None
    takes_all: bool = False
    collecting: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Guarded:
    """Header expressions, each a point, then a body: with, synchronized, using, lock.

    `items`: the header is a list whose children are the expressions.
    """

    header: Part
    body: Part
    items: bool = False


@dataclass(frozen=True)
class Labelled:
    """A label that `break` and `continue` inside `body` may name, and `goto` anywhere in the function."""

    label: Part
    body: Part


@dataclass(frozen=True)
class Jump:
    """A point that control leaves for elsewhere: break, continue, return, throw, yield, goto, leave or fallthrough.

    `only`: a jump only where one of these tokens is there, else a simple statement. `to_case`: the tokens with
    which a goto names a case of the switch around it (its label is then the case's text, none the default).
    As the rule of an expression: a jump in the place of a value, such as a throw expression.
    """

    kind: str
    label: Part | None = None
    only: frozenset[str] = frozenset()
    to_case: frozenset[str] = frozenset()
