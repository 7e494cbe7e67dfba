"""Source text -> syntax tree. The only module that touches tree-sitter.

A tree is a set of equally long columns, one entry a node, in preorder: the subtree of node `i` is the range
`i .. last[i]-1`. Nothing here recurses, so nesting depth is bounded by memory alone.

Only named grammar nodes become nodes; the inside of string literals does not. Of the anonymous tokens,
operators are kept as the name of their node. Comments are nodes of the tree but no *children*: `children`
holds what the passes look at.

A snippet (a constructor, a case without its switch, ...) may need text around it to be a file. `parse` tries
the wrappers of the language in order and takes the first without an error, else the one with the fewest
bytes in error. The wrapper's text is in no node, and spans are relative to the text that was given.

Where a grammar's scanner keeps state, every parse has a parser of its own: that of Python carries marks of one broken text
over to the next. On a few broken texts a grammar never comes to an end (TypeScript's on `class A {cost x = <T>(a = <T>(a = <T>(a`),
so a parse has a time limit far above what any other text takes.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import warnings
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from operator import sub
from typing import Any, NamedTuple

from cpg.errors import CodeTypeError
from cpg.languages.base import First, Inside, Language, Part, StandIn, Wrapper
from cpg.stand_ins import ROUNDS, misread, restore, with_stand_ins


NODE, COMMENT, TOKEN, DROPPED = range(4)
"""What becomes of a grammar node: a node and a child, a node but no child, part of a name, nothing."""
ERROR_KIND = 0xFFFF
"""The number that every grammar gives to what it cannot parse."""
SECONDS, SECONDS_PER_BYTE = 2.0, 2e-5
"""What one parse may take, whatever the text, and for each of its bytes; a megabyte of sound code takes half a second."""


@dataclass(frozen=True)
class Diagnostic:
    """Something about the text that the grammar or the encoding could not take.

    `kind`: "error" (text that no rule takes), "missing" (a token that should be there; empty span) or
    "encoding" (bytes that are not UTF-8, replaced by U+FFFD). Offsets are bytes of the UTF-8 text.
    """

    kind: str
    message: str
    start_byte: int
    end_byte: int


@dataclass
class SyntaxTree:
    """Columns in preorder; see the module docstring."""

    text: bytes
    source: str
    """The same text decoded."""
    types: list[str] = field(default_factory=list)
    fields: list[str | None] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    """-1 for the root, which is node 0 and spans the whole text."""
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    last: list[int] = field(default_factory=list)
    """One past the last node of the subtree."""
    children: list[list[int]] = field(default_factory=list)
    """All leaves share one empty list."""
    tokens: dict[int, list[str]] = field(default_factory=dict)
    """Node -> its anonymous tokens, for the types in `Language.tokens`."""
    broken: set[int] = field(default_factory=set)
    """Nodes that the parser made up or could not place."""
    diagnostics: list[Diagnostic] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ascii = self.source.isascii()

    def __len__(self) -> int:
        return len(self.types)

    def of_types(self, kinds: Collection[str]) -> list[int]:
        """The nodes whose type is in a set or among the keys of a table, in preorder."""
        return list(itertools.compress(itertools.count(), map(kinds.__contains__, self.types)))

    def code(self, node: int) -> str:
        """The text of a node."""
        if self._ascii:
            return self.source[self.starts[node] : self.ends[node]]
        return self.text[self.starts[node] : self.ends[node]].decode()

    def codes(self, nodes: Iterable[int]) -> list[str]:
        """The texts of nodes."""
        source, text, starts, ends = self.source, self.text, self.starts, self.ends
        if self._ascii:
            return [source[starts[node] : ends[node]] for node in nodes]
        return [text[starts[node] : ends[node]].decode() for node in nodes]

    def parts(self, node: int, part: Part | None) -> list[int]:
        """The children that `part` names, see `cpg.languages.base`."""
        children = self.children[node]
        if not children or part is None:
            return []
        if isinstance(part, str):
            # Loops, since for the few children of a node a comprehension costs more than what it does.
            found, fields = [], self.fields
            for child in children:
                if fields[child] == part:
                    found.append(child)
            if not found:
                types = self.types
                for child in children:
                    if types[child] == part:
                        found.append(child)
            return found
        if isinstance(part, int):
            return [children[part]] if -len(children) <= part < len(children) else []
        if isinstance(part, tuple):
            return [child for child in children if self.fields[child] in part or self.types[child] in part]
        if isinstance(part, Inside):
            return self._parts_inside(node, part)
        return next((found for one in part.parts if (found := self.parts(node, one))), [])

    def _parts_inside(self, node: int, inside: Inside) -> list[int]:
        found: list[int] = []
        while node >= 0 and (inside.furthest or not found):
            found = self.parts(node, inside.part) or found
            node = self.part(node, inside.along)
        return found

    def part(self, node: int, part: Part | None) -> int:
        """The first child that `part` names, -1 where there is none."""
        if isinstance(part, str):
            children, fields, types = self.children[node], self.fields, self.types
            for child in children:
                if fields[child] == part:
                    return child
            for child in children:
                if types[child] == part:
                    return child
            return -1
        found = self.parts(node, part)
        return found[0] if found else -1

    @functools.cached_property
    def _line_starts(self) -> list[int]:
        return [0, *itertools.accumulate(len(line) + 1 for line in self.text.split(b"\n")[:-1])]

    def line(self, offset: int) -> int:
        """1-based line of a byte offset."""
        return bisect.bisect_right(self._line_starts, offset)

    def lines_and_columns(self, offsets: list[int]) -> tuple[list[int], list[int]]:
        """1-based lines and 0-based columns, in bytes as in Python's `ast`, of byte offsets."""
        line_starts = self._line_starts
        if len(line_starts) == 1:
            return [1] * len(offsets), list(offsets)
        lines = list(map(bisect.bisect_right, itertools.repeat(line_starts), offsets))
        return lines, list(map(sub, offsets, map([0, *line_starts].__getitem__, lines)))


def raw_bytes(code: str | bytes) -> bytes:
    """The bytes of `code`; they decide its graph.

    Raises:
        CodeTypeError: `code` is neither str nor bytes.
    """
    if isinstance(code, str):
        return code.encode("utf-8", "surrogatepass")
    if isinstance(code, (bytes, bytearray)):
        return bytes(code)
    raise CodeTypeError(f"code is {type(code).__name__}, expected str or bytes; read the file first")


def decode(code: str | bytes) -> tuple[bytes, str, list[Diagnostic]]:
    """The text of `code` in UTF-8 and decoded, and a diagnostic where it was not UTF-8.

    Raises:
        CodeTypeError: `code` is neither str nor bytes.
    """
    raw = raw_bytes(code)
    try:
        return raw, raw.decode(), []
    except UnicodeDecodeError as error:
        source = raw.decode(errors="replace")
        text = source.encode()
        message = f"not UTF-8 from byte {error.start} on; the bytes are replaced by U+FFFD"
        return text, source, [Diagnostic("encoding", message, min(error.start, len(text)), len(text))]


class Grammar(NamedTuple):
    """What reading a tree of one language takes: numbers are those of its grammar."""

    language: Any
    parsers: list[Any] | None
    """The parser that serves all texts, or none yet; None where every text needs its own."""
    kinds: dict[int, tuple[str, int]]
    """Number of a node type -> its name, and what becomes of its nodes. The name is empty where a node's text is."""
    fields: dict[int | None, str | None]
    """Number of a field -> its name."""


@functools.lru_cache(maxsize=None)
def _grammar(name: str, language: Language) -> Grammar:
    with warnings.catch_warnings():
        # tree-sitter-languages builds its Language the way tree-sitter 0.21 warns about.
        warnings.simplefilter("ignore", FutureWarning)
        from tree_sitter_languages import get_language

        grammar = get_language(name)
    kinds = {}
    for number in (*range(grammar.node_kind_count), ERROR_KIND):
        kind = grammar.node_kind_for_id(number)
        role = COMMENT if kind in language.comments else NODE
        if not grammar.node_kind_is_named(number):
            role = TOKEN
        kinds[number] = (kind, DROPPED if kind in language.omitted else role)
        if kind in language.token_nodes:
            kinds[number] = ("", TOKEN)
    fields = {number: grammar.field_name_for_id(number) for number in range(1, grammar.field_count + 1)}
    return Grammar(grammar, [] if language.stateless else None, kinds, {None: None, **fields})


def _root(grammar: Grammar, text: bytes) -> Any | None:
    """The root of a text's tree, None where the grammar does not come to an end."""
    parser = grammar.parsers.pop() if grammar.parsers else _parser(grammar)
    parser.set_timeout_micros(int(1e6 * (SECONDS + SECONDS_PER_BYTE * len(text))))
    try:
        root = parser.parse(text).root_node
    except ValueError:  # what it raises at the limit; such a parser is not used again
        return None
    if grammar.parsers is not None:
        grammar.parsers.append(parser)
    return root


def _parser(grammar: Grammar) -> Any:
    from tree_sitter import Parser

    parser = Parser()
    parser.set_language(grammar.language)
    return parser


def parse(code: str | bytes, language: Language) -> SyntaxTree:
    """Parse a file or snippet. Broken text never raises. Time and memory are linear in the text; each wrapper of the
    language is tried for at most `SECONDS + SECONDS_PER_BYTE * bytes`, and a text that none is done with is a root with a
    diagnostic.

    Raises:
        CodeTypeError: `code` is neither str nor bytes.
    """
    text, source, diagnostics = decode(code)
    best: tuple[float, Any, Any, Wrapper, Grammar] | None = None
    for wrapper in language.wrappers:
        grammar = _grammar(wrapper.grammar or language.grammar, language)
        prefix = wrapper.prefix.encode()
        root = _root(grammar, prefix + text + wrapper.suffix.encode())
        holder = None if root is None else _holder(root, wrapper, len(prefix), len(text))
        if holder is None:
            continue
        cost = float(_error_bytes(root)) if root.has_error else 0.0
        if any(_holds(root, path) for path in wrapper.unlikely):
            cost += 0.5
        if best is None or cost < best[0]:
            best = (cost, root, holder, wrapper, grammar)
        if cost == 0:
            break
    if best is None:
        # The first wrapper adds nothing and always holds, so no parse came to an end.
        message = "the parser came to no end within its time limit"
        diagnostics.append(Diagnostic("error", message, 0, len(text)))
        wrapper = language.wrappers[0]
        grammar = _grammar(wrapper.grammar or language.grammar, language)
        empty = _root(grammar, b"")
        best = (0.0, empty, empty, wrapper, grammar)
    cost, root, holder, wrapper, grammar = best
    offset = len(wrapper.prefix.encode())
    operators: dict[int, str] = {}
    if root.has_error and language.stand_in is not None:
        root, holder, operators = _with_stand_ins(text, cost, root, holder, wrapper, grammar, language.stand_in)
    broken = root.has_error
    tree = SyntaxTree(text, source, diagnostics=diagnostics)
    missing = _walk(tree, root.type, holder, offset, grammar, language.tokens, broken)
    if operators:
        for node, operator in restore(tree, operators, language.stand_in).items():
            tree.tokens[node] = [operator]
    if wrapper.prefix or wrapper.suffix:
        tree.starts, tree.ends = (_moved(column, offset, len(text)) for column in (tree.starts, tree.ends))
        missing = [(name, *_moved([start], offset, len(text))) for name, start in missing]
    tree.starts[0], tree.ends[0] = 0, len(text)
    if broken:
        _diagnose(tree, holder.type == "ERROR", missing)
    return tree


def _with_stand_ins(
    text: bytes, cost: float, root: Any, holder: Any, wrapper: Wrapper, grammar: Grammar, rule: StandIn
) -> tuple[Any, Any, dict[int, str]]:
    """Root and holder of the parse with least error among those with other operators, and the operators replaced."""
    wrapped = wrapper.prefix.encode() + text + wrapper.suffix.encode()
    operators: dict[int, str] = {}
    for _ in range(ROUNDS):
        more = misread(root, rule)
        if not more:
            break
        found = {**operators, **more}
        other = _root(grammar, with_stand_ins(wrapped, found, rule))
        inside = None if other is None else _holder(other, wrapper, len(wrapper.prefix.encode()), len(text))
        if inside is None or _error_bytes(other) >= cost:
            break
        cost, root, holder, operators = _error_bytes(other), other, inside, found
    return root, holder, operators


def _moved(places: list[int], offset: int, length: int) -> list[int]:
    """Places in the wrapped text as places in the text itself, which has this length and offset."""
    return [min(max(place - offset, 0), length) for place in places]


def _holder(root: Any, wrapper: Wrapper, offset: int, length: int) -> Any | None:
    """The node that holds the snippet, or None where the snippet's text broke out of the wrapper."""
    node = root
    for depth, kind in enumerate(wrapper.path):
        named = node.named_children
        if not named or named[-1].type != kind or (depth == 0 and len(named) > 1):
            return None
        node = named[-1]
    if wrapper.closing is not None:
        end = offset + length + len(wrapper.suffix.encode()) - wrapper.closing
        if node.start_byte != offset - wrapper.opening or node.end_byte != end:
            return None
    return node


def _holds(root: Any, path: tuple[tuple[str, ...], ...]) -> bool:
    """Whether a path of these types leads down from the root."""
    nodes = [root]
    for kinds in path:
        nodes = [child for node in nodes for child in node.children if child.type in kinds]
    return bool(nodes)


def _error_bytes(root: Any) -> int:
    """How much of the text is in error: bytes in the topmost error nodes, one more for each and each missing token."""
    cost, cursor = 0, root.walk()
    while True:
        node = cursor.node
        if node.is_missing:
            cost += 1
        elif node.type == "ERROR":
            cost += 1 + node.end_byte - node.start_byte
        elif node.has_error and cursor.goto_first_child():
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return cost


def _walk(
    tree: SyntaxTree,
    root_type: str,
    holder: Any,
    offset: int,
    grammar: Grammar,
    with_tokens: frozenset[str],
    broken: bool,
) -> list[tuple[str, int]]:
    """Walk `holder` with a cursor into the columns of `tree`; its own place is taken by the root.

    What lies before `offset` becomes no node. Returns (name, start) of the missing tokens. Spans are as the parser
    gives them.
    """
    leaf: list[int] = []
    types, fields, parents, last, children = [root_type], [None], [-1], [0], [leaf]
    starts, ends = [holder.start_byte], [holder.end_byte]
    tokens, missing = tree.tokens, []
    kinds, field_names = grammar.kinds, grammar.fields
    cursor = holder.walk()
    to_child, to_sibling, to_parent = cursor.goto_first_child, cursor.goto_next_sibling, cursor.goto_parent
    parent, count, token_at = 0, 1, 0
    if more := to_child():
        children[0] = siblings = []
    while more:
        node = cursor.node
        name, role = kinds[node.kind_id]
        if offset and node.end_byte <= offset and node.start_byte < offset:
            role = max(role, TOKEN)
        if role <= COMMENT:
            types.append(name)
            fields.append(field_names[cursor.field_id])
            parents.append(parent)
            starts.append(node.start_byte)
            ends.append(node.end_byte)
            if role == NODE:
                siblings.append(count)
            if broken and (node.is_missing or name == "ERROR"):
                tree.broken.add(count)
            count += 1
            last.append(count)
            if to_child():
                parent, siblings = count - 1, []
                children.append(siblings)
                continue
            children.append(leaf)
        else:
            if role == TOKEN and types[parent] in with_tokens:
                text = name or node.text.decode()
                found = tokens.setdefault(parent, [])
                # `not in` is two tokens of that one type.
                if " " not in text or found[-1:] != [text] or token_at != count:
                    found.append(text)
                token_at = count
            if broken and (node.has_error if not name else node.is_missing and not node.is_named):
                missing.append((name or node.text.decode(), node.start_byte))
        while not to_sibling():
            if parent == 0:
                more = False
                break
            to_parent()
            last[parent] = count
            parent = parents[parent]
            siblings = children[parent]
    last[0] = count
    tree.types, tree.fields, tree.parents, tree.last, tree.children = types, fields, parents, last, children
    tree.starts, tree.ends = starts, ends
    return missing


def _diagnose(tree: SyntaxTree, no_root: bool, missing: list[tuple[str, int]]) -> None:
    """A diagnostic for every broken node and missing token; `no_root`: nothing at all could be made of the text."""
    for node in tree.broken:
        start = tree.starts[node]
        if tree.types[node] == "ERROR":
            tree.diagnostics.append(_error(tree, start, tree.ends[node]))
        else:
            tree.diagnostics.append(Diagnostic("missing", f"missing {tree.types[node]!r}", start, start))
    tree.diagnostics += [Diagnostic("missing", f"missing {name!r}", start, start) for name, start in missing]
    if no_root:
        tree.broken.add(0)
        tree.diagnostics.append(_error(tree, 0, len(tree.text)))


def _error(tree: SyntaxTree, start: int, end: int) -> Diagnostic:
    text = tree.text[start : min(end, start + 40)].decode(errors="ignore").replace("\n", " ")
    return Diagnostic("error", f"cannot parse {text!r}", start, end)
