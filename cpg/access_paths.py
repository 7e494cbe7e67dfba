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
        kind = tree.types[node]
        if kind in language.parentheses and len(tree.children[node]) == 1:
            node = tree.children[node][0]
            continue
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
            index = tree.part(node, rule.index)
            while index >= 0 and tree.types[index] in language.parentheses and len(tree.children[index]) == 1:
                index = tree.children[index][0]
            text = tree.code(index) if index >= 0 and not tree.children[index] else ""
            if not suffix and text and tree.types[index] in language.literals:
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
    return root, tuple(reversed(suffix)), _spelling(root, reversed(shown)), literal


def _spelling(root: str, steps: Iterator[str]) -> str:
    text = root
    for step in steps:
        if step == "*":
            text = "*" + text
        else:
            text = (f"({text})" if text.startswith("*") else text) + step
    return text
