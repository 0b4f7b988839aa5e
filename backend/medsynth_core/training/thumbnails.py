"""Small pictures of the cases that a doctor's report is about: the image, and the rim of what the mask holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from medsynth_core.errors import InputError
from medsynth_core.formats import read, read_mask
from medsynth_core.protocol_training import Finding
from medsynth_core.training.pairs import as_picture
from medsynth_core.training.volume_cases import Case
from medsynth_core.training.volume_reading import open_case

SIDE_PX = 128
FOR_A_FINDING, FOR_A_REPORT = 4, 200
RIM = (255, 214, 0)


@dataclass(frozen=True, eq=False)
class Sketch:
    """What a thumbnail shows: a picture of 8 bits, and where the mask (y, x) is not 0; None for what cannot be read."""

    picture: Image.Image | None
    mask: npt.NDArray[np.bool_] | None


Sketcher = Callable[[str], Sketch]
"""Gives the sketch of a case by its name; raises nothing."""


def write_thumbnails(findings: tuple[Finding, ...], sketch: Sketcher, folder: Path) -> tuple[tuple[Finding, ...], int]:
    """Write 0.png, 1.png, … of the first cases of each finding; return the findings with their numbers, and how many there are.

    A case is drawn once. Cases nothing can be read of have no picture.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn: dict[str, int | None] = {}
    count = 0
    numbered = []
    for finding in findings:
        for case in finding.cases[:FOR_A_FINDING]:
            if case in drawn or count >= FOR_A_REPORT:
                continue
            picture = drawing(sketch(case))
            drawn[case] = None if picture is None else count
            if picture is not None:
                picture.save(folder / f"{count}.png")
                count += 1
        numbers = (drawn.get(case) for case in finding.cases[:FOR_A_FINDING])
        numbered.append(replace(finding, thumbnails=tuple(number for number in numbers if number is not None)))
    return tuple(numbered), count


def drawing(sketch: Sketch) -> Image.Image | None:
    """Return a picture of at most 128 pixels a side; None where nothing could be read."""
    if sketch.picture is None and sketch.mask is None:
        return None
    picture = sketch.picture or Image.fromarray(np.zeros_like(sketch.mask, dtype=np.uint8))
    scale = min(1.0, SIDE_PX / max(picture.size))
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    small = np.array(picture.convert("RGB").resize(size, Image.Resampling.BOX))
    if sketch.mask is not None:
        mask = np.asarray(Image.fromarray(sketch.mask.astype(np.uint8)).resize(size, Image.Resampling.NEAREST)) > 0
        small[mask & ~ndimage.binary_erosion(mask)] = RIM
    return Image.fromarray(small)


def sketch_of_files(image: Path | None, mask: Path | None) -> Sketch:
    """Return what can be read of two files of one slice each."""
    return Sketch(_picture(image), _mask(mask))


def sketch_of_volume(case: Case) -> Sketch:
    """Return the slice of a volume with most tumor, or its middle; of an image without a fitting mask the image alone."""
    try:
        image, labels = open_case(case)
        mask = labels.array[0] > 0
    except InputError:
        return _image_alone(case)
    z = int(mask.sum(axis=(1, 2)).argmax()) if mask.any() else len(mask) // 2
    return Sketch(_slice(image.array[0, z]), np.asarray(mask[z]))


def _image_alone(case: Case) -> Sketch:
    try:
        array = read(case.image).array
    except InputError:
        return Sketch(None, None)
    return Sketch(_slice(array[0, array.shape[1] // 2]), None)


def _slice(pixels: npt.NDArray[np.generic]) -> Image.Image:
    return as_picture(np.nan_to_num(pixels.astype(np.float32), posinf=0, neginf=0)[None, None])


def _picture(path: Path | None) -> Image.Image | None:
    try:
        pixels = None if path is None else read(path).array
    except InputError:
        return None
    drawable = pixels is not None and len(pixels) in (1, 3) and np.isfinite(pixels[:, :1]).all()
    return as_picture(pixels[:, :1]) if drawable and pixels is not None else None


def _mask(path: Path | None) -> npt.NDArray[np.bool_] | None:
    try:
        return None if path is None else np.asarray(read_mask(path).array[0, 0] > 0)
    except InputError:
        return None
