"""There and back: what lies anywhere, turned, stretched, mirrored, under transforms, comes back to where it was.

A real service gives back what it is sent; the panel sends and shows it, by every way a result has into the scene. Where it should
be is asked of VTK, where it is of SimpleITK: see landmarks.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
import vtk
from MedSynthLib import conversion
from MedSynthLib.primary_button import Mode
from MedSynthLib.scripting import Engine
from MedSynthLib.settings import Settings

from medsynth_core.protocol import OutputInfo
from tests.running import RunningService
from tests.slicer_extension import landmarks, more_engines
from tests.slicer_extension.landmarks import BRIGHT, any_place, blocks, check, marked_in, put_under_any
from tests.slicer_extension.main_thread import MainThread
from tests.slicer_extension.test_slicer_conversion import red

__all__ = ["red"]
WAIT_S = 60


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start_service: Callable[..., RunningService]) -> RunningService:
    """A service that has an engine which gives back what it is sent."""
    more_engines.offer(Path(__file__).with_name("echo_engine.py"), "echo", tmp_path / "with_echo", monkeypatch)
    return start_service()


@pytest.fixture
def echo(panel: Any, widget: Any) -> Any:
    """The panel on that engine."""
    panel._ui.tabs.setCurrentIndex(list(panel.pages).index("echo"))
    widget.logic.settings().shown_only = False
    return panel


def volume(matrix: np.ndarray, array: np.ndarray, kind: str = "Scalar") -> Any:
    node = slicer.mrmlScene.AddNewNodeByClass(f"vtkMRML{kind}VolumeNode", kind)
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(matrix))
    slicer.util.updateVolumeFromArray(node, array)
    node.CreateDefaultDisplayNodes()
    return node


def segmentation(grid: Any, matrix: np.ndarray) -> Any:
    """The landmarks as a segment, by Slicer's own import; it lies with the volume, under the same transform."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "painted")
    node.CreateDefaultDisplayNodes()
    node.SetAndObserveTransformNodeID(grid.GetTransformNodeID())  # first: the geometry is taken as it lies in the node
    node.SetReferenceImageGeometryParameterFromVolumeNode(grid)
    labels, names = volume(matrix, blocks(), "LabelMap"), vtk.vtkStringArray()
    labels.SetAndObserveTransformNodeID(grid.GetTransformNodeID())
    names.InsertNextValue(node.GetSegmentation().AddEmptySegment("", "lesion"))
    assert slicer.vtkSlicerSegmentationsModuleLogic.ImportLabelmapToSegmentationNode(labels, node, names)
    slicer.mrmlScene.RemoveNode(labels)
    return node


def placed(settings: Any, random: np.random.Generator, colors: bool = False) -> np.ndarray:
    """Choose a volume with landmarks and a segmentation of them, anywhere; return where the landmarks lie."""
    matrix, voxels = any_place(random), (blocks() * BRIGHT).astype(np.int16)
    if colors:
        voxels = np.repeat(voxels.astype(np.uint8)[..., None], 3, axis=3)
    settings.image = volume(matrix, voxels, "Vector" if colors else "Scalar")
    put_under_any(random, settings.image)
    settings.mask = segmentation(settings.image, matrix)
    return marked_in(settings.image)


def run(panel: Any) -> dict[str, Any]:
    """Click the button; return the nodes."""
    panel.check()
    assert panel._ui.runButton.enabled, panel._ui.runButton.toolTip
    panel._ui.runButton.click()
    MainThread().until(lambda: panel.button.mode is Mode.READY, WAIT_S)
    assert panel._ui.messageLabel.text == ""
    return dict(panel.growing.nodes())


@pytest.mark.parametrize("seed", range(4))
def test_what_grows_lies_where_it_should(seed: int, echo: Any, widget: Any, tmp_path: Path) -> None:
    """An image, grey or of colors; the segments; locked strokes, as segments or as a label map; objects with numbers."""
    random, settings, colors = np.random.default_rng(seed), widget.logic.settings(), seed % 2 == 1
    expected = placed(settings, random, colors)
    check(settings.mask, expected, tmp_path)  # the landmarks themselves, before anything is claimed of a result
    for name, array in (("numbers", blocks().astype(np.uint16) * 300), ("locked", blocks())):
        node = volume(matrix_of(settings.image), array, "LabelMap")
        node.SetAndObserveTransformNodeID(settings.image.GetTransformNodeID())
        echo.page.choose(name, node)
    if colors:
        echo.page.choose("locked", settings.mask)
    nodes = run(echo)
    assert set(nodes) == {"image", "mask", "locked", "numbers"}
    assert nodes["image"].IsA("vtkMRMLVectorVolumeNode") == colors
    assert nodes["numbers"].IsA("vtkMRMLLabelMapVolumeNode")
    for node in nodes.values():
        assert node.GetParentTransformNode() is None
        check(node, expected, tmp_path)


@pytest.mark.parametrize("seed", [11, 12])
def test_a_refined_segmentation_is_applied_where_it_lies(seed: int, echo: Any, widget: Any, tmp_path: Path) -> None:
    """Into segments that were shifted by their transform meanwhile: what is refined stays where it is seen."""
    random, settings = np.random.default_rng(seed), widget.logic.settings()
    expected = placed(settings, random)
    run(echo)
    shift_by_voxels(settings.mask, settings.image, (1, 2, -1))
    assert np.abs(landmarks.found_in(settings.mask, tmp_path) - expected).max() > 0.3
    echo._ui.applyButton.click()
    check(settings.mask, expected, tmp_path)
    echo._ui.undoButton.click()
    assert np.abs(landmarks.found_in(settings.mask, tmp_path) - expected).max() > 0.3


@pytest.mark.parametrize("seed", [21, 22])
def test_a_result_opened_from_the_list_lies_where_it_should(seed: int, echo: Any, widget: Any, tmp_path: Path) -> None:
    """In another scene, where nothing of what was sent is left."""
    random, settings = np.random.default_rng(seed), widget.logic.settings()
    expected = placed(settings, random, colors=seed % 2 == 1)
    run(echo)
    slicer.mrmlScene.Clear(0)
    main = MainThread()
    main.until(lambda: echo.history.jobs, WAIT_S)
    echo.jobs.bring(echo.history.jobs[0])
    main.until(lambda: slicer.util.getNodesByClass("vtkMRMLSegmentationNode"), WAIT_S)
    opened = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") + slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    assert len(opened) == 2
    for node in opened:
        check(node, expected, tmp_path)


@pytest.mark.parametrize("seed", [31, 32])
def test_a_script_gets_nodes_that_lie_where_they_should(seed: int, service: RunningService, home: Path, tmp_path: Path) -> None:
    random, engine = np.random.default_rng(seed), Engine()
    settings = Settings(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode"))
    expected = placed(settings, random)
    (segment,) = settings.mask.GetSegmentation().GetSegmentIDs()
    mask = conversion.labels_of(settings.mask, settings.image, {segment: 1})
    nodes = engine.run("echo", "", 0, settings.image, image=conversion.volume_of(settings.image), mask=mask)
    engine.close()
    assert len(nodes) == 2
    for node in nodes:
        check(node, expected, tmp_path)


@pytest.mark.parametrize("seed", [41, 42])
def test_a_slice_and_its_live_preview_lie_where_the_slice_lies(
    seed: int, echo: Any, widget: Any, tmp_path: Path, red: Callable[[np.ndarray], None]
) -> None:
    random, settings = np.random.default_rng(seed), widget.logic.settings()
    expected = placed(settings, random)[:3]
    show_slice(red, settings.image, landmarks.MARKED)
    settings.shown_only = True
    for node in run(echo).values():
        assert node.IsA("vtkMRMLSegmentationNode") or node.GetImageData().GetDimensions()[2] == 1
        check(node, expected, tmp_path)
    echo._ui.liveBox.setChecked(True)
    MainThread().until(lambda: echo.live.preview.nodes().get("mask"), WAIT_S)
    check(echo.live.preview.nodes()["mask"], expected, tmp_path)
    shift_by_voxels(settings.mask, settings.image, (1, 0, 0))
    echo._ui.applyButton.click()
    assert np.abs(landmarks.found_in(settings.mask, tmp_path, 4)[:3] - expected).max() < landmarks.NEAR_MM
    echo._ui.liveBox.setChecked(False)


def matrix_of(node: Any) -> np.ndarray:
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return np.array(slicer.util.arrayFromVTKMatrix(matrix))


def shift_by_voxels(node: Any, grid: Any, voxels: tuple[int, int, int]) -> None:
    """Put a node under a transform more, which shifts it by whole voxels (i, j, k) of a volume that it lies with."""
    matrix, steps = matrix_of(grid), np.eye(4)
    steps[:3, 3] = voxels
    shift = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "shift")
    shift.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix @ steps @ np.linalg.inv(matrix)))
    shift.SetAndObserveTransformNodeID(grid.GetTransformNodeID())
    node.SetAndObserveTransformNodeID(shift.GetID())


def show_slice(red: Callable[[np.ndarray], None], grid: Any, k: int) -> None:
    """Let the Red view lie in a slice of a volume."""
    corners = np.array([[0, 0, k, 1], [1, 0, k, 1], [0, 1, k, 1]]) @ matrix_of(grid).T
    first, right, up = landmarks.to_world(grid, corners[:, :3])
    place = np.eye(4)
    place[:3, 0], place[:3, 1] = (right - first) / np.linalg.norm(right - first), (up - first) / np.linalg.norm(up - first)
    place[:3, 2], place[:3, 3] = np.cross(place[:3, 0], place[:3, 1]), first
    red(place)


def test_a_refined_volume_is_followed_though_segments_come_first(
    echo: Any, widget: Any, red: Callable[[np.ndarray], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Segments have no slices of their own for views to go to; the volume beside them has."""
    settings = widget.logic.settings()
    placed(settings, np.random.default_rng(51))
    show_slice(red, settings.image, 0)
    echo._ui.followBox.setChecked(True)
    growth = echo.growth
    growth.begin("refined", (), settings.mask)
    rows = tuple(map(tuple, np.eye(4).tolist()))
    for name, kind in (("mask", "labels"), ("uncertainty", "image")):
        growth.announce(OutputInfo(name, kind, (1, *landmarks.SHAPE), "uint8", rows))
    for z in range(landmarks.SHAPE[0]):
        for name in ("mask", "uncertainty"):
            growth.put(name, z, np.zeros((1, *landmarks.SHAPE[1:]), np.uint8))
    growth.nodes.redraw(last=True)
    echo.check()
    assert echo._ui.growthLabel.text.startswith("6")
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    slicer.mrmlScene.RemoveNode(growth.nodes.nodes()["uncertainty"])
    growth._drawn()
    echo.check()
