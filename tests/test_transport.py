"""One exchange that is interrupted: by Ctrl-C at any instruction, by another thread that closes the connections."""

from __future__ import annotations

import http.client
import http.server
import sys
import threading
from collections.abc import Iterator

import pytest

from medsynth_core import transport
from medsynth_core.errors import ServiceUnavailableError
from medsynth_core.transport import Address, Connections, Request
from tests.striking import alarm, struck

BODY = b"0123456789"


class Half(http.server.BaseHTTPRequestHandler):
    """Answers; at /half it stops in the middle of the body until it is told to go on."""

    protocol_version = "HTTP/1.1"
    asked, go_on = threading.Event(), threading.Event()

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        if self.path == "/half":
            self.wfile.write(BODY[:5])
            self.asked.set()
            self.go_on.wait(10)
            self.close_connection = True
        else:
            self.wfile.write(BODY)

    def log_message(self, *_: object) -> None:
        """Be quiet."""


class Quiet(http.server.ThreadingHTTPServer):
    """A connection that breaks is what is tested."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Be quiet."""


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[Address]:
    """Where a server answers that needs not prove itself."""
    Half.asked.clear()
    Half.go_on.clear()
    monkeypatch.setattr(transport, "say_hello", lambda connection, _: connection.connect())
    server = Quiet(("127.0.0.1", 0), Half)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield Address("toy", server.server_address[1], "token", 1, "toy")
    Half.go_on.set()
    server.shutdown()
    server.server_close()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_ctrl_c_while_an_answer_is_put_away_is_not_dropped(address: Address) -> None:
    """Python drops what is raised in a finalizer without a word; that of an answer runs code of its own."""
    ends = ("HTTPResponse.close", "HTTPResponse.flush", "HTTPResponse._close_conn")

    def run() -> bytes:
        connections = Connections()
        try:
            connections.exchange(address, Request("GET", "/"))
            return bytes(connections.exchange(address, Request("GET", "/")).body)  # lets go of the answer before
        finally:
            connections.close()

    with alarm():
        body, whole = struck(0, run, ends)
        assert body == BODY
        assert whole.count > 10
        for at in range(1, whole.count + 1):
            result, strike = struck(at, run, ends)
            assert result == "interrupted", strike.where


def test_who_reads_an_answer_when_the_connections_are_closed_hears_that_it_was_cut_short(
    address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And closes the connection: done by the other thread, what is read vanished under the hands of this one."""
    connections, problems, closers = Connections(), list[Exception](), list[threading.Thread]()
    close = http.client.HTTPConnection.close

    def noted(self: http.client.HTTPConnection) -> None:
        closers.append(threading.current_thread())
        close(self)

    def read() -> None:
        try:
            connections.exchange(address, Request("GET", "/half"))
        except Exception as problem:  # noqa: BLE001  the test looks at what it is
            problems.append(problem)

    monkeypatch.setattr(http.client.HTTPConnection, "close", noted)
    thread = threading.Thread(target=read)
    thread.start()
    assert Half.asked.wait(10)
    connections.close()
    thread.join(10)
    assert not thread.is_alive()
    assert [type(problem) for problem in problems] == [http.client.IncompleteRead]
    assert closers == [thread]
    with pytest.raises(ServiceUnavailableError, match="was closed"):
        connections.exchange(address, Request("GET", "/"))


def test_idle_connections_are_closed_and_one_in_use_is_closed_by_who_uses_it(address: Address) -> None:
    connections = Connections()
    connections.exchange(address, Request("GET", "/"))
    ((_, idle),) = connections._idle
    assert idle.sock is not None
    connections.close()
    assert idle.sock is None
    assert not connections._open
