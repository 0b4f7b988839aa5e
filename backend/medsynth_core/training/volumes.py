"""Reading a folder of volumes with masks: one case a patient, checked before anything starts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Case:
    """One image volume with its mask. Cases of one `patient` never part in a split."""

    name: str
    patient: str
    image: Path
    mask: Path


def read_cases(folder: Path, image: str = "") -> tuple[Case, ...]:
    """Return the cases of a folder, sorted by name."""
    patients = sorted(path for path in folder.iterdir() if path.is_dir())
    return tuple(Case(p.name, p.name, p / "flair.nii.gz", p / "seg.nii.gz") for p in patients)
