"""From nothing to a running engine inside the panel: made, cancelled, failed, chosen, and the main thread stays free."""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import qt
import slicer
from MedSynthLib import environment, environment_making, scripting
from MedSynthLib.environment_making import Plan

from tests.running import PYTHON
from tests.slicer_extension.conftest import MODULE_FOLDER
from tests.slicer_extension.main_thread import MainThread
from tests.slicer_extension.test_slicer_environment import Fake, fake

__all__ = ["fake"]


@pytest.fixture
def widget(home: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module on a machine without service and environment; the only Python there is pretends."""
    import MedSynth

    monkeypatch.setenv("PATH", f"{fake.folder}:/usr/bin:/bin")
    monkeypatch.setattr(environment_making, "plan", lambda checkout=None: Plan("x", needed_bytes=1))
    slicer.modules.medsynth = types.SimpleNamespace(path=str(MODULE_FOLDER / "MedSynth.py"))
    parent = qt.QWidget()
    qt.QVBoxLayout(parent)
    made = MedSynth.MedSynthWidget(parent)
    made.setup()
    parent.show()
    MainThread().until(lambda: made.page.environmentRow.visible, 20)
    yield made
    made.cleanup()
    parent.deleteLater()


def test_without_an_environment_the_panel_offers_to_make_one(widget: Any) -> None:
    assert widget.page.createButton.text == "Create it for me"
    assert "never in Slicer's" in widget.page.environmentLabel.text
    assert not widget.page.runButton.enabled


def test_it_is_made_with_progress_and_without_holding_up_slicer(widget: Any, home: Path) -> None:
    main, said = MainThread(), []
    widget.page.createButton.click()
    main.until(lambda: said.append(widget.page.environmentLabel.text) or "ready" in said[-1], 30)
    assert any(text.startswith("3/5 Fetching torch") for text in said)
    assert environment.chosen(home) is not None
    assert max(main.work_s) < 0.05


def test_a_making_that_fails_says_why_and_can_be_tried_again(widget: Any, home: Path, fake: Fake) -> None:
    fake.does(install="no-network")
    widget.page.createButton.click()
    main = MainThread()
    main.until(lambda: "check the network" in widget.page.environmentLabel.text, 30)
    assert widget.page.createButton.text == "Create it for me"
    fake.does(install="ok")
    widget.page.createButton.click()
    main.until(lambda: environment.chosen(home), 30)


def test_a_making_can_be_cancelled(widget: Any, home: Path, fake: Fake) -> None:
    fake.does(install="slow")
    main = MainThread()
    widget.page.createButton.click()
    main.until(lambda: widget.page.createButton.text == "Cancel" and (fake.folder / "pip.pid").exists(), 30)
    assert not widget.page.chooseButton.enabled
    widget.page.createButton.click()
    main.until(lambda: "was cancelled" in widget.page.environmentLabel.text, 20)
    assert environment.chosen(home) is None
    assert widget.page.createButton.text == "Create it for me"


def test_an_environment_is_chosen_and_the_engine_starts(widget: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "REQUIRED", ("fastapi", "uvicorn", "zarr"))  # torch takes long to import
    monkeypatch.setattr(qt.QFileDialog, "getOpenFileName", lambda *_: (PYTHON, ""))
    widget.page.chooseButton.click()
    main = MainThread()
    main.until(lambda: "Ready" in widget.page.engineButton.text, 90)
    main.until(lambda: not widget.page.environmentRow.visible)
    assert environment.needed(home).python == PYTHON
    assert widget.panel.pages
    widget.panel.session.stop_engine(force=True)
    main.until(lambda: "Stop" in widget.page.engineButton.text, 30)
    main.rest(0.5)


def test_volumes_are_offered_but_no_label_maps(widget: Any) -> None:
    """Binding a selector to a setting replaces the classes that the .ui names by the setting's."""
    assert tuple(widget.page.imageSelector.nodeTypes) == ("vtkMRMLScalarVolumeNode",)
    assert list(widget.page.imageSelector.hideChildNodeTypes) == ["vtkMRMLLabelMapVolumeNode"]
    assert issubclass(slicer.vtkMRMLVectorVolumeNode, slicer.vtkMRMLScalarVolumeNode)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at the environment of another process in /proc")
def test_the_engine_starts_with_what_slicer_was_started_with(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slicer changes its own environment, for its libraries; nothing of that may reach the service."""
    environment.point(home, environment.Chosen(PYTHON))
    before = qt.QProcessEnvironment()
    for name, value in {**os.environ, "STARTED_WITH": "this"}.items():
        before.insert(name, value)
    monkeypatch.setattr(slicer.app, "startupEnvironment", lambda: before)
    for name in ("PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "QT_PLUGIN_PATH", "SET_BY_SLICER"):
        monkeypatch.setenv(name, "/poison")
    with scripting.Engine().client as client:
        (process,) = [
            path for path in Path("/proc").glob("[0-9]*") if f"service\0--home\0{home}\0".encode() in _read(path / "cmdline")
        ]
        seen = _read(process / "environ")
        client.shutdown()
    assert b"STARTED_WITH=this" in seen
    assert b"/poison" not in seen


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it ended meanwhile
        return b""
