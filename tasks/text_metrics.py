"""Metrics that compare texts and know no syntax: exact match, BLEU in three variants, chrF, ROUGE-L, edit similarity."""

from __future__ import annotations

import math
import re
from collections import Counter
from importlib.metadata import version

from .code_tokens import NAME as TOKENS
from .code_tokens import code_tokens, shape
from .metric_result import MetricResult, Texts, bounded, share

_PROSE_TOKEN = re.compile(r"\w+|[^\w\s]")
_EVALUATOR_TOKEN = re.compile(r"[^\W_]+|_|[^\w\s]")


def exact_match(predictions: Texts, references: Texts, languages: Texts) -> MetricResult:
    """Share equal after runs of white space became one blank and white space at the ends went.

    Details: how many are equal, how many different shapes (`code_tokens.shape`) they have, how many have the most common one,
    and how many references have that one. Where most are of one shape, a model has learned a template.
    """
    equal = [" ".join(prediction.split()) == " ".join(reference.split())
             for prediction, reference in zip(predictions, references)]
    expected = [shape(reference) for reference in references]
    shapes = Counter(form for form, same in zip(expected, equal) if same)
    common, alike = shapes.most_common(1)[0] if shapes else (None, 0)
    details = {"equal": sum(equal), "shapes": len(shapes), "of_most_common_shape": alike,
               "references_of_that_shape": expected.count(common)}
    return share(equal, "exact_match|whitespace:collapsed|case:mixed", details)


def exact_match_raw(predictions: Texts, references: Texts, languages: Texts) -> MetricResult:
    """Share equal character by character."""
    equal = [prediction == reference for prediction, reference in zip(predictions, references)]
    return share(equal, "exact_match|whitespace:kept|case:mixed")


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
    return MetricResult(bounded(value), signature, [bounded(score) for score in single])


def bleu_codexglue(predictions: Texts, references: Texts, languages: Texts) -> MetricResult:
    """Corpus BLEU-4 as CodeXGLUE's evaluators of translation, refinement and text-to-code report it, for comparison with theirs.

    Tokens are what white space separates. One is added to the matches and to the n-grams of every order, over the corpus, so
    that short single answers score high; the brevity penalty is exp(min(0, 1 - r / c)). Code without blanks is one token:
    compare only texts that are written as those of the benchmark are.
    """
    counts = [_ngram_counts(prediction.split(), reference.split()) for prediction, reference in zip(predictions, references)]
    total = [tuple(map(sum, zip(*orders))) for orders in zip(*counts)]
    return MetricResult(100 * _add_one_bleu(total), "bleu|codexglue|order:4|smooth:add-one|case:mixed|tok:white-space",
                        [100 * _add_one_bleu(orders) for orders in counts])


def _ngram_counts(prediction: list[str], reference: list[str]) -> list[tuple[int, int, int]]:
    """For n = 1 to 4: common n-grams, n-grams of the prediction, n-grams of the reference."""
    counts = []
    for order in range(1, 5):
        found, expected = (Counter(tuple(tokens[start:start + order]) for start in range(len(tokens) - order + 1))
                           for tokens in (prediction, reference))
        counts.append((sum((found & expected).values()), sum(found.values()), sum(expected.values())))
    return counts


def _add_one_bleu(counts: list[tuple[int, ...]]) -> float:
    (_, ours, theirs), *_ = counts
    if not ours:
        return 0.0
    logarithms = sum(math.log((matches + 1) / (found + 1)) for matches, found, _ in counts) / 4
    return math.exp(logarithms + min(0.0, 1 - theirs / ours))


def chrf(predictions: Texts, references: Texts, languages: Texts) -> MetricResult:
    """Corpus chrF2 of sacrebleu: character 6-gram F-score, white space not counted (Popovic, 2015)."""
    from sacrebleu.metrics import CHRF

    metric = CHRF()
    value = metric.corpus_score(list(predictions), [list(references)]).score
    signature = f"sacrebleu|chrF|{metric.get_signature()}"
    single = [metric.sentence_score(prediction, [reference]).score
              for prediction, reference in zip(predictions, references)]
    return MetricResult(bounded(value), signature, [bounded(score) for score in single])


def sentence_bleu(predictions: Texts, references: Texts, languages: Texts) -> MetricResult:
    """Mean smoothed sentence BLEU-4 as the summarization literature reports it (CodeBERT's and CodeXGLUE's evaluator).

    Words and single punctuation characters, underscores among them, in lower case. For n = 2, 3, 4 one is added to matches and n-grams (Lin and
    Och, 2004), for n = 1 neither; the brevity penalty is exp(min(0, 1 - (r + 1) / (c + 1))) for lengths r of the
    reference and c of the prediction. An empty prediction scores 0; the evaluator gives it exp(-r). Values are near those of the other variant for long texts and far above for short ones.
    """
    single = [100 * _smoothed_bleu(*(_EVALUATOR_TOKEN.findall(text.lower()) for text in (prediction, reference)))
              for prediction, reference in zip(predictions, references)]
    return MetricResult(sum(single) / len(single), "sentence_bleu|codexglue|order:4|smooth:add-one-above-unigrams|case:lower"
                        "|tok:words-punctuation-underscores|average:sentences", [bounded(value) for value in single])


def _smoothed_bleu(prediction: list[str], reference: list[str]) -> float:
    logarithms = 0.0
    for order, (matches, total, _) in enumerate(_ngram_counts(prediction, reference), start=1):
        if order > 1:
            matches, total = matches + 1, total + 1
        if not matches:
            return 0.0
        logarithms += math.log(matches / total) / 4
    return math.exp(logarithms + min(0.0, 1 - (len(reference) + 1) / (len(prediction) + 1)))


def rouge_l(predictions: Texts, references: Texts, languages: Texts) -> MetricResult:
    """Mean ROUGE-L F1 (Lin, 2004): the longest common subsequence of words as precision and recall, in lower case."""
    from rapidfuzz.distance import LCSseq

    single = []
    for prediction, reference in zip(predictions, references):
        ours, gold = _prose_tokens(prediction), _prose_tokens(reference)
        common = LCSseq.similarity(ours, gold)
        single.append(200 * common / (len(ours) + len(gold)) if ours or gold else 100.0)
    return MetricResult(sum(single) / len(single), f"rouge_l|f:1|case:lower|tok:words-and-punctuation|lcs:rapidfuzz-"
                        f"{version('rapidfuzz')}|average:sentences", single)


def edit_similarity(predictions: Texts, references: Texts, languages: Texts) -> MetricResult:
    """Mean of 100 (1 - Levenshtein distance / longer length), in characters, runs of white space made one blank."""
    from rapidfuzz.distance import Levenshtein

    single = [100 * Levenshtein.normalized_similarity(" ".join(prediction.split()), " ".join(reference.split()))
              for prediction, reference in zip(predictions, references)]
    return MetricResult(sum(single) / len(single), f"edit_similarity|levenshtein:rapidfuzz-{version('rapidfuzz')}"
                        "|whitespace:collapsed|average:examples", single)


def _prose_tokens(text: str) -> list[str]:
    return _PROSE_TOKEN.findall(text.lower())
