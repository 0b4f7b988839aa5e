"""A synthetic volume as a DICOM series, one file a slice: https://www.dicomstandard.org/current

Nothing of a patient is in it, also where a background of one was kept: all UIDs are new, names are ours. UIDs follow from the
recipe, so the same volume made twice is the same series. It is written as MR, or as CT where the background is CT.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from highdicom import ContributingEquipment
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid
from pydicom.valuerep import DSfloat

import medsynth_core
from medsynth_core.errors import FormatError
from medsynth_core.formats.dicom import read_stack
from medsynth_core.formats.dicom_planes import LPS_TO_RAS
from medsynth_core.formats.marking import recipe_text, sentence
from medsynth_core.formats.scan import Scan
from medsynth_core.volume import Affine, Volume

DTYPES = ("uint8", "uint16", "int16")
WIDE = {"uint8": "uint16"}
"""MR and CT images have 16 bits a pixel (PS3.3 C.8.2.1, C.8.3.1)."""
SQUARE = 1e-3
"""How far from a right angle two axes may be, as a cosine."""
WINDOW = (0.5, 99.5)
"""Percentiles of the volume between which viewers show it."""
Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Frame:
    """Where the slices lie in LPS mm: directions along a row and down a column, first corner, step to the next slice."""

    along: Vector
    down: Vector
    origin: Vector
    step: Vector
    spacing: tuple[float, float]


def check(affine: Affine, dtype: np.dtype[Any]) -> None:
    """Raise FormatError for a grid or a type that a DICOM series cannot hold."""
    if dtype.name not in DTYPES:
        raise FormatError(f"the volume is {dtype}: a DICOM series holds {', '.join(DTYPES)}; save it as NIfTI")
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    if np.abs(axes.T @ axes - np.eye(3)).max() > SQUARE:
        raise FormatError("the volume's axes are not at right angles, as those of a DICOM series are: save it as NIfTI")


def write_folder(folder: Path, volume: Volume, recipe: Mapping[str, Any], source: Scan | None) -> None:
    """Write a grey volume into a new folder. `source` is the DICOM background that was kept, if any. Raises FormatError.

    The caller renames the folder into place.
    """
    if volume.array.shape[0] != 1:
        raise FormatError(f"the volume has {volume.array.shape[0]} channels: a DICOM series is written in grey")
    check(volume.affine, volume.array.dtype)
    frame, kind = _frame(volume.affine), _kind(source)
    wide = volume.array.astype(WIDE.get(volume.array.dtype.name, volume.array.dtype))
    common = _common(volume.with_array(wide), recipe, kind, frame)
    folder.mkdir()
    for z, pixels in enumerate(wide[0]):
        slice_ = Dataset(common)
        slice_.SOPInstanceUID = _uid(recipe, f"slice {z}")
        slice_.InstanceNumber = z + 1
        slice_.ImagePositionPatient = _decimals(frame.origin + z * frame.step)
        slice_.PixelData = pixels.tobytes()
        slice_.file_meta = _meta(kind, slice_.SOPInstanceUID)
        slice_.save_as(folder / f"{z + 1:04d}.dcm", enforce_file_format=True)


def _kind(source: Scan | None) -> UID:
    ct = source is not None and read_stack(source.path, source.series).planes[0].header.kind == CTImageStorage
    return CTImageStorage if ct else MRImageStorage


def _frame(affine: Affine) -> Frame:
    to_lps = LPS_TO_RAS @ affine
    steps, origin = to_lps[:3, :3], to_lps[:3, 3]
    dx, dy, _ = (float(v) for v in np.linalg.norm(steps, axis=0))
    return Frame(steps[:, 0] / dx, steps[:, 1] / dy, origin, steps[:, 2], (dy, dx))


def _common(volume: Volume, recipe: Mapping[str, Any], kind: UID, frame: Frame) -> Dataset:
    """Return all that the slices share."""
    ds = Dataset()
    ds.SOPClassUID, ds.SyntheticData = kind, "YES"
    _name(ds, recipe)
    _equip(ds, recipe)
    _measure(ds, volume, frame)
    if kind == CTImageStorage:
        ds.Modality, ds.ImageType, ds.KVP = "CT", ["DERIVED", "SECONDARY", "AXIAL"], None
        ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = 1, 0, "HU"
    else:
        ds.Modality, ds.ImageType = "MR", ["DERIVED", "SECONDARY", "OTHER"]
        ds.ScanningSequence, ds.SequenceVariant = "RM", "NONE"  # "research mode": there was no sequence
        ds.ScanOptions = ds.MRAcquisitionType = ""
        ds.EchoTime = ds.EchoTrainLength = ds.RepetitionTime = None
    return ds


def _name(ds: Dataset, recipe: Mapping[str, Any]) -> None:
    """Name a patient who is none, a study and a series."""
    number = hashlib.sha256(recipe_text(recipe).encode()).hexdigest()[:12]
    ds.PatientID, ds.PatientName = f"SYNTHETIC-{number}", "Synthetic^MedSynth"
    ds.PatientBirthDate = ds.PatientSex = ds.PatientPosition = ""
    ds.StudyID = ds.StudyDate = ds.StudyTime = ds.AccessionNumber = ds.ReferringPhysicianName = ""
    ds.StudyDescription = ds.SeriesDescription = ds.DerivationDescription = sentence(recipe)
    ds.StudyInstanceUID, ds.SeriesInstanceUID = _uid(recipe, "study"), _uid(recipe, "series")
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = _uid(recipe, "frame of reference"), ""
    ds.SeriesNumber = 1
    ds.AcquisitionNumber = None


def _equip(ds: Dataset, recipe: Mapping[str, Any]) -> None:
    version = medsynth_core.__version__
    ds.Manufacturer, ds.ManufacturerModelName, ds.SoftwareVersions = "MedSynth", _model(recipe), version
    made = ContributingEquipment(
        manufacturer="MedSynth",
        purpose_of_reference=codes.DCM.SynthesizingEquipment,
        manufacturer_model_name=ds.ManufacturerModelName,
        software_versions=version,
        contribution_description=recipe_text(recipe)[:1024],
    )
    ds.ContributingEquipmentSequence = [made]


def _model(recipe: Mapping[str, Any]) -> str:
    return f"MedSynth {recipe.get('engine', '')}".strip()


def _measure(ds: Dataset, volume: Volume, frame: Frame) -> None:
    array = volume.array
    ds.ImageOrientationPatient = _decimals(np.concatenate([frame.along, frame.down]))
    ds.PixelSpacing = _decimals(np.array(frame.spacing))
    ds.SliceThickness = ds.SpacingBetweenSlices = _decimals(np.array([np.linalg.norm(frame.step)]))[0]
    ds.Rows, ds.Columns = array.shape[2:]
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.BurnedInAnnotation = 1, "MONOCHROME2", "NO"
    ds.BitsAllocated = ds.BitsStored = array.dtype.itemsize * 8
    ds.HighBit, ds.PixelRepresentation = ds.BitsStored - 1, int(array.dtype.kind == "i")
    low, high = (float(v) for v in np.percentile(array.astype(np.float32), WINDOW))
    ds.WindowCenter, ds.WindowWidth = _decimals(np.array([(low + high) / 2, max(high - low, 1.0)]))


def _meta(kind: UID, instance: UID) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = kind, instance
    return meta


def _uid(recipe: Mapping[str, Any], what: str) -> UID:
    return generate_uid(entropy_srcs=[recipe_text(recipe), what])


def _decimals(values: Vector) -> list[DSfloat]:
    return [DSfloat(float(value), auto_format=True) for value in values]
