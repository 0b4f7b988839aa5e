"""A fifth engine needs no code in the extension: a file among the service's engines, and its form runs it from the panel."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from MedSynthLib.growing import RECIPE
from MedSynthLib.primary_button import Mode
from MedSynthLib.segments import new_segmentation

from medsynth_core.protocol import LabelInfo, ParamKind
from tests.running import RunningService
from tests.slicer_extension import more_engines
from tests.slicer_extension.main_thread import MainThread
from tests.slicer_extension.painting import paint
from tests.slicer_extension.test_slicer_conversion import oblique, volume_node, world_of

ENGINE = Path(__file__).with_name("fifth_engine.py")
SHAPE = (3, 16, 20)
BOX = (slice(None), slice(1, 3), slice(1, 4))
"""What `paint` paints."""


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start_service: Callable[..., RunningService]) -> RunningService:
    """A service with one engine more."""
    more_engines.offer(ENGINE, "fifth", tmp_path / "with_a_fifth", monkeypatch)
    return start_service()


def painted(settings: Any) -> Any:
    """A volume, and a segment painted on it, chosen in the panel."""
    settings.image = volume_node(oblique(), np.zeros(SHAPE, np.uint8))
    settings.mask = new_segmentation(settings.image, (LabelInfo(1, "lesion", "#f28e2b"),), "lesion")
    settings.seed, settings.shown_only = 5, False
    paint(settings.mask, settings.image)
    return settings.image


def fill_in(page: Any) -> None:
    """Do with the fields what a person does."""
    fields = page.fields
    fields["steps"].setCurrentIndex(fields["steps"].findText("2"))
    fields["density"].setValue(0.25)
    fields["count"].setValue(7)
    fields["inverted"].click()
    fields["word"].setText("hello")


def test_its_form_appears_is_filled_in_and_its_result_lies_in_the_scene(panel: Any, widget: Any) -> None:
    panel._ui.tabs.setCurrentIndex(list(panel.pages).index("fifth"))
    page = panel.page
    assert {info.kind for info in page.engine.params} == set(ParamKind)
    assert page.values() == {"steps": 4, "density": 0.5, "count": 3, "inverted": False, "word": "x"}
    grid = painted(widget.logic.settings())
    fill_in(page)
    panel.check()
    assert panel._ui.runButton.text == "Fifth"
    panel._ui.runButton.click()
    MainThread().until(lambda: panel.button.mode is Mode.READY, 60)

    node = panel.growing.nodes()["image"]
    expected = np.full(SHAPE, 72, np.uint8)
    expected[BOX] = 25
    assert np.array_equal(slicer.util.arrayFromVolume(node), expected)
    assert np.abs(world_of(node, 19, 15, 2) - world_of(grid, 19, 15, 2)).max() < 1e-3
    recipe = json.loads(node.GetAttribute(RECIPE))
    assert (recipe["engine"], recipe["seed"], recipe["word"]) == ("fifth", 5, "hello")


def test_the_extension_does_not_know_its_name() -> None:
    folder = Path(__file__).parents[2] / "slicer_extension"
    sources = [path for path in folder.rglob("*") if path.suffix in (".py", ".ui", ".txt", ".json")]
    assert sources
    assert not [path.name for path in sources if "fifth" in path.read_text("utf-8")]
