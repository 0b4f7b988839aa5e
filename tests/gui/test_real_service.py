"""The panel against the real service and its fake engine: true jobs, true crashes, two viewers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtWidgets import QApplication

from medsynth_core.client import connect
from medsynth_core.engines.fake import slice_pixels
from medsynth_core.lamp import Lamp
from napari_medsynth import strokes
from napari_medsynth.primary_button import Mode
from tests.gui.conftest import SHAPE, Desk, painted_mask
from tests.running import RunningService

pytestmark = pytest.mark.gui
Open = Callable[..., Desk]


@pytest.fixture
def desk(open_desk: Open, service: RunningService) -> Desk:
    """A viewer with a mask and the panel on the real service; one run takes one slice of the mask's size."""
    service.wait_ready()
    desk = open_desk(mask=painted_mask(), real=True, scale=(2, 0.5), rotate=20)
    desk.panel.restore_params({"slices": 1, "size": SHAPE[0]})
    desk.panel.seed_row.restore(5, locked=True, count=1)
    return desk


def test_a_click_brings_the_engines_pixels_with_transforms_and_recipe(desk: Desk) -> None:
    desk.click_synthesize()
    desk.wait_idle()
    (result,) = desk.results()
    mask = desk.widget.desk.mask
    assert np.array_equal(result.data, slice_pixels(5, 0, SHAPE[0])[0])
    assert np.allclose(result.data_to_world((3, 7)), mask.data_to_world((3, 7)))
    recipe = result.metadata["medsynth"]
    assert recipe["engine"] == "fake"
    assert recipe["seed"] == 5
    assert recipe["synthetic"] is True
    assert len(recipe["inputs"]["mask"]) == 64
    json.dumps(recipe)


def test_cancel_takes_effect_within_a_second(desk: Desk, service: RunningService) -> None:
    desk.panel.restore_params({"slices": 200, "delay_ms": 50.0})
    desk.click_synthesize()
    desk.wait("progress", lambda: desk.panel.progress.bar.value() > 5)
    strokes.click(desk.panel.button)
    assert desk.panel.button.mode is Mode.CANCELLING
    desk.wait("the button", lambda: desk.panel.button.mode is Mode.READY, seconds=1.0)
    assert service.ask("GET", "/v1/jobs")[1]["jobs"][0]["state"] == "cancelled"
    assert not desk.results()


def test_a_killed_worker_turns_the_pill_red_and_the_job_finishes_by_itself(desk: Desk, service: RunningService) -> None:
    desk.panel.restore_params({"slices": 30, "delay_ms": 60.0, "size": 16})
    before = desk.widget.desk.mask.data.copy()
    desk.click_synthesize()
    desk.wait("progress", lambda: desk.panel.progress.bar.value() > 50)
    service.kill_worker()
    desk.wait("red", lambda: desk.panel.pill.view.lamp is Lamp.RED, seconds=3)
    assert "by itself" in desk.panel.pill.view.text
    desk.wait_idle(seconds=40)
    (result,) = desk.results()
    assert np.array_equal(result.data, np.stack([slice_pixels(5, z, 16)[0] for z in range(30)]))
    assert np.array_equal(desk.widget.desk.mask.data, before)
    desk.wait("green", lambda: desk.panel.pill.view.lamp is Lamp.GREEN, seconds=5)


def test_two_viewers_share_one_service_and_one_job_list(desk: Desk, open_desk: Open, service: RunningService) -> None:
    other = open_desk(mask=painted_mask(), real=True)
    other.panel.restore_params({"slices": 1, "size": 32})
    for each in (desk, other):
        each.click_synthesize()
    desk.wait_idle()
    other.wait_idle()
    desk.wait("both clients", lambda: "2 clients" in desk.panel.pill.view.text, seconds=3)
    with connect(start=False) as engine:
        assert len(engine.jobs()) == 2
        assert {job.request.client for job in engine.jobs()} == {"napari"}
    assert len(desk.results()) == len(other.results()) == 1


def test_a_job_outlives_the_viewer_and_lands_in_the_history(desk: Desk, service: RunningService) -> None:
    desk.panel.restore_params({"slices": 10, "delay_ms": 60.0})
    desk.click_synthesize()
    desk.wait("progress", lambda: desk.panel.progress.bar.value() > 50)
    desk.viewer.close()
    job = service.ask("GET", "/v1/jobs")[1]["jobs"][0]["id"]
    assert service.wait_ended(job)["state"] == "done"
    assert service.ask("GET", "/v1/history")[1]["jobs"][0]["id"] == job


def test_an_engine_error_is_told_without_a_traceback(desk: Desk) -> None:
    desk.panel.restore_params({"fault": "error", "fault_times": 99})
    desk.click_synthesize()
    desk.wait("the message", lambda: bool(desk.panel.message.text), seconds=30)
    assert "Traceback" not in desk.panel.message.text
    assert desk.panel.message.fix.text() == "Try again"


def test_stop_and_start_from_the_pill(desk: Desk, home: Path) -> None:
    desk.panel.pill.stop_wanted.emit()
    desk.wait("the stop", lambda: desk.panel.pill.view.lamp is Lamp.OFF, seconds=10)
    desk.wait("the end of the service", lambda: not (home / "connection.json").exists(), seconds=10)
    desk.panel.pill.start_wanted.emit()
    desk.wait("green", lambda: desk.panel.pill.view.lamp is Lamp.GREEN, seconds=30)
    with connect(start=False) as engine:
        engine.shutdown(force=True)


def test_a_service_killed_in_mid_job_comes_back_and_the_image_arrives(desk: Desk, service: RunningService, home: Path) -> None:
    desk.panel.restore_params({"slices": 20, "delay_ms": 60.0, "size": 16})
    desk.click_synthesize()
    desk.wait("progress", lambda: desk.panel.progress.bar.value() > 50)
    service.kill()
    desk.wait_idle(seconds=40)
    assert len(desk.results()) == 1, desk.panel.message.text
    with connect(start=False) as engine:
        engine.shutdown(force=True)


def test_diagnostics_hold_no_paths(desk: Desk, home: Path) -> None:
    desk.panel.pill.copy_wanted.emit()
    text = QApplication.clipboard().text()
    assert "MedSynth" in text
    assert str(home) not in text
