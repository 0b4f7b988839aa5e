"""A mask goes back as it came: the grid, the value coding and the header of the file it was read from.

msynth refine scan.nii.gz mask.nii.gz -o out.nii.gz    write_mask(out, mask, recipe, like=mask.nii.gz)
msynth refine SERIES_FOLDER mask.nii.gz -o out.dcm     write_mask(out, mask, recipe, like=mask.nii.gz, source=Scan(FOLDER))
msynth refine photo.jpg --option coarse=MODEL -o out.png    write_mask(out, mask, recipe)
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from medsynth_core.errors import FormatError, InputError, ShapeError
from medsynth_core.formats.alignment import aligned
from medsynth_core.formats.files import check_place, kind_of, kind_of_name, read, read_mask, suffix
from medsynth_core.formats.limits import placing, write_file
from medsynth_core.formats.marking import recipe_text
from medsynth_core.formats.scan import Scan
from medsynth_core.volume import Volume


def read_pair(image: Path, mask: Path, series: int | None = None) -> tuple[Volume, Volume]:
    """Return an image file and a mask file on one grid: the image's.

    Where both files say where they lie (NIfTI, DICOM, OME-Zarr), a mask whose axes run in another order or direction is turned,
    voxel by voxel, to the image's; `write_mask(like=mask)` turns it back. Where one does not (PNG, TIFF), sizes must be
    equal. A DICOM SEG is laid onto its images. `series` is the SeriesNumber to take from a DICOM folder.
    Raises ShapeError for another grid, FormatError, InputError.
    """
    picture = read(image, series)
    if _is_segmentation(mask):
        from medsynth_core.formats import dicom_seg_read

        return picture, dicom_seg_read.labels_on(mask, picture)
    labels = read_mask(mask)
    if _is_placed(image, picture) and _is_placed(mask, labels):
        return picture, aligned(labels, picture.affine, picture.size)
    if labels.size != picture.size:
        raise ShapeError(f"mask is {labels.size}, image {picture.size} (z, y, x): resample the mask to the image's grid first")
    return picture, Volume(labels.array, picture.affine)


def write_mask(
    path: Path,
    mask: Volume,
    recipe: Mapping[str, Any],
    like: Path | None = None,
    source: Scan | None = None,
    names: Mapping[int, str] | None = None,
) -> Path | None:
    """Write labels (1, z, y, x), marked as the recipe says, whole or not at all; the suffix of `path` decides the format.

    `like` is the mask file they were made from: its value coding (0/255, 1 bit, palette with its colors, 16-bit numbers) and its
    header (NIfTI codes and units) are kept where `path` has its format, its grid in any case.
    `.dcm` gives a DICOM SEG over `source`, with segments named by `names` (label value -> name).
    Returns the file beside it that holds the recipe where the format cannot (BMP), else None.
    Raises FormatError when the format cannot hold the mask, ShapeError, InputError, StorageFullError.
    """
    kind = _mask_kind(path, source)
    if mask.array.shape[0] != 1:
        raise ShapeError(f"the mask has {mask.array.shape[0]} channels: it must have one")
    if mask.array.dtype.kind == "f" and kind not in ("NIfTI", "TIFF"):
        mask = mask.with_array(_whole(mask.array))
    if kind == "DICOM" and source is not None:
        _write_seg(path, mask, recipe, source, names or {})
        return None
    if like is not None and _is_segmentation(like):
        like = None  # it has no grid but its images'
    if like is not None:
        mask = _on_grid_of(like, mask)
    if kind == "OME-Zarr":
        _write_zarr(path, mask, recipe, names or {})
        return None
    write_file(path, _encoded(path, kind, mask, recipe, like if like is not None and kind_of(like) == kind else None))
    return _write_beside(path, recipe) if kind == "BMP" else None


def check_mask_output(path: Path, source: Scan | None = None) -> None:
    """Raise FormatError or InputError now when `write_mask` to this path is bound to fail later."""
    _mask_kind(path, source)
    check_place(path)


def _mask_kind(path: Path, source: Scan | None) -> str:
    kind = kind_of_name(path)
    if kind == "JPEG":
        raise FormatError("JPEG blurs label numbers, so no mask is written as JPEG: save as .png")
    if kind == "DICOM" and (source is None or kind_of(source.path) != "DICOM"):
        raise FormatError(
            "a DICOM segmentation needs the DICOM images it is drawn on, and the image is not DICOM: save as .nii.gz"
        )
    return kind


def _is_placed(path: Path, volume: Volume) -> bool:
    kind = kind_of(path)
    if kind in ("NIfTI",):
        from medsynth_core.formats import nifti

        return nifti.grid_of(path)[1]
    direction = volume.affine[:3, :3]
    says_nothing = np.array_equal(direction, np.diag(np.abs(np.diag(direction)))) and not volume.affine[:3, 3].any()
    return kind in ("DICOM", "OME-Zarr") and not says_nothing


def _is_segmentation(path: Path) -> bool:
    if kind_of(path) != "DICOM":
        return False
    from medsynth_core.formats import dicom_seg_read

    return dicom_seg_read.is_segmentation(path)


def _write_beside(path: Path, recipe: Mapping[str, Any]) -> Path:
    beside = path.with_name(path.name + ".json")
    write_file(beside, recipe_text(recipe).encode())
    return beside


def _on_grid_of(like: Path, mask: Volume) -> Volume:
    model = read_mask(like)
    if _is_placed(like, model) and not np.array_equal(model.affine, mask.affine):
        return aligned(mask, model.affine, model.size)
    if mask.size != model.size:
        raise ShapeError(f"the result is {mask.size}, the mask it was made from {model.size} (z, y, x): they must match")
    return mask


def _whole(labels: np.ndarray) -> np.ndarray:
    """Return labels kept as real numbers, as some NIfTI masks are, in 32 bits. Raises InputError for fractions."""
    whole = np.rint(labels)
    if not np.array_equal(whole, labels) or np.abs(whole).max() >= 2**31:
        raise InputError("the mask holds fractions: labels are whole numbers; threshold it first")
    return whole.astype(np.int32)


def _write_seg(path: Path, mask: Volume, recipe: Mapping[str, Any], source: Scan, names: Mapping[int, str]) -> None:
    from medsynth_core.formats import dicom_seg

    write_file(path, dicom_seg.encode(mask, recipe, source, names))


def _write_zarr(path: Path, mask: Volume, recipe: Mapping[str, Any], names: Mapping[int, str]) -> None:
    from medsynth_core.formats import omezarr

    if mask.array.dtype.kind not in "biu":
        raise InputError(f"the mask is {mask.array.dtype}: labels are whole numbers")
    whole = mask.with_array(mask.array.astype(np.uint8)) if mask.array.dtype == np.bool_ else mask
    labels = {int(value): names.get(int(value), f"label {value}") for value in np.unique(whole.array) if value != 0}
    with placing(path) as partial:
        omezarr.write_folder(partial, whole, recipe, labels)


def _encoded(path: Path, kind: str, mask: Volume, recipe: Mapping[str, Any], like: Path | None) -> bytes:
    if kind == "NIfTI":
        from medsynth_core.formats import nifti

        return nifti.encode_labels(mask, recipe, suffix(path) == ".nii.gz", like)
    if kind == "TIFF":
        from medsynth_core.formats import tiff

        return tiff.encode_labels(mask, recipe, like)
    from medsynth_core.formats import raster

    return raster.encode_labels(kind, mask, recipe, like)
