"""Toy DICOM files: a few pixels each, with a joke patient whom nothing may ever name again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, EnhancedMRImageStorage, ExplicitVRLittleEndian, generate_uid

PATIENT = "Quixote^Alonso"
OBLIQUE = [0.8, 0.6, 0.0, -0.36, 0.48, 0.8]
"""A right-handed frame turned about two axes."""


def dataset(pixels: np.ndarray, syntax: UID = ExplicitVRLittleEndian, **facts: Any) -> Dataset:
    """Return a CT-like image of pixels (y, x), (y, x, 3) or (frames, y, x) at the origin; `facts` replace what it says."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.file_meta.MediaStorageSOPClassUID = CTImageStorage
    ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, generate_uid()
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = "1.2.3", "1.2.3.4", "1.2.3.5"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = PATIENT, "LAMANCHA-1605", "15470929", "M"
    ds.StudyDate, ds.StudyTime, ds.StudyID, ds.AccessionNumber = "20200102", "030405", "WINDMILL", "GIANT-30"
    ds.ReferringPhysicianName, ds.InstitutionName, ds.Manufacturer = "Panza^Sancho", "Inn of Puerto Lapice", "Rocinante"
    ds.Modality, ds.SeriesNumber, ds.InstanceNumber = "CT", 3, 1
    color = pixels.ndim == 3 and pixels.shape[2] == 3
    ds.Rows, ds.Columns = pixels.shape[:2] if color or pixels.ndim == 2 else pixels.shape[1:]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = (3, "RGB") if color else (1, "MONOCHROME2")
    if color:
        ds.PlanarConfiguration = 0
    if not color and pixels.ndim == 3:
        ds.NumberOfFrames = pixels.shape[0]
    ds.BitsAllocated = ds.BitsStored = pixels.dtype.itemsize * 8
    ds.HighBit, ds.PixelRepresentation = ds.BitsStored - 1, int(pixels.dtype.kind == "i")
    ds.PixelSpacing, ds.SliceThickness = [0.5, 0.25], 2.0
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    ds.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    for name, value in facts.items():
        if value is None:
            delattr(ds, name)
        else:
            setattr(ds, name, value)
    return ds


def save(ds: Dataset, path: Path) -> Path:
    ds.save_as(path, enforce_file_format=True)
    return path


def place(
    number: float, orientation: Sequence[float], origin: Sequence[float] = (10.0, -20.0, 30.0), step: float = 2.0
) -> list[str]:
    """Return the ImagePositionPatient of a slice, as a header writes it: decimal texts of at most 16 characters."""
    normal = np.cross(orientation[:3], orientation[3:])
    return [f"{value:.9g}" for value in np.array(origin) + number * step * normal]


def series(
    folder: Path,
    count: int = 4,
    orientation: Sequence[float] = OBLIQUE,
    change: Callable[[int, Dataset], None] = lambda number, ds: None,
    prefix: str = PATIENT,
) -> np.ndarray:
    """Write a series whose file names and instance numbers run against its positions; return its voxels (z, y, x)."""
    voxels = np.random.default_rng(count).integers(-900, 1500, (count, 6, 5)).astype(np.int16)
    folder.mkdir(exist_ok=True)
    for z in range(count):
        ds = dataset(voxels[z], InstanceNumber=count - z, ImageOrientationPatient=list(orientation))
        ds.ImagePositionPatient = place(z, orientation)
        change(z, ds)
        save(ds, folder / f"{prefix}{(7 * z + 3) % count:03d}.dcm")
    return voxels


def enhanced(voxels: np.ndarray, order: Sequence[int], slopes: Sequence[float] = ()) -> Dataset:
    """Return an enhanced multi-frame image whose frames are the slices of `voxels` (z, y, x) in the order given."""
    ds = dataset(voxels[list(order)], SOPClassUID=EnhancedMRImageStorage, ImagePositionPatient=None, PixelSpacing=None)
    ds.file_meta.MediaStorageSOPClassUID = EnhancedMRImageStorage
    del ds.ImageOrientationPatient
    del ds.SliceThickness
    shared, orientation, measures = Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = OBLIQUE
    measures.PixelSpacing, measures.SliceThickness = [0.5, 0.25], 2.0
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [orientation], [measures]
    ds.SharedFunctionalGroupsSequence = [shared]
    frames = []
    for number, z in enumerate(order):
        frame, position, content = Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = place(z, OBLIQUE)
        content.DimensionIndexValues = [number + 1]
        frame.PlanePositionSequence, frame.FrameContentSequence = [position], [content]
        if slopes:
            values = Dataset()
            values.RescaleSlope, values.RescaleIntercept, values.RescaleType = slopes[number], 1, "US"
            frame.PixelValueTransformationSequence = [values]
        frames.append(frame)
    ds.PerFrameFunctionalGroupsSequence = frames
    pointer, organization = Dataset(), Dataset()
    organization.DimensionOrganizationUID = pointer.DimensionOrganizationUID = generate_uid()
    pointer.DimensionIndexPointer, pointer.FunctionalGroupPointer = 0x00200032, 0x00209113
    ds.DimensionOrganizationSequence, ds.DimensionIndexSequence = [organization], [pointer]
    return ds
