"""Where the planes of a DICOM series lie: sorted by position along their normal, never by file name or instance number.

DICOM counts in LPS: x to the patient's left, y to the back. ImageOrientationPatient holds the direction along a row, then down a
column (PS3.3 C.7.6.2.1.1). Volumes are RAS, so the first two axes of the world change sign.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from medsynth_core.errors import FormatError
from medsynth_core.formats.dicom_header import Header
from medsynth_core.volume import Affine, affine_from_spacing

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
SAME_DIRECTION = 1e-3
EVEN = 0.02
"""Part of the slice distance by which a plane may miss its even place; headers round positions to 0.01 mm and worse."""
Vector = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Plane:
    """One frame of one file: its place (LPS mm, None where the file does not say), and how its numbers are meant.

    `spacing` is (between rows, between columns) in mm, `thickness` the distance to the next plane as far as the header knows it.
    """

    header: Header
    frame: int
    position: Vector | None
    orientation: Vector | None
    spacing: tuple[float, float]
    thickness: float
    slope: float
    intercept: float


def planes_of(header: Header) -> list[Plane]:
    """Return the frames of one file; enhanced files say each frame's place in functional groups. Raises FormatError."""
    facts = header.facts
    count = int(facts.get("NumberOfFrames") or 1)
    per_frame = facts.get("PerFrameFunctionalGroupsSequence") or []
    shared = facts.get("SharedFunctionalGroupsSequence") or [Dataset()]
    if per_frame and len(per_frame) != count:
        raise FormatError(f"{header.name} declares {count} frames and describes {len(per_frame)}: it is damaged")
    if not per_frame:
        plane = _plane(header, 0, [facts])
        if count > 1 and plane.position is not None:  # one place for many frames: they are times or views of one place
            raise FormatError(f"{header.name} has {count} frames at one position: export the frame to use")
        return [_plane(header, frame, [facts]) for frame in range(count)]
    return [_plane(header, number, _groups(item, shared[0], facts)) for number, item in enumerate(per_frame)]


def arranged(planes: Sequence[Plane]) -> tuple[list[Plane], Affine]:
    """Return the planes in the order of their z index and the affine to RAS mm.

    Planes that say no position (photographs, ultrasound) keep their frame order and get spacing only.
    Raises FormatError for missing, doubled or unevenly spaced slices and for planes that are not parallel.
    """
    first = planes[0]
    if any(plane.position is None or plane.orientation is None for plane in planes):
        if len({plane.header.path for plane in planes}) > 1:
            raise FormatError("the files of the DICOM series do not say where their slices lie: name one file")
        return list(planes), affine_from_spacing((first.thickness, *first.spacing))
    along, down, normal = _directions(planes)
    unsorted = np.array([plane.position for plane in planes])  # (n, 3)
    order = np.argsort(unsorted @ normal, kind="stable")
    places, sorted_planes = unsorted[order], [planes[i] for i in order]
    step = _step(places, normal, first.thickness)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = along * first.spacing[1], down * first.spacing[0]
    affine[:3, 2], affine[:3, 3] = step, places[0]
    return sorted_planes, LPS_TO_RAS @ affine


def _plane(header: Header, frame: int, groups: Sequence[Dataset]) -> Plane:
    spacing = _numbers(header, groups, "PixelSpacing", 2)
    if spacing is None:
        spacing = _numbers(header, groups, "ImagerPixelSpacing", 2)
    thickness = _numbers(header, groups, "SpacingBetweenSlices", 1)
    if thickness is None or thickness[0] == 0:
        thickness = _numbers(header, groups, "SliceThickness", 1)
    slope, intercept = (_numbers(header, groups, f"Rescale{name}", 1) for name in ("Slope", "Intercept"))
    if spacing is not None and (spacing <= 0).any():
        raise FormatError(f"{header.name} has pixels {spacing[0]:g} x {spacing[1]:g} mm in size: both must be above 0")
    if slope is not None and slope[0] == 0:
        raise FormatError(f"{header.name} has a rescale slope of 0, which would make all pixels equal: it is damaged")
    return Plane(
        header,
        frame,
        _numbers(header, groups, "ImagePositionPatient", 3),
        _numbers(header, groups, "ImageOrientationPatient", 6),
        (1.0, 1.0) if spacing is None else (float(spacing[0]), float(spacing[1])),
        1.0 if thickness is None else abs(float(thickness[0])) or 1.0,
        1.0 if slope is None else float(slope[0]),
        0.0 if intercept is None else float(intercept[0]),
    )


def _groups(own: Dataset, shared: Dataset, facts: Dataset) -> list[Dataset]:
    """Return where to look for a fact, nearest first: the frame's functional groups, the shared ones, the file's header."""
    names = ("PlanePosition", "PlaneOrientation", "PixelMeasures", "PixelValueTransformation")
    found = [item.get(f"{name}Sequence") for item in (own, shared) for name in names]
    return [*(sequence[0] for sequence in found if sequence), facts]


def _numbers(header: Header, groups: Sequence[Dataset], name: str, count: int) -> Vector | None:
    for group in groups:
        value = group.get(name)
        if value is None or value == "":
            continue
        numbers = np.atleast_1d(np.array(value, dtype=np.float64))
        if numbers.shape != (count,) or not np.isfinite(numbers).all():
            raise FormatError(f"{header.name} has a {name} that is not {count} finite number{'s' * (count > 1)}: it is damaged")
        return numbers
    return None


def _directions(planes: Sequence[Plane]) -> tuple[Vector, Vector, Vector]:
    orientations = np.array([plane.orientation for plane in planes])
    rounded = Counter(tuple(np.round(o / SAME_DIRECTION / 10).astype(int)) for o in orientations)
    if np.abs(orientations - orientations[0]).max() > SAME_DIRECTION:
        sizes = ", ".join(str(n) for n in sorted(rounded.values(), reverse=True))
        raise FormatError(
            f"the DICOM series holds slices of different orientations ({sizes} images): put those of one orientation in a folder"
        )
    if len({(plane.spacing) for plane in planes}) > 1:
        raise FormatError("the slices of the DICOM series have different pixel sizes: put those of one size in a folder")
    along, down = orientations[0][:3], orientations[0][3:]
    lengths = np.linalg.norm(along), np.linalg.norm(down)
    if np.abs(np.array(lengths) - 1).max() > 0.01 or abs(along @ down) > 0.01:
        raise FormatError(f"{planes[0].header.name} has an orientation whose axes are not at right angles: it is damaged")
    along = along / lengths[0]
    normal = np.cross(along, down)
    normal /= np.linalg.norm(normal)
    return along, np.cross(normal, along), normal


def _step(places: Vector, normal: Vector, thickness: float) -> Vector:
    """Return the vector from one slice to the next; a gantry tilt makes it lean against the normal."""
    if len(places) == 1:
        return normal * thickness
    gaps = np.diff(places @ normal)
    usual = float(np.median(gaps))
    if gaps.min() < EVEN * max(usual, thickness * EVEN):
        raise FormatError(
            f"the DICOM series has {int((gaps < EVEN * max(usual, 1e-3)).sum())} slices at a place where there is one already "
            "(times or echoes): put one of each place in a folder"
        )
    if gaps.max() > 1.5 * usual:
        at = int(gaps.argmax())
        raise FormatError(
            f"slices are missing in the DICOM series: {gaps[at]:.2f} mm between slices {at + 1} and {at + 2} of {len(places)}, "
            f"elsewhere {usual:.2f} mm; export it again in full"
        )
    step = (places[-1] - places[0]) / (len(places) - 1)
    off = np.abs(places - places[0] - np.arange(len(places))[:, None] * step).max()
    if off > EVEN * usual:
        raise FormatError(
            f"the slices of the DICOM series are unevenly spaced: {gaps.min():.2f} to {gaps.max():.2f} mm; resample it first"
        )
    return np.asarray(step, dtype=np.float64)
