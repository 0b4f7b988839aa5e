"""Files in and out: the content decides how a file is read, the suffix how it is written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from medsynth_core.errors import FormatError, InputError
from medsynth_core.formats.limits import placing, write_file
from medsynth_core.formats.marking import recipe_text
from medsynth_core.formats.scan import Scan
from medsynth_core.volume import Volume

SUFFIXES = {
    ".nii.gz": "NIfTI",
    ".nii": "NIfTI",
    ".ome.zarr": "OME-Zarr",
    ".zarr": "OME-Zarr",
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".dcm": "DICOM",
}
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\x1f\x8b", "NIfTI"),
    (b"\x5c\x01\0\0", "NIfTI"),
    (b"\0\0\x01\x5c", "NIfTI"),
    (b"\x1c\x02\0\0", "NIfTI"),
    (b"\0\0\x02\x1c", "NIfTI"),
)
_BARE_DICOM = (b"\x08\0\0\0", b"\x08\0\x05\0", b"\x08\0\x08\0", b"\x08\0\x16\0", b"\x02\0\0\0", b"\x02\0\x01\0", b"\x02\0\x10\0")
SURE = 0.99
NEAR = 48


def read(path: Path, series: int | None = None) -> Volume:
    """Return an image file, or a folder of DICOM files, as (channel, z, y, x) with its place in space.

    `series` is the SeriesNumber to take where a DICOM folder holds several. Raises FormatError, InputError.
    """
    kind = kind_of(path)
    if series is not None and kind != "DICOM":
        raise InputError(f"a series is chosen in a DICOM folder: {path.name} holds {kind}")
    if kind in ("PNG", "JPEG", "BMP"):
        from medsynth_core.formats import raster

        return raster.read_image(path, kind)
    if kind == "TIFF":
        from medsynth_core.formats import tiff

        return tiff.read_image(path)
    return _read_volume(path, kind, series)


def read_mask(path: Path, series: int | None = None) -> Volume:
    """Return a mask file as labels (1, z, y, x); their meaning is the model's (see `vocabulary`).

    Grey saved as RGB is understood, true color is refused. JPEG blurs a black-and-white mask: it is cut at half where
    nearly all pixels are near black or white, and refused elsewhere. Raises FormatError, InputError.
    """
    kind = kind_of(path)
    if kind in ("PNG", "JPEG", "BMP"):
        from medsynth_core.formats import raster

        labels = raster.read_labels(path, kind)
        return labels if kind != "JPEG" else labels.with_array(_unblurred(path.name, labels.array))
    if kind == "TIFF":
        from medsynth_core.formats import tiff

        return tiff.read_labels(path)
    volume = _read_volume(path, kind, series)
    if volume.array.shape[0] != 1:
        raise FormatError(f"{path.name} has {volume.array.shape[0]} channels: a mask has one")
    return volume


def write(path: Path, volume: Volume, recipe: Mapping[str, Any]) -> Path | None:
    """Write an image, marked as the recipe says, whole or not at all; the suffix of `path` decides the format.

    Returns the file beside it that holds the recipe where the format cannot (BMP), else None. Raises FormatError when the
    format cannot hold the image, StorageFullError, InputError.
    """
    kind = _image_kind(path)
    if kind == "OME-Zarr":
        from medsynth_core.formats import omezarr

        with placing(path) as partial:
            omezarr.write_folder(partial, volume, recipe)
        return None
    write_file(path, _encoded(path, kind, volume, recipe))
    if kind != "BMP":
        return None
    beside = path.with_name(path.name + ".json")
    write_file(beside, recipe_text(recipe).encode())
    return beside


def write_series(folder: Path, volume: Volume, recipe: Mapping[str, Any], source: Scan | None = None) -> None:
    """Write a synthetic grey volume as a DICOM series, one file a slice, into a folder that is there whole or not at all.

    `source` is the DICOM background that was kept in it, if any. Raises FormatError when a series cannot hold it, InputError,
    StorageFullError.
    """
    from medsynth_core.formats import dicom_series

    with placing(folder) as partial:
        dicom_series.write_folder(partial, volume, recipe, source)


def check_output(path: Path) -> None:
    """Raise FormatError or InputError now when `write` to this path is bound to fail later."""
    _image_kind(path)
    check_place(path)


def check_place(path: Path) -> None:
    """Raise InputError when the path's folder cannot take a file of this name."""
    kind, folder = kind_of_name(path), path.parent
    if not folder.is_dir():
        raise InputError(f"the folder {folder} does not exist: make it first")
    if not os.access(folder, os.W_OK):
        raise InputError(f"the folder {folder} cannot be written to: choose another")
    if path.is_dir() and not (kind == "OME-Zarr" and (path / "zarr.json").is_file()):
        raise InputError(f"{path.name} is a folder: choose another name for the image")


def _image_kind(path: Path) -> str:
    if kind_of_name(path) == "DICOM":
        raise FormatError("images are not written as DICOM, only segmentations are: save as .nii.gz")
    return kind_of_name(path)


def kind_of_name(path: Path) -> str:
    """Return the format a name's suffix stands for. Raises FormatError for a suffix that is not known."""
    return SUFFIXES[suffix(path)]


def suffix(path: Path) -> str:
    """Return the known suffix of a name, such as ".nii.gz" in full. Raises FormatError for any other."""
    for known in SUFFIXES:
        if path.name.lower().endswith(known) and len(path.name) > len(known):
            return path.name[-len(known) :].lower()
    raise FormatError(f"{path.name} has a suffix that is not known: use one of {', '.join(SUFFIXES)}")


def kind_of(path: Path) -> str:
    """Return the format of a file or folder by its content. Raises FormatError, also where its name says another, InputError."""
    kind = _kind_of_content(path)
    try:
        named = kind_of_name(path)
    except FormatError:
        return kind
    if named != kind and "DICOM" in (named, kind):  # names of DICOM files may be names of patients
        raise FormatError(f"the file is named as {named} but holds {kind}: rename it to what it is")
    if named != kind:
        raise FormatError(f"{path.name} is named as {named} but holds {kind}: rename it to what it is")
    return kind


def _kind_of_content(path: Path) -> str:
    if path.is_dir():
        return _kind_of_folder(path)
    try:
        with open(path, "rb") as file:
            head = file.read(132)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except OSError as problem:
        raise InputError(f"{path} cannot be opened: {problem.strerror}") from None
    if not head:
        raise FormatError(f"{path.name} is empty: it has 0 bytes")
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head[128:132] == b"DICM":
        return "DICOM"
    if head.startswith(_BARE_DICOM):
        raise FormatError(
            "the file looks like DICOM without its preamble, which cannot be told for sure: export it again as a DICOM file"
        )
    known = ", ".join(dict.fromkeys(SUFFIXES.values()))
    raise FormatError(f"{path.name} is of an unknown kind: it must be one of {known}")


def _kind_of_folder(path: Path) -> str:
    if (path / "zarr.json").is_file():
        return "OME-Zarr"
    if (path / ".zattrs").is_file() or (path / ".zgroup").is_file():
        raise FormatError(f"{path.name} is zarr v2: save it as OME-Zarr 0.5")
    from medsynth_core.formats import dicom

    if dicom.is_folder(path):
        return "DICOM"
    raise InputError("the input is a folder: name a file in it, an OME-Zarr folder, or a folder with the DICOM files of a series")


def _read_volume(path: Path, kind: str, series: int | None) -> Volume:
    if kind == "NIfTI":
        from medsynth_core.formats import nifti

        return nifti.read_image(path)
    if kind == "DICOM":
        from medsynth_core.formats import dicom

        return dicom.read_image(path, series)
    from medsynth_core.formats import omezarr

    return omezarr.read_image(path)


def _encoded(path: Path, kind: str, volume: Volume, recipe: Mapping[str, Any]) -> bytes:
    if kind == "NIfTI":
        from medsynth_core.formats import nifti

        return nifti.encode(volume, recipe, zipped=suffix(path) == ".nii.gz")
    if kind == "TIFF":
        from medsynth_core.formats import tiff

        return tiff.encode(volume, recipe)
    from medsynth_core.formats import raster

    return raster.encode(kind, volume, recipe)


def _unblurred(name: str, labels: np.ndarray) -> np.ndarray:
    if ((labels <= NEAR) | (labels >= 255 - NEAR)).mean() < SURE:
        raise FormatError(f"{name} is a JPEG, which blurs label numbers: save the mask as PNG, or in black and white")
    return np.where(labels >= 128, 255, 0).astype(np.uint8)
