"""Control flow of switches: as a statement, as an expression, without a selector, as a choice (Go's select), and
with labels that stand anywhere in the body (C); and of match."""

from __future__ import annotations

import bisect
import functools

from cpg.expressions import ExpressionFlow, Steps
from cpg.flow_graph import ENTRY, Frontier, Pending, Target
from cpg.languages import base
from cpg.languages.base import Language


class Scattered(Target):
    """A switch whose labels stand anywhere in its body."""

    def __init__(self, head: int, labels: frozenset[str]) -> None:
        super().__init__(("break",), labels)
        self.head = head
        self.has_default = False


class SwitchFlow(ExpressionFlow):
    """The rules of `base.Switch` and `base.Match`; statements come from the class that builds bodies."""

    def switch(self, node: int, frontier: Frontier) -> Steps:
        """switch as a statement: without a default, no case may match."""
        return (yield self._switch(node, frontier, exhaustive=False))

    def switch_value(self, node: int, frontier: Frontier) -> Steps:
        """switch as an expression: some case matches, or an exception leaves."""
        return (yield self._switch(node, frontier, exhaustive=True))

    def _switch(self, node: int, frontier: Frontier, exhaustive: bool) -> Steps:
        tree = self.tree
        rule = self.language.expressions.get(tree.types[node]) or self.language.statements[tree.types[node]]
        labels_around = self.take_labels()
        for initial in tree.parts(node, rule.initial):
            frontier = yield self.statement(initial, frontier)
        groups = self._groups(node, rule)
        frontier, head = yield self._head(node, rule, groups, frontier)
        if rule.scattered:
            return (yield self._scattered(tree.part(node, rule.body), Scattered(head, labels_around)))
        cases = [Pending(head, "case")] if head >= 0 else frontier
        default = self.join([Pending(head, "default")] if head >= 0 else [])
        return (yield self._cases(groups, rule, head, cases, default, labels_around, exhaustive))

    def alone(self, groups: list[int]) -> base.Switch | None:
        """The rule of the switch that the groups belong to, if they are all there is of a snippet."""
        kinds = {self.tree.types[group] for group in groups}
        rules = _switches(self.language) if kinds else ()
        return next((rule for rule in rules if kinds <= rule.groups), None)

    def cases_alone(self, groups: list[int], rule: base.Switch) -> Steps:
        """Cases without their switch: control comes from ENTRY to each."""
        default = self.join([Pending(ENTRY)])
        return (yield self._cases(groups, rule, ENTRY, [Pending(ENTRY)], default, frozenset(), exhaustive=True))

    def _cases(
        self,
        groups: list[int],
        rule: base.Switch,
        head: int,
        cases: Frontier,
        default: int,
        labels_around: frozenset[str],
        exhaustive: bool,
    ) -> Steps:
        """The groups: `cases` are the edges to their labels, `default` a join with those to the default group."""
        tree = self.tree
        places = self._places(groups, rule)
        target = Target(("break", "yield", "fallthrough"), labels_around, places)
        self.contexts.append(target)
        falling: Frontier = []
        failed: Frontier = []
        has_default = False
        for group in groups:
            labels = [group] if self._is_own_label(rule) else tree.parts(group, rule.label)
            entering: Frontier = []
            if self._is_default_group(group, rule):
                has_default = True
                entering.append(Pending(default))
            for label in labels:
                plain = not self._is_default(label, rule)
                if not plain:
                    has_default = True
                    entering.append(Pending(default))
                if plain or (label != group and tree.children[label]):
                    taken, failed = yield self._label(label, rule, cases, head)
                    cases = failed if head < 0 else cases + failed
                    entering += taken
            if rule.choice and not labels and not self._is_default_group(group, rule):
                entering += cases
            entering = falling + entering
            if group in places:
                self.graph.connect(entering, places[group])
                entering = [Pending(places[group])]
            begins = tree.parts(group, rule.begins)
            for begin in begins:
                entering = self.point(begin, "statement", (begin,), entering)
            heading = labels if labels != [group] else self._head_of(group, rule)
            left = yield self._group(group, [*heading, *begins], entering)
            falls = tree.types[group] in rule.falling
            falling = (left if falls else []) + target.fallen
            target.fallen = []
            exhaustive = exhaustive and not falls
            if not falls:
                target.left.extend(left)
        self.contexts.pop()
        missed = [] if has_default or exhaustive or rule.choice else [Pending(default)]
        if head < 0:
            self.graph.connect(cases, default)
        elif missed or has_default:
            self.graph.connect(cases[1:], default)
        else:
            self.leave("throw", None, [Pending(edge.source, edge.branch, True) for edge in failed])
        return falling + target.left + missed

    def _groups(self, node: int, rule: base.Switch) -> list[int]:
        tree = self.tree
        body = node if rule.body is None else tree.part(node, rule.body)
        return [group for group in tree.children[body] if tree.types[group] in rule.groups] if body >= 0 else []

    def _head(self, node: int, rule: base.Switch, groups: list[int], frontier: Frontier) -> Steps:
        """(frontier, the point that chooses): -1 where the labels are tested in order."""
        tree = self.tree
        selector = tree.part(node, rule.selector)
        if selector >= 0:
            frontier = yield self.evaluate(selector, frontier)
            selector = self.bare(selector)
            labels = [label for group in groups for label in tree.parts(group, rule.label)] if rule.evaluated else []
            for label in labels:
                frontier = yield self.evaluate(label, frontier)
            parts = (selector, *tree.parts(node, rule.binds), *labels)
            return frontier, self.point(selector, "condition", parts, frontier)[0].source
        if rule.choice:
            begins = [begin for group in groups for begin in tree.parts(group, rule.begins)]
            parts = tuple(part for begin in begins for part in tree.parts(begin, rule.prepares))
            for part in parts:
                frontier = yield self.evaluate(part, frontier)
            return frontier, self.point(node, "condition", parts, frontier)[0].source
        return frontier, -1

    def match(self, node: int, frontier: Frontier) -> Steps:
        """Patterns in order; a pattern or guard that fails goes on to the next one."""
        rule, tree = self.rule(node), self.tree
        subjects = [self.bare(subject) for subject in tree.parts(node, rule.subject)]
        for subject in subjects:
            frontier = yield self.evaluate(subject, frontier)
        if subjects:
            head = self.point(subjects[0], "condition", tuple(subjects), frontier)[0].source
            frontier = [Pending(head, "case")]
        behind: Frontier = []
        body = tree.part(node, rule.body)
        for clause in tree.parts(body, rule.clause) if body >= 0 else []:
            patterns = tree.parts(clause, rule.pattern)
            taken, missed = frontier, []
            for pattern in patterns:
                final = len(patterns) == 1 and self._always_matches(pattern, rule)
                kind = "statement" if final else "condition"
                source = self.point(pattern, kind, (pattern,), taken)[0].source
                self.graph.bound[source] = (pattern,)
                taken = [Pending(source) if final else Pending(source, "true")]
                missed = missed + ([] if final else [Pending(source, "false")])
            guard = tree.part(clause, rule.guard)
            if guard >= 0:
                taken, failed = yield self.test(tree.children[guard][0], taken)
                missed = missed + failed
            behind += yield self.optional(tree.part(clause, rule.consequence), taken)
            frontier = missed
        return behind + frontier

    def _always_matches(self, pattern: int, rule: base.Match) -> bool:
        children = self.tree.children[pattern]
        if len(children) == 1 and self.tree.types[children[0]] in self.language.dotted:
            return len(self.tree.children[children[0]]) == 1
        return not children and self.tree.code(pattern) == rule.wildcard

    def _scattered(self, body: int, switch: Scattered) -> Steps:
        """The body as a statement that control enters at its labels only."""
        self.contexts.append(switch)
        left = yield self.optional(body, [])
        self.contexts.pop()
        return left + switch.left + ([] if switch.has_default else [Pending(switch.head, "default")])

    def case(self, node: int, frontier: Frontier) -> Steps:
        """A label of the innermost scattered switch, and the statements behind it.

        What cannot be parsed right beside the label belongs to it: the rest of a case range.
        """
        rule, tree = self.rule(node), self.tree
        labels = tree.parts(node, rule.label)
        beside = [child for child in tree.children[node][:2] if labels and tree.types[child] == "ERROR"]
        switch = next((context for context in reversed(self.contexts) if isinstance(context, Scattered)), None)
        if switch is None:
            frontier = [*frontier, Pending(ENTRY)]
        else:
            switch.has_default = switch.has_default or not labels
            frontier = [*frontier, Pending(switch.head, "case" if labels else "default")]
        return (yield self._group(node, labels + beside, frontier))

    @functools.cached_property
    def _case_jumps(self) -> list[int]:
        """The jumps of the text that may go to a case."""
        kinds = {kind for kind, rule in self.language.statements.items() if isinstance(rule, base.Jump) and rule.to_case}
        return self.tree.of_types(kinds)

    def _places(self, groups: list[int], rule: base.Switch) -> dict[int | str | None, int]:
        """Group -> join in front of it, and the same by its labels' texts (None: the default), where gotos name cases."""
        tree, jumps = self.tree, self._case_jumps
        first = bisect.bisect_left(jumps, groups[0]) if groups else len(jumps)
        if first == len(jumps) or jumps[first] >= tree.last[groups[-1]]:
            return {}
        places: dict[int | str | None, int] = {}
        for group in groups:
            places[group] = self.graph.add(-1, "join", ())
            for label in tree.parts(group, rule.label):
                default = self._is_default(label, rule)
                children = tree.children[label]
                places[None if default else tree.code(children[0] if children else label)] = places[group]
            if self._is_default_group(group, rule):
                places[None] = places[group]
        return places

    def _is_default_group(self, group: int, rule: base.Switch) -> bool:
        tree = self.tree
        return tree.types[group] in rule.default_groups or rule.default in tree.tokens.get(group, ())

    def _is_default(self, label: int, rule: base.Switch) -> bool:
        tree = self.tree
        if rule.default in tree.tokens.get(label, ()):
            return True
        if self._is_own_label(rule):
            return [tree.code(part) for part in self._head_of(label, rule)] == [rule.default]
        return any(tree.code(child) == rule.default for child in tree.children[label])

    def _is_own_label(self, rule: base.Switch) -> bool:
        return rule.label is None and rule.pattern is not None

    def _head_of(self, group: int, rule: base.Switch) -> list[int]:
        """The pattern and the guard of a group that is its own label."""
        return self.tree.parts(group, rule.pattern) + self.tree.parts(group, rule.guard)

    def _binds(self, pattern: int) -> bool:
        tree, bindings = self.tree, self.language.bindings
        return any(
            kind in bindings and bindings[kind].declares and tree.part(node, bindings[kind].target) >= 0
            for node, kind in enumerate(tree.types[pattern : tree.last[pattern]], pattern)
        )

    def _label(self, label: int, rule: base.Switch, cases: Frontier, head: int) -> Steps:
        """(edges into the group, edges of labels that fail their test). A label that binds or tests has points."""
        tree = self.tree
        if head < 0:
            return (yield self._tested_label(label, cases))
        taken, failed = cases, []
        for pattern in tree.parts(label, rule.pattern):
            if self._binds(pattern):
                taken = self.point(pattern, "statement", (pattern,), taken)
        guard = tree.part(label, rule.guard)
        if guard >= 0 and tree.children[guard]:
            taken, failed = yield self.test(tree.children[guard][0], taken)
        return taken, failed

    def _tested_label(self, label: int, cases: Frontier) -> Steps:
        """A label without a selector: conditions one after the other, `a, b` as alternatives."""
        taken: Frontier = []
        tests = self.tree.children[label] if self.tree.types[label] in self.language.targets else [label]
        for test in tests:
            true, cases = yield self.test(test, cases)
            taken += true
        return taken, cases

    def _group(self, group: int, labels: list[int], frontier: Frontier) -> Steps:
        for child in self.tree.children[group]:
            if child not in labels:
                frontier = yield self.statement(child, frontier)
        return frontier


@functools.lru_cache(maxsize=None)
def _switches(language: Language) -> list[base.Switch]:
    return [rule for rule in language.statements.values() if isinstance(rule, base.Switch)]
