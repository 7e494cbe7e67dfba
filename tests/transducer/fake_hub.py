"""A server on loopback that answers as the Hugging Face hub does where a repository is made, listed, written and read.

It holds its repositories in memory: branch -> commits, commit -> files. Tensor files go the way of large files (LFS), as the
hub's `.gitattributes` has it. Repositories answer 401 to those without a token when they are private or not there, as the hub.
"""
from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import yaml

TOKEN, READ_TOKEN = "hf_writer", "hf_reader"


class Repository:
    def __init__(self, private: bool = False, files: dict[str, bytes] | None = None):
        self.private = private
        self.commits: dict[str, dict[str, bytes]] = {}
        self.branches: dict[str, str] = {}
        self.messages: list[str] = []
        self.commit("main", {".gitattributes": b"*.safetensors filter=lfs\n", **(files or {})}, "initial commit")

    def commit(self, branch: str, files: dict[str, bytes], message: str) -> str:
        before = self.commits.get(self.branches.get(branch, ""), {})
        name = hashlib.sha1(f"{branch} {len(self.commits)}".encode()).hexdigest()
        self.commits[name] = before | files
        self.branches[branch] = name
        self.messages.append(message)
        return name

    def resolve(self, revision: str) -> str | None:
        return self.branches.get(revision, revision if revision in self.commits else None)


class FakeHub:
    """`repositories` by id, `requests` as "METHOD path"; `failing`: a status that every request is answered with."""

    def __init__(self, url: str):
        self.url = url
        self.repositories: dict[str, Repository] = {}
        self.large: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.failing = 0


class Refusal(Exception):
    def __init__(self, status: int, code: str = "", message: str = "refused"):
        self.status, self.code, self.message = status, code, message


class Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments) -> None:
        """Nothing on standard error."""

    def do_GET(self) -> None:
        self._answer("GET")

    def do_HEAD(self) -> None:
        self._answer("HEAD")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_PUT(self) -> None:
        self._answer("PUT")

    def _answer(self, method: str) -> None:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            self.body = b"".join(iter(self._chunk, b""))
        else:
            self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(f"{method} {path}")
        try:
            if self.hub.failing:
                raise Refusal(self.hub.failing, message="out of order")
            for pattern, act in ROUTES:
                if found := re.fullmatch(pattern, f"{method} {path}"):
                    return act(self, *found.groups())
            raise Refusal(404, "EntryNotFound", "no such page")
        except Refusal as refusal:
            self._send({"error": refusal.message}, refusal.status,
                       {"X-Error-Code": refusal.code, "X-Error-Message": refusal.message} if refusal.code else {})

    def _chunk(self) -> bytes:
        size = int(self.rfile.readline(), 16)
        data = self.rfile.read(size)
        self.rfile.readline()
        return data

    def _send(self, content: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), "Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    @property
    def token(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def _writer(self) -> None:
        if self.token != TOKEN:
            raise Refusal(403 if self.token == READ_TOKEN else 401, message="the token has no right to write")

    def _repository(self, name: str) -> Repository:
        repository = self.hub.repositories.get(name)
        if repository is None or repository.private and self.token not in (TOKEN, READ_TOKEN):
            raise Refusal(404 if self.token in (TOKEN, READ_TOKEN) else 401, "RepoNotFound", "Repository not found")
        return repository

    def _files(self, name: str, revision: str) -> tuple[str, dict[str, bytes]]:
        repository = self._repository(name)
        commit = repository.resolve(revision)
        if commit is None:
            raise Refusal(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return commit, repository.commits[commit]

    def create(self) -> None:
        self._writer()
        asked = json.loads(self.body)
        name = f"{asked['organization']}/{asked['name']}"
        if name in self.hub.repositories:
            return self._send({"error": "You already created this model repo", "url": f"{self.hub.url}/{name}"}, 409)
        self.hub.repositories[name] = Repository(asked.get("visibility") == "private")
        self._send({"url": f"{self.hub.url}/{name}", "name": name})

    def branch(self, name: str, branch: str) -> None:
        self._writer()
        repository = self._repository(name)
        if branch in repository.branches:
            return self._send({"error": "Reference already exists"}, 409)
        repository.branches[branch] = repository.branches["main"]
        self._send({})

    def info(self, name: str, revision: str | None) -> None:
        commit, files = self._files(name, revision or "main")
        self._send({"id": name, "_id": "0", "modelId": name, "sha": commit, "private": self._repository(name).private, "tags": [],
                    "downloads": 0, "likes": 0, "siblings": [{"rfilename": file} for file in files]})

    def tree(self, name: str, revision: str) -> None:
        _, files = self._files(name, revision)
        self._send([self._entry(file, content) for file, content in files.items()])

    def _entry(self, file: str, content: bytes) -> dict:
        entry = {"type": "file", "path": file, "size": len(content), "oid": git_hash(content)}
        if is_large(file):
            entry["lfs"] = {"oid": sha256(content), "size": len(content), "pointerSize": 130}
        return entry

    def validate(self) -> None:
        text = json.loads(self.body)["content"]
        front = re.match(r"---\n(.*?)^---\n", text, re.DOTALL | re.MULTILINE)
        fields = yaml.safe_load(front[1]) if front else {}
        wrong = [name for name in ("license", "pipeline_tag", "library_name") if not isinstance(fields.get(name, ""), str)]
        wrong += ["license"] if fields.get("license") == "no-such-license" else []
        errors = [{"message": f'"{name}" must be one of the known values'} for name in wrong]
        self._send({"errors": errors, "warnings": [] if front else [{"message": "empty or missing yaml metadata"}]},
                   400 if errors else 200)

    def preupload(self, name: str, revision: str) -> None:
        self._writer()
        _, files = self._files(name, revision)
        self._send({"files": [
            {"path": each["path"], "uploadMode": "lfs" if is_large(each["path"]) else "regular", "shouldIgnore": False,
             "oid": (sha256 if is_large(each["path"]) else git_hash)(files[each["path"]]) if each["path"] in files else None}
            for each in json.loads(self.body)["files"]]})

    def batch(self, name: str) -> None:
        self._writer()
        self._repository(name)
        self._send({"transfer": "basic", "objects": [
            {**each, "actions": {"upload": {"href": f"{self.hub.url}/large/{each['oid']}", "header": {}}}}
            for each in json.loads(self.body)["objects"]]})

    def upload(self, oid: str) -> None:
        assert sha256(self.body) == oid
        self.hub.large[oid] = self.body
        self._send({})

    def commit(self, name: str, branch: str) -> None:
        self._writer()
        lines = [json.loads(line) for line in self.body.splitlines()]
        files = {}
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.large[value["oid"]]
        repository = self._repository(name)
        commit = repository.commit(branch, files, lines[0]["value"]["summary"])
        self._send({"commitOid": commit, "commitUrl": f"{self.hub.url}/{name}/commit/{commit}", "hookOutput": ""})

    def file(self, name: str, revision: str, file: str) -> None:
        commit, files = self._files(name, revision)
        if file not in files:
            raise Refusal(404, "EntryNotFound", "Entry not found")
        content = files[file]
        etag = sha256(content) if is_large(file) else git_hash(content)
        self._send(content, headers={"ETag": f'"{etag}"', "X-Repo-Commit": commit, "X-Linked-Size": str(len(content)),
                                     "Content-Type": "application/octet-stream"})


NAME = r"([^/]+/[^/]+)"
ROUTES = (
    (r"POST /api/repos/create", Handler.create),
    (r"POST /api/validate-yaml", Handler.validate),
    (rf"POST /api/models/{NAME}/branch/(.+)", Handler.branch),
    (rf"POST /api/models/{NAME}/preupload/(.+)", Handler.preupload),
    (rf"POST /api/models/{NAME}/commit/(.+)", Handler.commit),
    (rf"POST /{NAME}\.git/info/lfs/objects/batch", Handler.batch),
    (r"PUT /large/(\w+)", Handler.upload),
    (rf"GET /api/models/{NAME}/tree/(.+)", Handler.tree),
    (rf"GET /api/models/{NAME}(?:/revision/(.+))?", Handler.info),
    (rf"(?:GET|HEAD) /{NAME}/resolve/([^/]+)/(.+)", Handler.file),
)


def is_large(file: str) -> bool:
    return file.endswith(".safetensors")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def git_hash(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@contextmanager
def running() -> Iterator[FakeHub]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub = FakeHub(f"http://127.0.0.1:{server.server_address[1]}")
    server.RequestHandlerClass = type("BoundHandler", (Handler,), {"hub": hub})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
