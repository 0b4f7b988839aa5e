"""Real heads on the model's grid, by side of the split: what the synthetic ones are held against."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from medsynth_core.engines.tumor.prepare import read_stacks
from medsynth_core.engines.tumor.stacks import Stack as EngineStack
from medsynth_core.engines.tumor.starters import STACK_HEIGHT_MM
from medsynth_core.errors import TrainingDataError
from medsynth_core.evaluation.flicker import Stack
from medsynth_core.training.sides import SIDES, side_of
from medsynth_core.training.volumes import VolumeOptions, read_cases

TRAINING, TUNING, HELD_OUT = SIDES
FOLDER = "brain_lgg_volumes_NC/train"
OPTIONS = VolumeOptions(stack_height_mm=STACK_HEIGHT_MM)


@dataclass(frozen=True)
class Patient:
    """One patient's head and tumor, on the grid of the model."""

    name: str
    stack: Stack


def patients(root: Path, side: str) -> tuple[Patient, ...]:
    """Return the patients of a side, sorted by name. Raises TrainingDataError when there is none."""
    folder = root / FOLDER
    cases = tuple(case for case in read_cases(folder, OPTIONS) if side_of(case.patient) == side)
    if not cases:
        raise TrainingDataError(f"{folder} has no patient on the {side} side: name the folder of the data sets with --data")
    read = read_stacks(cases, OPTIONS)
    return tuple(Patient(case.patient, grey(stack)) for case, stack in zip(cases, read, strict=True))


def grey(stack: EngineStack) -> Stack:
    """Return a stack in grey levels, 255 for the 1.0 of the model, its mask cut at one half."""
    return Stack(levels(stack.image), stack.mask > 0.5, stack.spacing_mm)


def levels(image: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """Return intensities in [0, 1] as grey levels."""
    return (np.clip(image, 0, 1) * 255).round().astype(np.uint8)


def stacks(of: Iterable[Patient]) -> list[Stack]:
    """Return the stacks of patients."""
    return [patient.stack for patient in of]
