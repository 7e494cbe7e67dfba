"""Saved transducers on the Hugging Face hub, through huggingface_hub: fetched by id, and pushed.

A repository holds the three files of a transducer folder; nothing else of it is fetched, and nothing else in it is changed.
`HF_ENDPOINT` names another server, `HF_TOKEN` or `hf auth login` the token, `HF_HUB_OFFLINE` keeps everything local.
"""
from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from checkpoints.artefact import CARD_FILE, CONFIG_FILE, TENSOR_FILE, read_artefact
from checkpoints.artefact_card import HUB_ID
from checkpoints.errors import MissingArtefactError

from .errors import ConfigurationError, HubError

FILES = (CONFIG_FILE, TENSOR_FILE, CARD_FILE)
FRESH = {".gitattributes", ".gitignore", CARD_FILE, "LICENSE"}
"""Files of a repository that was only just made, on the hub's pages or by `create_repo`."""
NETWORK_LIBRARIES = ("httpx", "httpx2", "httpcore", "httpcore2", "requests", "urllib3")
"""What huggingface_hub speaks through, by release; their errors pass through it as they are."""
TOKEN_REMEDY = "log in with `hf auth login`, set HF_TOKEN, or give token="


def endpoint() -> str:
    """The hub that is spoken to."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def located(place: Path | str, revision: str | None = None, token: str | None = None) -> Path:
    """The folder of a saved transducer: the place itself, or, where it is no folder and of the form of a hub id, the local
    copy of that repository, which is fetched where it is not there already.

    Raises:
        ConfigurationError: a revision of a folder.
        HubError: the hub or the repository cannot be reached.
        MissingArtefactError: the repository holds no transducer.
    """
    name = str(place)
    if Path(name).exists() or not HUB_ID.fullmatch(name):
        if revision:
            raise ConfigurationError(f"a revision ({revision!r}) is for transducers on the hub, and {name} is a folder or no hub id; "
                                     "leave the revision out, or give an id such as user/name")
        return Path(name)
    from huggingface_hub import snapshot_download

    with _told(f"no folder {name!r}, and no transducer of that id can be fetched", name, revision, "give a folder or check the id"):
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=list(FILES), token=token, endpoint=endpoint(),
                                        library_name="transducer"))
    for file in (CONFIG_FILE, TENSOR_FILE):
        if not (folder / file).is_file():
            raise MissingArtefactError(f"repository {name!r} at {revision or 'main'} on {endpoint()} holds no transducer (no {file}); "
                                       "give the id of one that transducer.export --push made")
    return folder


def push(folder: Path, repo_id: str, *, revision: str | None = None, private: bool | None = None, token: str | None = None,
         message: str = "") -> str:
    """Commits the three files of a transducer folder to a repository, which is made where it is not there; the commit's address.

    Args:
        revision: a branch; made from `main` where it is not there.
        private: of a repository that is made; None: as the owner's settings have it.

    Raises:
        HubError: no token, no network, no right to write, or a repository that holds something else.
        ArtefactError, MissingArtefactError: the folder holds no whole transducer.
    """
    read_artefact(folder)
    if not (folder / CARD_FILE).is_file():
        raise MissingArtefactError(f"no {CARD_FILE} in {folder}; expected the model card that transducer.export writes")
    if not HUB_ID.fullmatch(repo_id):
        raise ConfigurationError(f"{repo_id!r} is no hub id, expected user/name with letters, digits, '-', '_' and '.'")
    from huggingface_hub import CommitOperationAdd, HfApi, get_token

    if not (token or get_token()):
        raise HubError(f"cannot push to {repo_id!r}: no token for {endpoint()}; {TOKEN_REMEDY}")
    api = HfApi(endpoint=endpoint(), token=token, library_name="transducer")
    with _told(f"cannot push to {repo_id!r}", repo_id, revision, "check the id and the token's rights"):
        api.create_repo(repo_id, private=private, exist_ok=True)
        branch = None if revision in (None, "main") else revision
        _check_place(api, repo_id, branch)
        if branch:
            api.create_branch(repo_id, branch=branch, exist_ok=True)
        commit = api.create_commit(
            repo_id, [CommitOperationAdd(path_in_repo=name, path_or_fileobj=folder / name) for name in FILES], revision=branch,
            commit_message=message or "Transducer")
    return str(commit.commit_url)


def _check_place(api, repo_id: str, branch: str | None) -> None:
    """Raises HubError where a repository holds something that is no transducer: its card must not be overwritten."""
    from huggingface_hub.errors import RevisionNotFoundError

    try:
        files = api.list_repo_files(repo_id, revision=branch)
    except RevisionNotFoundError:
        files = api.list_repo_files(repo_id)
    foreign = sorted(set(files) - FRESH)
    if foreign and CONFIG_FILE not in files:
        raise HubError(f"repository {repo_id!r} holds something else than a transducer ({', '.join(foreign[:3])}); nothing in it was "
                       "changed; give another id")


@contextmanager
def _told(what: str, repo_id: str, revision: str | None, remedy: str) -> Iterator[None]:
    """Errors of huggingface_hub and of the network as one HubError that says what to do."""
    try:
        yield
    except HubError:
        raise
    except Exception as error:
        reason = _reason(error, repo_id, revision, remedy)
        if reason is None:
            raise
        raise HubError(f"{what}: {reason}") from error


def _reason(error: Exception, repo_id: str, revision: str | None, remedy: str) -> str | None:
    """What went wrong and what to do; None where it is no error of the hub."""
    from huggingface_hub import errors

    if type(error) is RuntimeError and isinstance(error.__cause__, Exception):
        error = error.__cause__  # of the upload of one file
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, errors.RevisionNotFoundError):
        return f"the repository has no revision {revision!r}; give a branch, a tag or a commit of it"
    if isinstance(error, errors.GatedRepoError):
        return f"the repository is gated; ask for access on {endpoint()}/{repo_id}, then {TOKEN_REMEDY}"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"{endpoint()} has no such repository, or it is private and no token reaches it; {remedy}, or {TOKEN_REMEDY}"
    if status in (401, 403):
        return f"{endpoint()} refused the token (status {status}); use one with the right to write to {repo_id}: {TOKEN_REMEDY}"
    if isinstance(error, (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError)) or _of_network(error):
        offline = " (HF_HUB_OFFLINE is set)" if _is_offline() else ""
        return f"{endpoint()} cannot be reached{offline} and there is no local copy to use; check the network, or give a folder"
    if isinstance(error, errors.HfHubHTTPError):
        return f"{endpoint()} answered with status {status} ({_line(getattr(error, 'server_message', None) or error)}); try again later"
    if isinstance(error, errors.HFValidationError) or isinstance(error, ValueError):
        return f"{_line(error)}; {remedy}"
    return None


def _of_network(error: Exception) -> bool:
    return type(error).__module__.split(".")[0] in NETWORK_LIBRARIES or isinstance(error, ConnectionError)


def _is_offline() -> bool:
    from huggingface_hub.constants import is_offline_mode

    return is_offline_mode()


def _line(text: object) -> str:
    return " ".join(str(text).split())
