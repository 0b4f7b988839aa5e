"""A 512 x 512 x 64 stream as the panel shows it: every slice in order, few updates, no more memory, never stuck.

The loop is measured twice: by the clock, in which a wait shows, and by the thread's own work, which no busy machine disturbs.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from MedSynthLib import conversion
from MedSynthLib.growing import JOB, GrowingNodes
from MedSynthLib.panel import Panel
from MedSynthLib.primary_button import Mode
from MedSynthLib.segments import new_segmentation

from medsynth_core import job_results
from medsynth_core.engines.fake import slice_pixels
from medsynth_core.job_results import Fetched
from medsynth_core.protocol import JobInfo, JobRequest, JobState, LabelInfo, OutputInfo
from medsynth_core.run import Ending, Run, RunRequest
from medsynth_core.volume import Volume
from tests.slicer_extension.main_thread import MainThread
from tests.slicer_extension.test_slicer_conversion import oblique, volume_node
from tests.slicer_extension.test_slicer_growth import red
from tests.slicer_extension.test_slicer_panel import fake_page, run_to_end

SIZE, DEPTH = 512, 64
MOST_S = 0.05
TRIES = 3
"""A busy machine takes the processor away for longer than that now and then, but not each time."""
PLACE = tuple(map(tuple, np.diag([0.9, 0.9, 3.0, 1.0]).tolist()))
LABELS = (LabelInfo(1, "tumor", "#f28e2b"), LabelInfo(2, "edema", "#59a14f"), LabelInfo(3, "cyst", "#4e79a7"))
ALONE = "MEDSYNTH_TEST_ALONE"
measured_alone = pytest.mark.skipif(ALONE not in os.environ, reason="run by a test, in a process of its own")
log = logging.getLogger(__name__)
__all__ = ["red"]


@pytest.fixture
def shown(widget: Any, panel: Panel, red: Any) -> Panel:
    """The panel on the screen, with a painted segmentation on a volume of the stream's size, and a view that follows."""
    grid = volume_node(oblique(), np.zeros((DEPTH, SIZE, SIZE), np.int16))
    mask = new_segmentation(grid, LABELS, "lesion")
    labels = np.zeros((1, DEPTH, SIZE, SIZE), np.uint8)
    labels[0, 10:50, 100:300, 100:300] = 1
    conversion.fill_segments(mask, Volume(labels, conversion.affine_of(grid)), {1: mask.GetSegmentation().GetNthSegmentID(0)})
    widget.logic.settings().image, widget.logic.settings().mask = grid, mask
    panel._ui.followBox.setChecked(True)
    widget.page.window().show()
    MainThread().rest(0.3)
    return panel


@pytest.fixture
def updates(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When a growing volume told Slicer that its voxels changed."""
    heard: list[float] = []
    announce = GrowingNodes.announce

    def watched(growing: GrowingNodes, output: OutputInfo) -> None:
        known = set(growing.nodes())
        announce(growing, output)
        for name in set(growing.nodes()) - known:
            node = growing.nodes()[name]
            if node.IsA("vtkMRMLVolumeNode"):
                voxels = node.GetImageData().GetPointData().GetScalars()
                voxels.AddObserver("ModifiedEvent", lambda *_: heard.append(time.monotonic()))

    monkeypatch.setattr(GrowingNodes, "announce", watched)
    return heard


def check_never_stuck(stream: Callable[[MainThread], None]) -> None:
    """Fail when the loop was held up in each of several tries, or worked too long at a stretch in one."""
    longest = []
    for _ in range(TRIES):
        main = MainThread()
        stream(main)
        assert max(main.work_s) < MOST_S, f"{1000 * max(main.work_s):.0f} ms of work at a stretch"
        longest.append(max(main.wall_s))
        if longest[-1] < MOST_S:
            log.warning("longest turn %.1f ms by the clock, %.1f ms of work", 1000 * longest[-1], 1000 * max(main.work_s))
            return
    raise AssertionError(f"held up for {', '.join(f'{1000 * s:.0f}' for s in longest)} ms")


def resident_mib() -> float:
    """Return the memory of this process that is in use; what was freed goes back to the system first."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def test_the_panel_is_never_held_up_while_a_service_streams_into_it(shown: Panel) -> None:
    def stream(main: MainThread) -> None:
        fake_page(shown, slices=DEPTH, size=SIZE)
        shown._ui.runButton.click()
        assert shown.button.mode is Mode.RUNNING, shown._ui.runButton.toolTip
        main.until(lambda: shown.button.mode is Mode.READY, 60)
        main.rest(0.6)  # the checks and the list that come after it

    check_never_stuck(stream)
    assert shown.growing is not None
    voxels = slicer.util.arrayFromVolume(shown.growing.nodes()["image"])
    assert shown.growing.arrived["image"] == list(range(DEPTH))
    assert all(np.array_equal(voxels[z], slice_pixels(0, z, SIZE)[0]) for z in range(DEPTH))


def test_the_panel_is_never_held_up_by_an_image_of_16_bits_and_its_labels(shown: Panel) -> None:
    made = np.random.default_rng(0).integers(0, 2000, (2, 1, SIZE, SIZE)).astype(np.int16)
    labels = (made // 500).astype(np.uint8)

    def feed(run: Run) -> None:
        outputs = (("image", "image", made), ("mask", "labels", labels))
        for name, kind, pixels in outputs:
            info = OutputInfo(name, kind, (1, DEPTH, SIZE, SIZE), str(pixels.dtype), PLACE)
            shown._courier.post(lambda info=info: shown.run_announced(run, info))
        for z in range(DEPTH):
            for name, _, pixels in outputs:
                shown._courier.post(lambda name=name, z=z, pixels=pixels: shown.run_grew(run, name, z, pixels[z % 2]))
        shown._courier.post(lambda: shown.run_ended(run, Ending.DONE, None))

    def stream(main: MainThread) -> None:
        run = object.__new__(Run)
        run.request = RunRequest("fake", "", {}, (0,), {})
        shown._run = run
        shown.growth.begin("[Synthetic] case", LABELS, None)
        threading.Thread(target=feed, args=(run,)).start()
        main.until(lambda: shown._run is None, 60)

    check_never_stuck(stream)
    assert shown.growing is not None
    nodes = shown.growing.nodes()
    voxels = slicer.util.arrayFromVolume(nodes["image"])
    assert all(np.array_equal(voxels[z], made[z % 2, 0]) for z in range(DEPTH))
    ids = nodes["mask"].GetSegmentation().GetSegmentIDs()
    seen = conversion.labels_of(nodes["mask"], nodes["image"], {segment: n for n, segment in enumerate(ids, 1)}).array[0]
    assert all(np.array_equal(seen[z], labels[z % 2, 0]) for z in range(DEPTH))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float32"])
def test_a_large_volume_is_announced_at_once_whatever_its_voxels(dtype: str) -> None:
    def announce(main: MainThread) -> None:
        growing, began, worked = GrowingNodes("case"), time.perf_counter(), time.thread_time()
        growing.announce(OutputInfo("image", "image", (1, DEPTH, SIZE, SIZE), dtype, PLACE))
        main.wall_s.append(time.perf_counter() - began)
        main.work_s.append(time.thread_time() - worked)

    check_never_stuck(announce)


def test_updates_are_a_tenth_of_a_second_apart(shown: Panel, updates: list[float]) -> None:
    began = time.monotonic()
    run_to_end(shown, slices=DEPTH, size=SIZE, delay_ms=20.0)
    seconds = time.monotonic() - began
    assert 5 <= len(updates) <= 10 * seconds + 2
    gaps = np.diff(updates)
    assert min(gaps[:-1]) > 0.095  # the last one comes with the last slice
    assert all(sum(at <= other < at + 1 for other in updates) <= 11 for at in updates)


def check_growth(grow: Callable[[], float]) -> None:
    """Fail unless memory grows by the volume's size; `grow` returns the most that was in use on the way, in MiB."""
    volume, before = DEPTH * SIZE * SIZE / 2**20, resident_mib()
    most = grow() - before
    grown = resident_mib() - before
    log.warning("%.1f MiB for %.0f, at most %.1f while they came", grown, volume, most)
    assert 0.9 * volume < grown < 1.25 * volume
    assert most < 1.5 * volume  # slices under way


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_grows_by_the_volume_s_size_only(tmp_path: Path) -> None:
    """In a process of its own, which gives large blocks back at once: in ours what other tests freed would be used again."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp", str(tmp_path / "alone"), __file__]
    environ = {**os.environ, ALONE: "1", "MALLOC_MMAP_THRESHOLD_": str(2**20)}
    ended = subprocess.run([*command, "-k", "alone"], env=environ, capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 0, ended.stdout
    assert "2 passed" in ended.stdout


@measured_alone
def test_alone_a_stream_grows_by_its_volume(shown: Panel) -> None:
    run_to_end(shown, slices=DEPTH, size=SIZE)  # what is needed once, for whatever is streamed
    run_to_end(shown, slices=1, size=8, delay_ms=0.0)  # lets go of what the last one left

    def grow() -> float:
        fake_page(shown, slices=DEPTH, size=SIZE, delay_ms=5.0)
        shown.start()
        assert shown.button.mode is Mode.RUNNING, shown._ui.messageLabel.text
        main, most = MainThread(), 0.0
        while shown.button.mode is not Mode.READY:
            main.rest(0.05)
            most = max(most, resident_mib())
        return most

    check_growth(grow)


@measured_alone
def test_alone_labels_grow_in_one_label_map_however_many_there_are() -> None:
    pixels = np.random.default_rng(0).integers(0, 6, (1, SIZE, SIZE)).astype(np.uint8)

    def grow() -> float:
        growing = GrowingNodes("case", LABELS)
        growing.announce(OutputInfo("mask", "labels", (1, DEPTH, SIZE, SIZE), "uint8", PLACE))
        for z in range(DEPTH):
            growing.put("mask", z, pixels)
        growing.redraw(last=True)
        assert growing.nodes()["mask"].GetSegmentation().GetNumberOfSegments() == 5
        return resident_mib()

    check_growth(grow)


def test_a_large_result_of_the_list_opens_without_holding_up_slicer(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    made = np.random.default_rng(0).integers(1, 4, (1, DEPTH, SIZE, SIZE)).astype(np.int16)
    arrays = {"image": made * 500, "mask": made.astype(np.uint8)}
    outputs = tuple(
        OutputInfo(name, "image" if name == "image" else "labels", array.shape, str(array.dtype), PLACE)
        for name, array in arrays.items()
    )
    fetched = Fetched(outputs, {name: Volume(array, np.array(PLACE)) for name, array in arrays.items()}, LABELS)
    monkeypatch.setattr(job_results, "fetch", lambda client, job: fetched)
    request, recipe = JobRequest("tumor", "toy", {}, 3, {}, "napari"), {"synthetic": True, "seed": 3}
    job = JobInfo("a", JobState.DONE, request, 0.0, outputs=outputs, recipe=recipe)

    def newest(kind: str) -> Any:
        return slicer.util.getNodesByClass(f"vtkMRML{kind}Node")[-1]

    def seen() -> np.ndarray:
        ids = newest("Segmentation").GetSegmentation().GetSegmentIDs()
        values = {segment: n for n, segment in enumerate(ids, 1)}
        return conversion.labels_of(newest("Segmentation"), newest("ScalarVolume"), values, DEPTH - 1).array

    def stream(main: MainThread) -> None:
        slicer.mrmlScene.Clear(0)
        panel.jobs.bring(job)
        main.until(lambda: slicer.util.getNodesByClass("vtkMRMLSegmentationNode"), 60)
        main.rest(1.0)

    check_never_stuck(stream)
    assert np.array_equal(slicer.util.arrayFromVolume(newest("ScalarVolume")), arrays["image"][0])
    assert np.array_equal(seen()[0, 0], arrays["mask"][0, -1])
    assert newest("ScalarVolume").GetName().startswith("[Synthetic] tumor · toy")
    assert newest("Segmentation").GetAttribute(JOB) == "a"
