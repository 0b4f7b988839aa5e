"""What is wrong with the cases of a folder, found before anything starts: every offender, each with its way out.

An offender stops the training. What is only odd is told: see `volume_survey`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medsynth_core.errors import InputError, TrainingDataError
from medsynth_core.formats.files import kind_of
from medsynth_core.formats.nifti import grid_of
from medsynth_core.imaging.orientation import axes_of
from medsynth_core.training.volume_cases import Case, Sight, VolumeOptions
from medsynth_core.training.volume_reading import open_case, spacing_of, tumor_in
from medsynth_core.training.volume_twins import Likeness, likeness_of
from medsynth_core.volume import Volume

FEWEST_SLICES = 4
SLICE_MM = (0.2, 20.0)
PIXEL_MM = (0.05, 10.0)
MANY_NEGATIVE = 0.05


@dataclass(frozen=True, eq=False)
class Finding:
    """What a sound case is like.

    `seen_mm2` is the area of tumor, summed over the slices, in the field that the engine sees; `on_black` the share of the tumor
    where the image is 0 or below. `axes` are those of the file, before it was turned; `placed`: the file says where they run.
    `labels` are the values of the mask above 0, `mask_sha256` is of where the tumor is. `negative`: many voxels are below 0.
    """

    case: Case
    slices: int
    tumor_slices: int
    seen_mm2: float
    spacing_mm: tuple[float, float, float]
    axes: str
    placed: bool
    labels: frozenset[int]
    mask_sha256: str
    on_black: float
    negative: bool
    likeness: Likeness

    @property
    def height_mm(self) -> float:
        """Slices times their distance."""
        return self.slices * self.spacing_mm[0]


def examine(case: Case, options: VolumeOptions, sight: Sight) -> Finding:
    """Return what a case is like. Raises TrainingDataError whose offenders are all that is wrong with it."""
    try:
        image, labels = open_case(case)
        axes, placed = _said_of_place(case, image)
    except InputError as problem:
        raise TrainingDataError("unreadable", (f"{case.name}: {problem}",)) from None
    if wrong := tuple(f"{case.name}: {sentence}" for sentence in _wrong_with(case, image, labels, options)):
        raise TrainingDataError("unfit", wrong)
    voxels = np.asarray(image.array[0], np.float32)
    tumor = tumor_in(labels.array[0], options.tumor_labels)
    return Finding(
        case=case,
        slices=image.size[0],
        tumor_slices=int(tumor.any(axis=(1, 2)).sum()),
        seen_mm2=_seen_mm2(tumor, image.spacing_mm[1:], sight.field_mm),
        spacing_mm=spacing_of(image, options.stack_height_mm),
        axes=axes,
        placed=placed,
        labels=_values(labels.array),
        mask_sha256=hashlib.sha256(f"{tumor.shape}".encode() + np.packbits(tumor).tobytes()).hexdigest(),
        on_black=float((voxels[tumor] <= 0).mean()) if tumor.any() else 0.0,
        negative=bool((voxels < 0).mean() > MANY_NEGATIVE),
        likeness=likeness_of(voxels),
    )


def _seen_mm2(tumor: npt.NDArray[np.bool_], pixel_mm: tuple[float, ...], field_mm: float) -> float:
    """Return the area of tumor (z, y, x) in the middle of all slices together; pixels (y, x) in mm."""
    sides = zip(tumor.shape[1:], pixel_mm, strict=True)
    near = [np.abs(np.arange(n) - (n - 1) / 2) * mm <= field_mm / 2 for n, mm in sides]
    return float(tumor[:, near[0]][:, :, near[1]].sum() * pixel_mm[0] * pixel_mm[1])


def _said_of_place(case: Case, turned: Volume) -> tuple[str, bool]:
    """Return where the file's own axes run, and whether it says so; a NIfTI without position codes does not."""
    if kind_of(case.image) != "NIfTI":
        return axes_of(turned.affine), True
    affine, said = grid_of(case.image)
    return axes_of(affine), said


def _wrong_with(case: Case, image: Volume, labels: Volume, options: VolumeOptions) -> Iterator[str]:
    yield from _wrong_grid(image, options)
    yield from _wrong_image(case.image.name, image.array)
    yield from _wrong_mask(case.mask.name, labels.array)


def _wrong_grid(image: Volume, options: VolumeOptions) -> Iterator[str]:
    slices, (distance, *pixel) = image.size[0], spacing_of(image, options.stack_height_mm)
    if slices < FEWEST_SLICES:
        count = f"{slices} slice{'s' * (slices > 1)}"
        yield f"it has {count} from bottom to top: a volume must have {FEWEST_SLICES} or more; remove it"
    if not SLICE_MM[0] <= distance <= SLICE_MM[1]:
        way_out = "give another --stack-height-mm" if options.stack_height_mm else "mend the header, or give --stack-height-mm"
        yield f"its slices are {distance:g} mm apart: it must be {SLICE_MM[0]:g} to {SLICE_MM[1]:g} mm; {way_out}"
    if wrong := [mm for mm in pixel if not PIXEL_MM[0] <= mm <= PIXEL_MM[1]]:
        yield f"its pixels are {wrong[0]:g} mm wide: they must be {PIXEL_MM[0]:g} to {PIXEL_MM[1]:g} mm; mend the header"


def _wrong_image(name: str, array: npt.NDArray[np.generic]) -> Iterator[str]:
    with np.errstate(over="ignore"):
        voxels = np.asarray(array, np.float32)
    broken = int((~np.isfinite(voxels)).sum())
    if broken:
        yield f"{name} holds {broken} voxels that are NaN or infinite: replace them, by 0 for instance"
    elif not np.any(voxels > 0):
        yield f"{name} is empty, no voxel is above 0: remove it"
    elif voxels.min() == voxels.max():
        yield f"{name} holds the same value everywhere: remove it"


def _wrong_mask(name: str, labels: npt.NDArray[np.generic]) -> Iterator[str]:
    if labels.dtype.kind == "f" and not (np.isfinite(labels).all() and np.array_equal(labels, np.rint(labels))):
        yield f"{name} holds fractions: labels are whole numbers; threshold the mask first"
    elif int(labels.min()) < 0:
        yield f"{name} holds the label {int(labels.min())}: labels are 0 or above; renumber the mask"


def _values(labels: npt.NDArray[np.generic]) -> frozenset[int]:
    """Return the label values above 0; where they are small they are counted, which is faster than sorting them."""
    flat = labels.ravel()
    small = int(flat.max()) < 2**16
    found = np.flatnonzero(np.bincount(flat.astype(np.int64))) if small else np.unique(flat)
    return frozenset(int(value) for value in found) - {0}
