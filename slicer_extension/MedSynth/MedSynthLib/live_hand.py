"""The mouse in the slice views: while a button is down nothing new may appear under the hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer

FIRST = 10.0
"""Before the segment editor, which keeps the events it uses from those who come after it."""


class Hand:
    """Tells `pressed` and `released` of the left button in any slice view, from `watch` to `forget`."""

    def __init__(self, pressed: Callable[[], None], released: Callable[[], None]) -> None:
        self._calls = {"LeftButtonPressEvent": pressed, "LeftButtonReleaseEvent": released}
        self._watched: list[tuple[Any, int]] = []

    def watch(self) -> None:
        """Watch the slice views of the present layout; where there are none (a script), nothing."""
        self.forget()
        for interactor in _interactors():
            for event, call in self._calls.items():
                self._watched.append((interactor, interactor.AddObserver(event, lambda *_, call=call: call(), FIRST)))

    def forget(self) -> None:
        """Watch no more; may be called twice."""
        for interactor, tag in self._watched:
            interactor.RemoveObserver(tag)
        self._watched.clear()


def _interactors() -> list[Any]:
    manager = slicer.app.layoutManager()
    if manager is None:
        return []
    return [manager.sliceWidget(name).sliceView().interactor() for name in manager.sliceViewNames()]
