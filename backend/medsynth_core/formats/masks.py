"""A mask goes back as it came: the grid, the value coding and the header of the file it was read from.

msynth refine scan.nii.gz mask.nii.gz -o out.nii.gz    write_mask(out, mask, recipe, like=mask.nii.gz)
msynth refine SERIES_FOLDER mask.nii.gz -o out.dcm     write_mask(out, mask, recipe, like=mask.nii.gz, source=SERIES_FOLDER)
msynth refine photo.jpg --coarse MODEL -o out.png      write_mask(out, mask, recipe)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medsynth_core.volume import Volume


@dataclass(frozen=True)
class Scan:
    """The DICOM images a segmentation is drawn on: a folder or a file.

    `series` chooses where a folder holds several (its SeriesNumber), None takes the only one. `keep_identity` copies patient
    and study from the source, so that an archive files the segmentation beside it; without it they are replaced.
    """

    path: Path
    series: int | None = None
    keep_identity: bool = False


def read_pair(image: Path, mask: Path, series: int | None = None) -> tuple[Volume, Volume]:
    """Return an image file and a mask file on one grid: the image's.

    Where both files say where they lie (NIfTI, DICOM, OME-Zarr), a mask whose axes run in another order or direction is turned,
    voxel by voxel, to the image's; `write_mask(like=mask)` turns it back. Where one does not (PNG, TIFF ...), sizes must be equal.
    `series` is the SeriesNumber to take from a DICOM folder. Raises ShapeError for another grid, FormatError, InputError.
    """
    raise NotImplementedError


def write_mask(
    path: Path,
    mask: Volume,
    recipe: Mapping[str, Any],
    like: Path | None = None,
    source: Scan | None = None,
    names: Mapping[int, str] | None = None,
) -> Path | None:
    """Write labels (1, z, y, x), marked as the recipe says, whole or not at all; the suffix of `path` decides the format.

    `like` is the mask file they were made from: its value coding (0/255, 1 bit, palette with its colors, bool, 16-bit numbers)
    and its geometry (NIfTI header codes and units, axis order) are kept where `path` has its format, its grid in any case.
    `.dcm` gives a DICOM SEG over `source`, with segments named by `names` (label value -> name).
    Returns the file beside it that holds the recipe where the format cannot (BMP), else None.
    Raises FormatError when the format cannot hold the mask, ShapeError, InputError, StorageFullError.
    """
    raise NotImplementedError


def check_mask_output(path: Path, source: Scan | None = None) -> None:
    """Raise FormatError or InputError now when `write_mask` to this path is bound to fail later."""
    raise NotImplementedError
