"""Access paths: `a.f[i]`, `*p` as a variable of its own.

A path is a root, the name or receiver that it starts from, and a suffix of steps: `.f`, `[]` (any element), `*`
(what it points to). Paths are followed `PATH_LIMIT` steps deep, the usual k-limit.
"""

from __future__ import annotations

from collections.abc import Iterator

from cpg.languages.base import Language
from cpg.parse import SyntaxTree

PATH_LIMIT = 4
RECEIVER = "this"


def spell(tree: SyntaxTree, language: Language, node: int) -> tuple[str, tuple[str, ...], str, str] | None:
    """Root, suffix, spelling for people, and the last index where it is a literal.

    None for what is no path: it starts from no name, or has too many steps.
    """
    suffix: list[str] = []
    shown: list[str] = []
    literal = ""
    while True:
        node = bare(tree, language, node)
        kind = tree.types[node]
        rule = language.paths.get(kind)
        if rule is None:
            break
        base, member = tree.part(node, rule.base), tree.part(node, rule.member)
        if base < 0 or len(suffix) == PATH_LIMIT or (rule.only and rule.only.isdisjoint(tree.tokens.get(node, ()))):
            return None
        if member >= 0:
            name = tree.code(member)
            suffix.append("." + name)
            shown.append(min(rule.arrows.intersection(tree.tokens.get(node, ())), default=".") + name)
        elif rule.index is None:
            if not suffix or not suffix[-1].startswith("."):  # (*p).f is p->f
                suffix.append("*")
            shown.append("*")
        else:
            text, is_literal = _index(tree, language, tree.part(node, rule.index))
            if not suffix and is_literal:
                literal = text
            suffix.append("[]")
            shown.append(f"[{text}]")
        node = base
    if kind in language.receivers:
        root = RECEIVER
    elif kind in language.identifiers:
        root = tree.code(node)
    else:
        return None
    return root, tuple(reversed(suffix)), _spelling(tree.code(node), reversed(shown)), literal


def bare(tree: SyntaxTree, language: Language, node: int) -> int:
    """What is inside parentheses, and inside nodes that stand for the same variable."""
    while len(tree.children[node]) == 1:
        path = language.paths.get(tree.types[node])
        same = path is not None and not path.same.isdisjoint(tree.tokens.get(node, ()))
        if not same and tree.types[node] not in language.parentheses:
            break
        node = tree.children[node][0]
    return node


def _index(tree: SyntaxTree, language: Language, index: int) -> tuple[str, bool]:
    """The text of an index if it is made of leaves, and whether these are literals."""
    indices = [bare(tree, language, index)] if index >= 0 else []
    while indices and all(tree.types[i] in language.passing and tree.children[i] for i in indices):
        indices = [bare(tree, language, child) for i in indices for child in tree.children[i]]
    if any(tree.children[i] for i in indices):
        return "", False
    kinds = {tree.types[i] for i in indices}
    return ",".join(tree.code(i) for i in indices), bool(kinds) and kinds <= language.literals


def _spelling(root: str, steps: Iterator[str]) -> str:
    text = root
    for step in steps:
        if step == "*":
            text = "*" + text
        else:
            text = (f"({text})" if text.startswith("*") else text) + step
    return text
