"""What is wrong with the cases of a folder, found before anything starts: every offender, each with its way out.

An offender stops the training. What is only odd is told: see `volume_survey`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medsynth_core.errors import InputError, ShapeError
from medsynth_core.formats.files import kind_of
from medsynth_core.formats.nifti import grid_of
from medsynth_core.imaging.orientation import axes_of
from medsynth_core.protocol_training import Defect, Finding
from medsynth_core.training.findings import stops, unreadable
from medsynth_core.training.volume_cases import Case, Sight, VolumeOptions
from medsynth_core.training.volume_reading import open_case, spacing_of, tumor_in
from medsynth_core.training.volume_twins import Likeness, likeness_of
from medsynth_core.volume import Volume

FEWEST_SLICES = 4
SLICE_MM = (0.2, 20.0)
PIXEL_MM = (0.05, 10.0)
MANY_NEGATIVE = 0.05
SAMPLE = 4096
"""Voxels of each image that its intensities are told from, evenly spread."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What a sound case is like.

    `seen_mm2` is the area of tumor, summed over the slices, in the field that the engine sees; `on_black` the share of the tumor
    where the image is 0 or below. `axes` are those of the file, before it was turned; `placed`: the file says where they run.
    `labels` are the values of the mask above 0, `mask_sha256` is of where the tumor is. `negative`: many voxels are below 0.
    `kind` is what numbers the file holds, `size` (z, y, x), `sample` some intensities.
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
    kind: np.dtype[np.generic]
    size: tuple[int, int, int]
    voxels_by_label: dict[int, int]
    sample: npt.NDArray[np.float32]

    @property
    def height_mm(self) -> float:
        """Slices times their distance."""
        return self.slices * self.spacing_mm[0]


def look_at(case: Case, options: VolumeOptions, sight: Sight) -> Seen | tuple[Finding, ...]:
    """Return what a case is like, or all that is wrong with it."""
    try:
        image, labels = open_case(case)
        axes, placed = _said_of_place(case, image)
    except ShapeError as problem:
        return (stops(Defect.SIZE, case.name, f"{case.name}: {problem}"),)
    except InputError as problem:
        return (unreadable(case.name, problem, f"{case.name}: "),)
    wrong = _wrong_with(case, image, labels, options)
    if faults := tuple(stops(defect, case.name, f"{case.name}: {says}") for defect, says in wrong):
        return faults
    voxels = np.asarray(image.array[0], np.float32)
    tumor = tumor_in(labels.array[0], options.tumor_labels)
    return Seen(
        case=case,
        slices=image.size[0],
        tumor_slices=int(tumor.any(axis=(1, 2)).sum()),
        seen_mm2=_seen_mm2(tumor, image.spacing_mm[1:], sight.field_mm),
        spacing_mm=spacing_of(image, options.stack_height_mm),
        axes=axes,
        placed=placed,
        labels=frozenset(_counted(labels.array)) - {0},
        mask_sha256=hashlib.sha256(f"{tumor.shape}".encode() + np.packbits(tumor).tobytes()).hexdigest(),
        on_black=float((voxels[tumor] <= 0).mean()) if tumor.any() else 0.0,
        negative=bool((voxels < 0).mean() > MANY_NEGATIVE),
        likeness=likeness_of(voxels),
        kind=image.array.dtype,
        size=image.size,
        voxels_by_label=_counted(labels.array),
        sample=voxels.reshape(-1)[:: max(1, voxels.size // SAMPLE)].copy(),
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


def _wrong_with(case: Case, image: Volume, labels: Volume, options: VolumeOptions) -> Iterator[tuple[Defect, str]]:
    yield from _wrong_grid(image, options)
    yield from _wrong_image(case.image.name, image.array)
    yield from _wrong_mask(case.mask.name, labels.array)


def _wrong_grid(image: Volume, options: VolumeOptions) -> Iterator[tuple[Defect, str]]:
    slices, (distance, *pixel) = image.size[0], spacing_of(image, options.stack_height_mm)
    if slices < FEWEST_SLICES:
        count = f"{slices} slice{'s' * (slices > 1)}"
        yield Defect.SIZE, f"it has {count} from bottom to top: a volume must have {FEWEST_SLICES} or more; remove it"
    if not SLICE_MM[0] <= distance <= SLICE_MM[1]:
        way_out = "give another --stack-height-mm" if options.stack_height_mm else "mend the header, or give --stack-height-mm"
        yield Defect.SPACING, f"its slices are {distance:g} mm apart: it must be {SLICE_MM[0]:g} to {SLICE_MM[1]:g} mm; {way_out}"
    if wrong := [mm for mm in pixel if not PIXEL_MM[0] <= mm <= PIXEL_MM[1]]:
        yield (
            Defect.SPACING,
            f"its pixels are {wrong[0]:g} mm wide: they must be {PIXEL_MM[0]:g} to {PIXEL_MM[1]:g} mm; mend the header",
        )


def _wrong_image(name: str, array: npt.NDArray[np.generic]) -> Iterator[tuple[Defect, str]]:
    with np.errstate(over="ignore"):
        voxels = np.asarray(array, np.float32)
    broken = int((~np.isfinite(voxels)).sum())
    if broken:
        yield Defect.INTENSITY, f"{name} holds {broken} voxels that are NaN or infinite: replace them, by 0 for instance"
    elif not np.any(voxels > 0):
        yield Defect.INTENSITY, f"{name} is empty, no voxel is above 0: remove it"
    elif voxels.min() == voxels.max():
        yield Defect.INTENSITY, f"{name} holds the same value everywhere: remove it"


def _wrong_mask(name: str, labels: npt.NDArray[np.generic]) -> Iterator[tuple[Defect, str]]:
    if labels.dtype.kind == "f" and not (np.isfinite(labels).all() and np.array_equal(labels, np.rint(labels))):
        yield Defect.LABELS, f"{name} holds fractions: labels are whole numbers; threshold the mask first"
    elif int(labels.min()) < 0:
        yield Defect.LABELS, f"{name} holds the label {int(labels.min())}: labels are 0 or above; renumber the mask"


def _counted(labels: npt.NDArray[np.generic]) -> dict[int, int]:
    """Return the voxels of each label value; where the values are small they are counted, which is faster than sorting them."""
    flat = labels.ravel()
    if int(flat.max()) < 2**16:
        counts = np.bincount(flat.astype(np.int64))
        return {int(value): int(counts[value]) for value in np.flatnonzero(counts)}
    return {int(value): int(count) for value, count in zip(*np.unique(flat, return_counts=True), strict=True)}
