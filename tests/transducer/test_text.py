"""Text to tokens and back: the placeholder, offsets in bytes, the window around a placeholder, the end of an answer."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import ByteLevelBPETokenizer
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer, ByT5Tokenizer, PreTrainedTokenizerFast

from tasks.assertion import PLACEHOLDER
from tests.transducer import tiny
from transducer.errors import BackboneError, DataError
from transducer.question_forms import SENTINEL
from transducer.text import EncodedSource, TextEncoder

REPEATABLE = settings(max_examples=120, derandomize=True, deadline=None,
                      suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module", params=["t5", "roberta"])
def tokenizer(request: pytest.FixtureRequest, model_folder: Path, tmp_path_factory: pytest.TempPathFactory):
    """One that only ends a text with a mark, and CodeT5's, which also begins it with one and trims its offsets."""
    if request.param == "t5":
        return AutoTokenizer.from_pretrained(model_folder)
    folder = tmp_path_factory.mktemp("tokenizers")
    tiny.write_codet5_tokenizer(folder)
    return AutoTokenizer.from_pretrained(folder, model_type="roberta")


@pytest.fixture(scope="module")
def encoder(tokenizer) -> TextEncoder:
    return TextEncoder(tokenizer, PLACEHOLDER, 4000, 2000)


def covered(encoded: EncodedSource, index: int) -> str:
    return encoded.text.encode()[encoded.start_byte[index]:encoded.end_byte[index]].decode()


def token_texts(encoder: TextEncoder, encoded: EncodedSource) -> list[str]:
    return [encoder.tokenizer.decode([token], clean_up_tokenization_spaces=False) for token in encoded.token_ids]


# Sources


def test_the_placeholder_becomes_the_sentinel_and_its_semicolon_goes_along(encoder: TextEncoder) -> None:
    """Python and Java, with and without a blank in front, with and without a semicolon behind."""
    for source, hole, blank in [
            (f"x = 1\n    {PLACEHOLDER}\ny = 2", PLACEHOLDER, True),
            (f"int x = 1 ; {PLACEHOLDER} ; int y ;", f"{PLACEHOLDER} ;", True),
            (f"int x = 1;{PLACEHOLDER};\nint y;", f"{PLACEHOLDER};", False),
            (f"int x = 1;\n\t{PLACEHOLDER}\n;int y;", f"{PLACEHOLDER}\n;", False),
            (f"{PLACEHOLDER} x", PLACEHOLDER, False),
            (f"x;{PLACEHOLDER}", PLACEHOLDER, False)]:
        encoded = encoder.encode_source(source)
        assert encoded.text == source and not encoded.truncated
        assert encoded.blank_before_answer is blank
        (place,) = np.flatnonzero(encoded.token_ids == encoder.tokenizer.convert_tokens_to_ids(SENTINEL))
        assert covered(encoded, place) == hole
        words = encoder.tokenizer.decode(encoded.token_ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        shown = source.replace(" " + hole if blank else hole, SENTINEL)
        assert words.removeprefix("<s>") == shown + "</s>"


def test_marks_have_no_text(encoder: TextEncoder) -> None:
    encoded = encoder.encode_source(f"x {PLACEHOLDER}")
    marks = np.isin(encoded.token_ids, [encoder.tokenizer.bos_token_id, encoder.tokenizer.eos_token_id])
    assert encoded.token_ids[-1] == encoder.tokenizer.eos_token_id
    assert ((encoded.start_byte == -1) == marks).all() and ((encoded.end_byte == -1) == marks).all()


def test_offsets_count_bytes(encoder: TextEncoder) -> None:
    source = f"größe = 'é→𝄞' # ü\n    {PLACEHOLDER}\nwert_ñ = größe + 1\n"
    encoded = encoder.encode_source(source)
    texts = token_texts(encoder, encoded)
    whole = [index for index, text in enumerate(texts)
             if encoded.start_byte[index] >= 0 and "\ufffd" not in text and text != SENTINEL and text.strip()]
    assert len(whole) > 15
    for index in whole:
        assert covered(encoded, index).strip() == texts[index].strip()
    # A character of several tokens: each of them covers all of its bytes.
    parts = [index for index, text in enumerate(texts) if "\ufffd" in text]
    assert parts and all(not covered(encoded, index).isascii() for index in parts)


def test_marks_of_the_tokenizer_in_code_are_text(encoder: TextEncoder) -> None:
    """As in the HTML of a test; read as an end mark it would end the answer."""
    source = f'x = "<s>a</s><extra_id_0><pad>"\n{PLACEHOLDER}'
    encoded = encoder.encode_source(source)
    assert (encoded.token_ids == encoder.tokenizer.eos_token_id).sum() == 1
    assert (encoded.token_ids == encoder.tokenizer.convert_tokens_to_ids(SENTINEL)).sum() == 1
    target = 'assert x == "<s>a</s><extra_id_1> <pad>"'
    assert encoder.decode(encoder.encode_target(target, True)) == target


@pytest.mark.parametrize(("source", "count"), [("x = 1", 0), ("", 0), (f"{PLACEHOLDER} {PLACEHOLDER}", 2), ("<AssertPlaceHolder>", 0)])
def test_not_exactly_one_placeholder_is_an_error(encoder: TextEncoder, source: str, count: int) -> None:
    with pytest.raises(DataError, match=f"holds the placeholder .* {count} times, expected once"):
        encoder.encode_source(source)


# The window


CODE = st.text(alphabet=st.sampled_from("ab_ \n\t(){};=.0é→𝄞"), max_size=300)


@REPEATABLE
@given(before=CODE, after=CODE, room=st.integers(16, 60))
def test_any_window_is_part_of_the_source_and_what_its_tokens_cover(tokenizer, before: str, after: str, room: int) -> None:
    source = before + PLACEHOLDER + after
    encoded = TextEncoder(tokenizer, PLACEHOLDER, room, 16).encode_source(source)
    assert len(encoded.token_ids) == len(encoded.start_byte) == len(encoded.end_byte) <= room
    assert encoded.text in source and encoded.text.count(PLACEHOLDER) == 1
    assert encoded.truncated == (encoded.text != source)
    if encoded.truncated:
        whole = TextEncoder(tokenizer, PLACEHOLDER, 10_000, 16).encode_source(source)
        assert len(whole.token_ids) > room == len(encoded.token_ids)
    assert (encoded.token_ids == tokenizer.convert_tokens_to_ids(SENTINEL)).sum() == 1
    has_text = encoded.start_byte >= 0
    starts, ends = encoded.start_byte[has_text], encoded.end_byte[has_text]
    data = encoded.text.encode()
    assert (starts <= ends).all() and (np.diff(starts) >= 0).all() and (np.diff(ends) >= 0).all() and ends.max() <= len(data)
    uncovered = np.ones(len(data), dtype=bool)
    for start, end in zip(starts, ends):
        uncovered[start:end] = False
    # What no token covers is white space in front of a word.
    assert not np.frombuffer(data, dtype=np.uint8)[uncovered].tobytes().strip()


def test_a_long_source_keeps_a_third_behind_the_placeholder(encoder: TextEncoder) -> None:
    before, after = "a = 1 ;\n" * 200, " b = 2 ;\n" * 200
    room = 60 + len(encoder.tokenizer("")["input_ids"]) + 1
    short = TextEncoder(encoder.tokenizer, PLACEHOLDER, room, 16)
    encoded = short.encode_source(before + PLACEHOLDER + after)
    (place,) = np.flatnonzero(encoded.token_ids == encoder.tokenizer.convert_tokens_to_ids(SENTINEL))
    behind = int((encoded.start_byte[place + 1:] >= 0).sum())
    assert (behind, len(encoded.token_ids)) == (20, room)  # AFTER_SHARE of 60
    # Where less than that is behind, what is before gets the room; where little is before, what is behind does.
    assert short.encode_source(before + PLACEHOLDER + " b").text.endswith(f"{PLACEHOLDER} b")
    assert short.encode_source("a = 1\n" + PLACEHOLDER + after).text.startswith("a = 1\n")
    for source in (before + PLACEHOLDER + " b", "a = 1\n" + PLACEHOLDER + after):
        assert len(short.encode_source(source).token_ids) == room


def test_a_task_without_a_placeholder_keeps_the_beginning(tokenizer) -> None:
    encoder = TextEncoder(tokenizer, None, 20, 16)
    source = "value = first + second\n" * 20
    encoded = encoder.encode_source(source)
    assert encoded.truncated and len(encoded.token_ids) == 20 and source.startswith(encoded.text)
    assert encoded.end_byte.max() == len(encoded.text.encode())
    assert encoder.encode_source("value").text == "value"
    assert encoder.decode(encoder.encode_target("a sum", False)) == "a sum"


# Answers


@REPEATABLE
@given(target=st.text(alphabet=st.characters(codec="utf-8"), max_size=60), blank=st.booleans())
def test_any_answer_comes_back(tokenizer, target: str, blank: bool) -> None:
    encoder = TextEncoder(tokenizer, PLACEHOLDER, 64, 2000)
    labels = encoder.encode_target(target, blank)
    assert labels[0] == tokenizer.convert_tokens_to_ids(SENTINEL) and labels[-1] == tokenizer.eos_token_id
    assert encoder.decode(labels) == target.strip()
    # As a decoder writes it: start token in front, padding behind.
    assert encoder.decode([0, *labels, 0, 0]) == target.strip()


def test_the_blank_in_front_belongs_to_the_answer(encoder: TextEncoder) -> None:
    """So that source and answer together are the tokens of the whole text."""
    whole = "x = value\n assert value"
    encoded = encoder.encode_source(f"x = value\n {PLACEHOLDER}")
    labels = encoder.encode_target("assert value", encoded.blank_before_answer)
    plain = encoder.tokenizer(whole, add_special_tokens=False)["input_ids"]
    kept = [token for token in encoded.token_ids if token not in (1, 2, labels[0])]
    assert encoder.tokenizer.decode(kept + labels[1:-1].tolist()) == whole
    assert labels[1:-1].tolist() == plain[-len(labels[1:-1]):]


def test_a_long_answer_is_cut_and_has_no_end_mark(tokenizer) -> None:
    labels = TextEncoder(tokenizer, PLACEHOLDER, 64, 6).encode_target("a + b + c + d + e + f + g", False)
    assert len(labels) == 6 and tokenizer.eos_token_id not in labels


def test_an_answer_ends_at_the_end_mark_or_the_next_span(encoder: TextEncoder) -> None:
    ids = encoder.tokenizer.convert_tokens_to_ids
    text = encoder.tokenizer("value", add_special_tokens=False)["input_ids"]
    first, second, end, pad, begin = ids(SENTINEL), ids("<extra_id_1>"), ids("</s>"), ids("<pad>"), ids("<s>")
    for tokens, expected in [
            ([pad, first, *text, end, *text], "value"),
            ([pad, first, *text, second, *text, end], "value"),
            ([pad, first, *text, first, *text], "value"),
            ([pad, begin, first, *text, pad, pad], "value"),
            ([pad, *text, end], "value"),
            ([pad, first, end, *text], ""),
            ([pad, second, *text, end], ""),
            ([pad, pad], ""), ([], "")]:
        assert encoder.decode(tokens) == expected
        assert encoder.decode(np.array(tokens, dtype=np.int64)) == expected


# Tokenizers that cannot be used


def test_a_slow_tokenizer_is_refused() -> None:
    with pytest.raises(BackboneError, match="ByT5Tokenizer gives no character offsets.*tokenizer.json"):
        TextEncoder(ByT5Tokenizer(), PLACEHOLDER, 64, 16)


def plain_tokenizer(**marks: str) -> PreTrainedTokenizerFast:
    """Byte-level, with an end mark that it does not put behind a text, and without sentinels."""
    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(["assert value"], vocab_size=300, special_tokens=["<unk>", "</s>"], show_progress=False)
    return PreTrainedTokenizerFast(tokenizer_object=trained._tokenizer, unk_token="<unk>", eos_token="</s>", **marks)


def ended_tokenizer(**marks: str) -> PreTrainedTokenizerFast:
    """Puts its end mark behind a text; without sentinels."""
    tokenizer = plain_tokenizer(**marks)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="$A </s>", special_tokens=[("</s>", tokenizer.eos_token_id)])
    return tokenizer


def test_a_tokenizer_without_a_mark_for_the_answer_is_refused() -> None:
    with pytest.raises(BackboneError, match="has neither <extra_id_0> nor a mask, one of which stands where the answer belongs"):
        TextEncoder(ended_tokenizer(), PLACEHOLDER, 64, 16)


def test_a_mask_stands_where_the_answer_belongs_if_there_are_no_sentinels() -> None:
    tokenizer = ended_tokenizer(mask_token="<mask>")
    encoder = TextEncoder(tokenizer, PLACEHOLDER, 64, 16)
    encoded = encoder.encode_source(f"a\n{PLACEHOLDER}\nb")
    assert tokenizer.decode(encoded.token_ids) == "a\n<mask>\nb</s>"
    labels = encoder.encode_target("assert value", False)
    assert tokenizer.decode(labels) == "assert value</s>" and encoder.decode(labels) == "assert value"


def test_a_tokenizer_without_an_end_mark_is_refused() -> None:
    tokenizer = plain_tokenizer()
    tokenizer.eos_token = None
    for encoder_decoder in (True, False):
        with pytest.raises(BackboneError, match="has no end mark .*tokenizer_config.json"):
            TextEncoder(tokenizer, PLACEHOLDER, 64, 16, encoder_decoder=encoder_decoder)


def test_a_tokenizer_without_an_end_mark_behind_a_text_is_refused() -> None:
    with pytest.raises(BackboneError, match="expected its end mark '</s>'"):
        TextEncoder(plain_tokenizer(), None, 64, 16)
