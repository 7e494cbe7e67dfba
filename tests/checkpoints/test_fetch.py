"""Fetching a model: the real command with pip on a folder of wheels, what it writes, and what keeps it from writing."""
from __future__ import annotations

import copy
import errno
import inspect
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import checkpoints
import tasks.cache
import transducer.storage
from checkpoints import conversion, errors, fetch, fetchable, wheel
from checkpoints.cache import cache_place
from checkpoints.fetchable import FETCHABLE, RECORD_FILE

pytest.importorskip("gguf", reason="needs the extra `fetch`")

from .tiny_gguf import CHAT_TEMPLATE, POSITIONS, SPECIAL, TOKENS, write_gguf, write_wheel  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
NAME = "tiny-llama"
CODE = "def reverse(text):\n    return  text[2:10]\n    1"


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, torch.nn.Module, fetchable.FetchableModel]:
    """A folder with one wheel in it, the model inside of the wheel, its entry."""
    folder = tmp_path_factory.mktemp("shelf")
    gguf = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    model = write_gguf(gguf)
    return folder, model, write_wheel(folder, gguf)


@pytest.fixture(autouse=True)
def registry(shelf, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """pip asks nothing but the shelf, the table knows its wheel, and the cache is empty."""
    offer(monkeypatch, shelf[0])
    monkeypatch.setitem(FETCHABLE, NAME, shelf[2])
    monkeypatch.setenv("TRANSDUCER_CACHE", str(tmp_path / "cache"))


def offer(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))


@pytest.fixture(scope="module")
def fetched(shelf, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("fetched") / "model"
    with pytest.MonkeyPatch.context() as patch:
        offer(patch, shelf[0])
        patch.setitem(FETCHABLE, NAME, shelf[2])
        assert fetch.main([NAME, "--to", str(folder), "--quiet"]) == 0
    yield folder


@pytest.fixture
def copied(fetched: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(fetched, tmp_path / "copied"))


def load(folder: Path, dtype="auto"):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, local_files_only=True).eval()


def tokenizer_of(folder: Path):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def refused(capfd: pytest.CaptureFixture, arguments: list[str], code: int = 1) -> str:
    """The one line that the command ends with, having failed with `code`."""
    assert fetch.main([*arguments, "--quiet"]) == code
    captured = capfd.readouterr()
    assert not captured.out
    lines = captured.err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), captured.err
    return lines[0]


# What is written


def test_the_weights_are_those_of_the_file_rounded_to_bfloat16(shelf, fetched: Path) -> None:
    model = load(fetched)
    expected = shelf[1].state_dict()
    assert model.state_dict().keys() == expected.keys() and len(expected) == 2 + 1 + 9 * 2
    for name, value in model.state_dict().items():
        assert value.dtype == torch.bfloat16
        assert torch.equal(value, expected[name].to(torch.bfloat16)), name


def test_the_converted_model_computes_what_the_model_in_the_file_does(shelf, fetched: Path) -> None:
    ids = tokenizer_of(fetched)(CODE, return_tensors="pt").input_ids
    rounded = copy.deepcopy(shelf[1])
    with torch.no_grad():
        for parameter in rounded.parameters():
            parameter.copy_(parameter.to(torch.bfloat16))
        models = load(fetched, torch.float32), rounded, shelf[1]
        actual, expected, unrounded = (model(input_ids=ids).logits for model in models)
    assert torch.allclose(actual, expected, atol=1e-4)
    # bfloat16 keeps 8 bits of a weight, 0.4 %, which two layers of large random weights make more of: 2.6 % by this test.
    assert (actual - unrounded).norm() < 0.05 * unrounded.norm()


def test_tied_embeddings_stay_tied_and_nothing_counts_as_quantised(fetched: Path) -> None:
    model = load(fetched)
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    config = json.loads((fetched / "config.json").read_text())
    assert config["tie_word_embeddings"] is True and config["dtype"] == "bfloat16" and "quantization_config" not in config
    assert config["rope_parameters"]["rope_theta"] == 5000.0
    model.save_pretrained(fetched.parent / "again")  # a model loaded from a GGUF file refuses this
    assert (fetched.parent / "again" / "model.safetensors").read_bytes() == (fetched / "model.safetensors").read_bytes()


def test_the_tokenizer_is_fast_and_has_the_tokens_of_the_file(fetched: Path) -> None:
    tokenizer = tokenizer_of(fetched)
    assert tokenizer.is_fast and len(tokenizer) == len(TOKENS) and tokenizer.model_max_length == POSITIONS
    assert tokenizer.convert_ids_to_tokens(range(len(TOKENS))) == TOKENS
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id, tokenizer.unk_token_id) == (1, 2, 2, 0)
    generation = load(fetched).generation_config
    assert (generation.eos_token_id, generation.pad_token_id) == (2, 2)
    encoded = tokenizer(CODE, return_offsets_mapping=True)
    assert "".join(CODE[begin:end] for begin, end in encoded.offset_mapping) == CODE
    assert tokenizer.decode(encoded.input_ids) == CODE
    assert all(len(tokenizer(token).input_ids) == 1 for token in SPECIAL)
    assert tokenizer.decode(tokenizer("a<|im_end|>b<repo_name>").input_ids, skip_special_tokens=True) == "ab"
    message = {"role": "user", "content": "hello"}
    assert tokenizer.apply_chat_template([message], tokenize=False) == "<|im_start|>hello<|im_end|>"
    assert tokenizer.chat_template == CHAT_TEMPLATE


def test_text_is_split_in_the_way_that_the_file_names(fetched: Path, tmp_path: Path) -> None:
    # "smollm": digits first, each alone. So a space before a digit stays with the spaces before it.
    assert tokenizer_of(fetched).tokenize("de  12\n    1") == ["de", "ĠĠ", "1", "2", "ĊĠĠĠĠ", "1"]
    write_gguf(tmp_path / "tiny.gguf", splitter="gpt-2")
    plain = conversion.build_tokenizer(tmp_path / "tiny.gguf", POSITIONS)
    assert plain.tokenize("de  12") == ["de", "Ġ", "Ġ", "1", "2"]


def test_the_folder_says_what_it_is(shelf, fetched: Path) -> None:
    entry = shelf[2]
    assert sorted(path.name for path in fetched.iterdir()) == [
        "LICENSE", "README.md", "chat_template.jinja", "config.json", "fetched.json", "generation_config.json",
        "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
    assert (fetched / "LICENSE").read_text() == "Do what you like.\n"
    card = (fetched / "README.md").read_text()
    record = json.loads((fetched / RECORD_FILE).read_text())
    for fact in (entry.original, entry.licence, entry.package, entry.wheel_sha256, record["gguf_sha256"],
                 record["files"]["model.safetensors"], "tied to the output layer", "python -m checkpoints.fetch"):
        assert fact in card, fact
    assert record["files"].keys() == {path.name for path in fetched.iterdir()} - {RECORD_FILE}
    assert {path.stat().st_mode & 0o777 for path in fetched.iterdir()} == {(fetched / "config.json").stat().st_mode & 0o777}


# Where it is found


def test_a_second_call_finds_the_model_and_asks_nobody(monkeypatch, capfd, tmp_path: Path) -> None:
    assert fetch.main([NAME, "--json"]) == 0
    captured = capfd.readouterr()
    answer = json.loads(captured.out)
    assert answer["folder"] == str(tmp_path / "cache" / "models" / NAME) and answer["already_there"] is False
    assert "downloading tiny-wheel 1.0" in captured.err and "converting" in captured.err
    assert [path.name for path in (tmp_path / "cache" / "models").iterdir()] == [NAME]
    monkeypatch.setattr(wheel.subprocess, "run", None)
    assert fetch.main([NAME]) == 0
    captured = capfd.readouterr()
    assert captured.out.startswith(f"{answer['folder']}: {NAME}, ") and captured.out.endswith("already there\n")
    assert not captured.err


def test_a_fetched_model_has_a_path_and_one_that_is_not_names_the_command(fetched: Path, tmp_path: Path) -> None:
    with pytest.raises(errors.MissingModelError, match=f"run: python -m checkpoints.fetch {NAME}$") as caught:
        checkpoints.path(NAME)
    assert isinstance(caught.value, FileNotFoundError) and "\n" not in str(caught.value)
    folder = tmp_path / "cache" / "models" / NAME
    shutil.copytree(fetched, folder)
    assert checkpoints.path(NAME) == folder
    (folder / RECORD_FILE).unlink()
    with pytest.raises(errors.MissingModelError):
        checkpoints.path(NAME)


def test_names_are_listed_with_the_nearest() -> None:
    assert checkpoints.names()[0] == "codet5-tiny" and {NAME, "smollm2-135m"} < set(checkpoints.names())
    with pytest.raises(errors.UnknownModelError) as caught:
        checkpoints.path("smollm2-135")
    assert str(caught.value) == (f"unknown model 'smollm2-135', expected one of codet5-tiny, smollm2-135m, {NAME}; "
                                 "did you mean 'smollm2-135m'?")


def test_all_packages_have_one_cache_folder(monkeypatch, tmp_path: Path) -> None:
    assert cache_place() == tasks.cache.cache_folder() == transducer.storage.cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("TRANSDUCER_CACHE")
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    assert cache_place() == tmp_path / "home" / ".cache" / "transducer"
    assert cache_place() == tasks.cache.cache_folder() == transducer.storage.cache_folder()


def test_every_entry_is_complete() -> None:
    for name, entry in FETCHABLE.items():
        assert len(entry.wheel_sha256) == 64 and int(entry.wheel_sha256, 16), name
        assert entry.peak_bytes > entry.wheel_bytes and entry.gguf.endswith(".gguf"), name
        assert entry.licence_file.split("/")[0] == f"{entry.package.replace('-', '_')}-{entry.version}.dist-info", name
        assert name not in checkpoints.EMBEDDED_MODELS


# What keeps it from writing


def test_an_unknown_name_lists_the_table(capfd) -> None:
    assert refused(capfd, ["tiny-lama"], code=2).endswith("did you mean 'tiny-llama'?")
    assert "smollm2-135m" in refused(capfd, ["what"], code=2)
    assert "it is embedded and needs no fetching" in refused(capfd, ["codet5-tiny"], code=2)


def test_the_help_lists_the_table(capsys) -> None:
    with pytest.raises(SystemExit) as caught:
        fetch.main(["--help"])
    assert caught.value.code == 0
    assert "smollm2-135m" in capsys.readouterr().out


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A folder to write beside, in which nothing may be left."""
    folder = tmp_path / "place"
    folder.mkdir()
    yield folder
    assert not list(folder.iterdir())


def test_no_registry_can_be_reached(monkeypatch, capfd, place: Path) -> None:
    with socket.socket() as closed:  # bound, not listening: connections are refused
        closed.bind(("127.0.0.1", 0))
        monkeypatch.delenv("PIP_NO_INDEX")
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{closed.getsockname()[1]}/simple")
        monkeypatch.setenv("PIP_FIND_LINKS", "")
        monkeypatch.setenv("PIP_RETRIES", "0")
        line = refused(capfd, [NAME, "--to", str(place / "model")])
    assert re.search(r"the package registry cannot be reached \(http://127\.0\.0\.1:\d+/simple/tiny-wheel/: [^()]*"
                     r"Connection refused\); tiny-wheel 1\.0 is needed once: .* copy the folder$", line), line


def test_no_registry_has_the_version(monkeypatch, shelf, capfd, place: Path) -> None:
    monkeypatch.setitem(FETCHABLE, NAME, shelf[2]._replace(version="2.0"))
    line = refused(capfd, [NAME, "--to", str(place / "model")])
    assert "offers tiny-wheel 2.0" in line and "from versions: 1.0" in line


def test_another_wheel_than_the_pinned_one(monkeypatch, shelf, capfd, place: Path) -> None:
    monkeypatch.setitem(FETCHABLE, NAME, shelf[2]._replace(wheel_sha256="0" * 64))
    line = refused(capfd, [NAME, "--to", str(place / "model")])
    assert f"its SHA-256 is {shelf[2].wheel_sha256}, expected {'0' * 64}" in line


def test_a_truncated_wheel(monkeypatch, shelf, capfd, place: Path, tmp_path: Path) -> None:
    whole = next(shelf[0].iterdir())
    short = tmp_path / "short" / whole.name
    short.parent.mkdir()
    short.write_bytes(whole.read_bytes()[:1000])
    offer(monkeypatch, short.parent)
    assert "pip could not download tiny-wheel 1.0: Wheel 'tiny-wheel'" in refused(capfd, [NAME, "--to", str(place / "model")])
    with pytest.raises(errors.FetchError, match=r"is truncated: got 1,000 bytes, expected [\d,]+; run the command again"):
        wheel.check(shelf[2], short)
    with pytest.raises(errors.FetchError, match="cannot be read"):
        wheel.extract(short, shelf[2].gguf, tmp_path / "out")


def test_a_wheel_without_the_file(monkeypatch, shelf, capfd, place: Path) -> None:
    monkeypatch.setitem(FETCHABLE, NAME, shelf[2]._replace(gguf="tiny_wheel/other.gguf"))
    assert "holds no tiny_wheel/other.gguf" in refused(capfd, [NAME, "--to", str(place / "model")])


def test_too_little_space_is_seen_before_the_download(monkeypatch, shelf, capfd, place: Path) -> None:
    monkeypatch.setitem(FETCHABLE, NAME, shelf[2]._replace(peak_bytes=10**18))
    monkeypatch.setattr(wheel.subprocess, "run", None)
    assert "takes 1,000,000,000,000 MB of disk space" in refused(capfd, [NAME, "--to", str(place / "model")])


def test_a_disk_that_fills_up_on_the_way(monkeypatch, capfd, place: Path) -> None:
    from safetensors import SafetensorError

    def full(*_) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def full_for_weights(*_) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    for failure in (full, full_for_weights):
        monkeypatch.setattr(conversion, "convert", failure)
        assert "no space left while writing" in refused(capfd, [NAME, "--to", str(place / "model")])
    assert wheel._failure(FETCHABLE[NAME], "ERROR: [Errno 28] No space left on device\n", "").startswith("no space left")


def test_a_place_that_cannot_be_written_to(capfd, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot write" in refused(capfd, [NAME, "--to", str(tmp_path / "file" / "model")])


@pytest.mark.parametrize(("package", "expected"), [
    ("gguf", "needs the package gguf, which is not installed; run: pip install 'transducer[fetch]'"),
    ("pip", "needs pip, which this Python does not have; run: python -m ensurepip"),
])
def test_a_missing_package_is_named_with_its_remedy(package: str, expected: str, monkeypatch, capfd, place: Path) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    assert expected in refused(capfd, [NAME, "--to", str(place / "model")])


@pytest.mark.parametrize(("options", "expected"), [
    ({"without": "blk.1.ffn_up.weight"}, "lacks 1 tensors of its architecture, the first is model.layers.1.mlp.up_proj.weight"),
    ({"splitter": "other"}, "splits text in the way 'other', expected one of default, gpt-2, smollm; add an entry to"),
    ({"surplus_tokens": 3}, f"has {len(TOKENS) + 3} entries, its embeddings have {len(TOKENS)} rows"),
])
def test_a_file_that_cannot_be_converted(options: dict, expected: str, monkeypatch, capfd, place: Path, tmp_path: Path) -> None:
    write_gguf(tmp_path / "tiny.gguf", **options)
    (tmp_path / "other").mkdir()
    monkeypatch.setitem(FETCHABLE, NAME, write_wheel(tmp_path / "other", tmp_path / "tiny.gguf"))
    offer(monkeypatch, tmp_path / "other")
    assert expected in refused(capfd, [NAME, "--to", str(place / "model")])


def test_a_folder_of_something_else_is_left_alone(capfd, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    assert "holds something else than a fetched model; it was left alone" in refused(capfd, [NAME, "--to", str(folder)])
    assert [path.name for path in folder.iterdir()] == ["notes.txt"] and list(tmp_path.iterdir()) == [folder]


def test_a_damaged_copy_is_noticed(copied: Path, capfd) -> None:
    weights = bytearray((copied / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copied / "model.safetensors").write_bytes(weights)
    assert "is damaged: model.safetensors is not as it was written" in refused(capfd, [NAME, "--to", str(copied)])


def test_a_copy_of_another_version_is_noticed(copied: Path, monkeypatch, shelf, capfd) -> None:
    monkeypatch.setitem(FETCHABLE, NAME, shelf[2]._replace(version="2.0", wheel_sha256="0" * 64))
    line = refused(capfd, [NAME, "--to", str(copied)])
    assert f"holds {NAME} from tiny-wheel 1.0, not {NAME} from tiny-wheel 2.0; delete it" in line


def test_two_calls_at_once_end_with_one_whole_folder(fetched: Path, monkeypatch, tmp_path: Path) -> None:
    folder, convert = tmp_path / "place" / "model", conversion.convert

    def slow(*arguments) -> dict:
        shutil.copytree(fetched, folder)  # what a faster call leaves
        return convert(*arguments)

    monkeypatch.setattr(conversion, "convert", slow)
    assert fetch.fetch(NAME, folder).folder == folder
    assert list((tmp_path / "place").iterdir()) == [folder]


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_a_call_that_is_ended_from_outside_leaves_nothing(monkeypatch, place: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the connection and never answers
        silent.settimeout(60)
        monkeypatch.delenv("PIP_NO_INDEX")
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{silent.getsockname()[1]}/simple")
        command = subprocess.Popen(
            [sys.executable, "-m", "checkpoints.fetch", "smollm2-135m", "--quiet", "--to", str(place / "model")],
            cwd=ROOT, stderr=subprocess.PIPE, text=True)
        connection, _ = silent.accept()
        assert [path.name.startswith(".model.") for path in place.iterdir()] == [True]
        command.send_signal(signal.SIGTERM)
        _, said = command.communicate(timeout=60)
        connection.close()
    assert (command.returncode, said) == (130, "error: interrupted; nothing was written\n")


def test_the_errors_are_drawn_and_are_builtins_too() -> None:
    classes = [member for _, member in inspect.getmembers(errors, inspect.isclass) if issubclass(member, Exception)]
    assert len(classes) >= 9
    for error in classes:
        assert issubclass(error, errors.CheckpointError) and error.__name__ in errors.__doc__, error
        assert str(error("a message")) == "a message"


def test_the_command_starts_without_loading_anything_heavy() -> None:
    code = "import sys, checkpoints.fetch; print([n for n in ('torch', 'transformers', 'gguf', 'pip') if n in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
