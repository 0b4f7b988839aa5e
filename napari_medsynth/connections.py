"""Connections to napari events that are undone together: a widget that is gone must not be called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Connections:
    """Keeps what was connected, until `close`."""

    def __init__(self) -> None:
        self._made: list[tuple[Any, Callable[..., Any]]] = []

    def add(self, event: Any, callback: Callable[..., Any]) -> None:
        """Call `callback` at each `event`, a napari emitter."""
        event.connect(callback)
        self._made.append((event, callback))

    def close(self) -> None:
        """Undo all; may be called twice."""
        for event, callback in self._made:
            event.disconnect(callback)
        self._made.clear()
