"""Who may ask: every route is tried without the token, from a web page, under another name, and with bodies that lie."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import time
import uuid
import zlib
from collections.abc import Iterable, Iterator

import numpy as np
import psutil
import pytest
from starlette.routing import BaseRoute, Route

from medsynth_core import wire
from medsynth_core.service.app import make_app
from medsynth_core.service.security import MAX_ARRAY_BYTES, MAX_JSON_BYTES, OPEN_ROUTES
from medsynth_core.volume import Volume
from tests.running import RunningService

IDS = dict.fromkeys(("job", "training", "examination"), "0" * 32)
PLACES = IDS | dict.fromkeys(("z", "step", "number"), "0") | {"sha256": "0" * 64, "model": "m"}


def routes() -> list[tuple[str, str]]:
    """Every (method, path) of the application itself, with something in each placeholder."""
    app = make_app(None)  # type: ignore[arg-type]  # its routes are asked for, not called
    found = []
    for route in _walk(app.routes):
        path = route.path.format_map(PLACES)
        found += [(method, path) for method in sorted(route.methods or ())]
    return found


def _walk(routes: Iterable[BaseRoute]) -> Iterator[Route]:
    for route in routes:
        if isinstance(route, Route):
            yield route
        else:
            yield from _walk(route.original_router.routes)  # type: ignore[attr-defined]  # how FastAPI keeps an included router


GUARDED = [route for route in routes() if route not in OPEN_ROUTES]


def test_the_routes_are_all_here() -> None:
    assert len(GUARDED) >= 37
    assert all(f"/v1/trainings/{'0' * 32}/{word}" in {path for _, path in GUARDED} for word in ("pause", "resume", "stop"))
    assert ("GET", "/v1/openapi.json") in GUARDED


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_every_route_answers_401_without_the_one_token(shared_service: RunningService, method: str, path: str) -> None:
    token = shared_service.token
    wrong = [
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Bearer {token}{token}",
        f"bearer {token}",
        f"Bearer  {token}",
        f"Basic {token}",
    ]
    for value in wrong:
        status, body = shared_service.raw(method, path, headers={"Authorization": value} if value else {})
        assert status == 401, (value[:10], body)
        assert method == "HEAD" or json.loads(body)["code"] == "unauthorized"


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_a_token_sent_twice_is_no_token(shared_service: RunningService, method: str, path: str) -> None:
    lines = [f"Authorization: Bearer {shared_service.token}"] * 2
    assert status_of(shared_service, method, path, lines) == 401


@pytest.mark.parametrize(("method", "path"), routes())
@pytest.mark.parametrize(
    "header", ["Origin: null", "Origin: http://127.0.0.1", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: none"]
)
def test_a_web_page_is_refused_even_with_the_token(shared_service: RunningService, method: str, path: str, header: str) -> None:
    assert status_of(shared_service, method, path, [f"Authorization: Bearer {shared_service.token}", header]) == 403


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:{port}", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "[::1]:{port}", ""]
)
def test_another_host_name_is_refused(shared_service: RunningService, host: str) -> None:
    lines = [f"Authorization: Bearer {shared_service.token}"]
    assert status_of(shared_service, "GET", "/v1/status", lines, host.format(port=shared_service.port)) == 421


def test_two_host_names_are_refused(shared_service: RunningService) -> None:
    lines = [f"Authorization: Bearer {shared_service.token}", f"Host: 127.0.0.1:{shared_service.port}"]
    assert status_of(shared_service, "GET", "/v1/status", lines) in (400, 421)


def test_an_unknown_path_tells_nothing_without_the_token(shared_service: RunningService) -> None:
    for path in ("/", "/docs", "/v1/", "/v1/status/", "/V1/status", "/v1//status", "/%2e%2e/etc/passwd"):
        assert shared_service.raw("GET", path)[0] == 401
        assert shared_service.ask("GET", path)[0] == 404


def test_no_method_slips_past_the_gate(shared_service: RunningService) -> None:
    for method in ("OPTIONS", "TRACE", "PATCH", "PROPFIND"):
        assert shared_service.raw(method, "/v1/status")[0] == 401
        assert shared_service.raw(method, "/healthz")[0] == 401


def test_hello_proves_the_token_without_telling_it(shared_service: RunningService) -> None:
    nonce = "ab" * 16
    status, body = shared_service.raw("GET", f"/v1/hello?nonce={nonce}")
    said = json.loads(body)
    proof = hmac.new(shared_service.token.encode(), (nonce + said["instance"]).encode(), hashlib.sha256).hexdigest()
    assert (status, said["proof"], said["instance"]) == (200, proof, shared_service.instance)
    assert shared_service.token not in body.decode()
    for wrong in ("", "zz" * 16, "ab", "a" * 129):
        assert shared_service.raw("GET", f"/v1/hello?nonce={wrong}")[0] == 422


def test_connection_file_is_for_the_user_alone(shared_service: RunningService) -> None:
    assert (shared_service.home / "connection.json").stat().st_mode & 0o777 == 0o600
    assert len(shared_service.token) == 64


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""])
def test_a_body_of_another_kind_is_refused(shared_service: RunningService, kind: str) -> None:
    headers = {"Authorization": f"Bearer {shared_service.token}"} | ({"Content-Type": kind} if kind else {})
    assert shared_service.raw("POST", "/v1/shutdown", b'{"force": true}', headers)[0] == 415
    assert shared_service.raw("PUT", "/v1/arrays/" + "0" * 64, b"x", headers)[0] == 415


def test_bodies_that_declare_too_much_are_refused_before_they_are_read(shared_service: RunningService) -> None:
    token, json_kind = f"Authorization: Bearer {shared_service.token}", "Content-Type: application/json"
    octets = "Content-Type: application/octet-stream"
    assert status_of(shared_service, "POST", "/v1/jobs", [token, json_kind, f"Content-Length: {MAX_JSON_BYTES + 1}"]) == 413
    array = "/v1/arrays/" + "0" * 64
    assert status_of(shared_service, "PUT", array, [token, octets, f"Content-Length: {MAX_ARRAY_BYTES + 1}"]) == 413
    assert status_of(shared_service, "PUT", array, [token, octets, "Content-Length: 9" + "9" * 30]) in (400, 413)
    assert status_of(shared_service, "PUT", array, [token, octets, "Transfer-Encoding: chunked"]) == 411
    assert status_of(shared_service, "POST", "/v1/jobs", [token, json_kind, "Content-Length: -5"]) in (400, 411)


BOMBS = [
    b"[" * 500_000,
    b'{"params":' * 60_000,
    b'{"engine":"fake","params":{' + b",".join(b'"k%d":1' % i for i in range(80_000)) + b"}}",
    b'{"seed":' + b"9" * 900_000 + b"}",
    b'{"engine":"' + b"x" * 900_000 + b'","model":"","inputs":{}}',
    b'{"seed":NaN}',
    b'{"seed":1e999}',
    b"\xff\xfe\x00",
    b"",
    b"null",
    b'"\\ud800"',
    b'{"engine":"fake","model":"","inputs":{},"note":"\\ud800"}',
]


@pytest.mark.parametrize("body", BOMBS, ids=range(len(BOMBS)))
def test_json_bombs_are_refused_quickly_with_a_short_sentence(shared_service: RunningService, body: bytes) -> None:
    shared_service.wait_ready()  # a worker that still starts would be no finding
    headers = {"Authorization": f"Bearer {shared_service.token}", "Content-Type": "application/json"}
    asked = time.monotonic()
    status, answer = shared_service.raw("POST", "/v1/jobs", body, headers | {"Idempotency-Key": uuid.uuid4().hex})
    assert time.monotonic() - asked < 2
    assert status in (400, 422), answer[:200]
    assert len(answer) < 1500
    assert shared_service.status()["worker"] == "ready"


def put(service: RunningService, content: bytes, name: str = "") -> tuple[int, dict[str, str]]:
    return service.ask("PUT", f"/v1/arrays/{name or wire.fingerprint(content)}", content)


def test_an_array_is_stored_once_and_can_be_asked_for(shared_service: RunningService) -> None:
    content = wire.encode(Volume(np.arange(64, dtype=np.int16).reshape(1, 1, 8, 8)))
    name = wire.fingerprint(content)
    assert shared_service.ask("HEAD", f"/v1/arrays/{name}")[0] == 404
    assert put(shared_service, content)[0] == 201
    assert put(shared_service, content)[0] == 200
    assert shared_service.ask("HEAD", f"/v1/arrays/{name}")[0] == 200


def test_bytes_that_are_not_what_their_name_says_are_refused(shared_service: RunningService) -> None:
    content = wire.encode(Volume(np.ones((1, 1, 8, 8), np.uint8)))
    status, problem = put(shared_service, content, "0" * 64)
    assert (status, problem["code"]) == (422, "bad_file")
    assert shared_service.ask("HEAD", "/v1/arrays/" + "0" * 64)[0] == 404


def forged(shape: list[int], voxels: bytes, encoding: str = "raw") -> bytes:
    return wire.header(tuple(shape), "uint8", np.eye(4), encoding) + voxels


LIES = [
    b"not an array",
    b"MSV1",
    b"MSV1\xff\xff\xff\xff",
    b"MSV1" + (4000).to_bytes(4, "little") + b"[" * 4000,
    forged([1, 1, 8, 8], bytes(63)),
    forged([1, 1, 8, 8], bytes(65)),
    forged([1, 65536, 65536, 1], b""),
    forged([1, 1, 8, 8], zlib.compress(bytes(65)), "zlib"),
    forged([1, 1, 8, 8], zlib.compress(bytes(64))[:-3], "zlib"),
    forged([1, 1, 8, 8], b"garbage", "zlib"),
    forged([1, 1, 1, 1], zlib.compress(bytes(2**28)), "zlib"),
    wire.header((1, 1, 2, 2), "uint8", np.zeros((4, 4))) + bytes(4),
]


@pytest.mark.parametrize("content", LIES, ids=range(len(LIES)))
def test_an_array_whose_header_lies_is_refused(shared_service: RunningService, content: bytes) -> None:
    before = psutil.Process(shared_service.process.pid).memory_info().rss
    asked = time.monotonic()
    status, problem = put(shared_service, content)
    assert time.monotonic() - asked < 2
    assert status == 422, problem
    assert psutil.Process(shared_service.process.pid).memory_info().rss - before < 200 * 2**20


def test_a_body_cut_off_half_way_leaves_nothing_behind(shared_service: RunningService) -> None:
    shared_service.wait_ready()
    with socket.create_connection(("127.0.0.1", shared_service.port)) as connection:
        head = [f"PUT /v1/arrays/{'1' * 64} HTTP/1.1", f"Host: 127.0.0.1:{shared_service.port}"]
        head += [
            f"Authorization: Bearer {shared_service.token}",
            "Content-Type: application/octet-stream",
            "Content-Length: 1000",
        ]
        connection.sendall(("\r\n".join(head) + "\r\n\r\n").encode() + b"x" * 10)
        time.sleep(0.1)
    time.sleep(0.2)
    assert shared_service.status()["worker"] == "ready"
    assert not list((shared_service.home / "arrays").rglob("*.partial"))


def test_logs_hold_no_token_and_no_path(shared_service: RunningService) -> None:
    shared_service.wait_ended(shared_service.submit(slices=1))
    log = (shared_service.home / "logs" / "service.log").read_text()
    assert "done" in log
    assert shared_service.token not in log
    assert str(shared_service.home) not in log


def status_of(service: RunningService, method: str, path: str, lines: list[str], host: str | None = None) -> int:
    """Send a request byte by byte, so that headers may be doubled or lie; return its status."""
    host = f"127.0.0.1:{service.port}" if host is None else host
    with socket.create_connection(("127.0.0.1", service.port), timeout=5) as connection:
        head = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", *lines]
        connection.sendall(("\r\n".join(head) + "\r\n\r\n").encode())
        return int(connection.recv(64).split()[1])
