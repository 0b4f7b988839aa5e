"""A `Send` that outlives the service: after a crash or restart it finds the new port and token and asks again.

All requests of API v1 may be sent twice (jobs carry an Idempotency-Key), so every broken connection is a reason to retry.
A service that crashed leaves its `connection.json` behind and is started again; one that was stopped on purpose removes it
and is only started by a request that says so.

Lock: `Link._locating` is held while a service is looked for or started, so that the threads of one program start it once.
"""

from __future__ import annotations

import http.client
import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from medsynth_core import launcher
from medsynth_core.errors import ServiceUnavailableError
from medsynth_core.transport import Address, Connections, Reply, Request

log = logging.getLogger(__name__)
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 1.0


class Link:
    """The way to the service whose state is in `home`; safe to use from several threads at once.

    `python` is the interpreter that may start it, and `environ` what with; with `start=False` only a running service is used.
    """

    def __init__(self, home: Path, python: str = "", start: bool = True, environ: Mapping[str, str] | None = None) -> None:
        self._home, self._python, self._may_start, self._environ = home, python, start, environ
        self._address: Address | None = None
        self._connections = Connections()
        self._locating = threading.Lock()
        self._closed = threading.Event()
        self._met = False

    def __call__(self, request: Request) -> Reply:
        """Send one request. Raises ServiceUnavailableError when no service answered within the request's patience."""
        deadline, pause = time.monotonic() + request.patience, FIRST_PAUSE
        while True:
            try:
                self._check_open()
                return self._ask(request)
            except ServiceUnavailableError as problem:
                self._check_open()
                if time.monotonic() + pause > deadline or self._is_hopeless():
                    raise
                log.debug("service away: %s", problem.code)
            self._closed.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def close(self) -> None:
        """Close all connections; requests under way in other threads fail at once."""
        self._closed.set()
        self._connections.close()

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise ServiceUnavailableError("this client was closed: connect again")

    def _is_hopeless(self) -> bool:
        """Whether waiting is in vain: no service was ever met and none may be started."""
        return not (self._met or self._may_start)

    def _ask(self, request: Request) -> Reply:
        address = self._address or self._locate(request)
        try:
            reply = self._connections.exchange(address, request)
        except TimeoutError:
            raise ServiceUnavailableError(f"the service did not answer within {request.seconds:.0f} s") from None
        except (OSError, http.client.HTTPException, ServiceUnavailableError):
            self._forget(address)
            raise ServiceUnavailableError("the service stopped answering") from None
        self._met = True
        return reply

    def _forget(self, address: Address) -> None:
        if self._address is address:
            self._address = None

    def _locate(self, request: Request) -> Address:
        if not self._locating.acquire(blocking=request.patience > 0):
            raise ServiceUnavailableError("the service is being started: ask again in a moment")
        try:
            if self._address is None:
                self._address = self._find(request)
            return self._address
        finally:
            self._locating.release()

    def _find(self, request: Request) -> Address:
        crashed = launcher.read_address(self._home) is not None and request.patience > 0
        if self._may_start and not self._closed.is_set() and (request.start or crashed):
            return launcher.find_or_start(self._home, self._python, environ=self._environ)
        return launcher.find(self._home)
