"""CodeBLEU (Ren et al., 2020, arXiv 2009.10297) from the parts of the `codebleu` library.

    CodeBLEU = (n-gram + keyword-weighted n-gram + syntax + share * data flow) / (3 + share)

The parts are the library's: corpus BLEU-4, BLEU-4 on recall with keywords counted five times as much, the share of the
reference's syntax subtrees that the prediction has, and the share of the reference's data-flow edges that it has.
Where this deviates from the library's total, and why:

* Many one-line references have no data flow. The library counts such a corpus, and also one whose data flow is wholly
  missed, as 1 on that part. Here the part weighs in proportion to the `share` of references that have any, so a reference
  without data flow is judged by the other three parts alone.
* The library lets the order of a set decide between equal data-flow edges, which varies with Python's hash seed; here
  names are in the order in which they first stand in the code.
* Tokens are `tasks.code_tokens`, not blank-separated words: Python has few blanks.

What the references score against themselves is given as `ceiling`. It is below 100 only where references have under four
tokens, to which the library gives zero-count n-grams, or under five that are no keywords.

Cost: about a millisecond per example.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .code_tokens import code_tokens

LIBRARY_LANGUAGES = {"python": "python", "java": "java", "csharp": "c_sharp", "javascript": "javascript", "c": "c",
                     "cpp": "cpp", "go": "go"}
"""Our language names and the library's."""

PARTS = ("ngram", "weighted_ngram", "syntax", "data_flow")


@dataclass(frozen=True)
class CodeBleu:
    """Result over one or more examples, in 0..100.

    Attributes:
        value: CodeBLEU as defined above.
        parts: each of `PARTS`; data flow is 0 where no reference has any.
        data_flow_share: part of the references, 0..1, that have data flow.
        library_total: the total as the library defines it, for comparison.
    """

    value: float
    parts: dict[str, float]
    data_flow_share: float
    library_total: float


class CodeBleuScorer:
    """CodeBLEU for one language; holds its parser and keywords."""

    def __init__(self, language: str):
        import codebleu.dataflow_match as dataflow_match
        from codebleu.codebleu import PACKAGE_DIR
        from tree_sitter import Language, Parser

        self.name = LIBRARY_LANGUAGES[language]
        self.grammars = str(PACKAGE_DIR / "my-languages.so")
        keywords = (PACKAGE_DIR / "keywords" / f"{self.name}.txt").read_text(encoding="utf-8")
        self.keywords = {line.strip() for line in keywords.splitlines()}
        with warnings.catch_warnings():  # the library builds its languages by a call that tree-sitter has deprecated
            warnings.simplefilter("ignore", FutureWarning)
            grammar = Language(self.grammars, self.name)
        parser = Parser()
        parser.set_language(grammar)
        self.parser = [parser, dataflow_match.dfg_function[self.name]]

    def score(self, predictions: Sequence[str], references: Sequence[str]) -> tuple[CodeBleu, list[float]]:
        """Over all examples, and the value of each; the arguments are in this order everywhere in this package."""
        pairs = [(prediction.strip(), reference.strip()) for prediction, reference in zip(predictions, references)]
        flows = [self._data_flow_counts(prediction, reference) for prediction, reference in pairs]
        single = [self._total([pair], [flow]).value for pair, flow in zip(pairs, flows)]
        return self._total(pairs, flows), single

    def has_data_flow(self, code: str) -> bool:
        """Whether the library finds a data-flow edge in it."""
        return bool(self._data_flow(code.strip()))

    def _total(self, pairs: list[tuple[str, str]], flows: list[tuple[int, int]]) -> CodeBleu:
        matched, total = sum(flow[0] for flow in flows), sum(flow[1] for flow in flows)
        share = sum(flow[1] > 0 for flow in flows) / len(flows)
        plain, weighted = self._ngrams(pairs)
        parts = [plain, weighted, self._syntax(pairs), matched / total if total else 0.0]
        value = (sum(parts[:3]) + share * parts[3]) / (3 + share)
        library_total = (sum(parts[:3]) + (parts[3] or 1.0)) / 4
        return CodeBleu(100 * value, {name: 100 * part for name, part in zip(PARTS, parts)}, share, 100 * library_total)

    def _ngrams(self, pairs: list[tuple[str, str]]) -> tuple[float, float]:
        from codebleu import bleu, weighted_ngram_match

        hypotheses = [code_tokens(prediction) for prediction, _ in pairs]
        references = [code_tokens(reference) for _, reference in pairs]
        weights = [{token: 1 if token in self.keywords else 0.2 for token in tokens} for tokens in references]
        # One example is measured up to the order that its reference has, so that a short one can reach the maximum.
        order = max(1, min(4, len(references[0]))) if len(pairs) == 1 else 4
        orders = (1 / order,) * order
        weighted = [[[tokens, weight]] for tokens, weight in zip(references, weights)]
        return (float(bleu.corpus_bleu([[tokens] for tokens in references], hypotheses, weights=orders)),
                float(weighted_ngram_match.corpus_bleu(weighted, hypotheses, weights=orders)))

    def _syntax(self, pairs: list[tuple[str, str]]) -> float:
        from codebleu import syntax_match

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            return syntax_match.corpus_syntax_match([[reference] for _, reference in pairs],
                                                    [prediction for prediction, _ in pairs], self.name, self.grammars)

    def _data_flow_counts(self, prediction: str, reference: str) -> tuple[int, int]:
        """(edges of the reference that the prediction has, edges of the reference)."""
        found, expected = self._data_flow(prediction), self._data_flow(reference)
        matched = 0
        for edge in expected:
            if edge in found:
                found.remove(edge)
                matched += 1
        return matched, len(expected)

    def _data_flow(self, code: str) -> list[Any]:
        from codebleu import dataflow_match
        from codebleu.parser import remove_comments_and_docstrings

        try:
            code = remove_comments_and_docstrings(code, self.name)
        except Exception:  # the library's tokenizer gives up on unfinished code in many ways; the code then stays as it is
            pass
        edges = dataflow_match.get_data_flow(code, self.parser)
        ordered = [(name, position, kind, sorted(parents, key=lambda parent: (code.find(parent), parent)), sorted(positions))
                   for name, position, kind, parents, positions in edges]
        return dataflow_match.normalize_dataflow(ordered)


def data_flow_report(result: CodeBleu, ceiling: CodeBleu) -> dict[str, float]:
    """The numbers that belong beside the value: its parts, its ceiling, and how many references have no data flow."""
    return {**result.parts, "without_data_flow_percent": 100 * (1 - result.data_flow_share),
            "library_total": result.library_total, "ceiling": ceiling.value}
