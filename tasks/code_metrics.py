"""Metrics that know the language of an answer: CodeBLEU, whether it parses, the kind of an assertion."""

from __future__ import annotations

import re
from importlib.metadata import version

from .code_bleu import LIBRARY_LANGUAGES, CodeBleu, CodeBleuScorer, data_flow_report
from .code_tokens import NAME as TOKENS
from .code_tokens import code_tokens
from .errors import TaskLanguageError, unknown_name
from .metric_result import MetricResult, Texts, bounded, share


def codebleu(predictions: Texts, references: Texts, languages: Texts) -> MetricResult:
    """CodeBLEU as `tasks.code_bleu` defines it; several languages are averaged by their numbers of examples.

    Details: its four parts, the share of references without data flow, the value over those with and over those without
    (where there are both), the library's own total, and what the references score against themselves.
    """
    single = [0.0] * len(predictions)
    flowing: dict[str, list[tuple[int, float]]] = {"with_data_flow": [], "without_data_flow": []}
    totals: list[tuple[int, CodeBleu, CodeBleu]] = []
    for language in sorted(set(languages)):
        if language not in LIBRARY_LANGUAGES:
            raise TaskLanguageError(unknown_name("language of metric 'codebleu'", language, LIBRARY_LANGUAGES))
        places = [place for place, other in enumerate(languages) if other == language]
        gold = [references[place] for place in places]
        scorer = CodeBleuScorer(language)
        total, values = scorer.score([predictions[place] for place in places], gold)
        totals.append((len(places), total, scorer.score(gold, gold)[0]))
        for place, value in zip(places, values):
            single[place] = bounded(value)
        has_flow = [scorer.has_data_flow(reference) for reference in gold]
        for name, wanted in (("with_data_flow", True), ("without_data_flow", False)):
            chosen = [place for place, has in zip(places, has_flow) if has is wanted]
            if chosen:
                part, _ = scorer.score([predictions[place] for place in chosen], [references[place] for place in chosen])
                flowing[name].append((len(chosen), part.value))
    reports = [(count, data_flow_report(total, ceiling)) for count, total, ceiling in totals]
    details = {key: _mean([(count, report[key]) for count, report in reports]) for key in reports[0][1]}
    details |= {name: _mean(parts) for name, parts in flowing.items() if parts}
    signature = (f"codebleu|lib:{version('codebleu')}|lang:{'+'.join(sorted(set(languages)))}|pretok:{TOKENS}"
                 f"|weights:equal|dataflow:weighted-by-share-of-references-that-have-any")
    return MetricResult(bounded(_mean([(count, total.value) for count, total, _ in totals])), signature, single, details)


def _mean(values: list[tuple[int, float]]) -> float:
    return sum(count * value for count, value in values) / sum(count for count, _ in values)


def syntax(predictions: Texts, references: Texts, languages: Texts) -> MetricResult:
    """Share of predictions that are not empty and parse without an error, as a file or as a snippet (`cpg`)."""
    from cpg import LANGUAGES, extract

    for language in set(languages) - LANGUAGES.keys():
        raise TaskLanguageError(unknown_name("language of metric 'syntax'", language, LANGUAGES))
    valid = [bool(prediction.strip()) and not extract(prediction, language).diagnostics
             for prediction, language in zip(predictions, languages)]
    return share(valid, f"syntax|tree-sitter-languages:{version('tree-sitter-languages')}|snippets:yes")


_PYTHON_KIND = re.compile(r"(?:\w+\s*\.\s*)*(\w+)")


def assertion_kind(predictions: Texts, references: Texts, languages: Texts) -> MetricResult:
    """Share of predictions that assert in the reference's way: `assert`, `assertEquals`, `assert_allclose`, ...

    The kind is the last name in front of the first bracket, without what it is called on; for Python's statement it is
    `assert` with the operator that compares, where there is one.
    """
    equal = [_kind(prediction, language) == _kind(reference, language) != ""
             for prediction, reference, language in zip(predictions, references, languages)]
    return share(equal, "assertion_kind|name-before-bracket|python-assert-with-operator")


_OPERATORS = ("not in", "is not", "==", "!=", "<=", ">=", "<", ">", "in", "is")


def _kind(text: str, language: str) -> str:
    tokens = code_tokens(text)
    if language == "python" and tokens[:1] == ["assert"]:
        return "assert " + _operator(tokens[1:])
    match = _PYTHON_KIND.match(text.strip())
    return match.group(1) if match else ""


def _operator(tokens: list[str]) -> str:
    """The first comparison outside brackets; empty where there is none."""
    depth = 0
    words = []
    for token in tokens:
        depth += (token in "([{") - (token in ")]}")
        words.append(token if depth == 0 else "_")
    text = " ".join(words).replace("= =", "==").replace("! =", "!=").replace("< =", "<=").replace("> =", ">=")
    found = [(f" {text} ".index(f" {operator} "), -len(operator), operator) for operator in _OPERATORS
             if f" {operator} " in f" {text} "]
    return min(found)[2] if found else ""
