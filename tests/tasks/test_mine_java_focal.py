"""The focal method of an assertion in Java, rule by rule."""
from __future__ import annotations

from pathlib import Path

from tests.tasks.java_tree import MEASURE_NUMBER, MEASURE_TEXT, USE, focal, mined


def test_the_rules_that_find_the_focal_method(tmp_path: Path) -> None:
    assert focal(tmp_path, 'Parser p = new Parser("a");', "assertTrue(p.use(2));") == [
        ("Parser.use", "call_in_assertion", "medium")]
    assert focal(tmp_path, 'Parser p = new Parser("a");', "assertTrue(p.use(2));", name="usesIt") == [
        ("Parser.use", "call_in_assertion", "high")]
    assert focal(tmp_path, 'var p = new Parser("a");', "int size = p.measure(2);", "assertEquals(4, size);") == [
        ("Parser.measure", "call_of_variable", "medium")]
    assert focal(tmp_path, 'Parser p = new Parser("a");', "p.skip(2);", 'assertEquals("a", p.toString());') == [
        ("Parser.skip", "call_on_variable", "low")]
    assert focal(tmp_path, 'Parser p = new Parser("a");', "p.skip(2);", 'assertEquals("a", p.getText());', name="skips") == [
        ("Parser.skip", "call_on_variable", "medium")]
    assert focal(tmp_path, "Object r = result();", "assertTrue(r.contains(9));",
                 fields="Object result() { return Words.split(null, 2); }") == [
        ("Words.split", "call_in_helper", "low")]
    assert focal(tmp_path, "Object x = unknown.thing();", "assertTrue(x.use(2));") == [
        ("Parser.use", "method_by_name", "low")]
    assert focal(tmp_path, "Object x = unknown.thing();", "assertNotNull(x);", name="testMeasuringNot") == []
    assert focal(tmp_path, "Object use = unknown.thing();", "assertNotNull(use);", name="shouldUse") == [
        ("Parser.use", "name_of_test", "low")]


def test_getters_and_constructors_only_where_nothing_else_is(tmp_path: Path) -> None:
    make = 'Parser p = new Parser("a");'
    assert focal(tmp_path, make, 'assertEquals("a", p.getText());') == [("Parser.getText", "call_in_assertion", "low")]
    assert focal(tmp_path, make, 'assertEquals("a", p.getText());', name="testText") == [
        ("Parser.getText", "call_in_assertion", "high")]
    assert focal(tmp_path, make, "p.use(3);", 'assertEquals("a", p.getText());') == [
        ("Parser.use", "call_on_variable", "low")]
    assert focal(tmp_path, make, 'assertEquals("a", p.toString());') == [("Parser.Parser", "call_of_variable", "low")]
    assert focal(tmp_path, 'Parser p = Parser.of("a");', 'assertEquals("a", p.getText());') == [
        ("Parser.of", "call_of_variable", "medium")]


def test_a_getter_that_works_something_out(tmp_path: Path) -> None:
    make = 'Parser p = Parser.of("a");'
    assert focal(tmp_path, make, "int longest = p.getLongest();", "assertEquals(1, longest);") == [
        ("Parser.getLongest", "call_of_variable", "medium")]
    assert focal(tmp_path, make, "String text = p.getText();", 'assertEquals("a", text);') == [
        ("Parser.of", "call_of_variable", "medium")]
    assert focal(tmp_path, make, "String text = p.getText();", "Words.count(null);", 'assertEquals("a", text);') == [
        ("Parser.of", "call_of_variable", "medium")]
    assert focal(tmp_path, 'String text = new Parser("a").getText();', "Words.count(null);", 'assertEquals("a", text);') == [
        ("Words.count", "last_call", "low")]


def test_the_class_under_test_goes_first(tmp_path: Path) -> None:
    assert focal(tmp_path, "String t = null;", "assertTrue(Words.count(t) == new Parser(t).measure(2));") == [
        ("Parser.measure", "call_in_assertion", "medium")]


def test_a_call_since_a_variable_was_made_goes_before_what_made_it(tmp_path: Path) -> None:
    assert focal(tmp_path, "Parser p = Parser.of();", "p.skip(2);", "assertNotNull(p.rest);") == [
        ("Parser.skip", "call_on_variable", "low")]
    assert focal(tmp_path, "Parser p = Parser.of();", "assertTrue(p.use(2));", "assertNotNull(p.rest);")[1:] == [
        ("Parser.of", "call_of_variable", "medium")]


def test_what_an_assertion_runs_is_focal_whatever_it_is(tmp_path: Path) -> None:
    assert focal(tmp_path, "assertThrows(Error.class, () -> { Parser p = Parser.of(); p.skip(1); p.getText(); });") == [
        ("Parser.getText", "call_in_assertion", "medium")]
    assert focal(tmp_path, "Class<?> c = Parser.class;", "assertThrows(c, () -> new Parser(Words.split(null, 1).get(0)));") == [
        ("Parser.Parser", "call_in_assertion", "medium")]


def test_a_call_in_an_earlier_assertion_goes_behind_one_in_this(tmp_path: Path) -> None:
    statements = ['Parser p = new Parser("a");', "assertTrue(p.use(2));", "assertEquals(4, p.measure(2));"]
    assert focal(tmp_path, *statements, name="measuresAndUses")[1] == ("Parser.measure", "call_in_assertion", "high")
    assert focal(tmp_path, *statements, name="testUse")[1] == ("Parser.measure", "call_in_assertion", "medium")


def test_static_helpers_of_the_project_go_behind_the_class_under_test(tmp_path: Path) -> None:
    assert focal(tmp_path, "Parser p = null;", "int size = p.measure(2);", "assertTrue(Words.exact(size, 4));") == [
        ("Parser.measure", "call_of_variable", "medium")]
    assert focal(tmp_path, "int size = 3;", "assertTrue(Words.exact(size, 4));") == [
        ("Words.exact", "call_in_assertion", "medium")]


def test_overloads_are_told_apart_by_arguments(tmp_path: Path) -> None:
    fields = "private Parser parser = new Parser(null); private String word;"
    statements = ["assertEquals(1, parser.measure(word));", "assertEquals(2, parser.measure(7));"]
    rows = mined(tmp_path, f"{fields} @Test public void works() {{ {' '.join(statements)} }}").rows
    assert [row["source"].split("\n\n")[1] for row in rows] == [MEASURE_TEXT, MEASURE_NUMBER]
    statements = ["assertTrue(Words.exact(8L, 8));", "assertTrue(Words.exact(8.0, 8));", "assertTrue(Words.exact(8f, 8));"]
    rows = mined(tmp_path, f"@Test public void works() {{ int exact = 1; {' '.join(statements)} }}").rows
    assert [row["source"].split("exact(")[-1].split()[0] for row in rows] == ["long", "double", "double"]


def test_a_method_without_body_stands_for_the_one_that_has_it(tmp_path: Path) -> None:
    rows = mined(tmp_path, "@Test public void works() { Tool<String> tool = make(); assertTrue(tool.use(3)); }").rows
    assert [row["source"].split("\n\n")[1] for row in rows] == [USE]
