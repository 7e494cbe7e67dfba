"""Small Java trees to rows. Expected rows are by hand."""
from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tasks.mine.documentation import javadoc_text
from tasks.mine.java_miner import JavaMiner
from tasks.mine.language_miner import SourceFile, Unparsable
from tests.tasks.java_tree import CONTEXT, LIBRARY, MEASURE_NUMBER, PARSE, TEST, Tree, junit_class, mined


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
    text = junit_class('''
    public void one() { int x = 1; assertEquals(x, new Parser(null).measure(2)); }
    void two() { int x = 1; assertEquals(x, new Parser(null).measure(2)); }
    @DataProvider public void three() { int x = 1; assertEquals(x, new Parser(null).measure(2)); }
''').replace("public class", "@Test\npublic class")
    tree = Tree(tmp_path, {**LIBRARY, TEST: text})
    assert [row["metadata"]["test"] for row in tree.assertions().rows] == ["ParserTest.one"]


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
    text = junit_class("""
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
    tree = Tree(tmp_path, {**LIBRARY, TEST: junit_class("@Test public void works() { }"),
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
    tree = Tree(tmp_path, {**LIBRARY, TEST: junit_class("/** Says what is. */ @Test public void works() { }")})
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
