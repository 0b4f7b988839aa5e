"""Refine against the real service and the real engine, with a toy refiner of random weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medsynth_core.client import connect
from napari_medsynth import strokes
from tests.engines.refine.conftest import write_refiner
from tests.gui.conftest import Desk, painted_mask
from tests.running import RunningService

pytestmark = pytest.mark.gui


@pytest.fixture
def desk(home: Path, open_refine: Callable[..., Desk], start_service: Callable[..., RunningService]) -> Desk:
    """A viewer on a service that has a toy refiner beside the models that ship; the toy is picked."""
    (home / "models").mkdir()
    write_refiner(home / "models" / "toy-refiner")
    start_service().wait_ready()
    desk = open_refine(mask=painted_mask(), real=True, scale=(2, 0.5))
    box = desk.panel.model
    box.setCurrentIndex(next(i for i in range(box.count()) if box.itemData(i).id == "toy-refiner"))
    desk.panel.restore_params({"steps": 2, "samples": 2})
    return desk


def test_a_click_gives_what_the_engine_gives_elsewhere_and_the_undo_is_exact(desk: Desk) -> None:
    desk.panel.strength.set_value("redraw")
    desk.click_synthesize()
    desk.wait_idle(60)
    assert not desk.panel.message.fix.isVisible(), desk.panel.message.text
    lesion = desk.viewer.layers["lesion"]
    assert np.array_equal(lesion.data, painted_mask())
    with connect(start=False) as engine:
        info = engine.history()[0]
        result = engine.job(info.id).result("mask").to_image()
    assert info.request.params["samples"] == 2
    assert result.dtype == np.uint8
    if desk.widget.preview.diff.count:
        strokes.click(desk.panel.review.accept_all)
        recipe = lesion.metadata["medsynth"]
        assert recipe["engine"] == "refine"
        assert recipe["synthetic"] is False
        json.dumps(recipe)
    assert np.array_equal(lesion.data, result)
    lesion.undo()
    assert np.array_equal(lesion.data, painted_mask())


def test_live_mode_runs_on_the_real_engine(desk: Desk) -> None:
    desk.panel.live.switch.click()
    desk.wait("the full quality", lambda: desk.panel.live.text.startswith("final ·"), 60)
    with connect(start=False) as engine:
        assert [job.request.params["steps"] for job in engine.history()] == [2, 1]
