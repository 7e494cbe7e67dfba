"""Control flow over points, per body; `cpg/SPEC.md` gives the rule of every construct with an example.

Structured programs need no label resolution: each statement takes the frontier (edges that wait for their
target), makes its points and returns the frontier behind it. Jumps hand their edges to the innermost context
that takes them: a loop, a switch, the handlers or the finalizer of a try; what no context takes goes to EXIT.

Statements nest deeply in generated code, so the rules are generators that `_run` drives with a stack of its
own: `frontier = yield self.statement(...)` is a call. A rule that has nothing to call is no generator and returns
its frontier at once. `cpg.expressions` holds the rules for expressions,
`cpg.switch_flow` and `cpg.try_flow` those of switch and try.

What can throw is a table (`Language.throwing`). Only a point inside a try or with gets an `exception` edge for
that; a throw statement always has one. If no point of a try body can throw according to the table, all of
them get the edge, so that a handler is never unreachable only because a table is short.

Cost: linear in the tree, times the number of ways into each finalizer.
"""

from __future__ import annotations

import functools

from cpg.alternation import Alternation
from cpg.bodies import nodes_with_body, parameters
from cpg.clause_flow import ClauseFlow
from cpg.deferred_calls import add_deferred_calls
from cpg.expressions import Steps
from cpg.flow_graph import ENTRY, EXIT, FlowGraph, Frontier, Handlers, Pending, Target
from cpg.languages import base
from cpg.languages.base import Language
from cpg.parse import SyntaxTree
from cpg.switch_flow import SwitchFlow
from cpg.try_flow import TryFlow


def control_flow(tree: SyntaxTree, language: Language) -> list[FlowGraph]:
    """The flow graphs of all bodies, outer before inner: the top level, functions, lambdas, classes.

    A function always has one; the top level and classes only if they execute something.
    """
    builder = _Builder(tree, language)
    graphs = [builder.build(node) for node in nodes_with_body(tree, language)]
    return [graph for graph in graphs if graph is not None]


class _Builder(SwitchFlow, TryFlow, ClauseFlow):
    """Builds one body after another; the state is that of the body in hand."""

    # ---------------------------------------------------------------------------------------- bodies
    def build(self, node: int) -> FlowGraph | None:
        """The flow graph of the body of `node`, None where it has no body or executes nothing."""
        language, tree = self.language, self.tree
        kind = tree.types[node]
        function, class_ = language.functions.get(kind), language.classes.get(kind)
        rule = function or class_
        body = tree.part(node, rule.body) if rule else 0
        if body < 0 and (function is not None or tree.part(node, class_.parameters) < 0):
            return None
        self.start(node)
        self.statement_list: bool | None = None
        frontier: Frontier = [Pending(ENTRY)]
        if rule is not None:
            for parameter in parameters(tree, language, node, rule):
                if self.has_splits(parameter):
                    frontier = _run(self.evaluate(parameter, frontier))
                frontier = self.point(parameter, "parameter", (parameter,), frontier)
        if function is not None:
            for group in tree.parts(node, function.prologue):
                for initializer in [group] if tree.types[group] in language.calls else tree.children[group]:
                    frontier = _run(self.simple_steps(initializer, frontier))
        rule = self.statement_rule(body) if function is not None else base.Block()
        if body < 0:
            steps = frontier
        elif node == 0 and (switch := self.alone(tree.children[node])) is not None:
            steps = self.cases_alone(tree.children[node], switch)
        elif isinstance(rule, base.Try):
            steps = self.statement(body, frontier)
        elif isinstance(rule, base.Block):
            steps = self.block(body, frontier)
        else:
            steps = self.simple_steps(body, frontier)
        frontier = _run(steps)
        if class_ is not None and function is None:
            for epilogue in tree.parts(node, class_.epilogue):
                frontier = _run(self.simple_steps(epilogue, frontier))
        self.graph.connect(frontier, EXIT)
        for label in self.unplaced():
            self.graph.connect([Pending(label)], EXIT)
        if function is None and len(self.graph.nodes) == 2:
            return None
        self.graph.splice_joins()
        add_deferred_calls(self.graph, self.can_throw)
        return self.graph

    # ------------------------------------------------------------------------------------ statements
    def statement(self, node: int, frontier: Frontier) -> Steps | Frontier:
        """The steps of one statement by its rule."""
        if self.tree.types[node] == "ERROR":
            return self.broken(node, frontier)
        if self.language.terminating and (called := self._terminates(node)):
            return self.jump_of(node, self.language.terminating[called], frontier)
        rule = self.statement_rule(node)
        if rule is None:
            return self.simple_steps(node, frontier)
        return _RULES[type(rule)](self, node, frontier)

    def rule(self, node: int) -> object:
        """The rule of a node that is known to be a statement."""
        return self.statement_rule(node)

    def block(self, node: int, frontier: Frontier) -> Steps:
        """One after the other, hoisted ones first."""
        tree, statements, directives = self.tree, self.language.statements, self.language.alternation
        alternation = Alternation(self.fork, self.language.always_true, self.language.always_false)
        rule = statements.get(tree.types[node])
        if isinstance(rule, base.Block) and rule.only and rule.only.isdisjoint(tree.tokens.get(node, ())):
            return (yield self.simple_steps(node, frontier))
        body = rule.body if isinstance(rule, base.Block) else None
        children = tree.children[node] if body is None else tree.parts(node, body)
        for child in sorted(children, key=self._comes_later) if _hoisted(self.language) else children:
            if tree.types[child] in directives:
                condition = tree.code(tree.children[child][0]) if tree.children[child] else ""
                frontier = alternation.directive(directives[tree.types[child]], condition, frontier)
                continue
            steps = self.statement(child, frontier)
            frontier = (yield steps) if isinstance(steps, Steps) else steps
        return alternation.close(frontier)

    def _comes_later(self, node: int) -> bool:
        return self.tree.types[self._within(node)] not in _hoisted(self.language)

    def _within(self, node: int) -> int:
        """The statement that a node stands for."""
        rule = self.language.statements.get(self.tree.types[node])
        inner = self.tree.part(node, rule.statement) if isinstance(rule, base.Around) else -1
        return node if inner < 0 else inner

    def _terminates(self, node: int) -> str:
        """The called function's text, where the statement is only a call and the function does not return."""
        tree, language = self.tree, self.language
        rule = language.statements.get(tree.types[node])
        if len(tree.children[node]) == 1 and (rule is None or isinstance(rule, (base.Around, base.Simple))):
            node = tree.children[node][0]
        if tree.types[node] not in language.calls or not tree.children[node]:
            return ""
        called = tree.code(tree.children[node][0])
        return called if called in language.terminating else ""

    def broken(self, node: int, frontier: Frontier) -> Steps:
        """What could not be parsed: its statements if it holds any, else one point."""
        tree = self.tree
        inner = [c for c in tree.children[node] if self._is_statement(c)]
        if inner:
            frontier = yield self.block(node, frontier)
        elif tree.ends[node] > tree.starts[node]:
            frontier = yield self.simple_steps(node, frontier)
        return frontier

    def _is_statement(self, node: int) -> bool:
        language, kind = self.language, self.tree.types[node]
        return kind in language.statements or kind in language.functions or kind in language.classes

    def simple_steps(self, node: int, frontier: Frontier) -> Steps | Frontier:
        """One point behind the points of its conditions."""
        rule = self.language.expressions.get(self.tree.types[node])
        if isinstance(rule, base.Jump):
            return self.jump_of(node, rule.kind, frontier)
        if self.has_splits(node):
            return self._split_steps(node, frontier)
        return self.point(node, "statement", (node,), frontier)

    def _split_steps(self, node: int, frontier: Frontier) -> Steps:
        frontier = yield self.evaluate(node, frontier)
        return self.point(node, "statement", (node,), frontier)

    def around(self, node: int, frontier: Frontier) -> Steps:
        """The statement that the node stands for, or the node itself."""
        inner = self._within(node)
        if inner == node:
            return (yield self.simple_steps(node, frontier))
        for before in self.tree.parts(node, self.rule(node).before):
            frontier = yield self.simple_steps(before, frontier)
        return (yield self.statement(inner, frontier))

    def simple(self, node: int, frontier: Frontier) -> Steps | Frontier:
        """One point, or none where the node is empty."""
        if self.tree.children[node] or not self.rule(node).or_empty:
            return self.simple_steps(node, frontier)
        return frontier

    def local_declaration(self, node: int, frontier: Frontier) -> Steps | Frontier:
        """A point in a function; a member of a class or file is not executed, or only if it has a value."""
        rule, tree = self.rule(node), self.tree
        executed = tree.types[self.graph.owner] in self.language.functions
        if not executed and rule.only is not None:
            prototype = bool(tree.parts(node, rule.only)) and not self._is_statement_list()
            executed = not prototype and (rule.value is None or bool(tree.parts(node, rule.value)))
        return self.simple_steps(node, frontier) if executed else frontier

    def _is_statement_list(self) -> bool:
        """Whether the body holds what only a function can: the top level of a snippet is then the inside of one."""
        if self.statement_list is None:
            tree, statements = self.tree, self.language.statements
            declaring = (type(None), base.Skip, base.LocalDeclaration, base.Alternatives, base.Block)
            self.statement_list = any(
                tree.children[child] and not isinstance(statements.get(tree.types[child]), declaring)
                for child in tree.children[self.graph.owner]
            )
        return self.statement_list

    def alternatives(self, node: int, frontier: Frontier) -> Steps:
        """Both ways, or the one that is always taken."""
        rule, tree = self.rule(node), self.tree
        headers, others = tree.parts(node, rule.header), tree.parts(node, rule.alternative)
        texts = {tree.code(header) for header in headers}
        if not rule.never.isdisjoint(texts):
            taken, missed = [], frontier
        elif not rule.always.isdisjoint(texts):
            taken, missed = frontier, []
        else:
            taken = missed = [Pending(self.fork(frontier))]
        for child in tree.children[node]:
            if child not in headers and child not in others:
                taken = yield self.statement(child, taken)
        for other in others:
            missed = yield self.statement(other, missed)
        return taken + missed

    def later(self, node: int, frontier: Frontier) -> Steps:
        """The point that makes a call ready; where that runs on the way out is settled when the body is complete."""
        rule = self.rule(node)
        frontier = yield self.simple_steps(node, frontier)
        call = self.tree.part(node, rule.call)
        if rule.on_exit and call >= 0:
            self.graph.waiting[frontier[0].source] = call
        return frontier

    def skip(self, node: int, frontier: Frontier) -> Frontier:
        """Not executed."""
        return frontier

    def optional(self, node: int, frontier: Frontier) -> Steps | Frontier:
        """A statement that may be absent (-1), such as an empty loop body."""
        return self.statement(node, frontier) if node >= 0 else frontier

    def branch(self, node: int, frontier: Frontier) -> Steps:
        """if; the alternatives are tried in order, so that `elif` parts and a final `else` chain."""
        rule, tree = self.rule(node), self.tree
        behind: Frontier = []
        alternatives = list(reversed(tree.parts(node, rule.alternative)))
        while True:
            for initial in tree.parts(node, rule.initial):
                frontier = yield self.statement(initial, frontier)
            condition = tree.part(node, rule.condition)
            if condition >= 0:
                taken, frontier = yield self.test(condition, frontier)
            else:
                taken, frontier = list(frontier), list(frontier)
            behind += yield self.optional(tree.part(node, rule.consequence), taken)
            if not alternatives:
                return behind + frontier
            node = alternatives.pop()
            rule = self.statement_rule(node)
            if not isinstance(rule, base.Branch) or tree.parts(node, rule.alternative):
                frontier = yield self.statement(node, frontier)
                return behind + frontier

    def loop(self, node: int, frontier: Frontier) -> Steps:
        """while, do-while, three-part for."""
        rule, tree = self.rule(node), self.tree
        labels = self.take_labels()
        for child in tree.parts(node, rule.initial):
            if tree.types[child] not in self.language.empty:
                frontier = yield self.statement(child, frontier)
        target = Target(("break", "continue"), labels)
        head = self.join(frontier)
        condition = tree.part(node, rule.condition)
        if condition >= 0 and tree.types[condition] in self.language.empty:
            condition = -1
        done: Frontier = []
        frontier = [Pending(head)]
        if rule.tests_first and condition >= 0:
            frontier, done = yield self.test(condition, frontier, loop=True)
        self.contexts.append(target)
        frontier = yield self.optional(tree.part(node, rule.body), frontier)
        self.contexts.pop()
        frontier = frontier + target.continued
        for child in tree.parts(node, rule.update):
            frontier = yield self.statement(child, frontier)
        if not rule.tests_first and condition >= 0:
            frontier, done = yield self.test(condition, frontier, loop=True)
        self.graph.connect(frontier, head)
        done = yield self.optional(tree.part(node, rule.otherwise), done)
        return done + target.left

    def for_each(self, node: int, frontier: Frontier) -> Steps:
        """The node itself is the point that takes the next element."""
        rule, tree = self.rule(node), self.tree
        labels = self.take_labels()
        for initial in tree.parts(node, rule.initial):
            frontier = yield self.statement(initial, frontier)
        iterable, element = tree.part(node, rule.iterable), tree.part(node, rule.target)
        if iterable >= 0 and self.has_splits(iterable):
            frontier = yield self.evaluate(iterable, frontier)
        head = self.point(node, "condition", _present(iterable, element), frontier)[0].source
        self.graph.bound[head] = _present(element)
        target = Target(("break", "continue"), labels)
        self.contexts.append(target)
        frontier = yield self.optional(tree.part(node, rule.body), [Pending(head, "iterate")])
        self.contexts.pop()
        self.graph.connect(frontier + target.continued, head)
        done = yield self.optional(tree.part(node, rule.otherwise), [Pending(head, "done")])
        return done + target.left

    def guarded(self, node: int, frontier: Frontier) -> Steps:
        """Header expressions, then the body; some managers swallow what it throws."""
        rule, tree = self.rule(node), self.tree
        swallows = False
        handlers = Handlers()
        for header in tree.parts(node, rule.header):
            for item in tree.children[header] if rule.items else [header]:
                frontier = yield self.simple_steps(self.bare(item), frontier)
                if not swallows and not self.names_of(item).isdisjoint(self.language.swallowing):
                    swallows = True
                    self.contexts.append(handlers)
        frontier = yield self.optional(tree.part(node, rule.body), frontier)
        if swallows:
            self.contexts.pop()
            self.leave("throw", None, handlers.incoming)
        return frontier + handlers.incoming

    def labelled(self, node: int, frontier: Frontier) -> Steps:
        """The label belongs to the statement inside: a loop takes it over for its `continue`."""
        rule, tree = self.rule(node), self.tree
        label = tree.part(node, rule.label)
        body = tree.part(node, rule.body)
        if label < 0:
            return frontier
        frontier = self.place_label(tree.code(label), frontier)
        if body < 0:
            return frontier
        self.labels = self.labels | {tree.code(label)}
        if isinstance(self.statement_rule(body), (base.Loop, base.ForEach, base.Labelled)):
            return (yield self.statement(body, frontier))
        target = Target((), self.take_labels())
        self.contexts.append(target)
        frontier = yield self.statement(body, frontier)
        self.contexts.pop()
        return frontier + target.left

    def jump(self, node: int, frontier: Frontier) -> Steps | Frontier:
        """A point whose only way on is to the target of the jump."""
        rule, tree = self.rule(node), self.tree
        tokens = tree.tokens.get(node, ())
        if rule.only and rule.only.isdisjoint(tokens):
            return self.simple_steps(node, frontier)
        label = tree.part(node, rule.label)
        text = tree.code(label) if label >= 0 else None
        kind = rule.kind if rule.to_case.isdisjoint(tokens) else "goto case"
        return self.jump_of(node, kind, frontier, text)


_RULES = {
    base.Block: _Builder.block,
    base.Branch: _Builder.branch,
    base.Loop: _Builder.loop,
    base.ForEach: _Builder.for_each,
    base.Switch: _Builder.switch,
    base.Case: _Builder.case,
    base.Alternatives: _Builder.alternatives,
    base.Match: _Builder.match,
    base.Try: _Builder.try_,
    base.Guarded: _Builder.guarded,
    base.Labelled: _Builder.labelled,
    base.Jump: _Builder.jump,
    base.Simple: _Builder.simple,
    base.LocalDeclaration: _Builder.local_declaration,
    base.Hoisted: _Builder.simple_steps,
    base.Around: _Builder.around,
    base.Later: _Builder.later,
    base.Skip: _Builder.skip,
}
"""What each kind of rule does. (Bound methods would tie the builder, and with it the tree, into a reference cycle.)"""


@functools.lru_cache(maxsize=None)
def _hoisted(language: Language) -> frozenset[str]:
    """Types of the statements that come first in their block."""
    return frozenset(kind for kind, rule in language.statements.items() if isinstance(rule, base.Hoisted))


def _present(*nodes: int) -> tuple[int, ...]:
    return tuple(node for node in nodes if node >= 0)


def _run(steps: Steps | Frontier) -> Frontier:
    """Drive a generator that yields what it calls: generators, or what rules that are none have returned."""
    stack, value = [], steps
    while True:
        if isinstance(value, Steps):
            stack.append(value)
            value = None
        if not stack:
            return value
        try:
            value = stack[-1].send(value)
        except StopIteration as stop:
            stack.pop()
            value = stop.value
