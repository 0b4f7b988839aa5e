"""A few choices side by side, one of which holds; each may say something more in a second line."""

from __future__ import annotations

from collections.abc import Mapping

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QButtonGroup, QHBoxLayout, QPushButton, QSizePolicy, QWidget


class ChoiceRow(QWidget):
    """Shows choices given as value → title; `picked` carries the value the user took."""

    picked = Signal(str)

    def __init__(self, choices: Mapping[str, str], tooltips: Mapping[str, str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._choices = dict(choices)
        self._group = QButtonGroup(self)
        self._buttons: dict[str, QPushButton] = {}
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        for value, title in choices.items():
            button = QPushButton(title, self)
            button.setCheckable(True)
            button.setToolTip(tooltips[value])
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
            button.setStyleSheet("padding: 3px 2px;")
            button.clicked.connect(lambda _=False, value=value: self.picked.emit(value))
            self._group.addButton(button)
            self._buttons[value] = button
            row.addWidget(button, 1)
        self.set_value(next(iter(choices)))

    @property
    def value(self) -> str:
        """The choice that holds."""
        return next(value for value, button in self._buttons.items() if button.isChecked())

    def set_value(self, value: str) -> None:
        """Let another choice hold; a value that is none of them changes nothing."""
        if value in self._buttons:
            self._buttons[value].setChecked(True)

    def rename(self, value: str, title: str) -> None:
        """Show another title for a choice."""
        self._choices[value] = title
        self._buttons[value].setText(title)

    def say(self, texts: Mapping[str, str]) -> None:
        """Show a second line for each choice, none where the text is empty."""
        for value, button in self._buttons.items():
            button.setText("\n".join(part for part in (self._choices[value], texts.get(value, "")) if part))
