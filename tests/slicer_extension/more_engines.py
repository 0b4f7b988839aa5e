"""A real service with one engine more than ours: its file is put among ours, which are linked, not changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import medsynth_core
from medsynth_core.launcher import clean_environment


def offer(engine: Path, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let services that are started from now on have the engine of a file; `folder` is empty, and stays as long as they do."""
    ours, theirs = Path(medsynth_core.__file__).parent, folder / "medsynth_core"
    (theirs / "engines").mkdir(parents=True)
    for place in (ours, ours / "engines"):
        for path in place.iterdir():
            if path.name == "__init__.py":  # a package lies where this file really is
                shutil.copy(path, theirs / path.relative_to(ours))
            elif path.name not in ("engines", "__pycache__"):
                (theirs / path.relative_to(ours)).symlink_to(path)
    (theirs / "engines" / f"{name}.py").symlink_to(engine)
    elsewhere = {"PYTHONPATH": str(theirs.parent)}
    monkeypatch.setattr("tests.running.clean_environment", lambda environ: clean_environment(environ) | elsewhere)
