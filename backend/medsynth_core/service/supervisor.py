"""The worker process as the service sees it: start, speak, listen, notice a hang, end it.

Threads: one reader thread a process hands each frame to the event loop; everything else happens in the event loop. No locks.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from medsynth_core.errors import InputError
from medsynth_core.launcher import clean_environment
from medsynth_core.protocol import WorkerState
from medsynth_core.service import frames
from medsynth_core.service.config import ServiceConfig

LOG = logging.getLogger(__name__)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 30.0
QUIET_THREADS = {"OMP_WAIT_POLICY": "PASSIVE"}
"""For the worker: threads that wait must not spin. Beside a busy viewer, spinning made a four-step image seven times slower."""
LOADING_PATIENCE = 5
"""Reading a large model from a slow disk gives no sign of life; it may take this many times `hang_seconds`."""


class Supervisor:
    """Keeps one worker alive. `on_report(frame)` and `on_death()` are called in the event loop."""

    def __init__(self, config: ServiceConfig, on_report: Callable[[Any], None], on_death: Callable[[], None]) -> None:
        self._config = config
        self._on_report = on_report
        self._on_death = on_death
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe = -1
        self._deaths_in_a_row = 0
        self._stopping = False
        self._pulse, self._alive_at, self.loading = -1, time.monotonic(), False
        self.state = WorkerState.STARTING
        self.message = ""

    @property
    def pid(self) -> int:
        """The worker's process id, 0 while there is none."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Start the worker; its first report is Ready."""
        down_read, down_write = os.pipe()
        up_read, up_write = os.pipe()
        self._process = _spawn(self._config, down_read, up_write)
        os.close(down_read)
        os.close(up_write)
        self._pipe = down_write
        self._alive_at = time.monotonic()
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._listen, args=(loop, self._process, up_read), name="worker-reports", daemon=True).start()

    def send(self, command: frames.Command) -> None:
        """Send a command; a dying worker's end is noticed by the reader, not here."""
        with contextlib.suppress(BrokenPipeError):
            frames.write(self._pipe, command)

    def mark(self, state: WorkerState, message: str = "") -> None:
        """Set what the status shows; a ready worker is forgiven its predecessors' deaths."""
        self.state, self.message = state, message
        self._alive_at = time.monotonic()
        if state is WorkerState.READY:
            self._deaths_in_a_row = 0

    def kill(self, reason: str) -> None:
        """End the worker at once; `on_death` follows and another one starts."""
        LOG.warning("worker killed: %s", reason)
        self.message = reason
        if self._process:
            self._process.kill()

    def check_hang(self, busy: bool) -> None:
        """Kill a worker whose device thread gave no sign of life for too long while it had work to do."""
        patience = self._config.hang_seconds * (LOADING_PATIENCE if self.loading or self.state is WorkerState.STARTING else 1)
        silent = time.monotonic() - self._alive_at
        if (busy or self.state is WorkerState.STARTING) and silent > patience:
            self.kill(f"the engine gave no sign of life for {silent:.0f} s")

    async def stop(self, patience_s: float = 2.0) -> None:
        """End the worker for good: close its pipe, wait a little, then kill it."""
        self._stopping = True
        process, self._process = self._process, None
        if process is None:
            return
        os.close(self._pipe)
        try:
            await asyncio.to_thread(process.wait, patience_s)
        except subprocess.TimeoutExpired:
            process.kill()
            await asyncio.to_thread(process.wait)

    def _listen(self, loop: asyncio.AbstractEventLoop, process: subprocess.Popen[bytes], pipe: int) -> None:
        try:
            while (frame := frames.read(pipe)) is not None:
                loop.call_soon_threadsafe(self._hear, process, frame)
        except (InputError, ValueError, KeyError):
            process.kill()
        except RuntimeError:
            return  # the loop has ended; so does the service
        finally:
            os.close(pipe)
        status = process.wait()
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(self._bury, process, status)

    def _hear(self, process: subprocess.Popen[bytes], frame: Any) -> None:
        if process is not self._process:
            return
        if not isinstance(frame, frames.Beat) or frame.pulse != self._pulse:
            self._alive_at = time.monotonic()
        if isinstance(frame, frames.Beat):
            self._pulse = frame.pulse
        else:
            self._on_report(frame)

    def _bury(self, process: subprocess.Popen[bytes], status: int) -> None:
        if self._stopping or process is not self._process:
            return
        LOG.warning("worker ended with status %s", status)
        os.close(self._pipe)
        self._process = None
        self._deaths_in_a_row += 1
        self.state = WorkerState.RESTARTING if self._deaths_in_a_row <= 5 else WorkerState.DOWN
        self.message = self.message or f"the worker ended with status {status}; another one is starting"
        self._on_death()
        pause = 0.0 if self._deaths_in_a_row == 1 else min(_FIRST_PAUSE * 2**self._deaths_in_a_row, _LONGEST_PAUSE)
        asyncio.get_running_loop().call_later(pause, self._restart)

    def _restart(self) -> None:
        if not self._stopping:
            self.start()


def _spawn(config: ServiceConfig, read_end: int, write_end: int) -> subprocess.Popen[bytes]:
    names, inheritance = _inherited(read_end, write_end)
    settings = [str(config.home), str(config.warm_seconds), str(config.unload_seconds)]
    return subprocess.Popen(
        [sys.executable, "-P", "-s", "-m", "medsynth_core.service.worker", *names, *settings],
        env=clean_environment(os.environ) | QUIET_THREADS,
        cwd=config.home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **inheritance,
    )


def _inherited(*pipes: int) -> tuple[list[str], dict[str, Any]]:
    """Return the pipe ends' names for the child and how Popen lets it inherit just these."""
    if sys.platform == "win32":
        import msvcrt

        handles = [msvcrt.get_osfhandle(fd) for fd in pipes]
        for handle in handles:
            os.set_handle_inheritable(handle, True)
        startup = subprocess.STARTUPINFO(lpAttributeList={"handle_list": handles})
        return list(map(str, handles)), {"startupinfo": startup, "creationflags": subprocess.CREATE_NO_WINDOW}
    return list(map(str, pipes)), {"pass_fds": pipes}
