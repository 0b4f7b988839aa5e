"""One HTTP exchange with the local service, over a few kept-alive connections.

A service proves that it knows the token before the token goes over a connection: after a crash another program of another
user may have taken the port. `http.client` is used because it ignores proxy variables, which would hijack localhost.

Lock: `Connections._lock` guards the lists of idle and open connections; it is never held while bytes travel.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import json
import secrets
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from medsynth_core.errors import ApiVersionError, InputError, ServiceError, ServiceUnavailableError, error_from_code
from medsynth_core.protocol import RecordT, from_json

HELLO_SECONDS = 3.0
JSON: Mapping[str, str] = {"Content-Type": "application/json"}
STALE = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ConnectionAbortedError)


@dataclass(frozen=True)
class Address:
    """Where a service listens and the secret it shares with its clients; what `connection.json` holds."""

    instance: str
    port: int
    token: str = field(repr=False)
    api_version: int
    code_version: str


@dataclass(frozen=True)
class Request:
    """One request. `seconds` bounds each wait for bytes; `patience` says how long to look for a service that went away.

    `start` allows to start a service where none runs, even one that was stopped on purpose.
    """

    method: str
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 60.0
    patience: float = 15.0
    start: bool = False


@dataclass(frozen=True)
class Reply:
    """The answer to one request."""

    status: int
    body: bytes | bytearray = b""

    def json(self) -> Any:
        """Return the body's JSON value. Raises ServiceUnavailableError when it is none: this is not our service."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise ServiceUnavailableError("the service's answer is not JSON: another program may use its port") from None


def checked(reply: Reply) -> Reply:
    """Return the reply unless it tells a problem; then raise the error its `code` names."""
    if reply.status < 400:
        return reply
    problem = reply.json() if reply.body else {}
    if isinstance(problem, dict) and "code" in problem:
        raise error_from_code(str(problem["code"]), str(problem.get("detail", "")))
    raise ServiceError(f"the service answered with status {reply.status} and gave no reason")


@contextlib.contextmanager
def understood() -> Iterator[None]:
    """Turn an answer that does not fit the protocol into ApiVersionError: the service is of another version."""
    try:
        yield
    except (InputError, KeyError, TypeError, ValueError) as problem:
        raise ApiVersionError(f"the service's answer is not understood ({problem}): update the older of the two") from None


def read_record(kind: type[RecordT], body: bytes | bytearray) -> RecordT:
    """Return the record of type `kind` a reply's body or one line of it holds. Raises ApiVersionError when it is another."""
    with understood():
        return from_json(kind, json.loads(body))


Send = Callable[[Request], Reply]
"""What a client talks through: the real link, or a scripted double in a test."""


@dataclass(frozen=True)
class Hello:
    """What a service says of itself before it is trusted with the token."""

    instance: str
    api_version: int
    code_version: str


class Connections:
    """The open connections to one service at a time; safe to use from several threads at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[tuple[str, http.client.HTTPConnection]] = []
        self._open: set[http.client.HTTPConnection] = set()
        self._closed = False

    def exchange(self, address: Address, request: Request) -> Reply:
        """Send one request and return the answer. Raises OSError or HTTPException when the connection breaks."""
        while True:
            connection, was_idle = self._take(address)
            try:
                reply = _exchange(connection, request, address.token)
            except STALE:  # the service closes idle connections after a while: that is no failure
                self._discard(connection)
                if not was_idle:
                    raise
            except BaseException:
                self._discard(connection)
                raise
            else:
                self._give_back(address, connection)
                return reply

    def close(self) -> None:
        """Close all connections; a request under way in another thread fails at once."""
        with self._lock:
            self._closed = True
            opened, idle = self._open, [connection for _, connection in self._idle]
            self._open, self._idle = set(), []
        for connection in idle:
            connection.close()
        for connection in opened.difference(idle):
            _wake(connection)

    def _take(self, address: Address) -> tuple[http.client.HTTPConnection, bool]:
        with self._lock:
            while self._idle:
                instance, connection = self._idle.pop()
                if instance == address.instance:
                    return connection, True
                self._open.discard(connection)
                connection.close()
        return self._connect(address), False

    def _connect(self, address: Address) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=HELLO_SECONDS)
        with self._lock:
            if self._closed:  # another thread closed us while this one was on its way here
                raise ServiceUnavailableError("this client was closed: connect again")
            self._open.add(connection)
        try:
            say_hello(connection, address)
        except BaseException:
            self._discard(connection)
            raise
        return connection

    def _give_back(self, address: Address, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            if connection in self._open and connection.sock is not None:
                self._idle.append((address.instance, connection))
                return
        self._discard(connection)

    def _discard(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            self._open.discard(connection)
        connection.close()


def prove(address: Address) -> Hello:
    """Return what the service at `address` says of itself. Raises OSError or ServiceUnavailableError when it is not ours."""
    connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=HELLO_SECONDS)
    try:
        return say_hello(connection, address)
    finally:
        connection.close()


def say_hello(connection: http.client.HTTPConnection, address: Address) -> Hello:
    """Let the service prove over this connection that it knows the token. Raises ServiceUnavailableError when it cannot."""
    nonce = secrets.token_hex(16)
    reply = _exchange(connection, Request("GET", f"/v1/hello?nonce={nonce}", seconds=HELLO_SECONDS), token=None)
    said = reply.json()
    try:
        hello, proof = Hello(said["instance"], said["api_version"], said["code_version"]), bytes.fromhex(said["proof"])
    except (KeyError, TypeError, ValueError):
        raise ServiceUnavailableError("another program answers on the service's port: start the service again") from None
    expected = hmac.digest(address.token.encode(), (nonce + address.instance).encode(), hashlib.sha256)
    if hello.instance != address.instance or not hmac.compare_digest(proof, expected):
        raise ServiceUnavailableError("the program on the service's port does not know the token: start the service again")
    return hello


def _exchange(connection: http.client.HTTPConnection, request: Request, token: str | None) -> Reply:
    headers = dict(request.headers)
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    if connection.sock is not None:
        connection.sock.settimeout(request.seconds)
    connection.request(request.method, request.path, body=request.body, headers=headers)
    response = connection.getresponse()
    try:
        return Reply(response.status, _read_body(response))
    finally:
        response.close()  # else its finalizer does, and there Python drops a Ctrl-C that comes in between without a word


def _read_body(response: http.client.HTTPResponse) -> bytes | bytearray:
    if response.length is None:
        return response.read()
    body = bytearray(response.length)  # one buffer of the final size: twice as fast as joining parts
    rest = memoryview(body)
    while rest:
        count = response.readinto(rest)
        if not count:
            raise http.client.IncompleteRead(b"", len(rest))
        rest = rest[count:]
    response.read()  # lets the response end, so that the connection can be used again
    return body


def _wake(connection: http.client.HTTPConnection) -> None:
    """End what a thread waits for on a connection. That thread closes it: what it reads must not vanish under its hands."""
    if (sock := connection.sock) is not None:
        with contextlib.suppress(OSError):  # the service had closed it already
            sock.shutdown(socket.SHUT_RDWR)  # wakes a thread that waits in recv; close would not
