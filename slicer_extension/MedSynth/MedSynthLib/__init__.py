"""What the module MedSynth is made of. The light client comes with the extension, or from the checkout this file lies in."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path


def find_client(start: Path = Path(__file__)) -> None:
    """Make `medsynth_core` importable. Raises ImportError that says what to do where there is none.

    The extension brings the client beside this folder. In a development checkout it lies in `backend/`, which is put last on
    the path so that nothing else there can hide a package of Slicer's.
    """
    if importlib.util.find_spec("medsynth_core") is not None:
        return
    for folder in start.resolve().parents:
        if (folder / "backend" / "medsynth_core" / "client.py").is_file():
            sys.path.append(str(folder / "backend"))
            return
    raise ImportError("MedSynth's client is not installed: install the extension again, or open the module from its checkout")


find_client()
