"""What a person does in *Train on your own cases*, with mouse and keys."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractButton, QLineEdit

from napari_medsynth import strokes
from napari_medsynth.train_panel import THERE
from tests.gui.conftest import Desk
from tests.gui.teaching import Lesson


def write(line: QLineEdit, text: str) -> None:
    """Put a text into a line with the keyboard, and confirm it."""
    line.selectAll()
    strokes.QTest.keyClicks(line, text)
    strokes.QTest.keyClick(line, Qt.Key.Key_Return)


def examine(desk: Desk, folder: Path | str = "/data/cases") -> None:
    """Type the folder and wait for the doctor."""
    write(desk.panel.folder.path, str(folder))
    wait_report(desk)


def wait_report(desk: Desk, seconds: float = 30) -> None:
    """Wait until the doctor has said all about the form as it stands."""
    doctor, pause = desk.widget.order.doctor, desk.widget.order._pause
    desk.wait("the report", lambda: doctor.report is not None and not doctor.looking and not pause.isActive(), seconds)


def named(desk: Desk, name: str = "My polyps") -> None:
    """Type the name of the model."""
    write(desk.panel.settings.name, name)


def started(desk: Desk, lesson: Lesson) -> str:
    """Order a training with the mouse and return its id."""
    examine(desk)
    named(desk)
    click(desk, desk.panel.button)
    desk.wait("the order", lambda: bool(lesson.trainings))
    desk.wait("its page", lambda: desk.panel.page == THERE)
    return next(iter(lesson.trainings))


def click(desk: Desk, button: QAbstractButton) -> None:
    """Click a button as soon as it can be clicked, and is where it will stay: new cards are laid out a moment later."""
    desk.wait(f"{button.text()} to be clicked", lambda: button.isVisible() and button.isEnabled())
    strokes.settle(100)
    strokes.click(button)


def texts(desk: Desk) -> list[str]:
    """Return what the findings say, in the order they are shown."""
    return [card.finding.says for card in desk.panel.findings.cards]
