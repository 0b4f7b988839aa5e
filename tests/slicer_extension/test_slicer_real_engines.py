"""The four engines with the models that ship, from the panel's cards and from a script: what comes is what was asked for.

A real service in an environment of its own, real samples, real networks; nothing here is a matter of shapes alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from MedSynthLib import conversion, samples, tumor_roi
from MedSynthLib.growing import JOB, RECIPE, SYNTHETIC
from MedSynthLib.primary_button import Mode
from MedSynthLib.scripting import Engine
from MedSynthLib.segments import segment_names

from medsynth_core.client import connect
from tests.running import RunningService
from tests.slicer_extension.main_thread import MainThread
from tests.slicer_extension.test_slicer_conversion import world_of

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(autouse=True)
def home(shared_service: RunningService, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state folder of one service for all these tests: it loads torch and the networks once."""
    monkeypatch.setenv("MEDSYNTH_HOME", str(shared_service.home))
    return shared_service.home


@pytest.fixture
def service(shared_service: RunningService) -> RunningService:
    """That service."""
    return shared_service


@pytest.fixture
def scripted(service: RunningService, home: Path) -> Iterator[Engine]:
    """Slicer's Python, without the panel."""
    engine = Engine()
    yield engine
    engine.close()


def into_a_study(*nodes: Any) -> int:
    """Put nodes into a study of a patient and return the study's item."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "patient")
    study = hierarchy.CreateStudyItem(patient, "study")
    for node in nodes:
        item = hierarchy.GetItemByDataNode(node)
        if item:
            hierarchy.SetItemParent(item, study)
        else:
            hierarchy.CreateItem(study, node)
    return int(study)


def study_of(node: Any) -> int:
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    return int(hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)))


def card(panel: Any, settings: Any, name: str, **values: Any) -> int:
    """Click a starter card, put its data into a study, set values in the form; return the study, 0 without data."""
    getattr(panel._ui, name).click()
    given = [node for node in (settings.image, settings.mask, *panel.page.chosen.values()) if node is not None]
    panel.page.set_values(values)
    panel.check()
    assert panel._ui.runButton.enabled, panel._ui.runButton.toolTip
    return into_a_study(*given) if given else 0


def run(panel: Any, seconds: float = 600) -> dict[str, Any]:
    """Click the button and return the nodes, once all is there."""
    panel._ui.runButton.click()
    assert panel.button.mode is Mode.RUNNING, panel._ui.messageLabel.text
    MainThread().until(lambda: panel.button.mode is Mode.READY, seconds)
    assert panel._ui.messageLabel.text == ""
    return panel.growing.nodes()


def check_marks(node: Any, engine: str, model: str, home: Path) -> dict[str, Any]:
    """Return the recipe in a node, which says what made it and which job of the service that was."""
    recipe: dict[str, Any] = json.loads(node.GetAttribute(RECIPE))
    assert (recipe["engine"], recipe["model"]) == (engine, model)
    synthetic = engine != "refine"
    assert node.GetAttribute(SYNTHETIC) == ("true" if synthetic else "false")
    assert node.GetName().startswith("[Synthetic] ") == synthetic
    with connect(home, start=False) as client:
        assert client.job(node.GetAttribute(JOB)).info().recipe == recipe
    return recipe


def check_place(node: Any, like: Any) -> None:
    """Fail unless the corners of two volumes lie at the same places."""
    x, y, z = (n - 1 for n in like.GetImageData().GetDimensions())
    for corner in ((0, 0, 0), (x, y, z), (x, 0, z)):
        assert np.abs(world_of(node, *corner) - world_of(like, *corner)).max() < 1e-3


def inside(mask: Any, grid: Any) -> np.ndarray:
    """Return where any segment is, (z, y, x), on the grid of a volume."""
    return conversion.labels_of(mask, grid, dict.fromkeys(segment_names(mask), 1)).array[0] != 0


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


def test_the_refine_card_gives_an_outline_nearer_to_the_truth_than_what_was_painted(panel: Any, widget: Any, home: Path) -> None:
    settings = widget.logic.settings()
    study = card(panel, settings, "refineCard", steps=2)
    rough = inside(settings.mask, settings.image)
    truth = samples.read(samples.folder() / samples.POLYP.files[1])[0] != 0
    preview = run(panel)["mask"]
    refined = inside(preview, settings.image)
    assert 0.75 < dice(rough, truth) < dice(refined, truth) - 0.02
    check_marks(preview, "refine", "refiner", home)
    assert study_of(preview) == study
    assert panel._ui.applyButton.isVisibleTo(widget.page)
    panel._ui.applyButton.click()
    assert np.array_equal(inside(settings.mask, settings.image), refined)
    panel._ui.undoButton.click()
    assert np.array_equal(inside(settings.mask, settings.image), rough)


def test_the_paint_card_gives_a_lesion_where_the_segment_is(panel: Any, widget: Any, home: Path) -> None:
    settings = widget.logic.settings()
    study = card(panel, settings, "paintCard")
    settings.seed = 7
    node = run(panel)["image"]
    check_place(node, settings.image)
    recipe = check_marks(node, "synthesize", "brain-slice", home)
    assert (recipe["seed"], study_of(node)) == (7, study)
    pixels, lesion = slicer.util.arrayFromVolume(node), inside(settings.mask, settings.image)
    head = pixels > 30
    assert 0.2 < head.mean() < 0.8
    assert pixels[lesion].mean() > 1.3 * pixels[head & ~lesion].mean()  # a meningioma takes up contrast
    flipped = lesion[:, :, ::-1] & ~lesion
    assert pixels[lesion].mean() > 1.3 * pixels[flipped].mean()  # and the other side of the head is not bright
    engine = Engine()
    again = engine.synthesize(settings.mask, settings.image, "brain-slice", seed=7, tumor="meningioma", plane="axial")
    assert np.array_equal(slicer.util.arrayFromVolume(again), pixels)
    assert not np.array_equal(
        slicer.util.arrayFromVolume(engine.synthesize(settings.mask, settings.image, "brain-slice", seed=8)), pixels
    )
    engine.close()


def test_the_nuclei_card_paints_histology_of_the_nuclei_that_were_given(panel: Any, widget: Any, home: Path) -> None:
    settings = widget.logic.settings()
    study = card(panel, settings, "nucleiCard")
    given = slicer.util.arrayFromVolume(panel.page.chosen["mask"])
    nodes = run(panel)
    image, instances = nodes["image"], nodes["instances"]
    assert image.IsA("vtkMRMLVectorVolumeNode")
    assert instances.IsA("vtkMRMLLabelMapVolumeNode")
    pixels, numbers = slicer.util.arrayFromVolume(image), slicer.util.arrayFromVolume(instances)
    assert (pixels.dtype, pixels.shape) == (np.uint8, (*given.shape, 3))
    assert np.array_equal(numbers != 0, given != 0)
    assert len(np.unique(numbers)) == len(np.unique(given)) == 32
    red, blue = (pixels[..., channel].astype(float) for channel in (0, 2))
    mirrored = given[:, :, ::-1]
    drop, chance = (red[where == 0].mean() - red[where != 0].mean() for where in (given, mirrored))
    assert drop > max(15, 3 * chance)  # hematoxylin takes the red, where the nuclei are and not elsewhere
    assert (blue - red)[given != 0].mean() > (blue - red)[given == 0].mean()
    for node in (image, instances):
        check_place(node, settings.image)
        check_marks(node, "nuclei", "nuclei-he", home)
        assert study_of(node) == study


def test_nuclei_without_any_given_are_sown_from_a_script(scripted: Engine, home: Path) -> None:
    image, instances = scripted.make_nuclei(seed=3, density=60.0, height=128, width=128, steps=4)
    numbers, pixels = slicer.util.arrayFromVolume(instances), slicer.util.arrayFromVolume(image)
    assert 8 <= len(np.unique(numbers)) - 1 <= 30  # 60 in 256 x 256 pixels are 15 in a quarter of them, and those cut by its rim
    assert pixels[..., 0][numbers != 0].mean() < pixels[..., 0][numbers == 0].mean() - 20
    check_marks(image, "nuclei", "nuclei-he", home)
    painted, same = scripted.make_nuclei(instances, seed=4, steps=4)
    assert np.array_equal(slicer.util.arrayFromVolume(same) != 0, numbers != 0)
    assert not np.array_equal(slicer.util.arrayFromVolume(painted), pixels)


@pytest.mark.slow
def test_the_tumor_card_grows_a_volume_slice_by_slice_around_the_box(panel: Any, widget: Any, home: Path) -> None:
    card(panel, widget.logic.settings(), "tumorCard", volume_ml=14.0)
    center, extent = tumor_roi.read(panel.placing.box)
    nodes = run(panel)
    image, mask = nodes["image"], nodes["mask"]
    pixels, lesion = slicer.util.arrayFromVolume(image), inside(mask, image)
    assert sorted(set(panel.growing.arrived["image"])) == list(range(len(pixels)))
    assert len(pixels) > 8
    assert all(plane.std() > 5 for plane in pixels)
    middle = np.argwhere(lesion).mean(axis=0)[::-1]
    assert np.abs(world_of(image, *np.rint(middle).astype(int)) - center).max() < 8
    widths = (np.ptp(np.argwhere(lesion), axis=0) + 1)[::-1] * image.GetSpacing()
    assert np.all((0.5 * np.array(extent) < widths) & (widths < 1.7 * np.array(extent)))
    assert 7 < np.count_nonzero(lesion) * np.prod(image.GetSpacing()) / 1000 < 21
    head = pixels > 30
    assert pixels[lesion].mean() > 1.3 * pixels[head & ~lesion].mean()  # FLAIR shows it bright
    for node in (image, mask):
        check_marks(node, "tumor", "lgg-flair", home)
    assert list(segment_names(mask).values()) == ["tumor"]
