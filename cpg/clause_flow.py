"""Control flow of expressions that are made of several clauses: comprehensions and queries, chains with `?.`."""

from __future__ import annotations

from cpg.expressions import ExpressionFlow, Steps
from cpg.flow_graph import Frontier, Pending
from cpg.languages import base


class ClauseFlow(ExpressionFlow):
    """The rules of `base.Comprehension` and `base.Access`."""

    def comprehension(self, node: int, rule: base.Comprehension, frontier: Frontier) -> Steps:
        """Each loop clause is a point as in foreach, each test a condition; steps and the element are points."""
        tree = self.tree
        heads: list[int] = []
        behind: Frontier = []
        if tree.types[node] == rule.again:
            targets = tree.parts(node, rule.target)
            behind = self._next_element(targets[0] if targets else node, tuple(targets), targets, frontier, heads)
            frontier = [Pending(heads[-1], "iterate")]
        body = tree.part(node, rule.body)
        for clause in tree.children[node]:
            kind = tree.types[clause]
            if kind in rule.loops and tree.part(clause, rule.collecting) < 0:
                frontier = yield self.evaluate(clause, frontier, inside=True)
                done = self._next_element(clause, (clause,), tree.parts(clause, rule.target), frontier, heads)
                if len(heads) > 1:
                    self.graph.connect(done, heads[-2])
                else:
                    behind = done
                frontier = [Pending(heads[-1], "iterate")]
            elif kind in rule.tests and heads and tree.children[clause]:
                frontier, failed = yield self.test(tree.children[clause][0], frontier)
                self.graph.connect(failed, heads[-1])
            elif (kind in rule.steps or kind in rule.loops) and clause != body:
                frontier = yield self.simple_steps(clause, frontier)
        if not heads:
            return frontier
        if body >= 0:
            frontier = yield self.simple_steps(body, frontier)
        self.graph.connect(frontier, heads[-1])
        for clause in tree.children[node]:
            if tree.types[clause] == rule.again:
                behind = yield self.comprehension(clause, rule, behind)
        return behind

    def _next_element(
        self, node: int, parts: tuple[int, ...], targets: list[int], frontier: Frontier, heads: list[int]
    ) -> Frontier:
        """A point that takes the next element, put to `heads`: its way on when there is none."""
        heads.append(self.point(node, "condition", parts, frontier)[0].source)
        self.graph.bound[heads[-1]] = tuple(targets)
        return [Pending(heads[-1], "done")]

    def access(self, node: int, frontier: Frontier) -> Steps:
        """The base of each optional link is a condition; where it is null, control goes on behind the chain."""
        tree = self.tree
        missed: Frontier = []
        start = -1
        for link in self.accesses[node]:
            tested = tree.part(link, self.language.expressions[tree.types[link]].base)
            frontier = yield self.evaluate_between(tested if start < 0 else start, tree.last[tested], frontier)
            tested, start = self.bare(tested), tree.last[tested]
            source = self.point(tested, "condition", (tested,), frontier)[0].source
            frontier = [Pending(source, "true")]
            missed.append(Pending(source, "false"))
        frontier = yield self.evaluate_between(start, tree.last[node], frontier)
        return frontier + missed
