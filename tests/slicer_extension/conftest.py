"""Tests of the Slicer extension; they run where slicer-core is installed, by `make test-slicer`."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = importlib.util.find_spec("slicer_core") is not None
collect_ignore_glob = [] if HERE else ["test_*.py"]
MODULE_FOLDER = Path(__file__).parents[2] / "slicer_extension" / "MedSynth"

if HERE:
    from tests.slicer_extension import standin
    from tests.slicer_extension.standin import application

    standin.install()
    sys.path.insert(0, str(MODULE_FOLDER))

    @pytest.fixture(autouse=True)
    def scene() -> Iterator[object]:
        """An empty scene."""
        yield application.new_scene()
        application.new_scene()
