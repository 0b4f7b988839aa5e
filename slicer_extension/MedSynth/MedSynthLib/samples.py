"""The small real images that ship with MedSynth, as nodes; the module Sample Data offers them, too.

They have one source, napari_medsynth/samples (licenses: ATTRIBUTION.md there), which CMake copies beside the module.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util import numpy_support

from medsynth_core.errors import InputError
from medsynth_core.protocol import LabelInfo
from medsynth_core.volume import Volume
from MedSynthLib import conversion, segments

CATEGORY = "MedSynth"
COPIED, IN_CHECKOUT = Path("Resources") / "MedSynthSamples", Path("napari_medsynth") / "samples"
INSTANCES = "instances"
PLACE = np.diag([-1.0, -1.0, 1.0, 1.0])
"""Columns run to the left and rows to the back, as an axial slice is read; a pixel is taken for a millimeter: it is not known."""


@dataclass(frozen=True)
class Sample:
    """An image and its mask: the stem of the files, which mask, its label's name; with "instances" a number for each object."""

    stem: str
    title: str
    marks: str
    label: str

    @property
    def files(self) -> tuple[str, str]:
        """The image's and the mask's file."""
        return f"{self.stem}.jpg", f"{self.stem}-{self.marks}.png"


BRAIN = Sample("brain-slice-1", "Brain slice with a tumor", "mask", "tumor")
BRAIN_ROUGH = Sample("brain-slice-1", "Brain slice, rough mask", "rough", "tumor")
POLYP = Sample("polyp-1", "Polyp frame", "mask", "polyp")
POLYP_ROUGH = Sample("polyp-1", "Polyp frame, rough mask", "rough", "polyp")
NUCLEI = Sample("nuclei-1", "H&E tile with its nuclei", INSTANCES, "nucleus")
SAMPLES = (BRAIN, BRAIN_ROUGH, POLYP, POLYP_ROUGH, NUCLEI)


def folder(start: Path = Path(__file__)) -> Path:
    """Return where the samples lie: beside the module, or in the checkout it lies in. Raises InputError where there are none."""
    for parent in start.resolve().parents:
        for place in (parent / COPIED, parent / IN_CHECKOUT):
            if (place / "ATTRIBUTION.md").is_file():
                return place
    raise InputError("the sample images are not installed: install the extension again, or open the module from its checkout")


def load(sample: Sample) -> tuple[Any, Any]:
    """Return (volume node, mask node), new in the scene: a segmentation, or a label map volume of numbered objects.

    Raises InputError for a file that is missing or damaged.
    """
    image, marks = (read(folder() / name) for name in sample.files)
    grid = conversion.node_from(Volume(image, PLACE), sample.title)
    if sample.marks == INSTANCES:
        return grid, conversion.node_from(Volume(marks.astype(np.uint16), PLACE), f"{sample.title} numbered", labels=True)
    mask = segments.new_segmentation(grid, (LabelInfo(1, sample.label, "#f28e2b"),), f"{sample.title}: {sample.label}")
    inside = Volume((marks != 0).astype(np.uint8), PLACE)
    conversion.fill_segments(mask, inside, {1: mask.GetSegmentation().GetNthSegmentID(0)})
    return grid, mask


def read(path: Path) -> np.ndarray:
    """Return an image file as (channel, 1, y, x) uint8, its first row on top. Raises InputError when it cannot be read."""
    reader = {".jpg": vtk.vtkJPEGReader, ".png": vtk.vtkPNGReader}[path.suffix]()
    if not path.is_file() or not reader.CanReadFile(str(path)):
        raise InputError(f"{path.name} cannot be read: install the extension again")
    reader.SetFileName(str(path))
    reader.Update()
    image = reader.GetOutput()
    x, y, _ = image.GetDimensions()
    pixels = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars()).reshape(y, x, -1)
    return np.ascontiguousarray(np.moveaxis(pixels[::-1], -1, 0)[:, None])


def register() -> None:
    """Offer the samples in Slicer's module Sample Data; Slicer before 5.12 has no categories to name."""
    import SampleData

    logic = SampleData.SampleDataLogic
    if hasattr(logic, "registerCustomSampleDataCategory"):
        logic.registerCustomSampleDataCategory(CATEGORY, title=CATEGORY)
    for sample in SAMPLES:
        image = folder() / sample.files[0]
        logic.registerCustomSampleDataSource(
            category=CATEGORY,
            sampleName=sample.title,
            thumbnailFileName=str(image),
            uris=image.as_uri(),
            fileNames=image.name,
            nodeNames=sample.title,
            customDownloader=lambda _, sample=sample: _shown(sample),
        )


def _shown(sample: Sample) -> list[Any]:
    nodes = load(sample)
    show(*nodes)
    return list(nodes)


def show(grid: Any, marks: Any) -> None:
    """Put a volume into the slice views, and its numbered objects over it."""
    numbered = marks if marks is not None and marks.IsA("vtkMRMLLabelMapVolumeNode") else None
    slicer.util.setSliceViewerLayers(background=grid, label=numbered)
    if slicer.app.layoutManager() is not None:
        slicer.util.resetSliceViews()
