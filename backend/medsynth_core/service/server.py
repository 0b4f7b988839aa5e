"""The service process: lock, port, connection.json, when to stop.

In this order: take the folder's lock, listen on a free port of 127.0.0.1, open the journal, start the worker, answer, and only
then write connection.json: who reads it finds a service that answers. At the end the same way back.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import secrets
import signal
import socket
import sys
import time
from types import FrameType

import uvicorn

from medsynth_core import __version__
from medsynth_core.lock import FolderLock
from medsynth_core.protocol import API_VERSION
from medsynth_core.service import durable
from medsynth_core.service.app import make_app
from medsynth_core.service.config import ServiceConfig
from medsynth_core.service.desk import Desk
from medsynth_core.service.examinations import Examinations
from medsynth_core.service.jobs import Jobs
from medsynth_core.service.leases import Leases
from medsynth_core.service.logs import log_to
from medsynth_core.service.security import Gate
from medsynth_core.service.store import Store
from medsynth_core.service.trainings import Trainings

LOG = logging.getLogger(__name__)
HOST = "127.0.0.1"


class _Server(uvicorn.Server):
    """uvicorn, telling us when it listens and before it ends."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._service.announce()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._service.jobs.release_waiters()
        await super().shutdown(sockets)


class Service:
    """One running service on one state folder."""

    def __init__(self, config: ServiceConfig, listener: socket.socket) -> None:
        self._config = config
        self._listener = listener
        self._instance, self._token = secrets.token_hex(16), secrets.token_hex(32)
        self._port = listener.getsockname()[1]
        self._store = Store(config)
        self.jobs = Jobs(config, self._store)
        self._leases = Leases(self._store.journal, config.lease_seconds)
        self._trainings = Trainings(config, self.jobs.set_models)
        self._examinations = Examinations(config)
        lists = (self._trainings, self._examinations)
        desk = Desk(config, self._store, self.jobs, self._leases, *lists, self._instance, self._token, self.stop)
        gate = Gate(make_app(desk), f"{HOST}:{self._port}", self._token)
        self._server = _Server(_uvicorn_config(gate), self)

    async def run(self) -> None:
        """Serve until told to stop, or idle for long enough."""
        self.jobs.start()
        self._trainings.start()
        self._examinations.start()
        watch = asyncio.create_task(self._watch())
        try:
            await self._server.serve(sockets=[self._listener])
        finally:
            watch.cancel()
            await asyncio.gather(self._trainings.stop(), self._examinations.stop(), self.jobs.stop())
            (self._config.home / "connection.json").unlink(missing_ok=True)
            self._store.close()
            LOG.info("service %s ended", self._instance)

    def stop(self) -> None:
        """End the service soon."""
        self._server.should_exit = True

    def announce(self) -> None:
        """Tell clients where we are."""
        connection = {
            "instance": self._instance,
            "port": self._port,
            "token": self._token,
            "api_version": API_VERSION,
            "code_version": __version__,
        }
        durable.write_file(self._config.home / "connection.json", json.dumps(connection).encode())
        LOG.info("service %s answers on port %s", self._instance, self._port)

    async def _watch(self) -> None:
        busy_at = time.monotonic()
        pause = min(1.0, max(0.05, self._config.idle_seconds / 5), max(0.05, self._config.hang_seconds / 5))
        while not self._server.should_exit:
            await asyncio.sleep(pause)
            self.jobs.watch()
            self._trainings.watch()
            self._examinations.watch()
            if not (self.jobs.idle and self._trainings.idle) or self._leases.alive():
                busy_at = time.monotonic()
            elif time.monotonic() - busy_at >= self._config.idle_seconds:
                LOG.info("idle for %.0f s", self._config.idle_seconds)
                self.stop()


def serve(config: ServiceConfig) -> int:
    """Run a service on the config's folder until it ends; return the exit status, 0 also when one runs there already."""
    config.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.environ["MEDSYNTH_HOME"] = str(config.home)  # for the worker
    lock = FolderLock(config.home)
    if not lock.acquire():
        return 0
    try:
        log_to(config.home / "logs")
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _already_stopping)  # uvicorn takes them while it serves, and raises them again afterwards
        asyncio.run(_run(config))
    finally:
        lock.release()
    return 0


async def _run(config: ServiceConfig) -> None:
    with contextlib.closing(_listen(config.port)) as listener:
        await Service(config, listener).run()


def _already_stopping(number: int, frame: FrameType | None) -> None:
    LOG.info("ended by signal %s", number)


def _listen(port: int) -> socket.socket:
    # The protocol is named because asyncio sets TCP_NODELAY only where it is: without it each answer takes 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if sys.platform != "win32":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, port))
    listener.listen(1024)
    return listener


def _uvicorn_config(gate: Gate) -> uvicorn.Config:
    return uvicorn.Config(
        gate,
        http="httptools",
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=1024,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=3,
    )
