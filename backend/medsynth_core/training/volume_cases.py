"""The records of a training on volumes: one case, and what a user may say about which files are cases."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from medsynth_core.errors import ParameterError

HIGHEST_STACK_MM = 2000.0


@dataclass(frozen=True)
class Case:
    """One image volume with its mask. Cases of one `patient` never part in a split.

    `channel` is the entry of the image's fourth axis to take; None for an image that has none.
    """

    name: str
    patient: str
    image: Path
    mask: Path
    channel: int | None = None


@dataclass(frozen=True)
class VolumeOptions:
    """Which files of a folder are images and masks, and how they are meant.

    `images` and `masks` are patterns below the folder, paired by what their wildcards stand for; both or neither.
    `modality` chooses among several images of a patient by name, or among the entries of a fourth axis by index.
    `tumor_labels` are the mask values that count as tumor; none: every value above 0.
    `stack_height_mm` replaces the slice distance by this height over the number of slices.
    Raises ParameterError naming the field.
    """

    images: str = ""
    masks: str = ""
    modality: str = ""
    tumor_labels: tuple[int, ...] = ()
    stack_height_mm: float | None = None

    def __post_init__(self) -> None:
        if bool(self.images) != bool(self.masks):
            given, missing = ("images", "masks") if self.images else ("masks", "images")
            raise ParameterError(f"--{given} is given without --{missing}: give a pattern for each")
        for field in ("images", "masks"):
            _check_pattern(field, getattr(self, field))
        if wrong := [value for value in self.tumor_labels if value < 1]:
            raise ParameterError(f"--tumor-label is {wrong[0]}: 0 is the background, so it must be 1 or more")
        height = self.stack_height_mm
        if height is not None and not (math.isfinite(height) and 0 < height <= HIGHEST_STACK_MM):
            raise ParameterError(f"--stack-height-mm is {height:g}: it must lie above 0 and up to {HIGHEST_STACK_MM:g} mm")

    @property
    def channel(self) -> int | None:
        """The modality as an index, None where it is a word or not given."""
        return int(self.modality) if self.modality.isdecimal() else None

    @property
    def word(self) -> str:
        """The modality as a word in small letters, empty where it is an index or not given."""
        return "" if self.modality.isdecimal() else self.modality.lower()


@dataclass(frozen=True)
class Sight:
    """What an engine can see of a volume: the middle of each slice, and no tumor below an area, summed over the slices."""

    field_mm: float = math.inf
    least_mm2: float = 0.0


def _check_pattern(field: str, pattern: str) -> None:
    path = PurePosixPath(pattern)
    if path.is_absolute() or ".." in path.parts:
        raise ParameterError(f"--{field} is {pattern!r}: it is looked for below DATA, so it must not start with / or hold ..")
    if pattern and not any(sign in pattern for sign in "*?["):
        raise ParameterError(f"--{field} is {pattern!r}: it must hold a wildcard, such as '**/*_flair.nii.gz'")
