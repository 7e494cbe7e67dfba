"""Functions of the standard library and of networkx at work, for tests that watch them."""

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
import graphlib
import html.parser
import inspect
import io
import ipaddress
import json.decoder
import json.encoder
import json.scanner
import posixpath
import pprint
import random
import shlex
import statistics
import string
import textwrap
import tokenize
import urllib.parse
import uuid

import networkx
from networkx.algorithms import dag, matching, simple_paths, traversal
from networkx.algorithms.components import connected, strongly_connected
from networkx.algorithms.shortest_paths import unweighted, weighted
from networkx.algorithms.tree import mst

MODULES = [
    argparse, ast, base64, calendar, colorsys, configparser, copy, csv, difflib, fnmatch, fractions, graphlib,
    html.parser, ipaddress, json.decoder, json.encoder, json.scanner, pprint, posixpath, random, shlex,
    statistics, string, textwrap, tokenize, urllib.parse, uuid,
    connected, dag, matching, mst, simple_paths, strongly_connected, traversal.breadth_first_search,
    traversal.depth_first_search, unweighted, weighted,
]  # fmt: skip


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
