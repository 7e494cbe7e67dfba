"""The rules of expressions, functions and variables; `cpg.languages.base` tells how tables use them."""

from __future__ import annotations

from dataclasses import dataclass

from cpg.languages.statement_rules import Part


# ------------------------------------------------------------------------------------------ expressions
@dataclass(frozen=True)
class ShortCircuit:
    """`left` decides whether `right` is evaluated, if the operator is in one of the tables.

    `coalescing` operators give the left value unless it is null: `true` means that it is there. Their truth, and
    that of an assignment (`a ||= b`), is that of the whole value, so they are not taken apart as conditions.
    """

    left: Part
    right: Part
    conjunctions: frozenset[str]
    disjunctions: frozenset[str]
    coalescing: frozenset[str] = frozenset()
    assigns: bool = False


@dataclass(frozen=True)
class Chain:
    """A comparison whose first child may be the comparison before it, see `Language.chains`: that decides whether
    this one is made."""


@dataclass(frozen=True)
class Ternary:
    """`condition` decides which of two expressions is evaluated. Without a `consequence` it is the value (`a ?: b`)."""

    condition: Part
    consequence: Part
    alternative: Part


@dataclass(frozen=True)
class Negation:
    """Swaps the two ways out of the condition inside, if its operator is in the table."""

    operand: Part
    operators: frozenset[str]


@dataclass(frozen=True)
class Access:
    """A link of a chain such as `a?.b(c)[d]`; `base` is what it continues. Where the base of a link that has the part
    `optional` is null, the rest of the chain is not evaluated: that base is a condition, `true` means that it is there.
    """

    base: Part
    optional: Part | None = None


@dataclass(frozen=True)
class Comprehension:
    """A loop inside an expression: clauses in order, then `body`.

    Clauses are told apart by their type: `loops`, `tests`, and `steps`, which are simple points. A loop clause with
    a `collecting` part goes through its elements by itself, so it is a step. `again`: a clause whose `target` goes
    through the results of what is before it, and which holds further clauses and a body.
    """

    body: Part
    loops: frozenset[str]
    tests: frozenset[str]
    target: Part
    iterable: Part
    steps: frozenset[str] = frozenset()
    collecting: Part | None = None
    again: str | None = None


# --------------------------------------------------------------------------------------------- functions
@dataclass(frozen=True)
class Function:
    """Has its own ENTRY and EXIT when the `body` part is there.

    `member`: the function belongs to a class (or stands alone), so the receiver and fields seen in it are
    not captured from around it. `binds`: the part whose name the definition binds around it. `prologue`: the
    part whose children are points before the body, such as C++ constructor initialisers, or which is one itself
    where it is a call. `knows`: the part whose name only the function itself sees. `outside`: the part that is
    evaluated where the function is made, such as a computed name. `receives`: the function has a receiver of its
    own, other than the one around it. `results`: named results, points behind the parameters; `return` without a
    value uses them, with a value defines them. `captures`: a list of what the function takes from around it, see
    `cpg.captures`.

    A function that is part of no point is made where the function around it begins. Where the body is absent and
    the type has a `Binding` too, it is only that: a property.
    """

    parameters: Part = "parameters"
    body: Part = "body"
    member: bool = False
    binds: Part | None = None
    prologue: Part | None = None
    knows: Part | None = None
    outside: Part | None = None
    receives: bool = False
    results: Part | None = None
    captures: Part | None = None


@dataclass(frozen=True)
class Class:
    """The executable statements of its body (a Python class body, Java field initialisers) form a body of
    their own. `binds` as in `Function`. `outside`: the parts of the body and of its members that are evaluated
    where the class stands, such as decorators and computed names. `parameters`: those of a primary constructor,
    points before the body; `epilogue`: a part that is a point behind it, such as the call of the base class's
    constructor.
    """

    body: Part = "body"
    binds: Part | None = None
    outside: Part | None = None
    parameters: Part | None = None
    epilogue: Part | None = None


# --------------------------------------------------------------------------------------------- variables
@dataclass(frozen=True)
class Binding:
    """`target` receives `value`.

    `declares`: introduces the name into the scope around; `declares_with` are tokens with which it does where it
    does not always. `reads`: the old value is used too; `plain` are the operators with which it is not.
    `needs_value`: without a value child nothing is defined, but for `constructed` types of targets where the part
    `constructs` is there: C++ objects, which are made where they are declared. `only`: a binding only where one of these tokens is there. `hoists`: tokens with which the name belongs to the
    whole function (JavaScript's var). `first`: what is evaluated before the value. `maybe`: tokens with which the
    definition may or may not happen (C#'s ref). `mode`: how names in the target are treated, see `cpg.names`; with
    "field" the target's text is a field of the receiver, with "name" it is the name, whatever its type. `stores`:
    tokens and types of children with which the field of the target's name is defined as well (TypeScript's parameter
    properties).
    """

    target: Part
    value: Part | None = None
    declares: bool = False
    declares_with: frozenset[str] = frozenset()
    reads: bool = False
    plain: frozenset[str] = frozenset()
    needs_value: bool = False
    constructs: Part | None = None
    constructed: frozenset[str] = frozenset()
    only: frozenset[str] = frozenset()
    hoists: frozenset[str] = frozenset()
    first: Part | None = None
    maybe: frozenset[str] = frozenset()
    mode: str = "define"
    stores: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Path:
    """`base.member`, `base[index]` or, with neither, `*base`: a variable of its own where the base is one.

    `only`: a path only where one of these tokens is there (C's `*p`, not `&p`). `arrows`: tokens that are shown
    between base and member instead of a dot. `same`: tokens with which it is the base itself (C#'s `a!`).
    """

    base: Part
    member: Part | None = None
    index: Part | None = None
    only: frozenset[str] = frozenset()
    arrows: frozenset[str] = frozenset()
    same: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Keyed:
    """`key: value` in a literal. A key that is only a name is a field, no variable, unless the literal's type is one
    of `indexed`. The type is a `type` part of a node around; a literal (node type `literal`) right inside another
    one has the type that is the `element` part of its type.
    """

    literal: str
    type: Part
    element: Part
    indexed: frozenset[str]


@dataclass(frozen=True)
class Call:
    """`receiver` and the children of `arguments` may be changed by the called code, see `extract`. `callee`: a
    part whose base is the receiver where it is a path (`a.f` in `a.f(x)`).
    """

    arguments: Part
    receiver: Part | None = None
    callee: Part | None = None
