"""Scores. Each expected number is derived beside it."""
from __future__ import annotations

import logging
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.errors import MetricInputError, TaskLanguageError, UnknownMetricError
from tasks.metrics import METRICS, score
from tasks.text_metrics import _add_one_bleu

ROOT = Path(__file__).resolve().parents[2]

PYTHON = ["assert nx.is_connected(G)", "assert_equal(np.sum(x), 3)", "assert x == f(x)", "self.assertTrue(a in b)"]
JAVA = ["assertEquals ( 32.0 , len ) ;", "assertTrue ( a . equals ( a ) ) ;", "fail ( \"no\" ) ;"]


def one(name: str, prediction: str, reference: str, language: str = "python") -> float:
    scores = score([name], [prediction], [reference], language)
    assert scores.per_example[name] == pytest.approx([scores.values[name]])  # a corpus of one example
    return scores.values[name]


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize(("language", "gold"), [("python", PYTHON), ("java", JAVA)])
def test_the_gold_answer_scores_the_maximum(name: str, language: str, gold: list[str]) -> None:
    scores = score([name], gold, gold, language)
    assert scores.values[name] == pytest.approx(100.0, abs=1e-9)
    assert scores.per_example[name] == pytest.approx([100.0] * len(gold), abs=1e-9)


LENIENT = ("assertion_kind", "syntax")
"""Metrics that ask for a part of the answer only, which a poor one can have."""
SMOOTHED = {"bleu_codexglue": 80.0}
"""Of two tokens of which one is right, the smoothed precisions are 2/3, 1/2, 1 and 1: (1/3) ** (1/4) is 0.76."""


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("prediction", ["", "   ", "((((", "assert 'open", "\x00", "é ∀", "]" * 300])
def test_poor_answers_score_within_bounds_and_do_not_crash(name: str, prediction: str) -> None:
    scores = score([name], [prediction] * len(PYTHON), PYTHON, "python")
    values = [scores.values[name], *scores.per_example[name]]
    highest = 101.0 if name in LENIENT else SMOOTHED.get(name, 60.0)
    assert len(values) == 1 + len(PYTHON) and all(0.0 <= value < highest for value in values)


@pytest.mark.parametrize("name", METRICS)
def test_empty_answers_score_nothing(name: str) -> None:
    assert score([name], [""] * len(PYTHON), PYTHON, "python").values[name] == 0.0


def test_exact_match_ignores_layout_and_the_raw_one_does_not() -> None:
    assert one("exact_match", " assert  x\n== 1 ", "assert x == 1") == 100.0
    assert one("exact_match_raw", "assert x == 1 ", "assert x == 1") == 0.0
    assert one("exact_match", "assert x==1", "assert x == 1") == 0.0  # white space is made equal, not added
    assert score(["exact_match"], ["a", "b", "c", "x"], ["a", "b", "c", "d"], "java").values == {"exact_match": 75.0}


def test_exact_answers_are_counted_by_their_shape() -> None:
    # The first, third and fifth differ in names and numbers alone, the second has quotes, the fourth is wrong.
    references = ["f(x1, 3)", "open_file(y,  'a')", "g(x, 4)", "h(7, 8)", "f(z, 5)"]
    predictions = ["f(x1, 3)", "open_file(y, 'a')", "g(x, 4)", "h(7)", "f(z, 5)"]
    found = score(["exact_match"], predictions, references, "java")
    assert found.details == {"exact_match": {"equal": 4, "shapes": 2, "of_most_common_shape": 3, "references_of_that_shape": 4}}
    nothing = score(["exact_match"], ["a"], ["b"], "java").details["exact_match"]
    assert nothing == {"equal": 0, "shapes": 0, "of_most_common_shape": 0, "references_of_that_shape": 0}


def test_bleu_of_one_wrong_token() -> None:
    # Tokens: assert f ( x ) = = 1 against ... 2: eight, the last differs. Precisions 7/8, 6/7, 5/6, 4/5; their product is
    # 4/8, both are of one length, so BLEU is 100 * 0.5 ** (1 / 4) = 84.0896.
    assert one("bleu", "assert f(x) == 1", "assert f( x )==2") == pytest.approx(100 * 0.5 ** 0.25)


def test_bleu_of_a_short_answer_is_measured_up_to_its_length() -> None:
    assert one("bleu", "assert x", "assert x") == pytest.approx(100.0)  # 1-grams and 2-grams only: 2/2 and 1/1


def test_bleu_adds_up_counts_over_the_corpus() -> None:
    # "a b c d e" whole: 5, 4, 3, 2 of as many n-grams. "a b c x" against "a b c d": 3 of 4, 2 of 3, 1 of 2, 0 of 1.
    # Sums 8/9, 6/7, 4/5, 2/3; lengths are equal.
    value = score(["bleu"], ["a b c d e", "a b c x"], ["a b c d e", "a b c d"], "java").values["bleu"]
    assert value == pytest.approx(100 * (8 / 9 * 6 / 7 * 4 / 5 * 2 / 3) ** 0.25)


def test_bleu_clips_repetitions() -> None:
    # Papineni et al. (2002), section 2.1: of seven "the" two count, since the reference has two. No pair, triple or quadruple
    # of 6, 5 and 4 is right, which sacrebleu's smoothing makes 1/2, 1/4 and 1/8 of one; the prediction is the longer.
    expected = 100 * (2 / 7 * 1 / (2 * 6) * 1 / (4 * 5) * 1 / (8 * 4)) ** 0.25
    assert one("bleu", "the the the the the the the", "the cat is on the mat") == pytest.approx(expected)


def test_bleu_of_a_short_prediction_has_the_penalty() -> None:
    # Five of ten tokens, all right: every precision is 1, the penalty exp(1 - 10 / 5).
    assert one("bleu", "a b c d e", "a b c d e f g h i j") == pytest.approx(100 * math.exp(-1))


REFINEMENT = [(262, 266, 314), (247, 256, 0), (230, 246, 0), (213, 236, 0)]
TRANSLATION = [(109, 143, 138), (84, 133, 0), (69, 123, 0), (57, 113, 0)]
"""Common n-grams, n-grams of the predictions and words of the references for n = 1 to 4, of the ten sample pairs beside
CodeXGLUE's evaluators: predictions.txt and references.txt in Code-Code/code-refinement/evaluator and
Code-Code/code-to-code-trans/evaluator of github.com/microsoft/CodeXGLUE."""


@pytest.mark.parametrize(("counts", "published"), [(REFINEMENT, 79.03), (TRANSLATION, 61.08)])
def test_bleu_codexglue_of_the_published_samples(counts: list[tuple[int, int, int]], published: float) -> None:
    # The READMEs of the two tasks state BLEU 79.03 with accuracy 40.0, and 61.08 with 50.0.
    assert round(100 * _add_one_bleu(counts), 2) == published


def test_bleu_codexglue_of_a_published_pair() -> None:
    # The fourth of the refinement pairs: 25 words against 26, VAR_2 is missing. All 25 words are right; of 24 pairs "( )" is
    # one too many; two of 23 triples and three of 22 quadruples hold that "( )" with METHOD_1 or ";" beside it.
    prediction = "public void METHOD_1 ( ) { METHOD_3 ( ) ; if ( ( VAR_3 ) != null ) VAR_3 . METHOD_1 ( ) ; }"
    reference = "public void METHOD_1 ( ) { METHOD_3 ( ) ; if ( ( VAR_3 ) != null ) VAR_3 . METHOD_1 ( VAR_2 ) ; }"
    expected = 100 * math.exp(1 - 26 / 25) * (26 / 26 * 24 / 25 * 22 / 24 * 20 / 23) ** 0.25
    assert one("bleu_codexglue", prediction, reference) == pytest.approx(expected)


def test_bleu_codexglue_sees_white_space_only() -> None:
    # One word of one is wrong: 1/2 for words, and 1/1 for the orders that it has none of.
    assert one("bleu_codexglue", "f(x)", "f(y)") == pytest.approx(100 * 0.5 ** 0.25)


def test_sentence_bleu_of_one_wrong_word() -> None:
    # Words: returns the largest value . against returns the smallest value . : five each. Matches: 4 of 5 words; pairs
    # "returns the", "value ." : 2 of 4, with one added 3/5; no three in a row with "largest" out: triples 0 of 3, 1/4; 0 of 2, 1/3.
    # Equal lengths, no penalty.
    expected = 100 * (4 / 5 * 3 / 5 * 1 / 4 * 1 / 3) ** 0.25
    assert one("sentence_bleu", "Returns the largest value.", "returns the smallest value .") == pytest.approx(expected)


def test_sentence_bleu_of_a_short_prediction() -> None:
    # "a b" against "a b c d": words 2/2; pairs (1+1)/(1+1); no triples and quadruples: (0+1)/(0+1). Penalty exp(1 - 5/3).
    assert one("sentence_bleu", "a b", "a b c d") == pytest.approx(100 * math.exp(1 - 5 / 3))


def test_sentence_bleu_cuts_at_underscores() -> None:
    # CodeXGLUE's evaluator cuts words from punctuation first and then sets blanks around the characters from "[" to "`", so
    # edge_attr is three words. "the edge_attr" has 3 of its 4 words in "the node_attr", its pairs "_ attr" of 3, no triple of 2
    # and no quadruple of 1: 3/4, (1+1)/(3+1), 1/3, 1/2.
    assert one("sentence_bleu", "the edge_attr", "the node_attr") == pytest.approx(100 * (3 / 4 * 2 / 4 * 1 / 3 * 1 / 2) ** 0.25)


def test_sentence_bleu_of_a_sentence_that_is_too_short() -> None:
    # log a message . against print an error log message . : words log, message, "." are 3 of 4; pairs "message ." is 1 of 3;
    # no triple of 2, no quadruple of 1; penalty exp(1 - 7/5). The evaluator's script gives 33.51600230178197 for the pair.
    expected = 100 * math.exp(1 - 7 / 5) * (3 / 4 * 2 / 4 * 1 / 3 * 1 / 2) ** 0.25
    assert expected == pytest.approx(33.51600230178197)
    assert one("sentence_bleu", "Log a message .", "Print an error log message .") == pytest.approx(expected)


def test_sentence_bleu_is_the_mean_over_examples() -> None:
    values = score(["sentence_bleu"], ["a b c d", "x"], ["a b c d", "y"], "english")
    assert values.per_example["sentence_bleu"] == [100.0, 0.0] and values.values["sentence_bleu"] == 50.0


def test_rouge_l_of_a_reordered_sentence() -> None:
    # Longest common subsequence of "the cat sat down" and "down sat the cat" is "the cat": 2 of 4 on both sides, F1 1/2.
    assert one("rouge_l", "the cat sat down", "down sat the cat") == pytest.approx(50.0)
    # The example of Lin (2004), section 3.1: "police kill the gunman" has police, the, gunman of "police killed the gunman" in order: 3 of 4 on both sides.
    assert one("rouge_l", "police kill the gunman", "Police killed the gunman") == pytest.approx(75.0)
    # Precision 2/2, recall 2/4: F1 = 2/3.
    assert one("rouge_l", "a b", "a x b y") == pytest.approx(100 * 2 / 3)


def test_edit_similarity_counts_characters() -> None:
    # kitten -> sitting: two substitutions and an insertion; the longer has seven characters.
    assert one("edit_similarity", "kitten", "sitting") == pytest.approx(100 * (1 - 3 / 7))
    assert one("edit_similarity", "a  b", "a\nb") == 100.0


@pytest.mark.parametrize(("prediction", "reference", "language", "same"), [
    ("assertEquals(1, x);", "assertEquals ( 2 , y ) ;", "java", True),
    ("Assert.assertTrue(x);", "assertTrue(y);", "java", True),
    ("org.junit.Assert.assertTrue(x);", "assertFalse(y);", "java", False),
    ("assert x == 1", "assert f(a < b) == 2", "python", True),
    ("assert x", "assert x == 1", "python", False),
    ("assert x not in y", "assert x in y", "python", False),
    ("assert x is not None", "assert y is not z", "python", True),
    ("self.assertEqual(a, b)", "self.assertEqual(c, d)", "python", True),
    ("np.testing.assert_allclose(a, b)", "assert_allclose(a, c)", "python", True),
    ("", "assert x", "python", False),
])
def test_kinds_of_assertions(prediction: str, reference: str, language: str, same: bool) -> None:
    assert one("assertion_kind", prediction, reference, language) == 100.0 * same


@pytest.mark.parametrize(("prediction", "language", "valid"), [
    ("assert x == 1", "python", True), ("assert x ==", "python", False), ("", "python", False),
    ("assertEquals(1, x);", "java", True), ("assertEquals(1, x", "java", False), ("int f() { return 1; }", "java", True),
])
def test_what_parses(prediction: str, language: str, valid: bool) -> None:
    assert one("syntax", prediction, "", language) == 100.0 * valid


def test_chrf_of_a_missing_character() -> None:
    # 1-grams: precision 2/2, recall 2/3; 2-grams: 1/1, 1/2; longer ones do not occur in the prediction. Averages 1 and
    # 7/12; F2 = 5 * 7/12 / (4 * 1 + 7/12) = 35 / 55.
    assert one("chrf", "ab", "abc") == pytest.approx(100 * 35 / 55)


def test_codebleu_of_one_wrong_token_without_data_flow() -> None:
    # Tokens assert x = = 1. n-grams: 4/5 * 3/4 * 2/3 * 1/2 = 1/5. Weighted: `assert` is a keyword and counts 1, each other
    # token 0.2, so (1 + 3 * 0.2) / (1 + 4 * 0.2) = 8/9, times 3/4 * 2/3 * 1/2 = 2/9. Syntax: module, assert statement and
    # comparison, all three in both (leaves have no subtree). No variable occurs twice, so there is no data flow and the
    # three parts are averaged.
    expected = 100 * ((1 / 5) ** 0.25 + (2 / 9) ** 0.25 + 1) / 3
    scores = score(["codebleu"], ["assert x == 2"], ["assert x == 1"], "python")
    assert scores.values["codebleu"] == pytest.approx(expected)
    assert scores.details["codebleu"]["without_data_flow_percent"] == 100.0
    # The library counts absent data flow as 1 and divides by four.
    assert scores.details["codebleu"]["library_total"] == pytest.approx((3 * expected + 100) / 4)


def test_codebleu_of_the_example_in_the_documentation_of_its_library() -> None:
    # The README of codebleu 0.4.0 states 0.5537 with the parts 0.1041, 0.1109, 1 and 1. All its tokens stand between blanks,
    # so ours are the same, and its reference has data flow, so the total is the library's.
    scores = score(["codebleu"], ["def add ( a , b ) :\n return a + b"],
                   ["def sum ( first , second ) :\n return second + first"], "python")
    details = scores.details["codebleu"]
    parts = [int(100 * details[part]) / 10_000 for part in ("ngram", "weighted_ngram", "syntax", "data_flow")]
    assert parts == [0.1041, 0.1109, 1.0, 1.0]
    assert int(100 * scores.values["codebleu"]) / 10_000 == 0.5537 and details["library_total"] == scores.values["codebleu"]


IN_ANOTHER_PROCESS = """
import sys
from tasks.metrics import score
texts = sys.stdin.read().splitlines()
print(score(["codebleu"], texts, texts[::-1], "csharp").details["codebleu"]["data_flow"])
"""


def test_codebleu_does_not_depend_on_the_hash_seed() -> None:
    """The library keeps names in sets; with the order of these two texts from a set, odd and even seeds differ."""
    texts = ["public override void Put(string text){base.Put(text);culture = \"\";string rest;Cutter st = new Cutter(text, \",\");"
             "if (st.Next())culture = st.Current;if (st.Next())culture += \"-\" + st.Current;if (st.Next())rest = st.Current;}",
             "public virtual void Put(string text){base.put(text);culture = new Cutter(text, \",\");"
             "if (st.has())land = new Cutter(text, \",\");if (st.has())land = new Cutter(text, \",\");"
             "if (st.has())land = new Cutter(text, \",\");"]
    found = {subprocess.run([sys.executable, "-c", IN_ANOTHER_PROCESS], input="\n".join(texts), text=True, capture_output=True, check=True,
                            env=os.environ | {"PYTHONHASHSEED": seed}, cwd=ROOT).stdout for seed in ("0", "1")}
    assert len(found) == 1 and 0 < float(found.pop()) < 100


def test_codebleu_counts_a_missed_data_flow_as_missed() -> None:
    # The second x comes from the first: one edge, which the prediction lacks, so the part is 0 and weighs a quarter.
    scores = score(["codebleu"], ["assert x == f(z)"], ["assert x == f(x)"], "python")
    details = scores.details["codebleu"]
    assert details["data_flow"] == 0.0 and details["without_data_flow_percent"] == 0.0
    three = details["ngram"] + details["weighted_ngram"] + details["syntax"]
    assert scores.values["codebleu"] == pytest.approx(three / 4)
    assert details["library_total"] == pytest.approx((three + 100) / 4)


def test_codebleu_weighs_data_flow_by_the_share_of_references_that_have_any() -> None:
    # One of two references has data flow and both are met, so each part is 1 and any weights give 100; with the flow missed
    # the part weighs 0.5 of 3.5.
    gold = ["assert x == f(x)", "assert y == f(w)"]
    scores = score(["codebleu"], ["assert x == f(z)", gold[1]], gold, "python")
    details = scores.details["codebleu"]
    three = details["ngram"] + details["weighted_ngram"] + details["syntax"]
    assert details["without_data_flow_percent"] == 50.0
    assert scores.values["codebleu"] == pytest.approx(three / 3.5)


def test_codebleu_states_its_ceiling() -> None:
    # Of `assert x` the library counts one 3-gram and one 4-gram, neither of which it finds: with the other reference's six
    # 3-grams and five 4-grams the precisions are 6/7 and 5/6, and the same in the weighted part.
    gold = ["assert x", "assert f(a) == b"]
    scores = score(["codebleu"], gold, gold, "python")
    ngram = (6 / 7 * 5 / 6) ** 0.25
    assert scores.values["codebleu"] == pytest.approx(100 * (2 * ngram + 1) / 3)
    assert scores.details["codebleu"]["ceiling"] == scores.values["codebleu"]
    assert scores.per_example["codebleu"] == pytest.approx([100.0, 100.0])


def test_codebleu_takes_the_prediction_for_the_prediction() -> None:
    # The first two n-gram parts are a precision and a recall: a prediction that says more than the reference keeps its
    # recall and loses precision.
    longer, shorter = "assert x == 1 and y == 2 and z == 3", "assert x == 1"
    more = score(["codebleu"], [longer], [shorter], "python").details["codebleu"]
    assert more["ngram"] < more["weighted_ngram"] == pytest.approx(100.0)
    less = score(["codebleu"], [shorter], [longer], "python").details["codebleu"]
    assert less["weighted_ngram"] < 40.0


def test_codebleu_is_silent_about_missing_data_flow(caplog: pytest.LogCaptureFixture) -> None:
    handlers = list(logging.getLogger().handlers)
    with caplog.at_level(logging.DEBUG):
        score(["codebleu"], ["assert x"], ["assert x"], "python")
    assert not caplog.records and logging.getLogger().handlers == handlers


def test_languages_are_scored_apart_and_averaged_by_examples() -> None:
    gold, answers = [PYTHON[0], PYTHON[1], JAVA[0]], [PYTHON[0], "assert_equal(np.sum(y), 4)", "assertNull ( len ) ;"]
    mixed = score(["codebleu"], answers, gold, ["python", "python", "java"])
    python, java = score(["codebleu"], answers[:2], gold[:2], "python"), score(["codebleu"], answers[2:], gold[2:], "java")
    assert mixed.values["codebleu"] == pytest.approx((2 * python.values["codebleu"] + java.values["codebleu"]) / 3)
    assert mixed.per_example["codebleu"] == python.per_example["codebleu"] + java.per_example["codebleu"]
    assert "lang:java+python" in mixed.signatures["codebleu"]


def test_signatures_say_what_was_computed() -> None:
    signatures = score(list(METRICS), PYTHON, PYTHON, "python").signatures
    assert signatures["exact_match"] == "exact_match|whitespace:collapsed|case:mixed"
    assert signatures["exact_match_raw"] == "exact_match|whitespace:kept|case:mixed"
    assert signatures["bleu"].startswith("sacrebleu|BLEU|pretok:code-v1|nrefs:1|case:mixed|eff:yes|tok:none|smooth:exp|version:")
    assert signatures["chrf"].startswith("sacrebleu|chrF|nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:")
    assert "codebleu|lib:0.4.0|lang:python" in signatures["codebleu"] and "dataflow:weighted" in signatures["codebleu"]


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ((["blue"], ["a"], ["a"], "java"), UnknownMetricError, "unknown metric 'blue'; expected one of: assertion_kind, bleu,.*mean 'bleu'"),
    ((["bleu"], [], [], "java"), MetricInputError, "cannot score 0 predictions"),
    ((["bleu"], ["a"], ["a", "b"], "java"), MetricInputError, "1 predictions, 2 references, 1 languages"),
    ((["bleu"], ["a"], ["a"], ["java", "java"]), MetricInputError, "2 languages"),
    ((["bleu"], ["a", None], ["a", "b"], "java"), MetricInputError, "prediction 1 is NoneType; expected a text"),
    ((["codebleu"], ["a"], ["a"], "cobol"), TaskLanguageError, "unknown language of metric 'codebleu' 'cobol'"),
])
def test_what_cannot_be_scored(arguments: tuple, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        score(*arguments)
