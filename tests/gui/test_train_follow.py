"""The page of trainings on a scripted service: curves, samples, what can be told to one, and the model in the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from napari.utils.theme import get_theme
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QToolTip

from medsynth_core.protocol_training import Defect, Finding, Severity, TrainingRequest, TrainingState
from napari_medsynth import strokes
from napari_medsynth.synthesize_widget import SynthesizeWidget
from napari_medsynth.train_curves import HEIGHT, TrainCurves
from napari_medsynth.train_panel import NEW, THERE
from tests.gui.conftest import Desk
from tests.gui.heartbeat import Heartbeat
from tests.gui.teaching import Lesson, TeachingClient, stop
from tests.gui.test_themes import pixels
from tests.gui.train_hand import click, examine, started

pytestmark = pytest.mark.gui
Open = Callable[..., Desk]
LOOK_ALIKES = Finding(Defect.NEAR_DUPLICATE, Severity.WARNS, tuple("abcd"), "4 look-alikes", "Exclude.", thumbnails=(0, 1, 2, 3))
ORDER = TrainingRequest("synthesize", "/data", "mine", title="Mine")


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


def test_a_term_that_begins_near_nothing_does_not_flatten_the_others_and_the_legend_explains_the_names(qtbot: QtBot) -> None:
    chart = TrainCurves("dark")
    qtbot.addWidget(chart)
    steps = range(10, 210, 10)
    rising = tuple((step, 0.008 if step > 60 else 1e-5) for step in steps)
    chart.show_curves({"validation": tuple((s, 0.3 - s / 1000) for s in steps), "consistency": rising}, 200, 100)
    chart.show()
    _, low, high = chart._bounds()
    assert high - low < 2, "the chart spans more decades than the terms do once they have come up"
    assert low < -2.09, "what the term has come to is not seen"
    strokes.QTest.mouseMove(chart, QPoint(20, HEIGHT + 8))
    qtbot.waitUntil(lambda: "consistency: the image" in QToolTip.text())
    strokes.QTest.mouseMove(chart, QPoint(150, 60))
    qtbot.waitUntil(lambda: "consistency: 0.008 at step" in QToolTip.text())


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
    assert desk.panel.settings.base.findData("my-polyps") > 0, "it can be the base of the next"
    other = SynthesizeWidget(desk.viewer, connect=lambda: TeachingClient(lesson))
    desk.viewer.window.add_dock_widget(other, name="Synthesize", area="right", tabify=True)
    desk.wait("its models", lambda: other.model_id == "brain-slice")
    click(desk, view.use)
    desk.wait("the new model", lambda: other.model_id == "my-polyps", 5)
    assert other.panel.button.isVisible(), "it came to the front"
    assert len([w for w in desk.viewer.window.dock_widgets.values() if isinstance(w, SynthesizeWidget)]) == 1


def test_one_that_was_stopped_before_there_was_a_model_says_so(open_train: Open, lesson: Lesson) -> None:
    desk = open_train()
    training = started(desk, lesson)
    lesson.go_on(training, 12, retries=1, notices=("name the slide with --metadata and --group-by",))
    info = lesson.trainings[training]
    lesson.trainings[training] = replace(info, state=TrainingState.STOPPED, ended=time.time(), best_step=0)
    view = desk.panel.view
    desk.wait("the words", lambda: "stopped before there was one" in view.card.text(), 10)
    assert not view.use.isVisible()
    assert view.line.text() == "Stopped, step 12 of 100; its process was started again once"
    assert view.notes.text() == 'name the slide with "Table" and "Group by"'


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


@pytest.mark.parametrize("name", ["dark", "light"])
def test_chart_and_findings_follow_the_theme_and_nothing_is_cut_off(
    open_train: Open, lesson: Lesson, name: str, tmp_path: Path
) -> None:
    lesson.findings = (stop("case01", picture=0), LOOK_ALIKES)
    training = lesson.add(ORDER)
    for step in range(1, 40):
        lesson.go_on(training, step, validation=3.0 / step)
    desk = open_train()
    desk.viewer.theme = name
    desk.wait("the curves", lambda: len(desk.widget.follow.watch.lines) == 39, 10)
    strokes.settle(200)
    assert desk.widget.grab().save(str(tmp_path / f"chart-{name}.png"))
    chart = pixels(desk.panel.view.curves).astype(int)
    ground = np.array(get_theme(name).background.as_rgb_tuple()[:3])
    assert (np.abs(chart - ground).max(axis=-1) < 12).mean() > 0.5, "the ground is not the theme's"
    for curve in desk.panel.view.curves.curves:
        color = np.array(desk.panel.view.curves.color_of(curve).getRgb()[:3])
        assert (np.abs(chart - color).max(axis=-1) < 40).sum() > 40, f"{curve} is not seen"
    desk.panel.pages.picked.emit(NEW)
    examine(desk)
    strokes.settle(400)
    assert desk.widget.grab().save(str(tmp_path / f"findings-{name}.png"))
    inner, room = desk.panel._inner.width(), desk.panel._scroll.viewport().width()
    assert inner <= room, "parts are cut off at the right"
