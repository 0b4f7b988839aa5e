"""Numbers that may be left open: a field that shows a word until it gets a number, and rows of such fields with a die."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QValidator
from qtpy.QtWidgets import QDoubleSpinBox, QHBoxLayout, QPushButton, QSizePolicy, QSlider, QWidget

from medsynth_core.tumor_request import Range
from napari_medsynth import theme

SLIDER_STEPS = 200


class OpenField(QDoubleSpinBox):
    """Shows `word` while it is open. Typing, the wheel or the arrows give it a number; an emptied field is open again.

    `edited` says that the user changed it; `show_number` says nothing.
    """

    edited = Signal()

    def __init__(self, word: str, low: float, high: float, decimals: int = 1, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._word, self._open = word, True
        self.start = low
        self.setDecimals(decimals)
        self.setRange(low, high)
        self.setKeyboardTracking(False)
        self.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setStyleSheet("min-width: 40px; padding: 2px 3px;")  # napari's own would let three of them widen the dock
        if (line := self.lineEdit()) is not None:
            line.textEdited.connect(self._typed)
        self.editingFinished.connect(self._finished)
        self._told: float | None = None
        self.show_number(None)

    @property
    def number(self) -> float | None:
        """The number, None while the field is open."""
        return None if self._open else self.value()

    def show_number(self, number: float | None) -> None:
        """Show a number, None to leave the field open."""
        self.blockSignals(True)
        self._open = number is None
        if number is not None:
            self.setValue(number)
        self.blockSignals(False)
        self._told = self.number
        if (line := self.lineEdit()) is not None:
            line.setText(self.textFromValue(self.value()))

    def stepBy(self, steps: int) -> None:  # Qt's name
        """Step from the number, or from `start` while the field is open."""
        if self._open:
            self.show_number(self.start)
        super().stepBy(steps)
        self._finished()

    def textFromValue(self, value: float) -> str:  # Qt's name
        """Return the number, or the word."""
        return self._word if self._open else super().textFromValue(value)

    def valueFromText(self, text: str | None) -> float:  # Qt's name
        """Return the number that was typed."""
        return self.value() if self._means_open(text) else super().valueFromText(text)

    def validate(self, text: str | None, position: int) -> tuple[QValidator.State, str, int]:  # Qt's name
        """Take the word and the empty text, too."""
        if self._means_open(text):
            return QValidator.State.Acceptable, text or "", position
        return super().validate(text, position)

    def _means_open(self, text: str | None) -> bool:
        return not (text or "").strip() or text == self._word

    def _typed(self, text: str) -> None:
        self._open = self._means_open(text)

    def _finished(self) -> None:
        if self.number != self._told:
            number = self.number
            self.show_number(number)
            self.edited.emit()


class FieldRow(QWidget):
    """Fields side by side and a die that opens them all; `together` opens or fills them only as one."""

    edited = Signal()

    def __init__(self, fields: Sequence[OpenField], tooltip: str, together: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.fields, self._together = tuple(fields), together
        self.dice = QPushButton(self)
        self.dice.setIconSize(QSize(18, 18))
        self.dice.setToolTip(tooltip)
        self.row = QHBoxLayout(self)
        self.row.setContentsMargins(0, 0, 0, 0)
        self.row.setSpacing(4)
        for field in self.fields:
            self.row.addWidget(field, 1)
            field.edited.connect(lambda field=field: self._field_edited(field))
        self.row.addWidget(self.dice)
        self.dice.clicked.connect(self._open_all)

    @property
    def numbers(self) -> tuple[float | None, ...]:
        """The numbers of the fields, None for an open one."""
        return tuple(field.number for field in self.fields)

    def show_numbers(self, numbers: Sequence[float | None]) -> None:
        """Show these numbers; says nothing."""
        for field, number in zip(self.fields, numbers, strict=True):
            field.show_number(number)
        self.dice.setEnabled(any(number is not None for number in self.numbers))

    def set_theme(self, name: str) -> None:
        """Follow the viewer's theme."""
        self.dice.setIcon(theme.icon("dice", name))

    def _field_edited(self, edited: OpenField) -> None:
        if self._together:
            for field in self.fields:
                if edited.number is None:
                    field.show_number(None)
                elif field.number is None:
                    field.show_number(field.start)
        self.show_numbers(self.numbers)
        self.edited.emit()

    def _open_all(self) -> None:
        self.show_numbers([None] * len(self.fields))
        self.edited.emit()


class SliderRow(FieldRow):
    """One field with a slider before it, over the trained range; `ratio` makes equal steps of it equal factors."""

    def __init__(self, field: OpenField, tooltip: str, ratio: bool = False, parent: QWidget | None = None) -> None:
        super().__init__([field], tooltip, parent=parent)
        self._ratio = ratio
        self.slider = QSlider(Qt.Orientation.Horizontal, self)
        self.slider.setRange(0, SLIDER_STEPS)
        self.row.insertWidget(0, self.slider, 2)
        self._range = Range(field.minimum(), field.maximum())
        self.slider.valueChanged.connect(self._slid)

    def set_range(self, trained: Range | None, typical: float | None) -> None:
        """Let the slider run over what was trained, and begin at what is typical."""
        field = self.fields[0]
        self._range = trained or Range(field.minimum(), field.maximum())
        field.start = typical if typical is not None else (self._range.low + self._range.high) / 2
        self.show_numbers(self.numbers)

    def show_numbers(self, numbers: Sequence[float | None]) -> None:
        """Show the number; an open one puts the slider where it is typical."""
        super().show_numbers(numbers)
        number = self.fields[0].number
        self.slider.blockSignals(True)
        self.slider.setValue(round(SLIDER_STEPS * self._share(self.fields[0].start if number is None else number)))
        self.slider.blockSignals(False)

    def _slid(self, place: int) -> None:
        share, low, high = place / SLIDER_STEPS, self._low, self._range.high
        number = low * (high / low) ** share if self._ratio else low + share * (high - low)
        super().show_numbers([round(number, self.fields[0].decimals())])
        self.edited.emit()

    @property
    def _low(self) -> float:
        """The slider's lower end; a ratio needs one above nothing."""
        return max(self._range.low, self._range.high / 1000) if self._ratio else self._range.low

    def _share(self, number: float) -> float:
        low, high = self._low, self._range.high
        if high <= low:
            return 0.0
        share = math.log(max(number, low) / low) / math.log(high / low) if self._ratio else (number - low) / (high - low)
        return min(1.0, max(0.0, share))
