"""A stream that is disturbed: nodes deleted, scene closed, module reloaded, service killed. Nothing is lost, nothing raised."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from MedSynthLib import environment
from MedSynthLib.growing import RECIPE, GrowingNodes
from MedSynthLib.panel import Panel
from MedSynthLib.primary_button import Mode
from MedSynthLib.segments import new_segmentation

from medsynth_core.client import connect
from medsynth_core.engines.fake import slice_pixels
from medsynth_core.link import Link
from medsynth_core.protocol import LabelInfo, OutputInfo
from medsynth_core.transport import Reply, Request
from tests.running import PYTHON, RunningService
from tests.slicer_extension.conftest import opened
from tests.slicer_extension.main_thread import MainThread
from tests.slicer_extension.test_slicer_conversion import oblique, volume_node
from tests.slicer_extension.test_slicer_growth import red
from tests.slicer_extension.test_slicer_panel import fake_page, run_to_end

SLICES, SIZE = 40, 16
LESION = (LabelInfo(1, "lesion", "#f28e2b"),)
PLACE = tuple(map(tuple, np.diag([0.9, 0.9, 3.0, 1.0]).tolist()))
STALE_ITEM = "DataNodeCache inconsistency"
"""Slicer's application takes the item of a deleted node out of the subject hierarchy; its core alone does not, and says so."""
__all__ = ["red"]


@pytest.fixture
def unheard(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: Any) -> Iterator[None]:
    """After the test nothing is in the log: neither ours, nor Python's of a failed observer or slot, nor VTK's."""
    raised: list[BaseException] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, problem, trace: raised.append(problem))
    monkeypatch.setattr(threading, "excepthook", lambda failed: raised.append(failed.exc_value))
    yield
    assert not raised
    assert not [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    said = [line for line in "".join(capfd.readouterr()).splitlines() if STALE_ITEM not in line]
    assert not [line for line in said if "Traceback" in line or "ERR|" in line]


@pytest.fixture
def streaming(widget: Any, panel: Panel, red: Any, unheard: None, request: pytest.FixtureRequest) -> Panel:
    """The panel on the screen, in the middle of a stream that views follow, from a volume and its segments."""
    delay_ms = getattr(request, "param", 25.0)
    grid = volume_node(oblique(), np.zeros((4, SIZE, SIZE), np.uint8))
    mask = new_segmentation(grid, LESION, "lesion")
    widget.logic.settings().image, widget.logic.settings().mask = grid, mask
    panel._ui.followBox.setChecked(True)
    widget.page.window().show()
    fake_page(panel, slices=SLICES, size=SIZE, delay_ms=delay_ms)
    panel.start()
    MainThread().until(lambda: panel.growing is not None and len(panel.growing.arrived.get("image", [])) >= 3, 30)
    return panel


def check_whole(voxels: np.ndarray) -> None:
    assert all(np.array_equal(voxels[z], slice_pixels(0, z, SIZE)[0]) for z in range(SLICES))


def open_newest(panel: Panel) -> Any:
    """Open the newest job of the list, once it is done, and return its volume."""
    main, known = MainThread(), set(slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"))
    main.until(lambda: (panel.history.jobs and panel.history.jobs[0].state == "done") or panel.refresh_history(), 30)
    panel._ui.historyTable.cellDoubleClicked.emit(0, 0)
    main.until(lambda: set(slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")) - known, 30)
    main.rest(0.3)
    (node,) = set(slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")) - known
    return node


def remove(node: Any) -> None:
    slicer.mrmlScene.RemoveNode(node)


DISTURBANCES: dict[str, Callable[[Panel], object]] = {
    "the growing volume is deleted": lambda panel: remove(panel.growing.nodes()["image"] if panel.growing else None),
    "the segments are deleted": lambda panel: remove(panel._settings.mask if panel._settings else None),
    "all volumes are deleted": lambda _: [remove(node) for node in slicer.util.getNodesByClass("vtkMRMLVolumeNode")],
    "the views are deleted": lambda _: [remove(node) for node in slicer.util.getNodesByClass("vtkMRMLSliceNode")],
    "the scene is closed twice": lambda _: (slicer.mrmlScene.Clear(0), slicer.mrmlScene.Clear(0)),
}


@pytest.mark.parametrize("what", list(DISTURBANCES))
def test_nothing_is_raised_said_or_lost_when(what: str, streaming: Panel) -> None:
    DISTURBANCES[what](streaming)
    MainThread().until(lambda: streaming.button.mode is Mode.READY, 30)
    assert streaming._ui.messageLabel.text == ""
    node = open_newest(streaming)
    check_whole(slicer.util.arrayFromVolume(node))
    assert '"seed": 0' in node.GetAttribute(RECIPE)
    assert run_to_end(streaming, slices=2, size=8, delay_ms=0.0)["image"].GetScene() is slicer.mrmlScene


def test_a_result_that_is_being_opened_may_be_deleted(panel: Panel, unheard: None, home: Path) -> None:
    with connect(home, start=False, name="napari") as napari:
        napari.submit("fake", slices=400, size=256).wait()
    main = MainThread()
    main.until(lambda: (panel.history.jobs and panel.history.jobs[0].state == "done") or panel.refresh_history(), 30)
    panel._ui.historyTable.cellDoubleClicked.emit(0, 0)
    main.until(lambda: slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode"), 30)
    slicer.mrmlScene.Clear(0)
    main.rest(0.5)
    assert slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode") is None
    assert panel._ui.messageLabel.text == ""


def test_segments_that_grow_may_be_deleted(unheard: None) -> None:
    growing = GrowingNodes("case", LESION)
    growing.announce(OutputInfo("mask", "labels", (1, 4, 8, 8), "uint8", PLACE))
    growing.put("mask", 0, np.ones((1, 8, 8), np.uint8))
    remove(growing.nodes()["mask"])
    growing.put("mask", 1, np.full((1, 8, 8), 2, np.uint8))
    growing.redraw(last=True)
    growing.note({"seed": 1}, "a")
    growing.remove()
    assert not growing.nodes()


@pytest.mark.parametrize("streaming", [120.0], indirect=True)
def test_a_reloaded_module_shows_the_job_of_the_one_before_and_opens_it(streaming: Panel, widget: Any) -> None:
    half = streaming.growing.nodes()["image"] if streaming.growing else None
    widget.cleanup()
    main, again = MainThread(), opened()
    fresh = next(again)
    main.until(lambda: fresh.panel.history.texts() and fresh.panel.history.texts()[0][1].startswith("running "), 30)
    node = open_newest(fresh.panel)
    check_whole(slicer.util.arrayFromVolume(node))
    assert half is not None
    assert half.GetScene() is slicer.mrmlScene
    assert fresh.panel._ui.messageLabel.text == ""
    assert next(again, None) is None  # and this one is closed
    ours = ("medsynth-run", "medsynth-watch", "medsynth-errand", "medsynth-close")
    main.until(lambda: not [thread.name for thread in threading.enumerate() if thread.name in ours], 20)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that gives a service two seconds to come back, not fifteen."""
    ask = Link.__call__

    def hurried(link: Link, request: Request) -> Reply:
        return ask(link, replace(request, patience=min(request.patience, 2.0)))

    monkeypatch.setattr(Link, "__call__", hurried)


def test_a_service_killed_for_good_is_said_and_what_came_is_kept_and_goes_on_later(
    impatient: None, streaming: Panel, widget: Any, service: RunningService
) -> None:
    service.kill()
    MainThread().until(lambda: streaming.button.mode is Mode.READY, 30)
    text = streaming._ui.messageLabel.text
    assert "service" in text
    assert "Error" not in text
    assert text.endswith(".")
    assert streaming.growing is not None
    node, came = streaming.growing.nodes()["image"], len(streaming.growing.arrived["image"])
    assert 3 <= came < SLICES
    assert all(np.array_equal(slicer.util.arrayFromVolume(node)[z], slice_pixels(0, z, SIZE)[0]) for z in range(came))
    assert '"partial": true' in node.GetAttribute(RECIPE)
    assert streaming._ui.partialRow.isVisibleTo(widget.page)
    service.start()
    MainThread().until(lambda: streaming.session.status is not None, 30)
    streaming._ui.resumeButton.click()
    MainThread().until(lambda: streaming.button.mode is Mode.READY, 60)
    assert streaming._ui.messageLabel.text == ""
    assert streaming.growing.nodes()["image"] is node
    check_whole(slicer.util.arrayFromVolume(node))


def test_a_service_killed_in_an_environment_of_slicer_s_own_comes_back_by_itself(
    service: RunningService, home: Path, red: Any, unheard: None
) -> None:
    environment.choose(home, PYTHON)
    again = opened()
    widget = next(again)
    panel, main = widget.panel, MainThread()
    main.until(lambda: panel.pages, 60)
    fake_page(panel, slices=SLICES, size=SIZE, delay_ms=25.0)
    panel.start()
    main.until(lambda: panel.growing is not None and len(panel.growing.arrived.get("image", [])) >= 3, 30)
    service.kill()
    main.until(lambda: panel.button.mode is Mode.READY, 60)
    assert panel._ui.messageLabel.text == ""
    assert panel.growing is not None
    check_whole(slicer.util.arrayFromVolume(panel.growing.nodes()["image"]))
    with connect(home, start=False) as client:
        assert len(client.jobs()) == 1
        client.shutdown(force=True)
    assert next(again, None) is None
