"""The tables that one language fills in.

The passes know no language. They look a node's type up in the tables of a `Language` and find a *rule*:
a small record that says which child plays which part. A child is named by a `Part`:

* a `str` names the children in that grammar field, or, where no field has the name, of that node type;
* a tuple of `str` names the children in any of these fields or of any of these node types;
* an `int` is a position among the children (comments are not counted), counted from the end if it is negative;
* `Inside` looks further down;
* `First` is the first of several parts that is there.

To add a language: one file that builds one `Language`, and one line in `cpg/languages/__init__.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
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
    the node itself is a point from which control goes on to any one group (Go's select).
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


# ---------------------------------------------------------------------------------------------- language
@dataclass(frozen=True)
class Wrapper:
    """Text around a snippet that makes it a file.

    `path` are the node types that lead from the root to the node that holds the snippet; `closing` is the
    number of bytes after that node, None where the node has no closing token; `opening` is how much of the
    prefix belongs to it. `grammar`: another one than the language's, for a dialect. `unlikely`: paths of node types
    down from the root, one or several for a step, that show that another wrapper without an error is the better
    reading.
    """

    prefix: str = ""
    suffix: str = ""
    path: tuple[str, ...] = ()
    closing: int | None = None
    grammar: str = ""
    opening: int = 1
    unlikely: tuple[tuple[tuple[str, ...], ...], ...] = ()


@dataclass(frozen=True, eq=False)
class Language:
    """Everything the passes know about one language; fields by the pass that reads them.

    Compared and hashed by identity, so that what a pass prepares of the tables is made once for each language.
    """

    name: str
    grammar: str
    """Name of the grammar in tree-sitter-languages."""
    extensions: tuple[str, ...]

    # parse
    wrappers: tuple[Wrapper, ...] = (Wrapper(),)
    """Tried in order; the first that parses without an error is taken, else the one with least error."""
    comments: frozenset[str] = frozenset()
    omitted: frozenset[str] = frozenset()
    """Named grammar nodes that get no graph node: the inside of string literals."""
    tokens: frozenset[str] = frozenset()
    """Node types whose anonymous tokens are their name: operators."""
    token_nodes: frozenset[str] = frozenset()
    """Named grammar nodes that stand for a token of the node around them, so get no graph node."""
    names: dict[str, Part | None] = field(default_factory=dict)
    """Node type -> the child whose name is this node's name; None: its own text is."""
    labels: dict[str, str] = field(default_factory=dict)
    labels_under: dict[tuple[str, str], str] = field(default_factory=dict)
    """(type of the parent, type) -> label of a node there."""
    labels_in_field: dict[tuple[str, str], str] = field(default_factory=dict)
    """(type of the parent, field) -> label of a node there, whatever its type."""
    labels_without: dict[str, tuple[Part, str]] = field(default_factory=dict)
    """Node type -> a part, and the label of a node that lacks it: C's `struct S` without a body is only a type."""

    chains: frozenset[str] = frozenset()
    """Node types that hold all operands of `a < b < c`: each comparison but the last gets a node."""

    # control flow
    statements: dict[str, object] = field(default_factory=dict)
    expressions: dict[str, object] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)
    classes: dict[str, Class] = field(default_factory=dict)
    parameter_types: frozenset[str] = frozenset()
    no_parameter: frozenset[str] = frozenset()
    """Texts of a parameter that stand for none: C's `(void)`."""
    eager: frozenset[str] = frozenset()
    """Fields of a parameter that are evaluated where the function is defined: default values."""
    parentheses: frozenset[str] = frozenset()
    """Node types that add nothing to the only child in them."""
    empty: frozenset[str] = frozenset()
    """Node types that stand for nothing: the absent condition of a `for`."""
    terminating: dict[str, str] = field(default_factory=dict)
    """Text of a called function that does not return -> the kind of jump that its statement is: throw, return, or
    exit, which ends the program at once, past every finalizer."""
    alternation: dict[str, str] = field(default_factory=dict)
    """Node type of a directive among statements -> if, elif, else or end. Between them stand ways among which the
    compiler chooses: each is possible, no point decides."""
    always_true: frozenset[str] = frozenset()
    """Texts of conditions that make a loop endless."""
    always_false: frozenset[str] = frozenset()
    """Texts of directives' conditions that rule a way out."""
    throwing: dict[str, frozenset[str] | None] = field(default_factory=dict)
    """Node type -> operators with which it can throw; None: it always can."""
    swallowing: frozenset[str] = frozenset()
    """Names of context managers after which control goes on although their body threw."""
    catches_everything: frozenset[str] = frozenset()
    """Filter names after which nothing propagates further."""

    # variables
    identifiers: frozenset[str] = frozenset()
    receivers: frozenset[str] = frozenset()
    """Node types that stand for the receiver: this."""
    bindings: dict[str, Binding] = field(default_factory=dict)
    paths: dict[str, Path] = field(default_factory=dict)
    calls: dict[str, Call] = field(default_factory=dict)
    unevaluated: frozenset[str] = frozenset()
    """Text of a called function that evaluates nothing: C#'s nameof."""
    initializers: frozenset[str] = frozenset()
    """Node types in which an assignment to a name gives a member of a new object its value."""
    passing: frozenset[str] = frozenset()
    """Node types around what is passed: an argument's own node, C's `&x`."""
    hoisting: frozenset[str] = frozenset()
    """Node types whose declarations belong to the whole function: JavaScript's var."""
    targets: frozenset[str] = frozenset()
    """Node types that pass being a target on to their children: tuples, lists, stars."""
    dotted: frozenset[str] = frozenset()
    """Node types `a.b.c` of names: a binding binds the first; a pattern with more than one compares."""
    keyed: dict[str, Keyed] = field(default_factory=dict)
    literals: frozenset[str] = frozenset()
    """Index types that tell elements apart: two different literals are two different elements."""
    ignored: frozenset[str] = frozenset()
    """Node types whose subtree is not evaluated, so names no variable: types, annotations, labels."""
    ignored_parts: dict[str, tuple[Part, ...]] = field(default_factory=dict)
    """Node type -> parts that name no variable: the name of a called method, of a field."""
    intrinsic: dict[str, Part] = field(default_factory=dict)
    """Node type -> the part that names no variable if it is one name in lower case: the tag of a JSX element."""
    scopes: frozenset[str] = frozenset()
    """Node types that open a block scope."""
    confined: dict[str, Part] = field(default_factory=dict)
    """Scope -> the part of it that declares into it, in a language in which names belong to functions."""
    comprehensions: frozenset[str] = frozenset()
    """Node types that open a scope of their own inside an expression."""
    redirects: dict[str, str] = field(default_factory=dict)
    """Node type -> "global" or "nonlocal": its names belong to another scope."""
    hoisted: bool = False
    """A name belongs to the whole function that binds it, wherever it does; else from its declaration on."""
    declared_throughout: bool = False
    """A declaration holds in its whole block, also before its own place (where functions may see it)."""
    implicit_receiver: bool = False
    """A name that nothing declares is a field of the receiver; else it belongs to the file."""
    late_capture: bool = False
    """A nested function sees the variable when it is called; else its value when it is made."""
