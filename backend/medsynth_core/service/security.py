"""Who may ask: one pure ASGI layer before any route.

In this order: `Host` exactly ours (421, against DNS rebinding), no `Origin` and no `Sec-Fetch-Site` (403: a web page is asking),
the bearer token compared in constant time on every path but the two open ones (401), the content type (415), the declared and
the streamed size (411, 413), a body that stalls (408).
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from medsynth_core import wire
from medsynth_core.errors import UnauthorizedError
from medsynth_core.service import problems
from medsynth_core.service.problems import RefusedError

OPEN_ROUTES = frozenset({("GET", "/healthz"), ("GET", "/v1/hello")})
ARRAY_PREFIX = "/v1/arrays/"
MAX_JSON_BYTES = 2**20
MAX_ARRAY_BYTES = wire.MAX_VOXEL_BYTES + wire.MAX_HEADER_BYTES + 8
STALL_SECONDS = 30.0


class Gate:
    """The layer itself, for one host ("127.0.0.1:PORT") and one token."""

    def __init__(self, app: ASGIApp, host: str, token: str) -> None:
        self._app = app
        self._host = host.encode()
        self._bearer = b"Bearer " + token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer with a problem."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        started = _Started(send)
        try:
            declared = self._check(scope)
            await self._app(scope, _Capped(receive, declared), started)
        except (RefusedError, UnauthorizedError) as refusal:
            if not started.yes:
                await _answer(send, refusal)

    def _check(self, scope: Scope) -> int:
        headers = scope["headers"]
        if _values(headers, b"host") != [self._host]:
            raise RefusedError(421, "this service answers only to its own address")
        if _values(headers, b"origin") or _values(headers, b"sec-fetch-site"):
            raise RefusedError(403, "requests from web pages are refused")
        if (scope["method"], scope["path"]) not in OPEN_ROUTES:
            self._check_token(_values(headers, b"authorization"))
        return _declared_size(scope)

    def _check_token(self, given: list[bytes]) -> None:
        if len(given) != 1 or not hmac.compare_digest(given[0], self._bearer):
            raise UnauthorizedError("the token is missing or wrong: read it from connection.json of the state folder")


class _Capped:
    """The body's stream, cut off when it is longer than declared or stalls."""

    def __init__(self, receive: Receive, declared: int) -> None:
        self._receive = receive
        self._left = declared
        self._finished = False

    async def __call__(self) -> Message:
        if self._finished:
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), STALL_SECONDS)
        except TimeoutError:
            raise RefusedError(408, f"the body stalled for {STALL_SECONDS:.0f} s: send it again") from None
        self._left -= len(message.get("body", b""))
        self._finished = not message.get("more_body", False)
        if self._left < 0:
            raise RefusedError(413, "the body is longer than it declared")
        return message


class _Started:
    """The sending side, which knows whether an answer has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.yes = False

    async def __call__(self, message: Message) -> None:
        self.yes = True
        await self._send(message)


def _declared_size(scope: Scope) -> int:
    headers, is_array = scope["headers"], scope["path"].startswith(ARRAY_PREFIX)
    lengths = _values(headers, b"content-length")
    if _values(headers, b"transfer-encoding") or len(lengths) > 1 or not all(n.isdigit() for n in lengths):
        raise RefusedError(411, "the body needs one Content-Length")
    size = int(lengths[0][:20]) if lengths else 0
    cap = MAX_ARRAY_BYTES if is_array else MAX_JSON_BYTES
    if size > cap:
        raise RefusedError(413, f"the body declares {size} bytes: at most {cap} are taken here")
    if size:
        _check_content_type(_values(headers, b"content-type"), b"application/octet-stream" if is_array else b"application/json")
    return size


def _check_content_type(given: list[bytes], wanted: bytes) -> None:
    if len(given) != 1 or given[0].split(b";")[0].strip().lower() != wanted:
        raise RefusedError(415, f"the body must be {wanted.decode()}")


def _values(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    return [value for key, value in headers if key == name]


async def _answer(send: Send, refusal: RefusedError | UnauthorizedError) -> None:
    status = problems.status_of(refusal)
    body = problems.problem(status, refusal.code, str(refusal))
    headers = [(b"content-type", problems.MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if status in (408, 411, 413, 415):
        headers.append((b"connection", b"close"))  # an unread body would be taken for the next request
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
