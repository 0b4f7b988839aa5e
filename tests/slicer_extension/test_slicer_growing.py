"""Volumes that grow in Slicer: every slice in its place, few redraws, and nothing broken by what a user does meanwhile."""

from __future__ import annotations

import logging
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from MedSynthLib import conversion
from MedSynthLib.courier import MOST_WAITING, Courier
from MedSynthLib.growing import JOB, RECIPE, SYNTHETIC, GrowingNodes

from medsynth_core.client import connect
from medsynth_core.engines.fake import slice_pixels
from medsynth_core.errors import MedSynthError
from medsynth_core.protocol import LabelInfo, OutputInfo
from medsynth_core.run import Ending, Made, Run, RunProgress, RunRequest
from medsynth_core.session import Session
from tests.running import RunningService
from tests.slicer_extension.main_thread import MainThread

PLACE = ((-0.9, 0, 0, 40.0), (0, 1.1, 0.2, -7.0), (0, 0, 3.0, 5.0), (0, 0, 0, 1.0))
GREY = OutputInfo("image", "image", (1, 4, 6, 8), "int16", PLACE)
MASK = OutputInfo("mask", "labels", (1, 4, 6, 8), "uint8", PLACE)
TUMOR = LabelInfo(1, "tumor", "#f28e2b")


class Clock:
    """Counts what it is told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Panel:
    """A listener on the main thread that lets volumes grow, as the panel does."""

    def __init__(self) -> None:
        self.growing = GrowingNodes("[Synthetic] case")
        self.ended: Ending | None = None
        self.problem: MedSynthError | None = None
        self.threads: set[int] = set()

    def engine_changed(self, view: Any) -> None: ...

    def capabilities_changed(self, capabilities: Any) -> None: ...

    def trouble(self, problem: MedSynthError) -> None: ...

    def run_progressed(self, run: Run, progress: RunProgress) -> None: ...

    def run_announced(self, run: Run, output: OutputInfo) -> None:
        self.growing.announce(output)

    def run_grew(self, run: Run, output: str, z: int, pixels: np.ndarray) -> None:
        self.threads.add(threading.get_ident())
        self.growing.put(output, z, pixels)

    def run_made(self, run: Run, made: Made) -> None:
        self.growing.redraw(last=True)
        self.growing.note(made.recipe, made.job)

    def run_ended(self, run: Run, ending: Ending, problem: MedSynthError | None) -> None:
        self.growing.redraw(last=True)
        self.ended, self.problem = ending, problem


@pytest.fixture
def courier() -> Iterator[Courier]:
    made = Courier()
    yield made
    made.close()


@pytest.fixture
def panel() -> Panel:
    return Panel()


@pytest.fixture
def session(panel: Panel, courier: Courier, service: RunningService, home: Path) -> Iterator[Session]:
    made = Session(panel, courier.post, lambda: connect(home, start=False, name="slicer"))
    yield made
    made.close()


def fake(**params: Any) -> RunRequest:
    return RunRequest("fake", "", {}, (7,), params, streams=True)


def test_sixty_four_slices_land_in_order_and_the_main_thread_is_never_held_up(panel: Panel, session: Session) -> None:
    main = MainThread()
    began = time.monotonic()
    tracemalloc.start()
    session.run(fake(slices=64, size=512))
    main.until(lambda: panel.ended, 60)
    seconds, (_, peak) = time.monotonic() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    node = panel.growing.nodes()["image"]
    voxels = slicer.util.arrayFromVolume(node)
    assert panel.growing.arrived["image"] == list(range(64))
    assert all(np.array_equal(voxels[z], slice_pixels(7, z, 512)[0]) for z in range(64))
    assert panel.growing.redraws <= 10 * seconds + 2
    assert max(main.work_s) < 0.05, sorted(main.work_s)[-5:]
    assert panel.threads == {threading.get_ident()}
    assert peak < (2 + MOST_WAITING) * 2**20 + voxels.nbytes  # the zeros it began as, and slices under way
    logging.getLogger(__name__).warning(
        "%.1f s, %d redraws, longest turn %.1f ms of work, %.1f ms on the wall (p99 %.1f ms)",
        seconds,
        panel.growing.redraws,
        1000 * max(main.work_s),
        1000 * max(main.wall_s),
        1000 * float(np.percentile(main.wall_s, 99)),
    )


def test_a_result_carries_its_recipe_and_its_place(panel: Panel, session: Session) -> None:
    session.run(fake(slices=3, size=8))
    MainThread().until(lambda: panel.ended)
    node = panel.growing.nodes()["image"]
    assert node.GetName() == "[Synthetic] case"
    assert '"seed": 7' in node.GetAttribute(RECIPE)
    assert node.GetAttribute(SYNTHETIC) == "true"
    assert node.GetAttribute(JOB)


DISTURBANCES: dict[str, Callable[[Panel], object]] = {
    "the node is deleted": lambda panel: slicer.mrmlScene.RemoveNode(panel.growing.nodes()["image"]),
    "the scene is closed": lambda panel: slicer.mrmlScene.Clear(0),
    "the scene is closed and another node takes the name": lambda panel: (
        slicer.mrmlScene.Clear(0),
        slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "[Synthetic] case"),
    ),
}


@pytest.mark.parametrize("what", list(DISTURBANCES))
def test_a_job_goes_on_quietly_when(what: str, panel: Panel, session: Session, caplog: pytest.LogCaptureFixture) -> None:
    main = MainThread()
    run = session.run(fake(slices=12, size=16, delay_ms=20))
    main.until(lambda: len(panel.growing.arrived.get("image", [])) >= 3)
    DISTURBANCES[what](panel)
    main.until(lambda: panel.ended)
    assert panel.ended is Ending.DONE
    assert not panel.growing.nodes()
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert run.standing is not None
    with connect(start=False) as client:
        assert client.job(run.standing.job).result("image").size == (12, 16, 16)  # nothing is lost


def test_a_service_killed_in_the_middle_comes_back_and_the_volume_is_whole(
    panel: Panel, session: Session, service: RunningService, caplog: pytest.LogCaptureFixture
) -> None:
    main = MainThread()
    session.run(fake(slices=12, size=16, delay_ms=30))
    main.until(lambda: len(panel.growing.arrived.get("image", [])) >= 3)
    service.kill()
    again = threading.Thread(target=service.start)
    again.start()
    main.until(lambda: panel.ended, 60)
    again.join()
    voxels = slicer.util.arrayFromVolume(panel.growing.nodes()["image"])
    assert panel.ended is Ending.DONE
    assert all(np.array_equal(voxels[z], slice_pixels(7, z, 16)[0]) for z in range(12))
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_worker_that_dies_tells_its_outputs_again_and_the_node_stays(panel: Panel, session: Session) -> None:
    session.run(fake(slices=6, size=16, fault="crash", fault_at=3))
    MainThread().until(lambda: panel.ended, 60)
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 1
    voxels = slicer.util.arrayFromVolume(panel.growing.nodes()["image"])
    assert all(np.array_equal(voxels[z], slice_pixels(7, z, 16)[0]) for z in range(6))


def test_a_cancelled_run_keeps_its_slices(panel: Panel, session: Session) -> None:
    main = MainThread()
    run = session.run(fake(slices=200, size=16, delay_ms=20))
    main.until(lambda: len(panel.growing.arrived.get("image", [])) >= 3)
    run.cancel()
    main.until(lambda: panel.ended)
    came = panel.growing.arrived["image"]
    voxels = slicer.util.arrayFromVolume(panel.growing.nodes()["image"])
    assert panel.ended is Ending.CANCELLED
    assert all(np.array_equal(voxels[z], slice_pixels(7, z, 16)[0]) for z in came)
    assert not voxels[len(came) :].any()


def test_a_panel_that_is_closed_hears_nothing_any_more(panel: Panel, session: Session, courier: Courier) -> None:
    main = MainThread()
    session.run(fake(slices=200, size=16, delay_ms=5))
    main.until(lambda: panel.growing.arrived)
    session.close()
    courier.close()
    came = len(panel.growing.arrived["image"])
    main.rest(0.2)
    assert len(panel.growing.arrived["image"]) == came
    assert panel.ended is None


def test_slices_are_drawn_ten_times_a_second_at_most() -> None:
    clock = Clock()
    growing = GrowingNodes("case", clock=clock)
    growing.announce(GREY)
    node, drawn = growing.nodes()["image"], []
    node.AddObserver("ModifiedEvent", lambda *_: drawn.append(clock.now))
    for step in range(200):
        clock.now = step * 0.01
        growing.put("image", step % 4, np.full((1, 6, 8), step, np.int16))
    growing.redraw(last=True)
    assert 15 <= growing.redraws <= 22
    assert sorted(set(drawn)) == sorted(drawn)  # one change each
    assert len(drawn) == growing.redraws
    assert slicer.util.arrayFromVolume(node)[3, 0, 0] == 199


def test_a_volume_is_written_in_place() -> None:
    growing = GrowingNodes("case")
    growing.announce(GREY)
    node = growing.nodes()["image"]
    before = slicer.util.arrayFromVolume(node)
    growing.put("image", 2, np.full((1, 6, 8), 9, np.int16))
    growing.redraw(last=True)
    assert np.shares_memory(before, slicer.util.arrayFromVolume(node))
    assert before[2].min() == 9


def test_the_window_is_fixed_by_the_first_slice_that_shows_something() -> None:
    growing = GrowingNodes("case")
    growing.announce(GREY)
    display = growing.nodes()["image"].GetDisplayNode()
    growing.put("image", 1, np.zeros((1, 6, 8), np.int16))
    growing.put("image", 2, np.arange(48, dtype=np.int16).reshape(1, 6, 8))
    window = display.GetWindowLevelMin(), display.GetWindowLevelMax()
    growing.put("image", 3, np.full((1, 6, 8), 3000, np.int16))
    growing.redraw(last=True)
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == window
    assert 0 <= window[0] < window[1] <= 47


def test_labels_grow_into_named_and_colored_segments() -> None:
    growing = GrowingNodes("[Synthetic] case", labels=(LabelInfo(0, "background", "#000000"), TUMOR))
    growing.announce(GREY)
    growing.announce(MASK)
    node = growing.nodes()["mask"]
    first = node.GetSegmentation().GetNthSegment(0)
    assert first.GetName() == "tumor"
    assert np.allclose(first.GetColor(), (0xF2 / 255, 0x8E / 255, 0x2B / 255), atol=1e-6)
    for z in range(4):
        labels = np.zeros((1, 6, 8), np.uint8)
        labels[0, 1:3, 2 : 4 + z] = 1
        labels[0, 5, 7] = 3 if z == 2 else 0
        growing.put("mask", z, labels)
    growing.redraw(last=True)
    ids = node.GetSegmentation().GetSegmentIDs()
    names = [node.GetSegmentation().GetSegment(s).GetName() for s in ids]
    assert names == ["tumor", "label 3"]
    seen = conversion.labels_of(node, growing.nodes()["image"], {ids[0]: 1, ids[1]: 3}).array[0]
    assert [int((seen[z] == 1).sum()) for z in range(4)] == [4, 6, 8, 10]
    assert seen[2, 5, 7] == 3


def test_a_watcher_of_the_segmentation_hears_of_every_redraw() -> None:
    growing = GrowingNodes("case", clock=(clock := Clock()))
    growing.announce(MASK)
    node, heard = growing.nodes()["mask"], []
    node.GetSegmentation().AddObserver(slicer.vtkSegmentation.SourceRepresentationModified, lambda *_: heard.append(clock.now))
    heard.clear()
    for z in range(4):
        clock.now = float(z)
        growing.put("mask", z, np.ones((1, 6, 8), np.uint8))
    assert [now for now in heard if now > 0] == [1.0, 2.0, 3.0]


def test_a_sender_far_ahead_waits_until_there_is_room(courier: Courier) -> None:
    sent: list[int] = []

    def send() -> None:
        for n in range(3 * MOST_WAITING):
            courier.post(lambda: None)
            sent.append(n)

    thread = threading.Thread(target=send)
    thread.start()
    time.sleep(0.2)
    assert len(sent) <= MOST_WAITING + 1
    MainThread().until(lambda: not thread.is_alive())
    assert len(sent) == 3 * MOST_WAITING


def test_a_sender_that_waits_is_let_go_when_the_panel_closes() -> None:
    courier = Courier()
    thread = threading.Thread(target=lambda: [courier.post(lambda: None) for _ in range(100)])
    thread.start()
    time.sleep(0.1)
    courier.close()
    thread.join(5)
    assert not thread.is_alive()


def test_the_main_thread_never_waits_for_itself(courier: Courier) -> None:
    done: list[int] = []
    for n in range(5 * MOST_WAITING):
        courier.post(lambda n=n: done.append(n))
    MainThread().until(lambda: len(done) == 5 * MOST_WAITING)
    assert done == sorted(done)


def test_a_call_that_fails_does_not_stop_those_after_it(courier: Courier, caplog: pytest.LogCaptureFixture) -> None:
    done: list[str] = []
    courier.post(lambda: 1 / 0)
    courier.post(lambda: done.append("next"))
    MainThread().until(lambda: done)
    assert "a message to the panel was lost" in caplog.text
