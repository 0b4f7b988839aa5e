"""What went wrong, inside the panel: one line of cause, a fix where there is one, and the diagnostics to copy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from medsynth_core import engine_view
from medsynth_core.errors import MedSynthError
from medsynth_core.lamp import Lamp
from medsynth_core.sentences import sentence
from napari_medsynth import theme
from napari_medsynth.engine_pill import copy
from napari_medsynth.fixes import fix_for


@dataclass(frozen=True)
class Message:
    """A sentence for the user; `fix` names what `act` does, `diagnostics` is what is copied."""

    lamp: Lamp
    text: str
    fix: str = ""
    act: Callable[[], None] = field(default=lambda: None)
    diagnostics: str = ""


def failure(problem: MedSynthError, acts: Mapping[str, Callable[[], None]], report: str) -> Message:
    """Return the message for an error: its sentence, and the fix for its kind if `acts` knows how to do it."""
    text, fix = f"{sentence(problem)}.", fix_for(problem)
    return Message(Lamp.RED, text, fix if fix in acts else "", acts.get(fix, lambda: None), report)


class MessagePanel(QFrame):
    """Shows one message until the next one, or until it is closed."""

    def __init__(self, theme_name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme_name
        self._message: Message | None = None
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self._mark, self._text = QLabel(self), QLabel(self)
        self._text.setWordWrap(True)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.fix = QPushButton(self)
        self.copy = QPushButton(engine_view.COPY, self)
        self._close = QToolButton(self)
        self._close.setText("×")
        self._close.setToolTip("Close this message")
        self._lay_out()
        self.fix.clicked.connect(self._fix_clicked)
        self.copy.clicked.connect(lambda: copy(self._message.diagnostics if self._message else ""))
        self._close.clicked.connect(self.clear)
        self.clear()

    @property
    def text(self) -> str:
        """The sentence shown, empty when there is none."""
        return self._message.text if self._message else ""

    def show_message(self, message: Message) -> None:
        """Show a message in place of the last."""
        self._message = message
        self._text.setText(message.text)
        self._mark.setPixmap(theme.dot(message.lamp, self._theme).pixmap(QSize(14, 14)))
        self.fix.setText(message.fix)
        self.fix.setVisible(bool(message.fix))
        self.copy.setVisible(bool(message.diagnostics))
        self.show()

    def clear(self) -> None:
        """Show nothing."""
        self._message = None
        self.hide()

    def set_theme(self, name: str) -> None:
        """Follow the viewer's theme."""
        self._theme = name
        if self._message is not None:
            self.show_message(self._message)

    def _fix_clicked(self) -> None:
        if self._message is not None:
            act = self._message.act
            self.clear()
            act()

    def _lay_out(self) -> None:
        top, bottom = QHBoxLayout(), QHBoxLayout()
        top.addWidget(self._mark, 0, Qt.AlignmentFlag.AlignTop)
        top.addWidget(self._text, 1)
        top.addWidget(self._close, 0, Qt.AlignmentFlag.AlignTop)
        bottom.addStretch(1)
        bottom.addWidget(self.fix)
        bottom.addWidget(self.copy)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 6, 6, 6)
        column.addLayout(top)
        column.addLayout(bottom)
