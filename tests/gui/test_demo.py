"""The demo as `msynth demo --save` runs it, on a service that follows a script."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtGui import QImage
from qtpy.QtWidgets import QApplication

from medsynth_core.errors import JobError, ModelNotFoundError
from napari_medsynth import demo
from napari_medsynth.samples import SAMPLES
from napari_medsynth.synthesize_widget import SynthesizeWidget
from tests.scripted import Script, ScriptedClient

pytestmark = pytest.mark.gui


@pytest.fixture(autouse=True)
def _scripted(monkeypatch: pytest.MonkeyPatch, script: Script, qapp: QApplication) -> None:
    monkeypatch.setattr(demo, "SynthesizeWidget", partial(SynthesizeWidget, connect=lambda: ScriptedClient(script)))


@pytest.mark.parametrize("model", ["brain-slice", "polyp"])
def test_the_demo_paints_the_lesion_and_saves_a_picture(script: Script, tmp_path: Path, model: str) -> None:
    demo.main(tmp_path / "demo.png", model)
    sent = script.masks[0].array[0, 0] > 0
    real = next(s for s in SAMPLES if s.model == model).mask() > 0
    assert script.submitted[0].model == model
    assert 2 * (sent & real).sum() / (sent.sum() + real.sum()) > 0.6
    picture = QImage(str(tmp_path / "demo.png"))
    assert picture.width() >= 1000
    assert [path.name for path in tmp_path.glob("*.png")] == ["demo.png"]
    assert np.unique([picture.pixel(x, picture.height() // 2) for x in range(0, picture.width(), 7)]).size > 20


def test_a_demo_that_fails_says_so_and_leaves_no_picture(script: Script, tmp_path: Path) -> None:
    script.fails_with = "out_of_memory"
    with pytest.raises(JobError, match="script failed"):
        demo.main(tmp_path / "demo.png")
    assert not list(tmp_path.glob("*.png"))


def test_a_missing_starter_model_is_named(script: Script, tmp_path: Path) -> None:
    script.models = script.models[1:]
    with pytest.raises(ModelNotFoundError, match="brain-slice"):
        demo.main(tmp_path / "demo.png")
