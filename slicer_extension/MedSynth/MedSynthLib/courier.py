"""Brings calls from reader threads to Slicer's main thread, in order, a few at a time.

Python threads never touch MRML, Qt or VTK: they post what they want done, and a timer of the main thread does it. A sender
that is far ahead waits in `post`, so slices that come faster than they can be shown do not pile up in memory.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable

import qt

log = logging.getLogger(__name__)
Call = Callable[[], None]

PAUSE_MS = 20
BUDGET_S = 0.02
"""How long one tick may work: half of what the eye forgives, so that one slow call more is forgiven, too."""
MOST_WAITING = 16


class Courier:
    """Lives on the thread that made it, the main one; `post` may be called from any."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[tuple[Call, bool]] = queue.SimpleQueue()
        self._room = threading.Semaphore(MOST_WAITING)
        self._closed = threading.Event()
        self._home = threading.get_ident()
        self._timer = qt.QTimer()
        self._timer.setInterval(PAUSE_MS)
        self._timer.connect("timeout()", self.deliver)
        self._timer.start()

    def post(self, call: Call) -> None:
        """Run `call` on the main thread, soon. Another thread waits while too much is under way; after `close` nothing is run."""
        waits = threading.get_ident() != self._home
        while waits and not self._closed.is_set() and not self._room.acquire(timeout=0.1):
            pass
        if not self._closed.is_set():
            self._calls.put((call, waits))

    def close(self) -> None:
        """Run nothing any more, and let every sender that waits go on."""
        self._closed.set()
        self._timer.stop()

    def deliver(self) -> None:
        """Run what was posted, until the budget of a tick is used."""
        until = time.monotonic() + BUDGET_S
        while not self._closed.is_set() and time.monotonic() < until:
            try:
                call, counted = self._calls.get_nowait()
            except queue.Empty:
                return
            if counted:
                self._room.release()
            self._run(call)

    def _run(self, call: Call) -> None:
        try:
            call()
        except Exception:
            log.exception("a message to the panel was lost")
