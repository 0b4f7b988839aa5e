"""A tumor volume grown in the viewer by the real service and the real engine, with a toy model of random weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.settings import get_settings

from medsynth_core.client import connect
from medsynth_core.lamp import Lamp
from medsynth_core.protocol import EventKind
from napari_medsynth import strokes
from tests.gui.conftest import Desk
from tests.gui.heartbeat import Heartbeat, Span, Watch
from tests.running import RunningService
from tests.toy_tumor import write_tumor_model

pytestmark = [pytest.mark.gui, pytest.mark.timeout(300)]
SLICES = 20
SLOTS = ("run_announced", "run_grew", "run_progressed", "run_made", "run_ended")
MOST = 0.05
"""Seconds that the viewer's thread may be busy at a stretch."""


@pytest.fixture
def service(home: Path, start_service: Callable[..., RunningService]) -> RunningService:
    """A service that has the toy model beside those that ship."""
    (home / "models").mkdir()
    write_tumor_model(home / "models" / "toy-tumor")
    service = start_service()
    service.wait_ready()
    return service


@pytest.fixture
def open_toy(service: RunningService, open_tumor: Callable[..., Desk]) -> Callable[..., Desk]:
    """Open the panel with the toy model picked, a small grid and a locked seed."""

    def make(**options: Any) -> Desk:
        desk = open_tumor(real=True, **options)
        box = desk.panel.model
        desk.wait("the model", lambda: any(box.itemData(i).id == "toy-tumor" for i in range(box.count())), 60)
        box.setCurrentIndex(next(i for i in range(box.count()) if box.itemData(i).id == "toy-tumor"))
        desk.panel.restore_params({"slices": SLICES, "steps": 2, "height": 64, "width": 64})
        desk.panel.seed_row.restore(11, locked=True, count=1)
        return desk

    return make


def grown(desk: Desk) -> list[int]:
    growing = desk.widget.growth.growing
    return [] if growing is None else list(growing.order)


def wait_grown(desk: Desk, count: int) -> None:
    """Wait until so many slices are there, or the panel says why not."""
    desk.wait(f"{count} slices", lambda: len(grown(desk)) >= count or bool(desk.panel.message.text), 120)
    assert len(grown(desk)) >= count, desk.panel.message.text


def drops(desk: Desk) -> list[tuple[str, int]]:
    """Return a list that grows with every slice that drops in."""
    dropped: list[tuple[str, int]] = []
    take = desk.widget.growth.grew

    def watched(output: str, z: int, pixels: np.ndarray) -> None:
        take(output, z, pixels)
        dropped.append((output, z))

    desk.widget.growth.grew = watched
    return dropped


def told_by_the_service() -> tuple[list[tuple[str, int]], dict[str, np.ndarray], dict[str, Any]]:
    """Return the slices of the last job in the order of its events, its results and its recipe."""
    with connect(start=False) as engine:
        info = engine.jobs()[0]
        job = engine.job(info.id)
        events = [(e.output, e.z) for e in job if e.kind is EventKind.SLICE and e.output in ("image", "mask")]
        return events, {name: job.result(name).array[0] for name in ("image", "mask")}, job.info().recipe


def assert_whole(desk: Desk) -> None:
    """Fail unless both layers hold the job's results, byte for byte."""
    _, results, _ = told_by_the_service()
    image, mask = desk.results()
    assert np.array_equal(image.data, results["image"])
    assert np.array_equal(mask.data, results["mask"])
    assert image.data.any()


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def slicing(request: pytest.FixtureRequest) -> Any:
    """Both ways that napari slices layers."""
    experimental = get_settings().experimental
    experimental.async_ = request.param
    yield request.param
    experimental.async_ = False


@pytest.mark.parametrize("ndisplay", [2, 3])
@pytest.mark.usefixtures("slicing")
def test_slices_drop_in_as_the_service_tells_them_and_none_is_missing(open_toy: Callable[..., Desk], ndisplay: int) -> None:
    desk = open_toy()
    desk.viewer.dims.ndisplay = ndisplay
    dropped = drops(desk)
    desk.click_synthesize()
    desk.wait_idle(120)
    events, _, recipe = told_by_the_service()
    assert dropped == events
    assert sorted(grown(desk)) == list(range(SLICES))
    assert_whole(desk)
    image, _ = desk.results()
    assert image.metadata["medsynth"]["seed"] == 11
    assert image.metadata["medsynth"]["asked_volume_ml"] == recipe["asked_volume_ml"]
    json.dumps(image.metadata["medsynth"])
    assert desk.panel.grow.result.text()
    assert not desk.panel.message.isVisible()


def test_a_cancelled_and_resumed_growth_is_the_undisturbed_one_byte_for_byte(open_toy: Callable[..., Desk]) -> None:
    desk = open_toy()
    desk.panel.restore_params({"steps": 12, "height": 128, "width": 128})
    desk.click_synthesize()
    wait_grown(desk, 3)
    strokes.click(desk.panel.button)
    desk.wait_idle(30)
    assert desk.panel.grow.choice.isVisible(), "all had grown before the click: make the growth longer"
    partial = grown(desk)
    assert 3 <= len(partial) < SLICES
    image, _ = desk.results()
    assert not image.data[[z for z in range(SLICES) if z not in partial]].any()
    strokes.click(desk.panel.grow.resume)
    desk.wait_idle(120)
    assert grown(desk)[: len(partial)] == partial
    assert_whole(desk)
    resumed = [layer.data.copy() for layer in desk.results()]
    desk.click_synthesize()
    desk.wait_idle(120)
    undisturbed = [layer.data for layer in desk.results()[-2:]]
    assert all(np.array_equal(a, b) for a, b in zip(resumed, undisturbed, strict=True))


def test_a_killed_worker_leaves_no_gap(open_toy: Callable[..., Desk], service: RunningService) -> None:
    desk = open_toy()
    desk.panel.restore_params({"steps": 12})
    dropped = drops(desk)
    desk.click_synthesize()
    wait_grown(desk, 3)
    service.kill_worker()
    desk.wait_idle(120)
    assert dropped == told_by_the_service()[0]
    assert len(dropped) == 2 * SLICES
    assert_whole(desk)


def test_a_background_is_grown_into_in_its_own_type_and_place(open_toy: Callable[..., Desk]) -> None:
    z, y, x = np.indices((12, 60, 50))
    head = ((z - 6) / 7) ** 2 + ((y - 30) / 26) ** 2 + ((x - 25) / 22) ** 2 < 1
    data = np.where(head, 400 + 10 * z, 0).astype(np.int16)
    desk = open_toy(background=data, scale=(8, 3, 3), units=("mm",) * 3)
    patient = desk.viewer.layers["patient"]
    desk.panel.background.choose(patient)
    strokes.click(desk.panel.place_row.place)
    desk.viewer.dims.set_point(0, 48.0)
    strokes.settle(100)
    desk.click_at((84, 90))
    desk.click_synthesize()
    desk.wait_idle(120)
    image, mask = desk.results()
    assert image.data.dtype == np.int16
    assert np.allclose(image.data_to_world((1, 2, 3)), patient.data_to_world((1, 2, 3)))
    assert_whole(desk)
    recipe = image.metadata["medsynth"]
    assert (recipe["asked_center_x_mm"], recipe["asked_center_y_mm"]) == (pytest.approx(90, abs=3), pytest.approx(84, abs=3))
    assert mask.data.shape == data.shape


def test_a_request_that_no_tumor_can_meet_is_refused_in_one_line(open_toy: Callable[..., Desk]) -> None:
    desk = open_toy()
    for field, value in zip(desk.panel.extent.fields, (30.0, 30.0, 30.0), strict=True):
        field.show_number(value)
    desk.panel.volume.show_numbers([40.0])
    desk.widget.desk.changed.emit()
    desk.click_synthesize()
    desk.wait_idle(60)
    assert "a tumor of 30 × 30 × 30 mm has" in desk.panel.message.text
    assert "Traceback" not in desk.panel.message.text
    assert not desk.results()


@pytest.mark.parametrize("ndisplay", [2, 3])
@pytest.mark.usefixtures("slicing")
def test_the_viewer_never_works_longer_than_50_ms_at_a_stretch_while_slices_drop_in(
    open_toy: Callable[..., Desk], ndisplay: int, record_property: Callable[[str, object], None]
) -> None:
    desk = open_toy()
    desk.panel.restore_params({"slices": 64, "height": 128, "width": 128})
    desk.viewer.dims.ndisplay = ndisplay
    watch, beat = Watch(), Heartbeat()
    watch.over(desk.widget, *SLOTS)
    desk.click_synthesize()
    wait_grown(desk, 2)
    strokes.settle(20)
    beat.start()
    wait_grown(desk, 62)
    beat.stop()
    desk.wait_idle(60)
    worst = Span(max(gap.clock for gap in beat.gaps), max(gap.computed for gap in beat.gaps))
    for name, seconds in {"heartbeat by the clock": worst.clock, "heartbeat computed": worst.computed}.items():
        record_property(name, f"{1000 * seconds:.0f} ms")
    assert worst.computed < MOST
    slices = watch.spans["run_grew"]
    assert len(slices) == 128
    assert max(span.computed for span in slices) < MOST
    assert_whole(desk)
    assert desk.panel.grow._lamp in (Lamp.GREEN, Lamp.AMBER)
