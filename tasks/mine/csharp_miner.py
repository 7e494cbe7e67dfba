"""The miner of C#."""

from __future__ import annotations

from .class_miner import ClassMiner
from .csharp_syntax import CSharpSyntax
from .csharp_tests import CSharpTests
from .documentation import xml_text


class CSharpMiner(ClassMiner):
    """See `tasks.mine.language_miner.LanguageMiner`."""

    language = "csharp"
    suffixes = (".cs",)
    looked_for = ("methods with the attribute [Test], [TestCase] or [TestCaseSource] (NUnit), [Fact] or [Theory] (xUnit.net), "
                  "[TestMethod] or [DataTestMethod] (MSTest), or one that ends with Fact, Theory or TestMethod")

    def __init__(self) -> None:
        super().__init__()
        self.syntax = CSharpSyntax()
        self.rules = CSharpTests(self.syntax)

    def documentation_text(self, comment: str) -> str:
        return xml_text(comment)
