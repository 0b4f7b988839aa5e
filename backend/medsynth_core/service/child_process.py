"""A training child as the service sees it: spawned, told by its standard input, mourned by a thread that waits for its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from medsynth_core.launcher import clean_environment
from medsynth_core.service.supervisor import QUIET_THREADS

EXIT_FAILED = 70
"""The status of a process that met a defect of ours, or a lost device: its log says where."""


class Child:
    """One process on one folder. `on_end(status)` is called in the event loop that was running when it was started."""

    def __init__(self, task: str, folder: Path, on_end: Callable[[int], None]) -> None:
        self.started = time.time()
        self._loop, self._on_end = asyncio.get_running_loop(), on_end
        flags: dict[str, Any] = {}
        if sys.platform == "win32":
            flags["creationflags"] = subprocess.CREATE_NO_WINDOW
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-s", "-m", "medsynth_core.service.training_child", task, str(folder)],
            env=clean_environment(os.environ) | QUIET_THREADS,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **flags,
        )
        threading.Thread(target=self._wait, name="child-end", daemon=True).start()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def send(self, word: str) -> None:
        """Give an order; one that has ended is no matter."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(f"{word}\n".encode())
            self._process.stdin.flush()

    def kill(self) -> None:
        """End it at once; `on_end` follows."""
        self._process.kill()

    def leave(self, patience_s: float) -> None:
        """Close its orders, so that it leaves by itself, and wait; kill it when it takes too long. Blocks."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.close()
        try:
            self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait(self) -> None:
        status = self._process.wait()
        with contextlib.suppress(RuntimeError):  # the loop has ended; so does the service
            self._loop.call_soon_threadsafe(self._on_end, status)
