"""Which DICOM images a segmentation is drawn on; light, so that the command line need not import a DICOM library for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Scan:
    """A DICOM file, or a folder with the files of a series.

    `series` chooses where a folder holds several (its SeriesNumber), None takes the only one. `keep_identity` copies patient and
    study texts from the source, so that an archive files the segmentation beside it; without it they are left empty.
    """

    path: Path
    series: int | None = None
    keep_identity: bool = False
