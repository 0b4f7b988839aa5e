"""The header of one DICOM file: an allow-list of geometry and technical facts, read without the pixels.

Nothing else of a file is kept: names, dates and free texts of the patient are skipped, not removed later. Since file names often
hold patient names, errors say "the DICOM file" or its number in the folder; pydicom's own warnings quote values and are silenced.
"""

from __future__ import annotations

import contextlib
import logging
import mmap
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_dataset
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, MediaStorageDirectoryStorage, UID_dictionary

from medsynth_core.errors import FormatError
from medsynth_core.formats.limits import decoding

KEPT = (
    "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber", "ImageType",
    "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit",
    "RescaleSlope", "RescaleIntercept", "ModalityLUTSequence",
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "ImagerPixelSpacing", "SliceThickness",
    "SpacingBetweenSlices", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
    "RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor", "BluePaletteColorLookupTableDescriptor",
    "RedPaletteColorLookupTableData", "GreenPaletteColorLookupTableData", "BluePaletteColorLookupTableData",
)  # fmt: skip
MAX_HEADER = 64 * 2**20
"""Bytes before the pixels; an enhanced series of 2048 frames has a few MiB."""


@dataclass(frozen=True, eq=False)
class Header:
    """One file: where it is, how errors call it, its SOP class, its transfer syntax and the kept facts."""

    path: Path
    name: str
    kind: UID
    syntax: UID
    facts: Dataset

    @property
    def is_image(self) -> bool:
        """Whether the file declares pixels: structure sets, reports and directories do not."""
        return "Rows" in self.facts and "Columns" in self.facts

    @property
    def what(self) -> str:
        """The standard's name for what the file holds, such as "RT Structure Set Storage"."""
        return self.kind.name if self.kind in UID_dictionary else "of an unknown kind"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what pydicom and highdicom warn of to ourselves: they quote header values, which may be of the patient."""
    loggers = [logging.getLogger(name) for name in ("pydicom", "highdicom")]
    before = [(logger.propagate, logger.handlers[:]) for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.propagate, logger.handlers = False, [logging.NullHandler()]
        try:
            yield
        finally:
            for logger, (propagate, handlers) in zip(loggers, before, strict=True):
                logger.propagate, logger.handlers = propagate, handlers


def is_dicom(path: Path) -> bool:
    """Return whether the file has the letters DICM after its preamble."""
    with open(path, "rb") as file:
        return file.read(132)[128:] == b"DICM"


def read_header(path: Path, name: str, tags: tuple[str, ...] = KEPT) -> Header:
    """Return the header of a file that `is_dicom`. Raises FormatError for a damaged one, one too long, or a directory."""
    with decoding(name, "DICOM"), quiet(), opened(path) as file:
        meta = _meta(file, name)
        file.seek(0)
        whole = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=list(tags))
        if file.tell() > MAX_HEADER:
            raise FormatError(f"{name} has a header of more than {MAX_HEADER // 2**20} MiB: it is damaged")
        facts = Dataset(whole)  # without the open file the whole one holds
        header = Header(path, name, UID(meta.get("MediaStorageSOPClassUID", "")), UID(meta.TransferSyntaxUID), facts)
    if not header.is_image and header.what.endswith("Image Storage"):
        raise FormatError(f"{name} is cut short: it should be an image and declares no pixels")
    return header


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a file as mapped memory: a read never allocates more than the file has, whatever length an element claims."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        yield mapped


def _meta(file: Any, name: str) -> FileMetaDataset:
    file.seek(132)
    meta = FileMetaDataset(read_dataset(file, False, True, stop_when=lambda tag, vr, length: tag >> 16 != 2))
    if meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage:
        raise FormatError(f"{name} is a DICOMDIR, a table of contents: name the folder of a series or an image")
    if "TransferSyntaxUID" not in meta:
        raise FormatError(f"{name} does not say how its pixels are packed: it is damaged or not DICOM")
    if meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian:
        raise FormatError(f"{name} has a deflated header, which is not read: save it as Explicit VR Little Endian")
    return meta
