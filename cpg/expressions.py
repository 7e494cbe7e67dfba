"""Control flow inside expressions: short circuit, ternary, comprehension, switch as an expression.

`test` splits an expression whose truth decides; `evaluate` makes the points inside an expression whose value
is wanted. Both leave lambdas and nested classes alone: those are bodies of their own.
"""

from __future__ import annotations

import bisect
import functools
from types import GeneratorType

from cpg import bodies
from cpg.flow_graph import EXIT, Finalizer, FlowGraph, Frontier, Pending, Target
from cpg.languages import base
from cpg.languages.base import Language
from cpg.parse import SyntaxTree

Steps = GeneratorType
"""Yields the steps that it calls, returns a frontier (or a tuple that holds frontiers)."""


class ExpressionFlow:
    """State of the body in hand, and the rules of expressions."""

    def __init__(self, tree: SyntaxTree, language: Language) -> None:
        self.tree = tree
        self.language = language
        self.accesses = self._accesses()
        """Chain of accesses -> its optional links, the innermost first."""
        self.splits = [node for node in self._evaluated(language.expressions) if self._splits(node)]
        """Nodes inside which control flows, in preorder."""
        self.label_nodes = self._label_nodes()

    @functools.cached_property
    def owners(self) -> list[int]:
        """For each node the node in whose body it is evaluated."""
        return bodies.owners(self.tree, self.language)

    @functools.cached_property
    def throwers(self) -> list[int]:
        """Nodes that can throw, in preorder."""
        return [node for node in self._evaluated(self.language.throwing) if self._throws(node)]

    def _evaluated(self, kinds: dict[str, object]) -> list[int]:
        """The nodes of these types, in preorder, but those inside types, annotations and the like."""
        tree = self.tree
        found = tree.of_types(kinds)
        if not found:
            return found
        outside, behind, place = [], 0, 0
        ignored = [*tree.of_types(self.language.ignored), len(tree)]
        for node in found:
            while ignored[place] <= node:
                behind = max(behind, tree.last[ignored[place]])
                place += 1
            if node >= behind:
                outside.append(node)
        return outside

    def start(self, owner: int) -> None:
        """Begin a body."""
        self.graph = FlowGraph(owner)
        self.contexts: list = []
        self.labels: frozenset[str] = frozenset()
        self.finalizer_depth = 0
        self.points: set[int] = set()
        self.placed: dict[str, int] = {}
        """Label -> the join in front of its statement."""

    def _splits(self, node: int) -> bool:
        rule = self.language.expressions[self.tree.types[node]]
        if isinstance(rule, base.Chain):
            return self._is_chained(node)
        if isinstance(rule, base.Access):
            return node in self.accesses
        if not isinstance(rule, base.ShortCircuit):
            return not isinstance(rule, base.Negation)
        tokens = self.tree.tokens.get(node, ())
        return any(not table.isdisjoint(tokens) for table in (rule.conjunctions, rule.disjunctions, rule.coalescing))

    def _is_chained(self, node: int) -> bool:
        first = self.tree.children[node][:1]
        return bool(first) and self.tree.types[first[0]] == self.tree.types[node]

    def _decides(self, node: int) -> bool:
        """Whether a short circuit's truth is that of its two sides."""
        rule, tokens = self.language.expressions[self.tree.types[node]], self.tree.tokens.get(node, ())
        return self._splits(node) and not rule.assigns and rule.coalescing.isdisjoint(tokens)

    def _accesses(self) -> dict[int, list[int]]:
        tree, rules = self.tree, _links(self.language)
        accesses: dict[int, list[int]] = {}
        if not rules:
            return accesses
        for node in reversed(self._evaluated(rules)):  # children before parents
            rule = rules[tree.types[node]]
            links = accesses.pop(tree.part(node, rule.base), [])
            if tree.part(node, rule.optional) >= 0:
                links.append(node)
            if links:
                accesses[node] = links
        return accesses

    def _label_nodes(self) -> dict[tuple[int, str], int]:
        """(body, label) -> the label's node, of the labels that some goto names."""
        tree, statements = self.tree, self.language.statements
        jumps = _gotos(self.language)
        if not jumps:
            return {}
        wanted = set()
        labels = {}
        for node, kind in enumerate(tree.types):
            if kind in jumps:
                wanted.update(tree.code(label) for label in tree.parts(node, jumps[kind].label))
            elif isinstance(statements.get(kind), base.Labelled):
                named = tree.parts(node, statements[kind].label)
                labels.update(((self.owners[label], tree.code(label)), label) for label in named)
        return {place: node for place, node in labels.items() if place[1] in wanted}

    def _throws(self, node: int) -> bool:
        operators = self.language.throwing[self.tree.types[node]]
        return operators is None or not operators.isdisjoint(self.tree.tokens.get(node, ()))

    # -------------------------------------------------------------------------------------- helpers
    def statement_rule(self, node: int) -> object:
        """The rule of a node in the place of a statement, None where no table names it."""
        rule = self.language.statements.get(self.tree.types[node])
        while isinstance(rule, base.Either):
            rule = rule.first if self.tree.part(node, rule.part) >= 0 else rule.second
        return rule

    def has_splits(self, node: int) -> bool:
        """Whether control flows inside the subtree (nested functions counted too)."""
        splits = self.splits
        if not splits:
            return False
        position = bisect.bisect_left(splits, node)
        return position < len(splits) and splits[position] < self.tree.last[node]

    def point(self, node: int, kind: str, parts: tuple[int, ...], frontier: Frontier) -> Frontier:
        """A new point behind `frontier`; inside a try, with an edge to where its exceptions go."""
        point = self.graph.add(node, kind, parts)
        self.points.add(node)
        self.graph.connect(frontier, point)
        if self.contexts and kind != "parameter" and not all(isinstance(context, Target) for context in self.contexts):
            if self.can_throw(node, parts):
                self.leave("throw", None, [Pending(point, "exception", True)])
        return [Pending(point)]

    def can_throw(self, node: int, parts: tuple[int, ...]) -> bool:
        """Whether something in the point's own text, outside points and bodies inside it, can throw."""
        tree, throwers = self.tree, self.throwers
        rule = self.statement_rule(node)
        if isinstance(rule, base.ForEach) and rule.throws:
            return True
        if isinstance(rule, base.Later):
            parts = tuple(child for call in tree.parts(node, rule.call) for child in tree.children[call])
        for part in parts:
            for position in range(bisect.bisect_left(throwers, part), len(throwers)):
                thrower = throwers[position]
                if thrower >= tree.last[part]:
                    break
                if self.owners[thrower] == self.graph.owner and self._own(thrower, part):
                    return True
        return False

    def _own(self, node: int, part: int) -> bool:
        while node > part:
            if node in self.points:
                return False
            node = self.tree.parents[node]
        return True

    def join(self, frontier: Frontier) -> int:
        """A target for back edges."""
        join = self.graph.add(-1, "join", ())
        self.graph.connect(frontier, join)
        return join

    def fork(self, frontier: Frontier) -> int:
        """A place from which control goes on in several ways."""
        fork = self.graph.add(-1, "fork", ())
        self.graph.connect(frontier, fork)
        return fork

    def leave(self, kind: str, label: str | None, frontier: Frontier) -> None:
        """Hand edges that jump to the innermost context that takes them, else to EXIT."""
        if not frontier:
            return
        if kind == "exit":
            self.graph.quits.update(edge.source for edge in frontier)
            self.graph.connect(frontier, EXIT)
            return
        goal = self.label_nodes.get((self.graph.owner, label), -1) if kind == "goto" else -1
        for context in reversed(self.contexts):
            if kind == "goto case" and isinstance(context, Target) and label in context.places:
                self.graph.connect(frontier, context.places[label])
                return
            if goal >= 0 and isinstance(context, Finalizer) and context.node <= goal < self.tree.last[context.node]:
                break
            if context.take(kind, label, frontier):
                return
        self.graph.connect(frontier, EXIT if goal < 0 else self._join_of(label))

    def jump_of(self, node: int, kind: str, frontier: Frontier, label: str | None = None) -> Steps | Frontier:
        """A point whose only way on is to the target of a jump."""
        if self.has_splits(node):
            return self._split_jump(node, kind, frontier, label)
        return self._jump_point(node, kind, frontier, label)

    def _split_jump(self, node: int, kind: str, frontier: Frontier, label: str | None) -> Steps:
        frontier = yield self.evaluate(node, frontier, inside=True)
        return self._jump_point(node, kind, frontier, label)

    def _jump_point(self, node: int, kind: str, frontier: Frontier, label: str | None) -> Frontier:
        behind = self.point(node, "statement", (node,), frontier)
        if kind == "throw":
            behind = [Pending(behind[0].source, "exception")]
        self.leave(kind, label, behind)
        return []

    def place_label(self, label: str, frontier: Frontier) -> Frontier:
        """The frontier in front of a labelled statement, with the gotos that go there."""
        if (self.graph.owner, label) not in self.label_nodes:
            return frontier
        join = self._join_of(label)
        self.graph.connect(frontier, join)
        return [Pending(join)]

    def _join_of(self, label: str) -> int:
        if label not in self.placed:
            self.placed[label] = self.graph.add(-1, "join", ())
        return self.placed[label]

    def unplaced(self) -> list[int]:
        """Joins of labels that were jumped to and are not in this body."""
        return [join for join in self.placed.values() if not self.graph.successors[join]]

    def take_labels(self) -> frozenset[str]:
        """The labels in front of the statement in hand."""
        labels, self.labels = self.labels, frozenset()
        return labels

    def bare(self, node: int) -> int:
        """The expression inside parentheses."""
        tree = self.tree
        while tree.types[node] in self.language.parentheses and len(tree.children[node]) == 1:
            node = tree.children[node][0]
        return node

    # ----------------------------------------------------------------------------------------- tests
    def test(self, node: int, frontier: Frontier, loop: bool = False) -> Steps | tuple[Frontier, Frontier]:
        """Split a condition: (edges on which it is true, edges on which it is false)."""
        node = self.bare(node)
        return (self._split_test if self.has_splits(node) else self._condition)(node, frontier, loop)

    def _condition(self, node: int, frontier: Frontier, loop: bool) -> tuple[Frontier, Frontier]:
        source = self.point(node, "condition", (node,), frontier)[0].source
        endless = loop and self.tree.code(node) in self.language.always_true
        return [Pending(source, "true")], [] if endless else [Pending(source, "false")]

    def _split_test(self, node: int, frontier: Frontier, loop: bool) -> Steps:
        tree = self.tree
        rule = self.language.expressions.get(tree.types[node])
        tokens = tree.tokens.get(node, ())
        if isinstance(rule, base.ShortCircuit) and self._decides(node):
            left, right = tree.part(node, rule.left), tree.part(node, rule.right)
            if left >= 0 and right >= 0:
                true, false = yield self.test(left, frontier)
                if not rule.conjunctions.isdisjoint(tokens):
                    true, more = yield self.test(right, true)
                    return true, false + more
                more, false = yield self.test(right, false)
                return true + more, false
        if isinstance(rule, base.Chain) and self._is_chained(node):
            true, false = yield self.test(tree.children[node][0], frontier)
            for operand in tree.children[node][1:]:
                true = yield self.evaluate(operand, true)
            source = self.point(node, "condition", (node,), true)[0].source
            return [Pending(source, "true")], [*false, Pending(source, "false")]
        if isinstance(rule, base.Ternary):
            condition, first, second = self._ways(node, rule)
            if min(condition, second) >= 0:
                true, false = yield self.test(condition, frontier)
                true, failed = (yield self.test(first, true)) if first >= 0 else (true, [])
                more, false = yield self.test(second, false)
                return true + more, failed + false
        if isinstance(rule, base.Negation) and not rule.operators.isdisjoint(tokens):
            operand = tree.part(node, rule.operand)
            if operand >= 0 and self._branches(operand):
                true, false = yield self.test(operand, frontier)
                return false, true
        frontier = yield self.evaluate(node, frontier)
        return self._condition(node, frontier, loop)

    def _branches(self, node: int) -> bool:
        """Whether a negation is taken apart: it holds, under parentheses and negations, a split."""
        while True:
            node = self.bare(node)
            rule = self.language.expressions.get(self.tree.types[node])
            if not isinstance(rule, base.Negation):
                chained = isinstance(rule, base.Chain) and self._is_chained(node)
                decided = isinstance(rule, base.ShortCircuit) and self._decides(node)
                return chained or decided or isinstance(rule, base.Ternary)
            if rule.operators.isdisjoint(self.tree.tokens.get(node, ())):
                return False
            node = self.tree.part(node, rule.operand)
            if node < 0:
                return False

    # ---------------------------------------------------------------------------------------- values
    def evaluate(self, node: int, frontier: Frontier, inside: bool = False) -> Steps:
        """The points inside an expression (or statement) whose value is wanted, in order; `inside`: without its own."""
        return (yield self.evaluate_between(node + 1 if inside else node, self.tree.last[node], frontier))

    def evaluate_between(self, start: int, end: int, frontier: Frontier) -> Steps:
        """The points inside the nodes `start` .. `end - 1`, in order."""
        tree, splits, owner = self.tree, self.splits, self.graph.owner
        position = bisect.bisect_left(splits, start)
        while position < len(splits) and splits[position] < end:
            split = splits[position]
            if self.owners[split] != owner:
                position += 1
                continue
            frontier = yield self.value(split, frontier)
            position = bisect.bisect_left(splits, tree.last[split])
        return frontier

    def value(self, node: int, frontier: Frontier) -> Steps:
        """One split in a place where its value is wanted; both ways join behind it."""
        tree = self.tree
        rule = self.language.expressions[tree.types[node]]
        if isinstance(rule, base.Comprehension):
            return (yield self.comprehension(node, rule, frontier))
        if isinstance(rule, base.Switch):
            return (yield self.switch_value(node, frontier))
        if isinstance(rule, base.Access):
            return (yield self.access(node, frontier))
        if isinstance(rule, base.Jump):
            return (yield self.jump_of(node, rule.kind, frontier))
        if isinstance(rule, base.Ternary):
            condition, first, second = self._ways(node, rule)
            if min(condition, second) < 0:
                return frontier
            true, false = yield self.test(condition, frontier)
            if first >= 0:
                true = yield self.evaluate(first, true)
            false = yield self.evaluate(second, false)
            return true + false
        if isinstance(rule, base.ShortCircuit) and not self._decides(node):
            return (yield self._coalesce(node, rule, frontier))
        true, false = yield self.test(node, frontier)
        return true + false

    def _ways(self, node: int, rule: base.Ternary) -> tuple[int, int, int]:
        """Condition, consequence and alternative of a conditional expression; -1 where one is absent."""
        parts = (rule.condition, rule.consequence, rule.alternative)
        condition, first, second = (self.tree.part(node, part) for part in parts)
        return condition, first, second

    def _coalesce(self, node: int, rule: base.ShortCircuit, frontier: Frontier) -> Steps:
        """`a ?? b`, `a ||= b`: the left side decides whether the right one is evaluated."""
        tree = self.tree
        left, right = tree.part(node, rule.left), tree.part(node, rule.right)
        if left < 0 or right < 0:
            return frontier
        true, false = yield self.test(left, frontier)
        if rule.conjunctions.isdisjoint(tree.tokens.get(node, ())):
            false = yield self.evaluate(right, false)
        else:
            true = yield self.evaluate(right, true)
        return true + false


@functools.lru_cache(maxsize=None)
def _gotos(language: Language) -> dict[str, base.Jump]:
    return {
        kind: rule for kind, rule in language.statements.items() if isinstance(rule, base.Jump) and rule.kind == "goto"
    }


@functools.lru_cache(maxsize=None)
def _links(language: Language) -> dict[str, base.Access]:
    return {kind: rule for kind, rule in language.expressions.items() if isinstance(rule, base.Access)}
