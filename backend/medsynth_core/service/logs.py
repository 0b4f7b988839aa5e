"""The service's log: ids, states and timings.

An exception is written as its kind and the code lines it came through, without its message: that could hold a path or a
patient's name.
"""

from __future__ import annotations

import logging
import logging.handlers
import traceback
from pathlib import Path
from types import TracebackType

MAX_BYTES = 4 * 2**20


class DiscreetFormatter(logging.Formatter):
    """Writes exceptions without their messages."""

    def formatException(
        self, ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
    ) -> str:
        """Return the exception's kind and the code lines it came through."""
        frames = traceback.extract_tb(ei[2])
        places = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
        return f"{ei[0].__name__ if ei[0] else ''} at {places}"


def log_to(folder: Path, name: str = "service.log") -> None:
    """Send all logging of this process to a file in `folder`, two older ones kept."""
    folder.mkdir(exist_ok=True, mode=0o700)
    handler = logging.handlers.RotatingFileHandler(folder / name, maxBytes=MAX_BYTES, backupCount=2, encoding="utf-8")
    handler.setFormatter(DiscreetFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.getLogger().addHandler(handler)
    logging.getLogger("medsynth_core").setLevel(logging.INFO)
