"""Reading a folder of volumes with masks: one call lists the cases, one checks them, one reads the voxels of a case.

volume_cases     Case, VolumeOptions          volume_doctor    what is wrong with them, and how many they are
volume_layouts   which files are cases        volume_reading   read_stack
"""

from __future__ import annotations

from pathlib import Path

from medsynth_core.errors import TrainingDataError
from medsynth_core.training.pairs import Columns
from medsynth_core.training.volume_cases import Case, VolumeOptions
from medsynth_core.training.volume_layouts import list_cases
from medsynth_core.training.volume_reading import CaseVolume, read_stack

__all__ = ["Case", "CaseVolume", "VolumeOptions", "read_cases", "read_stack"]


def read_cases(folder: Path, options: VolumeOptions | None = None, columns: Columns | None = None) -> tuple[Case, ...]:
    """Return the cases of a folder, sorted by name."""
    listing = list_cases(folder, options or VolumeOptions())
    if listing.offenders:
        raise TrainingDataError(f"{folder.name}: mend or remove the files named", listing.offenders)
    return listing.cases
