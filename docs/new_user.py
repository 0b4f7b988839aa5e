"""What the scripts that take pictures have in common: a new user's home, an end to the service started in it, the open viewer."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


@contextmanager
def new_user(models: str = "") -> Iterator[None]:
    """State goes to a temporary folder while this lasts; `models` is a folder of models to use beside those that ship."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["MEDSYNTH_HOME"] = home
        os.environ["NAPARI_CONFIG"] = str(Path(home) / "napari.yaml")  # before napari is imported
        if models:
            shutil.copytree(models, Path(home) / "models", ignore=shutil.ignore_patterns("training"))
        from medsynth_core.client import connect
        from medsynth_core.errors import ServiceUnavailableError

        try:
            yield
        finally:
            with suppress(ServiceUnavailableError):  # none was started: what went wrong before is to be seen
                with connect(start=False) as engine:
                    engine.shutdown(force=True)


@contextmanager
def open_panel(name: str, size: tuple[int, int], theme: str = "dark") -> Iterator[tuple[Any, Any]]:
    """Give a viewer, width and height of its window in pixels, and its panel `name`, opened as the menu does; then close it."""
    import napari

    viewer = napari.Viewer(show=False)
    try:
        viewer.theme = theme
        _, widget = viewer.window.add_plugin_dock_widget("napari-medsynth", name)
        viewer.window.show()
        viewer.window.resize(*size)
        yield viewer, widget
    finally:
        viewer.close()
