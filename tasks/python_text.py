"""Functions of a Python file as text: comments and docstrings gone, statements removed or replaced, layout kept."""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator

_STRING_STARTS = {tokenize.STRING, getattr(tokenize, "FSTRING_START", -1)}
_STRING_ENDS = {tokenize.STRING, getattr(tokenize, "FSTRING_END", -1)}


_STRING_OR_COMMENT = re.compile(r"""
    '''[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*'''
    |\"\"\"[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*\"\"\"
    |'[^'\\\n]*(?:\\.[^'\\\n]*)*'
    |"[^"\\\n]*(?:\\.[^"\\\n]*)*"
    |\#[^\n]*""", re.VERBOSE | re.DOTALL)
_FORMATTED = re.compile(r"""\b[rR]?[fF][rR]?["']""")


_WITH_BLOCKS = frozenset(kind for kind in vars(ast).values() if isinstance(kind, type) and issubclass(kind, ast.AST)
                         and not {"body", "handlers", "cases"}.isdisjoint(kind._fields))


class CannotCut(Exception):
    """A statement that cannot be taken out by whole lines; its text is the reason under which it is counted."""


def whole_lines(statement: ast.stmt, lines: list[str]) -> bool:
    """Whether nothing but comments shares a line with `statement`."""
    before = lines[statement.lineno - 1].encode()[:statement.col_offset]
    after = lines[statement.end_lineno - 1].encode()[statement.end_col_offset:].strip()
    return not before.strip() and (not after or after.startswith(b"#"))


def statements(node: ast.AST) -> Iterator[ast.stmt]:
    """Every statement in `node`, outer before inner, without looking into expressions."""
    for block in _own_blocks(node):
        for statement in block:
            yield statement
            yield from statements(statement)


def _own_blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    if node.__class__ not in _WITH_BLOCKS:
        return
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if isinstance(block, list) and block:
            yield block
    for part in [*getattr(node, "handlers", ()), *getattr(node, "cases", ())]:
        yield part.body


def is_documentation(statement: ast.stmt) -> bool:
    """Whether it is nothing but a text: a docstring, or a string used as a comment."""
    return (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            and isinstance(statement.value.value, str))


class FunctionText:
    """The text of one function of a file, cut in different ways; what all cuts share is found once.

    Args:
        function: a function of the file.
        lines: the lines of the file.

    Raises:
        CannotCut: the function cannot be tokenized (`not_tokenized`).
    """

    def __init__(self, function: ast.FunctionDef | ast.AsyncFunctionDef, lines: list[str]):
        self.lines = lines
        self.first = min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])
        self.text = lines[self.first - 1:function.end_lineno]
        self.indentation = len(self.text[0]) - len(self.text[0].lstrip())
        self.comments, self.inside_strings = _comments_and_strings(self.text)
        self.blocks = list(_own_blocks(function))
        for block in self.blocks:  # which grows on the way
            for statement in block:
                if statement.__class__ in _WITH_BLOCKS:
                    self.blocks += _own_blocks(statement)
        self.documentation = [statement for block in self.blocks for statement in block if is_documentation(statement)]

    def cut(self, removed: Iterable[ast.stmt] = (), replaced: ast.stmt | None = None, replacement: str = "") -> str:
        """The function, decorators included, indented from column 0, without comments and documentation.

        Args:
            removed: further statements to leave out.
            replaced: a statement in whose place `replacement` stands at the same indentation.

        Raises:
            CannotCut: a statement shares a line with another (`shares_line`), or a block would be left empty
                (`empty_block`).
        """
        gone = list({id(statement): statement for statement in [*removed, *self.documentation]}.values())
        inner = {id(statement) for outer in gone for statement in statements(outer)}
        cut = [statement for statement in gone if id(statement) not in inner] + ([replaced] if replaced else [])
        if not all(whole_lines(statement, self.lines) for statement in cut):
            raise CannotCut("shares_line")
        leaving = {id(statement) for statement in gone}
        if any(id(block[0]) not in inner and leaving.issuperset(map(id, block)) for block in self.blocks):
            raise CannotCut("empty_block")
        skipped = {number - self.first for statement in cut
                   for number in range(statement.lineno, statement.end_lineno + 1)}
        place = replaced.lineno - self.first if replaced else -1
        column = replaced.col_offset - self.indentation if replaced else 0
        return self._kept_lines(skipped, place, " " * column + replacement)

    def _kept_lines(self, skipped: set[int], place: int, replacement: str) -> str:
        """The lines that are not `skipped`, `replacement` at `place`; blank lines in a row become one, and none opens a block."""
        kept: list[str] = []
        for number, line in enumerate(self.text):
            if number == place:
                kept.append(replacement)
            elif number in skipped:
                continue
            elif number in self.inside_strings:
                kept.append(line)
            else:
                shown = line[:self.comments[number]].rstrip() if number in self.comments else line.rstrip()
                if shown or (number not in self.comments and kept and kept[-1] and not kept[-1].endswith(":")):
                    kept.append(shown[self.indentation:])
        return "\n".join(kept).strip("\n")


def one_line(statement: ast.stmt, lines: list[str]) -> str:
    """`statement` on one line: breaks within brackets become a blank, or nothing next to a bracket; quotes stay.

    Raises:
        CannotCut: it holds a string of several lines (`multiline_string`).
    """
    text = lines[statement.lineno - 1:statement.end_lineno]
    text[-1] = text[-1].encode()[:statement.end_col_offset].decode()
    text[0] = text[0].encode()[statement.col_offset:].decode()
    if len(text) == 1:
        return text[0]
    comments, inside_strings = _comments_and_strings(text)
    if inside_strings:
        raise CannotCut("multiline_string")
    parts = [(line[:comments[number]] if number in comments else line).strip() for number, line in enumerate(text)]
    parts = [part[:-1].rstrip() if part.endswith("\\") else part for part in parts[:-1]] + parts[-1:]
    parts = [part for part in parts if part]
    meaning = ast.dump(statement)
    for candidate in (_joined(parts, True), _joined(parts, False)):
        try:
            if ast.dump(ast.parse(candidate).body[0]) == meaning:
                return candidate
        except SyntaxError:
            continue
    raise CannotCut("multiline_string")


def _joined(parts: list[str], without_last_comma: bool) -> str:
    """`parts` in one line, optionally without the comma that layouts of several lines put before a closing bracket."""
    joined = ""
    for part in parts:
        if without_last_comma and joined.endswith(",") and part[0] in ")]}":
            joined = joined[:-1]
        tight = not joined or joined[-1] in "([{" or part[0] in ")]}"
        joined += part if tight else f" {part}"
    return joined


def _comments_and_strings(text: list[str]) -> tuple[dict[int, int], set[int]]:
    """Column of the comment of a line, by line from 0; and lines that begin inside a string.

    Strings and comments are found by their form, twenty times as fast as by the tokenizer; where a formatted string may
    hold strings within quotes of its own kind, the tokenizer is asked.
    """
    joined = "\n".join(text)
    if sys.version_info >= (3, 12) and _FORMATTED.search(joined):
        return _by_tokenizer(joined)
    comments: dict[int, int] = {}
    inside: set[int] = set()
    line, line_start = 0, 0
    for match in _STRING_OR_COMMENT.finditer(joined):
        start, end = match.span()
        breaks = joined.count("\n", line_start, start)
        if breaks:
            line, line_start = line + breaks, joined.rindex("\n", 0, start) + 1
        if joined[start] == "#":
            comments[line] = start - line_start
            continue
        breaks = joined.count("\n", start, end)
        if breaks:
            inside.update(range(line + 1, line + breaks + 1))
            line, line_start = line + breaks, joined.rindex("\n", 0, end) + 1
    return comments, inside


def _by_tokenizer(text: str) -> tuple[dict[int, int], set[int]]:
    comments: dict[int, int] = {}
    inside: set[int] = set()
    starts: list[int] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(text + "\n").readline):
            if token.type == tokenize.COMMENT:
                comments[token.start[0] - 1] = token.start[1]
            if token.type in _STRING_STARTS:
                starts.append(token.start[0])
            if token.type in _STRING_ENDS and starts:
                inside.update(range(starts.pop(), token.end[0]))
    except (tokenize.TokenError, SyntaxError) as error:
        raise CannotCut("not_tokenized") from error
    return comments, inside
