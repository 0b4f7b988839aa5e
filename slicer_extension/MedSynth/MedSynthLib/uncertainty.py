"""The uncertainty of a refinement: an overlay in the slice views on demand, and a walk to the places it is least sure of.

It is uint8: 0 is sure, 255 as unsure as can be.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import slicer

from medsynth_core import uncertain_walk
from medsynth_core.uncertain import uncertain_places
from medsynth_core.uncertain_walk import Walk
from MedSynthLib import color_tables, slice_views

COLORS = "MedSynth uncertainty"
OPACITY, LEAST_SHOWN = 0.7, 13
"""What is nearly sure stays clear, so that the image is seen."""


class Uncertainty:
    """Dresses `ui.doubtBox`, `nextDoubtButton`, `doubtLabel` in `ui.doubtRow`. `post` brings a call to the main thread."""

    def __init__(self, ui: Any, post: Callable[[Callable[[], None]], None]) -> None:
        self._ui, self._post = ui, post
        self.node: Any = None
        self.walk = Walk(None)
        ui.doubtBox.setText(uncertain_walk.SHOW)
        ui.doubtBox.setToolTip(uncertain_walk.SHOW_TIP)
        ui.nextDoubtButton.setText(uncertain_walk.NEXT)
        ui.doubtBox.connect("toggled(bool)", self._toggled)
        ui.nextDoubtButton.connect("clicked()", self.go_on)
        self.show()

    def take(self, node: Any) -> None:
        """Hold the newest uncertainty, None for a result without one; the one before leaves the scene."""
        if self._alive() and self.node is not node:
            slicer.mrmlScene.RemoveNode(self.node)
        self.node, self.walk = node, Walk(None)
        if node is not None:
            dress(node)
            self._find(slicer.util.arrayFromVolume(node).copy())
        self._toggled(self._ui.doubtBox.checked)
        self.show()

    def forget(self) -> None:
        """Let go of the node, before the scene is closed."""
        self.node, self.walk = None, Walk(None)
        self.show()

    def show(self) -> None:
        """Show what can be done now; the node may have been deleted since."""
        if self.node is not None and not self._alive():
            self.node = None
        self._ui.doubtRow.setVisible(self.node is not None)
        self._ui.nextDoubtButton.setEnabled(bool(self.walk.places))
        self._ui.nextDoubtButton.setToolTip(self.walk.tip)
        self._ui.doubtLabel.setText(self.walk.text)

    def go_on(self) -> None:
        """Look at the next uncertain place, after the last at the first again."""
        if self._alive() and (place := self.walk.next()) is not None:
            slice_views.go_to_voxel(self.node, place)
        self.show()

    def _find(self, voxels: np.ndarray) -> None:
        """Find the places on a thread: a large volume takes a second."""

        def work() -> None:
            found = uncertain_places(voxels)
            self._post(lambda: self._found(node, found))

        node = self.node
        threading.Thread(target=work, name="medsynth-places", daemon=True).start()

    def _found(self, node: Any, places: list[tuple[int, ...]]) -> None:
        if node is self.node:
            self.walk = Walk(places)
            self.show()

    def _toggled(self, wanted: bool) -> None:
        if not self._alive():
            return
        mine = self.node.GetID()
        for views in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
            if wanted:
                views.SetForegroundVolumeID(mine)
                views.SetForegroundOpacity(OPACITY)
            elif views.GetForegroundVolumeID() == mine:
                views.SetForegroundVolumeID(None)

    def _alive(self) -> bool:
        return self.node is not None and self.node.GetScene() is not None


def dress(node: Any) -> None:
    """Let a volume of uncertainty be seen through where it is sure, and glow where it is not."""
    display = node.GetDisplayNode()
    display.SetAndObserveColorNodeID(colors().GetID())
    display.SetAutoWindowLevel(0)
    display.SetWindowLevelMinMax(0, 255)
    display.SetThreshold(LEAST_SHOWN, 255)
    display.SetApplyThreshold(1)


def colors() -> Any:
    """Return the color node from dark red over orange to pale yellow, one in a scene."""
    return color_tables.shared(COLORS, _table)


def _table() -> np.ndarray:
    share = np.linspace(0, 1, 256)
    corners = np.array([(90, 0, 30, 255), (230, 90, 20, 255), (255, 240, 170, 255)])
    return np.stack([np.interp(share, (0, 0.5, 1), corners[:, n]) for n in range(4)], axis=1).astype(np.uint8)
