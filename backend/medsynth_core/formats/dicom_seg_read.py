"""DICOM SEG as a mask: the labels of a segmentation on the grid of the images it is drawn on.

Frames without a labelled pixel are usually left out of a SEG, so it has no grid of its own: it is read onto the image's.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import SegmentationStorage

from medsynth_core.errors import FormatError, ShapeError
from medsynth_core.formats.alignment import turned_to
from medsynth_core.formats.dicom_header import KEPT, Header, is_dicom, opened, quiet, read_header
from medsynth_core.formats.dicom_planes import Plane, arranged, planes_of
from medsynth_core.formats.limits import MAX_RASTER_SIDE, check_grid, check_pixels, decoding
from medsynth_core.volume import Volume

NAME = "the DICOM segmentation"
MAX_FRAMES = 100_000
Labels = npt.NDArray[np.uint16]


def is_segmentation(path: Path) -> bool:
    """Return whether the path is a DICOM SEG file. Raises FormatError for a damaged one."""
    return path.is_file() and is_dicom(path) and read_header(path, NAME).kind == SegmentationStorage


def labels_on(path: Path, image: Volume) -> Volume:
    """Return the labels of a binary SEG as (1, z, y, x) on the image's grid, uint8, or uint16 for labels above 255.

    A segment's label is its number, or the N of its tracking id "label N", which MedSynth writes. Raises FormatError for segments
    that overlap or are not binary, ShapeError for a SEG over other images.
    """
    with decoding(NAME, "DICOM"), quiet():
        header = read_header(path, NAME, (*KEPT, "SegmentSequence", "SegmentationType"))
        _check(header)
        values = _values(header.facts)
        labels = np.zeros(image.size, np.uint16)
        for plane, number, frame in zip(planes_of(header), _numbers(header.facts), _frames(header), strict=True):
            _draw(labels, plane, frame, values[number], image)
    return image.with_array(labels[None].astype(np.uint8 if max(values.values()) <= 255 else np.uint16))


def _check(header: Header) -> None:
    facts = header.facts
    if facts.get("SegmentationType") != "BINARY" or facts.get("BitsAllocated") != 1 or header.syntax.is_compressed:
        raise FormatError(f"{NAME} is not binary and uncompressed: export it so, or as NIfTI")
    frames = int(facts.get("NumberOfFrames") or 1)
    check_pixels(NAME, int(facts.Rows), int(facts.Columns))
    if not 1 <= frames <= MAX_FRAMES:
        raise FormatError(f"{NAME} declares {frames} frames: 1 to {MAX_FRAMES} are read")
    check_grid(NAME, (1, int(facts.Rows), int(facts.Columns)), np.dtype("u1"), MAX_RASTER_SIDE)
    declared, stored = frames * int(facts.Rows) * int(facts.Columns) // 8, header.path.stat().st_size
    if stored < declared:
        raise FormatError(f"{NAME} is cut short: it declares {declared} bytes of pixels and has {stored}")


def _values(facts: Dataset) -> dict[int, int]:
    """Return segment number -> label value."""
    numbers = {int(item.SegmentNumber): str(item.get("TrackingID", "")) for item in facts.SegmentSequence}
    ours = {number: int(text[6:]) for number, text in numbers.items() if text.startswith("label ") and text[6:].isdigit()}
    if (
        ours.keys() == numbers.keys()
        and len(set(ours.values())) == len(ours)
        and 0 < min(ours.values(), default=0) <= max(ours.values()) < 2**16
    ):
        return ours
    return {number: number for number in numbers}


def _numbers(facts: Dataset) -> Iterator[int]:
    """Yield the segment number of each frame."""
    shared = facts.get("SharedFunctionalGroupsSequence") or [Dataset()]
    for item in facts.PerFrameFunctionalGroupsSequence:
        found: Any = item.get("SegmentIdentificationSequence") or shared[0].SegmentIdentificationSequence
        yield int(found[0].ReferencedSegmentNumber)


def _frames(header: Header) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield the frames (y, x) of 0 and 1.

    Bits run on from frame to frame, lowest first (PS3.5 8.1.1); pydicom 3.0 reads frames of whole bytes only.
    """
    rows, columns = int(header.facts.Rows), int(header.facts.Columns)
    with opened(header.path) as file:
        packed = np.frombuffer(pydicom.dcmread(file, specific_tags=["PixelData"]).PixelData, np.uint8)
    for number in range(int(header.facts.get("NumberOfFrames") or 1)):
        first, extra = divmod(number * rows * columns, 8)
        bits = np.unpackbits(packed[first : first + -(-(extra + rows * columns) // 8)], bitorder="little")
        yield bits[extra : extra + rows * columns].reshape(rows, columns)


def _draw(labels: Labels, plane: Plane, frame: npt.NDArray[Any], value: int, image: Volume) -> None:
    if plane.position is None:
        raise ShapeError(f"{NAME} does not say where it lies: export it as NIfTI")
    turned, (z, y, x) = turned_to(Volume(frame[None, None], arranged([plane])[1]), image.affine, image.size)
    depth, height, width = turned.shape[1:]
    part = labels[z : z + depth, y : y + height, x : x + width]
    inside = turned[0] > 0
    if (part[inside] != 0).any():
        raise FormatError(f"{NAME} has segments that overlap: a mask holds one label per pixel; export them one by one")
    part[inside] = value
