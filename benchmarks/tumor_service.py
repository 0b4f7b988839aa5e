"""A service of the benchmark's own, with one model, in a temporary folder: its worker can be watched, and killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from medsynth_core.client import Client, connect
from medsynth_core.launcher import clean_environment
from medsynth_core.models.card import read_card

WORKER = "medsynth_core.service.worker"
PATIENCE_S = 60.0
LOOK_S = 0.02


@dataclass(frozen=True)
class Served:
    """A client of the service, the id of its model, the process of the service, and its state folder."""

    client: Client
    model: str
    process: psutil.Process
    home: Path

    def worker(self) -> psutil.Process:
        """Return the process of the worker, waiting for one that is starting."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            with contextlib.suppress(psutil.NoSuchProcess):
                for child in self.process.children():
                    if WORKER in child.cmdline():
                        return child
            time.sleep(LOOK_S)
        raise TimeoutError(f"the service has had no worker for {PATIENCE_S:g} s")


@contextlib.contextmanager
def serving(model: Path) -> Iterator[Served]:
    """Start a service that knows one model folder and end it afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        home, card = Path(folder), read_card(model)
        target = home / "models" / card.id
        for name in ("card.json", *card.sha256):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(model / name, target / name)
        command = [sys.executable, "-P", "-m", "medsynth_core.service", "--home", str(home), "--idle-seconds", "600"]
        process = subprocess.Popen(command, env=clean_environment(os.environ))
        try:
            _wait_until_there(home / "connection.json")
            with connect(home, start=False, name="benchmark") as client:
                yield Served(client, card.id, psutil.Process(process.pid), home)
                client.shutdown(force=True)
            process.wait(PATIENCE_S)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


class Watch:
    """The most memory a process had, looked at fifty times a second while the `with` block runs; `gb` in 10⁹ bytes."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.gb = 0.0

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(LOOK_S):
            with contextlib.suppress(psutil.NoSuchProcess):
                self.gb = max(self.gb, self._process.memory_info().rss / 1e9)


def _wait_until_there(path: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not path.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the service did not start within {PATIENCE_S:g} s")
        time.sleep(LOOK_S)
