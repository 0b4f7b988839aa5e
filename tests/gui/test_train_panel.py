"""*Train on your own cases* on a scripted service: what a person sees and can do, from a folder to a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from qtpy.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication, QFileDialog

from medsynth_core.errors import InputError, ServiceError
from medsynth_core.protocol_training import Defect, Finding, Severity, TrainingRequest
from napari_medsynth import strokes
from napari_medsynth.train_panel import NEW
from tests.gui.conftest import Desk
from tests.gui.teaching import Lesson, stop
from tests.gui.train_hand import click, examine, named, texts, wait_report, write

pytestmark = pytest.mark.gui
Open = Callable[..., Desk]
WARNING = Finding(Defect.NEAR_DUPLICATE, Severity.WARNS, ("a", "b"), "2 look-alikes", "Exclude one.", thumbnails=(0, 1))
ORDER = TrainingRequest("synthesize", "/data", "mine", title="Mine")


def test_a_folder_is_examined_and_its_facts_are_shown(open_train: Open, lesson: Lesson) -> None:
    desk = open_train()
    assert desk.panel.button.toolTip() == "Choose the folder with your cases first"
    examine(desk)
    assert lesson.looks[0].data == "/data/cases"
    assert lesson.looks[0].engine == "synthesize"
    facts = desk.panel.facts.lines
    assert facts["Cases"] == "60 cases in 58 groups"
    assert facts["Split"] == "46 to learn from, 3 to choose by, 9 held out"
    assert facts["Labels"] == "0: 87 %, 1: 13 %"
    assert "384×288 (55)" in facts["Size"]
    assert facts["Intensity"].startswith("3 to 231")


def test_nothing_starts_before_what_stops_is_excluded_one_by_one_or_all_at_once(open_train: Open, lesson: Lesson) -> None:
    lesson.findings = (stop("case01", picture=0), stop("case02"), stop("case03"), WARNING)
    desk = open_train()
    examine(desk)
    named(desk)
    assert texts(desk)[0].startswith("case01")
    assert not desk.panel.button.isEnabled()
    assert desk.panel.button.toolTip().startswith("3 findings stop the training")
    strokes.click(desk.panel.button)
    click(desk, desk.panel.findings.cards[1].exclude)
    wait_report(desk)
    assert lesson.looks[-1].excluded == ("case02",)
    assert len(texts(desk)) == 3
    click(desk, desk.panel.findings.exclude_all)
    wait_report(desk)
    assert set(lesson.looks[-1].excluded) == {"case01", "case02", "case03"}
    assert texts(desk) == ["2 look-alikes"], "what only warns stays"
    click(desk, desk.panel.button)
    desk.wait("the order", lambda: bool(lesson.trainings))
    assert len(lesson.trainings) == 1
    assert set(next(iter(lesson.trainings.values())).request.excluded) == {"case01", "case02", "case03"}


def test_an_exclusion_is_taken_back(open_train: Open, lesson: Lesson) -> None:
    lesson.findings = (stop("case01"),)
    desk = open_train()
    examine(desk)
    named(desk)
    click(desk, desk.panel.findings.cards[0].exclude)
    wait_report(desk)
    assert desk.panel.button.isEnabled()
    click(desk, desk.panel.findings.undos[0])
    wait_report(desk)
    assert lesson.looks[-1].excluded == ()
    assert not desk.panel.button.isEnabled()


def test_what_cannot_be_excluded_says_its_way_out_on_the_button(open_train: Open, lesson: Lesson) -> None:
    says = "2 cases; for other names give --images and --masks"
    lesson.findings = (Finding(Defect.TOO_FEW, Severity.STOPS, (), says, "Give at least 8 cases.", excludable=False),)
    desk = open_train()
    examine(desk)
    named(desk)
    assert desk.panel.button.toolTip() == "One finding stops the training: Give at least 8 cases."
    assert desk.panel.findings.cards[0]._says.text() == '2 cases; for other names give "Images" and "Masks".'
    assert not desk.panel.findings.cards[0].exclude.isVisible()
    assert not desk.panel.findings.exclude_all.isVisible()


def test_offenders_are_shown_in_small(open_train: Open, lesson: Lesson) -> None:
    lesson.findings = (stop("case01", picture=2), WARNING)
    desk = open_train()
    examine(desk)
    cards = desk.panel.findings.cards
    desk.wait("the pictures", lambda: all(not p.pixmap().isNull() for c in cards for p in c.pictures.values()))
    assert [sorted(card.pictures) for card in cards] == [[2], [0, 1]]


def test_a_look_is_cancelled_and_dismissed(open_train: Open, lesson: Lesson) -> None:
    lesson.look_seconds = 60
    desk = open_train()
    write(desk.panel.folder.path, "/data/cases")
    desk.wait("the look", lambda: bool(lesson.looks) and desk.widget.order.doctor._there is not None)
    assert desk.panel.button.toolTip() == "The doctor still looks at the folder"
    click(desk, desk.panel.look.cancel)
    desk.wait("the dismissal", lambda: lesson.dismissed == ["0"])
    assert not desk.panel.look.bar.isVisible()
    assert desk.panel.button.toolTip() == "Let the doctor look at the folder first"


def test_a_folder_is_dropped_anywhere_on_the_page(open_train: Open, lesson: Lesson, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    desk = open_train()
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(tmp_path / "a.png"))])
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(20, 300), Qt.DropAction.CopyAction, mime, buttons, keys)
    QApplication.sendEvent(desk.panel, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(
        desk.panel, QDropEvent(QPointF(20, 300), Qt.DropAction.CopyAction, mime, buttons, keys, QEvent.Type.Drop)
    )
    wait_report(desk)
    assert lesson.looks[0].data == str(tmp_path)


def test_a_folder_is_chosen_in_a_window_that_blocks_nothing(open_train: Open, lesson: Lesson, tmp_path: Path) -> None:
    desk = open_train()
    click(desk, desk.panel.folder.choose)
    dialog = desk.panel.folder.findChild(QFileDialog)
    assert dialog is not None
    dialog.setDirectory(str(tmp_path.parent))
    dialog.selectFile(str(tmp_path))
    dialog.accept()
    wait_report(desk)
    assert lesson.looks[0].data == str(tmp_path)


def test_all_four_engines_can_be_picked_each_with_its_presets_and_bases(open_train: Open, lesson: Lesson) -> None:
    desk = open_train()
    box, settings = desk.panel.engine, desk.panel.settings
    examine(desk)
    offers = {}
    for engine in ("nuclei", "tumor", "refine", "synthesize"):
        box.setCurrentIndex(box.findData(engine))
        desk.wait("another look", lambda engine=engine: lesson.looks[-1].engine == engine)
        wait_report(desk)
        presets = [settings.preset.itemData(i) for i in range(settings.preset.count())]
        offers[engine] = (presets[0], {settings.base.itemData(i) for i in range(settings.base.count())})
        assert "toy" in presets
        assert bool(settings.labels) is (engine in ("synthesize", "refine"))
    assert offers["nuclei"] == ("compact", {"", "nuclei-he"})
    assert offers["tumor"] == ("compact", {"", "lgg-flair"})
    assert offers["refine"] == ("discrete", {"", "polyp-coarse", "refiner"})
    assert offers["synthesize"] == ("compact", {"", "brain-slice", "polyp"})


def test_the_order_says_what_the_fields_say(open_train: Open, lesson: Lesson) -> None:
    desk = open_train()
    examine(desk)
    settings = desk.panel.settings
    named(desk, "Meine Polypen (2)")
    write(settings.license, "CC BY 4.0")
    settings.preset.setCurrentIndex(settings.preset.findData("toy"))
    settings.base.setCurrentIndex(settings.base.findData("polyp"))
    settings.steps.setValue(40)
    settings.batch.setValue(2)
    settings.judge.setChecked(False)
    write(settings.labels["1"], "polyp")
    wait_report(desk)
    click(desk, desk.panel.button)
    desk.wait("the order", lambda: bool(lesson.trainings))
    (info,) = lesson.trainings.values()
    assert info.request == replace(
        TrainingRequest("synthesize", "/data/cases", "meine-polypen-2", "Meine Polypen (2)", "toy", "polyp"),
        steps=40,
        batch=2,
        license="CC BY 4.0",
        labels={"1": "polyp"},
        judge=False,
    )


def test_a_name_that_is_taken_is_told_before_the_click(open_train: Open, lesson: Lesson) -> None:
    desk = open_train()
    examine(desk)
    assert desk.panel.button.toolTip() == "Give the model a name"
    named(desk, "Polyp")
    assert desk.panel.button.toolTip() == "There is a model polyp already: choose another name"
    lesson.add(replace(ORDER, model_id="mine"))
    desk.wait("the list", lambda: bool(desk.widget.follow.watch.trainings))
    named(desk, "Mine")
    assert desk.panel.button.toolTip() == "Another training makes mine: choose another name"
    named(desk, "Mine, too")
    assert desk.panel.button.isEnabled()


@pytest.mark.parametrize("where", ["look", "order"])
def test_errors_are_one_line_in_the_panel(open_train: Open, lesson: Lesson, where: str) -> None:
    desk = open_train()
    if where == "look":
        lesson.raises = InputError("cases is not a folder: choose the one that holds images/ and masks/")
        write(desk.panel.folder.path, "/data/cases")
    else:
        lesson.refuses = ServiceError("a model my-polyps is there already: give the new one another name")
        examine(desk)
        named(desk)
        click(desk, desk.panel.button)
    desk.wait("the message", lambda: bool(desk.panel.message.text))
    assert desk.panel.message.text.count("\n") == 0
    assert ": " in desk.panel.message.text
    assert desk.panel.page == NEW


def test_what_was_said_is_remembered(open_train: Open, lesson: Lesson) -> None:
    lesson.findings = (stop("case01"),)
    desk = open_train()
    examine(desk)
    click(desk, desk.panel.findings.exclude_all if len(texts(desk)) > 1 else desk.panel.findings.cards[0].exclude)
    wait_report(desk)
    desk.panel.settings.preset.setCurrentIndex(desk.panel.settings.preset.findData("toy"))
    write(desk.panel.settings.license, "CC0")
    wait_report(desk)
    named(desk)
    click(desk, desk.panel.button)
    desk.wait("the order", lambda: bool(lesson.trainings))
    lesson.end(next(iter(lesson.trainings)), step=6)
    other = open_train()
    assert other.panel.folder.path.text() == "/data/cases"
    assert other.panel.settings.license.text() == "CC0"
    assert other.panel.settings.preset.currentData() == "toy"
    assert other.panel.settings.name.text() == "", "a new model needs a new name"
    click(other, other.panel.look.look)
    wait_report(other)
    assert lesson.looks[-1].excluded == ("case01",)


def test_the_lamp_of_another_panel_opens_the_train_panel(
    open_desk: Open, lesson: Lesson, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("napari_medsynth.engine_pill.open_panel", lambda viewer, which: opened.append(which))
    desk = open_desk()
    desk.panel.pill.train.trigger()
    assert opened == ["train"]
