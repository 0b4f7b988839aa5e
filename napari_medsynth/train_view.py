"""One training: how far it is, its curves and samples, what can be done with it, and in the end the model."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from medsynth_core.deed import Deed
from medsynth_core.protocol import ModelCard
from medsynth_core.protocol_training import TrainingInfo, TrainingState
from medsynth_core.training_words import (
    PAUSE,
    REMOVE,
    RESUME,
    STOP,
    USE,
    Points,
    again_line,
    card_lines,
    in_a_form,
    state_line,
    without_model,
)
from napari_medsynth import theme
from napari_medsynth.train_curves import TrainCurves
from napari_medsynth.train_strip import StripView

LIVE = (TrainingState.QUEUED, TrainingState.RUNNING, TrainingState.PAUSED)


class TrainingView(QWidget):
    """Shows a training and sends intentions."""

    pause_wanted = Signal()
    resume_wanted = Signal()
    stop_wanted = Signal()
    remove_wanted = Signal()
    use_wanted = Signal()

    def __init__(self, theme_name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.bar, self.line = QProgressBar(self), QLabel(self)
        self.curves, self.strip = TrainCurves(theme_name, self), StripView(self)
        self.pause, self.resume, self.stop = _button(PAUSE, self), _button(RESUME, self), _button(STOP, self)
        self.remove, self.use = _button(REMOVE, self), _button(USE, self)
        self.trouble, self.notes, self.card = _text(self), _text(self), _text(self)
        self._set_up()
        self._lay_out()
        self.set_theme(theme_name)
        self.hide()

    def show_training(self, training: TrainingInfo, obeys: bool) -> None:
        """Show how a training stands; `obeys`: it was told something that has not come about yet."""
        state = training.state
        self.bar.setRange(0, max(1, training.steps) if training.steps or state is not TrainingState.RUNNING else 0)
        self.bar.setValue(training.step)
        self.bar.setVisible(state in LIVE)
        self.line.setText(_capital("; ".join(filter(None, (state_line(training), again_line(training))))))
        self.pause.setVisible(state in (TrainingState.RUNNING, TrainingState.QUEUED))
        self.resume.setVisible(state in (TrainingState.PAUSED, TrainingState.FAILED))
        self.stop.setVisible(state in LIVE)
        self.remove.setVisible(state.ended or state is TrainingState.PAUSED)
        for button in (self.pause, self.resume, self.stop):
            button.setEnabled(not obeys)
        _say(self.trouble, in_a_form(_capital(training.error)))
        _say(self.notes, in_a_form("\n".join(training.notices)))
        self.show()

    def show_curves(self, curves: dict[str, Points], training: TrainingInfo) -> None:
        """Show its loss."""
        self.curves.setVisible(bool(curves))
        self.curves.show_curves(curves, training.steps, training.best_step)

    def show_card(self, card: ModelCard | None, training: TrainingInfo, sought: bool) -> None:
        """Show the model that came of it, None while there is none; `sought`: it was looked for since the training ended."""
        if card is None:
            _say(self.card, without_model(training.state) if sought else "")
        else:
            title = f"\N{LEFT-POINTING DOUBLE ANGLE QUOTATION MARK}{card.title}\N{RIGHT-POINTING DOUBLE ANGLE QUOTATION MARK}"
            lines = card_lines(card, training.best_step, training.request.base)
            _say(self.card, "\n".join((f"The model {title} is in the list:", *lines)))
        self.use.setVisible(card is not None)

    def set_theme(self, name: str) -> None:
        """Follow the viewer's theme."""
        self.curves.set_theme(name)
        self.notes.setStyleSheet(f"color: {theme.faint_color(name).name()};")
        accent = theme.accent_color(name).name()
        self.use.setStyleSheet(f"QPushButton:enabled {{ background-color: {accent}; font-weight: bold; }}")

    def _set_up(self) -> None:
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)
        self.line.setWordWrap(True)
        self.use.setMinimumHeight(34)
        wishes = {
            self.pause: self.pause_wanted,
            self.resume: self.resume_wanted,
            self.stop: self.stop_wanted,
            self.remove: self.remove_wanted,
            self.use: self.use_wanted,
        }
        for button, wish in wishes.items():
            button.clicked.connect(wish.emit)

    def _lay_out(self) -> None:
        head, buttons, column = QHBoxLayout(), QHBoxLayout(), QVBoxLayout(self)
        head.addWidget(self.line, 1)
        head.addWidget(self.remove)
        for button in (self.pause, self.resume, self.stop):
            buttons.addWidget(button)
        buttons.addStretch(1)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.bar)
        column.addLayout(head)
        column.addLayout(buttons)
        for part in (self.trouble, self.card, self.use, self.curves, self.strip, self.notes):
            column.addWidget(part)


def _button(deed: Deed, parent: QWidget) -> QPushButton:
    button = QPushButton(deed.text, parent)
    button.setToolTip(deed.tip)
    return button


def _text(parent: QWidget) -> QLabel:
    label = QLabel(parent)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def _say(label: QLabel, text: str) -> None:
    label.setText(text)
    label.setVisible(bool(text))


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
