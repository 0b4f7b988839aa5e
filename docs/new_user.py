"""What the scripts that take pictures have in common: the home of a new user, and an end to the service they started in it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


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
