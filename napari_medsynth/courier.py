"""Brings calls from any thread to the viewer's thread, in order."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QObject, Qt, Signal


class Courier(QObject):
    """Lives on the thread that made it; `post` may be called from any."""

    _parcel = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._parcel.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def post(self, call: Callable[[], None]) -> None:
        """Run `call` on the courier's thread, soon."""
        self._parcel.emit(call)

    def _deliver(self, call: Callable[[], None]) -> None:
        call()
