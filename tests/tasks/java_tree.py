"""A small Java tree, written out here, and its tests, for the tests of the Java miner."""
from __future__ import annotations

from pathlib import Path

from tasks.mine.java_miner import JavaMiner
from tasks.mine.language_miner import Mined, SourceFile, read_text
from tasks.mine.tree_index import TreeIndex

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


def junit_class(body: str, imports: str = "import static org.junit.Assert.*;\nimport org.junit.Test;", head: str = "") -> str:
    return f"package box;\n\n{imports}\n\npublic class ParserTest {head}{{\n{body}\n}}\n"


def mined(folder: Path, body: str, **more: str) -> Mined:
    return Tree(folder, {**LIBRARY, TEST: junit_class(body, **more)}).assertions()


def focal(folder: Path, *statements: str, name: str = "works", fields: str = "", **more: str) -> list[tuple[str, str, str]]:
    """(name of the focal method, rule, confidence) of the assertions of one test."""
    body = "\n        ".join(statements)
    rows = mined(folder, f"    {fields}\n    @Test\n    public void {name}() {{\n        {body}\n    }}", **more).rows
    return [(row["metadata"]["focal"].removeprefix("box."), row["metadata"]["focal_by"], row["metadata"]["confidence"])
            for row in rows]
