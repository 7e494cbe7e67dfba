"""Fused prompt embeddings as a file: what is in it, what the reader refuses, and which models can be served so."""
from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, GenerationConfig

from tests.transducer import tiny, tiny_families
from transducer import TransducerModel, export, load_backbone
from transducer.__main__ import main
from transducer.backbone import Backbone
from transducer.commands import command_line
from transducer.config import TransducerSettings
from transducer.fusion import INPUT_FUSION
from transducer.errors import DataError
from transducer.evaluate import predict
from transducer.prepare import Preparer
from transducer.prompt_embeddings import (
    METADATA,
    Request,
    fused_prompts,
    read_prompt_embeddings,
    read_requests,
    write_prompt_embeddings,
)

FACTS = {"model": "someone/llm", "model_fingerprint": "f" * 64, "hidden": 4}


@pytest.fixture
def model(backbone: Backbone) -> TransducerModel:
    torch.manual_seed(1)
    model = TransducerModel(backbone, TransducerSettings(fusion=INPUT_FUSION, prompts=3, rank=8))
    with torch.no_grad():
        for parameter in model.trainable().values():
            parameter.add_(torch.randn_like(parameter))
    return model.eval()


def write_lines(path: Path, *rows: object) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), encoding="utf-8")
    return path


def stored(path: Path, tensors: dict[str, torch.Tensor], facts: object = {"schema": 1}) -> Path:
    save_file(tensors, path, metadata={METADATA: json.dumps(facts)})
    return path


# What is written


def test_the_tensors_are_what_the_model_reads(model: TransducerModel, tmp_path: Path) -> None:
    """Those of a batch with padding, without the padding, in the order of places; ids are kept."""
    examples = sorted(tiny.examples(4), key=lambda example: len(example.source))
    requests = [Request(example.id, example.source, example.language) for example in examples]
    found = fused_prompts(model, tiny.preparer(model.backbone), requests)
    write_prompt_embeddings(tmp_path / "deep" / "out.safetensors", found, FACTS)
    read, facts = read_prompt_embeddings(tmp_path / "deep" / "out.safetensors", width=tiny.WIDTH)
    assert facts == {"schema": 1, **FACTS} and read.keys() == {example.id for example in examples}
    batch = tiny.batch_of(model.backbone, examples)
    assert batch["attention_mask"].min() == 0
    del batch["labels"]
    with torch.no_grad():
        embeddings, mask, *_ = model.fused(**batch)
    for row, example in enumerate(examples):
        wanted = embeddings[row][mask[row].bool()]
        assert read[example.id].shape == wanted.shape == (int(batch["attention_mask"][row].sum()) + 3, tiny.WIDTH)
        torch.testing.assert_close(read[example.id], wanted, rtol=1e-5, atol=1e-5)
        assert read[example.id].dtype == torch.float32


def test_the_model_answers_to_them_as_to_the_request(model: TransducerModel) -> None:
    request = tiny.examples(1)[0]
    prepared = tiny.preparer(model.backbone)
    (embeddings,) = fused_prompts(model, prepared, [Request("1", request.source, request.language)]).values()
    batch = tiny.batch_of(model.backbone, [request])
    answer = model.generate(batch, beams=1, max_new_tokens=8)
    mask = torch.ones(1, len(embeddings), dtype=torch.long)
    assert torch.equal(model.backbone.generate(embeddings[None], mask, beams=1, max_new_tokens=8), answer)


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    good = {"1": torch.ones(2, 4)}
    write_prompt_embeddings(tmp_path / "out.safetensors", good, FACTS)
    before = (tmp_path / "out.safetensors").read_bytes()
    with pytest.raises(DataError, match="not finite"):
        write_prompt_embeddings(tmp_path / "out.safetensors", {"1": torch.full((2, 4), torch.inf)}, FACTS)
    assert (tmp_path / "out.safetensors").read_bytes() == before
    write_prompt_embeddings(tmp_path / "again.safetensors", good, FACTS)
    assert (tmp_path / "again.safetensors").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"out.safetensors", "again.safetensors"}


# The reader


@pytest.mark.parametrize(("tensors", "expected"), [
    ({"a": torch.ones(2, 4, dtype=torch.int64)}, "of type torch.int64, expected one of torch.float32"),
    ({"a": torch.ones(2, 4, dtype=torch.float64)}, "of type torch.float64"),
    ({"a": torch.ones(4)}, r"has the shape \(4,\), expected \(sequence, hidden\)"),
    ({"a": torch.ones(1, 2, 4)}, r"has the shape \(1, 2, 4\)"),
    ({"a": torch.ones(0, 4)}, r"has the shape \(0, 4\)"),
    ({"a": torch.ones(2, 4), "b": torch.ones(2, 5)}, "'b' has the hidden size 5, expected 4 as the others"),
    ({"a": torch.tensor([[1.0, float("nan")]])}, "numbers that are not finite"), ({}, "holds no prompt embeddings")])
def test_the_reader_refuses(tensors: dict[str, torch.Tensor], expected: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=expected) as caught:
        read_prompt_embeddings(stored(tmp_path / "in.safetensors", tensors))
    assert str(tmp_path / "in.safetensors") in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float16])
def test_the_reader_takes_what_servers_take(kind: torch.dtype, tmp_path: Path) -> None:
    path = stored(tmp_path / "in.safetensors", {"a": torch.ones(2, 4, dtype=kind)})
    assert read_prompt_embeddings(path, width=4)[0]["a"].dtype == kind
    with pytest.raises(DataError, match="has the hidden size 4, expected 8 as the model's; export for that model"):
        read_prompt_embeddings(path, width=8)


def test_files_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file"):
        read_prompt_embeddings(tmp_path / "absent")
    for content in (b"", b"no tensors", stored(tmp_path / "whole", {"a": torch.ones(9, 9)}).read_bytes()[:-1]):
        (tmp_path / "in").write_bytes(content)
        with pytest.raises(DataError, match="truncated or no safetensors file"):
            read_prompt_embeddings(tmp_path / "in")
    save_file({"a": torch.ones(2, 4)}, tmp_path / "in")
    with pytest.raises(DataError, match="holds no prompt embeddings"):
        read_prompt_embeddings(tmp_path / "in")
    with pytest.raises(DataError, match="is of schema 2, this release reads 1"):
        read_prompt_embeddings(stored(tmp_path / "in", {"a": torch.ones(2, 4)}, {"schema": 2}))


# Requests


def test_requests_are_read(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "in.jsonl", {"id": "x", "source": "a", "language": "java"}, {"source": "b\u2028c"}, {"id": 7, "source": "d"})
    assert read_requests(path, tiny.TASK, "python") == [
        Request("x", "a", "java"), Request("2", "b\u2028c", "python"), Request("7", "d", "python")]


@pytest.mark.parametrize(("row", "expected"), [
    ({"language": "java"}, r'line 2: "source" is NoneType, expected text'), ({"source": ""}, 'line 2: "source" is empty'),
    ({"source": 3}, "is int"), ({"source": "x", "id": "1"}, "line 2: the id '1' stands on an earlier line too"),
    ({"source": "x", "id": "__metadata__"}, "cannot be used"), ("[]", "line 2 is a list"), ("{", "line 2: ")])
def test_requests_that_cannot_be_used(row: object, expected: str, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "in.jsonl", {"id": "1", "source": "a"}, row)
    with pytest.raises(DataError, match=expected):
        read_requests(path, tiny.TASK, "python")


def test_requests_need_a_language_and_a_file(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "in.jsonl", {"source": "a"})
    with pytest.raises(DataError, match='line 1 states no "language"; put one there, or give --language, one of: '):
        read_requests(path, tiny.TASK)
    with pytest.raises(DataError, match="no requests file"):
        read_requests(tmp_path / "absent", tiny.TASK)
    with pytest.raises(DataError, match="holds no requests"):
        read_requests(write_lines(tmp_path / "in.jsonl"), tiny.TASK)


# The commands


def exported(run: Path, model: Path | str, *flags: str | Path) -> int:
    return command_line(export.main, ["--run", str(run), "--model", str(model), *map(str, flags)])


def test_an_encoder_decoder_cannot_be_served_so(
        run: Path, model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_lines(tmp_path / "in.jsonl", {"source": f"x = 1\n{tiny.TASK.placeholder}", "language": "python"})
    capsys.readouterr()
    assert exported(run, model_folder, "--embeddings", path, "--to-embeddings", tmp_path / "out") == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1 and "is an encoder-decoder (t5)" in message and "decoder-only models alone" in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("model_type", ["llama", "mamba"])
def test_a_server_answers_to_the_file_as_the_model_to_the_request(
        model_type: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The server is transformers' own generation from input embeddings, request by request."""
    model_folder = tiny_families.write_family(tmp_path / "model", model_type)
    backbone = load_backbone(str(model_folder), "float32", device="cpu")
    torch.manual_seed(1)
    model = TransducerModel(backbone, TransducerSettings(fusion=INPUT_FUSION, prompts=3, rank=8))
    with torch.no_grad():
        for parameter in model.trainable().values():
            parameter.add_(torch.randn_like(parameter))
    model.save_pretrained(tmp_path / "transducer", task="assert")
    examples = tiny.examples(3)
    path = write_lines(tmp_path / "in.jsonl", *({"id": each.id, "source": each.source, "language": each.language} for each in examples))
    out = tmp_path / "out.safetensors"
    flags = ["--embeddings", path, "--to-embeddings", out, "--max-source-tokens", str(tiny.SOURCE_TOKENS)]
    assert exported(tmp_path / "transducer", model_folder, *flags) == 0
    assert command_line(main, ["verify", str(out), "--model", str(model_folder)]) == 0
    assert "3 requests" in capsys.readouterr().out
    embeddings, facts = read_prompt_embeddings(out, width=backbone.width)
    assert facts["model"] == str(model_folder) and facts["model_fingerprint"] == backbone.fingerprint and facts["task"] == "assert"
    served = AutoModelForCausalLM.from_pretrained(model_folder).eval()
    settings = GenerationConfig(max_new_tokens=6, do_sample=False, pad_token_id=0, eos_token_id=backbone.tokenizer.eos_token_id)
    preparer = Preparer(backbone, tiny.TASK, tiny.SOURCE_TOKENS, 6)
    for example, answer in zip(examples, predict(model, preparer, [(each.source, each.language) for each in examples], beams=1)):
        prompt = embeddings[example.id][None]
        ids = served.generate(inputs_embeds=prompt, attention_mask=torch.ones(prompt.shape[:2], dtype=torch.long), generation_config=settings)
        assert preparer.text.decode(ids[0]) == answer


def test_flags_that_do_not_fit(run: Path, model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert exported(run, model_folder, "--embeddings", "in.jsonl") == 2
    assert exported(run, model_folder, "--to", tmp_path / "x", "--to-embeddings", "out") == 2
    assert capsys.readouterr().err.count("go together; give both") == 2
    (tmp_path / "out").write_text("mine")
    assert exported(run, model_folder, "--embeddings", "in.jsonl", "--to-embeddings", tmp_path / "out") == 1
    assert "exists; give --overwrite" in capsys.readouterr().err


def test_verify_checks_a_file_and_its_model(
        model: TransducerModel, model_folder: Path, other_model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "out.safetensors"
    example = tiny.examples(1)[0]
    found = fused_prompts(model, tiny.preparer(model.backbone), [Request("1", example.source, example.language)])
    write_prompt_embeddings(path, found, FACTS | {"model_fingerprint": model.backbone.fingerprint})
    capsys.readouterr()
    assert command_line(main, ["verify", str(path), "--model", str(model_folder)]) == 0
    assert "1 requests, [sequence, 32] float32, all finite" in capsys.readouterr().out
    assert command_line(main, ["verify", str(path), "--model", str(other_model_folder)]) == 1
    assert "was made for someone/llm" in capsys.readouterr().out
    path.write_bytes(path.read_bytes()[:-1])
    assert command_line(main, ["verify", str(path)]) == 1
    assert "truncated" in capsys.readouterr().out
