"""Java as `tasks.mine.syntax` reads it."""

from __future__ import annotations

from cpg.languages.base import Wrapper
from cpg.languages.java import JAVA
from cpg.parse import SyntaxTree

from .syntax import Call, Syntax, Variable, plain, type_text

_DECLARATIONS = ("local_variable_declaration", "field_declaration", "constant_declaration")


class JavaSyntax(Syntax):
    """Tables of Java."""

    language = JAVA
    hidden_in_outline = frozenset({"block", "constructor_body", "argument_list", "array_initializer", "lambda_expression",
                                   "annotation_argument_list"})
    member_wrapper = Wrapper("class A {", "\n}", ("class_declaration", "class_body"), closing=0)
    imports = frozenset({"import_declaration"})
    packages = frozenset({"package_declaration"})
    classes = frozenset({"class_declaration", "interface_declaration", "enum_declaration", "record_declaration"})
    class_bodies = frozenset({"class_body", "interface_body", "enum_body", "enum_body_declarations", "ERROR"})
    methods = {"method_declaration": "method", "constructor_declaration": "constructor",
               "compact_constructor_declaration": "constructor"}
    nested_functions = frozenset({"lambda_expression", "class_body"})
    blocks = frozenset({"block", "constructor_body", "switch_block_statement_group"})
    hollow = frozenset({"block", "for_statement", "enhanced_for_statement", "while_statement", "if_statement"})
    strings = frozenset({"string_literal", "text_block"})
    call_kinds = frozenset({"method_invocation", "object_creation_expression", "method_reference"})
    variable_kinds = frozenset({*_DECLARATIONS, "resource", "enhanced_for_statement", "formal_parameter",
                                "assignment_expression"})
    identifiers = frozenset({"identifier", "type_identifier"})
    literals = {"string_literal": "String", "text_block": "String", "decimal_integer_literal": "int",
                "hex_integer_literal": "int", "octal_integer_literal": "int", "binary_integer_literal": "int",
                "decimal_floating_point_literal": "double", "hex_floating_point_literal": "double",
                "character_literal": "char", "true": "boolean", "false": "boolean", "class_literal": "Class",
                "null_literal": "null", "lambda_expression": "lambda", "method_reference": "lambda"}
    self_names = {"this": "this", "super": "super"}
    elements = frozenset({"array_access"})

    def call(self, tree: SyntaxTree, node: int) -> Call | None:
        kind = tree.types[node]
        if kind == "method_invocation":
            arguments = tree.part(node, "arguments")
            return Call(node, tree.code(tree.part(node, "name")), tree.part(node, "object"), tuple(tree.children[arguments]))
        if kind == "object_creation_expression":
            arguments = tree.part(node, "arguments")
            return Call(node, type_text(tree, tree.part(node, "type")), -1, tuple(tree.children[arguments]), creates=True)
        if kind == "method_reference" and len(tree.children[node]) == 2:
            receiver, name = tree.children[node]
            return Call(node, tree.code(name), receiver, None)
        return None

    def variables(self, tree: SyntaxTree, node: int) -> list[Variable]:
        kind = tree.types[node]
        if kind in _DECLARATIONS:
            declared = type_text(tree, tree.part(node, "type"))
            declared = "" if declared == "var" else declared
            return [Variable(tree.code(tree.part(one, "name")), declared, tree.part(one, "value"))
                    for one in tree.parts(node, "declarator")]
        if kind in ("resource", "enhanced_for_statement"):
            declared = type_text(tree, tree.part(node, "type"))
            return [Variable(plain(tree, tree.part(node, "name")), "" if declared == "var" else declared,
                             tree.part(node, "value"), kind == "enhanced_for_statement")]
        if kind == "formal_parameter":
            return [Variable(plain(tree, tree.part(node, "name")), type_text(tree, tree.part(node, "type")), -1)]
        if kind == "assignment_expression":
            return [Variable(plain(tree, tree.part(node, "left")).removeprefix("this."), "", tree.part(node, "right"))]
        return []

    def access(self, tree: SyntaxTree, node: int) -> tuple[int, str] | None:
        if tree.types[node] != "field_access":
            return None
        return tree.part(node, "object"), tree.code(tree.part(node, "field"))

    def package(self, tree: SyntaxTree, node: int) -> str:
        return plain(tree, tree.children[node][-1]) if tree.children[node] else ""

    def annotations(self, tree: SyntaxTree, node: int) -> list[str]:
        modifiers = tree.part(node, "modifiers")
        if modifiers < 0:
            return []
        return [plain(tree, tree.part(one, "name")).rpartition(".")[2] for one in tree.children[modifiers]
                if tree.types[one] in ("annotation", "marker_annotation")]

    def modifiers(self, tree: SyntaxTree, node: int) -> set[str]:
        return set(tree.tokens.get(tree.part(node, "modifiers"), ()))

    def supertypes(self, tree: SyntaxTree, node: int) -> list[str]:
        found = []
        for child in tree.children[node]:
            if tree.types[child] == "superclass":
                found += tree.children[child]
            elif tree.types[child] in ("super_interfaces", "extends_interfaces"):
                found += [one for types in tree.children[child] for one in tree.children[types]]
        return [type_text(tree, one) for one in found]

    def fields(self, tree: SyntaxTree, node: int) -> list[Variable]:
        return self.variables(tree, node) if tree.types[node] in _DECLARATIONS else []

    def parameters(self, tree: SyntaxTree, node: int) -> tuple[list[str], int, bool]:
        types, variadic = [], False
        holder = tree.part(node, "parameters")
        for child in tree.children[holder] if holder >= 0 else ():
            if tree.types[child] == "formal_parameter":
                types.append(type_text(tree, tree.part(child, "type")))
            elif tree.types[child] == "spread_parameter":
                kinds = [one for one in tree.children[child] if tree.types[one] not in ("modifiers", "variable_declarator")]
                types.append(type_text(tree, kinds[0] if kinds else -1))
                variadic = True
        return types, len(types) - variadic, variadic
