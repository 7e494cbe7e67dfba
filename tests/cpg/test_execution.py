"""The graph of real Python functions holds whatever they are seen to do.

Library functions run under sys.settrace. Every line step inside a call has to be a path of the CFG, and
every pair of an assignment to a local and a use of that value an edge of the DDG. Lines are logical lines:
within a statement that spans several, the interpreter reports the line of an operator where its jump is.
"""

from __future__ import annotations

import argparse
import ast
import base64
import calendar
import colorsys
import configparser
import copy
import csv
import difflib
import fnmatch
import fractions
import functools
import graphlib
import html.parser
import inspect
import io
import ipaddress
import json.decoder
import json.encoder
import json.scanner
import pprint
import posixpath
import random
import shlex
import statistics
import string
import textwrap
import tokenize
import urllib.parse
import uuid
from pathlib import Path

import networkx
import pytest
from networkx.algorithms import dag, matching, simple_paths, traversal
from networkx.algorithms.components import connected, strongly_connected
from networkx.algorithms.shortest_paths import unweighted, weighted
from networkx.algorithms.tree import mst

from cpg import CodePropertyGraph, extract
from tests.cpg.tracing import record

MODULES = [
    argparse, ast, base64, calendar, colorsys, configparser, copy, csv, difflib, fnmatch, fractions, graphlib,
    html.parser, ipaddress, json.decoder, json.encoder, json.scanner, pprint, posixpath, random, shlex,
    statistics, string, textwrap, tokenize, urllib.parse, uuid,
    connected, dag, matching, mst, simple_paths, strongly_connected, traversal.breadth_first_search,
    traversal.depth_first_search, unweighted, weighted,
]  # fmt: skip


# ------------------------------------------------------------------------------------------- workloads
def _text() -> None:
    text = "  The quick brown fox: jumps, over-the lazy dog.\n\n\tAnd again -- 'quoted text' and more; " * 3
    textwrap.wrap(text, 20)
    textwrap.fill(text, 30, initial_indent="* ", max_lines=3, break_long_words=True)
    textwrap.dedent("    a\n      b\n\n    c\n")
    textwrap.indent("a\nb\n\n", "> ")
    textwrap.shorten(text, 30)
    shlex.split("a 'b c' \"d\\\"e\" f\\ g # h", comments=True)
    list(shlex.shlex("a && b || c; (d)", punctuation_chars=True))
    shlex.quote("it's")
    string.Template("$a ${b} $$").substitute(a=1, b=2)
    string.Template("$a $c").safe_substitute(a=1)
    string.Formatter().format("{0!r:>{1}} {name}", "x", 10, name=3)
    string.capwords("a bc d")
    fnmatch.translate("a*[!b-d]?.[xy]")
    fnmatch.filter(["a.py", "b.txt"], "*.py")
    for path in ("/a/../b//c", "a/./b", "", "//a", "~x/b"):
        posixpath.normpath(path), posixpath.split(path), posixpath.splitext(path), posixpath.abspath(path)
        posixpath.expanduser(path), posixpath.join("a", path, "b"), posixpath.dirname(path)
    posixpath.relpath("/a/b/c", "/a/d"), posixpath.commonpath(["/a/b", "/a/c"]), posixpath.expandvars("$HOME/${X}")


def _difference() -> None:
    old, new = "one\ntwo\nthree\nfour\n".splitlines(True), "ore\ntree\nthree\nemu\nfour\n".splitlines(True)
    list(difflib.ndiff(old, new)), list(difflib.unified_diff(old, new)), list(difflib.context_diff(old, new))
    difflib.HtmlDiff(wrapcolumn=10).make_table(old, new, context=True)
    difflib.get_close_matches("appel", ["ape", "apple", "peach"])
    matcher = difflib.SequenceMatcher(None, "abxcd", "abcd")
    matcher.ratio(), matcher.quick_ratio(), matcher.real_quick_ratio(), list(matcher.get_grouped_opcodes())
    list(difflib.restore(difflib.ndiff(old, new), 1))


def _numbers() -> None:
    for text in ("3/4", "1.25", "-2e3", "x"):
        try:
            value = fractions.Fraction(text)
        except ValueError:
            continue
        value + 1, value - 0.5, value * value, value**2, value // 1, value % 2, abs(value), round(value, 1)
        value.limit_denominator(3), value < 1, value == 2, hash(value), str(value), repr(value), int(value)
    data = [1, 2, 2, 3, 4, 7, 9]
    statistics.mean(data), statistics.median(data), statistics.mode(data), statistics.stdev(data)
    statistics.quantiles(data), statistics.fmean(data), statistics.geometric_mean(data), statistics.multimode("aab")
    statistics.harmonic_mean(data), statistics.median_grouped(data), statistics.median_low(data)
    statistics.linear_regression(data, data), statistics.correlation(data, data[::-1])
    statistics.NormalDist(1, 2).quantiles(), statistics.NormalDist(1, 2).overlap(statistics.NormalDist(2, 3))
    generator = random.Random(7)
    generator.shuffle(list(data)), generator.sample(data, 3), generator.choices(data, k=2), generator.gauss(0, 1)
    generator.betavariate(1, 2), generator.vonmisesvariate(0, 4), generator.triangular(), generator.expovariate(1)
    generator.gammavariate(0.5, 1), generator.gammavariate(2, 1), generator.randrange(1, 9, 2), generator.choice(data)
    for colour in ((0.1, 0.5, 0.9), (0.9, 0.2, 0.2), (0.3, 0.3, 0.3)):
        colorsys.hsv_to_rgb(*colorsys.rgb_to_hsv(*colour)), colorsys.hls_to_rgb(*colorsys.rgb_to_hls(*colour))
        colorsys.yiq_to_rgb(*colorsys.rgb_to_yiq(*colour))


def _addresses() -> None:
    for text in ("192.168.1.0/24", "10.0.0.1", "::1", "2001:db8::/32", "1.2.3", "::ffff:1.2.3.4", "x:y", "300.1.1.1"):
        for make in (ipaddress.ip_address, ipaddress.ip_network, ipaddress.ip_interface):
            try:
                value = make(text)
            except ValueError:
                continue
            str(value), repr(value), value.is_private, value.is_multicast, hash(value), value.exploded
    network = ipaddress.ip_network("10.0.0.0/28")
    list(network.hosts()), list(network.subnets(2)), network.supernet(), network.overlaps(network)
    list(network.address_exclude(ipaddress.ip_network("10.0.0.4/30")))
    list(ipaddress.summarize_address_range(ipaddress.ip_address("10.0.0.3"), ipaddress.ip_address("10.0.0.19")))
    list(ipaddress.collapse_addresses([network, ipaddress.ip_network("10.0.0.16/28")]))
    parts = urllib.parse.urlsplit("http://u:p@host:80/a/b;c?x=1&y=%20#f")
    parts.port, parts.username, parts.geturl(), urllib.parse.urljoin("http://a/b/c", "../d"), parts.hostname
    urllib.parse.parse_qs("a=1&b=2&a=3&c"), urllib.parse.quote("a b/é"), urllib.parse.unquote("%41%zz")
    urllib.parse.urlencode({"a": [1, 2], "b": "x y"}, doseq=True), urllib.parse.unquote_to_bytes("%41b")
    urllib.parse.urlparse("http://[::1]/p;q"), urllib.parse.urldefrag("a#b"), urllib.parse.quote_plus("a b")
    uuid.UUID("12345678123456781234567812345678").fields, uuid.uuid5(uuid.NAMESPACE_DNS, "x"), uuid.uuid4().hex


def _formats() -> None:
    parser = configparser.ConfigParser(interpolation=configparser.ExtendedInterpolation())
    parser.read_string("[a]\nx = 1\n y\nz : ${x}\n# c\n[b]\nq=${a:x}\n[DEFAULT]\nd=on\n")
    parser.get("b", "q"), parser.getboolean("a", "d"), parser.items("a"), parser.has_option("a", "n")
    parser.write(io.StringIO()), parser.remove_section("a"), parser.get("b", "no", fallback=None)
    for broken in ("x=1", "[a]\nx", "[a]\n[a]", "[a]\nx=1\nx=2"):
        try:
            configparser.RawConfigParser().read_string(broken)
        except configparser.Error:
            pass
    decode = json.decoder.py_scanstring
    decode('a\\n\\u00e9\\ud83d\\ude00b"', 0)
    for text in ('{"a": [1, 2.5, -3e2, true, null], "b": {}}', "[1, ]", '{"a" 1}', "", "NaN", '{"a": 1,}'):
        decoder = json.decoder.JSONDecoder()
        decoder.parse_string, decoder.scan_once = decode, json.scanner.py_make_scanner(decoder)
        decoder.parse_object, decoder.parse_array = json.decoder.JSONObject, json.decoder.JSONArray
        decoder.scan_once = json.scanner.py_make_scanner(decoder)
        try:
            decoder.decode(text)
        except ValueError:
            pass
    list(json.encoder.JSONEncoder(indent=2, sort_keys=True).iterencode({"a": [1, {"b": None}], "c": (), "d": 1.5}))
    json.encoder.py_encode_basestring_ascii("é\n😀"), json.encoder.py_encode_basestring('"x"')
    csv.Sniffer().sniff("a;b;c\n1;2;3\n4;5;6\n"), csv.Sniffer().has_header("n,v\nab,1\ncd,2\n")
    rows = csv.DictReader(io.StringIO("a,b\n1,2\n\n3\n4,5,6\n"))
    writer = csv.DictWriter(io.StringIO(), ["a", "b"], extrasaction="ignore")
    writer.writeheader(), writer.writerows(list(rows))
    base64.b32decode(base64.b32encode(b"hello")), base64.b85decode(base64.b85encode(b"hello!")), base64.b16encode(b"x")
    base64.a85decode(base64.a85encode(b"hel\0\0\0\0lo", wrapcol=4, adobe=True), adobe=True), base64.urlsafe_b64encode(b"x")
    html_parser = html.parser.HTMLParser()
    html_parser.feed("<!DOCTYPE a><p class='x' id=y>a&amp;b&#65;<br/><!-- c --><script>1<2</script><?pi?></p")
    html_parser.close()


def _programs() -> None:
    source = inspect.getsource(graphlib) + "\nx: int = 1 if a else (yield)\nwith a as b: lambda *c, d=1, **e: {**f}\n"
    list(tokenize.generate_tokens(io.StringIO(source).readline))
    tokenize.untokenize(list(tokenize.generate_tokens(io.StringIO("a = (1,\n 2)\n").readline)))
    ast.unparse(ast.parse(source)), ast.literal_eval("{'a': [1, -2, (3+4j)]}"), ast.dump(ast.parse("a = 1"), indent=1)
    ast.get_docstring(ast.parse("'''a\n  b'''")), list(ast.walk(ast.parse("f(a)[1:2]")))
    parser = argparse.ArgumentParser(prog="x", description="d " * 60, exit_on_error=False)
    parser.add_argument("--flag", action="store_true", help="a flag"), parser.add_argument("-n", type=int, default=1)
    parser.add_argument("files", nargs="*"), parser.add_mutually_exclusive_group().add_argument("--one", choices="ab")
    parser.parse_args(["--flag", "-n3", "a", "b", "--one=b"]), parser.format_help(), parser.format_usage()
    for wrong in (["-n", "x"], ["--one", "c"]):
        try:
            parser.parse_args(wrong)
        except argparse.ArgumentError:
            pass
    sorter = graphlib.TopologicalSorter({"d": {"b", "c"}, "b": {"a"}, "c": {"a"}})
    list(sorter.static_order())
    try:
        graphlib.TopologicalSorter({"a": "b", "b": "c", "c": "a"}).prepare()
    except graphlib.CycleError:
        pass
    nested = {"a": [1, 2, {"b": tuple(range(40))}], "c": "x" * 100, "d": {3, 1}, "e": b"y" * 90}
    pprint.pformat(nested, width=30), pprint.pformat(nested, compact=True), pprint.saferepr(nested)
    copy.deepcopy(nested), copy.copy(nested), copy.deepcopy(fractions.Fraction(1, 2))
    calendar.TextCalendar().formatyear(2024), calendar.HTMLCalendar().formatmonth(2024, 2), calendar.timegm((2024, 1, 1, 0, 0, 0))
    list(calendar.Calendar().itermonthdays4(2024, 5)), calendar.monthrange(2023, 2), calendar.weekday(1, 1, 1)


def _graphs() -> None:
    graph = networkx.gnm_random_graph(12, 22, seed=3)
    for a, b in graph.edges:
        graph[a][b]["weight"] = (a * 7 + b) % 5 + 1
    directed = networkx.DiGraph((a, b) for a, b in graph.edges if a < b)
    list(connected.connected_components(graph)), connected.is_connected(graph)
    list(strongly_connected.strongly_connected_components(networkx.DiGraph(graph)))
    list(dag.topological_sort(directed)), dag.dag_longest_path(directed), dag.transitive_reduction(directed)
    list(dag.all_topological_sorts(networkx.DiGraph([(1, 2), (1, 3)]))), dag.is_aperiodic(networkx.DiGraph(graph))
    matching.max_weight_matching(graph), matching.maximal_matching(graph)
    for algorithm in ("kruskal", "prim", "boruvka"):
        list(mst.minimum_spanning_edges(graph, algorithm=algorithm))
    list(simple_paths.all_simple_paths(graph, 0, 5, cutoff=4)), list(traversal.dfs_edges(graph, 0))
    list(simple_paths.shortest_simple_paths(graph, *next(iter(graph.edges)), weight="weight"))
    list(traversal.bfs_edges(graph, 0)), traversal.dfs_successors(graph, 0), list(traversal.bfs_layers(graph, [0]))
    dict(unweighted.all_pairs_shortest_path_length(graph)), unweighted.bidirectional_shortest_path(graph, 0, next(iter(graph[0])))
    weighted.dijkstra_path(graph, 0, next(iter(graph[0]))), weighted.bellman_ford_path(graph, 0, next(iter(graph[0])))
    weighted.bidirectional_dijkstra(graph, 0, next(iter(graph[0]))), weighted.johnson(graph), weighted.goldberg_radzik(graph, 0)
    weighted.negative_edge_cycle(graph), dict(weighted.all_pairs_dijkstra(graph))


WORKLOADS = [_text, _difference, _numbers, _addresses, _formats, _programs, _graphs]


# --------------------------------------------------------------------------------------------- the graph
class FileGraph:
    """The graph of one source file, asked by lines."""

    SILENT = frozenset({"true", "integer", "global_statement", "nonlocal_statement"})
    """Points that leave no line event: constant conditions, declarations."""

    def __init__(self, path: str) -> None:
        graph = extract(Path(path).read_bytes(), "python")
        self.graph: CodePropertyGraph = graph
        nodes = graph.nodes
        self.children: dict[int, list[int]] = {}
        self.parent: dict[int, int] = {}
        self.successors: dict[int, list[int]] = {}
        self.flows: dict[str, set[tuple[int, int]]] = {}
        for source, target, kind, _, variable in graph.edges:
            if kind == "AST":
                self.children.setdefault(source, []).append(target)
                self.parent[target] = source
            elif kind == "CFG":
                self.successors.setdefault(source, []).append(target)
            elif kind == "DDG":
                self.flows.setdefault(variable, set()).add((source, target))
        self.logical = _logical_lines(path)
        self.functions = {}
        for node, kind in enumerate(nodes.type):
            if kind == "function_definition":
                outer = self.parent[node]
                first = outer if nodes.type[outer] == "decorated_definition" else node
                self.functions[nodes.start_line[first], nodes.name[node]] = node
        self.bodies: dict[int, Body] = {}

    def body(self, line: int, name: str) -> Body | None:
        """The body of the function that starts on a line."""
        node = self.functions.get((line, name))
        if node is None:
            return None
        if node not in self.bodies:
            self.bodies[node] = Body(self, node)
        return self.bodies[node]


class Body:
    """One function: which points lie on a line, and which points follow which."""

    COMPOUND = frozenset({"for_statement", "function_definition", "class_definition", "decorated_definition"})

    def __init__(self, file: FileGraph, function: int) -> None:
        self.file = file
        nodes = file.graph.nodes
        entry = next(c for c in file.children[function] if nodes.type[c] == "entry")
        reached = {entry}
        queue = [entry]
        while queue:
            for target in file.successors.get(queue.pop(), ()):
                if target not in reached:
                    reached.add(target)
                    queue.append(target)
        self.parameters = {p for p in reached if nodes.point[p] == "parameter"}
        self.points = {p for p in reached if nodes.point[p] in ("statement", "condition")}
        self.on_line: dict[int, set[int]] = {}
        for point in self.points:
            for line in range(nodes.start_line[point], self._last_line(point) + 1):
                self.on_line.setdefault(file.logical.get(line, line), set()).add(point)
        self.revisited = self._revisited(function)

    def _last_line(self, point: int) -> int:
        """The last line of a point without the block below a compound statement."""
        nodes = self.file.graph.nodes
        if nodes.type[point] not in self.COMPOUND:
            return nodes.end_line[point]
        inner = point
        if nodes.type[point] == "decorated_definition":
            inner = next(c for c in self.file.children[point] if nodes.type[c] in self.COMPOUND)
        heads = [c for c in self.file.children[inner] if nodes.type[c] not in ("block", "else_clause", "entry", "exit")]
        return max([nodes.start_line[inner]] + [nodes.end_line[c] for c in heads])

    def _revisited(self, function: int) -> list[tuple[int, int, int]]:
        """(line, first, last): with and except lines are run again when control leaves lines first..last."""
        nodes = self.file.graph.nodes
        found = []
        stack = [function]
        while stack:
            node = stack.pop()
            stack.extend(self.file.children.get(node, ()))
            if nodes.type[node] in ("with_statement", "except_clause"):
                line = nodes.start_line[node]
                found.append((self.file.logical.get(line, line), line, nodes.end_line[node]))
        return found

    def stops(self, line: int, previous: int | None) -> bool:
        """Whether an event on this logical line is the execution of a point."""
        if line not in self.on_line:
            return False
        if previous is None:
            return True
        return not any(line == again and first <= previous <= last for again, first, last in self.revisited)

    def allows_step(self, line: int, following: int) -> bool:
        """Whether the CFG has a path from a point of one line to a point of the other, through points of
        these two lines and silent ones only."""
        nodes = self.file.graph.nodes
        sources, targets = self.on_line[line], self.on_line[following]
        if sources & targets:
            return True
        seen = set(sources)
        queue = list(sources)
        while queue:
            for target in self.file.successors.get(queue.pop(), ()):
                if target in targets:
                    return True
                silent = nodes.type[target] in FileGraph.SILENT
                if target not in seen and (target in sources or silent):
                    seen.add(target)
                    queue.append(target)
        return False

    def allows_flow(self, variable: str, defined: int, used: int) -> bool:
        """Whether the DDG has an edge for the variable between points of the two lines."""
        users = self.on_line.get(used, set())
        definers = self.on_line.get(defined, set()) if defined else self.parameters
        if definers & users:
            return True
        return any((d, u) in self.file.flows.get(variable, ()) for d in definers for u in users)


def _logical_lines(path: str) -> dict[int, int]:
    """Physical line -> first line of the statement (or compound statement's head) that it belongs to."""
    result = {}
    first = None
    with open(path, "rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type in (tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING):
                continue
            first = token.start[0] if first is None else first
            for line in range(token.start[0], token.end[0] + 1):
                result.setdefault(line, first)
            if token.type == tokenize.NEWLINE:
                first = None
    return result


@functools.lru_cache(maxsize=None)
def _file_graph(path: str) -> FileGraph:
    return FileGraph(path)


@functools.lru_cache(maxsize=None)
def _observe(workload) -> dict:
    def stops(code):
        body = _file_graph(code.co_filename).body(code.co_firstlineno, code.co_name)
        return body.stops if body is not None else lambda line, previous: False

    def logical(code, line):
        return _file_graph(code.co_filename).logical.get(line, line)

    return record({m.__file__ for m in MODULES}, workload, functools.lru_cache(maxsize=None)(stops), logical)


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda w: w.__name__.strip("_"))
def test_what_functions_do_is_in_their_graph(workload) -> None:
    wrong = []
    for code, observed in _observe(workload).items():
        body = _file_graph(code.co_filename).body(code.co_firstlineno, code.co_name)
        assert body is not None, f"{code.co_name} of {code.co_filename} has no body in the graph"
        where = f"{Path(code.co_filename).name}:{code.co_name}"
        wrong += [f"{where} step {a} -> {b}" for a, b in sorted(observed.steps) if not body.allows_step(a, b)]
        wrong += [f"{where} flow {flow}" for flow in sorted(observed.flows) if not body.allows_flow(*flow)]
    assert not wrong, "\n".join(wrong)


def test_enough_was_observed() -> None:
    observed = [o for workload in WORKLOADS for o in _observe(workload).values()]
    functions = {code for workload in WORKLOADS for code in _observe(workload)}
    assert len(functions) >= 200, len(functions)
    assert sum(len(o.steps) for o in observed) >= 2_000
    assert sum(len(o.flows) for o in observed) >= 2_000
