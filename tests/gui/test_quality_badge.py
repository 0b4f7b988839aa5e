"""The badge in napari: in every panel, under each of several images, in the list of jobs; colors and words follow the card."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtGui import QColor, QImage
from qtpy.QtWidgets import QLabel, QWidget

from medsynth_core import job_words
from medsynth_core.lamp import Lamp
from medsynth_core.protocol import JobInfo, JobRequest, JobState, Thresholds
from medsynth_core.quality import KEY, Badge
from medsynth_core.quality_words import UNMEASURED
from napari_medsynth import strokes, theme
from napari_medsynth.jobs_list import JobsList
from napari_medsynth.quality_mark import QualityMark
from tests.gui.conftest import Desk, painted_mask
from tests.gui.growing import Growth
from tests.gui.sowing import Sowing
from tests.scripted import Script

pytestmark = pytest.mark.gui
Open = Callable[..., Desk]
CARD = Thresholds(adherence=0.7, intensity=(10.0, 240.0), likeness=0.8)
GOOD = Badge.of(CARD, 0.9, (20.0, 200.0), 0.4)
POOR = Badge.of(CARD, 0.55, (20.0, 200.0), 0.4)
COPY = Badge.of(CARD, 0.9, (20.0, 200.0), 0.93)


def center_of(mark: QWidget) -> QColor:
    """Return the color in the middle of a mark's dot, as it is on the screen."""
    dot = mark.findChildren(QLabel)[0]
    picture: QImage = dot.grab().toImage()
    return picture.pixelColor(picture.width() // 2, picture.height() // 2)


def is_near(color: QColor, other: QColor) -> bool:
    return all(abs(a - b) < 12 for a, b in zip(color.getRgb()[:3], other.getRgb()[:3], strict=True))


@pytest.mark.parametrize(
    ("badge", "lamp", "words"),
    [
        (GOOD, Lamp.GREEN, "Quality: good"),
        (POOR, Lamp.AMBER, "Quality: look at it"),
        (COPY, Lamp.RED, "Quality: may be a copy"),
        (None, Lamp.OFF, "Quality: not judged"),
    ],
)
def test_one_image_has_its_badge_under_the_button(
    open_desk: Open, script: Script, badge: Badge | None, lamp: Lamp, words: str, tmp_path: Path
) -> None:
    script.badges = {} if badge is None else {40: badge}
    desk = open_desk(mask=painted_mask())
    desk.panel.seed_row.restore(40, locked=True, count=1)
    desk.click_synthesize()
    desk.wait_idle()
    mark: QualityMark = desk.panel.quality
    assert mark.isVisible()
    assert mark.text == words
    told = UNMEASURED if badge is None else badge.sentences[0]
    assert told in mark.toolTip()
    if lamp is not Lamp.OFF:
        assert is_near(center_of(mark), theme.lamp_color(lamp, "dark"))
    assert desk.widget.grab().save(str(tmp_path / f"quality-{lamp}.png"))


def test_each_of_several_images_has_its_own_mark(open_desk: Open, script: Script, tmp_path: Path) -> None:
    script.badges = {40: GOOD, 41: COPY, 42: POOR}
    desk = open_desk(mask=painted_mask())
    desk.panel.seed_row.restore(40, locked=True, count=4)
    desk.click_synthesize()
    desk.wait_idle()
    strokes.settle()
    marks = desk.panel.variations.findChildren(QualityMark)
    shown = {mark.text: mark.sign.lamp for mark in marks if mark.sign is not None}
    assert shown == {"seed 40": Lamp.GREEN, "seed 41": Lamp.RED, "seed 42": Lamp.AMBER, "seed 43": Lamp.OFF}
    assert len({(mark.x(), mark.y()) for mark in marks}) == 4
    assert not desk.panel.quality.isVisible()
    assert desk.widget.grab().save(str(tmp_path / "quality-four.png"))


def test_a_new_run_takes_the_old_badge_away(open_desk: Open, script: Script) -> None:
    script.badges, script.job_seconds = {40: COPY}, 0.0
    desk = open_desk(mask=painted_mask())
    desk.panel.seed_row.restore(40, locked=True, count=1)
    desk.click_synthesize()
    desk.wait_idle()
    script.job_seconds = 30
    desk.click_synthesize()
    desk.wait("a running job", lambda: len(script.submitted) == 2)
    assert not desk.panel.quality.isVisible()
    assert desk.panel.quality.toolTip() == ""
    cancel(desk)


def test_a_preview_says_whether_the_refiner_knows_such_images(open_refine: Open, script: Script) -> None:
    strange = Badge.of_input(Thresholds(strangeness=1.4, count=165), 3.2)
    script.badges, script.refines = {0: strange}, lambda mask: np.roll(mask, 2, axis=1)
    desk = open_refine(mask=painted_mask())
    desk.click_run()
    desk.wait_idle()
    assert desk.panel.quality.isVisible()
    assert desk.panel.quality.text == "Quality: look at it"
    assert "unlike those that the model has learned from" in desk.panel.quality.toolTip()


def test_a_grown_volume_has_its_badge_beside_what_was_asked_and_got(open_tumor: Open, growth: Growth, tmp_path: Path) -> None:
    growth.notes[KEY] = GOOD.record()  # type: ignore[assignment]  # a badge is no scalar, but stands among the notes
    desk = open_tumor()
    desk.click_run()
    desk.wait_idle()
    assert "27.5 ml" in desk.panel.grow.result.text()
    assert desk.panel.quality.text == "Quality: good"
    assert is_near(center_of(desk.panel.quality), theme.lamp_color(Lamp.GREEN, "dark"))
    assert desk.widget.grab().save(str(tmp_path / "quality-tumor.png"))


def test_one_pair_of_nuclei_has_its_badge_under_the_button_and_four_have_theirs_under_each(
    open_nuclei: Open, sowing: Sowing
) -> None:
    sowing.notes[KEY] = POOR.record()
    desk = open_nuclei()
    desk.click_run()
    desk.wait_idle()
    assert desk.panel.quality.text == "Quality: look at it"
    desk.panel.seed_row.restore(40, locked=True, count=4)
    desk.click_run()
    assert not desk.panel.quality.isVisible()
    assert [mark.text for mark in desk.panel.variations.findChildren(QualityMark)][-4:] == [
        f"seed {seed}" for seed in range(40, 44)
    ]


def cancel(desk: Desk) -> None:
    """Cancel the run under way."""
    desk.click_run()
    desk.wait_idle()


def test_the_list_of_jobs_marks_results_that_were_measured(qtbot: Any, tmp_path: Path) -> None:
    listed = JobsList(clock=lambda: 600.0)
    qtbot.addWidget(listed)
    listed.resize(420, 200)
    listed.show()
    request = JobRequest("synthesize", "polyp", {}, 1, {}, client="msynth")
    jobs = tuple(
        JobInfo(name, state, request, 0.0, recipe={KEY: badge.record()} if badge else {})
        for name, state, badge in (("a", JobState.DONE, COPY), ("b", JobState.DONE, None), ("c", JobState.RUNNING, None))
    )
    listed.show_jobs(jobs)
    items = [listed.table.item(row, job_words.STATE) for row in range(3)]
    assert [item is not None and not item.icon().isNull() for item in items] == [True, False, False]
    assert items[0] is not None
    assert "It may be a copy" in items[0].toolTip()
    assert listed.grab().save(str(tmp_path / "quality-jobs.png"))
    listed.show_jobs(jobs[1:])  # the row of the marked job now holds another
    first = listed.table.item(0, job_words.STATE)
    assert first is not None
    assert first.icon().isNull()
