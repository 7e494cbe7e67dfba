"""Methods of the trees as rows show them: their text without comments, and what lies around them."""

from __future__ import annotations

from dataclasses import dataclass
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
    """Texts of the methods of an index; about the last `KEPT` are kept."""

    def __init__(self, names: Names, syntax: Syntax):
        self.names = names
        self.syntax = syntax
        self._texts: dict[tuple[str, int], MethodText] = {}
        self._contexts: dict[tuple[str, int], dict[str, Any]] = {}

    def of(self, declared: Declaration) -> MethodText:
        """The text of a method or constructor."""
        key = declared.file, declared.end
        if key not in self._texts:
            if len(self._texts) >= KEPT:
                self._texts.clear()
                self._contexts.clear()
            self._texts[key] = self._read(declared)
        return self._texts[key]

    def context(self, declared: Declaration) -> dict[str, Any]:
        """What lies around a method."""
        key = declared.file, declared.end
        text = self.of(declared)
        if key not in self._contexts:
            imports = self.names.index.first_in_file(declared.file).extra["imports"]
            self._contexts[key] = context_of(declared.owner, text.callees, imports, self.names.index)
        return self._contexts[key]

    def _read(self, declared: Declaration) -> MethodText:
        own = self.names.index.text_of(declared)
        lines = self.names.index.text_of(declared, whole_lines=True)
        indented = not lines.removesuffix(own).strip()
        tree, node = self.syntax.member(lines if indented else own)
        if node < 0 or tree.broken:
            return MethodText("", problem="method_not_parsable")
        try:
            text = cut(self.syntax, tree, node)
        except CannotCut as reason:
            return MethodText("", problem=str(reason))
        code = CodeTree(self.syntax, tree)
        scope = Scope(self.names, code, node, declared.file, declared.owner)
        callees: list[Declaration] = []
        for call in code.calls(node):
            found, sure = scope.resolve(call) if call.arguments is not None else ([], False)
            callees += [one for one in found[:1] if sure and one not in callees]
        return MethodText(text, tuple(callees))
