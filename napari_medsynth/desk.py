"""What a panel sends lies on a desk: it knows the viewer's layers, and tells when what would be sent is another one."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QObject, Signal

from medsynth_core.protocol import ModelCard
from napari_medsynth.connections import Connections
from napari_medsynth.panel import Panel


class Desk(QObject):
    """An empty desk. `changed` says that what would be sent may differ from before."""

    changed = Signal()

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel)
        self.viewer_events = Connections()

    def set_card(self, card: ModelCard | None) -> None:
        """Heed what another model knows."""

    def relist(self) -> None:
        """Look at the layers there are."""

    def fixes(self) -> dict[str, Callable[[], None]]:
        """Return what can be done here about a chip or an error, by the name of the fix."""
        return {}

    def ends(self) -> tuple[Callable[[], None], ...]:
        """Return what ends all connections to the viewer; none is a method of a Qt object."""
        return (self.viewer_events.close,)
