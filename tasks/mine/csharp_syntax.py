"""C# as `tasks.mine.syntax` reads it."""

from __future__ import annotations

from cpg.languages.base import Wrapper
from cpg.languages.csharp import CSHARP
from cpg.parse import SyntaxTree

from .syntax import Call, Syntax, Variable, plain, type_text

_MEMBER_READS = ("member_access_expression", "conditional_access_expression")


class CSharpSyntax(Syntax):
    """Tables of C#."""

    language = CSHARP
    hidden_in_outline = frozenset({"block", "argument_list", "bracketed_argument_list", "initializer_expression",
                                   "lambda_expression", "anonymous_method_expression", "attribute_argument_list"})
    member_wrapper = Wrapper("class A {", "\n}", ("class_declaration", "declaration_list"), closing=0)
    imports = frozenset({"using_directive"})
    packages = frozenset({"namespace_declaration", "file_scoped_namespace_declaration"})
    classes = frozenset({"class_declaration", "interface_declaration", "struct_declaration", "enum_declaration",
                         "record_declaration", "record_struct_declaration"})
    class_bodies = frozenset({"declaration_list", "enum_member_declaration_list", "ERROR"})
    methods = {"method_declaration": "method", "constructor_declaration": "constructor", "property_declaration": "method",
               "indexer_declaration": "method", "operator_declaration": "method",
               "conversion_operator_declaration": "method"}
    properties = frozenset({"property_declaration", "indexer_declaration"})
    generics_are_told = True
    called_by_others = True
    nested_functions = frozenset({"lambda_expression", "anonymous_method_expression", "local_function_statement"})
    blocks = frozenset({"block", "switch_section"})
    hollow = frozenset({"block", "for_statement", "for_each_statement", "while_statement", "if_statement"})
    strings = frozenset({"string_literal", "verbatim_string_literal", "raw_string_literal",
                         "interpolated_string_expression"})
    directives = {"if_directive": 1, "endif_directive": -1}
    remarks = frozenset({"region_directive", "endregion_directive", "pragma_directive", "nullable_directive",
                         "line_directive", "warning_directive", "error_directive"})
    call_kinds = frozenset({"invocation_expression", "object_creation_expression", "element_access_expression",
                            *_MEMBER_READS})
    variable_kinds = frozenset({"variable_declaration", "for_each_statement", "parameter", "declaration_expression",
                                "assignment_expression"})
    identifiers = frozenset({"identifier"})
    literals = {"string_literal": "string", "verbatim_string_literal": "string", "raw_string_literal": "string",
                "interpolated_string_expression": "string", "integer_literal": "int", "real_literal": "double",
                "character_literal": "char", "boolean_literal": "bool", "typeof_expression": "Type", "type_of_expression": "Type",
                "null_literal": "null", "lambda_expression": "lambda", "anonymous_method_expression": "lambda"}
    self_names = {"this_expression": "this", "base_expression": "super"}
    after_head = frozenset({"constructor_initializer", "arrow_expression_clause", "accessor_list"})
    casts = frozenset({"cast_expression", "as_expression"})
    transparent = frozenset({"parenthesized_expression", "await_expression", "postfix_unary_expression", "checked_expression"})
    elements = frozenset({"element_access_expression"})

    def call(self, tree: SyntaxTree, node: int) -> Call | None:
        kind = tree.types[node]
        if kind == "invocation_expression":
            function = tree.part(node, "function")
            access = self.access(tree, function)
            receiver, name = access or (-1, _simple(tree, function))
            if access is None and tree.types[function] not in ("identifier", "generic_name"):
                return None
            return Call(node, name, receiver, self._arguments(tree, tree.part(node, "arguments")),
                        generic=tree.code(function).endswith(">"))
        if kind == "object_creation_expression":
            arguments = self._arguments(tree, tree.part(node, "arguments"))
            return Call(node, type_text(tree, tree.part(node, "type")), -1, arguments, creates=True)
        if kind == "element_access_expression":
            return Call(node, "this[]", tree.children[node][0], self._arguments(tree, tree.part(node, "subscript")))
        if kind in _MEMBER_READS and not self._is_called(tree, node):
            receiver, name = self.access(tree, node) or (-1, "")
            return Call(node, name, receiver, None) if name else None
        return None

    def _is_called(self, tree: SyntaxTree, node: int) -> bool:
        parent = tree.parents[node]
        return tree.types[parent] == "invocation_expression" and tree.fields[node] == "function"

    def _arguments(self, tree: SyntaxTree, node: int) -> tuple[int, ...]:
        children = tree.children[node] if node >= 0 else []
        return tuple(tree.children[one][-1] for one in children if tree.types[one] == "argument" and tree.children[one])

    def variables(self, tree: SyntaxTree, node: int) -> list[Variable]:
        kind = tree.types[node]
        if kind == "variable_declaration":
            declared = _declared(tree, tree.part(node, "type"))
            return [Variable(tree.code(tree.part(one, "name")), declared, _initial(tree, one))
                    for one in tree.parts(node, "variable_declarator")]
        if kind == "for_each_statement":
            return [Variable(plain(tree, tree.part(node, "left")), _declared(tree, tree.part(node, "type")),
                             tree.part(node, "right"), True)]
        if kind in ("parameter", "declaration_expression"):
            return [Variable(plain(tree, tree.part(node, "name")), _declared(tree, tree.part(node, "type")), -1)]
        if kind == "assignment_expression":
            return [Variable(plain(tree, tree.part(node, "left")).removeprefix("this."), "", tree.part(node, "right"))]
        return []

    def access(self, tree: SyntaxTree, node: int) -> tuple[int, str] | None:
        kind = tree.types[node]
        if kind == "member_access_expression":
            return tree.part(node, "expression"), _simple(tree, tree.part(node, "name"))
        if kind == "conditional_access_expression" and len(tree.children[node]) == 2:
            bound = tree.children[node][1]
            if tree.types[bound] == "member_binding_expression":
                return tree.children[node][0], _simple(tree, tree.part(bound, "name"))
        return None

    def package(self, tree: SyntaxTree, node: int) -> str:
        return plain(tree, tree.part(node, "name"))

    def annotations(self, tree: SyntaxTree, node: int) -> list[str]:
        names = [plain(tree, tree.part(one, "name")).rpartition(".")[2] for group in tree.parts(node, "attribute_list")
                 for one in tree.children[group] if tree.types[one] == "attribute"]
        return [name.removesuffix("Attribute") for name in names]

    def modifiers(self, tree: SyntaxTree, node: int) -> set[str]:
        return {tree.code(one) for one in tree.parts(node, "modifier")}

    def supertypes(self, tree: SyntaxTree, node: int) -> list[str]:
        bases = tree.part(node, "bases")
        return [type_text(tree, one) for one in tree.children[bases]] if bases >= 0 else []

    def fields(self, tree: SyntaxTree, node: int) -> list[Variable]:
        if tree.types[node] not in ("field_declaration", "event_field_declaration"):
            return []
        return [variable for one in tree.children[node] for variable in self.variables(tree, one)]

    def parameters(self, tree: SyntaxTree, node: int) -> tuple[list[str], int, bool]:
        holder = tree.part(node, "parameters")
        types, required, variadic = [], 0, False
        for child in tree.children[holder] if holder >= 0 else ():
            if tree.types[child] == "parameter":
                types.append(type_text(tree, tree.part(child, "type")))
                required += tree.part(child, "equals_value_clause") < 0
            elif tree.fields[child] == "type":  # `params` parameters stand in the list itself
                types.append(type_text(tree, child))
                variadic = True
        return types, required, variadic

    def name(self, tree: SyntaxTree, node: int) -> str:
        kind = tree.types[node]
        if kind == "indexer_declaration":
            return plain(tree, tree.part(node, "explicit_interface_specifier")) + "this[]"
        if kind == "operator_declaration":
            return "operator " + "".join(one for one in tree.tokens.get(node, ()) if one not in ("operator", ";"))
        if kind == "conversion_operator_declaration":
            return f"operator {type_text(tree, tree.part(node, 'type'))}"
        interface = tree.part(node, "explicit_interface_specifier")  # such a member is not called by its name alone
        return super().name(tree, node) if interface < 0 else plain(tree, interface) + super().name(tree, node)


def _simple(tree: SyntaxTree, node: int) -> str:
    """A name without its type arguments."""
    if node >= 0 and tree.types[node] == "generic_name":
        node = tree.part(node, "name")
    return plain(tree, node)


def _declared(tree: SyntaxTree, node: int) -> str:
    return "" if node < 0 or tree.types[node] == "implicit_type" else type_text(tree, node)


def _initial(tree: SyntaxTree, declarator: int) -> int:
    clause = tree.part(declarator, "equals_value_clause")
    return tree.children[clause][-1] if clause >= 0 and tree.children[clause] else -1
