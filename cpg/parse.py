"""Source text -> syntax tree. The only module that touches tree-sitter.

A tree is a set of equally long columns, one entry a node, in preorder: the subtree of node `i` is the range
`i .. last[i]-1`. Nothing here recurses, so nesting depth is bounded by memory alone.

Only named grammar nodes become nodes; the inside of string literals does not. Of the anonymous tokens,
operators are kept as the name of their node. Comments are nodes of the tree but no *children*: `children`
holds what the passes look at.

A snippet (a constructor, a case without its switch, ...) may need text around it to be a file. `parse` tries
the wrappers of the language in order and takes the first without an error, else the one with the fewest
bytes in error. The wrapper's text is in no node, and spans are relative to the text that was given.
"""

from __future__ import annotations

import bisect
import functools
import warnings
from dataclasses import dataclass, field
from typing import Any

from cpg.errors import CodeTypeError
from cpg.languages.base import First, Inside, Language, Part, Wrapper


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
    types: list[str] = field(default_factory=list)
    fields: list[str | None] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    """-1 for the root, which is node 0 and spans the whole text."""
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    last: list[int] = field(default_factory=list)
    """One past the last node of the subtree."""
    children: list[list[int]] = field(default_factory=list)
    tokens: dict[int, list[str]] = field(default_factory=dict)
    """Node -> its anonymous tokens, for the types in `Language.tokens`."""
    broken: set[int] = field(default_factory=set)
    """Nodes that the parser made up or could not place."""
    diagnostics: list[Diagnostic] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.types)

    def code(self, node: int) -> str:
        """The text of a node."""
        return self.text[self.starts[node] : self.ends[node]].decode()

    def parts(self, node: int, part: Part | None) -> list[int]:
        """The children that `part` names, see `cpg.languages.base`."""
        children = self.children[node]
        if part is None:
            return []
        if isinstance(part, int):
            return children[part : part + 1]
        if isinstance(part, tuple):
            return [child for child in children if self.fields[child] in part or self.types[child] in part]
        if isinstance(part, Inside):
            return self._parts_inside(node, part)
        if isinstance(part, First):
            return next((found for one in part.parts if (found := self.parts(node, one))), [])
        found = [child for child in children if self.fields[child] == part]
        return found or [child for child in children if self.types[child] == part]

    def _parts_inside(self, node: int, inside: Inside) -> list[int]:
        found: list[int] = []
        while node >= 0 and not found:
            found = self.parts(node, inside.part)
            node = self.part(node, inside.along)
        return found

    def part(self, node: int, part: Part | None) -> int:
        """The first child that `part` names, -1 where there is none."""
        found = self.parts(node, part)
        return found[0] if found else -1

    def lines_and_columns(self, offsets: list[int]) -> tuple[list[int], list[int]]:
        """1-based lines and 0-based columns, in bytes as in Python's `ast`, of byte offsets."""
        line_starts = [0]
        position = self.text.find(b"\n")
        while position >= 0:
            line_starts.append(position + 1)
            position = self.text.find(b"\n", position + 1)
        if len(line_starts) == 1:
            return [1] * len(offsets), list(offsets)
        lines = [bisect.bisect_right(line_starts, offset) for offset in offsets]
        return lines, [offset - line_starts[line - 1] for offset, line in zip(offsets, lines)]


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


def decode(code: str | bytes) -> tuple[bytes, list[Diagnostic]]:
    """The UTF-8 text of `code`, and a diagnostic where it was not UTF-8.

    Raises:
        CodeTypeError: `code` is neither str nor bytes.
    """
    raw = raw_bytes(code)
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        text = raw.decode(errors="replace").encode()
        message = f"not UTF-8 from byte {error.start} on; the bytes are replaced by U+FFFD"
        return text, [Diagnostic("encoding", message, min(error.start, len(text)), len(text))]
    return raw, []


@functools.lru_cache(maxsize=None)
def _parser(grammar: str) -> Any:
    with warnings.catch_warnings():
        # tree-sitter-languages builds its Language the way tree-sitter 0.21 warns about.
        warnings.simplefilter("ignore", FutureWarning)
        from tree_sitter_languages import get_parser

        return get_parser(grammar)


def parse(code: str | bytes, language: Language) -> SyntaxTree:
    """Parse a file or snippet. Broken text never raises. Time and memory are linear in the text.

    Raises:
        CodeTypeError: `code` is neither str nor bytes.
    """
    text, diagnostics = decode(code)
    best: tuple[int, Any, Any, int] | None = None
    for wrapper in language.wrappers:
        prefix = wrapper.prefix.encode()
        root = _parser(wrapper.grammar or language.grammar).parse(prefix + text + wrapper.suffix.encode()).root_node
        holder = _holder(root, wrapper, len(prefix), len(text))
        if holder is None:
            continue
        cost = _error_bytes(root) if root.has_error else 0
        if best is None or cost < best[0]:
            best = (cost, root, holder, len(prefix))
        if cost == 0:
            break
    assert best is not None, "the first wrapper adds nothing and always holds"
    cost, root, holder, offset = best
    tree = _columns(text, root.type, holder, offset, language, broken=cost > 0)
    tree.diagnostics[:0] = diagnostics
    return tree


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


def _error_bytes(root: Any) -> int:
    """How much of the text is in error: bytes in the topmost error nodes, one more for each and each missing token."""
    cost = 0
    cursor = root.walk()
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


def _columns(text: bytes, root_type: str, holder: Any, offset: int, language: Language, broken: bool) -> SyntaxTree:
    """Walk `holder` with a cursor into columns; its own place is taken by the root."""
    tree = SyntaxTree(text)
    types, fields, parents = tree.types, tree.fields, tree.parents
    starts, ends, last, children = tree.starts, tree.ends, tree.last, tree.children
    length = len(text)
    omitted, comments, token_types = language.omitted, language.comments, language.tokens

    def append(kind: str, in_field: str | None, under: int, start: int, end: int) -> None:
        types.append(kind)
        fields.append(in_field)
        parents.append(under)
        starts.append(start)
        ends.append(end)
        last.append(len(types))
        children.append([])

    append(root_type, None, -1, 0, length)
    if holder.type == "ERROR":
        tree.broken.add(0)
        tree.diagnostics.append(_error(tree, 0, length))

    cursor = holder.walk()
    parent, keeps_tokens = 0, root_type in token_types
    token_at = -1
    more = cursor.goto_first_child()
    while more:
        node = cursor.node
        kind = node.type
        in_prefix = offset and node.end_byte <= offset and node.start_byte < offset
        if node.is_named and kind not in omitted and not in_prefix:
            index = len(types)
            start, end = node.start_byte - offset, node.end_byte - offset
            start = 0 if start < 0 else min(start, length)
            end = start if end < start else min(end, length)
            append(kind, cursor.field_name, parent, start, end)
            if kind not in comments:
                children[parent].append(index)
            if broken:
                _note_broken(tree, index, node.is_missing)
            if cursor.goto_first_child():
                parent, keeps_tokens = index, kind in token_types
                continue
        elif keeps_tokens and kind not in omitted:
            tokens = tree.tokens.setdefault(parent, [])
            # `not in` is two tokens of that one type.
            if " " not in kind or tokens[-1:] != [kind] or token_at != len(types):
                tokens.append(kind)
            token_at = len(types)
        if broken and not node.is_named and node.is_missing:
            place = max(0, min(node.start_byte - offset, length))
            tree.diagnostics.append(Diagnostic("missing", f"missing {kind!r}", place, place))
        while not cursor.goto_next_sibling():
            if parent == 0:
                more = False
                break
            cursor.goto_parent()
            last[parent] = len(types)
            parent = parents[parent]
            keeps_tokens = types[parent] in token_types
    last[0] = len(types)
    return tree


def _note_broken(tree: SyntaxTree, node: int, missing: bool) -> None:
    if missing:
        tree.broken.add(node)
        message = f"missing {tree.types[node]!r}"
        tree.diagnostics.append(Diagnostic("missing", message, tree.starts[node], tree.starts[node]))
    elif tree.types[node] == "ERROR":
        tree.broken.add(node)
        tree.diagnostics.append(_error(tree, tree.starts[node], tree.ends[node]))


def _error(tree: SyntaxTree, start: int, end: int) -> Diagnostic:
    text = tree.text[start : min(end, start + 40)].decode(errors="ignore").replace("\n", " ")
    return Diagnostic("error", f"cannot parse {text!r}", start, end)
