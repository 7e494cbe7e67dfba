"""Small Java trees, written out here, to rows. Expected rows are by hand."""
from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tasks.mine.documentation import javadoc_text
from tasks.mine.java_miner import JavaMiner
from tasks.mine.language_miner import Mined, SourceFile, TreeIndex, Unparsable, read_text

LIBRARY = {
    "src/main/java/box/Parser.java": '''
package box;

import java.util.List;
import java.util.*;

/** Cuts a text into its parts. */
public class Parser extends Reader implements Tool<String> {
    private final String text;
    static int LIMIT = 3, other;

    public Parser(String text) {
        this.text = text;
    }

    /**
     * Gives the {@code parts} of the text &amp; <b>more</b>, see {@link Tool#use(int) the tool}. Never null.
     *
     * @return the parts
     */
    public List<String> parse() {
        // every one
        return Words.split(text, LIMIT);  // at blanks
    }

    public String getText() {
        return text;
    }

    public int measure(int limit) { return limit * 2; }

    public int measure(String word) { return word.length() + limit(); }

    public static Parser of(String... texts) {
        return new Parser(String.join(" ", texts));
    }

    @Override
    public boolean use(int times) {
        return times > /* one */ 1;
    }

    public int getLongest() { return parse().stream().mapToInt(String::length).max(); }

    public void skip(int parts) {
        position += parts;
        check();
    }
}
''',
    "src/main/java/box/Words.java": '''
package box;

class Words {
    static List<String> split(String text, int limit) { return null; }
    static int count(String text) { return split(text, 9).size(); }
    static int total(String text) { return split(text, 8).size(); }
    static boolean exact(long size, int wanted) { return size == wanted && limit > 0; }
    static boolean exact(double size, int wanted) { return size == wanted && limit > 1; }
}
''',
    "src/main/java/box/Tool.java": "package box;\ninterface Tool<T> { boolean use(int times); }\n",
    "src/main/java/box/Reader.java": '''
package box;

abstract class Reader {
    /** {@inheritDoc} */
    protected int limit() { return compute(1); }
    /** Says what is left. */
    abstract int left();
    /** Too short. */
    int compute(int x) { return x + 1; }
}
''',
}

PARSE = '''public List<String> parse() {
    return Words.split(text, LIMIT);
}'''
MEASURE_TEXT = "public int measure(String word) { return word.length() + limit(); }"
MEASURE_NUMBER = "public int measure(int limit) { return limit * 2; }"
USE = '''@Override
public boolean use(int times) {
    return times > 1;
}'''
CONTEXT = {
    "class": "public class Parser extends Reader implements Tool<String>\n"
             "    private final String text;\n"
             "    static int LIMIT = 3, other;\n"
             "    public Parser(String text)\n"
             "    public List<String> parse()\n"
             "    public String getText()\n"
             "    public int measure(int limit)\n"
             "    public int measure(String word)\n"
             "    public static Parser of(String... texts)\n"
             "    public boolean use(int times)\n"
             "    public int getLongest()\n"
             "    public void skip(int parts)",
    "callees": ["static List<String> split(String text, int limit)"],
    "imports": ["import java.util.List;", "import java.util.*;"],
}
TEST = "src/test/java/box/ParserTest.java"


class Tree:
    """Files of a tree, and what the miner makes of them."""

    def __init__(self, folder: Path, files: dict[str, str]):
        self.miner = JavaMiner()
        self.files = {}
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text.lstrip("\n"), encoding="utf-8")
            self.files[name] = SourceFile(f"lib/{name}", "lib", read_text(folder / name))
        self.index = TreeIndex("java", {"lib": str(folder)}, [one for file in self.files.values()
                                                              for one in self.miner.declarations(file)])

    def assertions(self, name: str = TEST) -> Mined:
        return self.miner.assertions(self.files[name], self.index)

    def summaries(self, name: str) -> Mined:
        return self.miner.summaries(self.files[name], self.index)


def test_class(body: str, imports: str = "import static org.junit.Assert.*;\nimport org.junit.Test;", head: str = "") -> str:
    return f"package box;\n\n{imports}\n\npublic class ParserTest {head}{{\n{body}\n}}\n"


test_class.__test__ = False


def mined(folder: Path, body: str, **more: str) -> Mined:
    return Tree(folder, {**LIBRARY, TEST: test_class(body, **more)}).assertions()


def focal(folder: Path, *statements: str, name: str = "works", fields: str = "", **more: str) -> list[tuple[str, str, str]]:
    """(name of the focal method, rule, confidence) of the assertions of one test."""
    body = "\n        ".join(statements)
    rows = mined(folder, f"    {fields}\n    @Test\n    public void {name}() {{\n        {body}\n    }}", **more).rows
    return [(row["metadata"]["focal"].removeprefix("box."), row["metadata"]["focal_by"], row["metadata"]["confidence"])
            for row in rows]


def test_a_test_becomes_rows(tmp_path: Path) -> None:
    found = mined(tmp_path, '''
    private Parser parser = new Parser("a b");

    /** Of two parts. */
    @Test(timeout = 9)
    public void testParse() throws Exception {
        List<String> parts = parser.parse();  // both
        // how many
        assertEquals("two parts", 2,
            parts.size()); /* no more */

        for (String part : parts) {
            assertNotNull(part);
        }
        String all = parts.toString();
        if (all.isEmpty())
            assertTrue(parts.isEmpty());
        parts.clear();
    }''')
    assert found.found == 3 and not found.drops
    assert found.rows[0] == {
        "source": '''@Test(timeout = 9)
public void testParse() throws Exception {
    List<String> parts = parser.parse();
    "<AssertPlaceHolder>";

    String all = parts.toString();
    parts.clear();
}

''' + PARSE,
        "target": 'assertEquals("two parts", 2, parts.size());',
        "language": "java",
        "context": CONTEXT,
        "metadata": {"file": f"lib/{TEST}", "line": 15, "tree": "lib", "test": "ParserTest.testParse", "kind": "assertEquals",
                     "focal": "box.Parser.parse", "focal_file": "lib/src/main/java/box/Parser.java",
                     "focal_by": "call_of_variable", "focal_named": True, "confidence": "high"},
    }
    assert [row["target"] for row in found.rows[1:]] == ["assertNotNull(part);", "assertTrue(parts.isEmpty());"]
    assert found.rows[2]["source"] == '''@Test(timeout = 9)
public void testParse() throws Exception {
    List<String> parts = parser.parse();
    assertEquals("two parts", 2,
        parts.size());

    for (String part : parts) {
        assertNotNull(part);
    }
    String all = parts.toString();
    if (all.isEmpty())
        "<AssertPlaceHolder>";
    parts.clear();
}

''' + PARSE


@pytest.mark.parametrize(("imports", "assertion"), [
    ("import static org.junit.Assert.*;", "assertEquals(4, new Parser(a).measure(2));"),
    ("import static org.junit.jupiter.api.Assertions.assertEquals;", 'assertEquals(4, new Parser(a).measure(2), "msg");'),
    ("import org.junit.Assert;", 'Assert.assertEquals("msg", 4, new Parser(a).measure(2));'),
    ("import org.junit.jupiter.api.Assertions;", "Assertions.assertThrows(Bad.class, () -> new Parser(a).measure(2));"),
    ("import org.testng.Assert;", "org.testng.Assert.assertEquals(new Parser(a).measure(2), 4);"),
    ("import static org.hamcrest.MatcherAssert.assertThat;", "assertThat(new Parser(a).measure(2), is(4));"),
    ("import org.hamcrest.*;", 'MatcherAssert.assertThat("msg", new Parser(a).measure(2), is(4));'),
    ("import static org.assertj.core.api.Assertions.*;",
     'assertThat(new Parser(a).measure(2)).as("x").isEqualTo(4).isNotNull();'),
    ("import static org.assertj.core.api.Assertions.*;",
     "assertThatThrownBy(() -> new Parser(a).measure(2)).isInstanceOf(Bad.class);"),
    ("import static org.assertj.core.api.Assertions.*;",
     "assertThatExceptionOfType(Bad.class).isThrownBy(() -> new Parser(a).measure(2));"),
    ("", "assert new Parser(a).measure(2) == 4;"),
])
def test_the_assertions_of_every_framework(tmp_path: Path, imports: str, assertion: str) -> None:
    found = mined(tmp_path, f"@Test void works() {{ String a = null; {assertion} }}", imports=imports)
    assert [(row["source"], row["target"]) for row in found.rows] == [
        (f'@Test void works() {{ String a = null; "<AssertPlaceHolder>"; }}\n\n{MEASURE_NUMBER}', assertion)]
    assert found.found == 1 and not found.drops


@pytest.mark.parametrize(("imports", "head", "method", "is_test"), [
    ("import junit.framework.TestCase;", "extends TestCase ", "public void testIt()", True),
    ("", "extends AbstractParserTest<String> ", "public void testIt()", True),
    ("", "", "public void testIt()", False),
    ("", "extends TestCase ", "public void testIt(int x)", False),
    ("", "extends TestCase ", "public int testIt()", False),
    ("", "", "@org.junit.Test public void it()", True),
    ("", "", "@ParameterizedTest @ValueSource(ints = 1) void it(int x)", True),
    ("", "", "@RepeatedTest(2) void it()", True),
    ("", "", "@org.testng.annotations.Test(groups = \"a\") public void it()", True),
    ("", "", "@Ignore public void it()", False),
])
def test_what_is_a_test(tmp_path: Path, imports: str, head: str, method: str, is_test: bool) -> None:
    found = mined(tmp_path, f"{method} {{ int x = 1; assertEquals(x, new Parser(null).measure(2)); }}", imports=imports,
                  head=head)
    assert len(found.rows) == found.found == int(is_test)


def test_public_methods_of_a_testng_class_are_tests(tmp_path: Path) -> None:
    text = test_class('''
    public void one() { int x = 1; assertEquals(x, new Parser(null).measure(2)); }
    void two() { int x = 1; assertEquals(x, new Parser(null).measure(2)); }
    @DataProvider public void three() { int x = 1; assertEquals(x, new Parser(null).measure(2)); }
''').replace("public class", "@Test\npublic class")
    tree = Tree(tmp_path, {**LIBRARY, TEST: text})
    assert [row["metadata"]["test"] for row in tree.assertions().rows] == ["ParserTest.one"]


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


DROPPED = {
    "ambiguous_focal_method": ["String t = null;", "assertTrue(Words.count(t) == Words.total(t));"],
    "no_focal_method": ["Object x = unknown.thing();", "assertNotNull(x);"],
    "helper_assertion": ["Parser p = new Parser(null);", "Own.assertParts(p.parse());"],
    "value_is_used": ["Error e = assertThrows(Error.class, () -> Words.split(null, 1));"],
    "in_nested_function": ["assertAll(() -> assertNotNull(Words.split(null, 1)));"],
    "long_target": [f'assertEquals("{"x" * 250}", Words.count(null));'],
    "multiline_string": ['assertEquals("""\n  x""", Words.count(null));'],
    "unrelated_to_the_test": ["Words.split(null, 1);", "assertTrue(done);"],
    "answer_in_source": ["int x = Words.count(null);", "assertEquals(2, x);", "x++;", "assertEquals(2, x);"],
    "placeholder_in_code": ['String x = "<AssertPlaceHolder>";', 'x = "" + Words.count("\\"<AssertPlaceHolder>\\"");',
                            "assertEquals(x, x);"],
    "long_source": [*(f"int x{number} = Words.count(null);" for number in range(60)), "assertEquals(2, x1);"],
    "asserts_nothing": ["assertThat(Words.count(null));"],
}


@pytest.mark.parametrize("reason", DROPPED)
def test_what_becomes_no_row_is_counted(tmp_path: Path, reason: str) -> None:
    body = "\n".join(DROPPED[reason])
    found = mined(tmp_path, f"@Test public void works() {{\n{body}\n}}")
    assert found.drops == Counter({reason: 1})
    assert found.found == len(found.rows) + 1


def test_at_most_three_rows_a_test(tmp_path: Path) -> None:
    body = " ".join(f"assertEquals({number}, new Parser(a).measure({number}));" for number in range(5))
    found = mined(tmp_path, f"@Test public void works() {{ int a = 1; {body} }}")
    assert (found.found, len(found.rows), found.drops) == (5, 3, Counter({"over_three_per_test": 2}))


def test_own_methods_called_like_assertions_are_none(tmp_path: Path) -> None:
    found = mined(tmp_path, "@Test public void works() { int x = Words.count(null); assertEquals(x, 1); }\n"
                            "void assertEquals(int a, int b) { }")
    assert found.drops == Counter({"helper_assertion": 1})


def test_broken_files_are_counted_and_never_fatal(tmp_path: Path) -> None:
    found = mined(tmp_path, "@Test public void works() { int x = Words.count(null); assertEquals(x, ); }\n"
                            "@Test public void other() { int x = 1; assertEquals(x, new Parser(null).measure(2)); }")
    assert [row["metadata"]["test"] for row in found.rows] == ["ParserTest.other"]
    assert found.drops == Counter({"test_not_parsable": 1})
    with pytest.raises(Unparsable):
        JavaMiner().declarations(SourceFile("lib/a.java", "lib", "]]] ((( 12 %%% \x00"))


def test_a_file_cut_off_anywhere_is_never_fatal(tmp_path: Path) -> None:
    text = test_class("""
    private Parser parser = new Parser("a");
    @Test public void testParse() {
        for (String part : parser.parse()) { assertThat(part).isEqualTo("é").isNotNull(); }
        assertThrows(Error.class, () -> { parser.skip(1); parser.measure("a" + 'b'); });
    }""")
    seen = 0
    for end in range(0, len(text), 7):
        try:
            tree = Tree(tmp_path, {**LIBRARY, TEST: text[:end]})
            seen += tree.assertions().found
        except Unparsable:
            continue
    assert seen


def test_declarations(tmp_path: Path) -> None:
    tree = Tree(tmp_path, {**LIBRARY, TEST: test_class("@Test public void works() { }"),
                           "src/main/java/box/Outer.java": '''
package box;
public enum Outer {
    A { void hidden() { } }, B;
    @Deprecated
    // why
    static final int[] SIZES = {1, 2};
    record Pair<K, V>(K key, V value) { Pair { } }
    <T extends Number> T pick(
        final T[] all,   // of these
        java.util.Map<String, ? extends T>... more) throws Bad, Worse { return null; }
}
'''})
    found = tree.index.in_file("lib/src/main/java/box/Outer.java")
    assert [(one.qualified_name, one.kind, one.owner, one.signature, one.parameters) for one in found] == [
        ("box.Outer", "class", "", "public enum Outer", None),
        ("box.Outer.pick", "method", "box.Outer",
         "<T extends Number> T pick( final T[] all, java.util.Map<String, ? extends T>... more) throws Bad, Worse", None),
        ("box.Outer.Pair", "class", "box.Outer", "record Pair<K, V>(K key, V value)", None),
        ("box.Outer.Pair.Pair", "constructor", "box.Outer.Pair", "Pair", 0),
    ]
    assert found[0].extra["fields"] == ["@Deprecated static final int[] SIZES = {1, 2};"]
    assert found[1].extra["types"] == ["T[]", "java.util.Map<String,?extendsT>"]
    parse, = tree.index.qualified("box.Parser.parse")
    assert tree.index.text_of(parse).startswith("/**\n     * Gives the") and tree.index.text_of(parse).endswith("blanks\n    }")
    assert [one.qualified_name for one in tree.index if one.is_test] == ["box.ParserTest", "box.ParserTest.works"]


def test_summaries(tmp_path: Path) -> None:
    tree = Tree(tmp_path, {**LIBRARY, TEST: test_class("/** Says what is. */ @Test public void works() { }")})
    found = tree.summaries("src/main/java/box/Parser.java")
    assert found.rows == [{
        "source": PARSE, "target": "Gives the parts of the text & more, see the tool.", "language": "java", "context": CONTEXT,
        "metadata": {"file": "lib/src/main/java/box/Parser.java", "line": 20, "tree": "lib", "function": "box.Parser.parse"}}]
    assert (found.found, found.drops) == (1, Counter())
    assert tree.summaries("src/main/java/box/Reader.java").drops == Counter(
        {"inherited_documentation": 1, "no_body": 1, "too_short_or_long": 1})
    assert tree.summaries(TEST).found == 0


@pytest.mark.parametrize(("comment", "text"), [
    ("/** Simple. */", "Simple."),
    ("/**\n * One line\n * and two.\n *\n * @param x y\n */", "One line\nand two."),
    ("/** <p>First <i>part</i>.<p>Second. */", "First part.\n\nSecond."),
    ("/** See {@link Foo#bar(int)}, {@link #own} and {@linkplain Foo the foo}. */", "See Foo.bar(int), .own and the foo."),
    ("/** A {@code x < {@literal y}} &lt;b&gt;. */", "A x < y <b>."),
    ("/** {@inheritDoc} */", ""),
    ("/**\n * @return x\n */", ""),
])
def test_javadoc_as_text(comment: str, text: str) -> None:
    assert javadoc_text(comment) == text.replace(".own", "own")


def test_functions_of_a_file_for_the_history() -> None:
    text = '''package box;
class A {
    /** Documented: é. */
    int one(String s, int[] x) { return new Object() { int inner() { return 1; } }.inner(); }
    A() { }
    abstract void none();
    class B { void two() { } }
}
'''
    found = JavaMiner().functions(text)
    assert [name for name, _, _ in found] == ["box.A.one(String,int[])", "box.A.A()", "box.A.B.two()"]
    data = text.encode()
    assert [data[start:end].decode() for _, start, end in found] == [
        "int one(String s, int[] x) { return new Object() { int inner() { return 1; } }.inner(); }", "A() { }",
        "void two() { }"]


def test_bare_functions() -> None:
    text = '    /** Doc. */\n    int one() {\n        // why\n        return 1; /* so */\n    }'
    assert JavaMiner().bare(text) == "int one() {\n    return 1;\n}"
    with pytest.raises(Unparsable):
        JavaMiner().bare("no ( method")
