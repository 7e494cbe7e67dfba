"""Transducers on the hub: pushed to and fetched from a server on loopback, and every way in which that fails."""
from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pytest
import torch

from checkpoints.artefact import CARD_FILE, CONFIG_FILE, TENSOR_FILE, read_artefact
from checkpoints.errors import ArtefactError, MissingArtefactError
from tests.transducer import fake_hub, tiny
from tests.transducer.fake_hub import READ_TOKEN, TOKEN, FakeHub, Repository
from transducer import TransducerModel
from transducer.backbone import Backbone
from transducer.commands import command_line
from transducer.config import TransducerSettings
from transducer.errors import ConfigurationError, HubError
from transducer.export import main as export_main
from transducer.hub import FILES, located, push
from transducer.predict import main as predict_main

# huggingface_hub's own upload of large files without Xet uses an argument that its HTTP library has renamed.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
BASE = "someone/tiny-t5"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    """A hub of the test's own; huggingface_hub is online, without a token and with an empty cache."""
    constants = huggingface_hub.constants
    with fake_hub.running() as server:
        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        # The hub's other protocol for large files needs its own servers.
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        yield server
        huggingface_hub.close_session()


@pytest.fixture
def model(backbone: Backbone) -> TransducerModel:
    torch.manual_seed(1)
    backbone.name = BASE
    model = TransducerModel(backbone, TransducerSettings(prompts=2, rank=8))
    with torch.no_grad():
        for parameter in model.trainable().values():
            parameter.add_(torch.randn_like(parameter))
    model.recorded |= {"task": "assert", "languages": ["java"], "results": {"test loss": 1.5}}
    return model


@pytest.fixture
def folder(model: TransducerModel, tmp_path: Path) -> Path:
    model.save_pretrained(tmp_path / "saved")
    return tmp_path / "saved"


def refused(error: type[Exception], action, *arguments, **named) -> str:
    with pytest.raises(error) as caught:
        action(*arguments, **named)
    assert "\n" not in str(caught.value) and "hf_" not in str(caught.value)
    return str(caught.value)


def test_what_is_pushed_is_what_is_fetched(hub: FakeHub, model: TransducerModel, folder: Path) -> None:
    url = model.push_to_hub("me/mine", token=TOKEN, private=True, message="First")
    repository = hub.repositories["me/mine"]
    assert url == f"{hub.url}/me/mine/commit/{repository.branches['main']}"
    assert repository.private and repository.messages == ["initial commit", "First"]
    files = repository.commits[repository.branches["main"]]
    assert files.keys() == {".gitattributes", *FILES}
    assert all(files[name] == (folder / name).read_bytes() for name in FILES)
    fetched = TransducerModel.from_pretrained("me/mine", model.backbone, token=READ_TOKEN)
    assert fetched.task == "assert" and fetched.recorded["languages"] == ["java"]
    batch = tiny.batch_of(model.backbone, tiny.examples(2))
    with torch.no_grad():
        assert torch.equal(fetched(**batch).logits, model.eval()(**batch).logits)


def test_only_the_three_files_are_fetched_once(hub: FakeHub, folder: Path) -> None:
    push(folder, "me/mine", token=TOKEN)
    hub.repositories["me/mine"].commit("main", {"weights.bin": b"large"}, "more")
    hub.requests.clear()
    copy = located("me/mine")
    assert {path.name for path in copy.iterdir()} == set(FILES)
    assert not [request for request in hub.requests if "weights.bin" in request]
    assert sorted(request for request in hub.requests if request.startswith("GET /me/mine/resolve/"))
    hub.requests.clear()
    assert located("me/mine") == copy and not [request for request in hub.requests if request.startswith("GET /me")]


def test_revisions(hub: FakeHub, model: TransducerModel) -> None:
    model.push_to_hub("me/mine", token=TOKEN)
    first = hub.repositories["me/mine"].branches["main"]
    model.recorded["results"] = {"test loss": 1.25}
    model.push_to_hub("me/mine", token=TOKEN, revision="better")
    model.push_to_hub("me/mine", token=TOKEN, revision="better", license="mit")

    def found(revision: str | None) -> dict:
        return read_artefact(located("me/mine", revision)).config

    assert found(None)["results"] == found(first)["results"] == {"test loss": 1.5}
    assert found("better")["results"] == {"test loss": 1.25} and found("better")["license"] == "mit"
    assert TransducerModel.from_pretrained("me/mine", model.backbone, revision="better").recorded["license"] == "mit"
    assert "has no revision 'worse'" in refused(HubError, located, "me/mine", "worse")


def test_pushing_the_same_again_makes_no_commit(hub: FakeHub, folder: Path) -> None:
    first = push(folder, "me/mine", token=TOKEN)
    assert push(folder, "me/mine", token=TOKEN) == first
    assert len(hub.repositories["me/mine"].commits) == 2


def test_without_a_token(hub: FakeHub, folder: Path) -> None:
    message = refused(HubError, push, folder, "me/mine")
    assert "no token for" in message and "HF_TOKEN" in message and hub.requests == []


def test_the_token_of_the_environment(hub: FakeHub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    push(folder, "me/mine")
    assert "me/mine" in hub.repositories


@pytest.mark.parametrize("token", [READ_TOKEN, "hf_wrong"])
def test_a_token_without_the_right_to_write(token: str, hub: FakeHub, folder: Path) -> None:
    assert "refused the token (status 40" in refused(HubError, push, folder, "me/mine", token=token)
    assert hub.repositories == {}


def test_a_missing_or_private_repository(hub: FakeHub, folder: Path) -> None:
    message = refused(HubError, located, "me/absent")
    assert "no folder 'me/absent'" in message and "has no such repository, or it is private" in message and "HF_TOKEN" in message
    push(folder, "me/mine", token=TOKEN, private=True)
    assert "or it is private" in refused(HubError, located, "me/mine")
    assert located("me/mine", token=READ_TOKEN).is_dir()


def test_a_repository_of_something_else(hub: FakeHub, folder: Path) -> None:
    hub.repositories["me/model"] = Repository(files={"config.json": b"{}", "model.safetensors": b"x", CARD_FILE: b"# A model"})
    message = refused(HubError, push, folder, "me/model", token=TOKEN)
    assert "holds something else than a transducer (config.json, model.safetensors)" in message
    assert len(hub.repositories["me/model"].commits) == 1
    assert "holds something else" in refused(HubError, push, folder, "me/model", token=TOKEN, revision="other")
    assert hub.repositories["me/model"].branches.keys() == {"main"}
    assert f"holds no transducer (no {CONFIG_FILE})" in refused(MissingArtefactError, located, "me/model")


def test_a_repository_that_was_only_made(hub: FakeHub, folder: Path) -> None:
    hub.repositories["me/mine"] = Repository(files={CARD_FILE: b"---\nlicense: mit\n---\n"})
    push(folder, "me/mine", token=TOKEN)
    files = hub.repositories["me/mine"].commits[hub.repositories["me/mine"].branches["main"]]
    assert files[CARD_FILE] == (folder / CARD_FILE).read_bytes()


@pytest.mark.parametrize("damage", [lambda folder: (folder / CARD_FILE).unlink(), lambda folder: (folder / TENSOR_FILE).unlink(),
                                    lambda folder: (folder / TENSOR_FILE).write_bytes(b""), lambda folder: shutil.rmtree(folder)])
def test_a_folder_that_is_no_whole_transducer_is_not_pushed(damage, hub: FakeHub, folder: Path) -> None:
    damage(folder)
    assert str(folder) in refused((MissingArtefactError, ArtefactError), push, folder, "me/mine", token=TOKEN)
    assert hub.requests == []


@pytest.mark.parametrize("name", ["mine", "a/b/c", "me/", "/mine", "../mine", "me/mi ne"])
def test_what_is_no_id(name: str, hub: FakeHub, folder: Path) -> None:
    assert "is no hub id, expected user/name" in refused(ConfigurationError, push, folder, name, token=TOKEN)
    with pytest.raises(MissingArtefactError, match="expected a transducer folder"):
        TransducerModel.from_pretrained(name)
    assert hub.requests == []


def test_an_id_that_the_hub_does_not_take(hub: FakeHub, folder: Path) -> None:
    assert "--" in refused(HubError, push, folder, "me/mi--ne", token=TOKEN)


def test_a_license_that_the_hub_does_not_know(hub: FakeHub, model: TransducerModel) -> None:
    message = refused(HubError, model.push_to_hub, "me/mine", token=TOKEN, license="no-such-license")
    assert '"license" must be one of the known values' in message
    assert len(hub.repositories["me/mine"].commits) == 1


def test_the_hub_is_out_of_order(hub: FakeHub, folder: Path) -> None:
    hub.failing = 418
    assert "answered with status 418 (out of order" in refused(HubError, push, folder, "me/mine", token=TOKEN)


def test_no_network(hub: FakeHub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{free.getsockname()[1]}")
    for action in (lambda: located("me/mine"), lambda: push(folder, "me/mine", token=TOKEN)):
        assert "cannot be reached and there is no local copy" in refused(HubError, action)


def test_offline_the_local_copy_serves(hub: FakeHub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    push(folder, "me/mine", token=TOKEN)
    copy = located("me/mine")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert located("me/mine") == copy
    assert "(HF_HUB_OFFLINE is set)" in refused(HubError, located, "me/other")


def test_a_folder_comes_before_the_hub(hub: FakeHub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent.parent)
    name = f"{folder.parent.name}/{folder.name}"
    assert located(name) == Path(name) and hub.requests == []
    assert "a revision ('v1') is for transducers on the hub" in refused(ConfigurationError, located, name, "v1")


def test_a_base_model_that_others_cannot_load(hub: FakeHub, model: TransducerModel, model_folder: Path) -> None:
    model.backbone.name = str(model_folder)
    assert "give its hub id" in refused(ConfigurationError, model.push_to_hub, "me/mine", token=TOKEN)
    assert hub.requests == []
    model.push_to_hub("me/mine", token=TOKEN, base_model=BASE)
    fetched = read_artefact(located("me/mine"))
    assert fetched.config["backbone"]["name"] == BASE and str(model_folder) not in (fetched.folder / CARD_FILE).read_text()


def test_predict_takes_an_id(hub: FakeHub, model: TransducerModel, model_folder: Path, tmp_path: Path,
                             capsys: pytest.CaptureFixture[str]) -> None:
    model.push_to_hub("me/mine", token=TOKEN, revision="v1")
    path = tmp_path / "test_it.py"
    path.write_text(f"def test_it():\n    {tiny.TASK.placeholder}\n")
    arguments = ["--transducer", "me/mine", "--model", str(model_folder), "--max-target-tokens", "8", str(path)]
    assert command_line(predict_main, arguments) == 1
    assert "holds no transducer" in capsys.readouterr().err
    assert command_line(predict_main, ["--transducer-revision", "v1", *arguments]) == 0


def test_export_pushes(hub: FakeHub, run: Path, model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                       capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    arguments = ["--run", str(run), "--model", str(model_folder), "--base-model", BASE, "--license", "mit", "--to", str(tmp_path / "mine"),
                 "--push", "me/mine", "--push-revision", "v1", "--private"]
    assert command_line(export_main, arguments) == 0
    repository = hub.repositories["me/mine"]
    assert repository.private and f"pushed to {hub.url}/me/mine/commit/{repository.branches['v1']}" in capsys.readouterr().out
    files = repository.commits[repository.branches["v1"]]
    assert all(files[name] == (tmp_path / "mine" / name).read_bytes() for name in FILES)
    assert repository.messages[-1] == "Transducer for assert"
    assert CONFIG_FILE not in repository.commits[repository.branches["main"]]
