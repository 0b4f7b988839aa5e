"""*Train on your own cases* with the real service, doctor and training process: toy networks on generated pairs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medsynth_core.client import connect
from medsynth_core.protocol_training import TrainingRequest
from medsynth_core.training_client import Trainings
from napari_medsynth import strokes
from napari_medsynth.panels import open_panel
from napari_medsynth.train_panel import THERE
from tests.gui.conftest import Desk
from tests.gui.train_hand import click, named, texts, wait_report, write
from tests.running import RunningService
from tests.toy_pairs import write_pairs
from tests.training.test_doctor import DEFECTS, plant

pytestmark = [pytest.mark.gui, pytest.mark.timeout(600)]
Open = Callable[..., Desk]
LONG: dict[str, Any] = {"steps": 190, "preset": "compact"}
"""Takes minutes, and no judge learns before its first step."""
PATIENCE = 300.0
"""The child stands back behind everything else on a busy machine."""


@pytest.fixture
def desk(open_train: Open, monkeypatch: pytest.MonkeyPatch, start_service: Callable[..., RunningService]) -> Desk:
    """A viewer with the panel on a real service."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    start_service().wait_ready()
    return open_train(real=True)


def examine(desk: Desk, folder: Path) -> None:
    write(desk.panel.folder.path, str(folder))
    wait_report(desk, PATIENCE)


def order(desk: Desk, name: str, steps: int, preset: str = "toy") -> None:
    """Fill in the fields and click the button."""
    named(desk, name)
    settings = desk.panel.settings
    settings.preset.setCurrentIndex(settings.preset.findData(preset))
    settings.steps.setValue(steps)
    wait_report(desk, PATIENCE)
    click(desk, desk.panel.button)
    desk.wait("the training's page", lambda: desk.panel.page == THERE, 60)


def test_a_folder_of_pairs_becomes_a_model_in_use_through_the_panel_alone(desk: Desk, tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "mine", 60)
    examine(desk, folder)
    assert desk.panel.facts.lines["Cases"].startswith("60 cases")
    write(desk.panel.settings.labels["1"], "disc")
    order(desk, "My discs", steps=12)
    view = desk.panel.view
    desk.wait("the model", lambda: view.use.isVisible() or bool(view.trouble.text()), PATIENCE)
    assert view.trouble.text() == ""
    assert "«My discs» is in the list" in view.card.text()
    assert "labels: disc" in view.card.text()
    assert view.curves.curves
    desk.wait("its samples", lambda: bool(view.strip.content(view.strip.step)), 30)
    mask = np.zeros((64, 64), np.uint8)
    mask[20:40, 20:40] = 1
    desk.viewer.add_labels(mask, name="mask")
    click(desk, view.use)
    other = open_panel(desk.viewer, "synthesize")
    desk.wait("the new model", lambda: other.model_id == "my-discs", 60)
    desk.wait("a button to click", other.panel.button.isEnabled, 60)
    strokes.click(other.panel.button)
    desk.wait("the image", lambda: bool(desk.results()) or bool(other.panel.message.text), PATIENCE)
    (image,) = desk.results()
    assert image.metadata["medsynth"]["model"] == "my-discs"
    assert image.data.std() > 0


def test_every_planted_defect_is_named_and_nothing_starts_before_all_are_excluded(desk: Desk, tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "spoiled", 40)
    plant(folder, list(DEFECTS))
    examine(desk, folder)
    named(desk, "Mine")
    shown = texts(desk)
    for name, (*_, says) in DEFECTS.items():
        assert any(says in text for text in shown), f"{name} is not named"
    stopping = [card for card in desk.panel.findings.cards if card.finding.severity.value == "stops"]
    assert all(card.finding.fix for card in stopping)
    for left in (len(DEFECTS), len(DEFECTS) - 1):
        stopping = [card for card in desk.panel.findings.cards if card.finding.severity.value == "stops"]
        assert len(stopping) == left
        assert f"{left} findings stop the training" in desk.panel.button.toolTip()
        strokes.click(desk.panel.button)
        click(desk, stopping[0].exclude)
        wait_report(desk, PATIENCE)
    click(desk, desk.panel.findings.exclude_all)
    wait_report(desk, PATIENCE)
    with connect(start=False) as engine:
        assert Trainings(engine).list() == (), "a click on the blocked button has ordered something"
    order(desk, "Mine", steps=6)
    view = desk.panel.view
    desk.wait("the model", lambda: view.use.isVisible() or bool(view.trouble.text()), PATIENCE)
    assert view.trouble.text() == ""


def test_a_training_goes_on_without_the_viewer_and_is_found_and_stopped_by_the_next(
    desk: Desk, open_train: Open, tmp_path: Path
) -> None:
    folder = write_pairs(tmp_path / "mine", 24)
    examine(desk, folder)
    order(desk, "Long", **LONG)
    desk.wait("a step", lambda: bool(desk.widget.follow.watch.lines), PATIENCE)
    desk.viewer.close()
    with connect(start=False) as engine:
        trainings = Trainings(engine)
        (info,) = trainings.list()
        assert info.state == "running"
        trainings.start(TrainingRequest("synthesize", str(folder), "elsewhere", title="Elsewhere", preset="toy", steps=6))
    other = open_train(real=True)
    other.wait("the page of trainings", lambda: other.panel.page == THERE, 30)
    rows = [other.panel.list.item(row).text() for row in range(other.panel.list.count())]
    assert rows[0] == "Elsewhere · waits for its turn"
    assert rows[1].startswith("Long · step ")
    place = other.panel.list.visualItemRect(other.panel.list.item(1)).center()
    strokes.QTest.mouseClick(other.panel.list.viewport(), strokes.Qt.MouseButton.LeftButton, pos=place)
    view = other.panel.view
    other.wait("its curves", lambda: bool(view.curves.curves) and view.stop.isVisible(), 30)
    click(other, view.pause)
    other.wait("the rest", view.resume.isVisible, PATIENCE)
    click(other, view.resume)
    click(other, view.stop)
    other.wait("the model", lambda: view.use.isVisible() or bool(view.trouble.text()), PATIENCE)
    assert view.trouble.text() == ""
    assert "«Long» is in the list" in view.card.text()


def test_a_training_goes_on_after_its_engine_was_killed_and_started_again_from_the_panel(
    open_train: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start_service: Callable[..., RunningService]
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    service = start_service()
    service.wait_ready()
    desk = open_train(real=True)
    examine(desk, write_pairs(tmp_path / "mine", 24))
    order(desk, "Long", **LONG)
    desk.wait("a line", lambda: bool(desk.widget.follow.watch.lines), PATIENCE)
    desk.panel.pill._stop.trigger()
    desk.wait("why not", lambda: "training" in desk.panel.message.text, 30)
    service.kill()
    try:
        desk.wait("the news", desk.panel.pill._start.isEnabled, 60)
        step = desk.widget.follow.watch.training.step
        assert desk.panel.view.line.text().startswith("Step "), "what was known stays"
        desk.panel.pill._start.trigger()
        desk.wait("it goes on", lambda: desk.widget.follow.watch.training.step > step + 5, PATIENCE)
        click(desk, desk.panel.view.stop)
        desk.wait("the model", desk.panel.view.use.isVisible, PATIENCE)
    finally:
        with connect(start=False) as engine:
            engine.shutdown(force=True)
