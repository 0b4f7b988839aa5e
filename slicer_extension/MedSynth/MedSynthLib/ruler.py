"""Which slices of a growing volume are there: a strip with a mark for each, a slider under it, and views that follow.

The newest mark is the brightest. Following ends as soon as a user scrolls away: then the view is theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import qt

from medsynth_core import growth_words
from MedSynthLib import slice_views

HEIGHT, LEAST_WIDTH = 12, 60
ACCENT, GROUND = (242, 142, 43), "#55808080"


class Ruler:
    """Dresses `ui.rulerLabel`, `sliceSlider`, `growthLabel`, `followBox`."""

    def __init__(self, ui: Any) -> None:
        self._ui = ui
        self._node: Any = None
        self._sent_to: int | None = None
        self._telling = False
        ui.rulerLabel.setToolTip(growth_words.RULER_TIP)
        ui.followBox.setText(growth_words.FOLLOW)
        ui.followBox.setToolTip(growth_words.FOLLOW_TIP)
        ui.sliceSlider.connect("valueChanged(int)", self._slid)
        ui.followBox.connect("toggled(bool)", self._toggled)

    def show(self, node: Any, order: Sequence[int], depth: int) -> None:
        """Show the slices of `node` that are there, in the order they came; views that follow go to the newest."""
        self._node = node
        came = growth_words.in_order(order)
        self._ui.growthLabel.setText(growth_words.count_text(len(came), depth))
        self._ui.rulerLabel.setPixmap(strip(max(LEAST_WIDTH, self._ui.rulerLabel.width), came, depth))
        self._ui.sliceSlider.setVisible(depth > 1)
        self._follow(came[-1] if came else None)
        self._point(depth)

    def look(self) -> None:
        """Let the slider stand where the Red view stands."""
        if self._alive():
            self._point(self._ui.sliceSlider.maximum + 1)

    def forget(self) -> None:
        """Let go of the node."""
        self._node = self._sent_to = None

    def _follow(self, newest: int | None) -> None:
        if newest is None or not self._ui.followBox.checked or not self._alive():
            return
        now = slice_views.shown(self._node)
        if self._sent_to is not None and now != self._sent_to:
            self._ui.followBox.setChecked(False)
            return
        slice_views.go_to_slice(self._node, newest)
        self._sent_to = newest if slice_views.shown(self._node) == newest else None

    def _point(self, depth: int) -> None:
        now = slice_views.shown(self._node) if self._alive() else None
        self._telling = True
        self._ui.sliceSlider.setRange(0, max(0, depth - 1))
        if now is not None:
            self._ui.sliceSlider.setValue(now)
        self._telling = False

    def _slid(self, k: int) -> None:
        if not self._telling and self._alive():
            self._ui.followBox.setChecked(False)
            slice_views.go_to_slice(self._node, k)

    def _toggled(self, _: bool) -> None:
        self._sent_to = None

    def _alive(self) -> bool:
        return self._node is not None and self._node.GetScene() is not None


def strip(width: int, came: Sequence[int], depth: int) -> Any:
    """Return a picture of the strip: a mark for each slice that came, with a gap to the next where there is room."""
    pixmap = qt.QPixmap(width, HEIGHT)
    pixmap.fill(qt.QColor(GROUND))
    painter = qt.QPainter()
    painter.begin(pixmap)
    for place, z in enumerate(came):
        left, right = z * width // depth, (z + 1) * width // depth
        gap = 1 if width >= 3 * depth else 0
        opacity = round(255 * growth_words.opacity(place, len(came)))
        painter.fillRect(left, 0, max(1, right - left - gap), HEIGHT, qt.QColor(*ACCENT, opacity))
    painter.end()
    return pixmap
