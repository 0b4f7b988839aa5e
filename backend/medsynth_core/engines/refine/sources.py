"""The data sets that the refiner which ships is trained on and tested with, each read in its own way.

training side   groups whose sha256 is 20 or more of 100
tuning side     15 to 19: for choosing settings
held-out side   below 15: for figures only; the same rule, and the same groups, as every other model of ours
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medsynth_core.engines.refine.items import Item, normalized
from medsynth_core.errors import TrainingDataError
from medsynth_core.formats import read, read_mask
from medsynth_core.training.duplicates import group_near_duplicates
from medsynth_core.training.nuclei_sets import NUCLEI, by_stem
from medsynth_core.training.pairs import Columns, Pair, read_pairs, without_duplicates
from medsynth_core.training.sides import SIDES, side_of


@dataclass(frozen=True)
class Source:
    """One data set: its folder, how it is read, its share of the training (0: never trained on), its license."""

    name: str
    folder: str
    read: Callable[[Path, str], Iterator[Item]]
    share: float
    license: str


def read_source(source: Source, root: Path, side: str) -> list[Item]:
    """Return the items of one side of a data set. Raises TrainingDataError when its folder is not there."""
    folder = root / source.folder
    if not folder.is_dir():
        raise TrainingDataError(f"{source.folder} is not in {root.name}: the refiner that ships learns from all of its sources")
    return list(source.read(folder, side))


def items_of(pairs: tuple[Pair, ...], source: str, instances: bool = False) -> Iterator[Item]:
    """Yield the items of image and mask files; masks of 0 and 255 become 0 and 1."""
    for pair in pairs:
        pixels, mask = read(pair.image).array, read_mask(pair.mask).array[0, 0]
        color = len(pixels) == 3
        image = normalized(pixels)[:, 0]
        labels = (mask > 0).astype(np.uint16) if set(np.unique(mask)) <= {0, 255} else mask.astype(np.uint16)
        if labels.any():
            yield Item(source, pair.stem, pair.group, image if color else np.repeat(image, 3, axis=0), labels, instances, color)


def _polyp(folder: Path, side: str) -> Iterator[Item]:
    pairs = without_duplicates(read_pairs(folder / "train", Columns(folder / "metadata.csv", "dup_group")))
    return items_of(_on(pairs, side), "polyp")


def brain_pairs(folder: Path, side: str) -> tuple[Pair, ...]:
    """Return the brain slices of a side, no image twice, look-alikes in one group."""
    return _on(group_near_duplicates(without_duplicates(read_pairs(folder / "train"))), side)


def _brain(folder: Path, side: str) -> Iterator[Item]:
    return items_of(brain_pairs(folder, side), "brain slice")


def _lgg(folder: Path, side: str) -> Iterator[Item]:
    """Yield the tumor slices of each patient, with the slices below and above."""
    for patient in sorted((folder / "train").iterdir()):
        if side_of(patient.name) != side:
            continue
        volume = normalized(read(patient / "flair.nii.gz").array)[0]  # (z, y, x)
        mask = read_mask(patient / "seg.nii.gz").array[0] > 0
        for z in np.flatnonzero(mask.any(axis=(1, 2))):
            beside = np.clip([z - 1, z, z + 1], 0, len(volume) - 1)
            yield Item("LGG FLAIR", f"{patient.name} z {z}", patient.name, volume[beside], mask[z].astype(np.uint16))


def _nuclei(folder: Path, side: str) -> Iterator[Item]:
    return items_of(_on(NUCLEI[folder.name].pairs(folder), side), NUCLEI[folder.name].name, instances=True)


def _skin(folder: Path, side: str) -> Iterator[Item]:
    """Yield all on the held-out side: the refiner never sees skin."""
    return items_of(by_stem(folder / "train"), "skin") if side == SIDES[2] else iter(())


def _retina(folder: Path, side: str) -> Iterator[Item]:
    """Yield all on the held-out side: the refiner never sees vessels."""
    return items_of(by_stem(folder / "train"), "retina") if side == SIDES[2] else iter(())


SOURCES = (
    Source("polyp", "polyp_polypgen", _polyp, 0.3, "CC BY 4.0"),
    Source("brain slice", "brain_brisc2025", _brain, 0.22, "CC BY 4.0"),
    Source("LGG FLAIR", "brain_lgg_volumes_NC", _lgg, 0.22, "masks CC BY-NC-SA 4.0"),
    Source("purple nuclei", "nuclei_dsb2018", _nuclei, 0.12, "CC0"),
    Source("H&E nuclei", "nuclei_nuinsseg", _nuclei, 0.1, "CC BY 4.0"),
    Source("H&E nuclei, TNBC", "nuclei_tnbc", _nuclei, 0.04, "CC BY 4.0"),
    Source("skin", "skin_isic_small", _skin, 0.0, "CC0"),
    Source("retina", "retina_chasedb1", _retina, 0.0, "CC BY 4.0"),
)


def _on(pairs: tuple[Pair, ...], side: str) -> tuple[Pair, ...]:
    return tuple(pair for pair in pairs if side_of(pair.group) == side)
