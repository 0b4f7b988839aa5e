"""The OS lock of a folder: held while somebody works on it, so "is one at work?" never depends on a process id.

The kernel drops the lock when its holder dies, however it dies. The service holds that of its state folder for life.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import IO

LOCK_NAME = "service.lock"


class FolderLock:
    """An exclusive lock of a folder, held from `acquire` until `release` or the end of the process."""

    def __init__(self, folder: Path, name: str = LOCK_NAME) -> None:
        self._path = folder / name
        self._file: IO[bytes] | None = None

    def acquire(self, patience_s: float = 1.0) -> bool:
        """Take the lock and say whether it worked. Waits a little, for a holder that is just ending."""
        deadline = time.monotonic() + patience_s
        while not self._try():
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        return True

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _try(self) -> bool:
        file = os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
        try:
            _lock(file)
        except OSError:
            file.close()
            return False
        self._file = file
        return True


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
