"""Tests of the Slicer extension; they run where slicer-core is installed, by `make test-slicer`."""

from __future__ import annotations

import importlib.util
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = importlib.util.find_spec("slicer_core") is not None
collect_ignore_glob = [] if HERE else ["test_*.py"]
MODULE_FOLDER = Path(__file__).parents[2] / "slicer_extension" / "MedSynth"

if HERE:
    from tests.running import RunningService
    from tests.slicer_extension import standin
    from tests.slicer_extension.standin import application

    standin.install()
    sys.path.insert(0, str(MODULE_FOLDER))

    import qt
    import slicer

    from tests.slicer_extension.main_thread import MainThread

    @pytest.fixture(autouse=True)
    def scene() -> Iterator[object]:
        """An empty scene."""
        yield application.new_scene()
        application.new_scene()

    def opened() -> Iterator[Any]:
        """The module as Slicer opens it."""
        import MedSynth

        slicer.modules.medsynth = types.SimpleNamespace(path=str(MODULE_FOLDER / "MedSynth.py"))
        parent = qt.QWidget()
        qt.QVBoxLayout(parent)
        made = MedSynth.MedSynthWidget(parent)
        made.setup()
        yield made
        made.cleanup()
        parent.deleteLater()

    @pytest.fixture
    def widget(service: RunningService, home: Path) -> Iterator[Any]:
        """The module, connected to a real service."""
        yield from opened()

    @pytest.fixture
    def lone_widget(home: Path) -> Iterator[Any]:
        """The module on a machine without a service: what needs none is tested without waiting for one."""
        yield from opened()

    @pytest.fixture
    def lone_panel(lone_widget: Any) -> Any:
        """Its panel; the test says what a service would offer."""
        return lone_widget.panel

    @pytest.fixture
    def panel(widget: Any) -> Any:
        """The module's panel, once the service offers its engines."""
        MainThread().until(lambda: widget.panel.pages, 60)
        return widget.panel
