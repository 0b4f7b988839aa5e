"""The numbers of DICOM planes: decoded frame by frame by pydicom, then padding, MONOCHROME1 and rescale, in this order."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.encaps import generate_frames
from pydicom.pixels import apply_color_lut, get_decoder, iter_pixels
from pydicom.uid import UID, JPEG2000TransferSyntaxes, RLELossless, UID_dictionary

from medsynth_core.errors import FormatError
from medsynth_core.formats.dicom_header import Header, opened, quiet
from medsynth_core.formats.dicom_planes import Plane
from medsynth_core.formats.limits import MAX_RASTER_SIDE, MAX_SIDE, check_grid, check_honest, check_pixels

GREY = ("MONOCHROME1", "MONOCHROME2")
COLOR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT")
PALETTE = "PALETTE COLOR"
ALIKE = ("Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored", "PixelRepresentation")
Array = npt.NDArray[Any]


def check_planes(name: str, headers: Sequence[Header]) -> None:
    """Raise FormatError for files that do not belong in one volume, or pixels too many, of an odd kind or packed unreadably."""
    first = headers[0].facts
    for header in headers:
        if (header.facts.Rows, header.facts.Columns) != (first.Rows, first.Columns):
            raise FormatError(
                f"{header.name} is {header.facts.Rows} x {header.facts.Columns}, others {first.Rows} x {first.Columns}: "
                "put the images of one size in a folder"
            )
        if any(header.facts.get(key) != first.get(key) for key in ALIKE):
            raise FormatError(f"{header.name} keeps its pixels otherwise than the first one: put images of one kind in a folder")
        _check_kind(header)
        _check_syntax(header)
    _check_amount(name, headers)


def pixels(name: str, planes: Sequence[Plane]) -> Array:
    """Return (1 or 3, z, y, x) of planes in z order. Decoders raise anything on damaged bytes: call within `decoding`."""
    facts = planes[0].header.facts
    channels = 1 if facts.PhotometricInterpretation in GREY else 3
    stack: Array | None = None
    for z, frame in _frames(planes):
        image = frame if facts.PhotometricInterpretation != PALETTE else _colored(frame, facts)
        if stack is None:
            stack = np.empty((channels, len(planes), facts.Rows, facts.Columns), image.dtype.newbyteorder("="))
        stack[:, z] = image if image.ndim == 2 else np.moveaxis(image, 2, 0)
    if stack is None:
        raise FormatError(f"{name} holds no frame: it is damaged")
    if channels == 3:
        return stack
    _without_padding(stack, facts)
    if facts.PhotometricInterpretation == "MONOCHROME1":
        _inverted(stack, facts)
    return _rescaled(stack, planes)


def _check_kind(header: Header) -> None:
    facts = header.facts
    kind = str(facts.get("PhotometricInterpretation", ""))
    samples = 3 if kind in COLOR else 1
    if kind not in (*GREY, *COLOR, PALETTE) or facts.get("SamplesPerPixel", 1) != samples:
        raise FormatError(f"{header.name} has pixels of a kind that is not read: it must be grey, palette, RGB or YBR")
    if (
        facts.get("BitsAllocated") not in (8, 16, 32)
        or not 1 <= facts.get("BitsStored", facts.BitsAllocated) <= facts.BitsAllocated
    ):
        raise FormatError(f"{header.name} has pixels of {facts.get('BitsAllocated')} bits: 8, 16 or 32 are read")
    if "ModalityLUTSequence" in facts:
        raise FormatError(f"{header.name} gives its values by a look-up table, which is not read: export it with rescale slope")


def _check_syntax(header: Header) -> None:
    syntax = header.syntax
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        packed = syntax.name if syntax in UID_dictionary else "a private method"
        raise FormatError(f"{header.name} is compressed as {packed}, which is not read: export it uncompressed") from None
    if not decoder.is_available:
        gdcm = any("gdcm" in line for line in decoder.missing_dependencies)
        way = "pip install python-gdcm, or unpack it with dcmdjpeg" if gdcm else "export it uncompressed"
        raise FormatError(f"{header.name} is compressed as {syntax.name}, which no installed decoder reads: {way}")


def _check_amount(name: str, headers: Sequence[Header]) -> None:
    facts = headers[0].facts
    check_pixels(name, int(facts.Rows), int(facts.Columns))
    frames = [int(header.facts.get("NumberOfFrames") or 1) for header in headers]
    if min(frames) < 1 or sum(frames) > MAX_SIDE:
        raise FormatError(f"{name} declares {sum(frames)} slices: 1 to {MAX_SIDE} are read")
    plane = (int(facts.get("SamplesPerPixel", 1)), int(facts.Rows), int(facts.Columns))
    dtype = np.dtype(f"u{facts.BitsAllocated // 8}")
    check_grid(name, (plane[0], sum(frames), *plane[1:]), np.dtype("f4") if _has_rescale(headers) else dtype, MAX_RASTER_SIDE)
    for header, count in zip(headers, frames, strict=True):
        declared = check_grid(header.name, (plane[0], count, *plane[1:]), dtype, MAX_RASTER_SIDE)
        stored = header.path.stat().st_size
        if facts.PhotometricInterpretation == "YBR_FULL_422":
            declared = declared * 2 // 3
        if not header.syntax.is_compressed and stored < declared:
            raise FormatError(f"{header.name} is cut short: it declares {declared} bytes of pixels and has {stored}")
        check_honest(header.name, stored, declared)


def _has_rescale(headers: Sequence[Header]) -> bool:
    return any("RescaleSlope" in header.facts or "PerFrameFunctionalGroupsSequence" in header.facts for header in headers)


def _frames(planes: Sequence[Plane]) -> Iterator[tuple[int, Array]]:
    """Yield (z, pixels (y, x) or (y, x, 3)) file by file, each file opened once."""
    places: dict[Header, list[tuple[int, int]]] = {}
    for z, plane in enumerate(planes):
        places.setdefault(plane.header, []).append((z, plane.frame))
    for header, found in places.items():
        with quiet(), opened(header.path) as file:
            _check_packed(header, file)
            count = int(header.facts.get("NumberOfFrames") or 1)
            indices = [frame for _, frame in found] if count > 1 else None
            unpacked: Any = iter_pixels(file, indices=indices)
            with contextlib.closing(unpacked) as frames:  # before the file, also when the reader of this gives up
                for (z, _), frame in zip(found, frames, strict=True):
                    yield z, frame


def _check_packed(header: Header, file: Any) -> None:
    """Raise FormatError where a compressed frame claims another size than the header: it would be unpacked to that size."""
    if not header.syntax.is_compressed or header.syntax == RLELossless:
        return
    file.seek(0)
    packed = pydicom.dcmread(file, specific_tags=["PixelData"]).PixelData
    file.seek(0)
    wanted = int(header.facts.Rows), int(header.facts.Columns)
    for frame in generate_frames(packed, number_of_frames=int(header.facts.get("NumberOfFrames") or 1)):
        size = _packed_size(header.syntax, frame)
        if size != wanted:
            raise FormatError(f"{header.name} declares {wanted[0]} x {wanted[1]} pixels, its packed image not: it is damaged")


def _packed_size(syntax: UID, frame: bytes) -> tuple[int, int] | None:
    """Return (rows, columns) as a stream of JPEG, JPEG-LS (T.81 B.2.2, T.87) or JPEG 2000 (T.800 A.5.1) claims."""
    if syntax in JPEG2000TransferSyntaxes:
        start = frame.find(b"\xff\x4f\xff\x51", 0, 4096) + 8
        columns, rows, left, top = (int.from_bytes(frame[start + i : start + i + 4], "big") for i in (0, 4, 8, 12))
        return (rows - top, columns - left) if start >= 8 else None
    place = 2
    while frame[place : place + 1] == b"\xff" and place + 9 < len(frame):
        marker = frame[place + 1]
        if marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            return int.from_bytes(frame[place + 5 : place + 7], "big"), int.from_bytes(frame[place + 7 : place + 9], "big")
        place += 1 if marker == 0xFF else 2 + int.from_bytes(frame[place + 2 : place + 4], "big")
    return None


def _colored(indices: Array, facts: Any) -> Array:
    colors = apply_color_lut(indices, facts)
    return colors if colors.dtype == np.uint8 else (colors >> 8).astype(np.uint8)


def _without_padding(stack: Array, facts: Any) -> None:
    """Give pixels outside of the field of view (PS3.3 C.7.5.1.1.2) the darkest value inside: their number is no intensity."""
    value, limit = facts.get("PixelPaddingValue"), facts.get("PixelPaddingRangeLimit")
    if not isinstance(value, int):
        return
    low, high = sorted((value, limit if isinstance(limit, int) else value))
    darkest = np.max if facts.PhotometricInterpretation == "MONOCHROME1" else np.min
    inside = (plane[(plane < low) | (plane > high)] for plane in stack[0])  # plane by plane: a copy of one, not of all
    ends = [darkest(values) for values in inside if values.size]
    for plane in stack[0] if ends else ():
        plane[(plane >= low) & (plane <= high)] = darkest(ends)


def _inverted(stack: Array, facts: Any) -> None:
    """Make large numbers bright, within the declared bits."""
    bits = int(facts.get("BitsStored", facts.BitsAllocated))
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if stack.dtype.kind == "i" else (0, 2**bits - 1)
    if stack.dtype.kind == "f":
        low, high = stack.min(), stack.max()
    np.clip(stack, low, high, out=stack)
    for plane in stack[0]:
        plane[...] = (low + high - plane.astype(np.float64 if plane.dtype.kind == "f" else np.int64)).astype(plane.dtype)


def _rescaled(stack: Array, planes: Sequence[Plane]) -> Array:
    slopes = np.array([plane.slope for plane in planes])
    intercepts = np.array([plane.intercept for plane in planes])
    if (slopes == 1).all() and (intercepts == 0).all():
        return stack
    ends = np.array([float(stack.min()), float(stack.max())])[:, None] * slopes + intercepts
    whole = stack.dtype.kind in "iu" and (slopes == np.rint(slopes)).all() and (intercepts == np.rint(intercepts)).all()
    out = np.empty(stack.shape, _smallest(float(ends.min()), float(ends.max())) if whole else np.float32)
    for z, (slope, intercept) in enumerate(zip(slopes, intercepts, strict=True)):
        out[:, z] = stack[:, z] * slope + intercept
    return out


def _smallest(low: float, high: float) -> type[np.generic]:
    for dtype in (np.int16, np.int32):
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return dtype
    return np.float32
