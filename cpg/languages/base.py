"""The tables that one language fills in.

The passes know no language. They look a node's type up in the tables of a `Language` and find a *rule*:
a small record that says which child plays which part. (`statement_rules` and `value_rules` beside this file hold
the rules; all are imported from here.) A child is named by a `Part`:

* a `str` names the children in that grammar field, or, where no field has the name, of that node type;
* a tuple of `str` names the children in any of these fields or of any of these node types;
* an `int` is a position among the children (comments are not counted), counted from the end if it is negative;
* `Inside` looks further down;
* `First` is the first of several parts that is there.

To add a language: one file that builds one `Language`, and one line in `cpg/languages/__init__.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cpg.languages.statement_rules import *  # noqa: F403
from cpg.languages.statement_rules import Part
from cpg.languages.value_rules import *  # noqa: F403
from cpg.languages.value_rules import Access, Binding, Call, Class, Function, Keyed, Path


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


@dataclass(frozen=True)
class StandIn:
    """`operators` that the grammar cannot take inside nodes of type `inside`. `token` is put in their place; the nodes
    of type `kind` that it makes are of type `becomes`. See `cpg.stand_ins`.
    """

    operators: frozenset[str]
    inside: str
    token: str
    kind: str
    becomes: str


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
    stateless: bool = False
    """The grammar's scanner keeps no state, so that one parser serves all texts."""
    wrappers: tuple[Wrapper, ...] = (Wrapper(),)
    """Tried in order; the first that parses without an error is taken, else the one with least error."""
    stand_in: StandIn | None = None
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
    passing_operators: frozenset[str] = frozenset()
    """Of a node in `passing` that is an operation: with which operators it passes. Empty: with all."""
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
    lazy: dict[str, str] = field(default_factory=dict)
    """Comprehension that runs when its values are asked for -> the type of parent that asks for all of them at once."""
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
