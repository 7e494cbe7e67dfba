"""Methods of the trees as rows show them: their text without comments, and what lies around them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from .class_names import Names
from .context import context_of
from .language_miner import Declaration
from .member_text import CannotCut, cut
from .scope import Scope
from .syntax import CodeTree, Syntax

KEPT = 2000


@dataclass(frozen=True)
class MethodText:
    """Text of a method and the methods of the trees that it calls; `problem`: the reason for which there is none."""

    text: str
    callees: tuple[Declaration, ...] = ()
    problem: str = ""


class MethodTexts:
    """Texts of the methods of an index; the last `KEPT` are kept."""

    def __init__(self, names: Names, syntax: Syntax):
        self.names = names
        self.syntax = syntax
        self._of_range = lru_cache(maxsize=KEPT)(self._read)
        self._around = lru_cache(maxsize=KEPT)(self._context)

    def of(self, declared: Declaration) -> MethodText:
        """The text of a method or constructor."""
        return self._of_range(declared.file, declared.start, declared.end, declared.owner)

    def context(self, declared: Declaration) -> dict[str, Any]:
        """What lies around a method."""
        return self._around(declared.file, declared.start, declared.end, declared.owner)

    def _context(self, file: str, start: int, end: int, owner: str) -> dict[str, Any]:
        imports = self.names.index.in_file(file)[0].extra["imports"]
        return context_of(owner, self._of_range(file, start, end, owner).callees, imports, self.names.index)

    def _read(self, file: str, start: int, end: int, owner: str) -> MethodText:
        data = self.names.index.file_text(file).encode("utf-8")
        first = data.rfind(b"\n", 0, start) + 1
        first = first if not data[first:start].strip() else start
        tree, node = self.syntax.member(data[first:end].decode("utf-8"))
        if node < 0 or tree.broken:
            return MethodText("", problem="method_not_parsable")
        try:
            text = cut(self.syntax, tree, node)
        except CannotCut as reason:
            return MethodText("", problem=str(reason))
        code = CodeTree(self.syntax, tree)
        scope = Scope(self.names, code, node, file, owner)
        callees: list[Declaration] = []
        for call in code.calls(node):
            found, sure = scope.resolve(call) if call.arguments is not None else ([], False)
            callees += [one for one in found[:1] if sure and one not in callees]
        return MethodText(text, tuple(callees))
