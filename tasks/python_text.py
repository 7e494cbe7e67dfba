"""Functions of a Python file as text: comments and docstrings gone, statements removed or replaced, layout kept."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterable, Iterator

_STRING_STARTS = {tokenize.STRING, getattr(tokenize, "FSTRING_START", -1)}
_STRING_ENDS = {tokenize.STRING, getattr(tokenize, "FSTRING_END", -1)}


class CannotCut(Exception):
    """A statement that cannot be taken out by whole lines; its text is the reason under which it is counted."""


def whole_lines(statement: ast.stmt, lines: list[str]) -> bool:
    """Whether nothing but comments shares a line with `statement`."""
    before = lines[statement.lineno - 1].encode()[:statement.col_offset]
    after = lines[statement.end_lineno - 1].encode()[statement.end_col_offset:].strip()
    return not before.strip() and (not after or after.startswith(b"#"))


def documentation(node: ast.AST) -> Iterator[ast.stmt]:
    """Statements that are nothing but a text: docstrings, and strings used as comments."""
    for child in ast.walk(node):
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant) and isinstance(child.value.value, str):
            yield child


def blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """Every list of statements in `node`, outermost first."""
    for child in ast.walk(node):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(child, name, None)
            if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                yield block


def function_text(function: ast.AST, lines: list[str], removed: Iterable[ast.stmt] = (),
                  replaced: ast.stmt | None = None, replacement: str = "") -> str:
    """The text of `function`, decorators included, indented from column 0.

    Args:
        function: a function of the file.
        lines: the lines of the file.
        removed: statements to leave out, beside documentation.
        replaced: a statement in whose place `replacement` stands at the same indentation.

    Raises:
        CannotCut: a statement shares a line with another (`shares_line`), or a block would be left empty (`empty_block`).
    """
    gone = list({id(statement): statement for statement in [*removed, *documentation(function)]}.values())
    outer = _not_inside(gone)
    cut = [*outer, replaced] if replaced is not None else outer
    if not all(whole_lines(statement, lines) for statement in cut):
        raise CannotCut("shares_line")
    leaving = {id(statement) for statement in gone}
    for block in blocks(function):
        if all(id(statement) in leaving for statement in block) and not _within(block[0], outer):
            raise CannotCut("empty_block")
    first = min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])
    text = lines[first - 1:function.end_lineno]
    comments, inside_strings = _comments_and_strings(text)
    skipped = {number - first for statement in cut for number in range(statement.lineno, statement.end_lineno + 1)}
    indentation = len(text[0]) - len(text[0].lstrip())
    kept: list[str] = []
    for number, line in enumerate(text):
        if replaced is not None and number == replaced.lineno - first:
            kept.append(" " * (replaced.col_offset - indentation) + replacement)
        elif number in skipped:
            continue
        elif number in inside_strings:
            kept.append(line)
        else:
            shown = line[:comments[number]].rstrip() if number in comments else line.rstrip()
            if shown or (number not in comments and kept and kept[-1]):
                kept.append(shown[indentation:])
    return "\n".join(kept).strip("\n")


def one_line(statement: ast.stmt, lines: list[str]) -> str:
    """`statement` on one line: breaks within brackets become a blank, or nothing next to a bracket; quotes stay.

    Raises:
        CannotCut: it holds a string of several lines (`multiline_string`).
    """
    text = lines[statement.lineno - 1:statement.end_lineno]
    text[-1] = text[-1].encode()[:statement.end_col_offset].decode()
    text[0] = text[0].encode()[statement.col_offset:].decode()
    comments, inside_strings = _comments_and_strings(text)
    if inside_strings:
        raise CannotCut("multiline_string")
    joined = ""
    for number, line in enumerate(text):
        part = line[:comments[number]].strip() if number in comments else line.strip()
        part = part[:-1].rstrip() if part.endswith("\\") and number < len(text) - 1 else part
        if part:
            tight = not joined or joined[-1] in "([{" or part[0] in ")]}"
            joined += part if tight else f" {part}"
    try:
        same = ast.dump(ast.parse(joined).body[0]) == ast.dump(statement)
    except SyntaxError:
        same = False
    if not same:
        raise CannotCut("multiline_string")
    return joined


def _comments_and_strings(text: list[str]) -> tuple[dict[int, int], set[int]]:
    """Column of the comment of a line, by line from 0; and lines that begin inside a string."""
    comments: dict[int, int] = {}
    inside: set[int] = set()
    starts: list[int] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO("\n".join(text) + "\n").readline):
            if token.type == tokenize.COMMENT:
                comments[token.start[0] - 1] = token.start[1]
            if token.type in _STRING_STARTS:
                starts.append(token.start[0])
            if token.type in _STRING_ENDS and starts:
                inside.update(range(starts.pop(), token.end[0]))
    except (tokenize.TokenError, SyntaxError) as error:
        raise CannotCut("not_tokenized") from error
    return comments, inside


def _not_inside(statements: list[ast.stmt]) -> list[ast.stmt]:
    """Those of `statements` that no other of them contains."""
    return [statement for statement in statements if not _within(statement, statements)]


def _within(statement: ast.stmt, others: Iterable[ast.stmt]) -> bool:
    return any(other is not statement and other.lineno <= statement.lineno and statement.end_lineno <= other.end_lineno
               and (other.lineno, other.col_offset) <= (statement.lineno, statement.col_offset)
               and (other.lineno, other.col_offset, other.end_lineno, other.end_col_offset)
               != (statement.lineno, statement.col_offset, statement.end_lineno, statement.end_col_offset)
               for other in others)
