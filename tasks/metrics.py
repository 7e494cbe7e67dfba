"""Scores of predictions against references, by name, each with a signature that says what was computed.

Every value is in 0..100 and higher is better. The reference itself scores the maximum; an empty prediction scores 0, or
on CodeBLEU what an empty program shares with the reference's syntax, which is nothing either. A further metric is one
function in `text_metrics` or `code_metrics` and one line in `METRICS`.

METEOR is not among them: what serves it without a network needs WordNet, which no package carries.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .code_metrics import assertion_kind, codebleu, syntax
from .errors import MetricInputError, UnknownMetricError, unknown_name
from .metric_result import MetricResult, Scores, Texts
from .text_metrics import bleu, bleu_codexglue, chrf, edit_similarity, exact_match, exact_match_raw, rouge_l, sentence_bleu

Metric = Callable[[Texts, Texts, Texts], MetricResult]

METRICS: dict[str, Metric] = {
    "exact_match": exact_match,
    "exact_match_raw": exact_match_raw,
    "bleu": bleu,
    "bleu_codexglue": bleu_codexglue,
    "sentence_bleu": sentence_bleu,
    "rouge_l": rouge_l,
    "chrf": chrf,
    "edit_similarity": edit_similarity,
    "codebleu": codebleu,
    "syntax": syntax,
    "assertion_kind": assertion_kind,
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
