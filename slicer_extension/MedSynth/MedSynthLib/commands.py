"""Other programs, run from a viewer: line by line, with cancel, in a process group of their own, in a clean environment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from medsynth_core.launcher import clean_environment

LINES_KEPT = 400
KILL_AFTER_S = 3.0


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit status (negative: by a signal), its last lines, and whether it was cancelled."""

    status: int
    lines: tuple[str, ...]
    cancelled: bool = False

    @property
    def text(self) -> str:
        """The last lines as one text."""
        return "\n".join(self.lines)


def run(
    command: Sequence[str],
    environ: Mapping[str, str],
    heard: Callable[[str], None] = lambda line: None,
    cancelled: threading.Event | None = None,
) -> Ended:
    """Run a command to its end and return how it ended; `heard` gets each line of stdout and stderr as it comes.

    When `cancelled` is set, the command and all it started are ended. Raises OSError when it cannot be started.
    """
    process = subprocess.Popen(
        list(command),
        env={**clean_environment(environ), "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        **_own_group(),
    )
    stop = cancelled or threading.Event()
    with process, _ended_when(process, stop):
        lines = _listen(process, heard)
    return Ended(process.returncode, tuple(lines), stop.is_set())


def _listen(process: subprocess.Popen[str], heard: Callable[[str], None]) -> deque[str]:
    lines: deque[str] = deque(maxlen=LINES_KEPT)
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line.rstrip())
        heard(line.rstrip())
    process.wait()
    return lines


@contextmanager
def _ended_when(process: subprocess.Popen[str], stop: threading.Event) -> Iterator[None]:
    """End the process and all it started when `stop` is set, or when the one who listens fails."""
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(process, stop, over), name="medsynth-command", daemon=True)
    watcher.start()
    try:
        yield
    except BaseException:
        _signal(process, kill=True)
        raise
    finally:
        over.set()
        watcher.join()


def _own_group() -> dict[str, Any]:
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}


def _watch(process: subprocess.Popen[str], stop: threading.Event, over: threading.Event) -> None:
    while not over.is_set():
        if stop.wait(0.05):
            _signal(process, kill=False)
            if not over.wait(KILL_AFTER_S):
                _signal(process, kill=True)
            return


def _signal(process: subprocess.Popen[str], kill: bool) -> None:
    try:
        if sys.platform == "win32":
            subprocess.run(["taskkill", "/T", "/F", "/PID", str(process.pid)], capture_output=True, check=False)
        else:
            os.killpg(process.pid, signal.SIGKILL if kill else signal.SIGTERM)
    except ProcessLookupError:
        pass
