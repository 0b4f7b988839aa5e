"""How long the viewer's thread is busy at a stretch: a timer that should beat every few milliseconds, and a watch over our slots.

Each is measured twice: by the clock, which on a busy machine shows the other processes as well, and by the thread's own
computing time, which shows what it had to do before it came back to the user.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from qtpy.QtCore import QObject, Qt, QTimer

BEAT_MS = 2


class Span(NamedTuple):
    """Seconds by the clock, and seconds that the thread computed."""

    clock: float
    computed: float

    @classmethod
    def now(cls) -> Span:
        """Return where both clocks stand."""
        return cls(time.perf_counter(), time.thread_time())

    def until(self, end: Span) -> Span:
        """Return what lies between."""
        return Span(end.clock - self.clock, end.computed - self.computed)


class Heartbeat(QObject):
    """Beats while it is started; `gaps` lie between two beats."""

    def __init__(self) -> None:
        super().__init__()
        self.gaps: list[Span] = []
        self._last = Span.now()
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)

    def start(self) -> None:
        """Begin to listen."""
        self._last = Span.now()
        self._timer.start(BEAT_MS)

    def stop(self) -> None:
        """Listen no longer."""
        self._timer.stop()

    def _beat(self) -> None:
        now = Span.now()
        self.gaps.append(self._last.until(now))
        self._last = now


class Watch:
    """Measures every call of some methods; `spans` holds them by name, each call with all it calls."""

    def __init__(self) -> None:
        self.spans: dict[str, list[Span]] = {}

    def over(self, owner: Any, *names: str) -> None:
        """Watch these methods of an object from now on."""
        for name in names:
            setattr(owner, name, self._timed(getattr(owner, name), self.spans.setdefault(name, [])))

    def _timed(self, call: Callable[..., Any], into: list[Span]) -> Callable[..., Any]:
        def timed(*given: Any, **named: Any) -> Any:
            begun = Span.now()
            try:
                return call(*given, **named)
            finally:
                into.append(begun.until(Span.now()))

        return timed
