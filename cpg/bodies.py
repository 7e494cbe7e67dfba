"""Which nodes have a body of their own, its parameters, and in whose body a node is evaluated."""

from __future__ import annotations

import functools

from cpg.languages.base import Class, Function, Language
from cpg.parse import SyntaxTree


@functools.lru_cache(maxsize=None)
def _rules(language: Language) -> dict[str, Function | Class]:
    return {**language.classes, **language.functions}


@functools.lru_cache(maxsize=None)
def _rules_or_ignored(language: Language) -> frozenset[str]:
    return frozenset({*_rules(language), *language.ignored})


def nodes_with_body(tree: SyntaxTree, language: Language) -> list[int]:
    """The top level, then functions and classes in preorder, whether their body is there or not.

    What names no variable, such as a declaration for the compiler only, has none.
    """
    rules, ignored, either = _rules(language), language.ignored, _rules_or_ignored(language)
    found, behind = [0], 1
    for node in tree.of_types(either):
        if node >= behind:
            kind = tree.types[node]
            if kind in rules:
                found.append(node)
            if kind in ignored:
                behind = tree.last[node]
    return found


def parameters(tree: SyntaxTree, language: Language, node: int, rule: Function | Class) -> list[int]:
    """The points that come before the body of a function or class: parameters, then named results."""
    wanted = language.parameter_types
    found = []
    for group in tree.parts(node, rule.parameters):
        members = [group] if tree.types[group] in wanted else tree.children[group]
        found += [member for member in members if tree.types[member] in wanted]
    if language.no_parameter:
        found = [parameter for parameter in found if tree.code(parameter) not in language.no_parameter]
    for group in tree.parts(node, rule.results) if isinstance(rule, Function) else ():
        found += [member for member in tree.children[group] if _is_named(tree, language, member)]
    return found


def _is_named(tree: SyntaxTree, language: Language, parameter: int) -> bool:
    binding = language.bindings.get(tree.types[parameter])
    return binding is not None and tree.part(parameter, binding.target) >= 0


def owners(tree: SyntaxTree, language: Language) -> list[int]:
    """For each node the node in whose body it is evaluated; 0 for the top level."""
    rules = _rules(language)
    inside: dict[int, int] = {}
    """Node -> the node in whose body its subtree is evaluated."""
    beside: dict[int, int] = {}
    """Node -> the function in whose surroundings its subtree is evaluated."""
    for node in tree.of_types(rules):
        rule = rules[tree.types[node]]
        inside.update(dict.fromkeys(tree.parts(node, rule.body), node))
        if isinstance(rule, Class):
            for part in (rule.parameters, rule.epilogue):
                inside.update(dict.fromkeys(tree.parts(node, part), node))
        else:
            for part in (rule.prologue, rule.results, rule.parameters):
                inside.update(dict.fromkeys(tree.parts(node, part), node))
            if language.eager:
                for group in tree.parts(node, rule.parameters):
                    parameters = [value for parameter in tree.children[group] for value in tree.children[parameter]]
                    beside.update({value: node for value in parameters if tree.fields[value] in language.eager})
    found = [0]
    for node in range(1, len(tree)):
        if node in beside:
            found.append(found[beside[node]])
        elif node in inside:
            found.append(inside[node])
        else:
            found.append(found[tree.parents[node]])
    return found
