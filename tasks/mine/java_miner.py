"""The miner of Java."""

from __future__ import annotations

from .class_miner import ClassMiner
from .documentation import javadoc_text
from .java_syntax import JavaSyntax
from .java_tests import JavaTests


class JavaMiner(ClassMiner):
    """See `tasks.mine.language_miner.LanguageMiner`."""

    language = "java"
    suffixes = (".java",)
    looked_for = ("methods with an annotation like @Test or @ParameterizedTest (JUnit 4 and 5, TestNG), public methods of "
                  "classes with @Test (TestNG), and void methods called test* of classes made from a *Test* class (JUnit 3)")

    def __init__(self) -> None:
        super().__init__()
        self.syntax = JavaSyntax()
        self.rules = JavaTests(self.syntax)

    def documentation_text(self, comment: str) -> str:
        return javadoc_text(comment)
