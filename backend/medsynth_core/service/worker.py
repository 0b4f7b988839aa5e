"""The worker process: `python -m medsynth_core.service.worker READ WRITE HOME WARM_S UNLOAD_S`, started by the supervisor.

Threads: the main thread reads commands from the pipe and exits the process when the pipe closes, so no orphan stays; one
device thread does all the work (`device`); a third one beats once a second. The only lock guards the writing end of the pipe.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
from pathlib import Path

from medsynth_core.service import frames
from medsynth_core.service.device import DeviceThread

BEAT_SECONDS = 1.0


class Speaker:
    """The writing end of the pipe, shared by all threads of the worker."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lock = threading.Lock()

    def say(self, report: frames.Report) -> None:
        """Send a report; when nobody listens any more, the process ends."""
        with self._lock:
            try:
                frames.write(self._fd, report)
            except OSError:
                os._exit(0)


def main(arguments: list[str]) -> None:
    """Serve commands until the pipe closes."""
    read_end, write_end = (_open(name, flags) for name, flags in zip(arguments[:2], (os.O_RDONLY, os.O_WRONLY), strict=True))
    home, warm_s, unload_s = Path(arguments[2]), float(arguments[3]), float(arguments[4])
    speaker = Speaker(write_end)
    with open(home / "logs" / "worker-crash.log", "ab") as crash_log:
        faulthandler.enable(crash_log)  # names code lines only
        device = DeviceThread(home, speaker.say, warm_s, unload_s)
        device.start()
        threading.Thread(target=_beat, args=(speaker, device), name="heartbeat", daemon=True).start()
        while (command := frames.read(read_end)) is not None:
            device.obey(command)
        os._exit(0)  # the service is gone; a thread stuck in an engine must not keep the process


def _beat(speaker: Speaker, device: DeviceThread) -> None:
    pause = threading.Event()
    while not pause.wait(BEAT_SECONDS):
        speaker.say(frames.Beat(device.pulse))


def _open(name: str, flags: int) -> int:
    """Return the file descriptor of an inherited pipe end: POSIX passes its number, Windows a handle."""
    if sys.platform == "win32":
        import msvcrt

        return msvcrt.open_osfhandle(int(name), flags | os.O_BINARY)
    return int(name)


if __name__ == "__main__":
    main(sys.argv[1:])
