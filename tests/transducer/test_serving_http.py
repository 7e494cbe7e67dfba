"""The server over HTTP on loopback: answers, errors, streams, limits, the token, transducers that come and go, the end."""
from __future__ import annotations

import gc
import http.client
import json
import shutil
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.transducer import served
from tests.transducer.served import Gate, Live, code_for, live, until
from transducer.serving.jobs import Job
from transducer.serving.transducers import Transducers

TOKEN = "correct-horse-battery"


@pytest.fixture(scope="module")
def folders(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return served.saved(model_folder, tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def transducers(model_folder: Path, folders: dict[str, Path]) -> Transducers:
    return served.table(model_folder, folders, max_code_bytes=4000, max_beams=4, max_new_tokens=64, batch_size=4)


@pytest.fixture(scope="module")
def server(transducers: Transducers) -> Iterator[Live]:
    with live(transducers) as running:
        yield running


def events_of(text: str) -> list[tuple[str, dict]]:
    blocks = [block.split("\n") for block in text.strip().split("\n\n")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]


# ---------------------------------------------------------------------------------------------------- answers
def test_requests_at_the_same_time_are_answered_together_and_as_alone(server: Live) -> None:
    plans = [(name, number) for number in (1, 5) for name in served.TASKS]
    alone = {plan: server.answer(*plan, beams=2, max_new_tokens=8) for plan in plans}
    gate = Gate(server.service)
    with ThreadPoolExecutor(9) as clients:
        first = clients.submit(server.answer, "assert", 0, max_new_tokens=2)
        gate.wait()
        found = {plan: clients.submit(server.answer, *plan, beams=2, max_new_tokens=8) for plan in plans}
        until(lambda: server.service.batcher.waiting == len(plans))  # an input that is being made would miss its batch
        gate.open()
        first.result()
        together = {plan: future.result() for plan, future in found.items()}
    for plan in plans:
        assert together[plan]["answer"] == alone[plan]["answer"]
        assert together[plan]["batch"]["requests"] == 4 and alone[plan]["batch"]["requests"] == 1
    assert max(body["batch"]["transducers"] for body in together.values()) > 1
    assert len({body["answer"] for body in together.values()}) > 4
    assert len({body["id"] for body in together.values()}) == len(plans)


def test_what_an_answer_says_about_itself(server: Live) -> None:
    body = server.answer("summarize", 4, beams=1, max_new_tokens=3)
    assert (body["transducer"], body["task"], body["language"], body["truncated"]) == ("summarize", "summarize", "java", False)
    assert body["output_tokens"] <= 3 and body["finish"] in ("end", "length") and body["explanation"] is None
    assert body["input_tokens"] == len(server.service.transducers.choose("summarize", None).preparer.text.encode_source(
        code_for("summarize", 4), server.service.transducers.choose("summarize", None).task.frame("java")).token_ids)
    assert 0 <= body["seconds"]["queue"] <= body["seconds"]["total"]
    status, by_task = server.generate(task="summarize", language="java", code=code_for("summarize", 4), options={"beams": 1, "max_new_tokens": 3})
    assert status == 200 and by_task["answer"] == body["answer"]


def test_a_stream_brings_the_text_piece_by_piece(server: Live) -> None:
    expected = server.answer("assert", 3, beams=1, max_new_tokens=10)
    body = {"transducer": "assert", "language": "java", "code": code_for("assert", 3), "options": {"beams": 1, "max_new_tokens": 10, "stream": True}}
    status, text, headers = server.call("POST", "/v1/generate", body)
    assert status == 200 and headers["content-type"].startswith("text/event-stream")
    *pieces, (name, last) = events_of(text)
    assert name == "done" and last["answer"] == expected["answer"]
    assert {kind for kind, _ in pieces} == {"text"} and len(pieces) > 3
    assert "".join(data["text"] for _, data in pieces) == expected["answer"]


def test_a_stream_of_beams_brings_the_final_text_alone(server: Live) -> None:
    body = {"transducer": "repair", "language": "java", "code": code_for("repair", 7), "options": {"beams": 2, "max_new_tokens": 8, "stream": True}}
    ((name, last),) = events_of(server.call("POST", "/v1/generate", body)[1])
    assert name == "done" and last["answer"] == server.answer("repair", 7, beams=2, max_new_tokens=8)["answer"]


def test_an_error_within_a_stream_is_an_event(server: Live) -> None:
    body = {"transducer": "assert", "language": "java", "code": "int f;", "options": {"stream": True}}
    ((name, last),) = events_of(server.call("POST", "/v1/generate", body)[1])
    assert name == "error" and last["error"]["type"] == "malformed" and "placeholder" in last["error"]["message"]


def test_an_explanation_comes_where_it_is_asked_for(server: Live) -> None:
    found = server.answer("assert", 3, max_new_tokens=2, explain=True)["explanation"]
    assert found["code"] == code_for("assert", 3)
    assert [part["name"] for part in found["parts"]] == ["attention", "aligned", "prompts"]
    assert "<svg" in found["picture"]["svg"]
    assert server.answer("other", 3, max_new_tokens=2, explain=True)["explanation"]["parts"] == []


# ----------------------------------------------------------------------------------------------------- errors
GOOD = {"transducer": "summarize", "language": "java", "code": "int f() { return 1; }"}
BAD = [
    ({**GOOD, "transducer": "sumarize"}, 404, "unknown", "did you mean 'summarize'?"),
    ({"task": "translate", "language": "java", "code": "x"}, 404, "unknown", "served: assert (assert), summarize (summarize)"),
    ({"language": "java", "code": "x"}, 422, "malformed", "neither a task nor a transducer"),
    ({**GOOD, "task": "summarize"}, 422, "malformed", "give one of them"),
    ({"task": "assert", "language": "java", "code": "x"}, 422, "malformed", "has 2 transducers: assert, other"),
    ({**GOOD, "language": "cobol"}, 422, "malformed", "expected one of: "),
    ({"transducer": "summarize", "code": "x"}, 422, "malformed", "'language' is missing"),
    ({**GOOD, "code": "  \n"}, 422, "malformed", "'code' is empty"),
    ({**GOOD, "code": "\ud800"}, 422, "malformed", "no Unicode text"),
    ({**GOOD, "code": "é" * 2001}, 413, "too_large", "4,002 bytes, expected at most 4,000"),
    ({**GOOD, "code": 7}, 422, "malformed", "'code': Input should be a valid string"),
    ({**GOOD, "temperature": 1}, 422, "malformed", "'temperature'"),
    ({**GOOD, "options": {"beams": 9}}, 422, "malformed", "'options.beams' is 9, expected 1 to 4"),
    ({**GOOD, "options": {"beams": 0}}, 422, "malformed", "'options.beams'"),
    ({**GOOD, "options": {"beams": True}}, 422, "malformed", "'options.beams'"),
    ({**GOOD, "options": {"max_new_tokens": 65}}, 422, "malformed", "expected 1 to 64"),
    ({**GOOD, "transducer": "assert"}, 422, "malformed", "does not hold the placeholder"),
    ([], 422, "malformed", "cannot be understood"),
    (None, 422, "malformed", "cannot be understood"),
]


@pytest.mark.parametrize(("body", "status", "kind", "message"), BAD)
def test_what_cannot_be_answered_is_said_with_a_remedy(server: Live, body: object, status: int, kind: str, message: str) -> None:
    found, content, _ = server.call("POST", "/v1/generate", body)
    assert (found, set(content), set(content["error"])) == (status, {"error"}, {"type", "message"})
    assert content["error"]["type"] == kind and message in content["error"]["message"]
    assert "\n" not in content["error"]["message"]


@pytest.mark.parametrize(("method", "path", "raw", "status", "message"), [
    ("POST", "/v1/generate", b"{", 422, "the body: is no JSON"),
    ("POST", "/v1/generate", b"\xff\xfe", 422, "cannot be understood"),
    ("POST", "/v1/generate", b"[" * 20_000, 400, "send one JSON object"),
    ("GET", "/v1/generate", None, 405, "does not take GET"),
    ("GET", "/docs", None, 404, "no address '/docs'"),
])
def test_other_requests_that_are_wrong(server: Live, method: str, path: str, raw: bytes | None, status: int, message: str) -> None:
    found, content, _ = server.call(method, path, raw=raw)
    assert found == status and message in content["error"]["message"], content


def test_a_body_without_its_content_type(server: Live) -> None:
    status, content, _ = server.call("POST", "/v1/generate", GOOD, headers={"Content-Type": "text/plain"})
    assert status == 422 and content["error"]["type"] == "malformed"


def test_a_large_body_is_refused_by_its_announcement_and_as_it_comes(server: Live) -> None:
    most = server.service.settings.max_body_bytes
    status, content, _ = server.call("POST", "/v1/generate", headers={"Content-Length": str(10**12)}, raw=b"")
    assert status == 413 and f"more than {most:,} bytes" in content["error"]["message"]
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.sendall(b"POST /v1/generate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"x" * 4096
        for _ in range(most // len(chunk) + 2):
            client.sendall(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        assert client.recv(4096).startswith(b"HTTP/1.1 413 ")
    assert server.answer("summarize", 1, max_new_tokens=2)


def test_a_body_that_never_ends_is_given_up(transducers: Transducers) -> None:
    with live(transducers, time_limit=0.3) as server, socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.sendall(b"POST /v1/generate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
        assert client.recv(4096).startswith(b"HTTP/1.1 504 ")


def test_a_request_that_fails_inside_is_told_and_the_next_one_is_answered(server: Live, monkeypatch: pytest.MonkeyPatch,
                                                                         caplog: pytest.LogCaptureFixture) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(server.service.batcher, "_answer", lambda jobs: 1 / 0)
        for stream in (False, True):
            status, text, _ = server.call("POST", "/v1/generate", GOOD | {"options": {"stream": stream}})
            error = events_of(text)[0][1]["error"] if stream else text["error"]
            assert status == (200 if stream else 500)
            assert error == {"type": "failed", "message": "the answer failed; the log of the server says why"}
            assert "ZeroDivisionError" in caplog.text
            caplog.clear()
    assert server.answer("summarize", 1, max_new_tokens=2)


# ------------------------------------------------------------------------------------------- what is waited for
def test_overload_is_refused_with_a_time_to_come_back(transducers: Transducers) -> None:
    with live(transducers, queue_length=3) as server, ThreadPoolExecutor(4) as clients:
        gate = Gate(server.service)
        answers = [clients.submit(server.answer, "summarize", 0, max_new_tokens=2)]
        gate.wait()
        answers += [clients.submit(server.answer, "summarize", number, max_new_tokens=2) for number in range(3)]
        until(lambda: server.service.waiting == 3)
        assert server.metric("transducer_queue_length") == 3 and server.metric("transducer_running") == 1
        status, body, headers = server.call("POST", "/v1/generate", GOOD)
        assert status == 429 and body["error"]["type"] == "overloaded" and int(headers["retry-after"]) >= 1
        gate.open()
        assert all(future.result() for future in answers)
        assert server.metric('transducer_requests_total{outcome="overloaded"}') == 1
        assert server.metric('transducer_requests_total{outcome="answered"}') == 4


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_is_gone_has_its_work_dropped(transducers: Transducers, stream: bool) -> None:
    with live(transducers) as server:
        gate = Gate(server.service)
        with ThreadPoolExecutor(1) as clients:
            first = clients.submit(server.answer, "summarize", 0, max_new_tokens=2)
            gate.wait()
            leaving = http.client.HTTPConnection("127.0.0.1", server.port)
            leaving.request("POST", "/v1/generate", json.dumps(GOOD | {"options": {"stream": stream}}), {"Content-Type": "application/json"})
            until(lambda: server.service.waiting == 1)
            leaving.close()
            until(lambda: server.service.waiting == 0)
            gate.open()
            first.result()
        until(lambda: server.service.idle)
        assert server.metric('transducer_requests_total{outcome="gone"}') == 1
        until(lambda: not server.service.batcher.running)
        assert server.metric("transducer_batch_size_count") == 1


def test_a_client_that_leaves_while_its_answer_is_written_ends_it(transducers: Transducers) -> None:
    with live(transducers) as server:
        written: list[str] = []
        transducer = server.service.transducers.choose("assert", None)
        decode = transducer.preparer.text.decode
        noticed = threading.Event()

        def held(ids) -> str:
            written.append(decode(ids))
            assert len(written) < 5 or noticed.wait(20)
            return written[-1]

        transducer.preparer.text.decode = held
        try:
            leaving = http.client.HTTPConnection("127.0.0.1", server.port)
            body = {"transducer": "assert", "language": "java", "code": code_for("assert", 3), "options": {"beams": 1, "max_new_tokens": 64, "stream": True}}
            leaving.request("POST", "/v1/generate", json.dumps(body), {"Content-Type": "application/json"})
            assert leaving.getresponse().read1(20).startswith(b"event: text")
            leaving.close()
            until(lambda: server.service.idle)
            noticed.set()
            until(lambda: server.service.batcher.running == 0)
        finally:
            transducer.preparer.text.decode = decode
        assert 1 <= len(written) <= 5  # of 64
        assert server.metric('transducer_requests_total{outcome="gone"}') == 1


def test_an_answer_that_takes_too_long_is_given_up(transducers: Transducers) -> None:
    with live(transducers, time_limit=0.3) as server:
        gate = Gate(server.service)
        status, body, _ = server.call("POST", "/v1/generate", GOOD)
        assert status == 504 and body["error"]["type"] == "timed_out" and "within 0.3 s" in body["error"]["message"]
        ((name, last),) = events_of(server.call("POST", "/v1/generate", GOOD | {"options": {"stream": True}})[1])
        assert name == "error" and last["error"]["type"] == "timed_out"
        gate.open()
        assert server.metric('transducer_requests_total{outcome="timed_out"}') == 2


def test_it_ends_when_what_was_begun_is_done_and_refuses_the_rest(transducers: Transducers) -> None:
    with live(transducers) as server, ThreadPoolExecutor(3) as clients:
        gate = Gate(server.service)
        begun = [clients.submit(server.answer, "summarize", 0, max_new_tokens=2)]
        gate.wait()
        begun.append(clients.submit(server.answer, "repair", 1, max_new_tokens=2))
        until(lambda: server.service.waiting == 1)
        server.server.handle_exit(15, None)
        status, body, _ = server.call("POST", "/v1/generate", GOOD)
        assert status == 503 and body["error"]["type"] == "draining"
        assert server.call("GET", "/health")[:2][0] == 503
        assert not server.wait(0.5)
        gate.open()
        assert all(future.result()["answer"] is not None for future in begun)
        assert server.wait(20)


def test_what_does_not_end_in_time_is_given_up_at_the_end(transducers: Transducers) -> None:
    with live(transducers, drain=0.2) as server, ThreadPoolExecutor(1) as clients:
        gate = Gate(server.service)
        begun = clients.submit(server.call, "POST", "/v1/generate", GOOD)
        gate.wait()
        server.server.handle_exit(15, None)
        assert server.wait(20)
        gate.open()
        assert begun.exception() is not None or begun.result()[0] >= 500


# ------------------------------------------------------------------------------------------------- the rest
def test_nothing_of_a_request_is_kept(server: Live) -> None:
    for number in range(3):
        server.answer("assert", number, beams=1 + number % 2, max_new_tokens=3, explain=True)
        assert server.generate(**GOOD | {"transducer": "assert"})[0] == 422
    until(lambda: server.service.idle and not server.service.batcher.running)

    def kept() -> bool:
        gc.collect()
        return any(type(found) is Job for found in gc.get_objects())

    until(lambda: not kept())  # the thread of batches lets go of the last one on its way back to the queue


def test_health_and_figures(server: Live) -> None:
    before = server.metric('transducer_requests_total{outcome="answered"}'), server.metric('transducer_tokens_total{direction="generated"}')
    body = server.answer("summarize", 2, max_new_tokens=3)
    status, health, _ = server.call("GET", "/health")
    assert status == 200 and (health["status"], health["precision"], health["transducers"]) == ("ok", "float32", 4)
    _, text, headers = server.call("GET", "/metrics")
    assert headers["content-type"].startswith("text/plain")
    for name in ("transducer_batch_size_bucket", "transducer_queue_seconds_sum", "transducer_generate_seconds_count",
                 "transducer_request_seconds_bucket", "transducer_served 4.0", "transducer_queue_length 0.0"):
        assert name in text
    assert server.metric('transducer_requests_total{outcome="answered"}') == before[0] + 1
    assert server.metric('transducer_tokens_total{direction="generated"}') == before[1] + body["output_tokens"]


def test_the_description_of_the_interface(server: Live) -> None:
    status, described, _ = server.call("GET", "/openapi.json")
    assert status == 200
    assert set(described["paths"]) == {"/health", "/metrics", "/v1/generate", "/v1/transducers", "/v1/transducers/{name}"}
    assert "429" in described["paths"]["/v1/generate"]["post"]["responses"]
    assert {"task", "transducer", "code", "language", "options"} == set(described["components"]["schemas"]["GenerateRequest"]["properties"])


def test_without_a_token_nothing_can_be_added(server: Live) -> None:
    status, body, _ = server.call("POST", "/v1/transducers", {"name": "new", "folder": "assert"})
    assert status == 403 and "--token-file" in body["error"]["message"]
    assert server.call("DELETE", "/v1/transducers/assert")[0] == 403
    assert [found["name"] for found in server.call("GET", "/v1/transducers")[1]] == list(served.TASKS)


@pytest.mark.parametrize("token", ["", "wrong", TOKEN + "x", TOKEN[:-1], "é"])
def test_a_wrong_token_gets_nothing(transducers: Transducers, token: str) -> None:
    with live(transducers, TOKEN) as server:
        given = {"Authorization": f"Bearer {token}".encode().decode("latin-1")} if token else {}
        for method, path in (("POST", "/v1/generate"), ("GET", "/v1/transducers"), ("POST", "/v1/transducers"), ("DELETE", "/v1/transducers/assert")):
            status, body, headers = server.call(method, path, GOOD if method == "POST" else None, token="", headers=given)
            assert (status, headers["www-authenticate"]) == (401, "Bearer") and body["error"]["type"] == "unauthorised"
        assert server.call("GET", "/health", token="")[0] == 200 and server.call("GET", "/", token="")[0] == 200
        assert server.answer("summarize", 1, max_new_tokens=2)


def test_transducers_come_and_go(model_folder: Path, other_model_folder: Path, folders: dict[str, Path], tmp_path: Path) -> None:
    root = tmp_path / "root"
    for name in ("assert", "repair"):
        shutil.copytree(folders[name], root / "deep" / name)
    shutil.copytree(folders["summarize"], tmp_path / "outside")
    (root / "link").symlink_to(tmp_path / "outside")
    (root / "empty").mkdir()
    served.saved(other_model_folder, root / "foreign", {"assert": "aligned"})
    table = served.table(model_folder, {"assert": folders["assert"]}, root=str(root), max_transducers=2)
    with live(table, TOKEN) as server:
        def add(name: str, folder: str) -> tuple[int, str]:
            status, body, _ = server.call("POST", "/v1/transducers", {"name": name, "folder": folder})
            return status, body["error"]["message"] if status >= 400 else body["task"]

        for folder in ("../outside", str(tmp_path / "outside"), "link", ".", "deep/../../outside", ""):
            status, message = add("new", folder)
            assert status == (422 if not folder else 403), (folder, message)
        assert add("new", "a\0b")[0] == 422
        assert add("new", "empty") == (422, add("new", "empty")[1]) and "empty" in add("new", "empty")[1]
        assert "was made for" in add("new", "foreign/assert")[1]
        assert add("assert", "deep/assert")[0] == 409
        assert add("a/b", "deep/repair")[0] == 422
        assert add("fix", "deep/repair") == (201, "repair")
        assert add("more", "deep/assert")[0] == 429
        assert server.answer("fix", 3, max_new_tokens=3)["task"] == "repair"
        gate = Gate(server.service)
        with ThreadPoolExecutor(1) as clients:
            running = clients.submit(server.answer, "fix", 3, max_new_tokens=3)
            gate.wait()
            assert server.call("DELETE", "/v1/transducers/fix")[0] == 204
            gate.open()
            assert running.result()["transducer"] == "fix"
        assert server.call("DELETE", "/v1/transducers/fix")[0] == 404
        assert server.generate(transducer="fix", language="java", code="x")[0] == 404
        assert add("fix", "deep/repair")[0] == 201
