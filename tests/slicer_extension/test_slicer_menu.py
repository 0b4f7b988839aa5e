"""The pill's menu and the row about the environment: what can be done with the engine as it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import qt
from MedSynthLib import environment
from MedSynthLib.environment import Chosen
from MedSynthLib.environment_making import Step
from MedSynthLib.environment_row import EnvironmentRow

from medsynth_core.errors import OutOfMemoryError
from tests.slicer_extension.main_thread import MainThread


class Desk:
    """What the row asks of the desk."""

    def __init__(self, used: Chosen | None) -> None:
        self.used, self.busy = used, False
        self.asked: list[str] = []

    def create(self) -> None:
        self.asked.append("create")

    def remove(self) -> None:
        self.asked.append("remove")

    def cancel(self) -> None:
        self.asked.append("cancel")


def row(used: Chosen | None, confirm: Callable[[str], bool] = lambda question: True) -> tuple[Any, Desk, EnvironmentRow]:
    """A row with its widgets."""
    page = qt.QWidget()
    buttons = {name: qt.QPushButton(text, page) for name, text in NAMES.items()}
    ui = SimpleNamespace(environmentRow=page, environmentLabel=qt.QLabel(page), **buttons)
    desk = Desk(used)
    return ui, desk, EnvironmentRow(ui, desk, confirm)


NAMES = {"createButton": "Create it for me", "chooseButton": "Choose…", "repairButton": "Repair", "removeButton": "Remove"}


def test_the_menu_offers_what_fits_the_engine(panel: Any) -> None:
    main = MainThread()
    main.until(lambda: "Ready" in panel._ui.engineButton.text, 60)
    menu = panel.menu
    assert [a.text for a in menu.menu.actions() if a.text] == [
        "Start engine",
        "Stop engine",
        "Free memory",
        "Show log",
        "Copy diagnostics",
        "Environment",
    ]
    assert (menu.start.enabled, menu.stop.enabled, menu.free.enabled) == (False, True, True)
    menu.stop.trigger()
    main.until(lambda: "Stopped" in panel._ui.engineButton.text, 60)
    assert (menu.start.enabled, menu.stop.enabled, menu.free.enabled) == (True, False, False)


def test_diagnostics_name_versions_and_the_last_problem_and_no_path(lone_panel: Any) -> None:
    lone_panel.trouble(OutOfMemoryError("too little memory for /home/somebody/secret/model"))
    lone_panel.menu.copy.trigger()
    text = str(qt.QApplication.clipboard().text())
    assert text.startswith("MedSynth ")
    assert "3D Slicer 5.12" in text
    assert "too little memory for <path>" in text


def test_the_log_is_shown_without_paths(lone_panel: Any, home: Path) -> None:
    lone_panel.menu.show_log.trigger()
    window = lone_panel.menu._log
    assert window.isVisible()
    assert str(home) not in window.toPlainText()
    lone_panel.menu.close()
    assert not window.isVisible()


def test_the_row_about_the_environment_comes_when_asked_for(lone_panel: Any, lone_widget: Any) -> None:
    MainThread().until(lambda: not lone_panel._ui.environmentRow.isHidden())  # there is none yet
    lone_panel._environment.show(False)
    assert lone_panel._ui.environmentRow.isHidden()
    lone_panel.menu.environment.setChecked(True)
    assert not lone_panel._ui.environmentRow.isHidden()
    lone_panel.menu.environment.setChecked(False)
    assert lone_panel._ui.environmentRow.isHidden()


def test_an_environment_made_here_is_repaired_and_removed() -> None:
    ui, desk, made = row(Chosen("/x/bin/python", "x"))
    made.ask(True)
    assert ui.createButton.isHidden()
    assert "made here" in ui.environmentLabel.text
    ui.repairButton.click()
    ui.removeButton.click()
    assert desk.asked == ["create", "remove"]


def test_an_environment_is_removed_only_after_a_yes() -> None:
    asked: list[str] = []
    ui, desk, made = row(Chosen("/x/bin/python", "x"), lambda question: bool(asked.append(question)))
    made.ask(True)
    ui.removeButton.click()
    assert desk.asked == []
    assert len(asked) == 1
    assert "deleted from your data folder" in asked[0]


def test_an_engine_started_while_the_question_stands_keeps_its_environment() -> None:
    rows: list[EnvironmentRow] = []
    ui, desk, made = row(Chosen("/x/bin/python", "x"), lambda question: rows[0].set_running(True) is None)
    rows.append(made)
    made.ask(True)
    ui.removeButton.click()
    assert desk.asked == []


def test_while_the_engine_runs_its_environment_is_left_alone() -> None:
    ui, desk, made = row(Chosen("/x/bin/python", "x"))
    made.set_running(True)
    made.ask(True)
    ui.removeButton.click()
    assert desk.asked == []
    assert "Stop the engine first" in ui.removeButton.toolTip


@pytest.mark.parametrize("used", [None, Chosen("/usr/bin/python3")])
def test_an_environment_of_the_user_s_own_is_neither_repaired_nor_removed(used: Chosen | None) -> None:
    ui, _, made = row(used)
    made.ask(True)
    assert ui.repairButton.isHidden()
    assert ui.removeButton.isHidden()
    assert not ui.createButton.isHidden()


def test_a_repair_can_be_cancelled() -> None:
    ui, desk, made = row(Chosen("/x/bin/python", "x"))
    desk.busy = True
    made.told(Step(1, 5, "Making"))
    assert not ui.createButton.isHidden()
    assert ui.createButton.text == "Cancel"
    ui.createButton.click()
    assert desk.asked == ["cancel"]
    desk.busy = False
    made.told(environment.EnvironmentProblem(environment.Reason.CANCELLED, "it was cancelled"))
    assert ui.createButton.isHidden()
    assert ui.createButton.text == "Create it for me"
