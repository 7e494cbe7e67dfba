"""Small C# trees, written out here, to rows. Expected rows are by hand."""
from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tasks.mine.csharp_miner import CSharpMiner
from tasks.mine.documentation import xml_text
from tasks.mine.language_miner import Mined, SourceFile, Unparsable, read_text
from tasks.mine.tree_index import TreeIndex

LIBRARY = {
    "src/Parser.cs": '''
using System;
using System.Collections.Generic;

namespace Box.Text
{
    /// <summary>Cuts a text into its parts.</summary>
    public class Parser : Reader, ITool
    {
        private readonly string text;
        private int count, other = 2;

        public Parser(string text) : base(1) { this.text = text; }

        /// <summary>
        /// Gives the <paramref name="parts"/> of the text &amp; more, see <see cref="M:Box.Tool.Use(System.Int32)"/>. Never null.
        /// </summary>
        /// <returns>The parts.</returns>
        [Obsolete("soon")]
        public List<string> Parse(int limit = 3)
        {
            #region work
            count++; // one more
            #endregion
            return Words.Split(text, limit);
        }

        public string Text { get { return text; } }

        public int Left => Words.Count(text) - count;

        public string Auto { get; set; }

        public int Measure(int limit) => limit * 2;

        public int Measure(string word)
        {
            return word.Length;
        }

        public bool Use(int times)
        {
#if DEBUG
            Check();
#endif
            return times > 1;
        }

        public void Skip(int parts) { position += parts; Check(); }

        void ICut.Halve(int times) { position /= times; }
    }
}
''',
    "src/Words.cs": '''
namespace Box.Text;

internal static class Words
{
    internal static List<string> Split(string text, int limit) { return null; }
    internal static int Count(string text) { return Split(text, 9).Count; }
    internal static int Total(string text) { return Split(text, 8).Count; }
    internal class Settings { public Settings() { Limit = 1; } }
    internal static string Shorten(this string value, int length) { return value.Substring(0, length); }
}
''',
    "src/ITool.cs": "namespace Box.Text { public interface ITool { bool Use(int times); } }\n",
    "src/Reader.cs": '''
namespace Box.Text {
    public abstract class Reader {
        /// <inheritdoc/>
        protected int Limit() { return 1; }
        /// <summary>Says what is left.</summary>
        protected abstract int Rest();
#if NET20
        [Obsolete]
#endif
        public int Cut() { return 1; }
    }
}
''',
}

PARSE = '''[Obsolete("soon")]
public List<string> Parse(int limit = 3)
{
    count++;
    return Words.Split(text, limit);
}'''
MEASURE_NUMBER = "public int Measure(int limit) => limit * 2;"
MEASURE_TEXT = '''public int Measure(string word)
{
    return word.Length;
}'''
CONTEXT = {
    "class": "public class Parser : Reader, ITool\n"
             "    private readonly string text;\n"
             "    private int count, other = 2;\n"
             "    public Parser(string text)\n"
             "    public List<string> Parse(int limit = 3)\n"
             "    public string Text\n"
             "    public int Left\n"
             "    public string Auto\n"
             "    public int Measure(int limit)\n"
             "    public int Measure(string word)\n"
             "    public bool Use(int times)\n"
             "    public void Skip(int parts)\n"
             "    void ICut.Halve(int times)",
    "callees": ["internal static List<string> Split(string text, int limit)"],
    "imports": ["using System;", "using System.Collections.Generic;"],
}
TEST = "Box.Tests/ParserTests.cs"


class Tree:
    """Files of a tree, and what the miner makes of them."""

    def __init__(self, folder: Path, files: dict[str, str]):
        self.miner = CSharpMiner()
        self.files = {}
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text.lstrip("\n"), encoding="utf-8")
            self.files[name] = SourceFile(f"lib/{name}", "lib", read_text(folder / name))
        self.index = TreeIndex("csharp", {"lib": str(folder)}, [one for file in self.files.values()
                                                                for one in self.miner.declarations(file)])

    def assertions(self, name: str = TEST) -> Mined:
        return self.miner.assertions(self.files[name], self.index)

    def summaries(self, name: str) -> Mined:
        return self.miner.summaries(self.files[name], self.index)


def mined(folder: Path, body: str, using: str = "using NUnit.Framework;") -> Mined:
    text = f"{using}\nusing Box.Text;\n\nnamespace Box.Tests\n{{\n    public class ParserTests\n    {{\n{body}\n    }}\n}}\n"
    return Tree(folder, {**LIBRARY, TEST: text}).assertions()


def focal(folder: Path, *statements: str, name: str = "Works", fields: str = "") -> list[tuple[str, str, str]]:
    """(name of the focal method, rule, confidence) of the assertions of one test."""
    body = "\n".join(statements)
    rows = mined(folder, f"{fields}\n[Test]\npublic void {name}() {{\n{body}\n}}").rows
    return [(row["metadata"]["focal"].removeprefix("Box.Text."), row["metadata"]["focal_by"], row["metadata"]["confidence"])
            for row in rows]


def test_a_test_becomes_rows(tmp_path: Path) -> None:
    found = mined(tmp_path, '''
        private Parser parser;

        [SetUp]
        public void SetUp() { parser = new Parser("a b"); }

        /// <summary>Of two parts.</summary>
        [Test, Category("fast")]
        public void Parse_Gives_Two_Parts()
        {
            var parts = parser.Parse(); // both
            #region checks
            Assert.AreEqual(2,
                parts.Count, "two parts");
            #endregion
            Assert.Multiple(() =>
            {
                Assert.IsNotNull(parts);
                Assert.That(parts, Has.Count.EqualTo(2));
            });
            foreach (var part in parts)
            {
                StringAssert.Contains("a", part);
            }
            parts.Clear();
        }''')
    assert (found.found, found.drops) == (4, Counter({"over_three_per_test": 1}))
    assert found.rows[0] == {
        "source": '''[Test, Category("fast")]
public void Parse_Gives_Two_Parts()
{
    var parts = parser.Parse();
    "<AssertPlaceHolder>";
    parts.Clear();
}

''' + PARSE,
        "target": 'Assert.AreEqual(2, parts.Count, "two parts");',
        "language": "csharp",
        "context": CONTEXT,
        "metadata": {"file": f"lib/{TEST}", "line": 20, "tree": "lib", "test": "ParserTests.Parse_Gives_Two_Parts",
                     "kind": "AreEqual", "focal": "Box.Text.Parser.Parse", "focal_file": "lib/src/Parser.cs",
                     "focal_by": "call_of_variable", "focal_named": True, "confidence": "high"},
    }
    assert found.rows[2]["source"] == '''[Test, Category("fast")]
public void Parse_Gives_Two_Parts()
{
    var parts = parser.Parse();
    Assert.AreEqual(2,
        parts.Count, "two parts");
    Assert.Multiple(() =>
    {
        Assert.IsNotNull(parts);
        "<AssertPlaceHolder>";
    });
    parts.Clear();
}

''' + PARSE


@pytest.mark.parametrize(("attribute", "assertion"), [
    ("Test", "Assert.AreEqual(4, new Parser(a).Measure(2));"),
    ("TestCase(1)", "Assert.That(new Parser(a).Measure(2), Is.EqualTo(4).Or.Null);"),
    ("TestCaseSource(\"x\")", "NUnit.Framework.Assert.Throws<Bad>(() => new Parser(a).Measure(2));"),
    ("NUnit.Framework.TestAttribute", "CollectionAssert.AreEqual(new[] { 1 }, new Parser(a).Measure(2));"),
    ("Fact", "Assert.Equal(4, new Parser(a).Measure(2));"),
    ("Theory, InlineData(1)", "Assert.True(new Parser(a).Measure(2) == 4);"),
    ("WindowsFact", "await Assert.ThrowsAsync<Bad>(async () => await new Parser(a).Measure(2));"),
    ("TestMethod", "Assert.IsInstanceOfType(new Parser(a).Measure(2), typeof(int));"),
    ("DataTestMethod", "StringAssert.StartsWith(new Parser(a).Measure(2), a);"),
])
def test_the_tests_and_assertions_of_every_framework(tmp_path: Path, attribute: str, assertion: str) -> None:
    found = mined(tmp_path, f"[{attribute}] public async Task Works() {{ string a = null; {assertion} }}")
    assert [(row["source"], row["target"]) for row in found.rows] == [
        (f'[{attribute}] public async Task Works() {{ string a = null; "<AssertPlaceHolder>"; }}\n\n{MEASURE_NUMBER}', assertion)]
    assert found.found == 1 and not found.drops


@pytest.mark.parametrize("attribute", ["", "[SetUp]", "[Ignore]", "[FactData]"])
def test_other_methods_are_no_tests(tmp_path: Path, attribute: str) -> None:
    found = mined(tmp_path, f"{attribute} public void TestIt() {{ string a = null; Assert.Equal(4, new Parser(a).Measure(2)); }}")
    assert found.found == 0


def test_the_rules_that_find_the_focal_method(tmp_path: Path) -> None:
    make = 'Parser p = new Parser("a");'
    assert focal(tmp_path, make, "Assert.IsTrue(p.Use(2));") == [("Parser.Use", "call_in_assertion", "medium")]
    assert focal(tmp_path, make, "Assert.IsTrue(p.Use(2));", name="UsesIt") == [("Parser.Use", "call_in_assertion", "high")]
    assert focal(tmp_path, 'var p = new Parser("a");', "int size = p.Measure(2);", "Assert.AreEqual(4, size);") == [
        ("Parser.Measure", "call_of_variable", "medium")]
    assert focal(tmp_path, make, "p.Skip(2);", 'Assert.AreEqual("a", p.ToString());') == [
        ("Parser.Skip", "call_on_variable", "low")]
    assert focal(tmp_path, make, "Assert.IsTrue(p.Use(2));", 'Assert.AreEqual("a", p.Text);')[1:] == [
        ("Parser.Use", "call_on_variable", "low")]
    assert focal(tmp_path, 'string s = "abc";', 'Assert.AreEqual("ab", s.Shorten(2));') == [
        ("Words.Shorten", "call_in_assertion", "medium")]
    assert focal(tmp_path, "ITool tool = new Parser(null);", "Assert.IsTrue(tool.Use(3));") == [
        ("Parser.Use", "call_in_assertion", "medium")]
    assert focal(tmp_path, "object use = unknown.Thing();", "Assert.IsNotNull(use);", name="ShouldUse") == [
        ("Parser.Use", "name_of_test", "low")]


def test_properties_and_constructors_only_where_nothing_else_is(tmp_path: Path) -> None:
    make = 'Parser p = new Parser("a");'
    assert focal(tmp_path, make, 'Assert.AreEqual("a", p.Text);') == [("Parser.Text", "call_in_assertion", "low")]
    assert focal(tmp_path, make, "Assert.AreEqual(1, p.Left);", name="LeftOver") == [
        ("Parser.Left", "call_in_assertion", "high")]
    assert focal(tmp_path, make, 'Assert.AreEqual("a", p.Auto);') == [("Parser.Parser", "call_of_variable", "low")]
    assert focal(tmp_path, make, "p.Use(3);", 'Assert.AreEqual("a", p.Text);') == [("Parser.Use", "call_on_variable", "low")]


def test_calls_on_what_a_value_was_got_from(tmp_path: Path) -> None:
    assert focal(tmp_path, 'Parser p = new Parser("a");', "p.Skip(2);", "string text = p.Text;", "string other = text;",
                 'Assert.AreEqual("b", other);') == [("Parser.Skip", "call_on_variable", "low")]


def test_constructors_that_a_test_is_named_after_are_of_the_class_under_test(tmp_path: Path) -> None:
    assert focal(tmp_path, 'Parser p = new Parser("a");', 'Assert.AreEqual("a", p.Text);', name="ConstructorTakesText") == [
        ("Parser.Parser", "call_of_variable", "high")]
    assert focal(tmp_path, "var s = new Words.Settings();", "Assert.AreEqual(1, Words.Count(s.ToString()));",
                 name="ConstructorOfAnother") == [
        ("Words.Count", "call_in_assertion", "medium")]


def test_members_of_an_interface_alone(tmp_path: Path) -> None:
    assert focal(tmp_path, 'ICut cut = new Parser("a");', "cut.Halve(2);", 'Assert.AreEqual("a", cut.State);') == [
        ("Parser.ICut.Halve", "call_on_variable", "low")]


def test_what_happens_in_earlier_assertions_counts(tmp_path: Path) -> None:
    statements = ("int seen = 0;", "Parser p = new Parser(null);", "p.Changed += () => { seen = 2; };", "Words.Count(null);",
                  "Assert.IsTrue(p.Use(2));", "Assert.AreEqual(2, seen);")
    assert focal(tmp_path, *statements)[1:] == [("Parser.Use", "last_call", "low")]


def test_overloads_are_told_apart_by_arguments(tmp_path: Path) -> None:
    rows = mined(tmp_path, "private Parser parser; private string word;\n"
                           "[Test] public void Works() { Assert.AreEqual(1, parser.Measure(word)); "
                           "Assert.AreEqual(2, parser.Measure(7)); }").rows
    assert [row["source"].split("\n\n")[1] for row in rows] == [MEASURE_TEXT, MEASURE_NUMBER]


def test_balanced_conditions_of_the_preprocessor_stay(tmp_path: Path) -> None:
    row, = mined(tmp_path, "[Test] public void Works() { Parser p = null; Assert.IsTrue(p.Use(2)); }").rows
    assert row["source"].split("\n\n")[1] == '''public bool Use(int times)
{
#if DEBUG
    Check();
#endif
    return times > 1;
}'''


DROPPED = {
    "ambiguous_focal_method": ["string t = null;", "Assert.IsTrue(Words.Count(t) == Words.Total(t));"],
    "no_focal_method": ["object x = unknown.Thing();", "Assert.IsNotNull(x);"],
    "helper_assertion": ["Parser p = new Parser(null);", "ExceptionAssert.Throws(() => p.Parse());"],
    "value_is_used": ["var e = Assert.Throws<Bad>(() => Words.Split(null, 1));"],
    "in_nested_function": ["Run(() => { Assert.IsNotNull(Words.Split(null, 1)); });"],
    "multiline_string": ['string a = null;', 'Assert.AreEqual(@"\n  x", Words.Count(a));'],
    "unrelated_to_the_test": ["Words.Split(null, 1);", "Assert.IsTrue(done);"],
    "answer_in_source": ["int x = Words.Count(null);", "Assert.AreEqual(2, x);", "x++;", "Assert.AreEqual(2, x);"],
    "conditional_compilation": ["int x = 1;", "Assert.AreEqual(x, new Cutter().Cut());"],
}


@pytest.mark.parametrize("reason", DROPPED)
def test_what_becomes_no_row_is_counted(tmp_path: Path, reason: str) -> None:
    body = "\n".join(DROPPED[reason]).replace("new Cutter()", "((Reader)null)")
    found = mined(tmp_path, f"[Test] public void Works() {{\n{body}\n}}")
    assert found.drops == Counter({reason: 1})
    assert found.found == len(found.rows) + 1


def test_ends_of_tests_are_no_assertions(tmp_path: Path) -> None:
    found = mined(tmp_path, "[Test] public void Works() { Assert.Fail(); Assert.Inconclusive(); Assert.Pass(); }")
    assert found.found == 0


def test_broken_files_are_counted_and_never_fatal(tmp_path: Path) -> None:
    found = mined(tmp_path, "[Test] public void Works() { int x = Words.Count(null); Assert.AreEqual(x, ); }\n"
                            "[Test] public void Other() { int x = 1; Assert.AreEqual(x, new Parser(null).Measure(2)); }")
    assert [row["metadata"]["test"] for row in found.rows] == ["ParserTests.Other"]
    assert found.drops == Counter({"test_not_parsable": 1})
    with pytest.raises(Unparsable):
        CSharpMiner().declarations(SourceFile("lib/a.cs", "lib", "]]] ((( 12 %%% \x00"))


def test_declarations(tmp_path: Path) -> None:
    tree = Tree(tmp_path, {**LIBRARY, "src/Outer.cs": '''
using static Box.Text.Words;
namespace Box { namespace Deep {
    public struct Outer<T> where T : class {
        public const int Size = 1; // one
        [ThreadStatic] static int[] sizes = new int[] { 1, 2 };
        public static Outer<T> operator +(Outer<T> a, Outer<T> b) { return a; }
        public int this[int place] { get { return 1; } }
        public TOther Pick<TOther>(params T[] all) where TOther : T { return null; }
        ~Outer() { }
        enum Kind { One, Two }
        record Pair(int A, string B);
    }
} }
'''})
    found = tree.index.in_file("lib/src/Outer.cs")
    assert [(one.qualified_name, one.kind, one.owner, one.signature, one.parameters) for one in found] == [
        ("Box.Deep.Outer", "class", "", "public struct Outer<T> where T : class", None),
        ("Box.Deep.Outer.operator +", "method", "Box.Deep.Outer",
         "public static Outer<T> operator +(Outer<T> a, Outer<T> b)", 2),
        ("Box.Deep.Outer.this[]", "method", "Box.Deep.Outer", "public int this[int place]", 1),
        ("Box.Deep.Outer.Pick", "method", "Box.Deep.Outer", "public TOther Pick<TOther>(params T[] all) where TOther : T", None),
        ("Box.Deep.Outer.Kind", "class", "Box.Deep.Outer", "enum Kind", None),
        ("Box.Deep.Outer.Pair", "class", "Box.Deep.Outer", "record Pair(int A, string B)", None),
    ]
    assert found[0].extra["fields"] == ["public const int Size = 1;", "[ThreadStatic] static int[] sizes = new int[] { 1, 2 };"]
    assert found[0].extra["imports"] == ["using static Box.Text.Words;"]
    assert [one.qualified_name for one in tree.index.named("Words")] == ["Box.Text.Words"]


def test_summaries(tmp_path: Path) -> None:
    tree = Tree(tmp_path, LIBRARY)
    found = tree.summaries("src/Parser.cs")
    assert found.rows == [{
        "source": PARSE, "target": "Gives the parts of the text & more, see Tool.Use.", "language": "csharp",
        "context": CONTEXT,
        "metadata": {"file": "lib/src/Parser.cs", "line": 18, "tree": "lib", "function": "Box.Text.Parser.Parse"}}]
    assert (found.found, found.drops) == (1, Counter())
    assert tree.summaries("src/Reader.cs").drops == Counter({"inherited_documentation": 1, "no_body": 1})


@pytest.mark.parametrize(("comment", "text"), [
    ("/// <summary>Simple.</summary>", "Simple."),
    ("/// <summary>\n    /// One line\n    /// and two.\n    /// </summary>\n    /// <returns>x</returns>", "One line\nand two."),
    ('/// <summary>Is <c>x</c> of <see cref="T:A.B`1"/> or <see langword="null"/>, <paramref name="p"/>.</summary>',
     "Is x of B or null, p."),
    ('/// <summary>See <see cref="Foo">the foo</see>.<para>More.</para></summary>', "See the foo.\n\nMore."),
    ("/**\n * <summary>\n * In a block.\n * </summary>\n */", "In a block."),
    ('/// <summary>A <see cref="Nullable{Int32}"/>.</summary>', "A Nullable<Int32>."),
    ("/// <inheritdoc/>", ""),
])
def test_xml_comments_as_text(comment: str, text: str) -> None:
    assert xml_text(comment) == text


def test_functions_of_a_file_for_the_history() -> None:
    text = '''namespace Box {
    class A {
        /// <summary>Documented: é.</summary>
        [Obsolete] int One(string s, ref int x) => s.Length;
        A() { }
        int Size { get { return 1; } }
        abstract void None();
    }
}
'''
    found = CSharpMiner().functions(text)
    assert [name for name, _, _ in found] == ["Box.A.One(string,int)", "Box.A.A()"]
    data = text.encode()
    assert [data[start:end].decode() for _, start, end in found] == [
        "[Obsolete] int One(string s, ref int x) => s.Length;", "A() { }"]


def test_bare_functions() -> None:
    text = "    /// <summary>Doc.</summary>\n    int One()\n    {\n        // why\n        return 1; /* so */\n    }"
    assert CSharpMiner().bare(text) == "int One()\n{\n    return 1;\n}"
