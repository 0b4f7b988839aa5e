"""The parts that every panel has and where they stand. No behavior: see `engine_widget`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import napari
from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QFormLayout, QFrame, QScrollArea, QSizePolicy, QVBoxLayout, QWidget
from superqt import QCollapsible

from medsynth_core.protocol import ModelInfo, ParamInfo, Scalar
from napari_medsynth import theme
from napari_medsynth.chips import ChipBar
from napari_medsynth.elided_box import ElidedBox
from napari_medsynth.engine_pill import EnginePill
from napari_medsynth.forms import ParamForm, split
from napari_medsynth.message_panel import MessagePanel
from napari_medsynth.primary_button import PrimaryButton
from napari_medsynth.progress_row import ProgressRow
from napari_medsynth.quality_mark import QualityMark

WIDTH = 320


class Panel(QWidget):
    """One scrolling column, in the order it is used: engine, model, parameters, checks, button, progress, message, quality.

    A panel of one engine adds its own rows and parts. `verb` and `tooltip` are the button's.
    """

    def __init__(self, viewer: napari.Viewer, verb: str, tooltip: str) -> None:
        super().__init__()
        look = viewer.theme
        self.pill = EnginePill(look, self)
        self.model = ElidedBox(self)
        self.chips = ChipBar(look, self)
        self.button = PrimaryButton(look, verb, tooltip, self)
        self.progress = ProgressRow(self)
        self.message, self.quality = MessagePanel(look, self), QualityMark(look, self)
        self.plain, self.advanced = ParamForm(()), ParamForm(())
        self._params_under: QWidget = self.model
        self._themed: list[Any] = [self.pill, self.chips, self.button, self.message, self.quality]
        self._lay_out()
        self.set_theme(look)

    def sizeHint(self) -> QSize:
        """Return a width that leaves the canvas its room."""
        return QSize(WIDTH, 620)

    def minimumSizeHint(self) -> QSize:
        """Return how far the dock may be narrowed before labels are cut: the parts' width, with the scroll bar that may come."""
        bar = self._scroll.verticalScrollBar()
        room = bar.sizeHint().width() if bar is not None else 0
        return QSize(max(WIDTH, self._inner.minimumSizeHint().width() + room), 240)

    def add_rows(self, rows: Mapping[str, QWidget], before: QWidget | None = None) -> None:
        """Add rows to the form, at its end or over the row of `before`."""
        place = self._form.rowCount() if before is None else self._form.getWidgetPosition(before)[0]
        for offset, (title, part) in enumerate(rows.items()):
            self._form.insertRow(place + offset, title, part)

    def params_follow(self, part: QWidget) -> None:
        """Let the fields of the parameters stand under the row of a part, not under the model's."""
        self._params_under = part

    def show_row(self, part: QWidget, shown: bool) -> None:
        """Show or hide a row of the form."""
        self._form.setRowVisible(part, shown)

    def add_below(self, *parts: QWidget, over_checks: bool = False) -> None:
        """Add parts under everything, or between the form and the checks."""
        for part in parts:
            place = self._column.indexOf(self.chips) if over_checks else self._column.count() - 1  # the stretch stays last
            self._column.insertWidget(place, part)

    def follow_theme(self, *parts: Any) -> None:
        """Let these parts follow the viewer's theme."""
        self._themed += parts

    def set_theme(self, name: str) -> None:
        """Follow the viewer's theme."""
        for part in self._themed:
            part.set_theme(name)
        self._fold.setCollapsedIcon(theme.icon("folded", name))
        self._fold.setExpandedIcon(theme.icon("unfolded", name))

    def show_params(self, params: tuple[ParamInfo, ...]) -> None:
        """Show the fields of these parameters; the advanced ones are folded away."""
        _remove_rows(self._form, self.plain)
        _remove_rows(self._advanced_form, self.advanced)
        plain, advanced = split(params)
        self.plain, self.advanced = ParamForm(plain), ParamForm(advanced)
        place, _ = self._form.getWidgetPosition(self._params_under)
        _insert_rows(self._form, place + 1, self.plain)
        _insert_rows(self._advanced_form, 0, self.advanced)
        self._fold.setVisible(bool(advanced))

    def param_values(self) -> dict[str, Scalar]:
        """Return the values of all fields, checked. Raises ParameterError."""
        return self.plain.values() | self.advanced.values()

    def restore_params(self, values: Mapping[str, Scalar]) -> None:
        """Show these values where there is a field for them."""
        self.plain.set_values(values)
        self.advanced.set_values(values)

    def list_models(self, models: tuple[ModelInfo, ...], keep: str) -> None:
        """Offer these models and pick the one with the id `keep`, else the first; without any the row is hidden."""
        self.model.blockSignals(True)
        self.model.clear()
        for model in models:
            self.model.addItem(model.card.title if model.card and model.card.title else model.id, model)
        self.model.setCurrentIndex(next((i for i, m in enumerate(models) if m.id == keep), 0 if models else -1))
        self.model.blockSignals(False)
        self.show_row(self.model, bool(models))

    def picked_model(self) -> ModelInfo | None:
        """Return the picked model, None where there is none to pick."""
        picked: ModelInfo | None = self.model.currentData()
        return picked

    def _lay_out(self) -> None:
        self._inner = QWidget()
        self._column = QVBoxLayout(self._inner)
        self._column.setSpacing(8)
        self._form, self._advanced_form = new_form(), new_form()
        self.add_rows({"Model": self.model})
        self._fold = new_fold(self._advanced_form)
        self._column.addWidget(self.pill)
        self._column.addLayout(self._form)
        for widget in (self._fold, self.chips, self.button, self.progress, self.message, self.quality):
            self._column.addWidget(widget)
        self._column.addStretch(1)
        self._scroll = scrolled(self._inner, self)


def scrolled(inner: QWidget, panel: QWidget) -> QScrollArea:
    """Lay a column into a panel, all of it, and let it be scrolled down where the dock is too low; return what scrolls."""
    scroll = QScrollArea(panel)
    scroll.setWidget(inner)
    scroll.setWidgetResizable(True)
    scroll.setFrameShape(QFrame.Shape.NoFrame)
    scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    around = QVBoxLayout(panel)
    around.setContentsMargins(0, 0, 0, 0)
    around.addWidget(scroll)
    return scroll


def new_form() -> QFormLayout:
    """Return a form whose fields take all the width there is."""
    form = QFormLayout()
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.DontWrapRows)
    form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    form.setHorizontalSpacing(8)
    form.setVerticalSpacing(6)
    return form


def new_fold(form: QFormLayout) -> QCollapsible:
    """Return a folded part that holds a form, hidden."""
    fold = QCollapsible("Advanced")
    fold.setDuration(0)
    if (around := fold.layout()) is not None:
        around.setContentsMargins(0, 0, 0, 0)
    inside = QWidget()
    form.setContentsMargins(0, 0, 0, 0)
    inside.setLayout(form)
    fold.setContent(inside)
    fold.collapse(animate=False)
    fold.toggleButton().setStyleSheet("text-align: left;")
    fold.setVisible(False)
    return fold


def _insert_rows(form: QFormLayout, place: int, fields: ParamForm) -> None:
    for offset, field in enumerate(fields.fields.values()):
        native = field.native
        native.setMinimumWidth(60)
        native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        form.insertRow(place + offset, field.label, native)
        if (label := form.labelForField(native)) is not None:
            label.setToolTip(field.tooltip or "")


def _remove_rows(form: QFormLayout, fields: ParamForm) -> None:
    for field in fields.fields.values():
        form.removeRow(field.native)
