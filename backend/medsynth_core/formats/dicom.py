"""DICOM images: one file, or the files of one series in a folder. https://www.dicomstandard.org/current

pydicom explains headers and calls the decoders; what may be read is decided here, on the headers alone, before any pixel is.
Of a header only an allow-list of geometry and technical facts is kept (see `dicom_header`), and of it nothing but the affine
leaves with the Volume.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.uid import SegmentationStorage

from medsynth_core.errors import FormatError, InputError
from medsynth_core.formats.dicom_header import Header, is_dicom, quiet, read_header
from medsynth_core.formats.dicom_pixels import check_planes, pixels
from medsynth_core.formats.dicom_planes import Plane, arranged, planes_of
from medsynth_core.formats.limits import decoding
from medsynth_core.volume import Affine, Volume

MAX_FILES = 20_000
FILE = "the DICOM file"
SERIES = "the DICOM series"


@dataclass(frozen=True, eq=False)
class Stack:
    """The planes of one series in z order, and where they lie: affine to RAS mm."""

    planes: tuple[Plane, ...]
    affine: Affine


def read_image(path: Path, series: int | None = None) -> Volume:
    """Return a DICOM file, or a folder's series with the SeriesNumber `series`, as (1 or 3, z, y, x), at most 4 GiB.

    Whole-number rescales give whole numbers, others float32. MONOCHROME1 is inverted, palettes and YBR become RGB, padding takes
    the least value of the image. Raises FormatError, InputError.
    """
    stack = read_stack(path, series)
    name = FILE if path.is_file() else SERIES
    with decoding(name, "DICOM"), quiet():
        return Volume(pixels(name, stack.planes), stack.affine)


def read_stack(path: Path, series: int | None = None) -> Stack:
    """Return where the slices of a file or series lie, without their pixels, all checked. Raises FormatError, InputError."""
    name = FILE if path.is_file() else SERIES
    with decoding(name, "DICOM"), quiet():
        headers = [_image_header(path)] if path.is_file() else _series(_headers(path), series)
        check_planes(name, headers)
        planes, affine = arranged([plane for header in headers for plane in planes_of(header)])
        return Stack(tuple(planes), affine)


def is_folder(path: Path) -> bool:
    """Return whether any file directly in the folder is DICOM. Raises InputError when one cannot be opened."""
    try:
        return any(is_dicom(file) for file in _files(path))
    except OSError as problem:
        raise InputError(f"a file of the folder cannot be opened: {problem.strerror}") from None


def _image_header(path: Path) -> Header:
    header = read_header(path, FILE)
    if header.kind == SegmentationStorage:
        raise FormatError(f"{FILE} is a segmentation, not an image: give it as the mask of the images it is drawn on")
    if not header.is_image:
        raise FormatError(f"{FILE} is no image ({header.what}): name an image or the folder of a series")
    return header


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith("."):
            yield path


def _headers(folder: Path) -> list[Header]:
    """Return the headers of the images in a folder; other objects of a study, such as reports and plans, are passed over."""
    files = [path for path in _files(folder) if is_dicom(path) or path.suffix.lower() == ".dcm"]
    if len(files) > MAX_FILES:
        raise FormatError(f"the DICOM folder holds {len(files)} files: at most {MAX_FILES} are read; put one series in a folder")
    found = []
    for number, path in enumerate(files, 1):
        name = f"file {number} of the {len(files)} in the DICOM folder"
        if not is_dicom(path):
            raise FormatError(f"{name} is named .dcm but does not begin as DICOM: it is damaged; remove it or export it again")
        if path.name.upper() != "DICOMDIR":
            found.append(read_header(path, name))
    images = [header for header in found if header.is_image and header.kind != SegmentationStorage]
    if not images:
        kinds = ", ".join(sorted({header.what for header in found})) or "a table of contents"
        raise FormatError(f"the DICOM folder holds no image, only {kinds}: name the folder of a series")
    return images


def _series(headers: Sequence[Header], number: int | None) -> list[Header]:
    """Return the headers of the one series, or of that with this SeriesNumber. Raises InputError naming what there is."""
    groups: dict[str, list[Header]] = {}
    for header in headers:
        groups.setdefault(str(header.facts.get("SeriesInstanceUID", "")), []).append(header)
    chosen = [group for group in groups.values() if number is None or _number(group) == number]
    if len(chosen) == 1:
        return chosen[0]
    counts = Counter(_number(group) for group in groups.values())
    listed = sorted((_number(group), len(group)) for group in groups.values())
    there = ", ".join(f"{n} ({size} image{'s' * (size > 1)})" for n, size in listed[:20])
    if not chosen:
        raise InputError(f"the DICOM folder holds no series number {number}: it holds {there}")
    if max(counts.values()) > 1:
        raise InputError(f"the DICOM folder holds series with equal numbers: {there}; put one series in a folder")
    raise InputError(f"the DICOM folder holds {len(groups)} series: choose one by its number with --series; it holds {there}")


def _number(group: Sequence[Header]) -> int:
    return int(group[0].facts.get("SeriesNumber") or 0)
