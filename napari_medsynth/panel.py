"""The parts of the panel and where they stand. No behavior: see `synthesize_widget`."""

from __future__ import annotations

import napari
from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QComboBox, QFormLayout, QFrame, QScrollArea, QSizePolicy, QVBoxLayout, QWidget
from superqt import QCollapsible

from medsynth_core.protocol import LabelInfo, ParamInfo, Scalar
from napari_medsynth.chips import ChipBar
from napari_medsynth.engine_pill import EnginePill
from napari_medsynth.forms import ParamForm, split
from napari_medsynth.mask_row import MaskRow
from napari_medsynth.message_panel import MessagePanel
from napari_medsynth.palette_bar import PaletteBar
from napari_medsynth.primary_button import PrimaryButton
from napari_medsynth.progress_row import ProgressRow
from napari_medsynth.seed_row import SeedRow
from napari_medsynth.variation_strip import VariationStrip

WIDTH = 320


class Panel(QWidget):
    """All parts in one scrolling column, in the order they are used."""

    def __init__(self, viewer: napari.Viewer) -> None:
        super().__init__()
        look = viewer.theme
        self.pill = EnginePill(look, self)
        self.model = QComboBox(self)
        self.model.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.mask_row = MaskRow(viewer, self)
        self.palette_bar = PaletteBar(self)
        self.seed_row = SeedRow(look, self)
        self.chips = ChipBar(look, self)
        self.button = PrimaryButton(self)
        self.progress = ProgressRow(self)
        self.message = MessagePanel(look, self)
        self.variations = VariationStrip(self)
        self.plain, self.advanced = ParamForm(()), ParamForm(())
        self._lay_out()

    def sizeHint(self) -> QSize:
        """Return a width that leaves the canvas its room."""
        return QSize(WIDTH, 620)

    def minimumSizeHint(self) -> QSize:
        """Return how far the dock may be narrowed before labels are cut."""
        return QSize(WIDTH - 30, 240)

    def set_theme(self, name: str) -> None:
        """Follow the viewer's theme."""
        for part in (self.pill, self.seed_row, self.chips, self.message):
            part.set_theme(name)

    def show_params(self, params: tuple[ParamInfo, ...]) -> None:
        """Show the fields of these parameters; the advanced ones are folded away."""
        plain, advanced = split(params)
        self.plain, self.advanced = ParamForm(plain), ParamForm(advanced)
        self._put(self._plain_place, self.plain if plain else None)
        self._put(self._advanced_place, self.advanced if advanced else None)
        self._fold.setVisible(bool(advanced))

    def show_labels(self, labels: tuple[LabelInfo, ...]) -> None:
        """Show the brush for these labels; no row where there are none."""
        self.palette_bar.show_labels(labels)
        self._form.setRowVisible(self.palette_bar, bool(labels))

    def param_values(self) -> dict[str, Scalar]:
        """Return the values of all fields, checked. Raises ParameterError."""
        return self.plain.values() | self.advanced.values()

    def restore_params(self, values: dict[str, Scalar]) -> None:
        """Show remembered values."""
        self.plain.set_values(values)
        self.advanced.set_values(values)

    def _put(self, place: QVBoxLayout, form: ParamForm | None) -> None:
        while (item := place.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        if form is not None:
            place.addWidget(form.container.native)

    def _lay_out(self) -> None:
        column = QVBoxLayout()
        column.setSpacing(8)
        column.addWidget(self.pill)
        column.addLayout(self._choices())
        column.addLayout(self._plain_place)
        column.addWidget(self._fold)
        for part in (self.chips, self.button, self.progress, self.message, self.variations):
            column.addWidget(part)
        column.addStretch(1)
        inner = QWidget()
        inner.setLayout(column)
        scroll = QScrollArea(self)
        scroll.setWidget(inner)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        around = QVBoxLayout(self)
        around.setContentsMargins(0, 0, 0, 0)
        around.addWidget(scroll)

    def _choices(self) -> QFormLayout:
        form = self._form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.addRow("Model", self.model)
        form.addRow("Mask", self.mask_row)
        form.addRow("Brush", self.palette_bar)
        form.addRow("Seed", self.seed_row)
        self._plain_place, self._advanced_place = QVBoxLayout(), QVBoxLayout()
        self._fold = QCollapsible("Advanced", self)
        self._fold.setDuration(0)
        inside = QWidget(self._fold)
        inside.setLayout(self._advanced_place)
        self._advanced_place.setContentsMargins(0, 0, 0, 0)
        self._fold.setContent(inside)
        self._fold.collapse(animate=False)
        return form
