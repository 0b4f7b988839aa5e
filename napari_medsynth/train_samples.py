"""The samples of a training as a layer of the viewer, to be looked at closely."""

from __future__ import annotations

import io

import napari
import numpy as np
from PIL import Image

from napari_medsynth.layers import RESULT_PREFIX


def show_samples(viewer: napari.Viewer, title: str, training: str, step: int, content: bytes) -> None:
    """Add a strip of samples, as PNG, to the viewer; that of another step takes the place of the one before it."""
    with Image.open(io.BytesIO(content)) as opened:
        pixels = np.array(opened.convert("RGB"))
    name = f"{RESULT_PREFIX} samples of {title}, step {step}"
    about = {"synthetic": True, "training": training, "step": step}
    before = next((layer for layer in viewer.layers if layer.metadata.get("medsynth", {}).get("training") == training), None)
    if before is not None and before.data.shape == pixels.shape:
        before.data, before.name, before.metadata = pixels, name, {"medsynth": about}
        return
    viewer.add_image(pixels, name=name, rgb=True, metadata={"medsynth": about})
    viewer.reset_view()
