"""*Train on your own cases* on a scripted service: what a person sees and can do, from a folder to a model."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from qtpy.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QAbstractButton, QApplication, QFileDialog, QLineEdit

from medsynth_core.errors import InputError, ServiceError
from medsynth_core.protocol_training import Defect, Finding, Severity, TrainingRequest, TrainingState
from napari_medsynth import strokes
from napari_medsynth.synthesize_widget import SynthesizeWidget
from napari_medsynth.train_panel import NEW, THERE
from tests.gui.conftest import Desk
from tests.gui.heartbeat import Heartbeat
from tests.gui.teaching import Lesson, TeachingClient, stop

pytestmark = pytest.mark.gui
Open = Callable[..., Desk]
WARNING = Finding(Defect.NEAR_DUPLICATE, Severity.WARNS, ("a", "b"), "2 look-alikes", "Exclude one.", thumbnails=(0, 1))
ORDER = TrainingRequest("synthesize", "/data", "mine", title="Mine")


def write(line: QLineEdit, text: str) -> None:
    """Put a text into a line with the keyboard, and confirm it."""
    line.selectAll()
    strokes.QTest.keyClicks(line, text)
    strokes.QTest.keyClick(line, Qt.Key.Key_Return)


def examine(desk: Desk, folder: Path | str = "/data/cases") -> None:
    """Type the folder and wait for the doctor."""
    write(desk.panel.folder.path, str(folder))
    wait_report(desk)


def wait_report(desk: Desk) -> None:
    doctor, pause = desk.widget.order.doctor, desk.widget.order._pause
    desk.wait("the report", lambda: doctor.report is not None and not doctor.looking and not pause.isActive(), 30)


def named(desk: Desk, name: str = "My polyps") -> None:
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
    """Click a button as soon as it can be clicked."""
    desk.wait(f"{button.text()} to be clicked", lambda: button.isVisible() and button.isEnabled())
    strokes.click(button)


def texts(desk: Desk) -> list[str]:
    return [card.finding.says for card in desk.panel.findings.cards]


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
    lesson.findings = (Finding(Defect.TOO_FEW, Severity.STOPS, (), "2 cases", "Give at least 8 cases.", excludable=False),)
    desk = open_train()
    examine(desk)
    named(desk)
    assert desk.panel.button.toolTip() == "One finding stops the training: Give at least 8 cases."
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


def test_curves_samples_and_the_time_left_follow_a_training(open_train: Open, lesson: Lesson) -> None:
    desk = open_train()
    training = started(desk, lesson)
    for step in (10, 20, 30):
        lesson.go_on(training, step, validation=1.0 + abs(step - 20) / 100, strip=step > 10)
    view = desk.panel.view
    desk.wait("the newest samples", lambda: view.strip.step == 30 and bool(view.strip.content(30)), 10)
    assert view.curves.curves["validation"] == ((10, 1.1), (20, 1.0), (30, 1.1))
    assert [step for step, _ in view.curves.curves["noise"]] == [10, 20, 30]
    assert view.curves.best_step == 20
    assert view.line.text() == "Step 30 of 100, 90 s left"
    view.strip.slider.setValue(0)
    desk.wait("older samples", lambda: bool(view.strip.content(20)))
    lesson.go_on(training, 40, strip=True)
    desk.wait("more", lambda: view.line.text().startswith("Step 40"), 10)
    assert view.strip.step == 20, "who looks back is not torn away"
    strokes.QTest.mouseClick(view.strip.picture, Qt.MouseButton.LeftButton)
    assert [layer.name for layer in desk.viewer.layers] == ["[Synthetic] samples of My polyps, step 20"]


def test_pause_resume_and_stop_are_told_and_wait_for_the_service(open_train: Open, lesson: Lesson) -> None:
    desk = open_train()
    training = started(desk, lesson)
    lesson.go_on(training, 10)
    view = desk.panel.view
    desk.wait("its first step", lambda: view.line.text().startswith("Step 10"), 10)
    click(desk, view.pause)
    desk.wait("the word", lambda: lesson.told == [(training, "pause")])
    assert not view.pause.isEnabled(), "it has not come about yet"
    lesson.go_on(training, 11, state=TrainingState.PAUSED, seconds_left=None)
    click(desk, view.resume)
    lesson.go_on(training, 12)
    desk.wait("it runs", lambda: view.pause.isVisible() and view.pause.isEnabled(), 10)
    click(desk, view.stop)
    desk.wait("the words", lambda: [word for _, word in lesson.told] == ["pause", "resume", "stop"])
    lesson.end(training, TrainingState.STOPPED, step=12)
    desk.wait("the model", view.use.isVisible, 10)


def test_a_model_that_is_done_has_a_card_and_is_used_at_once(open_train: Open, lesson: Lesson) -> None:
    desk = open_train()
    training = started(desk, lesson)
    lesson.go_on(training, 100, validation=0.5)
    lesson.end(training)
    view = desk.panel.view
    desk.wait("the card", lambda: "«My polyps» is in the list" in view.card.text(), 10)
    assert "labels: polyp" in view.card.text()
    assert "best at step 100" in view.card.text()
    other = SynthesizeWidget(desk.viewer, connect=lambda: TeachingClient(lesson))
    desk.viewer.window.add_dock_widget(other, name="Synthesize", area="right", tabify=True)
    desk.wait("its models", lambda: other.model_id == "brain-slice")
    click(desk, view.use)
    desk.wait("the new model", lambda: other.model_id == "my-polyps", 5)
    assert other.panel.button.isVisible(), "it came to the front"
    assert len([w for w in desk.viewer.window.dock_widgets.values() if isinstance(w, SynthesizeWidget)]) == 1


def test_trainings_of_others_are_listed_and_found_as_the_panel_opens(open_train: Open, lesson: Lesson) -> None:
    lesson.go_on(lesson.add(ORDER), 5)
    lesson.add(replace(ORDER, engine="nuclei", model_id="next", title="Next"))
    desk = open_train()
    desk.wait("the page of trainings", lambda: desk.panel.page == THERE)
    rows = [desk.panel.list.item(row).text() for row in range(desk.panel.list.count())]
    assert rows == ["Next · waits for its turn", "Mine · step 5 of 100, 90 s left"]
    desk.wait("a training", lambda: desk.widget.follow.watch.training is not None)
    item = desk.panel.list.item(1)
    place = desk.panel.list.visualItemRect(item).center()
    strokes.QTest.mouseClick(desk.panel.list.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)
    desk.wait("its line", lambda: desk.panel.view.line.text() == "Step 5 of 100, 90 s left")
    assert desk.panel.pages._choices[THERE] == "Trainings · 2"


def test_a_training_that_ended_is_removed_and_the_empty_list_says_what_comes(open_train: Open, lesson: Lesson) -> None:
    training = lesson.add(ORDER)
    lesson.end(training, step=100)
    desk = open_train()
    assert desk.panel.page == NEW, "nothing is under way"
    desk.panel.pages.picked.emit(THERE)
    click(desk, desk.panel.view.remove)
    desk.wait("an empty list", lambda: not lesson.trainings and desk.panel.none.isVisible())
    assert not desk.panel.view.isVisible()


def test_a_failed_training_says_why_in_words_and_can_go_on(open_train: Open, lesson: Lesson) -> None:
    training = lesson.add(ORDER)
    lesson.end(
        training, TrainingState.FAILED, step=7, error_code="out_of_memory", error="it needs more memory: choose a smaller batch"
    )
    desk = open_train()
    desk.panel.pages.picked.emit(THERE)
    assert desk.panel.view.trouble.text() == "It needs more memory: choose a smaller batch"
    click(desk, desk.panel.view.resume)
    desk.wait("the word", lambda: lesson.told == [(training, "resume")])


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


def test_closing_the_panel_leaves_the_training_alone(open_train: Open, lesson: Lesson) -> None:
    desk = open_train()
    training = started(desk, lesson)
    lesson.go_on(training, 5)
    desk.viewer.window.remove_dock_widget(desk.widget)
    strokes.settle(300)
    assert lesson.told == []
    assert lesson.trainings[training].state is TrainingState.RUNNING


def test_the_viewers_thread_never_waits(open_train: Open, lesson: Lesson, record_property: Callable[[str, object], None]) -> None:
    lesson.findings = tuple(stop(f"case{i:02d}", picture=i % 4) for i in range(40))
    desk = open_train()
    training = lesson.add(ORDER)
    for step in range(1, 1001):
        lesson.go_on(training, step, validation=1 + 1 / step if step % 10 == 0 else None, strip=step % 100 == 0)
    desk.panel.pages.picked.emit(THERE)
    desk.wait("the curves", lambda: len(desk.widget.follow.watch.lines) == 1000, 10)
    beat = Heartbeat()
    beat.start()
    deadline = time.monotonic() + 3
    step = 1000
    while time.monotonic() < deadline:
        step += 1
        lesson.go_on(training, step, validation=1.0)
        strokes.settle(50)
    beat.stop()
    worst = max(gap.computed for gap in beat.gaps)
    record_property("heartbeat computed", f"{1000 * worst:.0f} ms")
    assert worst < 0.05
    assert lesson.threads, "the service was asked"
    assert threading.main_thread().name not in lesson.threads
