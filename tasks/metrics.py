"""Scores of predictions against references, by name, each with a signature that says what was computed.

Every value is in 0..100 and higher is better. The reference itself scores the maximum; an empty prediction scores 0, or
on CodeBLEU what an empty program shares with the reference's syntax, which is nothing either. A further metric is one
function and one line in `METRICS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

from .code_bleu import LIBRARY_LANGUAGES, CodeBleu, CodeBleuScorer, data_flow_report
from .code_tokens import NAME as TOKENS
from .code_tokens import code_tokens
from .errors import MetricInputError, TaskLanguageError, UnknownMetricError, unknown_name


@dataclass(frozen=True)
class MetricResult:
    """What one metric says.

    Attributes:
        value: over all examples, 0..100. For corpus metrics it is not the mean of `per_example`.
        signature: library, version and settings.
        per_example: one value an example, 0..100.
        details: further numbers that belong beside the value.
    """

    value: float
    signature: str
    per_example: list[float]
    details: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Scores:
    """What several metrics say, each attribute by metric name; the fields are those of `MetricResult`."""

    values: dict[str, float]
    signatures: dict[str, str]
    per_example: dict[str, list[float]]
    details: dict[str, dict[str, float]] = field(default_factory=dict)


Texts = Sequence[str]


def exact_match(predictions: Texts, references: Texts, languages: Texts) -> MetricResult:
    """Share equal after runs of white space became one blank and white space at the ends went."""
    equal = [" ".join(prediction.split()) == " ".join(reference.split())
             for prediction, reference in zip(predictions, references)]
    return _share(equal, "exact_match|whitespace:collapsed|case:mixed")


def exact_match_raw(predictions: Texts, references: Texts, languages: Texts) -> MetricResult:
    """Share equal character by character."""
    equal = [prediction == reference for prediction, reference in zip(predictions, references)]
    return _share(equal, "exact_match|whitespace:kept|case:mixed")


def bleu(predictions: Texts, references: Texts, languages: Texts) -> MetricResult:
    """Corpus BLEU-4 of sacrebleu on code tokens (Papineni et al., 2002; Post, 2018).

    The tokenizers of sacrebleu are made for prose; here both sides are cut by `code_tokens` first and sacrebleu is told to
    leave them alone. Texts of under four tokens are measured up to the order that they have.
    """
    from sacrebleu.metrics import BLEU

    metric = BLEU(tokenize="none", effective_order=True, force=True)
    hypotheses = [" ".join(code_tokens(text)) for text in predictions]
    expected = [" ".join(code_tokens(text)) for text in references]
    value = metric.corpus_score(hypotheses, [expected]).score
    signature = f"sacrebleu|BLEU|pretok:{TOKENS}|{metric.get_signature()}"
    single = [metric.sentence_score(hypothesis, [reference]).score for hypothesis, reference in zip(hypotheses, expected)]
    return MetricResult(_bounded(value), signature, [_bounded(score) for score in single])


def chrf(predictions: Texts, references: Texts, languages: Texts) -> MetricResult:
    """Corpus chrF2 of sacrebleu: character 6-gram F-score, white space not counted (Popovic, 2015)."""
    from sacrebleu.metrics import CHRF

    metric = CHRF()
    value = metric.corpus_score(list(predictions), [list(references)]).score
    signature = f"sacrebleu|chrF|{metric.get_signature()}"
    single = [metric.sentence_score(prediction, [reference]).score
              for prediction, reference in zip(predictions, references)]
    return MetricResult(_bounded(value), signature, [_bounded(score) for score in single])


def codebleu(predictions: Texts, references: Texts, languages: Texts) -> MetricResult:
    """CodeBLEU as `tasks.code_bleu` defines it; several languages are averaged by their numbers of examples."""
    single = [0.0] * len(predictions)
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
            single[place] = _bounded(value)
    reports = [(count, data_flow_report(total, ceiling)) for count, total, ceiling in totals]
    details = {key: _mean([(count, report[key]) for count, report in reports]) for key in reports[0][1]}
    signature = (f"codebleu|lib:{version('codebleu')}|lang:{'+'.join(sorted(set(languages)))}|pretok:{TOKENS}"
                 f"|weights:equal|dataflow:weighted-by-share-of-references-that-have-any")
    return MetricResult(_bounded(_mean([(count, total.value) for count, total, _ in totals])), signature, single, details)


Metric = Callable[[Texts, Texts, Texts], MetricResult]

METRICS: dict[str, Metric] = {
    "exact_match": exact_match,
    "exact_match_raw": exact_match_raw,
    "bleu": bleu,
    "codebleu": codebleu,
    "chrf": chrf,
}


def score(names: Sequence[str], predictions: Texts, references: Texts, languages: str | Texts) -> Scores:
    """Each metric of `names` over the examples.

    Args:
        names: keys of `METRICS`.
        predictions: what was generated; may be empty texts.
        references: what was expected, in the same order.
        languages: one language for all, or one an example; only metrics that parse look at it.

    Raises:
        UnknownMetricError: a name that is in no table.
        MetricInputError: no examples, lists of different lengths, or something else than text among them.
        TaskLanguageError: a language that a metric cannot parse.
    """
    for name in names:
        if name not in METRICS:
            raise UnknownMetricError(unknown_name("metric", name, METRICS))
    spread = [languages] * len(predictions) if isinstance(languages, str) else list(languages)
    _check(predictions, references, spread)
    results = {name: METRICS[name](predictions, references, spread) for name in names}
    return Scores({name: result.value for name, result in results.items()},
                  {name: result.signature for name, result in results.items()},
                  {name: result.per_example for name, result in results.items()},
                  {name: result.details for name, result in results.items() if result.details})


def _check(predictions: Texts, references: Texts, languages: Texts) -> None:
    lengths = {"predictions": len(predictions), "references": len(references), "languages": len(languages)}
    if len(set(lengths.values())) > 1 or not lengths["predictions"]:
        shown = ", ".join(f"{count} {what}" for what, count in lengths.items())
        raise MetricInputError(f"cannot score {shown}; expected the same number of each and at least one: pass one "
                               f"prediction per reference")
    for what, texts in (("prediction", predictions), ("reference", references)):
        for place, text in enumerate(texts):
            if not isinstance(text, str):
                raise MetricInputError(f"{what} {place} is {type(text).__name__}; expected a text: pass '' where nothing "
                                       f"was generated")


def _share(equal: list[bool], signature: str) -> MetricResult:
    return MetricResult(100 * sum(equal) / len(equal), signature, [100.0 * same for same in equal])


def _mean(values: list[tuple[int, float]]) -> float:
    return sum(count * value for count, value in values) / sum(count for count, _ in values)


def _bounded(value: float) -> float:
    """`value` without the rounding that puts a perfect score at 100.00000000000004."""
    return min(100.0, max(0.0, float(value)))
