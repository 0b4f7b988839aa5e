"""Nuclei and histology in the viewer by the real service and the real engine, with a toy model of random weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from medsynth_core.client import connect
from napari_medsynth import strokes
from tests.engines.nuclei.conftest import make_recipe, tile
from tests.gui.conftest import Desk
from tests.gui.nuclei_hand import carry, disk, make, take_tool
from tests.running import RunningService

pytestmark = [pytest.mark.gui, pytest.mark.timeout(300)]
SIDE = 256


@pytest.fixture(scope="module")
def toy_nuclei(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a model that has learned nothing."""
    import torch

    from medsynth_core.models.folder import finish_folder

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "toy"
    folder.mkdir()
    recipe = make_recipe(tuple(tile(seed) for seed in range(3)))
    recipe.save(recipe.build(), folder)
    finish_folder(folder, recipe.card(0))
    return folder


@pytest.fixture
def open_toy(
    home: Path, toy_nuclei: Path, open_nuclei: Callable[..., Desk], start_service: Callable[..., RunningService]
) -> Callable[..., Desk]:
    """Open the panel on a service that has the toy model, with a locked seed and few steps."""
    (home / "models").mkdir()
    shutil.copytree(toy_nuclei, home / "models" / "toy")
    start_service().wait_ready()

    def open_it(nuclei: np.ndarray | None = None) -> Desk:
        desk = open_nuclei(nuclei=nuclei, real=True)
        box = desk.panel.model
        desk.wait("the model", lambda: any(box.itemData(i).id == "toy" for i in range(box.count())), 60)
        box.setCurrentIndex(next(i for i in range(box.count()) if box.itemData(i).id == "toy"))
        desk.panel.restore_params({"steps": 1, "guidance": 1.0})
        desk.panel.seed_row.restore(11, locked=True, count=1)
        return desk

    return open_it


def run(desk: Desk) -> None:
    desk.click_synthesize()
    desk.wait_idle(120)
    assert not desk.panel.message.text, desk.panel.message.text


def test_a_pair_in_the_viewer_is_the_pair_of_the_service(open_toy: Callable[..., Desk]) -> None:
    desk = open_toy()
    desk.panel.restore_params({"slices": 2})
    run(desk)
    image, nuclei = desk.results()
    with connect(start=False) as engine:
        info = engine.history()[0]
        job = engine.job(info.id)
        assert np.array_equal(nuclei.data, job.result("instances").array[0])
        assert np.array_equal(image.data, np.moveaxis(job.result("image").array, 0, -1))
    recipe = image.metadata["medsynth"]
    assert recipe["seed"] == 11
    assert recipe["params"]["slices"] == 2
    json.dumps(recipe)


def test_a_moved_nucleus_changes_nothing_but_its_region_and_one_undo_takes_it_back(open_toy: Callable[..., Desk]) -> None:
    field = disk(disk(np.zeros((SIDE, SIDE), np.uint16), (80, 80), 1, 9), (170, 170), 2, 9)
    desk = open_toy(field)
    make(desk, "keep")
    run(desk)
    (image,) = desk.results()
    before = image.data.copy()
    take_tool(desk, "move")
    carry(desk, (80, 80), (80, 120))
    desk.wait("the edit", lambda: "edits" in image.metadata["medsynth"] or bool(desk.panel.message.text), 120)
    assert not desk.panel.message.text, desk.panel.message.text
    nuclei = desk.viewer.layers["nuclei"]
    assert nuclei.data[80, 120] == 1
    changed = (image.data != before).any(axis=-1)
    near = disk(disk(np.zeros((SIDE, SIDE), np.uint8), (80, 80), 1, 16), (80, 120), 1, 16) > 0
    assert changed.any()
    assert not changed[~near].any()
    strokes.click(desk.panel.hand.undo)
    assert np.array_equal(image.data, before)
    assert np.array_equal(nuclei.data, field)
