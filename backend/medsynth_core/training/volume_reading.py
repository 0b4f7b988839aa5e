"""The voxels of a case: image and mask on one grid, whose axes run as anatomy does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medsynth_core.errors import ShapeError
from medsynth_core.formats import read_pair
from medsynth_core.imaging.orientation import canonical
from medsynth_core.training.volume_cases import Case
from medsynth_core.volume import Volume


@dataclass(frozen=True, eq=False)
class CaseVolume:
    """image (z, y, x) float32 as stored; mask (z, y, x), True is tumor; distances of the slices, rows and columns in mm.

    x runs to the patient's left, y to the back, z upwards.
    """

    image: npt.NDArray[np.float32]
    mask: npt.NDArray[np.bool_]
    spacing_mm: tuple[float, float, float]


def read_stack(case: Case, tumor_labels: tuple[int, ...] = (), stack_height_mm: float | None = None) -> CaseVolume:
    """Return the voxels of a case, turned to canonical axes. Raises FormatError, InputError, ShapeError.

    Without `tumor_labels` every mask value above 0 is tumor. `stack_height_mm` replaces the slice distance by this height over
    the number of slices, for data whose headers do not tell it.
    """
    image, labels = open_case(case)
    spacing_mm = spacing_of(image, stack_height_mm)
    return CaseVolume(np.asarray(image.array[0], np.float32), tumor_in(labels.array[0], tumor_labels), spacing_mm)


def open_case(case: Case) -> tuple[Volume, Volume]:
    """Return (image, labels), one channel each, on one canonical grid. Raises FormatError, InputError, ShapeError."""
    image, labels = read_pair(case.image, case.mask)
    return canonical(Volume(_channel_of(case, image), image.affine)), canonical(labels)


def spacing_of(volume: Volume, stack_height_mm: float | None = None) -> tuple[float, float, float]:
    """Return the distances (z, y, x) in mm; a height given decides that of the slices."""
    z, y, x = volume.spacing_mm
    return (z if stack_height_mm is None else stack_height_mm / volume.size[0]), y, x


def tumor_in(labels: npt.NDArray[np.generic], tumor_labels: tuple[int, ...] = ()) -> npt.NDArray[np.bool_]:
    """Return where a mask holds one of these values; without any, where it is above 0."""
    return np.isin(labels, tumor_labels) if tumor_labels else np.greater(labels, 0)


def _channel_of(case: Case, image: Volume) -> npt.NDArray[np.generic]:
    """Return one channel (1, z, y, x) of an image. Raises ShapeError when it does not say which, or has too few."""
    count = len(image.array)
    if case.channel is None and count > 1:
        raise ShapeError(f"{case.image.name} has a fourth axis of {count}: choose an entry with --modality 0 to {count - 1}")
    if case.channel is not None and case.channel >= count:
        raise ShapeError(f"{case.image.name} has {count} modalities, counted from 0: --modality {case.channel} is none of them")
    chosen = case.channel or 0
    return image.array[chosen : chosen + 1]
