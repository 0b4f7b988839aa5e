"""The real images with masks that ship with the plugin, held out from all training.

Source, license and citation: samples/ATTRIBUTION.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from medsynth_core.protocol import Scalar

FOLDER = Path(__file__).parent / "samples"


@dataclass(frozen=True)
class Sample:
    """One shipped pair: the stem of its files, the name of its layers, the model it suits and that model's options for it."""

    stem: str
    title: str
    model: str
    options: Mapping[str, Scalar] = field(default_factory=dict)

    def image(self) -> np.ndarray:
        """Return the image, (y, x) or (y, x, 3) uint8."""
        with Image.open(FOLDER / f"{self.stem}.jpg") as opened:
            return np.array(opened)

    def mask(self, kind: str = "mask") -> np.ndarray:
        """Return the mask, or with "rough" the one drawn roughly by hand where there is one; (y, x) uint8 with 0 and 1.

        "instances" are nuclei, a number for each.
        """
        with Image.open(FOLDER / f"{self.stem}-{kind}.png") as opened:
            return np.array(opened, dtype=np.uint8)


SAMPLES = (
    Sample("brain-slice-1", "Brain slice 1", "brain-slice", {"tumor": "meningioma", "plane": "axial"}),
    Sample("brain-slice-2", "Brain slice 2", "brain-slice", {"tumor": "glioma", "plane": "axial"}),
    Sample("polyp-1", "Polyp frame 1", "polyp"),
    Sample("polyp-2", "Polyp frame 2", "polyp"),
)

NUCLEI = Sample("nuclei-1", "H&E tile", "nuclei-he")
"""Its mask holds a number for each nucleus; the demo, which paints one lesion, has no use for it."""

LayerData = tuple[np.ndarray, dict[str, Any], str]


def _layers(stem: str, kind: str = "mask") -> list[LayerData]:
    sample = next(s for s in SAMPLES if s.stem == stem)
    source = {"medsynth_sample": sample.stem}
    name = f"{sample.title} {'mask' if kind == 'mask' else f'{kind} mask'}"
    return [
        (sample.image(), {"name": sample.title, "metadata": source}, "image"),
        (sample.mask(kind), {"name": name, "opacity": 0.5, "metadata": source}, "labels"),
    ]


def brain_slice_1() -> list[LayerData]:
    """Return an axial T1c slice with a meningioma and its mask."""
    return _layers("brain-slice-1")


def brain_slice_2() -> list[LayerData]:
    """Return an axial T1c slice with a glioma and its mask."""
    return _layers("brain-slice-2")


def polyp_1() -> list[LayerData]:
    """Return a colonoscopy frame with a polyp and its mask."""
    return _layers("polyp-1")


def polyp_2() -> list[LayerData]:
    """Return another colonoscopy frame with a polyp and its mask."""
    return _layers("polyp-2")


def brain_slice_1_rough() -> list[LayerData]:
    """Return the slice with the meningioma and a mask of it that was drawn roughly."""
    return _layers("brain-slice-1", "rough")


def polyp_1_rough() -> list[LayerData]:
    """Return the first colonoscopy frame and a mask of its polyp that was drawn roughly."""
    return _layers("polyp-1", "rough")


def nuclei_1() -> list[LayerData]:
    """Return a tile of breast tissue in H&E and its nuclei, which may get more numbers than 255."""
    source = {"medsynth_sample": NUCLEI.stem}
    nuclei = NUCLEI.mask("instances").astype(np.uint16)
    return [
        (NUCLEI.image(), {"name": NUCLEI.title, "metadata": source}, "image"),
        (nuclei, {"name": f"{NUCLEI.title} nuclei", "opacity": 0.7, "metadata": dict(source)}, "labels"),
    ]
