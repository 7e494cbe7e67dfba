"""The analyses against their definitions, on random structured programs, and Java against Python.

The expected edges come from path searches written straight from the definitions, over the CFG of the graph:
slow, and sharing no code with the passes.
"""

from __future__ import annotations

import random
from collections import defaultdict

import pytest

from cpg import CodePropertyGraph, extract
from tests.cpg.test_spec import point_names

SEEDS = range(60)
VARIABLES = "abcd"


def _program(generator: random.Random, depth: int, in_loop: bool) -> list:
    """A random list of statements: nested tuples."""
    body = []
    for _ in range(generator.randint(1, 4)):
        kind = generator.choice(["assign"] * 4 + (["if", "if", "while"] if depth else []) + ["jump"])
        if kind == "assign":
            body.append(("assign", generator.choice(VARIABLES), generator.choice(VARIABLES)))
        elif kind == "jump":
            jumps = ["return"] + (["break", "continue"] * 2 if in_loop else [])
            body.append(("if", _condition(generator), [(generator.choice(jumps),)], []))
        elif kind == "if":
            otherwise = _program(generator, depth - 1, in_loop) if generator.random() < 0.5 else []
            body.append(("if", _condition(generator), _program(generator, depth - 1, in_loop), otherwise))
        else:
            body.append(("while", _condition(generator), _program(generator, depth - 1, True)))
    return body


def _condition(generator: random.Random) -> tuple:
    """A variable, or a conjunction or disjunction of two conditions."""
    if generator.random() < 0.6:
        return (generator.choice(VARIABLES),)
    return (generator.choice(["and", "or"]), _condition(generator), _condition(generator))


def _render_condition(condition: tuple, java: bool) -> str:
    if len(condition) == 1:
        return condition[0]
    operator = {"and": "&&", "or": "||"}[condition[0]] if java else condition[0]
    left, right = (_render_condition(part, java) for part in condition[1:])
    return f"({left} {operator} {right})"


def _java(body: list) -> str:
    lines = []
    for statement in body:
        if statement[0] == "assign":
            lines.append(f"{statement[1]} = {statement[2]};")
        elif statement[0] == "if":
            otherwise = f" else {{\n{_java(statement[3])}}}" if statement[3] else ""
            lines.append(f"if ({_render_condition(statement[1], True)}) {{\n{_java(statement[2])}}}{otherwise}")
        elif statement[0] == "while":
            lines.append(f"while ({_render_condition(statement[1], True)}) {{\n{_java(statement[2])}}}")
        else:
            lines.append(f"{statement[0]};")
    return "".join(line + "\n" for line in lines)


def _python(body: list, indent: str = "") -> str:
    lines = []
    for statement in body:
        if statement[0] == "assign":
            lines.append(f"{indent}{statement[1]} = {statement[2]}\n")
        elif statement[0] in ("if", "while"):
            lines.append(f"{indent}{statement[0]} {_render_condition(statement[1], False)}:\n")
            lines.append(_python(statement[2], indent + " "))
            if statement[0] == "if" and statement[3]:
                lines.append(f"{indent}else:\n" + _python(statement[3], indent + " "))
        else:
            lines.append(f"{indent}{statement[0]}\n")
    return "".join(lines)


def _go(body: list) -> str:
    """The Java text says it almost: a loop is `for`, and nothing ends in a semicolon."""
    return _java(body).replace("while (", "for (").replace(";", "")


def _edges(graph: CodePropertyGraph, kind: str) -> list[tuple[int, int, str]]:
    return [(s, t, b or v or "") for s, t, k, b, v in graph.edges if k == kind]


def _reach(successors: dict[int, list[int]], start: int, blocked: set[int]) -> set[int]:
    """What can be reached from `start`, itself not counted unless on a cycle, without passing `blocked`."""
    seen: set[int] = set()
    queue = [start]
    while queue:
        for target in successors[queue.pop()]:
            if target not in seen:
                seen.add(target)
                if target not in blocked:
                    queue.append(target)
    return seen


@pytest.mark.parametrize("seed", SEEDS)
def test_data_dependence_is_its_definition(seed: int) -> None:
    graph = extract(_java(_program(random.Random(seed), 3, False)), "java")
    nodes = graph.nodes
    successors = defaultdict(list)
    for source, target, _ in _edges(graph, "CFG"):
        successors[source].append(target)
    points = [i for i, point in enumerate(nodes.point) if point in ("statement", "condition")]
    text = {i: nodes.text_of(i) for i in points}
    defined = {i: text[i].split(" = ")[0] for i in points if " = " in text[i]}
    used = {i: text[i].split(" = ")[1].rstrip(";") if i in defined else text[i] for i in points}
    reachable = _reach(successors, nodes.point.index("entry"), set())
    expected = set()
    for source, variable in defined.items():
        if source in reachable:
            others = {i for i in defined if defined[i] == variable}
            arrives = _reach(successors, source, others)
            expected |= {(source, i, variable) for i in points if used[i] == variable and i in arrives}
    assert set(_edges(graph, "DDG")) == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_control_dependence_is_its_definition(seed: int) -> None:
    graph = extract(_java(_program(random.Random(seed), 3, False)), "java")
    nodes = graph.nodes
    successors = defaultdict(list)
    for source, target, _ in _edges(graph, "CFG"):
        successors[source].append(target)
    points = [i for i, point in enumerate(nodes.point) if point in ("statement", "condition")]
    exit_point = nodes.point.index("exit")

    def certain(start: int, point: int) -> bool:
        """Whether every path from `start` to EXIT passes `point`."""
        return start == point or exit_point not in ({start} | _reach(successors, start, {point}))

    expected = set()
    for condition, target, branch in _edges(graph, "CFG"):
        if nodes.point[condition] == "condition" and exit_point in _reach(successors, condition, set()):
            for point in points:
                passed = all(certain(following, point) for following in successors[condition])
                if certain(target, point) and not passed:
                    expected.add((condition, point, branch))
    assert set(_edges(graph, "CDG")) == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_one_program_in_three_languages_is_one_graph(seed: int) -> None:
    program = _program(random.Random(seed), 3, False)
    graphs = extract(_java(program), "java"), extract(_python(program), "python"), extract(_go(program), "go")
    for kind in ("CFG", "DDG", "CDG"):
        shapes = []
        for graph in graphs:
            names = {node: name.replace(";", "") for node, name in point_names(graph).items()}
            shapes.append({(names[s], names[t], label) for s, t, label in _edges(graph, kind)})
        assert shapes[0] == shapes[1] == shapes[2]


@pytest.mark.parametrize("language", ["c", "cpp", "csharp", "javascript", "typescript"])
@pytest.mark.parametrize("seed", SEEDS)
def test_one_text_in_several_languages_is_one_graph(seed: int, language: str) -> None:
    # C++ may read `(a && (b && c))` as the type in a cast; a negation can only be a condition.
    text = _java(_program(random.Random(seed), 3, False)).replace("(", "(!!")
    shapes = []
    for graph in (extract(text, "java"), extract(text, language)):
        names = point_names(graph)
        shapes.append({
            (kind, names[s], names[t], label) for kind in ("CFG", "DDG", "CDG") for s, t, label in _edges(graph, kind)
        })
    assert shapes[0] == shapes[1]


def test_programs_are_of_some_size() -> None:
    graphs = [extract(_java(_program(random.Random(seed), 3, False)), "java") for seed in SEEDS]
    for kind in ("CFG", "DDG", "CDG"):
        assert sum(graph.edges.kind.count(kind) for graph in graphs) > 1_000


@pytest.mark.parametrize(("language", "code", "expected"), [
    ("java", "a = b; a.f(c, d.e); g(a, c);", {("a.f(c, d.e);", "a"), ("a.f(c, d.e);", "c"), ("a = b;", "a")}),
    ("csharp", "a = b; a?.f(c, out d.e, ref g[0]); g(a, c);",
     {("a?.f(c, out d.e, ref g[0]);", "a"), ("a?.f(c, out d.e, ref g[0]);", "c"), ("a = b;", "a")}),
    ("python", "a = b\na.f(c, key=d.e)\ng(a, c, d.e)\n",
     {("a.f(c, key=d.e)", "a"), ("a.f(c, key=d.e)", "c"), ("a.f(c, key=d.e)", "d.e"), ("a = b", "a")}),
    ("javascript", "a = b; a.f(c, ...d, `${e}`); new F(d); g(a, c, d);",
     {("a.f(c, ...d, `${e}`);", "a"), ("a.f(c, ...d, `${e}`);", "c"), ("a.f(c, ...d, `${e}`);", "d"), ("new F(d);", "d"),
      ("a = b;", "a")}),
    ("typescript", "a = b; a?.f(c, d.e!); g(a, c);",
     {("a?.f(c, d.e!);", "a"), ("a?.f(c, d.e!);", "c"), ("a = b;", "a")}),
    ("c", "a = b; a->f(&c, *d, 1); g(a, c, *d);",
     {("a->f(&c, *d, 1);", "a"), ("a->f(&c, *d, 1);", "c"), ("a->f(&c, *d, 1);", "*d"), ("a = b;", "a")}),
    ("cpp", "a = b; a.f(c, d...); g(a, c, d);",
     {("a.f(c, d...);", "a"), ("a.f(c, d...);", "c"), ("a.f(c, d...);", "d"), ("a = b;", "a")}),
    ("go", "a = b\na.f(&c, -d, *e)\ngo h(i...)\ndefer j(k)\ng(a, c, d, *e, i, k)\n",
     {("a.f(&c, -d, *e)", "a"), ("a.f(&c, -d, *e)", "c"), ("a.f(&c, -d, *e)", "*e"), ("go h(i...)", "i"),
      ("defer j(k)", "k"), ("a = b", "a")}),
])
def test_calls_may_define_on_request(language: str, code: str, expected: set) -> None:
    """A call defines its receiver and arguments weakly: the assignment before it still arrives."""
    def into_last(calls_define: bool) -> set:
        graph = extract(code, language, calls_define=calls_define)
        graph.check()
        edges = [e for e in graph.edges if e[2] == "DDG" and graph.nodes.text_of(e[1]).startswith("g(")]
        return {(graph.nodes.text_of(source), variable) for source, _, _, _, variable in edges}

    assert into_last(True) == expected
    assert into_last(False) == {("a = b" if language in ("go", "python") else "a = b;", "a")}
