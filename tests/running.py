"""A real service in a process of its own, with the fake engine, as the tests see it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from medsynth_core import wire
from medsynth_core.launcher import clean_environment

ENDED = ("done", "failed", "cancelled")
PYTHON = os.environ.get("MEDSYNTH_TEST_PYTHON", sys.executable)
"""The interpreter of the service: another one than ours where the tests run in the environment of a viewer."""


class RunningService:
    """Starts `python -m medsynth_core.service` on `home`; options are settings such as idle_seconds=1."""

    def __init__(self, home: Path, **options: object) -> None:
        self.home = home
        self._options = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))]
        self.start()

    def start(self) -> None:
        """Start it (again) and wait until it answers."""
        (self.home / "connection.json").unlink(missing_ok=True)
        command = [PYTHON, "-P", "-m", "medsynth_core.service", "--home", str(self.home), *self._options]
        with open(self.home / "stderr.txt", "ab") as stderr:
            self.process = subprocess.Popen(command, env=clean_environment(os.environ), stderr=stderr)
        wait_for(lambda: (self.home / "connection.json").exists() or self.process.poll() is not None, 20)
        assert self.process.poll() is None, (self.home / "stderr.txt").read_text()
        connection = json.loads((self.home / "connection.json").read_text())
        self.port, self.token, self.instance = connection["port"], connection["token"], connection["instance"]

    @contextlib.contextmanager
    def connection(self) -> Iterator[http.client.HTTPConnection]:
        """Give a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=40)
        try:
            yield connection
        finally:
            connection.close()

    def raw(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        """Send exactly this, without a token unless `headers` has one; return (status, body)."""
        with self.connection() as connection:
            connection.request(method, path, body, headers or {})
            reply = connection.getresponse()
            return reply.status, reply.read()

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Send JSON (or bytes) with the token; return (status, JSON value or bytes)."""
        octets = isinstance(body, bytes)
        content = body if octets or body is None else json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {self.token}", **{name.replace("_", "-"): value for name, value in headers.items()}}
        if content is not None:
            sent["Content-Type"] = "application/octet-stream" if octets else "application/json"
        with self.connection() as connection:
            connection.request(method, path, content, sent)
            reply = connection.getresponse()
            answer = reply.read()
            kind = reply.headers.get("Content-Type", "")
            is_json = answer and kind.endswith("json") and not kind.endswith("ndjson")
            return reply.status, json.loads(answer) if is_json else answer

    def submit(self, key: str = "", seed: int = 7, inputs: dict[str, str] | None = None, **params: object) -> str:
        """Submit a job to the fake engine and return its id."""
        request = {"engine": "fake", "model": "", "inputs": inputs or {}, "seed": seed, "params": params}
        status, job = self.ask("POST", "/v1/jobs", request, Idempotency_Key=key or uuid.uuid4().hex)
        assert status in (200, 201), job
        return str(job["id"])

    def job(self, job: str) -> dict[str, Any]:
        """Return the job's record."""
        return dict(self.ask("GET", f"/v1/jobs/{job}")[1])

    def events(self, job: str, after: int = 0, wait: float = 0) -> list[dict[str, Any]]:
        """Return the job's events after a number."""
        status, lines = self.ask("GET", f"/v1/jobs/{job}/events?after={after}&wait={wait}")
        assert status == 200, lines
        return [json.loads(line) for line in lines.splitlines()]

    def wait_event(self, job: str, fits: Callable[[dict[str, Any]], bool], seconds: float = 20) -> dict[str, Any]:
        """Return the first event that fits, waiting for it."""
        after, deadline = 0, time.monotonic() + seconds
        while time.monotonic() < deadline:
            for event in self.events(job, after, min(5, seconds)):
                after = event["number"]
                if fits(event):
                    return event
        raise AssertionError(f"no such event within {seconds} s; the job is {self.job(job)}")

    def wait_slices(self, job: str, count: int, seconds: float = 20) -> None:
        """Wait until so many slices are made."""
        wait_for(lambda: self.job(job)["slices_done"] >= count, seconds)

    def wait_ended(self, job: str, seconds: float = 30) -> dict[str, Any]:
        """Wait until the job has ended and return it."""
        self.wait_event(job, lambda event: event["state"] in ENDED, seconds)
        wait_for(lambda: self.job(job)["state"] in ENDED, seconds)
        return self.job(job)

    def result(self, job: str) -> np.ndarray:
        """Return the image of a job that is done."""
        status, content = self.ask("GET", f"/v1/jobs/{job}/result?output=image")
        assert status == 200, content
        return wire.decode(content).array

    def status(self) -> dict[str, Any]:
        """Return the service's status."""
        return dict(self.ask("GET", "/v1/status")[1])

    def wait_ready(self) -> None:
        """Wait until the worker can work."""
        assert self.ask("GET", "/v1/capabilities")[1]["ready"]

    def worker_pid(self) -> int:
        """Return the process id of the worker, a child of the service."""
        children = Path(f"/proc/{self.process.pid}/task")
        pids = [int(pid) for task in children.iterdir() for pid in (task / "children").read_text().split()]
        return pids[0] if pids else 0

    def kill_worker(self) -> int:
        """Kill the worker with SIGKILL and return its process id."""
        wait_for(lambda: self.worker_pid() != 0, 10)
        pid = self.worker_pid()
        os.kill(pid, signal.SIGKILL)
        return pid

    def kill(self) -> None:
        """Kill the service with SIGKILL, if it still runs."""
        self.process.kill()
        self.process.wait(15)


def wait_for(fits: Callable[[], bool], seconds: float) -> None:
    """Return as soon as `fits()`; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not fits():
        assert time.monotonic() < deadline, f"not so within {seconds} s"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Return whether a process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
