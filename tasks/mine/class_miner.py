"""The miner of languages whose functions are methods of classes. Java and C# give it their tables and nothing else."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from ..embedded_summaries import first_sentence, sentence_problem
from ..mining import MAX_SOURCE_CHARACTERS
from .class_names import Names
from .class_tests import TestRules
from .documentation import is_inherited
from .language_miner import Declaration, Mined, SourceFile, Unparsable
from .member_text import CannotCut, cut
from .method_texts import MethodTexts
from .outline import declarations
from .syntax import Syntax
from .tests_of_file import TestFile
from .tree_index import TreeIndex


class ClassMiner(ABC):
    """See `tasks.mine.language_miner.LanguageMiner`; the subclasses say which language."""

    language: str
    suffixes: tuple[str, ...]
    looked_for: str
    syntax: Syntax
    rules: TestRules

    def __init__(self) -> None:
        self._texts: MethodTexts | None = None

    @abstractmethod
    def documentation_text(self, comment: str) -> str:
        """The description of a documentation comment as plain text."""

    def declarations(self, file: SourceFile) -> list[Declaration]:
        """What the file declares, in its order."""
        return declarations(self.syntax, self.rules.is_test, file)

    def functions(self, text: str) -> list[tuple[str, int, int]]:
        """Methods and constructors with a body, with the types of their parameters in their names."""
        found = []
        data = text.encode("utf-8")
        for one in self.declarations(SourceFile("tree/file", "tree", text)):
            if one.kind != "class" and one.extra["body"] and not one.extra["property"]:
                start = one.extra["documentation"][1] if one.extra["documentation"] else one.start
                start += len(data[start:one.end]) - len(data[start:one.end].lstrip())
                found.append((f"{one.qualified_name}({','.join(one.extra['types'])})", start, one.end))
        return found

    def bare(self, function: str) -> str:
        """A method without comments and documentation, indented from column 0.

        Raises:
            Unparsable: the text is none, or a preprocessor chooses what of it is compiled.
        """
        tree, node = self.syntax.member(function)
        if node < 0 or tree.broken:
            raise Unparsable("not_parsable")
        try:
            return cut(self.syntax, tree, node)
        except CannotCut as reason:
            raise Unparsable(str(reason)) from reason

    def assertions(self, file: SourceFile, index: TreeIndex) -> Mined:
        """Rows of the task `assert` from the tests of the file."""
        mined = Mined()
        if any(one.is_test for one in index.in_file(file.path)):
            TestFile(self._texts_of(index), self.rules, self.syntax.file(file.text), file).mine(mined)
        return mined.check(file.path)

    def summaries(self, file: SourceFile, index: TreeIndex) -> Mined:
        """Rows of the task `summarize` from the documented methods of the file, unless it is one of tests."""
        mined = Mined()
        texts = self._texts_of(index)
        data = file.text.encode("utf-8")
        for one in index.in_file(file.path):
            if one.kind == "class" or one.extra["in_tests"] or one.extra["property"] or not one.extra["documentation"]:
                continue
            mined.found += 1
            try:
                mined.rows.append(self._summary(one, data, texts, file))
            except CannotCut as reason:
                mined.drops[str(reason)] += 1
        return mined.check(file.path)

    def _summary(self, declared: Declaration, data: bytes, texts: MethodTexts, file: SourceFile) -> dict[str, Any]:
        first, last = declared.extra["documentation"]
        comment = data[first:last].decode("utf-8")
        description = self.documentation_text(comment)
        if not description:
            raise CannotCut("inherited_documentation" if is_inherited(comment) else "no_description")
        sentence = first_sentence(description)
        problem = sentence_problem(sentence) or ("" if declared.extra["body"] else "no_body")
        if problem:
            raise CannotCut(problem)
        focal = texts.of(declared)
        if focal.problem or len(focal.text) > MAX_SOURCE_CHARACTERS:
            raise CannotCut(focal.problem or "long_source")
        code = last + len(data[last:declared.end]) - len(data[last:declared.end].lstrip())
        return {"source": focal.text, "target": sentence, "language": self.language, "context": texts.context(declared),
                "metadata": {"file": file.path, "line": 1 + data.count(b"\n", 0, code), "tree": file.tree,
                             "function": declared.qualified_name}}

    def _texts_of(self, index: TreeIndex) -> MethodTexts:
        if self._texts is None or self._texts.names.index is not index:
            self._texts = MethodTexts(Names(index, self.syntax.generics_are_told), self.syntax)
        return self._texts
