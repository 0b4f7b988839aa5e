"""NIfTI-1 and -2 in one file, also gzipped. The header is read alone and extensions are never read, so never unpickled.

nibabel explains the header and writes files; the voxels are read here, exactly as many bytes as the header declares.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import nibabel
import numpy as np

from medsynth_core.errors import FormatError
from medsynth_core.formats.limits import check_grid, check_honest, decoding
from medsynth_core.formats.marking import recipe_text, sentence
from medsynth_core.volume import Volume

COMMENT_EXTENSION = 6
RGB = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
MAX_OFFSET = 2**20
_SIZES = {348: nibabel.Nifti1Header, 540: nibabel.Nifti2Header}


def read_image(path: Path) -> Volume:
    """Return the voxels as (channel, z, y, x) in the place the header gives them. Raises FormatError, InputError.

    A fourth axis is the channel, RGB voxels are three channels; slope and intercept are applied.
    """
    opener = _opener(path)
    zipped = opener is gzip.open
    with decoding(path.name, "NIfTI"), opener(path, "rb") as file:
        header = _header(path.name, file)
        array = _voxels(path, file, header, zipped)
        return Volume(array, _affine(path.name, header))


def encode(volume: Volume, recipe: Mapping[str, Any], zipped: bool) -> bytes:
    """Return a NIfTI-1 file marked as what it is. Raises FormatError for color that is not 8 bit."""
    image = nibabel.Nifti1Image(_for_nifti(volume.array), volume.affine, dtype=None)
    header = image.header
    header.set_xyzt_units("mm")
    header["descrip"] = sentence(recipe).encode()[:79]
    header.extensions.append(nibabel.nifti1.Nifti1Extension(COMMENT_EXTENSION, recipe_text(recipe).encode()))
    content = image.to_bytes()
    return gzip.compress(content, compresslevel=6, mtime=0) if zipped else content


def encode_labels(volume: Volume, recipe: Mapping[str, Any], zipped: bool, like: Path | None) -> bytes:
    """Return a mask (1, z, y, x) with the version, axes, position codes, units and number type of `like`. Raises FormatError.

    Free texts and extensions of `like` are not copied: they may be of a patient.
    """
    if like is None:
        return encode(volume.with_array(_nameable(volume.array)), recipe, zipped)
    with decoding(like.name, "NIfTI"), _opener(like)(like, "rb") as file:
        header = _header(like.name, file).copy()
    dtype = header.get_data_dtype().newbyteorder("=")
    array = volume.array.astype(dtype) if _holds(dtype, volume.array) and not _is_scaled(header) else _nameable(volume.array)
    shape = [int(n) for n in header["dim"][1 : int(header["dim"][0]) + 1]]
    header.set_data_dtype(array.dtype)
    for name in {"db_name", "aux_file", "intent_name"} & set(header.keys()):  # NIfTI-2 has no db_name
        header[name] = b""
    header["descrip"] = sentence(recipe).encode()
    header["vox_offset"], header["magic"] = 0, type(header).single_magic
    header.set_slope_inter(1, 0)
    kind = nibabel.Nifti2Image if isinstance(header, nibabel.Nifti2Header) else nibabel.Nifti1Image
    image = kind(array[0].T.reshape(shape, order="F"), None, header)
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension(COMMENT_EXTENSION, recipe_text(recipe).encode()))
    content = image.to_bytes()
    return gzip.compress(content, compresslevel=6, mtime=0) if zipped else content


def grid_of(path: Path) -> tuple[np.ndarray, bool]:
    """Return (affine to RAS mm, whether the file says so itself: it has a qform or sform code). Raises FormatError."""
    with decoding(path.name, "NIfTI"), _opener(path)(path, "rb") as file:
        header = _header(path.name, file)
        return _affine(path.name, header), bool(header["qform_code"] > 0 or header["sform_code"] > 0)


def _opener(path: Path) -> Callable[..., Any]:
    with open(path, "rb") as probe:
        return gzip.open if probe.read(2) == b"\x1f\x8b" else open


def _is_scaled(header: Any) -> bool:
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    return math.isfinite(slope) and slope != 0 and (slope, intercept) != (1, 0)


def _holds(dtype: np.dtype[Any], labels: np.ndarray) -> bool:
    if dtype.kind not in "iu":
        return dtype.kind == "f"
    return int(labels.min()) >= np.iinfo(dtype).min and int(labels.max()) <= np.iinfo(dtype).max


def _nameable(labels: np.ndarray) -> np.ndarray:
    """Return labels in a type that NIfTI readers expect: viewers refuse bool and 64 bits."""
    if labels.dtype.kind == "f" or (labels.dtype.itemsize < 8 and labels.dtype != np.bool_):
        return labels
    for dtype in (np.uint8, np.int16, np.int32):
        if _holds(np.dtype(dtype), labels):
            return labels.astype(dtype)
    return labels.astype(np.float64)


def _header(name: str, file: IO[bytes]) -> Any:
    start = file.read(4)
    size = int.from_bytes(start, "little") if int.from_bytes(start, "little") in _SIZES else int.from_bytes(start, "big")
    if size not in _SIZES:
        raise FormatError(f"{name} is not a NIfTI file: its header has a length of {size}")
    block = start + file.read(size - 4)
    if len(block) < size:
        raise FormatError(f"{name} is cut short: it ends inside the header")
    header = _SIZES[size](block, check=False)
    if bytes(header["magic"]).rstrip(b"\0\r\n\x1a") not in (b"n+1", b"n+2"):
        raise FormatError(f"{name} keeps its voxels in a second file (.hdr/.img): save it as one .nii file")
    return header


def _voxels(path: Path, file: IO[bytes], header: Any, zipped: bool) -> np.ndarray:
    shape, dtype = _declared(path.name, header)
    size = check_grid(path.name, shape, np.dtype("u1") if dtype == RGB else dtype) * (3 if dtype == RGB else 1)
    offset = int(header["vox_offset"])
    if not 0 <= offset - len(header.binaryblock) <= MAX_OFFSET:
        raise FormatError(f"{path.name} declares its voxels at byte {offset}: that is not within its beginning")
    stored = path.stat().st_size
    if zipped:
        check_honest(path.name, stored, size)
    elif stored < offset + size:
        raise FormatError(f"{path.name} is cut short: it declares {offset + size} bytes and has {stored}")
    file.seek(offset)
    content = file.read(size)
    if len(content) < size:
        raise FormatError(f"{path.name} is cut short: it declares {size} bytes of voxels and has {len(content)}")
    array = np.frombuffer(content, dtype).reshape(shape, order="F")
    return _arranged(_scaled(array.astype(dtype.newbyteorder("=")), header))


def _declared(name: str, header: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    axes = int(header["dim"][0])
    if not 1 <= axes <= 7:
        raise FormatError(f"{name} declares {axes} axes: at most 4 can be read")
    shape = [int(n) for n in header["dim"][1 : axes + 1]]
    while len(shape) > 3 and shape[-1] == 1:
        shape.pop()
    dtype = header.get_data_dtype()
    return tuple(shape), RGB.newbyteorder("=") if dtype.names == RGB.names else dtype


def _scaled(array: np.ndarray, header: Any) -> np.ndarray:
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if array.dtype == RGB or not _is_scaled(header):
        return array
    return (array * slope + (intercept if math.isfinite(intercept) else 0.0)).astype(np.float32)


def _arranged(array: np.ndarray) -> np.ndarray:
    """Return (channel, z, y, x) of (x, y, z) or (x, y, z, channel)."""
    if array.dtype == RGB:
        array = np.stack([array[name] for name in ("R", "G", "B")], axis=-1)
        array = array.reshape(*array.shape[:-1], *([1] * (4 - array.ndim)), 3)
    full = array.reshape(array.shape + (1,) * (4 - array.ndim))
    return np.ascontiguousarray(full.T)


def _affine(name: str, header: Any) -> np.ndarray:
    affine = np.asarray(header.get_best_affine(), dtype=np.float64)
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-12:
        raise FormatError(f"{name} has no usable position in space: its affine is not finite and invertible")
    return affine


def _for_nifti(array: np.ndarray) -> np.ndarray:
    if array.shape[0] == 1:
        return array[0].T  # (z, y, x) -> (x, y, z)
    if array.shape[0] != 3 or array.dtype != np.uint8:
        raise FormatError(f"the image is {array.dtype} with {array.shape[0]} channels: NIfTI is written as grey or 8-bit RGB")
    return np.ascontiguousarray(array.T).view(RGB)[..., 0]  # (x, y, z, 3) bytes -> (x, y, z) RGB
