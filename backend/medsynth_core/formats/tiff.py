"""TIFF: any whole or real numbers, one page a slice."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from medsynth_core.errors import FormatError
from medsynth_core.formats import raster
from medsynth_core.formats.limits import MAX_RASTER_SIDE, check_grid, check_honest, check_pixels, decoding
from medsynth_core.formats.marking import recipe_text, xmp_packet
from medsynth_core.volume import Volume

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # what it says of damaged files is in our own error

SLICE_AXES = "ZIQT"
COLOR_AXES = "SC"
XMP_TAG = 700


def read_image(path: Path) -> Volume:
    """Return the first series of the file as (channel, z, y, x), pages as slices. Raises FormatError."""
    with decoding(path.name, "TIFF"), tifffile.TiffFile(path) as file:
        series = file.series[0]
        shape = tuple(int(n) for n in series.shape)
        _check(path, series, shape)
        return Volume(_arrange(path.name, series.axes, series.asarray().reshape(shape)))


def read_labels(path: Path) -> Volume:
    """Return a mask as (1, z, y, x). Raises FormatError for true colors."""
    volume = read_image(path)
    if volume.array.shape[0] not in (1, 3):
        raise FormatError(f"{path.name} has {volume.array.shape[0]} channels: a mask has one")
    if volume.array.shape[0] == 1:
        return volume
    flat = raster.grey(path.name, np.moveaxis(volume.array, 0, -1))  # (z, y, x, 3) -> (z, y, x)
    return Volume(flat[None], volume.affine)


def encode(volume: Volume, recipe: Mapping[str, Any]) -> bytes:
    """Return a TIFF file with one page a slice, marked as what it is. Raises FormatError for other than 1 or 3 channels."""
    channels = volume.array.shape[0]
    if channels not in (1, 3):
        raise FormatError(f"the image has {channels} channels: TIFF is written with 1 or 3; save as .ome.zarr")
    pages = volume.array[0] if channels == 1 else np.moveaxis(volume.array, 0, -1)  # (z, y, x) or (z, y, x, 3)
    packet = xmp_packet(recipe).encode()
    file = io.BytesIO()
    tifffile.imwrite(
        file,
        np.ascontiguousarray(pages),
        photometric="minisblack" if channels == 1 else "rgb",
        compression="zlib",
        description=recipe_text(recipe),
        metadata=None,
        extratags=[(XMP_TAG, "B", len(packet), packet, True)],
    )
    return file.getvalue()


def encode_labels(volume: Volume, recipe: Mapping[str, Any], like: Path | None) -> bytes:
    """Return a mask (1, z, y, x) as TIFF with the bits, colors and resolution of `like`. Raises FormatError."""
    pages = volume.array[0]
    options: dict[str, Any] = {"photometric": "minisblack", "compression": "zlib"}
    if like is not None:
        with decoding(like.name, "TIFF"), tifffile.TiffFile(like) as model:
            pages, options = _in_coding(pages, model.pages.first)
    packet = xmp_packet(recipe).encode()
    file = io.BytesIO()
    tifffile.imwrite(
        file,
        np.ascontiguousarray(pages),
        description=recipe_text(recipe),
        metadata=None,
        extratags=[(XMP_TAG, "B", len(packet), packet, True)],
        **options,
    )
    return file.getvalue()


def _in_coding(labels: np.ndarray, model: Any) -> tuple[np.ndarray, dict[str, Any]]:
    """Return (pages, options of imwrite) that code labels (z, y, x) as `model` does: 1 bit, palette, grey, or RGB."""
    options: dict[str, Any] = {"photometric": "minisblack", "compression": "zlib"}
    if model.bitspersample == 1 and labels.max() <= 1:
        return labels != 0, {"photometric": "minisblack"}
    if model.photometric == tifffile.PHOTOMETRIC.PALETTE and labels.dtype in (np.uint8, np.uint16):
        options |= {"photometric": "palette", "colormap": model.colormap}
    if model.photometric == tifffile.PHOTOMETRIC.RGB:
        labels = np.stack([labels] * 3, axis=-1)  # (z, y, x, 3)
        options["photometric"] = "rgb"
    if "XResolution" in model.tags and "YResolution" in model.tags:
        options |= {"resolution": model.get_resolution(), "resolutionunit": model.resolutionunit}
    return labels, options


def _check(path: Path, series: Any, shape: tuple[int, ...]) -> None:
    sides = dict(zip(series.axes, shape, strict=True))
    if "Y" not in sides or "X" not in sides or set(sides) - set("YX" + SLICE_AXES + COLOR_AXES):
        raise FormatError(f"{path.name} has the axes {series.axes}: a mask or image has y, x and at most slices and channels")
    check_pixels(path.name, sides["Y"], sides["X"])
    declared = check_grid(path.name, shape, np.dtype(series.dtype), side=MAX_RASTER_SIDE)
    stored = path.stat().st_size
    check_honest(path.name, stored, declared)
    if series.keyframe.compression == 1 and stored < declared and not series.keyframe.is_tiled:
        raise FormatError(f"{path.name} is cut short: it declares {declared} bytes of pixels and has {stored}")


def _arrange(name: str, axes: str, array: np.ndarray) -> np.ndarray:
    """Return (channel, z, y, x) of an array with the axes letters of tifffile, such as "QYX" or "YXS"."""
    order = {"Y": 2, "X": 3} | dict.fromkeys(SLICE_AXES, 1) | dict.fromkeys(COLOR_AXES, 0)
    places = [order[letter] for letter in axes]
    if len(set(places)) != len(places):
        raise FormatError(f"{name} has the axes {axes}: more than one of slices and time, or of channels, cannot be read")
    sorted_array = np.moveaxis(array, range(array.ndim), np.argsort(np.argsort(places)))
    missing = tuple(place for place in range(4) if place not in places)
    full = np.expand_dims(sorted_array, missing)
    return full.astype(np.uint8) if full.dtype == np.bool_ else full.astype(full.dtype.newbyteorder("="), copy=False)
