"""What lies around a Python function, in the form of `tasks.mine.context`, found through the names of its module."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import Any

from .mine.context import as_context
from .python_names import Definition, FunctionNode, Names
from .python_text import statements
from .python_walk import descendants


def python_context(definition: Definition, node: ast.AST, names: Names) -> dict[str, Any]:
    """The context of a function.

    Args:
        definition: the function.
        node: its syntax tree.
        names: what the names of its module stand for.
    """
    owner_name = definition.name.rpartition(".")[0]
    owner = names.resolve(definition.module, owner_name) if owner_name else None
    owner = owner if owner is not None and owner.kind == "class" else None
    callees = (names.signature(callee) for callee in _callees(definition, node, owner, names))
    return as_context(class_lines(owner, names), callees, names.import_lines(definition.module))


def class_lines(owner: Definition | None, names: Names) -> Iterator[str]:
    """Signature, fields and signatures of the methods of a class, a line each; none for no class."""
    if owner is None:
        return
    yield names.signature(owner)
    for line in names.fields(owner):
        yield f"    {line}"
    for name, node in names.methods_of(owner):
        yield f"    {names.signature(Definition('function', owner.module, f'{owner.name}.{name}', node))}"


def _callees(definition: Definition, node: ast.AST, owner: Definition | None, names: Names) -> Iterator[Definition]:
    """Functions and classes that calls in `node` resolve to, without the function itself."""
    for call in descendants(node):
        if call.__class__ is ast.Call:
            callee = _resolve(call.func, definition.module, owner, names)
            if callee is not None and callee.kind != "module" and callee.full_name != definition.full_name:
                yield callee


def _resolve(expression: ast.expr, module: str, owner: Definition | None, names: Names) -> Definition | None:
    if isinstance(expression, ast.Name):
        return names.resolve(module, expression.id)
    if not isinstance(expression, ast.Attribute):
        return None
    if owner is not None and isinstance(expression.value, ast.Name) and expression.value.id in ("self", "cls"):
        return names.method(owner, expression.attr)
    return names.attribute(_resolve(expression.value, module, owner, names), expression.attr)


def signature_of(node: Any, lines: list[str]) -> str:
    """A function or class on one line, without decorators and body; comments and layout gone."""
    first = node.body[0]
    end_line = min([first.lineno, *(decorator.lineno for decorator in getattr(first, "decorator_list", ()))])
    column = first.col_offset if end_line == first.lineno else 0
    parts = [line.encode() for line in lines[node.lineno - 1:end_line]]
    parts[-1] = parts[-1][:column]
    parts[0] = parts[0][node.col_offset:]
    text = b"\n".join(parts).decode()
    if "#" in text or "\n" in text.rstrip() and ('"""' in text or "'''" in text):
        return _unparsed(node)
    return " ".join(text.split()).rstrip(": ").replace("( ", "(").replace(", )", ")").replace(" )", ")")


def _unparsed(node: Any) -> str:
    """The signature made anew from the syntax tree, for those with comments between their parts."""
    if isinstance(node, ast.ClassDef):
        bases = [ast.unparse(part) for part in [*node.bases, *node.keywords]]
        return f"class {node.name}" + (f"({', '.join(bases)})" if bases else "")
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    word = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    return f"{word} {node.name}({ast.unparse(node.args)}){returns}"


def fields_of(node: ast.ClassDef) -> list[str]:
    """The fields of a class, one line each: what its body assigns, and what its `__init__` keeps on the instance."""
    found: dict[str, None] = {}
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            found[f"{statement.target.id}: {ast.unparse(statement.annotation)}"] = None
        elif isinstance(statement, ast.Assign):
            found.update(dict.fromkeys(target.id for target in statement.targets if isinstance(target, ast.Name)))
        elif isinstance(statement, FunctionNode) and statement.name == "__init__":
            found.update(dict.fromkeys(_kept_on_instance(statement)))
    return list(found)


def _kept_on_instance(function: ast.FunctionDef) -> Iterator[str]:
    for statement in statements(function):
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        for target in targets:
            if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self":
                yield f"self.{target.attr}"


def import_lines(nodes: Iterable[ast.Import | ast.ImportFrom]) -> list[str]:
    """Import statements on one line each, without those of `__future__`."""
    return [_import_line(node) for node in nodes if getattr(node, "module", None) != "__future__"]


def _import_line(node: ast.Import | ast.ImportFrom) -> str:
    names = ", ".join(f"{alias.name} as {alias.asname}" if alias.asname else alias.name for alias in node.names)
    return f"import {names}" if isinstance(node, ast.Import) else f"from {'.' * node.level}{node.module or ''} import {names}"
