"""Control flow of try: body, resources, handlers, the part that runs when nothing was raised, finalizer."""

from __future__ import annotations

from cpg.expressions import ExpressionFlow, Steps
from cpg.flow_graph import Finalizer, Frontier, Handlers, Pending, Target
from cpg.languages import base

FINALIZER_DEPTH = 2
"""Finalizers inside this many finalizers are built once for all ways into them, to bound the work."""


class TryFlow(ExpressionFlow):
    """The rules of `base.Try`; statements come from the class that builds bodies."""

    def try_(self, node: int, frontier: Frontier) -> Steps:
        """Body, handlers, finalizer; see the table in SPEC.md."""
        rule, tree = self.rule(node), self.tree
        finalizer_node = tree.part(node, rule.finalizer)
        handler_nodes = tree.parts(node, rule.handler)
        finalizer = Finalizer(node)
        if finalizer_node >= 0:
            self.contexts.append(finalizer)
        handlers = Handlers()
        if handler_nodes:
            self.contexts.append(handlers)
        first = len(self.graph.nodes)
        for group in tree.parts(node, rule.resources):
            for resource in tree.children[group]:
                frontier = yield self.simple_steps(resource, frontier)
        body = Target(("leave",))
        self.contexts.append(body)
        frontier = (yield self.optional(tree.part(node, rule.body), frontier)) + body.left
        self.contexts.pop()
        if handler_nodes:
            if not handlers.incoming:
                handlers.incoming = self._all_points_since(first)
            self.contexts.pop()
        frontier = yield self.optional(tree.part(node, rule.otherwise), frontier)
        behind = list(frontier)
        incoming = handlers.incoming
        for handler in handler_nodes:
            if tree.types[handler] in rule.collecting:
                behind += yield self.collecting_handlers(handler_nodes, rule, incoming)
                incoming = []
                break
            taken, incoming = yield self.handler(handler, rule, incoming)
            behind += yield self.optional(tree.part(handler, rule.handler_body), taken)
        if incoming:
            self.leave("throw", None, incoming)
        if finalizer_node < 0:
            return behind
        self.contexts.pop()
        return (yield self.finalize(finalizer_node, behind, finalizer))

    def _all_points_since(self, first: int) -> Frontier:
        graph = self.graph
        points = range(first, len(graph.nodes))
        return [Pending(point, "exception", True) for point in points if graph.nodes[point] >= 0]

    def handler(self, node: int, rule: base.Try, incoming: Frontier) -> Steps:
        """The point of a handler: (edges into its body, edges of what it does not take)."""
        tree = self.tree
        filter_node = tree.part(node, rule.filter)
        if filter_node == tree.part(node, rule.handler_body):
            filter_node = -1
        everything = filter_node < 0 or rule.takes_all
        everything = everything or not self.names_of(filter_node).isdisjoint(self.language.catches_everything)
        guard = tree.part(node, rule.guard)
        if rule.ordered and filter_node >= 0:
            filter_node = self.bare(filter_node)
            incoming = yield self.evaluate(filter_node, incoming)
            source = self.point(filter_node, "condition", (filter_node,), incoming)[0].source
            self.graph.bound[source] = (filter_node,)
            return [Pending(source, "true")], [] if everything else [Pending(source, "false", True)]
        taken = incoming if filter_node < 0 else self.point(filter_node, "parameter", (filter_node,), incoming)
        missed = [] if everything else incoming
        if guard >= 0 and tree.children[guard]:
            # What a guard throws counts as false.
            self.contexts.append(Handlers())
            taken, failed = yield self.test(tree.children[guard][0], taken)
            self.contexts.pop()
            missed = missed + [Pending(edge.source, edge.branch, True) for edge in failed]
        return taken, missed

    def collecting_handlers(self, nodes: list[int], rule: base.Try, incoming: Frontier) -> Steps:
        """Handlers that each take a part: all are tested; what is left, and what they throw, goes on at the end."""
        handled: Frontier = []
        thrown: Frontier = []
        for handler in nodes:
            several = bool(handled)
            taken, incoming = yield self.handler(handler, rule, incoming + handled + thrown)
            body = Handlers()
            self.contexts.append(body)
            handled = yield self.optional(self.tree.part(handler, rule.handler_body), taken)
            self.contexts.pop()
            thrown = body.incoming
        rest = [Pending(edge.source, edge.branch or "exception", True, edge.branch is None) for edge in handled]
        self.leave("throw", None, incoming + rest + thrown)
        return handled + (incoming if several else [])

    def names_of(self, node: int) -> set[str]:
        """The texts of the leaves under a node."""
        tree = self.tree
        return {tree.code(leaf) for leaf in range(node, tree.last[node]) if tree.last[leaf] == leaf + 1}

    def finalize(self, node: int, behind: Frontier, finalizer: Finalizer) -> Steps:
        """The finalizer once for each way into it, or once for all where finalizers nest."""
        ways = dict(finalizer.pending)
        self.finalizer_depth += 1
        if self.finalizer_depth > FINALIZER_DEPTH or not ways:
            entering = behind + [edge for frontier in ways.values() for edge in frontier]
            left = yield self.block(node, entering)
            results = {way: left for way in ways}
            normal = left if behind or not ways else []
        else:
            normal = (yield self.block(node, behind)) if behind else []
            results = {}
            for way, frontier in ways.items():
                results[way] = yield self.block(node, frontier)
        self.finalizer_depth -= 1
        for (kind, label), left in results.items():
            if kind == "throw":
                implicit = all(edge.implicit for edge in ways[kind, label])
                left = [
                    Pending(e.source, e.branch or "exception", e.implicit or implicit, e.branch is None) for e in left
                ]
            self.leave(kind, label, left)
        return normal
