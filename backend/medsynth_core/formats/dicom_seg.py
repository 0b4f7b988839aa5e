"""DICOM SEG: a segmentation as an archive and a DICOM viewer understand it, one segment a label. Written by highdicom.

What is kept of the source series, and why:
    UIDs of study, series, instances, space    a SEG must say which images it is drawn on (PS3.3 C.8.20); they lead back to the
                                               patient for whoever has the images, so a SEG is never anonymous
    position, orientation, spacing of slices   where the segments lie
    patient, study texts and dates             only with `keep_identity`, so that an archive files it beside the source
Everything else is ours: algorithm, version, recipe, and a sentence that says it is an algorithm's output.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import highdicom
import numpy as np
import numpy.typing as npt
from highdicom.seg import Segmentation, SegmentDescription
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

import medsynth_core
from medsynth_core.errors import FormatError, InputError
from medsynth_core.formats.alignment import aligned
from medsynth_core.formats.dicom import Stack, read_stack
from medsynth_core.formats.dicom_header import KEPT, Header, quiet, read_header
from medsynth_core.formats.dicom_planes import Plane
from medsynth_core.formats.limits import decoding
from medsynth_core.formats.marking import is_synthetic, recipe_text, sentence
from medsynth_core.formats.scan import Scan
from medsynth_core.volume import Volume

REFERENCES = ("StudyInstanceUID", "FrameOfReferenceUID", "PositionReferenceIndicator", "Modality")
IDENTITY = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex",
    "StudyID", "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
MAX_LABEL = 64
MAX_SEGMENTS = 1000
MAX_PARAMETERS = 10_240
SERIES_NUMBER = 1000


def encode(mask: Volume, recipe: Mapping[str, Any], scan: Scan, names: Mapping[int, str]) -> bytes:
    """Return a DICOM SEG file of a mask (1, z, y, x) whose grid is that of the scan, up to the order and direction of axes.

    A label without a name becomes "label 3"; a single label takes a single name. Raises ShapeError for another grid, InputError
    for a mask without labels, FormatError for a scan that does not say where it lies.
    """
    with quiet():
        stack = read_stack(scan.path, scan.series)
        labels = _labels(mask, stack)
        values = [int(value) for value in np.unique(labels) if value != 0]
        if not 1 <= len(values) <= MAX_SEGMENTS:
            raise InputError(
                f"the mask holds {len(values)} labels: a DICOM SEG has 1 to {MAX_SEGMENTS} segments; save as .nii.gz"
            )
        sources, frames = _sources(stack, labels, scan.keep_identity)
        numbers = np.where(frames == 0, 0, np.searchsorted(values, frames) + 1).astype(np.uint16)
        with decoding("the DICOM source", "the source of a segmentation"):
            seg = _segmentation(sources, numbers, _segments(values, names, recipe), recipe)
    if is_synthetic(recipe):
        seg.SyntheticData = "YES"
    if not scan.keep_identity:
        seg.PatientIdentityRemoved = "YES"
        seg.DeidentificationMethod = "MedSynth: only references and geometry of the source are kept"
    file = io.BytesIO()
    seg.save_as(file, enforce_file_format=True)
    return file.getvalue()


def _labels(mask: Volume, stack: Stack) -> npt.NDArray[np.generic]:
    """Return the labels (z, y, x) in the order of the stack's planes."""
    facts = stack.planes[0].header.facts
    if any(plane.position is None for plane in stack.planes):
        raise FormatError("the DICOM source does not say where it lies, as a DICOM SEG must: save the mask as .nii.gz or .png")
    if mask.array.shape[0] != 1 or mask.array.dtype.kind not in "biu":
        raise InputError(f"the mask is {mask.array.dtype} with {mask.array.shape[0]} channels: it must be one of whole numbers")
    return aligned(mask, stack.affine, (len(stack.planes), int(facts.Rows), int(facts.Columns))).array[0]


def _sources(stack: Stack, labels: npt.NDArray[Any], keep_identity: bool) -> tuple[list[Dataset], npt.NDArray[Any]]:
    """Return the source files' headers and the labels frame by frame as highdicom pairs them up."""
    planes = stack.planes
    if planes[0].header.facts.get("NumberOfFrames", 1) == 1 and "PerFrameFunctionalGroupsSequence" not in planes[0].header.facts:
        return [_source(plane.header, keep_identity) for plane in planes], labels
    if len({plane.header.path for plane in planes}) > 1:
        raise FormatError("the DICOM source is several multi-frame files: a SEG over one of them can be written; name one file")
    return [_source(planes[0].header, keep_identity)], labels[_by_frame(planes)]


def _by_frame(planes: Sequence[Plane]) -> npt.NDArray[np.intp]:
    return np.argsort([plane.frame for plane in planes])


def _source(header: Header, keep_identity: bool) -> Dataset:
    """Return the header highdicom may see: what it copies can only come from here."""
    tags = (*KEPT, *REFERENCES, *(IDENTITY if keep_identity else ()))
    source = read_header(header.path, header.name, tags).facts
    for tag in IDENTITY:
        if tag not in source:
            setattr(source, tag, None)
    if not source.get("StudyInstanceUID") or not source.get("FrameOfReferenceUID"):
        raise FormatError(f"{header.name} has no UID of its study or frame of reference, as a DICOM SEG needs: save as .nii.gz")
    if not keep_identity and "SpecificCharacterSet" in source:
        del source.SpecificCharacterSet
    return source


def _segments(values: Sequence[int], names: Mapping[int, str], recipe: Mapping[str, Any]) -> list[SegmentDescription]:
    algorithm = highdicom.AlgorithmIdentificationSequence(
        name="MedSynth",
        family=codes.cid7162.ArtificialIntelligence,
        version=medsynth_core.__version__,
        source="https://pypi.org/project/napari-medsynth",
    )
    parameters = recipe_text(recipe)
    if len(parameters) <= MAX_PARAMETERS:
        algorithm[0].AlgorithmParameters = parameters
    drawn = "mask" in recipe.get("inputs", ())
    lone = next(iter(names.values())) if len(names) == len(values) == 1 else None
    return [
        SegmentDescription(
            segment_number=number,
            segment_label=(lone or names.get(value) or f"label {value}")[:MAX_LABEL],
            segmented_property_category=codes.SCT.Tissue,
            segmented_property_type=codes.SCT.Tissue,
            algorithm_type="SEMIAUTOMATIC" if drawn else "AUTOMATIC",
            algorithm_identification=algorithm,
            tracking_uid=generate_uid(),
            tracking_id=f"label {value}",
        )
        for number, value in enumerate(values, 1)
    ]


def _segmentation(
    sources: list[Dataset], frames: npt.NDArray[Any], segments: list[SegmentDescription], recipe: Mapping[str, Any]
) -> Segmentation:
    return Segmentation(
        source_images=sources,
        pixel_array=frames,
        segmentation_type="BINARY",
        segment_descriptions=segments,
        series_instance_uid=generate_uid(),
        series_number=SERIES_NUMBER,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="MedSynth",
        manufacturer_model_name=f"MedSynth {recipe.get('engine', '')}".strip(),
        software_versions=medsynth_core.__version__,
        device_serial_number="none",
        content_label="SEGMENTATION",
        content_description=sentence(recipe),
        series_description=sentence(recipe),
    )
