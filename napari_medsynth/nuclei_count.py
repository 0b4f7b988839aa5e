"""The nuclei of the watched layer beside those of the reference tiles: how many, how large, how dense."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QWidget

from medsynth_core.lamp import Lamp
from medsynth_core.tumor_request import Range
from napari_medsynth import theme
from napari_medsynth.nuclei_blobs import Census
from napari_medsynth.nuclei_request import Reference

HEADS = ("nuclei", "area px", "/ 256²")
NOTHING = "–"


class NucleiCount(QWidget):
    """Two lines of numbers; one that lies beyond nine of ten of the reference stands out in amber."""

    def __init__(self, theme_name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme_name
        self._census: Census | None = None
        self._reference = Reference()
        self.here = tuple(QLabel(self) for _ in HEADS)
        self.there = tuple(QLabel(self) for _ in HEADS)
        self._lay_out()
        self._show()

    @property
    def text(self) -> str:
        """The line of the watched layer."""
        return " · ".join(label.text() for label in self.here)

    def show_census(self, census: Census | None) -> None:
        """Show what the layer holds, None without a layer."""
        self._census = census
        self._show()

    def show_reference(self, reference: Reference) -> None:
        """Show another model's reference."""
        self._reference = reference
        self._show()

    def set_theme(self, name: str) -> None:
        """Follow the viewer's theme."""
        self._theme = name
        self._show()

    def _show(self) -> None:
        census, known = self._census, self._reference
        count, area, density = self.here
        if census is None:
            for label in self.here:
                label.setText(NOTHING)
        else:
            count.setText(str(census.count))
            area.setText(f"{census.mean_area_px:.0f}" if census.count else NOTHING)
            density.setText(f"{census.density:.1f}")
        self._mark(area, census.mean_area_px if census and census.count else None, known.area_px)
        self._mark(density, census.density if census else None, known.density)
        self.there[0].setText(NOTHING)
        self.there[1].setText(_said(known.area_px, known.typical_area_px))
        self.there[2].setText(_said(known.density, known.typical_density))
        for label, typical in zip(self.there[1:], (known.typical_area_px, known.typical_density), strict=True):
            label.setToolTip("" if typical is None else f"Nine of ten of the reference tiles; the typical one has {typical:.0f}")

    def _mark(self, label: QLabel, value: float | None, there: Range | None) -> None:
        odd = value is not None and there is not None and not there.low <= value <= there.high
        label.setStyleSheet(f"color: {theme.lamp_color(Lamp.AMBER, self._theme).name()};" if odd else "")
        label.setToolTip("Beyond nine of ten of the reference tiles" if odd else "")

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(6)
        grid.setVerticalSpacing(2)
        for column, (head, here, there) in enumerate(zip(HEADS, self.here, self.there, strict=True), 1):
            for row, label in enumerate((QLabel(head, self), here, there)):
                grid.addWidget(label, row, column, Qt.AlignmentFlag.AlignRight)
                label.setEnabled(row != 0)
            grid.setColumnStretch(column, 1)
        for row, title in enumerate(("Here", "Model"), 1):
            grid.addWidget(QLabel(title, self), row, 0)


def _said(there: Range | None, typical: float | None) -> str:
    if there is not None:
        return f"{there.low:.0f}\N{EN DASH}{there.high:.0f}"
    return NOTHING if typical is None else f"{typical:.0f}"
