"""A widget in a dock of napari, which notices when the user closes the dock: what it holds must not outlive it."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QWidget


class Docked(QWidget):
    """A subclass says in `ends` what is to be closed, and in `leave` what is to be taken away before."""

    def leave(self) -> None:
        """Take away what should not outlive the dock; it was removed by the user."""

    def ends(self) -> tuple[Callable[[], None], ...]:
        """Return what ends all connections.

        None is a method of a Qt object: those are not called any more when their object is destroyed.
        """
        return ()

    def end_with_it(self) -> None:
        """Let everything end, too, when the widget is destroyed with its viewer."""
        for end in self.ends():
            self.destroyed.connect(end)

    def event(self, event: QEvent | None) -> bool:
        """Notice that the dock was removed: napari then takes the parent away and forgets the widget."""
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.leave()
            for end in self.ends():
                end()
            self.deleteLater()
        return super().event(event)
